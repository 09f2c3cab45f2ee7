//! Preconditions of a request (RFC 9110, section 13; S3 API, GetObject).

use http::{HeaderMap, HeaderValue, header};
use s3s::{
    S3Error, S3ErrorCode,
    dto::{ETag, ETagCondition, Timestamp},
    s3_error,
};
use time::OffsetDateTime;

use super::objects::Object;

/// The four condition headers of a read.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// What a read answers: 412 when the object must not be read, 304 when the client has it.
    pub(super) fn check(&self, object: &Object) -> Result<(), S3Error> {
        let unmet = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => !matches(condition, &object.etag),
            (None, Some(since)) => is_later(object, since),
            (None, None) => false,
        };
        if unmet {
            return Err(precondition_failed());
        }
        let known = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => matches(condition, &object.etag),
            (None, Some(since)) => !is_later(object, since),
            (None, None) => false,
        };
        if known { Err(not_modified(object)) } else { Ok(()) }
    }
}

/// The conditions of a write: `If-None-Match: *` for a key that must be new, `If-Match` for an object
/// that must still be the one that the client knows.
pub(super) fn check_write(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
    existing: Option<&Object>,
) -> Result<(), S3Error> {
    if let Some(condition) = if_none_match {
        if !condition.is_any() {
            return Err(s3_error!(NotImplemented, "If-None-Match on a write takes * only"));
        }
        if existing.is_some() {
            return Err(precondition_failed());
        }
    }
    match (if_match, existing) {
        (Some(_), None) => Err(S3ErrorCode::NoSuchKey.into()),
        (Some(condition), Some(object)) if !matches(condition, &object.etag) => Err(precondition_failed()),
        _ => Ok(()),
    }
}

pub(super) fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(ETag::Strong(value) | ETag::Weak(value)) => value == etag,
    }
}

/// HTTP dates have no fraction of a second.
fn is_later(object: &Object, since: &Timestamp) -> bool {
    object.modified_ms.div_euclid(1000) > OffsetDateTime::from(since.clone()).unix_timestamp()
}

fn not_modified(object: &Object) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", object.etag)) {
        error.set_headers(HeaderMap::from_iter([(header::ETAG, etag)]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(OffsetDateTime::from_unix_timestamp(seconds).unwrap().into())
    }

    fn tag(value: &str) -> Option<ETagCondition> {
        Some(ETagCondition::ETag(ETag::Strong(value.to_owned())))
    }

    fn answer(conditions: &Conditions) -> u16 {
        let object = Object { etag: "abc".to_owned(), modified_ms: 10_500, ..Object::default() };
        match conditions.check(&object) {
            Ok(()) => 200,
            Err(error) => error.status_code().unwrap().as_u16(),
        }
    }

    #[test]
    fn a_read_answers_as_its_conditions_say() {
        let none = Conditions::default;
        assert_eq!(answer(&none()), 200);
        assert_eq!(answer(&Conditions { if_match: tag("abc"), ..none() }), 200);
        assert_eq!(answer(&Conditions { if_match: tag("x"), ..none() }), 412);
        assert_eq!(answer(&Conditions { if_none_match: tag("abc"), ..none() }), 304);
        assert_eq!(answer(&Conditions { if_none_match: tag("x"), ..none() }), 200);
        assert_eq!(answer(&Conditions { if_modified_since: at(10), ..none() }), 304);
        assert_eq!(answer(&Conditions { if_modified_since: at(9), ..none() }), 200);
        assert_eq!(answer(&Conditions { if_unmodified_since: at(10), ..none() }), 200);
        assert_eq!(answer(&Conditions { if_unmodified_since: at(9), ..none() }), 412);
        // The tag decides where both are given.
        assert_eq!(answer(&Conditions { if_match: tag("abc"), if_unmodified_since: at(9), ..none() }), 200);
        assert_eq!(answer(&Conditions { if_none_match: tag("x"), if_modified_since: at(10), ..none() }), 200);
    }

    #[test]
    fn a_write_happens_as_its_conditions_say() {
        let object = Object { etag: "abc".to_owned(), ..Object::default() };
        let any = Some(ETagCondition::Any);
        assert!(check_write(None, any.as_ref(), None).is_ok());
        assert!(check_write(None, any.as_ref(), Some(&object)).is_err());
        assert!(check_write(tag("abc").as_ref(), None, Some(&object)).is_ok());
        assert!(check_write(tag("x").as_ref(), None, Some(&object)).is_err());
        assert!(check_write(tag("abc").as_ref(), None, None).is_err());
    }
}
