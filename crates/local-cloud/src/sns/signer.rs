//! The key that signs messages, and its certificate.

use std::{fs, io, path::Path};

use anyhow::{Context as _, anyhow};
use aws_lc_rs::{
    digest, rand,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde::{Deserialize, Serialize};

use super::sha1_signature;
use crate::secret_file;

/// Which digest a topic's messages are signed with; its attribute `SignatureVersion`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// SHA-1, the default (SNS API, SetTopicAttributes).
    One,
    /// SHA-256.
    Two,
}

impl Version {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }
}

/// One key per data directory, so that receivers may remember its certificate.
pub(super) struct Signer {
    pkcs8: Vec<u8>,
    key: RsaKeyPair,
    certificate_pem: String,
    certificate_path: String,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// Base64 of the key in PKCS #8.
    key: String,
    /// PEM.
    certificate: String,
}

impl Signer {
    /// Reads the key from `file`, or makes it and writes it there. Takes a moment.
    pub(super) fn open(file: &Path) -> anyhow::Result<Self> {
        let saved = match fs::read(file) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", file.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = make()?;
                secret_file::save(&made, file).with_context(|| format!("{} cannot be written", file.display()))?;
                made
            }
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
        };
        Self::from_saved(saved)
    }

    fn from_saved(saved: Saved) -> anyhow::Result<Self> {
        let pkcs8 = STANDARD.decode(saved.key).context("the key is not base64")?;
        let key = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|error| anyhow!("the key is refused: {error}"))?;
        let hash = digest::digest(&digest::SHA256, saved.certificate.as_bytes());
        let certificate_path = format!("/SimpleNotificationService-{}.pem", hex::encode(&hash.as_ref()[..16]));
        Ok(Self { pkcs8, key, certificate_pem: saved.certificate, certificate_path })
    }

    pub(super) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Where the certificate is served; AWS puts a digest into the name as well.
    pub(super) fn certificate_path(&self) -> &str {
        &self.certificate_path
    }

    /// The signature in base64.
    pub(super) fn sign(&self, version: Version, text: &str) -> anyhow::Result<String> {
        let signature = match version {
            Version::One => sha1_signature::sign(&self.pkcs8, text.as_bytes()).context("AWS-LC did not sign")?,
            Version::Two => {
                let mut signature = vec![0; self.key.public_modulus_len()];
                self.key
                    .sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), text.as_bytes(), &mut signature)
                    .map_err(|_| anyhow!("AWS-LC did not sign"))?;
                signature
            }
        };
        Ok(STANDARD.encode(signature))
    }
}

fn make() -> anyhow::Result<Saved> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "local-cloud SNS signing");
    let certificate = params.self_signed(&key)?.pem();
    Ok(Saved { key: STANDARD.encode(key.serialize_der()), certificate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key.json");
        let first = Signer::open(&file).unwrap();
        let second = Signer::open(&file).unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        assert_eq!(first.sign(Version::One, "a").unwrap(), second.sign(Version::One, "a").unwrap());
        assert_ne!(first.sign(Version::One, "a").unwrap(), first.sign(Version::Two, "a").unwrap());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key.json");
        fs::write(&file, "half").unwrap();
        assert!(Signer::open(&file).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"half");
    }
}
