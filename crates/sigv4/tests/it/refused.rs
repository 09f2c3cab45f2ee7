//! What must not pass.

use sigv4::Error;

use crate::request::check;

const NOW: &str = "20150830T123600Z";

const GOOD: &str = "POST / HTTP/1.1
Content-Type:application/x-www-form-urlencoded
Host:example.amazonaws.com
Content-Length:13
X-Amz-Date:20150830T123600Z
x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date, \
Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b

Param1=value1";

const PRESIGNED: &str = "GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256\
&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z\
&X-Amz-SignedHeaders=host&X-Amz-Expires=3600\
&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d HTTP/1.1
Host:example.amazonaws.com";

/// `GOOD` with one thing changed, which must be there to change.
fn changed(from: &str, to: &str) -> Result<(), Error> {
    assert!(GOOD.contains(from), "{from}");
    check(&GOOD.replace(from, to), "service", NOW).map(drop)
}

#[test]
fn the_untouched_request_passes() {
    assert_eq!(changed("POST", "POST"), Ok(()));
    assert!(check(PRESIGNED, "service", NOW).is_ok());
}

#[test]
fn whatever_is_signed_cannot_be_changed() {
    let changes = [
        ("POST /", "PUT /"),
        ("/ HTTP", "/?a=b HTTP"),
        ("/ HTTP", "/a HTTP"),
        ("example.amazonaws.com", "other.amazonaws.com"),
        ("form-urlencoded", "json"),
        ("us-east-1", "us-east-2"),
        ("Signature=d", "Signature=e"),
        ("Signature=d3", "Signature="),
        ("Signature=d", "Signature=not hex"),
        ("host;x-amz", "host;other;x-amz"),
    ];
    for (from, to) in changes {
        assert_eq!(changed(from, to), Err(Error::SignatureDoesNotMatch), "{from} -> {to}");
    }
}

#[test]
fn another_body_is_refused() {
    assert_eq!(changed("value1", "value2"), Err(Error::BodyDoesNotMatch));
    assert_eq!(changed("9095672b", "9095672c"), Err(Error::BodyDoesNotMatch));
    let unsigned = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
    assert_eq!(changed(unsigned, "UNSIGNED-PAYLOAD"), Err(Error::BodyDoesNotMatch));
    let hashless =
        GOOD.replace("x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e\n", "");
    assert_eq!(check(&hashless, "service", NOW), Err(Error::SignatureDoesNotMatch));
}

#[test]
fn a_signature_that_is_absent_or_incomplete_is_named() {
    let unsigned = "GET / HTTP/1.1\nHost:example.amazonaws.com";
    assert_eq!(check(unsigned, "service", NOW), Err(Error::MissingAuthenticationToken));
    let changes = [
        ("AWS4-HMAC-SHA256 Cred", "AWS4-HMAC-SHA512 Cred"),
        ("Credential=AKID", "Cred=AKID"),
        ("AKIDEXAMPLE/", ""),
        ("aws4_request", "aws5_request"),
        ("Signature=d", "Sign=d"),
        ("SignedHeaders=", "Headers="),
        ("host;", ""),
        (";x-amz-date", ""),
        ("X-Amz-Date:20150830T123600Z", "X-Amz-Date:today"),
        ("X-Amz-Date:20150830T123600Z", "X-Other:1"),
        ("Host:", "X-Amz-Target: Other\nHost:"),
    ];
    for (from, to) in changes {
        let error = changed(from, to).unwrap_err();
        assert_eq!((error.code(), error.status()), ("IncompleteSignature", 400), "{from} -> {to}");
    }
}

#[test]
fn an_unknown_key_another_service_and_a_session_are_refused() {
    assert_eq!(changed("AKIDEXAMPLE", "AKIDOTHER"), Err(Error::InvalidClientTokenId));
    assert_eq!(changed("Host:", "X-Amz-Security-Token: token\nHost:"), Err(Error::SessionToken));
    let elsewhere = check(GOOD, "sns", NOW).unwrap_err();
    assert_eq!((elsewhere.code(), elsewhere.status()), ("SignatureDoesNotMatch", 403));
    assert_eq!(changed("AKIDEXAMPLE/20150830", "AKIDEXAMPLE/20150829").unwrap_err().code(), "SignatureDoesNotMatch");
}

#[test]
fn time_is_held_to_fifteen_minutes() {
    for good in ["20150830T122100Z", "20150830T125100Z"] {
        assert!(check(GOOD, "service", good).is_ok(), "{good}");
    }
    for bad in ["20150830T122059Z", "20150830T125101Z"] {
        let error = check(GOOD, "service", bad).unwrap_err();
        assert_eq!((error.code(), error.status()), ("RequestExpired", 400), "{bad}");
    }
}

#[test]
fn a_presigned_request_lives_as_long_as_it_says() {
    assert!(check(PRESIGNED, "service", "20150830T133600Z").is_ok());
    assert!(matches!(check(PRESIGNED, "service", "20150830T133601Z"), Err(Error::Expired { .. })));
    assert!(matches!(check(PRESIGNED, "service", "20150830T122059Z"), Err(Error::NotYetCurrent { .. })));
    let longer = PRESIGNED.replace("Expires=3600", "Expires=7200");
    assert_eq!(check(&longer, "service", NOW), Err(Error::SignatureDoesNotMatch));
    for bad in ["Expires=604801", "Expires=-1", "Expires=", "Other=1"] {
        let error = check(&PRESIGNED.replace("Expires=3600", bad), "service", NOW).unwrap_err();
        assert_eq!(error.code(), "IncompleteSignature", "{bad}");
    }
}
