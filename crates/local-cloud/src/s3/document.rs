//! Bodies that are documents and not content: read whole, and checked, before s3s sees them. s3s would
//! answer one that does not fit its hash, or that was cut off, as an error of its own.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use http::{Method, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use s3s::{S3Error, s3_error};

use super::intake;

/// The largest document: a batch delete of 1000 long keys, or 10,000 parts to complete.
pub(super) const LIMIT: usize = 8 * 1024 * 1024;
/// How long a document may take to come.
const TIME: Duration = Duration::from_secs(60);
/// What the query of a PUT to a key names when its body is a document about the object (S3 API). Other
/// names are of signing, or of nobody: a signer may put any header there.
const ABOUT_AN_OBJECT: [&str; 7] =
    ["acl", "encryption", "legal-hold", "object-lock", "renameObject", "retention", "tagging"];

/// Whether the body is an object's, or a part's, content.
pub(super) fn is_content(parts: &Parts) -> bool {
    let has_key = parts.uri.path().trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let mut names =
        parts.uri.query().unwrap_or_default().split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let is_about = names.any(|name| ABOUT_AN_OBJECT.contains(&name));
    parts.method == Method::PUT && has_key && !is_about
}

/// The whole document.
pub(super) async fn read(parts: &Parts, body: Body) -> Result<Bytes, S3Error> {
    let bytes = match tokio::time::timeout(TIME, Limited::new(body, LIMIT).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(s3_error!(MaxMessageLengthExceeded, "Your request was too big."));
        }
        Ok(Err(_)) => return Err(s3_error!(IncompleteBody, "The request body could not be read to its end.")),
        Err(_) => return Err(s3_error!(RequestTimeout, "The request body did not come in time.")),
    };
    let claimed = parts.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    let is_hash = |text: &&str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(claimed) = claimed.filter(is_hash)
        && !claimed.eq_ignore_ascii_case(&hex::encode(digest::digest(&digest::SHA256, &bytes)))
    {
        return Err(intake::hash_mismatch());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_from_documents() {
        let is = |method: &str, uri: &str| {
            is_content(&http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0)
        };
        assert!(is("PUT", "/b/k") && is("PUT", "/b/k?partNumber=1&uploadId=a") && is("PUT", "/b/k/l?x-id=PutObject"));
        assert!(is("PUT", "/b/k?X-Amz-Signature=0") && is("PUT", "/b/k?x-amz-sdk-checksum-algorithm=CRC32&foo=bar"));
        assert!(
            !is("PUT", "/b") && !is("PUT", "/b/?cors") && !is("PUT", "/b/k?tagging") && !is("POST", "/b/k?uploads")
        );
    }
}
