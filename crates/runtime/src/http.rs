//! How every service answers over HTTP.

mod client;
mod measure;
mod page;
mod problem;
mod request;
mod server;

pub use client::client_for;
pub use http_server::{Limits, reachable};
pub(crate) use measure::describe;
pub use page::{Limit, Page, PageParams};
pub use problem::Problem;
pub use request::RequestId;
pub use server::{bind, finish, serve};
