//! The check itself.

use aws_lc_rs::{constant_time, digest, hmac};
use http::request::Parts;
use time::{Duration, OffsetDateTime, macros::format_description};

use crate::{AccessKeys, Error, canonical, claim::Claim, keys::Secret};

/// How far the clocks of client and server may be apart (SigV4, "Elements of a request").
const SKEW: Duration = Duration::minutes(15);

/// Who signed a request, and for which region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The access key that signed.
    pub access_key_id: String,
    /// The region in the credential scope; whether it is the right one is for the caller to say.
    pub region: String,
}

/// Checks that `parts` and `body` were signed for `service` by one of `keys`, at about `now`.
///
/// Takes requests signed in the `Authorization` header and presigned ones. A body that was not
/// signed (`UNSIGNED-PAYLOAD`) is accepted for S3 alone, one signed in chunks (`STREAMING-…`)
/// never. Every `x-amz-` header must be signed.
pub fn verify(
    parts: &Parts,
    body: &[u8],
    service: &str,
    keys: &AccessKeys,
    now: OffsetDateTime,
) -> Result<Verified, Error> {
    Head::check(parts, service, keys, now)?.verify(body)
}

/// A request whose head is in order: it names one of our keys, this service and a time that is about now, and is
/// signed as far as can be seen. What it says of itself may still be a lie, which [`Head::verify`] finds out.
///
/// It is there so that a server reads the body only for those who know at least the id of a key.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    parts: &'a Parts,
    claim: Claim,
    secret: &'a Secret,
}

impl<'a> Head<'a> {
    /// Everything that [`verify`] checks and that takes no body.
    pub fn check(parts: &'a Parts, service: &str, keys: &'a AccessKeys, now: OffsetDateTime) -> Result<Self, Error> {
        let claim = Claim::of(parts)?;
        let has_token = parts.headers.contains_key("x-amz-security-token")
            || canonical::pairs(parts.uri.query().unwrap_or_default()).iter().any(|(n, _)| n == "X-Amz-Security-Token");
        if has_token {
            return Err(Error::SessionToken);
        }
        let secret = keys.find(&claim.access_key_id).ok_or(Error::InvalidClientTokenId)?;
        if claim.service != service {
            return Err(Error::Scope(format!("service '{service}'")));
        }
        check_time(&claim, now)?;
        check_signed_headers(parts, &claim)?;
        Ok(Self { parts, claim, secret })
    }

    /// The region that the request names.
    pub fn region(&self) -> &str {
        &self.claim.region
    }

    /// Checks the signature over head and body.
    pub fn verify(self, body: &[u8]) -> Result<Verified, Error> {
        let Self { parts, claim, secret } = self;
        let payload_hash = payload_hash(parts, body, &claim)?;
        let request = canonical::request(parts, &claim.signed_headers, &claim.service, &payload_hash);
        let expected = signature(&claim, secret, &request);
        constant_time::verify_slices_are_equal(expected.as_ref(), &claim.signature)
            .map_err(|_| Error::SignatureDoesNotMatch)?;
        Ok(Verified { access_key_id: claim.access_key_id, region: claim.region })
    }
}

/// The header form lives for the skew, a presigned URL for as long as it says.
fn check_time(claim: &Claim, now: OffsetDateTime) -> Result<(), Error> {
    let earliest = now - claim.presigned.unwrap_or(SKEW);
    let latest = now + SKEW;
    let signed = claim.timestamp.clone();
    if claim.signed_at < earliest {
        return Err(Error::Expired { signed, limit: basic(earliest) });
    }
    if claim.signed_at > latest {
        return Err(Error::NotYetCurrent { signed, limit: basic(latest) });
    }
    Ok(())
}

fn basic(time: OffsetDateTime) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    // Writing to a string cannot fail for a full date; an empty limit would still be a clear error.
    time.format(format).unwrap_or_default()
}

/// An unsigned `x-amz-` header could be changed on the way, and with it what the request does.
fn check_signed_headers(parts: &Parts, claim: &Claim) -> Result<(), Error> {
    let is_signed = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    if !is_signed("host") {
        return Err(Error::IncompleteSignature("'Host' must be a 'SignedHeader' in the AWS Authorization."));
    }
    let mut names = parts.headers.keys().map(http::HeaderName::as_str);
    if names.any(|name| name.starts_with("x-amz-") && !is_signed(name)) {
        return Err(Error::IncompleteSignature("All 'X-Amz-' headers must be signed."));
    }
    Ok(())
}

/// The hash that was signed, which must be that of the body.
fn payload_hash(parts: &Parts, body: &[u8], claim: &Claim) -> Result<String, Error> {
    let actual = || hex::encode(digest::digest(&digest::SHA256, body));
    let Some(stated) = parts.headers.get("x-amz-content-sha256") else {
        let is_unsigned = claim.service == "s3" && claim.presigned.is_some();
        return Ok(if is_unsigned { "UNSIGNED-PAYLOAD".to_owned() } else { actual() });
    };
    let stated = stated.to_str().map_err(|_| Error::BodyDoesNotMatch)?;
    if stated == "UNSIGNED-PAYLOAD" && claim.service == "s3" {
        return Ok(stated.to_owned());
    }
    if stated.starts_with("STREAMING-") {
        return Err(Error::IncompleteSignature("Bodies signed in chunks are not accepted here."));
    }
    if stated == actual() { Ok(stated.to_owned()) } else { Err(Error::BodyDoesNotMatch) }
}

/// SigV4, "Create a string to sign" and "Calculate the signature".
fn signature(claim: &Claim, secret: &Secret, canonical_request: &str) -> hmac::Tag {
    let hash = hex::encode(digest::digest(&digest::SHA256, canonical_request.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", claim.timestamp, claim.scope());
    hmac::sign(&secret.signing_key(&claim.day, &claim.region, &claim.service), text.as_bytes())
}
