//! The issuer's public keys, read once in a while.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use tokio::sync::Mutex;
use url::Url;

/// Keys are read again after this, so that a withdrawn one stops working.
const MAX_AGE: Duration = Duration::from_secs(300);
/// A token with an unknown key has the keys read again, but no more often than this.
const MIN_AGE: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a key set.
const MAX_BYTES: usize = 256 * 1024;

/// A key set behind a URL. One caller reads it at a time; the others wait for what it found.
pub struct Jwks {
    url: Url,
    client: reqwest::Client,
    cache: Mutex<Cache>,
}

struct Cache {
    keys: Option<JwkSet>,
    /// Known keys are used without reading until then.
    fresh_until: Instant,
    /// Nothing is read before then, whatever a token asks for.
    quiet_until: Instant,
}

impl Jwks {
    /// A key set that has not been read yet.
    pub fn new(url: Url) -> anyhow::Result<Self> {
        ensure!(matches!(url.scheme(), "http" | "https" | "file"), "the JWKS URL must be http, https or file: {url}");
        // A redirect would let whoever answers choose where the keys come from.
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
        let now = Instant::now();
        Ok(Self { url, client, cache: Mutex::new(Cache { keys: None, fresh_until: now, quiet_until: now }) })
    }

    /// The key of this id, or the only key there is when the token names none.
    pub async fn find(&self, kid: Option<&str>) -> anyhow::Result<Option<Jwk>> {
        let mut cache = self.cache.lock().await;
        let known = cache.keys.as_ref().and_then(|keys| pick(keys, kid));
        let now = Instant::now();
        if now < if known.is_some() { cache.fresh_until } else { cache.quiet_until } {
            ensure!(cache.keys.is_some(), "they could not be read a moment ago");
            return Ok(known);
        }
        cache.quiet_until = now + MIN_AGE;
        match self.read().await {
            Ok(keys) => {
                let found = pick(&keys, kid);
                cache.fresh_until = now + MAX_AGE;
                cache.keys = Some(keys);
                Ok(found)
            }
            // An issuer that is away for a while must not lock everybody out: the old keys still serve.
            Err(error) if known.is_some() => {
                tracing::warn!(cause = format!("{error:#}"), "cannot read the issuer's keys again; using the old ones");
                cache.fresh_until = now + MIN_AGE;
                Ok(known)
            }
            Err(error) => Err(error),
        }
    }

    async fn read(&self) -> anyhow::Result<JwkSet> {
        let bytes = match self.url.scheme() {
            "file" => {
                let path = self.url.to_file_path().map_err(|()| anyhow::anyhow!("{} is no path", self.url))?;
                tokio::fs::read(&path).await.with_context(|| format!("cannot read {}", path.display()))?
            }
            _ => self.fetch().await.with_context(|| format!("cannot fetch {}", self.url))?,
        };
        serde_json::from_slice(&bytes).with_context(|| format!("{} is no JWKS", self.url))
    }

    async fn fetch(&self) -> anyhow::Result<Vec<u8>> {
        let mut response = self.client.get(self.url.clone()).send().await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            ensure!(bytes.len() + chunk.len() <= MAX_BYTES, "more than {MAX_BYTES} bytes");
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn pick(keys: &JwkSet, kid: Option<&str>) -> Option<Jwk> {
    match kid {
        Some(kid) => keys.find(kid).cloned(),
        None if keys.keys.len() == 1 => keys.keys.first().cloned(),
        None => None,
    }
}
