//! Letting a signed request in.
//!
//! The signature is over the body too, so that the body has to be read before anybody is known. What the head
//! alone tells is checked first: a body is read only for those who know the id of a key.

use axum::body::{Body, Bytes};
use http::request::Parts;
use sigv4::{AccessKeys, Head};
use time::OffsetDateTime;

use crate::body::{self, Unreadable};

/// The body of a request that one of `keys` signed for this service and region, and the id of that key.
pub(crate) async fn admit<E>(
    parts: &Parts,
    body: Body,
    (service, region): (&str, &str),
    keys: &AccessKeys,
) -> Result<(Bytes, String), E>
where
    E: From<sigv4::Error> + From<Unreadable>,
{
    let head = match check(parts, (service, region), keys) {
        Ok(head) => head,
        Err(error) => {
            body::discard(body).await;
            return Err(error.into());
        }
    };
    let body = body::read(body, body::LIMIT).await?;
    let signer = head.verify(&body)?.access_key_id;
    Ok((body, signer))
}

fn check<'a>(
    parts: &'a Parts,
    (service, region): (&str, &str),
    keys: &'a AccessKeys,
) -> Result<Head<'a>, sigv4::Error> {
    let head = Head::check(parts, service, keys, OffsetDateTime::now_utc())?;
    if head.region() != region {
        return Err(sigv4::Error::Scope(format!("the region of this endpoint, '{region}'")));
    }
    Ok(head)
}
