//! Checks AWS Signature Version 4 on the server side.
