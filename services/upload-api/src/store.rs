//! What this service keeps in its database. Query functions take a connection and the time.

pub mod deletions;
pub mod drives;
pub mod files;
pub mod results;
mod row;
pub mod uploads;

pub use files::{Fault, File, NewFile, Output};
