//! The Elastic Transcoder API (2012-09-25): types, validation, presets and notification JSON. No I/O.
