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
//!   and one file name of hexadecimal digits. No redirect is followed. So the TLS connection itself vouches for the
//!   certificate. Its dates, the kind of its key and the key's length are checked; **its own chain is not**.
//! - `MessageAttributes` are **not signed** by SNS, so an envelope does not show them.
//! - A genuine message may be sent twice, by SNS or by somebody who recorded it: whoever must not act twice remembers
//!   [`Envelope::message_id`] for as long as [`Settings::max_age`].
//! - A subscription is best confirmed by the API's `ConfirmSubscription` with the [`Token`](Kind), never by following
//!   the `SubscribeURL`.

mod arn;
mod certificate;
mod envelope;
mod fetch;
mod signing_cert_url;
mod verifier;

pub use arn::{InvalidTopicArn, TopicArn};
pub use certificate::UnusableCertificate;
pub use envelope::{Confirmation, DecodeError, Envelope, Kind, MAX_ENVELOPE_BYTES};
pub use fetch::Unavailable;
pub use signing_cert_url::{Endpoint, InvalidEndpoint, InvalidRegion, Region};
pub use verifier::{Refused, Settings, SetupError, Verifier};
