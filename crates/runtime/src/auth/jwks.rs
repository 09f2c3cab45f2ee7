//! The issuer's public keys, read once in a while.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use tokio::sync::Mutex;
use url::Url;

use crate::http;

/// Keys are read again after this, so that a withdrawn one stops working.
const MAX_AGE: Duration = Duration::from_secs(300);
/// A token with an unknown key has the keys read again, but no more often than this.
const MIN_AGE: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a key set.
const MAX_BYTES: usize = 256 * 1024;

/// A key set behind a URL. One caller reads it at a time. Those whose key is known do not wait for
/// that; those whose key is unknown do, and take what was found.
pub struct Jwks {
    url: Url,
    client: reqwest::Client,
    cache: RwLock<Cache>,
    reading: Mutex<()>,
}

struct Cache {
    keys: Option<Arc<JwkSet>>,
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
        let client = http::client_for(&url).timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
        let now = Instant::now();
        let cache = RwLock::new(Cache { keys: None, fresh_until: now, quiet_until: now });
        Ok(Self { url, client, cache, reading: Mutex::new(()) })
    }

    /// The key of this id, or the only key there is when the token names none.
    pub async fn find(&self, kid: Option<&str>) -> anyhow::Result<Option<Jwk>> {
        if let Some(known) = self.settled(kid)? {
            return Ok(known);
        }
        let stale = self.keys().and_then(|keys| pick(&keys, kid));
        let _reading = match (self.reading.try_lock(), &stale) {
            (Ok(reading), _) => reading,
            // Somebody is reading already; until that is done the key that is known serves.
            (Err(_), Some(_)) => return Ok(stale),
            (Err(_), None) => self.reading.lock().await,
        };
        if let Some(known) = self.settled(kid)? {
            return Ok(known);
        }
        let result = self.read().await;
        // The time after the read: an issuer that hangs must not have the next caller read at once.
        let now = Instant::now();
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        cache.quiet_until = now + MIN_AGE;
        match result {
            Ok(keys) => {
                let found = pick(&keys, kid);
                cache.fresh_until = now + MAX_AGE;
                cache.keys = Some(Arc::new(keys));
                Ok(found)
            }
            // An issuer that is away for a while must not lock everybody out: the old keys still serve.
            Err(error) if stale.is_some() => {
                tracing::warn!(cause = format!("{error:#}"), "cannot read the issuer's keys again; using the old ones");
                cache.fresh_until = now + MIN_AGE;
                Ok(stale)
            }
            Err(error) => Err(error),
        }
    }

    /// What can be said without reading: a key that is fresh, or that none may be read just now.
    fn settled(&self, kid: Option<&str>) -> anyhow::Result<Option<Option<Jwk>>> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let known = cache.keys.as_ref().and_then(|keys| pick(keys, kid));
        let until = if known.is_some() { cache.fresh_until } else { cache.quiet_until };
        if Instant::now() >= until {
            return Ok(None);
        }
        ensure!(cache.keys.is_some(), "they could not be read a moment ago");
        Ok(Some(known))
    }

    fn keys(&self) -> Option<Arc<JwkSet>> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner).keys.clone()
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::*;

    const KEYS: &str = r#"{"keys":[
        {"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty":"LATER","kid":"b","x":"of a kind that is not known"}]}"#;

    async fn answer(mut stream: TcpStream) {
        let mut request = [0; 1024];
        assert_ne!(stream.read(&mut request).await.unwrap(), 0);
        let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{KEYS}", KEYS.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn an_issuer_that_hangs_holds_up_nobody_whose_key_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let keys = Arc::new(Jwks::new(url).unwrap());
        let (found, ()) =
            tokio::join!(keys.find(Some("a")), async { answer(listener.accept().await.unwrap().0).await });
        assert!(found.unwrap().is_some());

        // Both times have passed, and the issuer takes connections but says nothing.
        let now = Instant::now();
        (keys.cache.write().unwrap().fresh_until, keys.cache.write().unwrap().quiet_until) = (now, now);
        let stranger = tokio::spawn({
            let keys = keys.clone();
            async move { keys.find(Some("unknown")).await }
        });
        let (silent, _) = listener.accept().await.unwrap();
        let known = timeout(Duration::from_secs(1), keys.find(Some("a"))).await.expect("an answer at once");
        assert!(known.unwrap().is_some());
        drop(silent);
        assert!(stranger.await.unwrap().is_err());
        // The failed read is over: for a while nobody starts another.
        assert!(timeout(Duration::from_secs(1), keys.find(Some("unknown"))).await.unwrap().unwrap().is_none());
    }

    #[tokio::test]
    async fn a_key_of_an_unknown_kind_does_not_spoil_the_others() {
        let keys: JwkSet = serde_json::from_str(KEYS).unwrap();
        assert!(pick(&keys, Some("a")).is_some() && pick(&keys, None).is_none());
    }
}
