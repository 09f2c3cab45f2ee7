//! Turns each transcode request into exactly one transcode job.
fn main() {}
