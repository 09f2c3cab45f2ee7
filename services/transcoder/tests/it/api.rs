//! The API as clients see it.

use aws_sdk_elastictranscoder::error::ProvideErrorMetadata;
use aws_sdk_elastictranscoder::types::{CreateJobOutput, JobInput};
use testing::{TestDatabase, databases};

use crate::support::{FLAC, ROLE, WAV, api_only, client, output};

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_are_made_read_and_listed_in_pages() {
    for database in databases().await {
        let service = api_only(database).await;
        let mut made = Vec::new();
        for number in 0..53 {
            let create = service.client.create_pipeline().name(format!("p{number}")).role(ROLE).input_bucket("in");
            let reply = create.output_bucket("out").send().await.unwrap();
            assert!(reply.warnings().is_empty());
            made.push(reply.pipeline.unwrap());
        }
        let first = &made[0];
        assert_eq!((first.status(), first.output_bucket()), (Some("Active"), Some("out")));
        assert_eq!(first.content_config().unwrap().bucket(), Some("out"));
        assert_eq!(first.notifications().unwrap().completed(), Some(""));
        let arn = format!("arn:aws:elastictranscoder:us-east-1:000000000000:pipeline/{}", first.id().unwrap());
        assert_eq!(first.arn(), Some(arn.as_str()));
        let read = service.client.read_pipeline().id(first.id().unwrap()).send().await.unwrap();
        assert_eq!(read.pipeline(), Some(first));

        let mut ids: Vec<_> = made.iter().map(|pipeline| pipeline.id().unwrap().to_owned()).collect();
        ids.sort();
        for ascending in ["true", "false"] {
            let list = service.client.list_pipelines().ascending(ascending);
            let pages = list.into_paginator().send().try_collect().await.unwrap();
            assert_eq!(pages.len(), 2);
            let listed =
                pages.iter().flat_map(|page| page.pipelines()).map(|pipeline| pipeline.id().unwrap().to_owned());
            assert_eq!(listed.collect::<Vec<_>>(), ids, "{ascending}");
            ids.reverse();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_system_presets_are_served() {
    let service = api_only(TestDatabase::sqlite()).await;
    let pages = service.client.list_presets().into_paginator().send().try_collect().await.unwrap();
    let presets: Vec<_> = pages.iter().flat_map(|page| page.presets()).collect();
    assert_eq!((pages.len(), presets.len()), (2, 62));
    let read = service.client.read_preset().id(FLAC).send().await.unwrap();
    let preset = read.preset().unwrap();
    assert!(presets.contains(&preset));
    assert_eq!(preset.audio().unwrap().codec_options().unwrap().bit_depth(), Some("16"));
    let deleted = service.client.delete_preset().id(FLAC).send().await.unwrap_err();
    assert_eq!(deleted.code(), Some("AccessDeniedException"));
    let unknown = service.client.read_preset().id("1351620000001-999999").send().await.unwrap_err();
    assert_eq!(
        unknown.message(),
        Some("The specified preset was not found: account=000000000000, presetId=1351620000001-999999")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_stored_as_it_was_asked_for() {
    let service = api_only(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let job = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV), output("a.flac", FLAC)]).await;
    assert_eq!((job.status(), job.outputs().len(), job.inputs().len()), (Some("Submitted"), 2, 1));
    assert_eq!(job.output(), job.outputs().first());
    assert_eq!(job.outputs()[1].id(), Some("2"));
    assert!(job.timing().unwrap().submit_time_millis() > Some(1_700_000_000_000));
    assert_eq!(job.timing().unwrap().start_time_millis(), None);
    assert_eq!(service.read_job(job.id().unwrap()).await, job);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_token_makes_one_job() {
    for database in databases().await {
        let service = api_only(database).await;
        let (one, other) = (service.pipeline().await, service.pipeline().await);
        let create = |pipeline: &str, token: Option<&'static str>| {
            let create = service.client.create_job().pipeline_id(pipeline);
            let create = create.input(JobInput::builder().key("media/a").build()).outputs(output("a.wav", WAV));
            async move {
                let create = create.customize().mutate_request(move |request| {
                    if let Some(token) = token {
                        request.headers_mut().insert("x-amz-client-token", token);
                    }
                });
                create.send().await.unwrap().job.unwrap().id.unwrap()
            }
        };
        let first = create(&one, Some("t")).await;
        let (again, beside) = tokio::join!(create(&one, Some("t")), create(&one, Some("t")));
        assert_eq!((&again, &beside), (&first, &first));
        let different = [create(&one, Some("u")).await, create(&other, Some("t")).await, create(&one, None).await];
        assert!(!different.contains(&first));
        let list = service.client.list_jobs_by_pipeline().pipeline_id(&one).send().await.unwrap();
        assert_eq!(list.jobs().len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled_once() {
    for database in databases().await {
        let service = api_only(database).await;
        let pipeline = service.pipeline().await;
        let job = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await;
        service.client.cancel_job().id(job.id().unwrap()).send().await.unwrap();
        let cancelled = service.read_job(job.id().unwrap()).await;
        assert_eq!((cancelled.status(), cancelled.output().unwrap().status()), (Some("Canceled"), Some("Canceled")));
        let timing = cancelled.timing().unwrap();
        assert!(timing.finish_time_millis().is_some() && timing.start_time_millis().is_none());
        let again = service.client.cancel_job().id(job.id().unwrap()).send().await.unwrap_err();
        assert_eq!(again.raw_response().unwrap().status().as_u16(), 409);
        assert_eq!(again.code(), Some("ResourceInUseException"));
        let list = service.client.list_jobs_by_status().status("Canceled").send().await.unwrap();
        assert_eq!(list.jobs().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_jobs_are_refused_in_known_words() {
    let service = api_only(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let refused = async |pipeline: &str, prefix: Option<&str>, output: CreateJobOutput| {
        let create = service.client.create_job().pipeline_id(pipeline);
        let create = create.input(JobInput::builder().key("media/a").build()).outputs(output);
        let error = create.set_output_key_prefix(prefix.map(String::from)).send().await.unwrap_err();
        (error.code().unwrap().to_owned(), error.message().unwrap().to_owned())
    };
    let unknown = refused("1700000000000-abc123", None, output("a", WAV)).await;
    let text = "The specified pipeline was not found: account=000000000000, pipelineId=1700000000000-abc123.";
    assert_eq!(unknown, ("ResourceNotFoundException".into(), text.into()));
    let preset = refused(&pipeline, None, output("a", "1351620000001-999999")).await;
    assert_eq!(preset.0, "ResourceNotFoundException");
    let video = refused(&pipeline, None, output("a", "1351620000001-000010")).await;
    let text = "PresetId: preset 1351620000001-000010: Video is not supported yet.";
    assert_eq!(video, ("ValidationException".into(), text.into()));
    let over = refused(&pipeline, Some("media/"), output("a", WAV)).await;
    assert_eq!(over.1, "An output would overwrite the input of the job: media/a");
    let rotate = CreateJobOutput::builder().key("a").preset_id(WAV).rotate("45").build();
    assert!(refused(&pipeline, None, rotate).await.1.contains("at 'outputs.1.member.rotate' failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_without_a_good_signature() {
    let service = api_only(TestDatabase::sqlite()).await;
    for path in ["pipelines", "presets/x", "nowhere"] {
        let reply = reqwest::get(format!("{}/2012-09-25/{path}", service.url)).await.unwrap();
        assert_eq!(reply.status().as_u16(), 403, "{path}");
        assert_eq!(reply.headers()["x-amzn-errortype"], "MissingAuthenticationTokenException");
        assert_eq!(reply.headers()["content-type"], "application/json");
        let body: serde_json::Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
        assert_eq!(body["message"], "Request is missing Authentication Token");
    }
    for key in [(crate::support::KEY.0, "another secret"), ("AKNOBODY", crate::support::KEY.1)] {
        let error = client(&service.url, key).list_pipelines().send().await.unwrap_err();
        assert_eq!(error.code(), Some("AccessDeniedException"));
    }
}
