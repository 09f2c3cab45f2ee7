//! What a job does about helpers, without any.

use database::Database;
use tokio::time::timeout;

use super::*;
use crate::engine::Storage;
use crate::store::{MIGRATIONS, SCHEMA, Store};

const SOON: Duration = Duration::from_millis(200);

async fn offers(database: &testing::TestDatabase) -> (Offers, Store) {
    let store = Store::new(Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap());
    let config = aws_sdk_s3::Config::builder().behavior_version(aws_sdk_s3::config::BehaviorVersion::latest());
    let storage = Storage::new(aws_sdk_s3::Client::from_conf(config.build()));
    let (bucket, form) = (String::new(), "1".into());
    let sharing = Sharing { store: store.clone(), storage, bucket, form, running: Arc::default() };
    (sharing.offers("job", "run"), store)
}

fn part() -> Part {
    let part = r#"{"number":1,"plan":{"stream":{"sound":{"rate":44100,"channels":2},"format":"F32"},"joined":[{"index":0,"coder":"Aac"}],"whole":[],
        "grid":{"sample_bytes":8,"own":204800,"before":32768,"after":8192}}}"#;
    serde_json::from_str(part).unwrap()
}

#[tokio::test]
async fn a_job_that_only_gets_segments_back_offers_no_more() {
    let database = testing::TestDatabase::sqlite();
    let (offers, _store) = offers(&database).await;
    for number in 0..FAILURES {
        let _lent = timeout(SOON, offers.room()).await.unwrap_or_else(|_| panic!("no room after {number} failures"));
        let offer = offers.offer(&part()).await.unwrap();
        // There is no such file to hand over.
        let nowhere = Path::new("/nonexistent");
        offers.through(&offer, nowhere, nowhere, &[]).await.unwrap_err();
    }
    assert!(timeout(SOON, offers.room()).await.is_err());
}

#[tokio::test]
async fn no_more_is_offered_than_may_lie_on_disk() {
    let database = testing::TestDatabase::sqlite();
    let (offers, _store) = offers(&database).await;
    let mut lent = Vec::new();
    for _ in 0..LENT {
        lent.push(timeout(SOON, offers.room()).await.unwrap());
    }
    assert!(timeout(SOON, offers.room()).await.is_err());
    lent.pop();
    lent.push(timeout(SOON, offers.room()).await.unwrap());
}

#[tokio::test]
async fn a_claim_is_seen_and_so_is_its_end() {
    for database in testing::databases().await {
        let (offers, store) = offers(&database).await;
        let kind = database.kind();
        let work = async {
            let _lent = offers.room().await;
            let (offer, other) = (offers.offer(&part()).await.unwrap(), offers.offer(&part()).await.unwrap());
            assert!(timeout(PACE * 2, offers.claimed(&offer)).await.is_err(), "{kind:?}: nobody has it");
            let lease = store::Lease { owner: "helper".into(), until: Timestamp::now() };
            let mut connection = store.database.pool().acquire().await.unwrap();
            store::claim_offer(&mut connection, &offer.id, &lease).await.unwrap().unwrap();
            drop(connection);
            offers.claimed(&offer).await;
            assert!(!offers.withdraw(&offer).await, "{kind:?}: the helper was first");
            assert!(offers.withdraw(&other).await, "{kind:?}");
        };
        timeout(Duration::from_secs(30), offers.beside(work)).await.unwrap();
        assert_eq!(offers.0.sharing.jobs_running(), 1);
        let sharing = offers.0.sharing.clone();
        drop(offers);
        assert_eq!(sharing.jobs_running(), 0);
    }
}
