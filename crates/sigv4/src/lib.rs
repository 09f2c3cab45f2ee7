//! Checks AWS Signature Version 4 on the server side. No I/O.
//!
//! [`verify`] takes a request, its whole body and the known access keys, and says who signed it. It
//! knows both forms: the `Authorization` header and the presigned query. [`Head::check`] is the part of
//! it that can be done before the body has come. The rules are those of
//! "Signature Version 4 signing for AWS API requests" in the AWS IAM user guide.
//!
//! ```
//! use sigv4::{AccessKeys, Error, verify};
//! use time::OffsetDateTime;
//!
//! let keys: AccessKeys = "AKIDEXAMPLE:a-secret-that-nobody-knows".parse().unwrap();
//! let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
//! let unsigned = verify(&parts, b"", "sns", &keys, OffsetDateTime::now_utc());
//! assert_eq!(unsigned, Err(Error::MissingAuthenticationToken));
//! ```

mod canonical;
mod claim;
mod error;
mod keys;
mod verify;

pub use error::Error;
pub use keys::{AccessKeys, ParseAccessKeysError};
pub use verify::{Head, Verified, verify};
