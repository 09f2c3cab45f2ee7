//! Every query of turns, leases, offers and old things, on both databases.

mod offers;

use common::Timestamp;
use database::Database;
use elastic_transcoder::{Job, JobStatus, Pipeline, PipelineStatus, Timing};
use sqlx::Row;

use super::*;
use crate::gauge::Progress;

const NOW: i64 = 1_700_000_000_000;

/// A store of its own on each database.
async fn each(test: impl AsyncFn(Store)) {
    for database in testing::databases().await {
        test(Store::new(Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap())).await;
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW + millis)
}

fn lease(owner: &str, until: i64) -> Lease {
    Lease { owner: owner.to_owned(), until: at(until) }
}

/// The id of something made so many milliseconds after the beginning.
fn id(millis: i64) -> String {
    format!("{}-aaaaaa", NOW + millis)
}

async fn pipeline(store: &Store, id: &str) -> Pipeline {
    let document = r#"{"Id":"","Arn":"","Name":"p","Status":"Active","InputBucket":"in","OutputBucket":"out","Role":"r",
        "Notifications":{},"ContentConfig":{},"ThumbnailConfig":{}}"#;
    let mut pipeline: Pipeline = serde_json::from_str(document).unwrap();
    pipeline.id = id.to_owned();
    create_pipeline(&mut store.database.pool().acquire().await.unwrap(), &pipeline).await.unwrap();
    pipeline
}

fn job(id: &str, pipeline_id: &str) -> Job {
    Job {
        id: id.to_owned(),
        arn: String::new(),
        pipeline_id: pipeline_id.to_owned(),
        input: None,
        inputs: Vec::new(),
        output: None,
        outputs: Vec::new(),
        output_key_prefix: None,
        playlists: Vec::new(),
        status: JobStatus::Submitted,
        user_metadata: None,
        timing: Timing::default(),
    }
}

async fn submit(store: &Store, id: &str, pipeline_id: &str) {
    let mut connection = store.database.pool().acquire().await.unwrap();
    create_job(&mut connection, &job(id, pipeline_id), Some(id)).await.unwrap();
    // As if the job had been made when its id says.
    sqlx::query("UPDATE jobs SET driven_at = $1 WHERE id = $2")
        .bind(id[..13].parse::<i64>().unwrap())
        .bind(id)
        .execute(&mut *connection)
        .await
        .unwrap();
}

/// Begins the job whose turn it is.
async fn begin(store: &Store, owner: &str, now: i64, until: i64) -> Option<String> {
    let mut connection = store.database.pool().acquire().await.unwrap();
    let id = next_job(&mut connection, at(now)).await.unwrap()?;
    let mut job = find_job(&mut connection, &id).await.unwrap().unwrap();
    let from = std::mem::replace(&mut job.status, JobStatus::Progressing);
    claim_job(&mut connection, &job, from, &lease(owner, until), at(now)).await.unwrap().map(|_| id)
}

#[tokio::test]
async fn pipelines_take_turns_however_long_the_queue_of_one_is() {
    each(async |store| {
        pipeline(&store, "long").await;
        pipeline(&store, "short").await;
        for number in 0..20 {
            submit(&store, &id(number), "long").await;
        }
        submit(&store, &id(100), "short").await;
        submit(&store, &id(101), "short").await;
        let mut order = Vec::new();
        for _ in 0..5 {
            order.push(begin(&store, "w", 1000, 2000).await.unwrap());
        }
        assert_eq!(order, [id(0), id(100), id(1), id(101), id(2)], "{:?}", store.database.kind());
    })
    .await;
}

#[tokio::test]
async fn one_owner_at_a_time_and_the_next_when_the_lease_ends() {
    each(async |store| {
        pipeline(&store, "p").await;
        submit(&store, &id(0), "p").await;
        let mut connection = store.database.pool().acquire().await.unwrap();
        assert_eq!(begin(&store, "one", 10, 100).await, Some(id(0)));
        assert_eq!(begin(&store, "two", 50, 150).await, None, "somebody has it");
        assert!(renew(&mut connection, &id(0), &lease("one", 200), None).await.unwrap());
        assert_eq!(begin(&store, "two", 199, 300).await, None, "the lease was renewed");
        assert_eq!(begin(&store, "two", 200, 300).await, Some(id(0)));
        assert!(!renew(&mut connection, &id(0), &lease("one", 400), None).await.unwrap(), "it is another's now");
        let ended = Job { status: JobStatus::Complete, ..job(&id(0), "p") };
        assert!(!end_job(&mut connection, &ended, "one").await.unwrap());
        assert!(end_job(&mut connection, &ended, "two").await.unwrap());
        assert!(!renew(&mut connection, &id(0), &lease("two", 500), None).await.unwrap(), "it is over");
        assert_eq!(begin(&store, "three", 1000, 1100).await, None);
        let row = sqlx::query("SELECT tries FROM jobs").fetch_one(&mut *connection).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 2);
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_comes_second_is_lost() {
    each(async |store| {
        pipeline(&store, "p").await;
        submit(&store, &id(0), "p").await;
        let mut connection = store.database.pool().acquire().await.unwrap();
        let begun = Job { status: JobStatus::Progressing, ..job(&id(0), "p") };
        for (owner, expected) in [("one", Some(1)), ("two", None)] {
            let claim = claim_job(&mut connection, &begun, JobStatus::Submitted, &lease(owner, 100), at(0)).await;
            assert_eq!(claim.unwrap(), expected, "{owner}");
        }
        // The same when two take over from an owner that died.
        for (owner, expected) in [("three", Some(2)), ("four", None)] {
            let claim = claim_job(&mut connection, &begun, JobStatus::Progressing, &lease(owner, 300), at(200)).await;
            assert_eq!(claim.unwrap(), expected, "{owner}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_put_off_waits_and_counts_as_nobodys() {
    each(async |store| {
        pipeline(&store, "p").await;
        submit(&store, &id(0), "p").await;
        submit(&store, &id(1), "p").await;
        assert_eq!(begin(&store, "one", 10, 100).await, Some(id(0)));
        let mut connection = store.database.pool().acquire().await.unwrap();
        release(&mut connection, &id(0), "another", at(20)).await.unwrap();
        assert_eq!(begin(&store, "two", 30, 100).await, Some(id(1)), "only its owner can let go");
        release(&mut connection, &id(0), "one", at(500)).await.unwrap();
        assert_eq!(begin(&store, "two", 499, 600).await, Some(id(1)), "whose lease has ended");
        assert_eq!(begin(&store, "two", 500, 600).await, Some(id(0)));
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_paused_pipeline_begins() {
    each(async |store| {
        let mut paused = pipeline(&store, "p").await;
        paused.status = PipelineStatus::Paused;
        submit(&store, &id(0), "p").await;
        submit(&store, &id(1), "p").await;
        assert_eq!(begin(&store, "w", 10, 20).await, Some(id(0)));
        let mut connection = store.database.pool().acquire().await.unwrap();
        update_pipeline(&mut connection, &paused).await.unwrap();
        assert_eq!(begin(&store, "w", 30, 100).await, Some(id(0)), "what was begun is done all the same");
        assert_eq!(begin(&store, "w", 40, 100).await, None);
        assert_eq!(take_waiting(&mut connection, at(1_000_000), at(500_000)).await.unwrap(), [""; 0]);
        paused.status = PipelineStatus::Active;
        update_pipeline(&mut connection, &paused).await.unwrap();
        assert_eq!(waiting(&mut connection, "p", 100).await.unwrap(), [id(1)]);
        assert_eq!(take_waiting(&mut connection, at(1_000_000), at(500_000)).await.unwrap(), [id(1)]);
        assert_eq!(take_waiting(&mut connection, at(1_000_001), at(500_000)).await.unwrap(), [""; 0], "just asked for");
        assert_eq!(begin(&store, "w", 1_000_000, 2_000_000).await, Some(id(0)));
        assert_eq!(begin(&store, "w", 1_000_000, 2_000_000).await, Some(id(1)));
    })
    .await;
}

#[tokio::test]
async fn only_jobs_that_nobody_runs_are_asked_for() {
    each(async |store| {
        pipeline(&store, "p").await;
        for number in 0..3 {
            submit(&store, &id(number), "p").await;
        }
        begin(&store, "one", 10, 100).await.unwrap();
        begin(&store, "two", 10, 900).await.unwrap();
        let mut connection = store.database.pool().acquire().await.unwrap();
        assert_eq!(take_ended(&mut connection, at(99), at(50)).await.unwrap(), [""; 0], "both are run");
        assert_eq!(take_ended(&mut connection, at(100), at(5)).await.unwrap(), [""; 0], "begun a moment ago");
        assert_eq!(take_ended(&mut connection, at(100), at(50)).await.unwrap(), [id(0)]);
        assert_eq!(take_ended(&mut connection, at(101), at(50)).await.unwrap(), [""; 0], "asked for a moment ago");
        assert_eq!(take_waiting(&mut connection, at(200), at(150)).await.unwrap(), [id(2)]);
    })
    .await;
}

#[tokio::test]
async fn progress_is_stored_with_the_lease_and_gone_with_it() {
    each(async |store| {
        pipeline(&store, "p").await;
        submit(&store, &id(0), "p").await;
        begin(&store, "one", 10, 100).await.unwrap();
        let mut connection = store.database.pool().acquire().await.unwrap();
        let (gauge, reading) = crate::gauge::gauge();
        gauge.set(Progress::new(42.0, 1.5));
        assert!(renew(&mut connection, &id(0), &lease("one", 200), reading.last()).await.unwrap());
        let (job, progress) = see_job(&mut connection, &id(0)).await.unwrap().unwrap();
        assert_eq!((job.status, progress), (JobStatus::Progressing, reading.last()));
        let cancelled = Job { status: JobStatus::Canceled, ..job };
        assert!(update_job(&mut connection, &cancelled, JobStatus::Progressing).await.unwrap());
        let (_, progress) = see_job(&mut connection, &id(0)).await.unwrap().unwrap();
        assert_eq!(progress, None);
        assert!(!renew(&mut connection, &id(0), &lease("one", 300), None).await.unwrap(), "so its worker stops");
        assert_eq!(see_job(&mut connection, "none").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_is_old_goes_and_nothing_else() {
    each(async |store| {
        pipeline(&store, "p").await;
        for number in 0..4 {
            submit(&store, &id(number * 1000), "p").await;
        }
        let mut connection = store.database.pool().acquire().await.unwrap();
        // Jobs 0 and 1 have ended, each at the time of its id; 2 and 3 wait.
        for number in 0..2 {
            let query = sqlx::query("UPDATE jobs SET status = 'Complete' WHERE id = $1").bind(id(number * 1000));
            query.execute(&mut *connection).await.unwrap();
        }
        assert_eq!(old::forget_tokens(&mut connection, at(1000)).await.unwrap(), 1);
        let before = create_job(&mut connection, &job(&id(9000), "p"), Some(&id(1000))).await.unwrap();
        assert!(matches!(before, Created::Before(job) if job.id == id(1000)), "its token still counts");
        let new = create_job(&mut connection, &job(&id(9001), "p"), Some(&id(0))).await.unwrap();
        assert!(matches!(new, Created::New), "its token was forgotten");
        assert_eq!(old::delete_jobs(&mut connection, at(1000)).await.unwrap(), 1);
        assert_eq!(find_job(&mut connection, &id(0)).await.unwrap(), None);
        assert!(find_job(&mut connection, &id(1000)).await.unwrap().is_some());
        assert_eq!(old::delete_jobs(&mut connection, at(i64::from(i32::MAX))).await.unwrap(), 1);
        assert!(find_job(&mut connection, &id(2000)).await.unwrap().is_some(), "one that waits is never old");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_pipeline_goes_with_its_last_job() {
    each(async |store| {
        pipeline(&store, "p").await;
        pipeline(&store, "q").await;
        submit(&store, &id(0), "p").await;
        let mut connection = store.database.pool().acquire().await.unwrap();
        assert!(!delete_pipeline(&mut connection, "p").await.unwrap(), "a job waits");
        sqlx::query("UPDATE jobs SET status = 'Error'").execute(&mut *connection).await.unwrap();
        assert!(delete_pipeline(&mut connection, "p").await.unwrap());
        assert_eq!(find_pipeline(&mut connection, "p").await.unwrap(), None);
        assert!(find_pipeline_of_job(&mut connection, "p").await.unwrap().is_some());
        assert_eq!(count_pipelines(&mut connection).await.unwrap(), 1);
        assert_eq!(old::delete_pipelines(&mut connection).await.unwrap(), 0, "its job can still be read");
        assert_eq!(old::delete_jobs(&mut connection, at(1)).await.unwrap(), 1);
        assert_eq!(old::delete_pipelines(&mut connection).await.unwrap(), 1);
        assert_eq!(find_pipeline_of_job(&mut connection, "p").await.unwrap(), None);
        assert!(find_pipeline(&mut connection, "q").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_preset_is_there_for_jobs_until_it_is_old() {
    each(async |store| {
        let mut connection = store.database.pool().acquire().await.unwrap();
        let mut preset = elastic_transcoder::presets::get("1351620000001-300110").unwrap().clone();
        preset.id = id(0);
        create_preset(&mut connection, &preset).await.unwrap();
        assert!(database::is_unique_violation(&create_preset(&mut connection, &preset).await.unwrap_err()));
        assert_eq!(find_preset(&mut connection, &id(0)).await.unwrap().as_ref(), Some(&preset));
        assert_eq!(count_presets(&mut connection).await.unwrap(), 1);
        let all = Slice { ascending: true, after: None };
        assert_eq!(presets(&mut connection, all).await.unwrap(), [preset.clone()]);
        assert!(delete_preset(&mut connection, &id(0), at(10)).await.unwrap());
        assert!(!delete_preset(&mut connection, &id(0), at(20)).await.unwrap());
        assert_eq!(find_preset(&mut connection, &id(0)).await.unwrap(), None);
        assert_eq!(presets(&mut connection, all).await.unwrap(), []);
        assert_eq!(find_preset_of_job(&mut connection, &id(0)).await.unwrap(), Some(preset));
        assert_eq!(old::delete_presets(&mut connection, at(10)).await.unwrap(), 0);
        assert_eq!(old::delete_presets(&mut connection, at(11)).await.unwrap(), 1);
        assert_eq!(find_preset_of_job(&mut connection, &id(0)).await.unwrap(), None);
    })
    .await;
}
