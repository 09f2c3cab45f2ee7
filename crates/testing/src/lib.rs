//! Tests only: each test makes its own world and leaves nothing behind.
//!
//! Everything listens on free ports of 127.0.0.1 and lies in temporary directories.

mod databases;
mod issuer;
pub mod media;
pub mod postgres;
mod wait;
mod world;

pub use databases::{TestDatabase, databases};
pub use issuer::Issuer;
pub use wait::eventually;
pub use world::World;
