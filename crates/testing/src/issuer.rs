//! An issuer of tokens whose keys lie in a temporary file.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use runtime::auth::AuthArgs;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

/// Makes good tokens, and bad ones to order.
pub struct Issuer {
    key: EncodingKey,
    directory: TempDir,
}

const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "segue";
const KEY_ID: &str = "test-key";

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

impl Issuer {
    /// An issuer with a new key.
    #[must_use]
    pub fn new() -> Self {
        let key = ec_key();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("an EC key has a JWK");
        jwk.common.key_id = Some(KEY_ID.to_owned());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let keys = json!({ "keys": [jwk] });
        std::fs::write(directory.path().join("jwks.json"), keys.to_string()).expect("the key set is written");
        Self { key, directory }
    }

    /// The settings with which a service trusts this issuer.
    #[must_use]
    pub fn auth_args(&self) -> AuthArgs {
        let jwks_url = Url::from_file_path(self.directory.path().join("jwks.json")).expect("an absolute path");
        AuthArgs { jwks_url, jwt_issuer: ISSUER.to_owned(), jwt_audience: AUDIENCE.to_owned() }
    }

    /// A good token for `user`, valid for an hour.
    #[must_use]
    pub fn token(&self, user: &str) -> String {
        self.sign(&self.header(), &self.claims(user))
    }

    /// The header of a good token.
    #[must_use]
    pub fn header(&self) -> Header {
        Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) }
    }

    /// The claims of a good token, to be spoilt.
    #[must_use]
    pub fn claims(&self, user: &str) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
        json!({ "sub": user, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 3600 })
    }

    /// A token of any header and claims, signed with this issuer's key.
    #[must_use]
    pub fn sign(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).expect("the token is signed")
    }
}

fn ec_key() -> EncodingKey {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
    };
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .expect("the system has randomness");
    EncodingKey::from_ec_der(document.as_ref())
}
