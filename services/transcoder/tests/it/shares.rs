//! Segments of one job that several processes encode.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use aws_sdk_elastictranscoder::types::Job;
use sqlx::Row;
use testing::{TestDatabase, databases, eventually, media};

use crate::support::{MP4, PATIENCE, SHARE, Service, WAV, output, sharing};

/// Of four segments and a few seconds; each takes a second or two.
const SECONDS: f64 = 310.0;

/// The ids and states of what is offered now.
async fn offered(service: &Service) -> Vec<(String, String)> {
    let rows = sqlx::query("SELECT id, state FROM offers ORDER BY id").fetch_all(service.store.database.pool()).await;
    rows.unwrap().iter().map(|row| (row.get("id"), row.get("state"))).collect()
}

async fn shared_objects(service: &Service) -> usize {
    let listed = service.world.aws().s3.list_objects_v2().bucket(SHARE).send().await.unwrap();
    listed.contents().len()
}

/// Waits until an offer is in that state, and gives its id.
async fn one_is(service: &Service, state: &str) -> String {
    let found = || async { offered(service).await.into_iter().find(|(_, found)| found == state).map(|(id, _)| id) };
    eventually(PATIENCE, found).await
}

async fn begin(service: &Service, pipeline: &str, name: &str) -> String {
    let outputs = vec![output(&format!("{name}.mp4"), MP4), output(&format!("{name}.wav"), WAV)];
    service.create_job(pipeline, "media/long", outputs).await.id.unwrap()
}

/// Runs a job to its end, and gives every state that was seen of what it offered.
async fn watched(service: &Service, id: &str) -> (Job, HashSet<(String, String)>) {
    let mut seen = HashSet::new();
    let watch = async {
        loop {
            seen.extend(offered(service).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let job = tokio::select! {
        job = service.ended(id) => job,
        () = watch => unreachable!(),
    };
    (job, seen)
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

/// A service that may share, with a long input and a pipeline.
async fn with_input(database: TestDatabase, directory: &Path, seconds: f64) -> (Service, String) {
    let service = sharing(database).await;
    service.put_file("media/long", &media::flac(directory, seconds)).await;
    let pipeline = service.pipeline().await;
    (service, pipeline)
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_encode_segments_and_the_file_is_the_same_to_the_byte() {
    for database in databases().await {
        let kind = database.kind();
        let directory = tempfile::tempdir().unwrap();
        let (service, pipeline) = with_input(database, directory.path(), SECONDS).await;
        let (job, seen) = watched(&service, &begin(&service, &pipeline, "alone").await).await;
        let alone = made(&service, &job, "alone", directory.path()).await;
        assert!(!seen.is_empty() && seen.iter().all(|(_, state)| state == "Offered"), "{kind:?}: {seen:?}");
        clean(&service).await;

        let helper = service.helper().await;
        let (job, seen) = watched(&service, &begin(&service, &pipeline, "helped").await).await;
        let helped = made(&service, &job, "helped", directory.path()).await;
        assert!(seen.iter().any(|(_, state)| state == "Done"), "{kind:?}: {seen:?}");
        assert!(alone == helped, "{kind:?}: {} bytes alone, {} with help", alone.len(), helped.len());
        clean(&service).await;
        eventually(PATIENCE, || async { (helper.scratch_files() == 0).then_some(()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_dies_costs_its_segment_only() {
    for database in databases().await {
        let kind = database.kind();
        let directory = tempfile::tempdir().unwrap();
        let (service, pipeline) = with_input(database, directory.path(), SECONDS).await;
        let helper = service.helper().await;
        let id = begin(&service, &pipeline, "a").await;
        let taken = one_is(&service, "Ready").await;
        helper.die().await;
        assert!(offered(&service).await.iter().any(|(id, state)| *id == taken && state == "Ready"), "{kind:?}");
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
        let (service, pipeline) = with_input(database, directory.path(), 1800.0).await;
        let helper = service.helper().await;
        let id = begin(&service, &pipeline, "a").await;
        eventually(PATIENCE, || async { (helper.scratch_files() > 0).then_some(()) }).await;
        assert!(shared_objects(&service).await > 0, "{kind:?}");
        service.client.cancel_job().id(&id).send().await.unwrap();
        let stopped = || async { (helper.scratch_files() + service.scratch_files() == 0).then_some(()) };
        eventually(Duration::from_secs(10), stopped).await;
        let gone =
            || async { (offered(&service).await.is_empty() && shared_objects(&service).await == 0).then_some(()) };
        eventually(Duration::from_secs(10), gone).await;
        assert_eq!(service.read_job(&id).await.status(), Some("Canceled"), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_that_only_fail_are_asked_no_more_and_the_job_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let (service, pipeline) = with_input(TestDatabase::sqlite(), directory.path(), SECONDS * 3.0).await;
    let id = begin(&service, &pipeline, "a").await;
    let fail = async {
        loop {
            let failed = "UPDATE offers SET state = 'Failed', helper = 'bad' WHERE state = 'Offered'";
            sqlx::query(failed).execute(service.store.database.pool()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (job, seen) = tokio::select! {
        watched = watched(&service, &id) => watched,
        () = fail => unreachable!(),
    };
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    let offers: HashSet<_> = seen.iter().map(|(id, _)| id).collect();
    // Of the seven that there are to offer.
    assert!((3..=4).contains(&offers.len()), "{seen:?}");
    clean(&service).await;
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
    let error = crate::support::start_with_share("no-such-bucket").await.unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("no-such-bucket") && error.contains("SEGUE_TRANSCODER_SHARE_BUCKET"), "{error}");
}
