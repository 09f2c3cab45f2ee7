//! One post to one target, and what came of it.

use std::{
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use common::{DeliveryId, Timestamp};
use reqwest::{
    Client, ClientBuilder, Response, StatusCode,
    dns::Resolve,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};

use super::{
    config::WebhookArgs,
    resolver::{PublicOnly, System},
    retry::later,
    secret::Secret,
    target::{PrivateHost, Refused, Target},
};
use crate::metrics;

/// How long making a connection may take, with the lookup of its host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a URL's host may take to be found when a webhook is made.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of an answer that are read and kept.
const MAX_RESPONSE: usize = 4096;
/// The longest reason that is kept, in characters.
const MAX_ERROR: usize = 300;

/// Posts to webhooks. Cheap to clone.
#[derive(Clone)]
pub struct Poster {
    private_hosts: Arc<[PrivateHost]>,
    resolver: PublicOnly,
    /// Connects to public addresses only.
    guarded: Client,
    /// For the hosts that a setting allows.
    open: Client,
    timeout: Duration,
}

/// What is posted.
#[derive(Debug)]
pub struct Post<'a> {
    /// The same at each attempt.
    pub id: DeliveryId,
    /// JSON.
    pub body: &'a str,
    /// Each signs; two while one replaces the other.
    pub secrets: &'a [&'a Secret],
}

/// One attempt, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub latency: Duration,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// What the answer began with.
    pub response: Option<String>,
    /// Why there was none.
    pub error: Option<String>,
    /// Before when the target does not want to be asked again.
    pub not_before: Option<Timestamp>,
}

impl Poster {
    /// A poster that asks the system for addresses.
    pub fn new(args: &WebhookArgs) -> anyhow::Result<Self> {
        Self::with_resolver(args, Arc::new(System::new()))
    }

    /// One that asks `resolver`.
    pub fn with_resolver(args: &WebhookArgs, resolver: Arc<dyn Resolve>) -> anyhow::Result<Self> {
        let resolver = PublicOnly::new(resolver);
        Ok(Self {
            private_hosts: args.webhook_private_hosts.clone().into(),
            guarded: client(args.timeout()).dns_resolver(resolver.clone()).build()?,
            open: client(args.timeout()).build()?,
            resolver,
            timeout: args.timeout(),
        })
    }

    /// Whether a webhook may point there, for its owner to hear before it is made. [`post`](Self::post) looks again.
    pub async fn check(&self, url: &str) -> Result<Target, Refused> {
        use super::resolver::NoAddress::Unknown;
        let target = Target::parse(url, &self.private_hosts)?;
        if let Some(host) = target.unchecked_name() {
            let found = tokio::time::timeout(LOOKUP_TIMEOUT, self.resolver.addresses(host)).await;
            found.unwrap_or(Err(Unknown))?;
        }
        Ok(target)
    }

    /// Makes one attempt. It ends within the time-out, whatever the target does.
    pub async fn post(&self, url: &str, post: &Post<'_>) -> Attempt {
        let (at, start) = (Timestamp::now(), Instant::now());
        let answer = tokio::time::timeout(self.timeout, self.send(url, post, at)).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error.chars().take(MAX_ERROR).collect())),
        };
        let status = answer.as_ref().map(|response| response.status().as_u16());
        let not_before = answer.as_ref().and_then(|response| not_before(response, Timestamp::now()));
        let latency = start.elapsed();
        let response = match answer {
            Some(response) => Some(excerpt(response, self.timeout.saturating_sub(latency)).await),
            None => None,
        };
        let attempt = Attempt { at, latency, status, response, error, not_before };
        metrics::attempted(&attempt);
        attempt
    }

    async fn send(&self, url: &str, post: &Post<'_>, at: Timestamp) -> Result<Response, String> {
        // A setting may have changed since the webhook was made.
        let target = Target::parse(url, &self.private_hosts).map_err(|why| format!("not posted: {why}"))?;
        let headers = headers(post, at).map_err(|error| format!("not posted: {error}"))?;
        let client = if target.is_private() { &self.open } else { &self.guarded };
        let request = client.post(target.url().clone()).headers(headers).body(post.body.to_owned());
        request.send().await.map_err(|error| reason(&error.without_url()))
    }
}

/// No redirect, which would let the target choose where the post goes; no proxy, which would connect in our stead.
fn client(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(4)
        .user_agent("Segue-Webhooks/1")
}

fn headers(post: &Post<'_>, at: Timestamp) -> anyhow::Result<HeaderMap> {
    let (id, seconds): (String, i64) = (post.id.to_string(), at.as_millis() / 1000);
    let signatures =
        post.secrets.iter().map(|secret| secret.sign(&id, seconds, post.body)).collect::<Result<Vec<_>, _>>()?;
    let name = HeaderName::from_static;
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (name("webhook-id"), HeaderValue::try_from(id)?),
        (name("webhook-timestamp"), HeaderValue::from(seconds)),
        (name("webhook-signature"), HeaderValue::try_from(signatures.join(" "))?),
    ]))
}

/// The `Retry-After` of who is too busy: seconds or a date (RFC 9110, section 10.2.3). One that is neither says nothing.
fn not_before(response: &Response, now: Timestamp) -> Option<Timestamp> {
    if !matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.parse() {
        return Some(later(now, Duration::from_secs(seconds)));
    }
    let since_1970 = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(later(Timestamp::from_millis(0), since_1970))
}

/// What the answer begins with. A body that stalls or never ends takes no more than the bounds.
async fn excerpt(mut response: Response, time: Duration) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < MAX_RESPONSE
            && let Ok(Some(chunk)) = response.chunk().await
        {
            let rest = MAX_RESPONSE - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(rest)]);
        }
    };
    // The status is what counts: a body that does not come is no reason to post again.
    let _ = tokio::time::timeout(time, read).await;
    // PostgreSQL stores no NUL.
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

/// The innermost cause says what happened; the outer ones say only that something did.
fn reason(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl Attempt {
    /// 2xx alone is success: a redirect is not followed, so what it stands for did not arrive.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// The target says that nobody is there any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

#[cfg(test)]
mod tests;
