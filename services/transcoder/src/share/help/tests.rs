//! When a process helps, and when it lets go.

use std::path::Path;

use database::Database;

use super::*;
use crate::engine::{Limits, Runner, Scratch, Storage, Tools};
use crate::store::{MIGRATIONS, SCHEMA};

/// A helper with two places, and the directory that it works in.
async fn helper(store: &Store) -> (Arc<Helper>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let tools = Tools::find(Path::new("ffmpeg"), Path::new("ffprobe")).await.unwrap();
    let limits = Limits { input_bytes: 1, output_bytes: 1 << 20, memory_bytes: 1 << 32, time: Duration::from_secs(60) };
    let config = aws_sdk_s3::Config::builder().behavior_version(aws_sdk_s3::config::BehaviorVersion::latest());
    let storage = Storage::new(aws_sdk_s3::Client::from_conf(config.build()));
    let scratch = Scratch::open(directory.path(), u64::MAX).unwrap();
    let engine = Engine { runner: Runner::new(tools, limits, 2, &[]), scratch, storage: storage.clone() };
    let bucket = String::new();
    let sharing = Sharing { store: store.clone(), storage, bucket, form: "1".into(), running: Arc::default() };
    (Helper::new(store.clone(), Arc::new(engine), sharing), directory)
}

const PIPELINE: &str = r#"{"Id":"long","Arn":"","Name":"p","Status":"Active","InputBucket":"in","OutputBucket":"out",
    "Role":"r","Notifications":{},"ContentConfig":{},"ThumbnailConfig":{}}"#;
const JOB: &str = r#"{"Id":"long","Arn":"","PipelineId":"long","Inputs":[],"Playlists":[],"Status":"Progressing","Timing":{},
    "Outputs":[{"Id":"1","Key":"a","PresetId":"1351620000001-100110","Status":"Progressing"}]}"#;
const PART: &str = r#"{"number":1,"plan":{"stream":{"sound":{"rate":44100,"channels":2},"format":"F32"},"joined":[{"index":0,"coder":"Aac"}],"whole":[],
    "grid":{"sample_bytes":8,"own":204800,"before":32768,"after":8192}}}"#;

/// A job in a pipeline of its own.
async fn job(store: &Store, id: &str, status: &str) {
    let until = Timestamp::now().as_millis() + 60_000;
    let pipeline = sqlx::query("INSERT INTO pipelines (id, document) VALUES ($1, $2)").bind(id).bind(PIPELINE);
    pipeline.execute(store.database.pool()).await.unwrap();
    let job = "INSERT INTO jobs (id, pipeline_id, status, document, driven_at, lease_owner, lease_until)
        VALUES ($1, $1, $2, $3, 0, 'run', $4)";
    let until = if status == "Submitted" { 0 } else { until };
    let query = sqlx::query(job).bind(id).bind(status).bind(JOB).bind(until);
    query.execute(store.database.pool()).await.unwrap();
}

async fn offers(store: &Store, names: &[&str]) {
    for name in names {
        let [id, job_id, run, form, document] = [*name, "long", "run", "1", PART].map(String::from);
        let offer = Offer { id, job_id, run, form, document };
        store::create_offer(&mut store.database.pool().acquire().await.unwrap(), &offer).await.unwrap();
    }
}

#[tokio::test]
async fn a_process_helps_when_no_job_waits() {
    for database in testing::databases().await {
        let store = Store::new(Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap());
        let (helper, _directory) = helper(&store).await;
        assert!(helper.look().await.is_none(), "nothing is offered");
        job(&store, "long", "Progressing").await;
        job(&store, "next", "Submitted").await;
        offers(&store, &["a"]).await;
        assert!(helper.look().await.is_none(), "{:?}: a job waits", database.kind());
        let begun = sqlx::query("UPDATE jobs SET status = 'Complete' WHERE id = 'next'");
        begun.execute(store.database.pool()).await.unwrap();
        assert_eq!(helper.look().await.unwrap().offer.id, "a");
        assert!(helper.look().await.is_none(), "it is taken");
    }
}

#[tokio::test]
async fn a_process_takes_what_it_has_places_for_and_one_more_while_it_runs_no_job() {
    let database = testing::TestDatabase::sqlite();
    let store = Store::new(Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap());
    let (helper, _directory) = helper(&store).await;
    job(&store, "long", "Progressing").await;
    offers(&store, &["a", "b", "c", "d", "e"]).await;
    let mut waiting = Vec::new();
    let mut take = async |expected: Option<&str>| {
        let claim = helper.look().await;
        assert_eq!(claim.as_ref().map(|claim| claim.offer.id.as_str()), expected);
        waiting.extend(claim.map(|_| Waiting::new(&helper)));
        waiting.len()
    };
    let own = helper.sharing.offers("own", "own");
    take(Some("a")).await;
    take(Some("b")).await;
    take(None).await;
    drop(own);
    take(Some("c")).await;
    take(None).await;
    // All three got a place, as far as there are any.
    waiting.clear();
    let (_one, _two) = (helper.engine.runner.place().await, helper.engine.runner.place().await);
    assert_eq!(helper.look().await.unwrap().offer.id, "d", "its samples travel meanwhile");
    let _own = helper.sharing.offers("own", "own");
    assert!(helper.look().await.is_none());
}

#[tokio::test]
async fn a_helper_lets_go_of_a_job_that_was_cancelled() {
    for database in testing::databases().await {
        let store = Store::new(Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap());
        let (helper, _directory) = helper(&store).await;
        job(&store, "long", "Progressing").await;
        offers(&store, &["a"]).await;
        let claim = helper.look().await.unwrap();
        let cancel = async {
            sleep(BEAT + Duration::from_millis(500)).await;
            let state = store::find_offer_state(&mut helper.connection().await.unwrap(), "a").await.unwrap();
            assert_eq!(state, Some(OfferState::Claimed), "the helper waits for the samples");
            let cancel = sqlx::query("UPDATE jobs SET status = 'Canceled'");
            cancel.execute(store.database.pool()).await.unwrap();
            Instant::now()
        };
        let help = async { (helper.help(claim, Waiting::new(&helper)).await, Instant::now()) };
        let (cancelled, (well, stopped)) = tokio::join!(cancel, help);
        assert!(well, "it is not the helper's fault");
        let waited = stopped - cancelled;
        assert!(waited < BEAT * 4, "{:?}: {waited:?}", database.kind());
    }
}

#[tokio::test]
async fn what_cannot_be_read_fails_at_once() {
    let database = testing::TestDatabase::sqlite();
    let store = Store::new(Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap());
    let (helper, _directory) = helper(&store).await;
    job(&store, "long", "Progressing").await;
    // No part, the first segment, and an output that the job does not have.
    let bad =
        ["{}".to_owned(), PART.replace("\"number\":1", "\"number\":0"), PART.replace("\"index\":0", "\"index\":1")];
    for (name, document) in ["a", "b", "c"].into_iter().zip(bad) {
        offers(&store, &[name]).await;
        let change = sqlx::query("UPDATE offers SET document = $1 WHERE id = $2").bind(document).bind(name);
        change.execute(store.database.pool()).await.unwrap();
        let claim = helper.look().await.unwrap();
        assert!(!helper.help(claim, Waiting::new(&helper)).await, "{name}: it had better rest");
        let state = store::find_offer_state(&mut helper.connection().await.unwrap(), name).await.unwrap();
        assert_eq!(state, Some(OfferState::Failed), "{name}");
    }
}
