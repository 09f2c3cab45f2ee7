//! Takes files, streams them to S3 and keeps each file state.
