//! What browsers may do from pages of other origins (S3 User Guide, "Using cross-origin resource
//! sharing"; Fetch standard, "CORS protocol").

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use s3s::{S3Error, S3ErrorCode};
use serde::{Deserialize, Serialize};

use super::{fault::Fault, settings, settings::Setting};
use crate::{Context, store::Store};

/// All rules of a bucket; the first that fits is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rules(pub(super) Vec<Rule>);

impl Setting for Rules {
    const KIND: &'static str = "cors";
}

/// Which pages may do what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) id: Option<String>,
    /// With one `*` at most.
    pub(super) origins: Vec<String>,
    pub(super) methods: Vec<String>,
    /// With one `*` at most, in small letters.
    pub(super) headers: Vec<String>,
    pub(super) expose: Vec<String>,
    pub(super) max_age_seconds: Option<i32>,
}

/// What a browser asks for.
struct Wish<'a> {
    origin: &'a str,
    method: &'a str,
    /// The headers of a preflight, in small letters.
    headers: Vec<String>,
}

impl Rule {
    /// The pattern of an origin by which this rule grants the wish.
    fn grants(&self, wish: &Wish<'_>) -> Option<&str> {
        let origin = self.origins.iter().find(|pattern| fits(pattern, wish.origin))?;
        let method = self.methods.iter().any(|method| method == wish.method);
        let allowed = |header: &String| self.headers.iter().any(|pattern| fits(pattern, header));
        (method && wish.headers.iter().all(allowed)).then_some(origin)
    }

    fn answer(&self, wish: &Wish<'_>, pattern: &str) -> Vec<(header::HeaderName, String)> {
        let any = pattern == "*";
        let origin = if any { "*" } else { wish.origin };
        let mut headers = vec![
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.to_owned()),
            (header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.join(", ")),
            (header::VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method".to_owned()),
        ];
        if !any {
            headers.push((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true".to_owned()));
        }
        if !self.expose.is_empty() {
            headers.push((header::ACCESS_CONTROL_EXPOSE_HEADERS, self.expose.join(", ")));
        }
        if !wish.headers.is_empty() {
            headers.push((header::ACCESS_CONTROL_ALLOW_HEADERS, wish.headers.join(", ")));
        }
        if let Some(seconds) = self.max_age_seconds {
            headers.push((header::ACCESS_CONTROL_MAX_AGE, seconds.to_string()));
        }
        headers
    }
}

/// Whether a text is that of a pattern with at most one `*`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
        None => pattern == text,
    }
}

/// Answers a preflight, which carries no signature.
pub(super) async fn preflight(context: &Context, parts: &Parts) -> Result<http::Response<Body>, S3Error> {
    let (Some(origin), Some(method)) =
        (text(&parts.headers, header::ORIGIN), text(&parts.headers, header::ACCESS_CONTROL_REQUEST_METHOD))
    else {
        let message = "Insufficient information. Origin and Access-Control-Request-Method request headers needed.";
        return Err(refused("BadRequest", StatusCode::BAD_REQUEST, message));
    };
    let headers = text(&parts.headers, header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let headers = headers.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
    let wish = Wish { origin, method, headers: headers.collect() };
    let Some(answer) = granted(&context.store, parts, &wish).await? else {
        let message = "CORSResponse: This CORS request is not allowed. No rule of the bucket allows this origin, method and headers.";
        return Err(refused("AccessForbidden", StatusCode::FORBIDDEN, message));
    };
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    add(response.headers_mut(), answer);
    Ok(response)
}

/// Codes that preflights have and no other request (S3 User Guide, "Troubleshooting CORS").
fn refused(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

/// The headers that let the page of a request read its answer.
pub(super) async fn headers_for(
    context: &Context,
    parts: &Parts,
) -> Result<Vec<(header::HeaderName, String)>, S3Error> {
    let Some(origin) = text(&parts.headers, header::ORIGIN) else { return Ok(Vec::new()) };
    let wish = Wish { origin, method: parts.method.as_str(), headers: Vec::new() };
    Ok(granted(&context.store, parts, &wish).await?.unwrap_or_default())
}

pub(super) fn add(headers: &mut HeaderMap, answer: Vec<(header::HeaderName, String)>) {
    for (name, value) in answer {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

async fn granted(
    store: &Store,
    parts: &Parts,
    wish: &Wish<'_>,
) -> Result<Option<Vec<(header::HeaderName, String)>>, S3Error> {
    let bucket = parts.uri.path().trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
    let rules: Result<Option<Rules>, Fault> = store.read(move |connection| settings::find(connection, &bucket)).await;
    let Rules(rules) = rules.map_err(S3Error::from)?.unwrap_or_default();
    Ok(rules.iter().find_map(|rule| rule.grants(wish).map(|pattern| rule.answer(wish, pattern))))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

pub(super) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
}

/// S3 API, GetBucketCors.
pub(super) fn none() -> S3Error {
    S3Error::with_message(S3ErrorCode::NoSuchCORSConfiguration, "The CORS configuration does not exist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_stands_for_anything() {
        assert!(fits("*", "https://a") && fits("https://*.example.com", "https://a.example.com"));
        assert!(fits("https://a", "https://a") && fits("x-amz-*", "x-amz-date"));
        assert!(
            !fits("https://a", "https://ab")
                && !fits("a*a", "a")
                && !fits("https://*.example.com", "https://example.com")
        );
    }

    #[test]
    fn a_rule_grants_what_it_lists() {
        let rule = Rule {
            id: None,
            origins: vec!["https://a".to_owned()],
            methods: vec!["PUT".to_owned()],
            headers: vec!["x-amz-*".to_owned()],
            expose: Vec::new(),
            max_age_seconds: None,
        };
        let grants = |origin, method, headers: &[&str]| {
            let headers = headers.iter().map(|name| (*name).to_owned()).collect();
            rule.grants(&Wish { origin, method, headers }).is_some()
        };
        assert!(grants("https://a", "PUT", &["x-amz-date"]) && grants("https://a", "PUT", &[]));
        assert!(!grants("https://b", "PUT", &[]) && !grants("https://a", "GET", &[]));
        assert!(!grants("https://a", "PUT", &["x-amz-date", "content-type"]));
    }
}
