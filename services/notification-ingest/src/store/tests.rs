use database::Database;

use super::*;

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

#[tokio::test]
async fn a_job_goes_forward_only() {
    for (kept, database) in databases().await {
        let mut connection = database.pool().acquire().await.unwrap();
        let mut advance =
            async |job: &str, stage| advance(&mut connection, job, stage, Timestamp::now()).await.unwrap();
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
            advance(&mut connection, id, Stage::Running, at(index as i64)).await.unwrap();
        }
        assert_eq!(forget(&mut connection, at(2), 1).await.unwrap(), 2);
        assert_eq!(forget(&mut connection, at(2), 10).await.unwrap(), 2);
        assert_eq!(forget(&mut connection, at(2), 10).await.unwrap(), 0);
        assert!(!keep(&mut connection, row("c"), at(9)).await.unwrap(), "the young one is still there");
        assert!(!advance(&mut connection, "c", Stage::Running, at(9)).await.unwrap());
    }
}
