//! Every error as it is on the wire, which is where SDKs read it.

use aws_sdk_elastictranscoder::error::ProvideErrorMetadata;
use aws_sdk_elastictranscoder::types::{CreateJobOutput, CreateJobPlaylist, JobInput, Notifications};
use testing::TestDatabase;

use crate::support::{ROLE, Service, WAV, api_only, output};

const NOBODY: &str = "1700000000000-abc123";

/// Sends a body and a path of its own in the place of those that an operation of the SDK would send.
async fn raw(service: &Service, path: &'static str, body: &'static str) -> (u16, String, serde_json::Value) {
    let create = service.client.create_job().pipeline_id(NOBODY).customize().mutate_request(move |request| {
        let origin: String = request.uri().splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        request.set_uri(format!("{origin}{path}")).unwrap();
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = body.into();
    });
    let error = create.send().await.unwrap_err();
    let reply = error.raw_response().unwrap();
    let kind = reply.headers().get("x-amzn-errortype").unwrap_or_default().to_owned();
    assert_eq!(reply.headers().get("content-type"), Some("application/json"));
    assert!(reply.headers().get("x-amzn-requestid").is_some_and(|id| id.len() == 36));
    (reply.status().as_u16(), kind, serde_json::from_slice(reply.body().bytes().unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cannot_be_read_say_why() {
    let service = api_only(TestDatabase::sqlite()).await;
    for (body, text) in [
        (r#"{"PipelineId":{}}"#, "Start of structure or map found where not expected."),
        (r#"{"PipelineId":[]}"#, "Start of list found where not expected."),
        (r#"{"PipelineId":1}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"PipelineId":true}"#, "BOOLEAN_VALUE can not be converted to a String"),
    ] {
        let (status, kind, reply) = raw(&service, "/2012-09-25/jobs", body).await;
        assert_eq!((status, kind.as_str()), (400, "SerializationException"), "{body}");
        assert_eq!(reply, serde_json::json!({ "Message": text }), "{body}");
    }
    for body in ["", "{", "[]", "no"] {
        let (status, kind, _) = raw(&service, "/2012-09-25/jobs", body).await;
        assert_eq!((status, kind.as_str()), (400, "SerializationException"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_versions_and_other_paths_are_told_apart() {
    let service = api_only(TestDatabase::sqlite()).await;
    let (status, kind, reply) = raw(&service, "/2010-01-01/jobs", "{}").await;
    assert_eq!((status, kind.as_str()), (400, "IncompatibleVersionException"));
    assert_eq!(reply["message"], "The API version 2010-01-01 is not supported. Use 2012-09-25.");
    for path in ["/2012-09-25/nothing", "/2012-09-25/jobs/x/y", "/2012-09-25/pipelines/x/state", "/some/where"] {
        let (status, kind, _) = raw(&service, path, "{}").await;
        assert_eq!((status, kind.as_str()), (404, "UnknownOperationException"), "{path}");
    }
    let (status, kind, reply) = raw(&service, "/2012-09-25/pipelines/%ff/status", "{}").await;
    assert_eq!((status, kind.as_str()), (400, "ValidationException"));
    assert_eq!(reply["message"], "The name in the path cannot be read.");
    let (status, kind, _) = raw(&service, "/2012-09-25/presets/x", "{}").await;
    assert_eq!((status, kind.as_str()), (404, "UnknownOperationException"), "a path with another method");
}

/// The SDK's name for what an operation refused.
macro_rules! code {
    ($call:expr) => {
        $call.send().await.unwrap_err().code().unwrap_or_default().to_owned()
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found_by_any_operation() {
    let service = api_only(TestDatabase::sqlite()).await;
    let client = &service.client;
    let input = JobInput::builder().key("a").build();
    let codes = [
        code!(client.read_pipeline().id(NOBODY)),
        code!(client.update_pipeline().id(NOBODY).name("n")),
        code!(client.update_pipeline_notifications().id(NOBODY).notifications(Notifications::builder().build())),
        code!(client.update_pipeline_status().id(NOBODY).status("Paused")),
        code!(client.delete_pipeline().id(NOBODY)),
        code!(client.create_job().pipeline_id(NOBODY).input(input).output(output("a", WAV))),
        code!(client.read_job().id(NOBODY)),
        code!(client.cancel_job().id(NOBODY)),
        code!(client.list_jobs_by_pipeline().pipeline_id(NOBODY)),
        code!(client.read_preset().id(NOBODY)),
        code!(client.delete_preset().id(NOBODY)),
    ];
    assert!(codes.iter().all(|code| code == "ResourceNotFoundException"), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_malformed_is_refused_by_every_operation() {
    let service = api_only(TestDatabase::sqlite()).await;
    let client = &service.client;
    #[expect(deprecated, reason = "old programs call it")]
    let test_role = client.test_role();
    let codes = [
        code!(client.create_pipeline().name("").role(ROLE).input_bucket("in")),
        code!(client.read_pipeline().id("x")),
        code!(client.list_pipelines().ascending("x")),
        code!(client.update_pipeline().id("x")),
        code!(client.update_pipeline_notifications().id("x").notifications(Notifications::builder().build())),
        code!(client.update_pipeline_status().id("x").status("Active")),
        code!(client.delete_pipeline().id("x")),
        code!(client.create_job().pipeline_id("x")),
        code!(client.read_job().id("x")),
        code!(client.cancel_job().id("x")),
        code!(client.list_jobs_by_pipeline().pipeline_id("x")),
        code!(client.list_jobs_by_status().status("x")),
        code!(client.create_preset().name("p").container("x")),
        code!(client.read_preset().id("x")),
        code!(client.list_presets().ascending("x")),
        code!(client.delete_preset().id("x")),
        code!(test_role.role(ROLE).input_bucket("a b").output_bucket("b").topics("")),
    ];
    assert!(codes.iter().all(|code| code == "ValidationException"), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_yet_is_named() {
    let service = api_only(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let create = async |outputs: Vec<CreateJobOutput>, playlists: Option<Vec<CreateJobPlaylist>>| {
        let create = service.client.create_job().pipeline_id(&pipeline).set_outputs(Some(outputs));
        let create = create.input(JobInput::builder().key("a").build()).set_playlists(playlists);
        create.send().await.unwrap_err().message().unwrap().to_owned()
    };
    let segments = CreateJobOutput::builder().key("k").preset_id("1351620000001-200060").segment_duration("10").build();
    let playlist = CreateJobPlaylist::builder().name("p").format("HLSv3").output_keys("k").build();
    let message = create(vec![segments], Some(vec![playlist])).await;
    assert!(message.ends_with(" is not supported by this server yet."), "{message}");
    let wav = CreateJobOutput::builder().key("k").preset_id(WAV).segment_duration("10").build();
    let message = create(vec![wav], None).await;
    assert_eq!(message, "Output 'k' must not have a SegmentDuration: it is only for the containers ts and fmp4.");
}
