//! A durable S3, SQS and SNS for one machine.
