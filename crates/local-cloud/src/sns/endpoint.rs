//! Where a subscription's messages go: the ARN of a queue, or a URL.

use std::net::IpAddr;

use reqwest::Url;

use super::{error::Error, protocol::Protocol};

/// The longest URL that is taken.
const LONGEST: usize = 2048;

/// Whether an endpoint is one of its protocol (SNS API, Subscribe).
pub(super) fn check(protocol: Protocol, endpoint: &str) -> Result<(), Error> {
    if protocol == Protocol::Sqs {
        return if is_queue_arn(endpoint) { Ok(()) } else { Err(Error::invalid("SQS endpoint ARN")) };
    }
    if endpoint.len() > LONGEST {
        return Err(Error::invalid(format!("Endpoint Reason: A URL can have {LONGEST} bytes here")));
    }
    // Parsing forgives much, such as blanks in front and a third slash.
    let rest = endpoint.strip_prefix(protocol.text()).and_then(|rest| rest.strip_prefix("://"));
    if rest.is_none_or(|rest| rest.starts_with('/')) {
        return Err(Error::invalid("Endpoint must match the specified protocol"));
    }
    match Url::parse(endpoint) {
        Ok(url) if url.scheme() == protocol.text() && url.has_host() => Ok(()),
        _ => Err(Error::invalid("Endpoint Reason: Please provide a well-formed URL")),
    }
}

/// Whether a URL leads to this machine, which no proxy can reach.
pub(super) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The endpoint as lists and logs show it: the password of a URL, which is sent as HTTP authentication
/// (SNS developer guide, "Subscribing an HTTP/S endpoint to a topic"), stays out of them.
pub(super) fn shown(endpoint: &str) -> String {
    let Some(mut url) = Url::parse(endpoint).ok().filter(|url| url.password().is_some()) else {
        return endpoint.to_owned();
    };
    // It fails only for URLs without a host, which have no password.
    let _ = url.set_password(Some("****"));
    url.into()
}

/// Whether it names a standard queue.
pub(super) fn is_queue_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    // Standard topics do not deliver to FIFO queues (SNS developer guide, "Amazon SNS FIFO topics").
    matches!(parts[..], ["arn", _, "sqs", _, _, name] if !name.is_empty() && !name.ends_with(".fifo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_fit_their_protocol() {
        let long = format!("http://h/{}", "x".repeat(LONGEST));
        for (protocol, good) in [
            (Protocol::Http, "http://127.0.0.1:8080/a?b=c"),
            (Protocol::Https, "https://user:secret@example.com/"),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:000000000000:q"),
        ] {
            assert!(check(protocol, good).is_ok(), "{good}");
        }
        for (protocol, bad) in [
            (Protocol::Http, "https://example.com/"),
            (Protocol::Https, "http://example.com/"),
            (Protocol::Http, " http://example.com/"),
            (Protocol::Http, "http:///path"),
            (Protocol::Http, "http://"),
            (Protocol::Http, "ftp://example.com/"),
            (Protocol::Http, "http:example.com"),
            (Protocol::Http, &long),
            (Protocol::Sqs, "http://127.0.0.1/queue"),
        ] {
            assert!(check(protocol, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("https://user:secret@example.com/a"), "https://user:****@example.com/a");
        assert_eq!(shown("https://example.com"), "https://example.com");
        assert_eq!(shown("arn:aws:sqs:us-east-1:000000000000:q"), "arn:aws:sqs:us-east-1:000000000000:q");
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for (url, is_here) in [
            ("http://127.0.0.1:1/", true),
            ("http://127.1.2.3/", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.example.com/", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), is_here, "{url}");
        }
    }
}
