//! What is refused before s3s sees a request: where S3 is stricter than s3s, and what we do not have.

use std::collections::{HashMap, HashSet};

use http::{Method, header, request::Parts};
use s3s::{S3Error, S3ErrorCode, s3_error};

/// The longest life of a presigned URL: seven days (AWS Signature Version 4, query parameters).
const LONGEST_LIFE: u32 = 7 * 24 * 60 * 60;
/// Headers that change what is stored in ways that we do not do. To ignore them would be a lie.
const NOT_DONE: [&str; 11] = [
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-lock-legal-hold",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-write-offset-bytes",
    "x-amz-mfa",
];

/// How a request is signed, as far as the gate looks.
struct Signing {
    scope: String,
    headers: HashSet<String>,
    expires: Option<u32>,
}

pub(super) fn check(parts: &Parts, region: &str) -> Result<(), S3Error> {
    let query: HashMap<String, String> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let signing = signing(parts, &query)?;
    check_scope(&signing, region)?;
    check_signed_headers(parts, &signing)?;
    if signing.expires.is_some_and(|expires| expires == 0 || expires > LONGEST_LIFE) {
        return Err(s3_error!(
            AuthorizationQueryParametersError,
            "X-Amz-Expires must be at least 1 and at most a week (in seconds)"
        ));
    }
    check_query(&query)?;
    check_supported(parts)
}

/// Presigners may put headers into the query. Those that would change what is stored are not read there,
/// and to drop them would be a lie; sums are checked by the reader of the object.
fn check_query(query: &HashMap<String, String>) -> Result<(), S3Error> {
    let harmless = |name: &str| name.starts_with("x-amz-checksum-") || name.starts_with("x-amz-sdk-");
    match query.keys().find(|name| name.starts_with("x-amz-") && !harmless(name)) {
        Some(name) => Err(not_done(&format!("{name} in the query"))),
        None => Ok(()),
    }
}

fn signing(parts: &Parts, query: &HashMap<String, String>) -> Result<Signing, S3Error> {
    let authorization = parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    // Signature Version 2 has no bound on its age.
    if authorization.is_some_and(|value| !value.starts_with("AWS4-HMAC-SHA256")) || query.contains_key("Signature") {
        return Err(s3_error!(
            InvalidRequest,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        ));
    }
    match (authorization, query.contains_key("X-Amz-Signature")) {
        (Some(_), true) => Err(s3_error!(InvalidArgument, "Only one auth mechanism allowed")),
        (None, false) => Err(s3_error!(AccessDenied, "Access Denied: the request is not signed")),
        (Some(value), false) => Ok(Signing {
            scope: field(value, "Credential=").to_owned(),
            headers: names(field(value, "SignedHeaders=")),
            expires: None,
        }),
        (None, true) => {
            let get = |name| query.get(name).map(String::as_str).unwrap_or_default();
            Ok(Signing {
                scope: get("X-Amz-Credential").to_owned(),
                headers: names(get("X-Amz-SignedHeaders")),
                expires: Some(get("X-Amz-Expires").parse().unwrap_or(0)),
            })
        }
    }
}

fn field<'a>(authorization: &'a str, name: &str) -> &'a str {
    let rest = authorization.split_once(name).map_or("", |(_, rest)| rest);
    rest.split([',', ' ']).next().unwrap_or_default()
}

fn names(list: &str) -> HashSet<String> {
    list.split(';').map(str::to_ascii_lowercase).collect()
}

/// The scope is `ID/date/region/service/aws4_request`; an id may hold slashes.
fn check_scope(signing: &Signing, region: &str) -> Result<(), S3Error> {
    let mut parts = signing.scope.rsplit('/').skip(1);
    let (service, scope_region) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if service != "s3" {
        return Err(malformed(signing, &format!("incorrect service \"{service}\"; this endpoint belongs to \"s3\"")));
    }
    if scope_region != region {
        return Err(malformed(signing, &format!("the region '{scope_region}' is wrong; expecting '{region}'")));
    }
    Ok(())
}

fn malformed(signing: &Signing, why: &str) -> S3Error {
    if signing.expires.is_some() {
        return s3_error!(AuthorizationQueryParametersError, "Error parsing the X-Amz-Credential parameter; {why}");
    }
    s3_error!(AuthorizationHeaderMalformed, "The authorization header is malformed; {why}")
}

/// `host` and every `x-amz-*` header must be signed. Otherwise whoever holds a presigned PUT could add
/// `x-amz-copy-source` and read another object through it.
fn check_signed_headers(parts: &Parts, signing: &Signing) -> Result<(), S3Error> {
    // The hash of the body is compared with the body itself, signed or not.
    let must_be_signed = |name: &str| name.starts_with("x-amz-") && name != "x-amz-content-sha256";
    let unsigned =
        parts.headers.keys().find(|name| must_be_signed(name.as_str()) && !signing.headers.contains(name.as_str()));
    if unsigned.is_some() || !signing.headers.contains("host") {
        return Err(s3_error!(AccessDenied, "There were headers present in the request which were not signed"));
    }
    Ok(())
}

fn check_supported(parts: &Parts) -> Result<(), S3Error> {
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if parts.method == Method::POST && content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(not_done("PostObject"));
    }
    if let Some(name) = NOT_DONE.iter().find(|name| parts.headers.contains_key(**name)) {
        return Err(not_done(name));
    }
    let value = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if value("x-amz-server-side-encryption").is_some_and(|value| value != "AES256") {
        return Err(not_done("x-amz-server-side-encryption other than AES256"));
    }
    if value("x-amz-storage-class").is_some_and(|value| value != "STANDARD") {
        return Err(S3Error::with_message(S3ErrorCode::InvalidStorageClass, "The storage class is STANDARD"));
    }
    if value("x-amz-acl").is_some_and(|value| !matches!(value, "private" | "bucket-owner-full-control")) {
        return Err(s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs"));
    }
    Ok(())
}

fn not_done(what: &str) -> S3Error {
    s3_error!(NotImplemented, "{what} is not implemented")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=ID/20260101/us-east-1/s3/aws4_request, \
                          SignedHeaders=host;x-amz-date, Signature=00";
    const PRESIGNED: &str = "/b/k?X-Amz-Credential=ID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request\
                             &X-Amz-SignedHeaders=host&X-Amz-Signature=00";

    fn answer(method: &str, uri: &str, headers: &[(&str, &str)]) -> String {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, "us-east-1").map_or_else(|error| error.code().as_str().to_owned(), |()| "ok".to_owned())
    }

    #[test]
    fn header_signatures() {
        let signed = ("authorization", SIGNED);
        assert_eq!(answer("GET", "/b/k", &[signed, ("x-amz-date", "20260101T000000Z")]), "ok");
        assert_eq!(answer("GET", "/b/k", &[]), "AccessDenied");
        assert_eq!(answer("PUT", "/b/k", &[signed, ("x-amz-copy-source", "b/other")]), "AccessDenied");
        assert_eq!(answer("GET", "/b/k", &[("authorization", "AWS ID:c2ln")]), "InvalidRequest");
        assert_eq!(answer("GET", "/b/k?AWSAccessKeyId=ID&Signature=a&Expires=9", &[]), "InvalidRequest");
        let other = SIGNED.replace("us-east-1", "eu-west-1");
        assert_eq!(answer("GET", "/b/k", &[("authorization", &other)]), "AuthorizationHeaderMalformed");
        let other = SIGNED.replace("/s3/", "/sts/");
        assert_eq!(answer("GET", "/b/k", &[("authorization", &other)]), "AuthorizationHeaderMalformed");
        let other = SIGNED.replace("host;", "");
        assert_eq!(answer("GET", "/b/k", &[("authorization", &other)]), "AccessDenied");
    }

    #[test]
    fn presigned_urls() {
        let url = |expires: &str| format!("{PRESIGNED}&X-Amz-Expires={expires}");
        assert_eq!(answer("GET", &url("60"), &[]), "ok");
        for expires in ["0", "-1", "604801", "x"] {
            assert_eq!(answer("GET", &url(expires), &[]), "AuthorizationQueryParametersError", "{expires}");
        }
        assert_eq!(answer("PUT", &url("60"), &[("x-amz-copy-source", "b/other")]), "AccessDenied");
        assert_eq!(answer("PUT", &(url("60") + "&x-amz-meta-a=b"), &[]), "NotImplemented");
        assert_eq!(answer("PUT", &(url("60") + "&x-amz-sdk-checksum-algorithm=CRC32"), &[]), "ok");
        assert_eq!(answer("GET", &url("60"), &[("authorization", SIGNED)]), "InvalidArgument");
    }

    #[test]
    fn what_is_not_done_is_said() {
        let form = ("content-type", "multipart/form-data; boundary=b");
        assert_eq!(answer("POST", "/b", &[("authorization", SIGNED), form]), "NotImplemented");
        let signed = SIGNED.replace("x-amz-date", "x-amz-tagging;x-amz-storage-class");
        assert_eq!(answer("PUT", "/b/k", &[("authorization", &signed), ("x-amz-tagging", "a=b")]), "NotImplemented");
        let class = ("x-amz-storage-class", "GLACIER");
        assert_eq!(answer("PUT", "/b/k", &[("authorization", &signed), class]), "InvalidStorageClass");
    }
}
