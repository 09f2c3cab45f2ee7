//! Certificates: fetched once, kept, and not asked for again and again when they cannot be had.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use time::OffsetDateTime;

use crate::{
    Settings,
    certificate::{Certificate, UnusableCertificate},
    chain::{self, Chain, Judge},
    metrics::{self, Source},
    signing_cert_url::SigningCertUrl,
    verifier::Refused,
};

/// SNS has one certificate in use in a region, and another for a while when it changes them.
const MAX_CERTIFICATES: usize = 32;
/// Failures that are remembered. Whoever makes up URLs can fill this list, but not the other.
const MAX_FAILURES: usize = 256;
/// A certificate that could not be had is not asked for again before this has passed.
const FAILURE_AGE: Duration = Duration::from_secs(10);
/// The most certificates that are fetched to complete one chain.
const MAX_ISSUERS: usize = 3;
/// The most bytes of an answer; a certificate has about two thousand.
const MAX_BYTES: usize = 64 * 1024;

/// A certificate cannot be had at the moment. Whether the message is genuine is not known; trying again later may work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate {url} cannot be fetched: {reason}")]
pub struct Unavailable {
    url: String,
    reason: String,
}

/// Fetches certificates, one at a time, and keeps them.
pub(crate) struct Certificates {
    client: reqwest::Client,
    timeout: Duration,
    /// For those of AWS.
    judge: Option<Judge>,
    /// For those of the local endpoint, which is this.
    local_judge: Option<Judge>,
    local: Option<String>,
    known: Mutex<Known>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    certificates: HashMap<SigningCertUrl, (Instant, Arc<Certificate>)>,
    failures: HashMap<SigningCertUrl, (Instant, Failure)>,
}

#[derive(Clone)]
enum Failure {
    Unavailable(String),
    Absent,
    Unusable(UnusableCertificate),
}

impl Certificates {
    pub(crate) fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        let timeout = settings.fetch_timeout;
        // A redirect would let whoever answers choose where the certificate comes from.
        let client = reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none());
        let client = if settings.local_endpoint.is_some() { client.no_proxy() } else { client };
        Ok(Self {
            client: client.build()?,
            timeout,
            judge: Judge::new(&settings.roots, &settings.regions),
            local_judge: Judge::new(&settings.local_roots, &settings.regions),
            local: settings.local_endpoint.as_ref().map(|endpoint| endpoint.as_str().to_owned()),
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) async fn get(&self, url: &SigningCertUrl, now: OffsetDateTime) -> Result<Arc<Certificate>, Refused> {
        if let Some(found) = self.known().find(url, Instant::now()) {
            metrics::found(if found.is_ok() { Source::Cache } else { Source::Failure });
            return found.map_err(|failure| failure.refuse(url));
        }
        // One fetch at a time: a crowd that waits for one certificate makes one request, and a crowd that asks for
        // many that do not exist makes few. Who waits too long is told to come back.
        let Ok(_turn) = tokio::time::timeout(self.timeout, self.turn.lock()).await else {
            return Err(Failure::Unavailable("too many others are being fetched".to_owned()).refuse(url));
        };
        if let Some(found) = self.known().find(url, Instant::now()) {
            return found.map_err(|failure| failure.refuse(url));
        }
        let late = || Failure::Unavailable("its issuers did not come in time".to_owned());
        let fetched = tokio::time::timeout(self.timeout * 2, self.load(url, now)).await.unwrap_or_else(|_| Err(late()));
        let fetched = fetched.map(Arc::new);
        metrics::found(if fetched.is_ok() { Source::Fetch } else { Source::Failure });
        self.known().keep(url, &fetched, Instant::now());
        fetched.map_err(|failure| failure.refuse(url))
    }

    /// A certificate that is good for its key, its name and its chain; its dates are looked at each time it is used.
    async fn load(&self, url: &SigningCertUrl, now: OffsetDateTime) -> Result<Certificate, Failure> {
        let mut chain = chain::read_pem(&self.fetch(url.as_str()).await?).map_err(Failure::Unusable)?;
        let certificate = Certificate::parse(&chain[0]).map_err(Failure::Unusable)?;
        certificate.check_dates(now).map_err(Failure::Unusable)?;
        let (judge, authority) = match url.is_local() {
            true => (&self.local_judge, self.local.as_deref()),
            false => (&self.judge, None),
        };
        let Some(judge) = judge else { return Ok(certificate) };
        for _ in 0..=MAX_ISSUERS {
            match judge.check(&chain, now, authority).map_err(Failure::Unusable)? {
                Chain::Complete(dates) => return Ok(certificate.within(&dates)),
                Chain::Missing(issuer) => chain.push(self.fetch(&issuer).await?),
            }
        }
        Err(Failure::Unusable(UnusableCertificate::Chain("it is too long".to_owned())))
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, Failure> {
        let cause = |error: reqwest::Error| Failure::Unavailable(chain(&error));
        let mut response = self.client.get(url).send().await.map_err(cause)?;
        match response.status() {
            StatusCode::OK => {}
            // SNS itself says that it has no such certificate: it comes from nowhere, and will not later.
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Failure::Absent),
            other => return Err(Failure::Unavailable(format!("the answer is {other}"))),
        }
        let mut pem = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(cause)? {
            if pem.len() + chunk.len() > MAX_BYTES {
                return Err(Failure::Unavailable(format!("the answer has more than {MAX_BYTES} bytes")));
            }
            pem.extend_from_slice(&chunk);
        }
        Ok(pem)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn find(&self, url: &SigningCertUrl, now: Instant) -> Option<Result<Arc<Certificate>, Failure>> {
        if let Some((_, certificate)) = self.certificates.get(url) {
            return Some(Ok(certificate.clone()));
        }
        let (since, failure) = self.failures.get(url)?;
        (now.duration_since(*since) < FAILURE_AGE).then(|| Err(failure.clone()))
    }

    fn keep(&mut self, url: &SigningCertUrl, fetched: &Result<Arc<Certificate>, Failure>, now: Instant) {
        self.failures.retain(|_, (since, _)| now.duration_since(*since) < FAILURE_AGE);
        match fetched {
            Ok(certificate) => insert(&mut self.certificates, MAX_CERTIFICATES, url, (now, certificate.clone())),
            Err(failure) => insert(&mut self.failures, MAX_FAILURES, url, (now, failure.clone())),
        }
    }
}

/// A full map gives up its oldest entry.
fn insert<V>(map: &mut HashMap<SigningCertUrl, (Instant, V)>, most: usize, url: &SigningCertUrl, value: (Instant, V)) {
    if map.len() >= most
        && let Some(oldest) = map.iter().min_by_key(|(_, (since, _))| *since).map(|(url, _)| url.clone())
    {
        map.remove(&oldest);
    }
    map.insert(url.clone(), value);
}

impl Failure {
    fn refuse(self, url: &SigningCertUrl) -> Refused {
        match self {
            Self::Unavailable(reason) => Refused::Unavailable(Unavailable { url: url.as_str().to_owned(), reason }),
            Self::Absent => Refused::SigningCertUrl,
            Self::Unusable(reason) => Refused::Certificate(reason),
        }
    }
}

/// The outermost error alone says only that something failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(index: usize) -> SigningCertUrl {
        let sources = crate::signing_cert_url::Sources::new(&["eu-west-1".parse().unwrap()], None);
        let url = format!("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-{index:x}.pem");
        sources.check(&url).unwrap()
    }

    #[test]
    fn failures_are_forgotten_after_a_while_and_are_never_too_many() {
        let mut known = Known::default();
        let start = Instant::now();
        for index in 0..MAX_FAILURES + 10 {
            let now = start + Duration::from_millis(index as u64);
            known.keep(&url(index), &Err(Failure::Unavailable(String::new())), now);
        }
        assert_eq!(known.failures.len(), MAX_FAILURES);
        assert!(known.find(&url(0), start).is_none(), "the oldest went");
        assert!(known.find(&url(20), start).is_some());
        assert!(known.find(&url(20), start + FAILURE_AGE + Duration::from_millis(20)).is_none());
    }
}
