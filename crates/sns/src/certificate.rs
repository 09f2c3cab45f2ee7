//! The X.509 certificate whose key signs messages.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256};
use time::OffsetDateTime;
use x509_parser::{certificate::X509Certificate, prelude::FromDer, public_key::PublicKey};

/// The shortest RSA key that is trusted; NIST SP 800-131A allows no shorter one.
const MIN_KEY_BITS: usize = 2048;

/// Why a certificate that was fetched is not good enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableCertificate {
    /// Not an X.509 certificate in PEM.
    #[error("it is no X.509 certificate in PEM")]
    Unreadable,
    /// Its key is none of RSA.
    #[error("its key is not an RSA key")]
    NotRsa,
    /// Its RSA key is too short, or longer than anybody needs.
    #[error("its RSA key has {0} bits; 2048 to 8192 are allowed")]
    KeyLength(usize),
    /// Its time has not come yet.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Its time is over, or that of one that it was issued by.
    #[error("it has expired")]
    Expired,
    /// It does not lead to a root that is trusted.
    #[error("it does not lead to a trusted root: {0}")]
    Chain(String),
    /// It was issued to somebody else than SNS.
    #[error("it was not issued to SNS")]
    Name,
}

/// Which digest a signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureVersion {
    /// SHA1withRSA.
    One,
    /// SHA256withRSA.
    Two,
}

/// A certificate's key and dates.
pub(crate) struct Certificate {
    dates: Dates,
    sha1: ParsedPublicKey,
    sha256: ParsedPublicKey,
}

/// From when to when certificates are valid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dates {
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Dates {
    /// No bounds at all.
    pub(crate) const ALWAYS: Self =
        Self { not_before: OffsetDateTime::UNIX_EPOCH, not_after: time::macros::datetime!(9999-12-31 00:00 UTC) };

    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self { not_before: validity.not_before.to_datetime(), not_after: validity.not_after.to_datetime() }
    }

    /// When both are valid.
    pub(crate) fn both(&self, other: &Self) -> Self {
        Self { not_before: self.not_before.max(other.not_before), not_after: self.not_after.min(other.not_after) }
    }

    fn check(&self, now: OffsetDateTime) -> Result<(), UnusableCertificate> {
        if now < self.not_before {
            return Err(UnusableCertificate::NotYetValid);
        }
        if now > self.not_after { Err(UnusableCertificate::Expired) } else { Ok(()) }
    }
}

impl SignatureVersion {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self::One),
            "2" => Some(Self::Two),
            _ => None,
        }
    }
}

impl Certificate {
    /// Reads a certificate in DER.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, UnusableCertificate> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| UnusableCertificate::Unreadable)?;
        let key = certificate.public_key();
        let bits = match key.parsed() {
            Ok(PublicKey::RSA(rsa)) => rsa.key_size(),
            _ => return Err(UnusableCertificate::NotRsa),
        };
        if !(MIN_KEY_BITS..=8192).contains(&bits) {
            return Err(UnusableCertificate::KeyLength(bits));
        }
        let key: &[u8] = &key.subject_public_key.data;
        let unreadable = |_| UnusableCertificate::Unreadable;
        Ok(Self {
            dates: Dates::of(&certificate),
            sha1: ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key).map_err(unreadable)?,
            sha256: ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).map_err(unreadable)?,
        })
    }

    /// No longer valid than all of `path`.
    pub(crate) fn within(mut self, path: &Dates) -> Self {
        self.dates = self.dates.both(path);
        self
    }

    pub(crate) fn check_dates(&self, now: OffsetDateTime) -> Result<(), UnusableCertificate> {
        self.dates.check(now)
    }

    pub(crate) fn signed(&self, version: SignatureVersion, text: &str, signature: &[u8]) -> bool {
        let key = match version {
            SignatureVersion::One => &self.sha1,
            SignatureVersion::Two => &self.sha256,
        };
        key.verify_sig(text.as_bytes(), signature).is_ok()
    }
}
