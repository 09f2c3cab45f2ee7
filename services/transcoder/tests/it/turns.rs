//! Whose turn it is, and what becomes of a job whose worker, pipeline or owner has other plans.

use std::time::Duration;

use elastic_transcoder::notification::State;
use testing::{databases, eventually, media};

use crate::support::{MP4, PATIENCE, Service, WAV, output, service};

/// Half an hour: encoding it as AAC takes far longer than cancelling may.
const LONG: f64 = 1800.0;

async fn set_status(service: &Service, pipeline: &str, status: &str) {
    service.client.update_pipeline_status().id(pipeline).status(status).send().await.unwrap();
}

async fn drained(service: &Service) {
    eventually(PATIENCE, || async { (service.waiting("segue-transcoder-jobs").await == 0).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_pipeline_begins_nothing_and_a_resumed_one_everything() {
    for database in databases().await {
        let kind = database.kind();
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
        let (paused, other) = (service.pipeline().await, service.pipeline().await);
        set_status(&service, &paused, "Paused").await;
        let mut waiting = Vec::new();
        for number in 0..3 {
            let job = service.create_job(&paused, "media/a", vec![output(&format!("{number}.wav"), WAV)]).await;
            waiting.push(job.id.unwrap());
        }
        let ran = service.create_job(&other, "media/a", vec![output("other.wav", WAV)]).await;
        assert_eq!(service.ended(ran.id().unwrap()).await.status(), Some("Complete"));
        drained(&service).await;
        for id in &waiting {
            assert_eq!(service.read_job(id).await.status(), Some("Submitted"), "{kind:?}");
        }
        service.client.cancel_job().id(&waiting[1]).send().await.unwrap();
        set_status(&service, &paused, "Active").await;
        for (id, status) in waiting.iter().zip(["Complete", "Canceled", "Complete"]) {
            assert_eq!(service.ended(id).await.status(), Some(status), "{kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_running_job_stops_its_ffmpeg() {
    for database in databases().await {
        let kind = database.kind();
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/long", &media::flac(directory.path(), LONG)).await;
        let pipeline = service.pipeline().await;
        set_status(&service, &pipeline, "Paused").await;
        let outputs = vec![output("long.mp4", MP4), output("long.wav", WAV)];
        let job = service.create_job(&pipeline, "media/long", outputs).await;
        let id = job.id().unwrap();
        // As if the job had been begun before and had stored one of its outputs.
        let s3 = &service.world.aws().s3;
        let stored = s3.put_object().bucket(service.world.bucket()).key("transcoded/long.wav");
        stored.metadata("segue-job", id).send().await.unwrap();
        set_status(&service, &pipeline, "Active").await;
        let running = || async { (service.scratch_files() > 1).then_some(()) };
        eventually(PATIENCE, running).await;
        assert_eq!(service.read_job(id).await.status(), Some("Progressing"), "{kind:?}");
        service.client.cancel_job().id(id).send().await.unwrap();
        let cancelled = service.read_job(id).await;
        assert_eq!((cancelled.status(), cancelled.output().unwrap().status()), (Some("Canceled"), Some("Canceled")));
        assert!(cancelled.timing().unwrap().finish_time_millis() >= cancelled.timing().unwrap().start_time_millis());
        // The scratch directory goes when the engine is dropped, and ffmpeg with it.
        eventually(Duration::from_secs(10), || async { (service.scratch_files() == 0).then_some(()) }).await;
        drained(&service).await;
        assert_eq!(service.read_job(id).await, cancelled);
        for key in ["transcoded/long.mp4", "transcoded/long.wav"] {
            let left = s3.head_object().bucket(service.world.bucket()).key(key).send().await;
            assert!(left.is_err(), "{kind:?}: {key} is left");
        }
        let states: Vec<_> = service.events(1).await.into_iter().map(|(_, event)| event.state).collect();
        assert_eq!(states, [State::Progressing]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_worker_stored_goes_when_its_job_is_cancelled() {
    for database in databases().await {
        let kind = database.kind();
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
        let pipeline = service.pipeline().await;
        set_status(&service, &pipeline, "Paused").await;
        let outputs = vec![output("a.wav", WAV), output("b.wav", WAV)];
        let job = service.create_job(&pipeline, "media/a", outputs).await;
        let id = job.id().unwrap();
        drained(&service).await;
        let begun = r#"UPDATE jobs SET status = 'Progressing', lease_owner = 'dead', lease_until = $1,
            document = replace(replace(document, 'Submitted', 'Progressing'), '"StartTimeMillis":null',
                '"StartTimeMillis":1') WHERE id = $2"#;
        // Nobody takes it over.
        let lease = job.timing().unwrap().submit_time_millis().unwrap() + 3_600_000;
        sqlx::query(begun).bind(lease).bind(id).execute(service.store.database.pool()).await.unwrap();
        let s3 = &service.world.aws().s3;
        let put = |key| s3.put_object().bucket(service.world.bucket()).key(key);
        put("transcoded/a.wav").metadata("segue-job", id).send().await.unwrap();
        // Somebody else's.
        put("transcoded/b.wav").send().await.unwrap();
        service.client.cancel_job().id(id).send().await.unwrap();
        let head = async |key| s3.head_object().bucket(service.world.bucket()).key(key).send().await;
        eventually(PATIENCE, async || head("transcoded/a.wav").await.is_err().then_some(())).await;
        drained(&service).await;
        assert!(head("transcoded/b.wav").await.is_ok(), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_somebody_runs_is_left_alone_until_its_lease_ends() {
    for database in databases().await {
        let kind = database.kind();
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
        let pipeline = service.pipeline().await;
        set_status(&service, &pipeline, "Paused").await;
        let job = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await;
        let id = job.id().unwrap();
        drained(&service).await;
        // As if a worker elsewhere had begun it.
        let lease = "UPDATE jobs SET status = 'Progressing', document = replace(document, 'Submitted', 'Progressing'),
            lease_owner = 'elsewhere', lease_until = $1 WHERE id = $2";
        let now = job.timing().unwrap().submit_time_millis().unwrap();
        let set = |until: i64| sqlx::query(lease).bind(until).bind(id).execute(service.store.database.pool());
        set(now + 3_600_000).await.unwrap();
        service.deliver_again(id).await;
        drained(&service).await;
        assert_eq!(service.read_job(id).await.status(), Some("Progressing"), "{kind:?}");
        assert_eq!(service.scratch_files(), 0, "a live duplicate runs nothing");
        set(now).await.unwrap();
        service.deliver_again(id).await;
        assert_eq!(service.ended(id).await.status(), Some("Complete"), "{kind:?}");
        let states: Vec<_> = service.events(1).await.into_iter().map(|(_, event)| event.state).collect();
        assert_eq!(states, [State::Completed]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_is_enough_for_all_that_waits() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
    let pipeline = service.pipeline().await;
    set_status(&service, &pipeline, "Paused").await;
    let mut ids = Vec::new();
    for number in 0..4 {
        let job = service.create_job(&pipeline, "media/a", vec![output(&format!("{number}.wav"), WAV)]).await;
        ids.push(job.id.unwrap());
    }
    drained(&service).await;
    // Active again without the messages that UpdatePipelineStatus would send.
    let active = "UPDATE pipelines SET status = 'Active'";
    sqlx::query(active).execute(service.store.database.pool()).await.unwrap();
    service.deliver_again(&ids[0]).await;
    for id in &ids {
        assert_eq!(service.ended(id).await.status(), Some("Complete"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_read_does_not_hold_up_the_others() {
    for database in databases().await {
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
        let pipeline = service.pipeline().await;
        set_status(&service, &pipeline, "Paused").await;
        let bad = service.create_job(&pipeline, "media/a", vec![output("bad.wav", WAV)]).await.id.unwrap();
        let good = service.create_job(&pipeline, "media/a", vec![output("good.wav", WAV)]).await.id.unwrap();
        let spoil = sqlx::query("UPDATE jobs SET document = '{}' WHERE id = $1").bind(&bad);
        spoil.execute(service.store.database.pool()).await.unwrap();
        set_status(&service, &pipeline, "Active").await;
        assert_eq!(service.ended(&good).await.status(), Some("Complete"));
        drained(&service).await;
        assert_eq!(service.waiting("segue-transcoder-jobs-dlq").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_share_the_jobs_and_run_each_once() {
    for database in databases().await {
        let kind = database.kind();
        let service = service(database).await;
        service.another().await;
        service.another().await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
        let (one, two) = (service.pipeline().await, service.pipeline().await);
        let mut ids = Vec::new();
        for number in 0..12 {
            let pipeline = if number < 9 { &one } else { &two };
            let job = service.create_job(pipeline, "media/a", vec![output(&format!("{number}.wav"), WAV)]).await;
            ids.push(job.id.unwrap());
            // A message too many for each changes nothing.
            service.deliver_again(ids.last().unwrap()).await;
        }
        for id in &ids {
            assert_eq!(service.ended(id).await.status(), Some("Complete"), "{kind:?}");
        }
        drained(&service).await;
        let mut told: Vec<_> =
            service.events(24).await.into_iter().map(|(_, event)| (event.job_id, event.state as u8)).collect();
        told.sort();
        let expected =
            ids.iter().flat_map(|id| [State::Progressing, State::Completed].map(|state| (id.clone(), state as u8)));
        let mut expected: Vec<_> = expected.collect();
        expected.sort();
        assert_eq!(told, expected, "{kind:?}");
        let tries = sqlx::query_scalar::<_, i64>("SELECT MAX(tries) FROM jobs");
        assert_eq!(tries.fetch_one(service.store.database.pool()).await.unwrap(), 1, "{kind:?}");
        assert_eq!(service.waiting("segue-transcoder-jobs-dlq").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_cancelled_just_before_its_end_leaves_nothing() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    // It takes less than a heartbeat, so that its worker hears of nothing before it is done.
    service.put_file("media/a", &media::flac(directory.path(), 50.0)).await;
    let pipeline = service.pipeline().await;
    let job = service.create_job(&pipeline, "media/a", vec![output("a.mp4", MP4), output("a.wav", WAV)]).await;
    eventually(PATIENCE, || async { (service.scratch_files() > 1).then_some(()) }).await;
    service.client.cancel_job().id(job.id().unwrap()).send().await.unwrap();
    eventually(PATIENCE, || async { (service.scratch_files() == 0).then_some(()) }).await;
    let s3 = &service.world.aws().s3;
    let gone = || async {
        let listed = s3.list_objects_v2().bucket(service.world.bucket()).prefix("transcoded/").send().await.unwrap();
        listed.contents().is_empty().then_some(())
    };
    drained(&service).await;
    eventually(PATIENCE, gone).await;
    assert_eq!(service.read_job(job.id().unwrap()).await.status(), Some("Canceled"));
}
