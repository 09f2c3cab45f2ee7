//! Segments of one job that several processes encode.

use std::path::Path;

use aws_sdk_elastictranscoder::types::Job;
use sqlx::Row;
use testing::{TestDatabase, databases, eventually, media};

use crate::support::{MP4, PATIENCE, SHARE, Service, output, sharing, start_with_share};

/// Of four segments.
const SECONDS: f64 = 128.0;

/// The ids and states of what is offered now.
async fn offered(service: &Service) -> Vec<(String, String)> {
    let rows = sqlx::query("SELECT id, state FROM offers ORDER BY id").fetch_all(service.store.database.pool()).await;
    rows.unwrap().iter().map(|row| (row.get("id"), row.get("state"))).collect()
}

async fn shared_objects(service: &Service) -> usize {
    let listed = service.world.aws().s3.list_objects_v2().bucket(SHARE).send().await.unwrap();
    listed.contents().len()
}

/// Waits until so many offers are in that state.
async fn so_many_are(service: &Service, count: usize, state: &str) {
    let found = || async {
        let offers = offered(service).await;
        (offers.iter().filter(|(_, found)| found == state).count() >= count).then_some(())
    };
    eventually(PATIENCE, found).await;
}

async fn begin(service: &Service, pipeline: &str, name: &str) -> String {
    service.create_job(pipeline, "media/long", vec![output(&format!("{name}.mp4"), MP4)]).await.id.unwrap()
}

/// The bytes of what a job made, which must be complete.
async fn made(service: &Service, job: &Job, name: &str, directory: &Path) -> Vec<u8> {
    assert_eq!(job.status(), Some("Complete"), "{name}: {job:?}");
    assert_eq!(job.outputs()[0].duration_millis(), Some((SECONDS * 1000.0) as i64), "{name}");
    let (path, _) = service.get(&format!("transcoded/{name}.mp4"), directory).await;
    std::fs::read(path).unwrap()
}

/// Nothing of any segment is left.
async fn clean(service: &Service) {
    assert_eq!(offered(service).await, []);
    assert_eq!(shared_objects(service).await, 0);
}

/// A service that may share, with a long input and a pipeline. It gets no segment done until its gate is opened.
async fn closed(database: TestDatabase, directory: &Path) -> (Service, String) {
    let service = sharing(database).await;
    service.gate.as_ref().unwrap().close();
    service.put_file("media/long", &media::flac(directory, SECONDS)).await;
    let pipeline = service.pipeline().await;
    (service, pipeline)
}

fn reopen(service: &Service) {
    service.gate.as_ref().unwrap().reopen();
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_encode_segments_and_the_file_is_the_same_to_the_byte() {
    for database in databases().await {
        let kind = database.kind();
        let directory = tempfile::tempdir().unwrap();
        let (service, pipeline) = closed(database, directory.path()).await;
        let id = begin(&service, &pipeline, "alone").await;
        // What is offered and finds nobody is withdrawn.
        so_many_are(&service, 1, "Offered").await;
        reopen(&service);
        let alone = made(&service, &service.ended(&id).await, "alone", directory.path()).await;
        clean(&service).await;

        let helper = service.helper().await;
        service.gate.as_ref().unwrap().close();
        let id = begin(&service, &pipeline, "helped").await;
        // The first is never shared, and keeps the one place: the helper makes all the others.
        let parts = || async {
            let parts = std::fs::read_dir(service.scratch_job()?).ok()?.flatten();
            let parts = parts.filter(|part| part.file_name().to_string_lossy().starts_with("part-"));
            (parts.count() == 3 && offered(&service).await.is_empty()).then_some(())
        };
        eventually(PATIENCE, parts).await;
        reopen(&service);
        let helped = made(&service, &service.ended(&id).await, "helped", directory.path()).await;
        assert!(alone == helped, "{kind:?}: {} bytes alone, {} with help", alone.len(), helped.len());
        clean(&service).await;
        eventually(PATIENCE, || async { (helper.scratch_files() == 0).then_some(()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_dies_costs_its_segments_only() {
    for database in databases().await {
        let kind = database.kind();
        let directory = tempfile::tempdir().unwrap();
        let (service, pipeline) = closed(database, directory.path()).await;
        let helper = service.helper().await;
        helper.gate.close();
        let id = begin(&service, &pipeline, "a").await;
        so_many_are(&service, 1, "Ready").await;
        helper.die().await;
        so_many_are(&service, 1, "Ready").await;
        reopen(&service);
        let job = service.ended(&id).await;
        made(&service, &job, "a", directory.path()).await;
        let tries = sqlx::query_scalar::<_, i64>("SELECT MAX(tries) FROM jobs");
        assert_eq!(tries.fetch_one(service.store.database.pool()).await.unwrap(), 1, "{kind:?}");
        clean(&service).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_job_stops_its_helpers_and_leaves_nothing() {
    for database in databases().await {
        let kind = database.kind();
        let directory = tempfile::tempdir().unwrap();
        let (service, pipeline) = closed(database, directory.path()).await;
        let helper = service.helper().await;
        helper.gate.close();
        let id = begin(&service, &pipeline, "a").await;
        eventually(PATIENCE, || async { (helper.scratch_files() > 0).then_some(()) }).await;
        assert!(shared_objects(&service).await > 0, "{kind:?}");
        service.client.cancel_job().id(&id).send().await.unwrap();
        // Both would wait at their gates for ever.
        let stopped = || async { (helper.scratch_files() + service.scratch_files() == 0).then_some(()) };
        eventually(PATIENCE, stopped).await;
        let gone =
            || async { (offered(&service).await.is_empty() && shared_objects(&service).await == 0).then_some(()) };
        eventually(PATIENCE, gone).await;
        assert_eq!(service.read_job(&id).await.status(), Some("Canceled"), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_shared_is_removed() {
    for database in databases().await {
        let kind = database.kind();
        let service = sharing(database).await;
        let put = service.world.aws().s3.put_object().bucket(SHARE).key("1700000000000-aaaaaa/an-offer/samples");
        put.send().await.unwrap();
        let offer = "INSERT INTO offers (id, job_id, run, form, document, state)
            VALUES ('an-offer', '1700000000000-aaaaaa', 'dead', 'of another version', '?', 'Ready')";
        sqlx::query(offer).execute(service.store.database.pool()).await.unwrap();
        // Who starts sweeps.
        let _next = service.helper().await;
        let gone = || async { (offered(&service).await.is_empty()).then_some(()) };
        eventually(PATIENCE, gone).await;
        assert_eq!(shared_objects(&service).await, 0, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_stops_the_start_and_is_named() {
    let error = start_with_share("no-such-bucket").await.unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("no-such-bucket") && error.contains("SEGUE_TRANSCODER_SHARE_BUCKET"), "{error}");
}
