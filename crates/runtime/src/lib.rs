//! What every binary needs and no service owns. It knows nothing of files or messages.

pub mod auth;
pub mod aws;
pub mod health;
pub mod http;
pub mod metrics;
pub mod process;
pub mod provision;
pub mod shutdown;
pub mod telemetry;

pub use auth::{Operator, User};
pub use aws::Aws;
pub use health::Health;
pub use http::{Page, PageParams, Problem};
pub use process::{Platform, ProcessArgs};
pub use shutdown::Shutdown;
