//! The service as its users and its queue see it, on a local cloud of each test's own.

mod auth;
mod events;
mod list;
mod mark;
mod service;
mod stream;
