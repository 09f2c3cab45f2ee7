//! The whole system, through its real binaries, on real media.

mod apart;
mod api;
mod binaries;
mod chaos;
mod crash;
mod issuer;
mod journey;
mod large;
mod logs;
mod observability;
mod up;
mod webhooks;
