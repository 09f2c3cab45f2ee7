//! How every service answers over HTTP.

mod page;
mod problem;
mod request;
mod server;

pub use page::{Limit, Page, PageParams};
pub use problem::Problem;
pub use request::RequestId;
pub use server::{bind, finish, serve};
