//! The local issuer of tokens: an ES256 key in the data directory, made at the first start.
//!
//! It stands in for an OIDC provider on one machine. The services check its tokens as they would
//! anybody's, against its public key set.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, anyhow};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{Json, Router, routing::get};
use common::UserId;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, ThumbprintHash},
};
use runtime::auth::AuthArgs;
use serde_json::json;
use url::Url;

const ISSUER: &str = "segue-local";
const AUDIENCE: &str = "segue";

/// Makes tokens for the users of one data directory.
pub struct Issuer {
    key: EncodingKey,
    keys: JwkSet,
    key_id: String,
    /// The public key set, for the services of this process.
    jwks_path: PathBuf,
}

impl Issuer {
    /// The issuer of `data_dir`; its key is made when there is none.
    pub fn open_or_make(data_dir: &Path) -> anyhow::Result<Self> {
        let path = key_path(data_dir);
        if !path.exists() {
            let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| anyhow!("the system gives no randomness"))?;
            write_whole(&path, key.as_ref(), 0o600)?;
        }
        let issuer = Self::open(data_dir)?;
        write_whole(&issuer.jwks_path, &serde_json::to_vec(&issuer.keys)?, 0o644)?;
        Ok(issuer)
    }

    /// The issuer of a data directory that `segue up` or `segue issuer` has used.
    pub fn open(data_dir: &Path) -> anyhow::Result<Self> {
        let path = key_path(data_dir);
        let bytes = std::fs::read(&path).with_context(|| {
            format!("cannot read {}; `segue up` and `segue issuer` make it at their first start", path.display())
        })?;
        let key = EncodingKey::from_ec_der(&bytes);
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256)
            .with_context(|| format!("{} is no ES256 key", path.display()))?;
        // The thumbprint names the key by its content (RFC 7638).
        let key_id = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(key_id.clone());
        let jwks_path = std::path::absolute(data_dir.join("jwks.json"))?;
        Ok(Self { key, keys: JwkSet { keys: vec![jwk] }, key_id, jwks_path })
    }

    /// A token for `user` that expires after `lifetime`.
    pub fn token(&self, user: &UserId, lifetime: Duration) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": now, "exp": now + lifetime.as_secs(),
        });
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }

    /// The settings with which a service trusts this issuer and nobody else.
    pub fn auth_args(&self) -> anyhow::Result<AuthArgs> {
        let jwks_url = Url::from_file_path(&self.jwks_path).map_err(|()| anyhow!("the data directory has no URL"))?;
        Ok(AuthArgs { jwks_url, jwt_issuer: ISSUER.to_owned(), jwt_audience: AUDIENCE.to_owned() })
    }

    /// Serves the public keys where others look for them.
    pub fn router(&self) -> Router {
        let keys = self.keys.clone();
        Router::new().route("/.well-known/jwks.json", get(move || async move { Json(keys) }))
    }
}

fn key_path(data_dir: &Path) -> PathBuf {
    data_dir.join("issuer-key.der")
}

/// Writes a file so that a crash leaves the old one or the new one, never half of it.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_outlives_a_restart_and_is_private() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let first = Issuer::open_or_make(directory.path()).unwrap();
        let second = Issuer::open_or_make(directory.path()).unwrap();
        assert_eq!(first.key_id, second.key_id);
        let mode = std::fs::metadata(key_path(directory.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_directory_that_was_never_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = Issuer::open(directory.path()).err().unwrap();
        assert!(error.to_string().contains("segue up"), "{error}");
    }
}
