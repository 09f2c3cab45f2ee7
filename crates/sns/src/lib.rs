//! The SNS envelope and the checking of its signature. Usable without the rest of the project.
//!
//! An HTTP(S) endpoint that is subscribed to an SNS topic takes posts from anybody. [`Verifier`] tells the genuine
//! ones: the topic is an expected one, the message is not old, the certificate comes from where Amazon keeps it, and
//! the signature over the documented text fits (SNS Developer Guide, "Verifying the signatures of Amazon SNS
//! messages"). Both signature versions are known, 1 (SHA1withRSA) and 2 (SHA256withRSA).
//!
//! ```no_run
//! # async fn example(body: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! use sns::{Envelope, Settings, Verifier};
//!
//! // Made once: it keeps the certificates that it fetched.
//! let verifier = Verifier::new(Settings::new(["arn:aws:sns:eu-west-1:123456789012:orders".parse()?]))?;
//!
//! let envelope = Envelope::decode(body)?;
//! verifier.verify(&envelope, time::OffsetDateTime::now_utc()).await?;
//! println!("{}", envelope.message());
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked, and what is not
//!
//! - The URL of the certificate is compared as text and never parsed: `https`, the host of SNS in an expected region,
//!   and one file name of hexadecimal digits. No port, user, query; no redirect is followed.
//! - The certificate: its dates and those of everything above it, at each use; that it leads to a root that Mozilla
//!   trusts ([`Settings::roots`]); that it was issued to `sns.amazonaws.com` or the region's name; that its key is an
//!   RSA key of 2048 bits or more. An issuer that SNS does not send along is fetched from Amazon's authorities.
//!   Revocation is **not** looked up.
//! - Certificates are kept, 32 of them at most, and fetched one at a time; one that could not be had is not asked for
//!   again for ten seconds, in which [`Refused::Unavailable`] is the answer: a 503 then has SNS try again.
//! - `MessageAttributes` are **not signed** by SNS, so an envelope does not show them.
//! - A genuine message may be sent twice, by SNS or by somebody who recorded it: whoever must not act twice remembers
//!   [`Envelope::message_id`] for as long as [`Settings::max_age`].
//! - A subscription is best confirmed by the API's `ConfirmSubscription` with the [`Token`](Kind), never by following
//!   the `SubscribeURL`.
//!
//! `examples/endpoint.rs` is a whole endpoint on axum, `examples/check.rs` looks at one message.

mod arn;
mod certificate;
mod chain;
mod envelope;
mod fetch;
mod metrics;
mod signing_cert_url;
mod verifier;

pub use arn::{InvalidTopicArn, TopicArn};
pub use certificate::UnusableCertificate;
pub use chain::{InvalidRoot, Root, Roots};
pub use envelope::{Confirmation, DecodeError, Envelope, Kind, MAX_ENVELOPE_BYTES};
pub use fetch::Unavailable;
pub use metrics::describe_metrics;
pub use signing_cert_url::{Endpoint, InvalidEndpoint, InvalidRegion, Region};
pub use verifier::{Refused, Settings, SetupError, Verifier};
