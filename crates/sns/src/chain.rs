//! From a signing certificate to a root that is trusted.
//!
//! SNS serves its own certificate alone or with those above it. One that is missing is named by the certificate below
//! it (RFC 5280, 4.2.2.1, `caIssuers`) and is fetched from the authorities that issue for Amazon, and from nobody else.

use std::{fmt, time::Duration};

use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use time::OffsetDateTime;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    pem::Pem,
    prelude::FromDer,
};

use crate::{
    Region,
    certificate::{Dates, UnusableCertificate},
};

/// The most certificates of one file; AWS has at most three above one of SNS.
const MAX_CERTIFICATES: usize = 6;
/// `id-ad-caIssuers` (RFC 5280, 4.2.2.1).
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";
/// Who issues for Amazon: Amazon Trust Services, and DigiCert in China.
const AUTHORITIES: [&str; 2] = [".amazontrust.com", ".digicert.com"];

/// Where the way from a certificate upwards must end.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// At one of the roots that Mozilla trusts, as compiled into this program.
    #[default]
    Public,
    /// At one of these.
    Only(Vec<Root>),
    /// Anywhere: who serves the certificate vouches for it. Good for a local endpoint that signs for itself.
    Any,
}

/// A root of one's own.
#[derive(Clone)]
pub struct Root(TrustAnchor<'static>);

/// No root could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no certificates in PEM that could be roots")]
pub struct InvalidRoot;

impl Root {
    /// Reads all certificates of a text in PEM.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>, InvalidRoot> {
        let certificates = read_pem(pem).map_err(|_| InvalidRoot)?;
        let anchor = |der: &Vec<u8>| {
            let der = CertificateDer::from(der.as_slice());
            anchor_from_trusted_cert(&der).map(|anchor| Self(anchor.to_owned())).map_err(|_| InvalidRoot)
        };
        certificates.iter().map(anchor).collect()
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Root(…)")
    }
}

impl Roots {
    fn anchors(&self) -> Vec<TrustAnchor<'static>> {
        match self {
            Self::Public => webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            Self::Only(roots) => roots.iter().map(|root| root.0.clone()).collect(),
            Self::Any => Vec::new(),
        }
    }
}

/// The certificates of a text in PEM, in DER: SNS's own first, those above it behind it.
pub(crate) fn read_pem(pem: &[u8]) -> Result<Vec<Vec<u8>>, UnusableCertificate> {
    let mut all = Vec::new();
    for block in Pem::iter_from_buffer(pem) {
        let block = block.map_err(|_| UnusableCertificate::Unreadable)?;
        if block.label != "CERTIFICATE" || all.len() == MAX_CERTIFICATES {
            return Err(UnusableCertificate::Unreadable);
        }
        all.push(block.contents);
    }
    if all.is_empty() { Err(UnusableCertificate::Unreadable) } else { Ok(all) }
}

/// What is still to be done for a chain.
pub(crate) enum Chain {
    /// It holds, in this time.
    Complete(Dates),
    /// The certificate that would come next may be had from this URL.
    Missing(String),
}

/// Judges chains.
pub(crate) struct Judge {
    anchors: Vec<TrustAnchor<'static>>,
    names: Vec<ServerName<'static>>,
}

impl Judge {
    /// `None` when any certificate will do.
    pub(crate) fn new(roots: &Roots, regions: &[Region]) -> Option<Self> {
        if matches!(roots, Roots::Any) {
            return None;
        }
        let names = regions.iter().flat_map(names).filter_map(|name| ServerName::try_from(name).ok()).collect();
        Some(Self { anchors: roots.anchors(), names })
    }

    /// Follows the certificates upwards from the first. `authority` may be asked for what is missing, beside
    /// [`AUTHORITIES`].
    pub(crate) fn check(
        &self,
        chain: &[Vec<u8>],
        now: OffsetDateTime,
        authority: Option<&str>,
    ) -> Result<Chain, UnusableCertificate> {
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let (first, above) = chain.split_first().ok_or(UnusableCertificate::Unreadable)?;
        let first = EndEntityCert::try_from(first).map_err(unfit)?;
        if !self.names.iter().any(|name| first.verify_is_valid_for_subject_name(name).is_ok()) {
            return Err(UnusableCertificate::Name);
        }
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now.unix_timestamp().max(0).unsigned_abs()));
        let usage = KeyUsage::server_auth();
        match first.verify_for_usage(ALL_VERIFICATION_ALGS, &self.anchors, above, at, usage, None, None) {
            Ok(path) => dates(path.intermediate_certificates().map(|it| it.der())).map(Chain::Complete),
            Err(Error::UnknownIssuer) => {
                let next = chain.last().and_then(|last| issuer_url(last, authority));
                next.map(Chain::Missing).ok_or_else(|| unfit(Error::UnknownIssuer))
            }
            Err(error) => Err(unfit(error)),
        }
    }
}

/// To whom SNS's certificates are issued. The Developer Guide speaks of the name with the region. The two others are not
/// documented, but nobody else than AWS can have a certificate for them.
fn names(region: &Region) -> [String; 3] {
    let (region, domain) = (region.as_str(), region.domain());
    [format!("sns.{domain}"), format!("sns.{region}.{domain}"), format!("sns-signing.{region}.{domain}")]
}

fn unfit(error: Error) -> UnusableCertificate {
    match error {
        Error::CertExpired { .. } => UnusableCertificate::Expired,
        Error::CertNotValidYet { .. } => UnusableCertificate::NotYetValid,
        other => UnusableCertificate::Chain(other.to_string()),
    }
}

/// When all of them are valid.
fn dates<'a>(path: impl Iterator<Item = CertificateDer<'a>>) -> Result<Dates, UnusableCertificate> {
    let mut all = Dates::ALWAYS;
    for der in path {
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| UnusableCertificate::Unreadable)?;
        all = all.both(&Dates::of(&certificate));
    }
    Ok(all)
}

/// Where the certificate of the issuer of `der` is, if one of the authorities has it.
fn issuer_url(der: &[u8], authority: Option<&str>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let access = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => Some(access),
        _ => None,
    })?;
    access.accessdescs.iter().find_map(|description| match &description.access_location {
        GeneralName::URI(url) if description.access_method.to_id_string() == CA_ISSUERS => {
            is_authority(url, authority).then(|| (*url).to_owned())
        }
        _ => None,
    })
}

/// Compared as text and never parsed. Plain HTTP is right here: what is fetched proves itself by its signature.
fn is_authority(url: &str, authority: Option<&str>) -> bool {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let own =
        authority.is_some_and(|base| url.strip_prefix(base).and_then(|it| it.strip_prefix('/')).is_some_and(plain));
    let named = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    own || named.is_some_and(|(host, path)| {
        plain(host) && plain(path) && AUTHORITIES.iter().any(|authority| host.ends_with(authority))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_asked_for_at_the_authorities_only() {
        for url in ["http://crt.r2m02.amazontrust.com/r2m02.cer", "http://cacerts.digicert.com/DigiCertG2.crt"] {
            assert!(is_authority(url, None), "{url}");
        }
        assert!(is_authority("http://127.0.0.1:9/ca.der", Some("http://127.0.0.1:9")));
        for url in [
            "http://evil.example/ca.cer",
            "http://evil-amazontrust.com/ca.cer",
            "http://amazontrust.com.evil.example/ca.cer",
            "http://crt.amazontrust.com:8080/ca.cer",
            "http://user@crt.amazontrust.com/ca.cer",
            "http://169.254.169.254/latest",
            "http://127.0.0.1:9/a/b",
            "ftp://crt.amazontrust.com/ca.cer",
        ] {
            assert!(!is_authority(url, None), "{url}");
        }
    }

    #[test]
    fn a_text_without_certificates_has_no_roots() {
        assert_eq!(Root::all_from_pem(b"").unwrap_err(), InvalidRoot);
        assert_eq!(
            Root::all_from_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap_err(),
            InvalidRoot
        );
    }
}
