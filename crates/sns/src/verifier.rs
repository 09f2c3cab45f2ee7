//! Telling genuine messages from others.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use time::OffsetDateTime;

use crate::{
    Endpoint, Envelope, Region, Roots, TopicArn, Unavailable, UnusableCertificate, certificate::SignatureVersion,
    fetch::Certificates, signing_cert_url::Sources,
};

/// How far the clock of the sender may be ahead.
const MAX_AHEAD: Duration = Duration::from_secs(300);

/// What a genuine message looks like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The topics whose messages are taken.
    pub topics: Vec<TopicArn>,
    /// The regions whose SNS may sign.
    pub regions: Vec<Region>,
    /// Something else that may sign and serves its certificate itself, for local work. With it, no proxy
    /// that the environment names is asked for certificates.
    pub local_endpoint: Option<Endpoint>,
    /// Where the chain of a certificate of AWS must end.
    pub roots: Roots,
    /// The same for one of the local endpoint.
    pub local_roots: Roots,
    /// How old a message may be. SNS tries an HTTP endpoint for less than an hour unless told otherwise.
    pub max_age: Duration,
    /// How long fetching a certificate may take.
    pub fetch_timeout: Duration,
}

impl Settings {
    /// Messages of these topics, signed in the topics' own regions, at most an hour old.
    pub fn new(topics: impl IntoIterator<Item = TopicArn>) -> Self {
        let topics: Vec<TopicArn> = topics.into_iter().collect();
        Self {
            regions: topics.iter().map(|topic| topic.region().clone()).collect(),
            topics,
            local_endpoint: None,
            roots: Roots::Public,
            local_roots: Roots::Any,
            max_age: Duration::from_secs(3600),
            fetch_timeout: Duration::from_secs(5),
        }
    }
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its topic is none of the expected ones.
    #[error("not a valid SNS topic ARN")]
    Topic,
    /// It is too old, or from the future.
    #[error("the Timestamp is too far from the present")]
    Timestamp,
    /// It has no signature.
    #[error("the message is not signed")]
    Unsigned,
    /// The version of its signature is neither 1 nor 2.
    #[error("the SignatureVersion is not known")]
    SignatureVersion,
    /// Its certificate is not where certificates are: the URL is none of SNS, or SNS has none there.
    #[error("the SigningCertURL is not one of SNS")]
    SigningCertUrl,
    /// Its certificate was fetched and is not good enough.
    #[error("the signing certificate cannot be used: {0}")]
    Certificate(UnusableCertificate),
    /// The signature is not that of this message.
    #[error("the signature does not fit the message")]
    Signature,
    /// Nothing is known yet: the certificate cannot be had at the moment.
    #[error(transparent)]
    Unavailable(Unavailable),
}

/// A verifier could not be made: the TLS of this machine cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the HTTP client for certificates")]
pub struct SetupError(#[from] reqwest::Error);

/// Tells genuine messages. Cheap to clone; clones share the certificates.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    topics: Vec<TopicArn>,
    sources: Sources,
    max_age: Duration,
    certificates: Certificates,
}

impl Verifier {
    /// A verifier that fetches certificates when they are needed.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let inner = Inner {
            sources: Sources::new(&settings.regions, settings.local_endpoint.as_ref()),
            certificates: Certificates::new(&settings)?,
            topics: settings.topics,
            max_age: settings.max_age,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether this is the ARN of an expected topic.
    #[must_use]
    pub fn expects(&self, topic_arn: &str) -> bool {
        self.inner.topics.iter().any(|topic| topic.as_str() == topic_arn)
    }

    /// Checks topic, age and signature: what a message that came over HTTP must pass. Cheap checks come first.
    pub async fn verify(&self, envelope: &Envelope, now: OffsetDateTime) -> Result<(), Refused> {
        self.check_topic(envelope)?;
        self.check_age(envelope, now)?;
        self.check_signature(envelope, now).await
    }

    /// Checks that the topic is an expected one.
    pub fn check_topic(&self, envelope: &Envelope) -> Result<(), Refused> {
        if self.expects(envelope.topic_arn()) { Ok(()) } else { Err(Refused::Topic) }
    }

    /// Checks that the message is recent. A message that waited in a queue may well be older.
    pub fn check_age(&self, envelope: &Envelope, now: OffsetDateTime) -> Result<(), Refused> {
        let age = now - envelope.time();
        if age > self.inner.max_age || -age > MAX_AHEAD { Err(Refused::Timestamp) } else { Ok(()) }
    }

    /// Checks that SNS signed the message, whatever its topic and age.
    pub async fn check_signature(&self, envelope: &Envelope, now: OffsetDateTime) -> Result<(), Refused> {
        let signature = envelope.signature.as_ref().ok_or(Refused::Unsigned)?;
        let version = SignatureVersion::parse(&signature.version).ok_or(Refused::SignatureVersion)?;
        let bytes = BASE64_STANDARD.decode(&signature.value).map_err(|_| Refused::Signature)?;
        let url = self.inner.sources.check(&signature.cert_url).ok_or(Refused::SigningCertUrl)?;
        let certificate = self.inner.certificates.get(&url, now).await?;
        certificate.check_dates(now).map_err(Refused::Certificate)?;
        if certificate.signed(version, &envelope.string_to_sign(), &bytes) { Ok(()) } else { Err(Refused::Signature) }
    }
}
