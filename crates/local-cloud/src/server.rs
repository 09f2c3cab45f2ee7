//! One endpoint for all services.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, Method, Uri, header},
    response::{IntoResponse, Response},
};

use crate::{s3::S3, sns::Sns, sqs::Sqs, sts::Sts};

/// The services behind the endpoint.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) s3: Arc<S3>,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) sns: Arc<Sns>,
    pub(crate) sts: Arc<Sts>,
}

/// Which of them a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Health,
    Sqs,
    Sns,
    Sts,
    S3,
}

pub(crate) fn router(services: Services) -> Router {
    Router::new().fallback(dispatch).with_state(services)
}

async fn dispatch(State(services): State<Services>, request: Request) -> Response {
    let expects = request.headers().contains_key(header::EXPECT);
    let mut response = match target(request.method(), request.uri(), request.headers()) {
        Target::Health => "ok\n".into_response(),
        Target::Sqs => services.sqs.call(request).await,
        Target::Sns => services.sns.call(request).await,
        Target::Sts => services.sts.call(request).await,
        Target::S3 => services.s3.call(request).await,
    };
    // A client that was refused before it was told to continue may send its body or not: nobody can
    // tell where its next request begins (RFC 9110, 10.1.1).
    if expects && !response.status().is_success() {
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}

fn target(method: &Method, uri: &Uri, headers: &HeaderMap) -> Target {
    let path = uri.path();
    if method == Method::GET && path.starts_with("/SimpleNotificationService-") && path.ends_with(".pem") {
        return Target::Sns;
    }
    let json_target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    if json_target.is_some_and(|target| target.starts_with("AmazonSQS.")) {
        return Target::Sqs;
    }
    match scope_service(uri, headers) {
        Some("sqs") => Target::Sqs,
        Some("sns") => Target::Sns,
        Some("sts") => Target::Sts,
        None if path == "/healthz" => Target::Health,
        None if path == "/" && is_sns_form(method, uri, headers) => Target::Sns,
        _ => Target::S3,
    }
}

/// Whether an unsigned request speaks the query protocol, which only SNS does: a link that a message carries,
/// or a form.
fn is_sns_form(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let has_action = || uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("Action=")));
    let content_type = || headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match *method {
        Method::GET => has_action(),
        Method::POST => {
            has_action() || content_type().is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"))
        }
        _ => false,
    }
}

/// The service in the credential scope `ID/date/region/service/aws4_request`, which a header or,
/// in a presigned URL, the query carries (AWS Signature Version 4).
fn scope_service<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let scope = authorization.and_then(|value| value.split_once("Credential=")).map(|(_, rest)| rest);
    if let Some(scope) = scope {
        return scope.split([',', ' ']).next()?.rsplit('/').nth(1);
    }
    let query = uri.query()?;
    let scope = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    let mut parts = scope.rsplit('/').flat_map(|part| part.rsplit("%2F"));
    parts.nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::HeaderName::from_static(name), value.parse().unwrap())])
    }

    fn signed(service: &str) -> HeaderMap {
        let value = format!(
            "AWS4-HMAC-SHA256 Credential=ID/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        headers("authorization", &value)
    }

    fn get(uri: &str, headers: &HeaderMap) -> Target {
        target(&Method::GET, &uri.parse().unwrap(), headers)
    }

    #[test]
    fn a_request_goes_to_its_service() {
        let none = HeaderMap::new();
        assert_eq!(get("/SimpleNotificationService-0a.pem", &none), Target::Sns);
        assert_eq!(get("/", &headers("x-amz-target", "AmazonSQS.SendMessage")), Target::Sqs);
        assert_eq!(get("/", &signed("sqs")), Target::Sqs);
        assert_eq!(get("/", &signed("sns")), Target::Sns);
        assert_eq!(get("/", &signed("sts")), Target::Sts);
        assert_eq!(get("/", &signed("s3")), Target::S3);
        assert_eq!(get("/healthz", &none), Target::Health);
        assert_eq!(get("/healthz", &signed("s3")), Target::S3);
        assert_eq!(get("/bucket/key", &none), Target::S3);
        assert_eq!(get("/?X-Amz-Credential=ID%2F20260101%2Fus-east-1%2Fsns%2Faws4_request&a=b", &none), Target::Sns);
        assert_eq!(get("/?Action=Unsubscribe&SubscriptionArn=a", &none), Target::Sns);
        assert_eq!(get("/bucket?Action=Unsubscribe", &none), Target::S3);
        assert_eq!(get("/?list-type=2", &none), Target::S3);
        let form = headers("content-type", "application/x-www-form-urlencoded");
        assert_eq!(target(&Method::POST, &"/".parse().unwrap(), &form), Target::Sns);
        assert_eq!(get("/b/k?X-Amz-Credential=ID/20260101/us-east-1/s3/aws4_request", &none), Target::S3);
    }
}
