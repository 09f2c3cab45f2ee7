//! Lists of jobs in pages, and the waiter.

use std::collections::HashSet;

use aws_sdk_elastictranscoder::client::Waiters;
use aws_sdk_elastictranscoder::error::ProvideErrorMetadata;
use testing::{databases, media};

use crate::support::{PATIENCE, WAV, api_only, output, service};

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_jobs_are_whole_while_jobs_are_added() {
    for database in databases().await {
        let service = api_only(database).await;
        let (pipeline, other) = (service.pipeline().await, service.pipeline().await);
        let mut made = HashSet::new();
        for _ in 0..60 {
            let job = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await;
            made.insert(job.id.unwrap());
        }
        service.create_job(&other, "media/a", vec![output("a.wav", WAV)]).await;
        for ascending in ["true", "false"] {
            let list = || service.client.list_jobs_by_pipeline().pipeline_id(&pipeline).ascending(ascending);
            let first = list().send().await.unwrap();
            assert_eq!(first.jobs().len(), 50);
            let token = first.next_page_token().unwrap();
            assert!(elastic_transcoder::is_id(token), "{token}");
            let late = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await.id.unwrap();
            let second = list().page_token(token).send().await.unwrap();
            assert_eq!(second.next_page_token(), None);
            let ids: Vec<_> = first.jobs().iter().chain(second.jobs()).map(|job| job.id().unwrap()).collect();
            let known: Vec<_> = ids.iter().filter(|id| made.contains(**id)).collect();
            assert_eq!(known.len(), made.len(), "each once, {ascending}");
            assert_eq!(ids.contains(&late.as_str()), ascending == "true", "what is new is the last of all");
            assert!(if ascending == "true" { ids.is_sorted() } else { ids.iter().rev().is_sorted() });
            made.insert(late);
        }
        let by_status = service.client.list_jobs_by_status().status("Submitted").into_paginator();
        let pages = by_status.send().try_collect().await.unwrap();
        assert_eq!(pages.iter().map(|page| page.jobs().len()).collect::<Vec<_>>(), [50, 13]);
        let none = service.client.list_jobs_by_status().status("Complete").send().await.unwrap();
        assert_eq!((none.jobs(), none.next_page_token()), (&[][..], None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_refuse_what_is_no_page() {
    let service = api_only(testing::TestDatabase::sqlite()).await;
    let token = service.client.list_pipelines().page_token("2").send().await.unwrap_err();
    assert!(token.message().unwrap().contains("at 'pageToken' failed"), "{token:?}");
    let order = service.client.list_presets().ascending("yes").send().await.unwrap_err();
    assert!(order.message().unwrap().contains("at 'ascending' failed"), "{order:?}");
    let status = service.client.list_jobs_by_status().status("Done").send().await.unwrap_err();
    assert!(status.into_service_error().is_validation_exception());
    let pipeline = service.client.list_jobs_by_pipeline().pipeline_id("1700000000000-abc123").send().await.unwrap_err();
    assert!(pipeline.into_service_error().is_resource_not_found_exception());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_waiter_of_the_sdk_ends_with_the_job() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
    let pipeline = service.pipeline().await;
    let good = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await.id.unwrap();
    let bad = service.create_job(&pipeline, "media/none", vec![output("b.wav", WAV)]).await.id.unwrap();
    // The waiter asks at once and then every thirty seconds.
    for id in [&good, &bad] {
        service.ended(id).await;
    }
    let end = service.client.wait_until_job_complete().id(&good).wait(PATIENCE).await.unwrap();
    assert_eq!(end.as_result().unwrap().job().unwrap().status(), Some("Complete"));
    let end = service.client.wait_until_job_complete().id(&bad).wait(PATIENCE).await;
    assert!(end.is_err(), "{end:?}");
}
