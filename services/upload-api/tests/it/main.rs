//! upload-api as its clients, its bucket and its queues see it.

mod bad_input;
mod cut_off;
mod delete;
mod download;
mod files;
mod intake;
mod results;
mod support;
mod sweep;
