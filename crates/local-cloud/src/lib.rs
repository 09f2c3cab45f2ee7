//! A durable S3, SQS and SNS for one machine.
//!
//! Object content lies in plain files, everything else in one SQLite database, all of it under one
//! data directory. An answer is given only after what it confirms would survive a crash.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use local_cloud::{LocalCloud, Settings};
//!
//! let cloud = LocalCloud::open(Settings::new("./data/aws"))?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:4566").await?;
//! axum::serve(listener, cloud.router()).await?;
//! # Ok(())
//! # }
//! ```

mod admission;
mod body;
mod context;
mod credentials;
mod open;
mod policy;
mod s3;
mod secret_file;
mod server;
mod sns;
mod space;
mod sqs;
mod store;
mod sts;
mod xml;

pub use credentials::{AccessKey, BadAccessKey};
pub use open::{LocalCloud, OpenError, Settings};
pub use sns::SnsTimes;

pub(crate) use context::Context;
