//! The check itself.

use aws_lc_rs::{constant_time, digest, hmac};
use http::request::Parts;
use time::{Duration, OffsetDateTime, macros::format_description};

use crate::{AccessKeys, Error, canonical, claim::Claim};

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
    let claim = Claim::of(parts)?;
    let has_token = parts.headers.contains_key("x-amz-security-token")
        || canonical::pairs(parts.uri.query().unwrap_or_default()).iter().any(|(n, _)| n == "X-Amz-Security-Token");
    if has_token {
        return Err(Error::SessionToken);
    }
    let secret = keys.secret(&claim.access_key_id).ok_or(Error::InvalidClientTokenId)?;
    if claim.service != service {
        return Err(Error::Scope(format!("service '{service}'")));
    }
    check_time(&claim, now)?;
    check_signed_headers(parts, &claim)?;
    let payload_hash = payload_hash(parts, body, &claim)?;
    let request = canonical::request(parts, &claim.signed_headers, service, &payload_hash);
    let expected = signature(&claim, secret, &request);
    constant_time::verify_slices_are_equal(expected.as_ref(), &claim.signature)
        .map_err(|_| Error::SignatureDoesNotMatch)?;
    Ok(Verified { access_key_id: claim.access_key_id, region: claim.region })
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
fn signature(claim: &Claim, secret: &str, canonical_request: &str) -> hmac::Tag {
    let hash = hex::encode(digest::digest(&digest::SHA256, canonical_request.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", claim.timestamp, claim.scope());
    let day = sign(format!("AWS4{secret}").as_bytes(), &claim.day);
    let region = sign(day.as_ref(), &claim.region);
    let service = sign(region.as_ref(), &claim.service);
    let key = sign(service.as_ref(), "aws4_request");
    sign(key.as_ref(), &text)
}

fn sign(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}
