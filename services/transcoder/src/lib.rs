//! The Elastic Transcoder API, with ffmpeg behind it.
