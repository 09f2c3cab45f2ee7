//! An authority of a test's own, which issues certificates.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use time::{Duration, OffsetDateTime};

/// Days around now in which a certificate is valid.
pub const VALID: (i64, i64) = (-1, 1);

/// A key that issues, with its certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    pub der: Vec<u8>,
}

/// What to issue.
pub struct Wanted<'a> {
    /// The DNS name.
    pub name: &'a str,
    /// See [`VALID`].
    pub days: (i64, i64),
    /// Where the issuer's certificate is said to be.
    pub issuer_url: Option<String>,
    /// What the key is for.
    pub usage: Option<ExtendedKeyUsagePurpose>,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            name: "sns.amazonaws.com",
            days: VALID,
            issuer_url: None,
            usage: Some(ExtendedKeyUsagePurpose::ServerAuth),
        }
    }
}

impl Authority {
    /// A root.
    pub fn root(name: &str) -> Self {
        let (params, key) = (authority_params(name, VALID, None), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
    }

    /// An authority below this one.
    pub fn below(&self, name: &str, days: (i64, i64), issuer_url: Option<&str>) -> Self {
        let (params, key) = (authority_params(name, days, issuer_url), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for somebody's key, in PEM.
    pub fn issue(&self, key: &impl PublicKeyData, wanted: Wanted<'_>) -> String {
        let mut params = CertificateParams::new(vec![wanted.name.to_owned()]).unwrap();
        set_days(&mut params, wanted.days);
        params.extended_key_usages = wanted.usage.into_iter().collect();
        params.custom_extensions = wanted.issuer_url.iter().map(|url| authority_information(url)).collect();
        params.signed_by(key, &self.issuer).unwrap().pem()
    }
}

fn authority_params(name: &str, days: (i64, i64), issuer_url: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.custom_extensions = issuer_url.into_iter().map(authority_information).collect();
    set_days(&mut params, days);
    params
}

fn set_days(params: &mut CertificateParams, (from, to): (i64, i64)) {
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now + Duration::days(from), now + Duration::days(to));
}

/// `AuthorityInfoAccess` with one `caIssuers` (RFC 5280, 4.2.2.1), in DER by hand: rcgen has no word for it.
fn authority_information(url: &str) -> CustomExtension {
    let tagged = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let ca_issuers = tagged(0x06, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02]);
    let description = [ca_issuers, tagged(0x86, url.as_bytes())].concat();
    let content = tagged(0x30, &tagged(0x30, &description));
    assert!(content.len() < 128, "longer lengths take another form");
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content)
}
