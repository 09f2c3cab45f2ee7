//! The canonical form of a request, which both sides sign.

use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// The canonical request (SigV4, "Create a canonical request").
pub(crate) fn request(parts: &Parts, signed_headers: &[String], service: &str, payload_hash: &str) -> String {
    let path = path(parts.uri.path(), service);
    let query = query(parts.uri.query().unwrap_or_default());
    let mut text = format!("{}\n{path}\n{query}\n", parts.method);
    for name in signed_headers {
        text.push_str(name);
        text.push(':');
        text.push_str(&header(parts, name));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed_headers.join(";"));
    text.push('\n');
    text.push_str(payload_hash);
    text
}

/// The decoded pairs of a query. `+` stands for itself: SigV4 clients write a space as `%20`.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    pieces.map(|piece| piece.split_once('=').unwrap_or((piece, ""))).map(|(n, v)| (decode(n), decode(v))).collect()
}

/// S3 signs the path as it stands, encoded once, since any key is possible. All others sign the
/// normalised path of the URL encoded once more.
fn path(path: &str, service: &str) -> String {
    if service == "s3" {
        let decoded: Vec<u8> = percent_decode_str(path).collect();
        return percent_encode(&decoded, ENCODED_IN_PATH).to_string();
    }
    percent_encode(normalised(path).as_bytes(), ENCODED_IN_PATH).to_string()
}

/// Removes empty and dot segments (RFC 3986, section 5.2.4); a slash at the end stays.
fn normalised(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let is_directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if is_directory && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// Encoded again in one way and sorted; without the signature itself.
fn query(query: &str) -> String {
    let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let encode = |text: &str| percent_encode(&decode(text), ENCODED).to_string();
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    let pairs = pieces.map(|piece| piece.split_once('=').unwrap_or((piece, "")));
    let mut pairs: Vec<(String, String)> = pairs.map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.retain(|(name, _)| name != "X-Amz-Signature");
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// All values of a header, trimmed, runs of spaces as one.
fn header(parts: &Parts, name: &str) -> String {
    let values: Vec<String> = parts
        .headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    // HTTP/2 carries the host in the URI.
    if values.is_empty() && name == "host" {
        return parts.uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    }
    values.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_s3_keeps_the_path_as_it_stands() {
        assert_eq!(path("/a//b/../c%20d/", "s3"), "/a//b/../c%20d/");
        assert_eq!(path("/a//b/../c%20d/", "sqs"), "/a/c%2520d/");
    }

    #[test]
    fn a_path_is_normalised() {
        for (given, expected) in [("/", "/"), ("//", "/"), ("/..", "/"), ("/a/.", "/a/"), ("/./a", "/a"), ("/a", "/a")]
        {
            assert_eq!(normalised(given), expected, "{given}");
        }
    }

    #[test]
    fn a_query_is_sorted_by_name_and_value_and_encoded_in_one_way() {
        assert_eq!(query("b=2&a=z&a=b&c&X-Amz-Signature=0&a=%7e%2f+"), "a=b&a=z&a=~%2F%2B&b=2&c=");
    }
}
