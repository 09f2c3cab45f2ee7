//! Who may, and who may not: presigned URLs and signatures on the wire.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    Client, config::Credentials, error::ProvideErrorMetadata, presigning::PresigningConfig, primitives::ByteStream,
};

use crate::s3::{BUCKET, code, get, put, world};

fn lasting(seconds: u64) -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(seconds)).unwrap()
}

async fn presigned_get(s3: &Client, config: PresigningConfig) -> String {
    s3.get_object().bucket(BUCKET).key("k").presigned(config).await.unwrap().uri().to_owned()
}

/// The status and the body of an answer to a plain GET.
async fn fetch(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_presigned_url_reads() {
    let (_world, s3) = world().await;
    put(&s3, "k", "hello").await;
    let url = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .response_content_disposition("attachment; filename=\"ä.txt\"")
        .response_content_type("text/plain")
        .presigned(lasting(60))
        .await
        .unwrap();
    let client = reqwest::Client::new();
    let answer = client.get(url.uri()).header("range", "bytes=1-2").send().await.unwrap();
    assert_eq!(answer.status(), 206);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert!(answer.headers().contains_key("content-disposition"));
    assert_eq!(answer.text().await.unwrap(), "el");
    let (status, body) = fetch(&presigned_get(&s3, lasting(60)).await).await;
    assert_eq!((status, body.as_str()), (200, "hello"));
}

#[tokio::test]
async fn a_presigned_url_writes_one_object_and_reads_none() {
    let (_world, s3) = world().await;
    put(&s3, "secret", "for the owner").await;
    let url = s3.put_object().bucket(BUCKET).key("k").presigned(lasting(60)).await.unwrap();
    let client = reqwest::Client::new();
    let answer = client.put(url.uri()).body("hello").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    assert_eq!(get(&s3, "k").await, b"hello");
    let source = format!("{BUCKET}/secret");
    let answer = client.put(url.uri()).header("x-amz-copy-source", source).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(get(&s3, "k").await, b"hello");
    assert_eq!(client.get(url.uri()).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_presigned_url_that_is_not_good_is_refused() {
    let (world, s3) = world().await;
    put(&s3, "k", "hello").await;
    let past = SystemTime::now() - Duration::from_secs(120);
    let expired = PresigningConfig::builder().start_time(past).expires_in(Duration::from_secs(60)).build().unwrap();
    let (status, body) = fetch(&presigned_get(&s3, expired).await).await;
    assert_eq!(status, 403);
    assert!(body.contains("<Code>AccessDenied</Code>") && body.contains("Request has expired"), "{body}");
    let future = SystemTime::now() + Duration::from_secs(20 * 60);
    let early = PresigningConfig::builder().start_time(future).expires_in(Duration::from_secs(60)).build().unwrap();
    assert_eq!(fetch(&presigned_get(&s3, early).await).await.0, 403);
    let good = presigned_get(&s3, lasting(60)).await;
    let forged = good.replace(&format!("/{BUCKET}/k?"), &format!("/{BUCKET}/other?"));
    assert_ne!(forged, good);
    let (status, body) = fetch(&forged).await;
    assert_eq!(status, 403);
    assert!(body.contains("<Code>SignatureDoesNotMatch</Code>"), "{body}");
    let longer = good.replace("X-Amz-Expires=60", "X-Amz-Expires=600");
    assert_eq!(fetch(&longer).await.0, 403);
    let (status, body) = fetch(&format!("{}/{BUCKET}/k", world.endpoint)).await;
    assert_eq!(status, 403);
    assert!(body.contains("<Code>AccessDenied</Code>"), "{body}");
}

#[tokio::test]
async fn a_wrong_key_or_secret_or_clock_is_refused() {
    let (world, s3) = world().await;
    put(&s3, "k", "hello").await;
    let with = |id: &str, secret: &str| {
        let credentials = Credentials::new(id, secret, None, None, "test");
        let config = s3.config().to_builder().credentials_provider(credentials).build();
        Client::from_conf(config)
    };
    let stranger = with("LKIAUNKNOWN", "whatever-it-is");
    assert_eq!(code(stranger.get_object().bucket(BUCKET).key("k").send().await), "InvalidAccessKeyId");
    let forger = with(&world.key.id, "not-the-secret");
    assert_eq!(code(forger.get_object().bucket(BUCKET).key("k").send().await), "SignatureDoesNotMatch");
    assert_eq!(
        code(forger.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"x")).send().await),
        "SignatureDoesNotMatch"
    );
    for offset in [-20 * 60i64, 20 * 60] {
        let error = s3.get_object().bucket(BUCKET).key("k").customize().config_override(skewed(offset)).send().await;
        assert_eq!(error.unwrap_err().code(), Some("RequestTimeTooSkewed"));
    }
    s3.get_object().bucket(BUCKET).key("k").customize().config_override(skewed(600)).send().await.unwrap();
    assert_eq!(get(&s3, "k").await, b"hello");
}

/// A clock that is wrong by so many seconds. Retries are off: the SDK corrects its clock in them.
fn skewed(seconds: i64) -> aws_sdk_s3::config::Builder {
    #[derive(Debug)]
    struct Clock(i64);
    impl aws_smithy_async::time::TimeSource for Clock {
        fn now(&self) -> SystemTime {
            let offset = Duration::from_secs(self.0.unsigned_abs());
            if self.0 < 0 { SystemTime::now() - offset } else { SystemTime::now() + offset }
        }
    }
    let retry = aws_sdk_s3::config::retry::RetryConfig::disabled();
    aws_sdk_s3::config::Builder::new().time_source(Clock(seconds)).retry_config(retry)
}
