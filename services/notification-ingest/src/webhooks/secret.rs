//! Signatures of the Standard Webhooks specification, version 1.0.0, by which a receiver knows who posted.

use std::fmt;

use aws_lc_rs::{
    hmac::{self, HMAC_SHA256},
    rand::{SecureRandom, SystemRandom},
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret; the specification asks for 24 to 64.
const BYTES: usize = 32;

/// A key that the receiver knows too: `whsec_` and base64. Printing it for debugging tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The text is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook's secret")]
pub struct InvalidSecret;

impl Secret {
    /// A new one.
    pub fn generate() -> anyhow::Result<Self> {
        let mut bytes = [0; BYTES];
        SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
        Ok(Self(format!("{PREFIX}{}", STANDARD.encode(bytes))))
    }

    /// The text, for the owner and for the database.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The signature of one post at `seconds` since the epoch: `v1,` and base64.
    pub fn sign(&self, id: &str, seconds: i64, body: &str) -> Result<String, InvalidSecret> {
        let key = self.0.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok()).ok_or(InvalidSecret)?;
        let signed = format!("{id}.{seconds}.{body}");
        let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, &key), signed.as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(tag)))
    }
}

/// From the database.
impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn the_specification_s_example_has_its_signature() {
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_are_long_different_and_not_printed() {
        let (one, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(STANDARD.decode(one.expose().strip_prefix("whsec_").unwrap()).unwrap().len(), BYTES);
        assert!(!format!("{one:?}").contains("whsec_"));
        assert_eq!(Secret::from("whsec_?".to_owned()).sign("a", 1, ""), Err(InvalidSecret));
    }
}
