//! TestRole.

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use axum::body::Bytes;
use axum::extract::State;
use elastic_transcoder::{TestRoleRequest, validate};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use http::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use super::Api;
use super::reply::{Reply, parse, reply};

/// Looks at once, of at most 32: two buckets and thirty topics.
const AT_ONCE: usize = 8;
/// What one look may take, tries again included.
const PATIENCE: Duration = Duration::from_secs(5);

/// TestRole. This server assumes no role: it looks with its own credentials whether the buckets can be read and the
/// topics are there, which is what its jobs need. It publishes nothing.
pub async fn test(State(api): State<Api>, body: Bytes) -> Reply {
    let request: TestRoleRequest = parse(&body)?;
    validate::test_role(&request)?;
    let buckets = [request.input_bucket, request.output_bucket].into_iter().flatten();
    let topics = request.topics.unwrap_or_default().into_iter().filter(|topic| !topic.is_empty());
    let looks: Vec<BoxFuture<'_, Option<String>>> =
        buckets.map(|name| bucket(&api, name).boxed()).chain(topics.map(|arn| topic(&api, arn).boxed())).collect();
    let messages: Vec<String> = stream::iter(looks).buffered(AT_ONCE).filter_map(std::future::ready).collect().await;
    reply(StatusCode::OK, &json!({ "Success": messages.is_empty().to_string(), "Messages": messages }))
}

async fn bucket(api: &Api, name: String) -> Option<String> {
    let look = api.inner.s3.list_objects_v2().bucket(&name).max_keys(1).send();
    let reason = match timeout(PATIENCE, look).await {
        Ok(Ok(_)) => return None,
        Ok(Err(error)) => error.code().unwrap_or("S3 cannot be reached").to_owned(),
        Err(_) => "S3 does not answer".to_owned(),
    };
    Some(format!("The bucket {name} cannot be read: {reason}."))
}

async fn topic(api: &Api, arn: String) -> Option<String> {
    let look = api.inner.sns.get_topic_attributes().topic_arn(&arn).send();
    let reason = match timeout(PATIENCE, look).await {
        Ok(Ok(_)) => return None,
        Ok(Err(error)) => error.code().unwrap_or("SNS cannot be reached").to_owned(),
        Err(_) => "SNS does not answer".to_owned(),
    };
    Some(format!("The topic {arn} cannot be used: {reason}."))
}
