//! The SQS consumer loop and its contract, and the outbox relay.
