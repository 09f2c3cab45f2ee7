use database::Database;

use super::{
    rejected::{NewRejected, Reason},
    *,
};

async fn databases() -> Vec<(testing::TestDatabase, Database)> {
    let mut all = Vec::new();
    for database in testing::databases().await {
        let connected = Database::connect(&database.args(), "notification_ingest", &crate::MIGRATOR).await.unwrap();
        all.push((database, connected));
    }
    all
}

const fn row(message_id: &str) -> Row<'_> {
    Row { message_id, job_id: "j", state: "COMPLETED", outcome: "published", source: "sqs", body: "{}" }
}

const RUNNING: Step = Step { stage: Stage::Running, progress: None, warned: false };

#[tokio::test]
async fn within_a_stage_progress_grows_and_a_warning_is_told_once() {
    for (kept, database) in databases().await {
        let mut connection = database.pool().acquire().await.unwrap();
        let mut advance = async |stage, progress, warned| {
            advance(&mut connection, "a", Step { stage, progress, warned }, Timestamp::now()).await.unwrap()
        };
        let running = Stage::Running;
        assert!(advance(running, Some(10), false).await, "{:?}", kept.kind());
        assert!(!advance(running, Some(10), false).await && !advance(running, Some(9), false).await);
        assert!(!advance(running, None, false).await, "the start comes late");
        assert!(advance(running, None, true).await && !advance(running, None, true).await);
        assert!(!advance(running, Some(10), true).await, "the warning took nothing back");
        assert!(advance(running, Some(11), false).await && !advance(running, Some(11), true).await);
        assert!(advance(Stage::Ended, None, false).await);
        assert!(!advance(running, Some(99), true).await && !advance(Stage::Ended, Some(100), true).await);
    }
}

const fn reject(message_id: &str, reason: Reason) -> NewRejected<'_> {
    NewRejected { message_id, source: "sqs", reason, detail: "why", body: "a\0b" }
}

#[tokio::test]
async fn what_is_rejected_is_kept_once_counted_and_bounded() {
    for (_kept, database) in databases().await {
        let mut connection = database.pool().acquire().await.unwrap();
        let now = Timestamp::now();
        for id in ["a", "b", "c", "d"] {
            assert!(rejected::put(&mut connection, reject(id, Reason::Unreadable), now).await.unwrap());
            assert!(!rejected::put(&mut connection, reject(id, Reason::ForeignJob), now).await.unwrap());
        }
        assert_eq!(rejected::trim(&mut connection, 3).await.unwrap(), 1);
        assert_eq!(rejected::trim(&mut connection, 3).await.unwrap(), 0);
        let limit = runtime::http::Limit::default();
        let all = rejected::list(&mut connection, None, limit).await.unwrap();
        let ids: Vec<_> = all.iter().map(|it| it.message_id.as_str()).collect();
        assert_eq!(ids, ["d", "c", "b"], "newest first");
        assert_eq!((all[0].body.as_str(), all[0].size), ("a\u{fffd}b", 3));
        let cursor = all[1].id.parse().unwrap();
        assert_eq!(rejected::list(&mut connection, Some(cursor), limit).await.unwrap().len(), 1);
        let counts = rejected::counts(&mut connection).await.unwrap();
        assert_eq!(counts, [("unreadable".to_owned(), 4)].into());
    }
}

#[tokio::test]
async fn a_job_goes_forward_only() {
    for (kept, database) in databases().await {
        let mut connection = database.pool().acquire().await.unwrap();
        let mut advance = async |job: &str, stage| {
            let step = Step { stage, progress: None, warned: false };
            advance(&mut connection, job, step, Timestamp::now()).await.unwrap()
        };
        assert!(advance("a", Stage::Running).await, "{:?}", kept.kind());
        assert!(!advance("a", Stage::Running).await);
        assert!(advance("a", Stage::Ended).await);
        assert!(!advance("a", Stage::Running).await && !advance("a", Stage::Ended).await);
        assert!(advance("b", Stage::Ended).await, "another job, whose start was never told");
        assert!(!advance("b", Stage::Running).await);
    }
}

#[tokio::test]
async fn a_message_is_kept_once() {
    for (_kept, database) in databases().await {
        let mut connection = database.pool().acquire().await.unwrap();
        assert!(keep(&mut connection, row("m"), Timestamp::now()).await.unwrap());
        assert!(!keep(&mut connection, row("m"), Timestamp::now()).await.unwrap());
        assert!(keep(&mut connection, row("n"), Timestamp::now()).await.unwrap());
    }
}

#[tokio::test]
async fn what_is_old_is_forgotten_in_bounded_steps() {
    for (_kept, database) in databases().await {
        let mut connection = database.pool().acquire().await.unwrap();
        let at = Timestamp::from_millis;
        for (index, id) in ["a", "b", "c"].into_iter().enumerate() {
            keep(&mut connection, row(id), at(index as i64)).await.unwrap();
            advance(&mut connection, id, RUNNING, at(index as i64)).await.unwrap();
        }
        assert_eq!(forget(&mut connection, at(2), 1).await.unwrap(), 2);
        assert_eq!(forget(&mut connection, at(2), 10).await.unwrap(), 2);
        assert_eq!(forget(&mut connection, at(2), 10).await.unwrap(), 0);
        assert!(!keep(&mut connection, row("c"), at(9)).await.unwrap(), "the young one is still there");
        assert!(!advance(&mut connection, "c", RUNNING, at(9)).await.unwrap());
    }
}
