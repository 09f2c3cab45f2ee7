//! Pipelines: changed, paused and deleted.

use aws_sdk_elastictranscoder::error::ProvideErrorMetadata;
use aws_sdk_elastictranscoder::types::{Notifications, Permission, PipelineOutputConfig};
use testing::{TestDatabase, databases};
use transcoder::Quotas;

use crate::support::{ROLE, WAV, api_only, api_with, output};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:other";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_keeps_what_it_does_not_name() {
    for database in databases().await {
        let service = api_only(database).await;
        let id = service.pipeline().await;
        let before = service.client.read_pipeline().id(&id).send().await.unwrap().pipeline.unwrap();
        let nothing = service.client.update_pipeline().id(&id).send().await.unwrap();
        assert_eq!((nothing.pipeline(), nothing.warnings()), (Some(&before), &[][..]));
        let topics = Notifications::builder().error("").completed(TOPIC).build();
        let update =
            service.client.update_pipeline().id(&id).name("new name").aws_kms_key_arn("key").notifications(topics);
        let changed = update.send().await.unwrap().pipeline.unwrap();
        assert_eq!((changed.name(), changed.aws_kms_key_arn()), (Some("new name"), Some("key")));
        let (then, now) = (before.notifications().unwrap(), changed.notifications().unwrap());
        assert_eq!((now.error(), now.completed(), now.warning()), (Some(""), Some(TOPIC), then.warning()));
        assert_eq!((changed.role(), changed.input_bucket()), (before.role(), before.input_bucket()));
        let cleared = service.client.update_pipeline().id(&id).aws_kms_key_arn("").send().await.unwrap();
        assert_eq!(cleared.pipeline().unwrap().aws_kms_key_arn(), None);
        let config = PipelineOutputConfig::builder().bucket("elsewhere").build();
        let moved = service.client.update_pipeline().id(&id).content_config(config).send().await.unwrap();
        let moved = moved.pipeline.unwrap();
        assert_eq!(
            (moved.output_bucket(), moved.content_config().unwrap().bucket()),
            (Some("elsewhere"), Some("elsewhere"))
        );
        assert_eq!(moved.thumbnail_config(), before.thumbnail_config());
        let read = service.client.read_pipeline().id(&id).send().await.unwrap();
        assert_eq!(read.pipeline(), Some(&moved), "and it was stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_and_the_status_change_alone() {
    for database in databases().await {
        let service = api_only(database).await;
        let id = service.pipeline().await;
        let topics = Notifications::builder().progressing("").completed(TOPIC).warning("").error("").build();
        let update = service.client.update_pipeline_notifications().id(&id).notifications(topics.clone());
        assert_eq!(update.send().await.unwrap().pipeline().unwrap().notifications(), Some(&topics));
        for status in ["Paused", "Paused", "Active"] {
            let update = service.client.update_pipeline_status().id(&id).status(status);
            assert_eq!(update.send().await.unwrap().pipeline().unwrap().status(), Some(status));
            let read = service.client.read_pipeline().id(&id).send().await.unwrap();
            assert_eq!(read.pipeline().unwrap().status(), Some(status));
        }
        let odd = service.client.update_pipeline_status().id(&id).status("Stopped").send().await.unwrap_err();
        assert!(odd.into_service_error().is_validation_exception());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_with_jobs_to_do_is_in_use() {
    for database in databases().await {
        let service = api_only(database).await;
        let id = service.pipeline().await;
        let job = service.create_job(&id, "media/a", vec![output("a.wav", WAV)]).await;
        let refused = service.client.delete_pipeline().id(&id).send().await.unwrap_err();
        assert_eq!(refused.raw_response().unwrap().status().as_u16(), 409);
        assert!(refused.into_service_error().is_resource_in_use_exception());
        service.client.cancel_job().id(job.id().unwrap()).send().await.unwrap();
        service.client.delete_pipeline().id(&id).send().await.unwrap();
        let gone = service.client.read_pipeline().id(&id).send().await.unwrap_err();
        assert!(gone.into_service_error().is_resource_not_found_exception());
        let again = service.client.delete_pipeline().id(&id).send().await.unwrap_err();
        assert!(again.into_service_error().is_resource_not_found_exception());
        assert_eq!(service.client.list_pipelines().send().await.unwrap().pipelines(), []);
        let create = service.client.create_job().pipeline_id(&id);
        let input = aws_sdk_elastictranscoder::types::JobInput::builder().key("a").build();
        let create = create.input(input).output(output("b.wav", WAV)).send().await.unwrap_err();
        assert!(create.into_service_error().is_resource_not_found_exception());
        assert_eq!(service.read_job(job.id().unwrap()).await.status(), Some("Canceled"), "its jobs stay readable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_most_of_pipelines_and_of_jobs_that_wait() {
    let quotas = Quotas { pipelines: 1, presets: 1, queued_jobs: 2 };
    for database in databases().await {
        let service = api_with(database, quotas).await;
        let id = service.pipeline().await;
        let create = service.client.create_pipeline().name("two").role(ROLE).input_bucket("in").output_bucket("out");
        let refused = create.send().await.unwrap_err();
        assert_eq!(refused.raw_response().unwrap().status().as_u16(), 429);
        assert!(refused.into_service_error().is_limit_exceeded_exception());
        for key in ["a.wav", "b.wav"] {
            service.create_job(&id, "media/a", vec![output(key, WAV)]).await;
        }
        let input = aws_sdk_elastictranscoder::types::JobInput::builder().key("a").build();
        let create = service.client.create_job().pipeline_id(&id).input(input).output(output("c.wav", WAV));
        let refused = create.send().await.unwrap_err();
        assert!(refused.into_service_error().is_limit_exceeded_exception());
        let list = service.client.list_jobs_by_pipeline().pipeline_id(&id).send().await.unwrap();
        assert_eq!(list.jobs().len(), 2, "the refused one is not stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_objects_that_would_be_passed_over_are_refused() {
    let service = api_only(TestDatabase::sqlite()).await;
    let id = service.pipeline().await;
    let grant = Permission::builder().grantee_type("Group").grantee("AllUsers").access("Read").build();
    let config = PipelineOutputConfig::builder().bucket("b").permissions(grant).build();
    let refused = service.client.update_pipeline().id(&id).content_config(config).send().await.unwrap_err();
    assert_eq!(refused.message(), Some("ContentConfig:Permissions is not supported by this server yet."));
}
