//! TestRole.

use aws_sdk_elastictranscoder::error::ProvideErrorMetadata;
use common::names::TRANSCODER_EVENTS;
use testing::TestDatabase;

use crate::support::{ROLE, api_only};

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_looked_at_is_looked_at() {
    let service = api_only(TestDatabase::sqlite()).await;
    let bucket = service.world.bucket();
    let name = service.world.names().full(TRANSCODER_EVENTS);
    let topic = service.world.aws().sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap();
    let test = |output: &str, topics: &[&str]| {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        #[expect(deprecated, reason = "old programs call it")]
        let test = service.client.test_role();
        test.role(ROLE).input_bucket(bucket).output_bucket(output).set_topics(Some(topics)).send()
    };
    let good = test(bucket, &[&topic, ""]).await.unwrap();
    assert_eq!((good.success(), good.messages()), (Some("true"), &[][..]));
    let missing = "arn:aws:sns:us-east-1:000000000000:none";
    let bad = test("no-such-bucket", &[&topic, missing]).await.unwrap();
    assert_eq!(bad.success(), Some("false"));
    let expected = [
        "The bucket no-such-bucket cannot be read: NoSuchBucket.".to_owned(),
        format!("The topic {missing} cannot be used: NotFound."),
    ];
    assert_eq!(bad.messages(), expected);
    let refused = test("not a bucket", &[]).await.unwrap_err();
    assert!(refused.message().unwrap().contains("at 'outputBucket' failed"), "{refused:?}");
    assert!(refused.into_service_error().is_validation_exception());
}
