//! Requests written as they go over the wire.

use http::request::Parts;
use sigv4::{AccessKeys, Error, Verified, verify};
use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};

/// The secrets of the examples in the AWS documentation.
pub const KEYS: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY,\
                        AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

pub fn keys() -> AccessKeys {
    KEYS.parse().unwrap()
}

pub fn at(text: &str) -> OffsetDateTime {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(text, format).unwrap().assume_utc()
}

pub fn parse(text: &str) -> (Parts, Vec<u8>) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut words = lines.next().unwrap().split(' ');
    let mut request = http::Request::builder().method(words.next().unwrap()).uri(words.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    (request.body(()).unwrap().into_parts().0, body.as_bytes().to_vec())
}

pub fn check(text: &str, service: &str, now: &str) -> Result<Verified, Error> {
    let (parts, body) = parse(text);
    verify(&parts, &body, service, &keys(), at(now))
}
