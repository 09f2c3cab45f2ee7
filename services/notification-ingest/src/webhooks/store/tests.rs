//! Every statement, on SQLite and on PostgreSQL, at times that the test chooses.

use std::time::Duration;

use common::{DeliveryId, Timestamp, UserId, WebhookId};
use database::Database;
use testing::TestDatabase;

use super::{
    deliveries::{self, Delivery, New},
    hooks::{self, Change, Scope, Webhook},
    sweep,
    turns::{self, Turn},
};
use crate::webhooks::{client::Attempt, kind::Kinds, retry::later, secret::Secret};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LEASE: Duration = Duration::from_secs(45);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct World {
    database: Database,
    _kept: TestDatabase,
}

async fn each() -> Vec<World> {
    let mut worlds = Vec::new();
    for kept in testing::databases().await {
        let database = Database::connect(&kept.args(), "notification_ingest", &crate::MIGRATOR).await.unwrap();
        worlds.push(World { database, _kept: kept });
    }
    worlds
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn attempt(status: Option<u16>, at: Timestamp) -> Attempt {
    let error = status.is_none().then(|| "nobody there".to_owned());
    let response = status.map(|_| "ok".to_owned());
    Attempt { at, latency: Duration::from_millis(7), status, response, error, not_before: None }
}

impl World {
    async fn connection(&self) -> sqlx::pool::PoolConnection<sqlx::Any> {
        self.database.pool().acquire().await.unwrap()
    }

    async fn hook(&self, owner: &str, all_users: bool) -> Webhook {
        let hook = Webhook {
            id: WebhookId::generate(),
            owner: user(owner),
            all_users,
            url: "https://example.com/".to_owned(),
            description: String::new(),
            events: Kinds::default(),
            enabled: true,
            disabled_reason: None,
            disabled_at: None,
            failing_since: None,
            old_secret_until: None,
            created_at: NOW,
            updated_at: NOW,
        };
        let secret = Secret::generate().unwrap();
        assert!(hooks::add(&mut *self.connection().await, &hook, &secret, 100).await.unwrap());
        hook
    }

    /// A delivery of `result`, and its webhook woken.
    async fn deliver(&self, webhook: WebhookId, result: &str, now: Timestamp) -> Option<DeliveryId> {
        let mut transaction = self.database.begin().await.unwrap();
        let new = New { webhook, result, event: "file.complete", body: "{}", give_up_at: None };
        let id = deliveries::add(&mut transaction, new, now).await.unwrap();
        deliveries::wake(&mut transaction, webhook, now).await.unwrap();
        transaction.commit().await.unwrap();
        id
    }

    async fn begin(&self, slow: bool, most: i64, now: Timestamp) -> Vec<Turn> {
        turns::begin(&mut *self.connection().await, slow, most, LEASE, now).await.unwrap()
    }

    /// One attempt at everything that is due in a turn. Gives back how many there were.
    async fn attempt_all(&self, turn: &Turn, status: Option<u16>, now: Timestamp) -> usize {
        let due = turns::due(&mut *self.connection().await, turn, 100, now).await.unwrap();
        let mut transaction = self.database.begin().await.unwrap();
        turns::hold(&mut transaction, turn, status != Some(200), LEASE, now).await.unwrap().expect("the turn is ours");
        for one in &due {
            turns::record(&mut transaction, one, &attempt(status, now), DAY, now).await.unwrap();
        }
        transaction.commit().await.unwrap();
        due.len()
    }

    async fn end(&self, turn: &Turn) {
        let mut transaction = self.database.begin().await.unwrap();
        turns::end(&mut transaction, turn).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn show(&self, webhook: WebhookId, id: DeliveryId) -> Delivery {
        deliveries::find(&mut *self.connection().await, webhook, id).await.unwrap().unwrap().0
    }
}

#[tokio::test]
async fn a_result_is_stored_once_for_each_webhook() {
    for world in each().await {
        let (one, other) = (world.hook("alice", false).await, world.hook("alice", false).await);
        assert!(world.deliver(one.id, "j/complete", NOW).await.is_some());
        assert!(world.deliver(one.id, "j/complete", later(NOW, DAY)).await.is_none());
        assert!(world.deliver(one.id, "j/transcoding", NOW).await.is_some());
        assert!(world.deliver(other.id, "j/complete", NOW).await.is_some());
        let listed = deliveries::list(&mut *world.connection().await, one.id, None, None, 10).await.unwrap();
        assert_eq!(listed.len(), 2, "{:?}", world.database.kind());
    }
}

#[tokio::test]
async fn many_processes_that_store_the_same_result_at_once_store_it_once() {
    for world in each().await {
        let hook = world.hook("alice", false).await;
        let all = futures::future::join_all((0..8).map(|_| world.deliver(hook.id, "j/complete", NOW))).await;
        assert_eq!(all.iter().flatten().count(), 1, "{:?}", world.database.kind());
    }
}

#[tokio::test]
async fn a_webhook_is_one_process_s_at_a_time_and_free_again_when_that_one_died() {
    for world in each().await {
        let hook = world.hook("alice", false).await;
        let id = world.deliver(hook.id, "j/complete", NOW).await.unwrap();
        let both = futures::future::join(world.begin(false, 5, NOW), world.begin(false, 5, NOW)).await;
        let dead: Vec<Turn> = both.0.into_iter().chain(both.1).collect();
        assert_eq!(dead.len(), 1, "{:?}", world.database.kind());
        let soon = later(NOW, LEASE / 2);
        assert!(world.begin(false, 5, soon).await.is_empty());
        // Nothing was written down: whoever comes next makes the same post again.
        let after = later(NOW, LEASE * 2);
        let next = world.begin(false, 5, after).await.remove(0);
        let lost = turns::hold(&mut *world.connection().await, &dead[0], false, LEASE, after).await.unwrap();
        assert_eq!(lost, None, "who was thought dead writes nothing any more");
        world.end(&dead[0]).await;
        assert_eq!(world.attempt_all(&next, Some(200), after).await, 1);
        world.end(&next).await;
        assert_eq!(world.show(hook.id, id).await.state, "delivered");
        assert!(world.begin(false, 5, later(after, DAY)).await.is_empty(), "nothing is left to do");
    }
}

#[tokio::test]
async fn a_target_that_fails_is_tried_for_a_day_under_one_id() {
    for world in each().await {
        let hook = world.hook("alice", false).await;
        let id = world.deliver(hook.id, "j/complete", NOW).await.unwrap();
        let (mut now, mut attempts) = (NOW, 0);
        loop {
            let slow = attempts > 0;
            assert!(world.begin(!slow, 5, now).await.is_empty(), "it takes its turns among the slow ones");
            let turn = world.begin(slow, 5, now).await.remove(0);
            assert_eq!(world.attempt_all(&turn, Some(500), now).await, 1);
            world.end(&turn).await;
            attempts += 1;
            let Some(due) = world.show(hook.id, id).await.due_at else { break };
            let before = Timestamp::from_millis(due.as_millis() - 1);
            assert!(due > now && world.begin(true, 5, before).await.is_empty(), "not before it is due");
            now = due;
            assert!(attempts < 20);
        }
        assert_eq!(now, later(NOW, DAY), "{:?}", world.database.kind());
        let shown = world.show(hook.id, id).await;
        assert_eq!((shown.state.as_str(), shown.attempts, shown.last_status), ("failed", attempts, Some(500)));
        let log = deliveries::tried(&mut *world.connection().await, id).await.unwrap();
        assert_eq!(log.len() as i64, attempts);
        assert_eq!((log[0].status, log[0].latency_ms, log[0].response.as_deref()), (Some(500), 7, Some("ok")));
    }
}

#[tokio::test]
async fn a_replay_begins_anew_and_its_log_is_bounded() {
    for world in each().await {
        let hook = world.hook("alice", false).await;
        let id = world.deliver(hook.id, "j/complete", NOW).await.unwrap();
        for round in 0..55 {
            let now = later(NOW, DAY * (2 * round));
            if round > 0 {
                let mut transaction = world.database.begin().await.unwrap();
                assert!(deliveries::wake(&mut transaction, hook.id, now).await.unwrap());
                assert!(deliveries::replay(&mut transaction, hook.id, id, now).await.unwrap());
                transaction.commit().await.unwrap();
            }
            let turn = world.begin(false, 1, now).await.remove(0);
            assert_eq!(world.attempt_all(&turn, Some(200), now).await, 1, "{round}");
            world.end(&turn).await;
        }
        assert_eq!(world.show(hook.id, id).await.attempts, 55);
        assert_eq!(deliveries::tried(&mut *world.connection().await, id).await.unwrap().len(), 50);
        let mut connection = world.connection().await;
        let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM attempts").fetch_one(&mut *connection).await.unwrap();
        assert!(kept <= 51, "{kept}");
        let other = world.hook("alice", false).await;
        assert!(
            !deliveries::replay(&mut connection, other.id, id, NOW).await.unwrap(),
            "another webhook's is not there"
        );
    }
}

#[tokio::test]
async fn what_waits_while_a_webhook_is_off_goes_on_when_it_is_on_again() {
    for world in each().await {
        let hook = world.hook("alice", false).await;
        world.deliver(hook.id, "j/complete", NOW).await.unwrap();
        let mut connection = world.connection().await;
        assert!(hooks::disable(&mut connection, hook.id, "gone", NOW).await.unwrap());
        assert!(!hooks::disable(&mut connection, hook.id, "failing", NOW).await.unwrap(), "it is off already");
        assert!(world.begin(false, 5, later(NOW, DAY)).await.is_empty());
        assert!(hooks::subscribed(&mut connection, &user("alice")).await.unwrap().is_empty());
        assert!(!deliveries::wake(&mut connection, hook.id, NOW).await.unwrap());
        let shown = hooks::find(&mut connection, hook.id).await.unwrap().unwrap();
        assert_eq!(
            (shown.enabled, shown.disabled_reason.as_deref(), shown.disabled_at),
            (false, Some("gone"), Some(NOW))
        );
        turns::failing(&mut connection, hook.id, Some(NOW)).await.unwrap();
        let on = Change { enabled: Some(true), ..Change::default() };
        hooks::change(&mut connection, hook.id, &on, NOW).await.unwrap();
        let shown = hooks::find(&mut connection, hook.id).await.unwrap().unwrap();
        assert_eq!((shown.enabled, shown.disabled_reason, shown.failing_since), (true, None, None));
        let turn = world.begin(false, 5, later(NOW, DAY)).await.remove(0);
        assert_eq!(world.attempt_all(&turn, Some(200), later(NOW, DAY)).await, 1);
    }
}

#[tokio::test]
async fn a_user_has_only_so_many_webhooks_even_if_all_are_made_at_once() {
    for world in each().await {
        let model = world.hook("bob", false).await;
        let add = async |index: usize| {
            let hook = Webhook { id: WebhookId::generate(), owner: user("alice"), ..model.clone() };
            let _ = index;
            let secret = Secret::generate().unwrap();
            let mut transaction = world.database.begin().await.unwrap();
            let added = hooks::add(&mut transaction, &hook, &secret, 3).await.unwrap();
            transaction.commit().await.unwrap();
            added
        };
        let added = futures::future::join_all((0..8).map(add)).await;
        assert_eq!(added.iter().filter(|added| **added).count(), 3, "{:?}", world.database.kind());
        let mut connection = world.connection().await;
        let listed = hooks::list(&mut connection, Scope::Of(&user("alice")), None, 10).await.unwrap();
        assert_eq!(listed.len(), 3);
        assert!(hooks::delete(&mut connection, &listed[0]).await.unwrap());
        assert!(!hooks::delete(&mut connection, &listed[0]).await.unwrap());
        drop(connection);
        assert!(add(9).await && !add(10).await, "there is room for one again");
    }
}

#[tokio::test]
async fn lists_and_subscriptions_keep_users_apart() {
    for world in each().await {
        let (own, all) = (world.hook("alice", false).await, world.hook("root", true).await);
        world.hook("bob", false).await;
        let mut connection = world.connection().await;
        let mut told: Vec<_> = hooks::subscribed(&mut connection, &user("alice")).await.unwrap();
        told.sort_by_key(|(id, _)| *id);
        assert_eq!(told.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [own.id, all.id]);
        let list = async |connection: &mut _, scope: Scope<'_>| hooks::list(connection, scope, None, 10).await.unwrap();
        assert_eq!(list(&mut connection, Scope::Of(&user("alice"))).await[0].id, own.id);
        assert!(list(&mut connection, Scope::Of(&user("root"))).await.is_empty());
        assert_eq!(list(&mut connection, Scope::AllUsers).await[0].id, all.id);
        let before = hooks::list(&mut connection, Scope::AllUsers, Some(all.id), 10).await.unwrap();
        assert!(before.is_empty());
    }
}

#[tokio::test]
async fn two_secrets_sign_for_a_while_after_a_rotation() {
    for world in each().await {
        let hook = world.hook("alice", false).await;
        world.deliver(hook.id, "j/complete", NOW).await.unwrap();
        let (new, until) = (Secret::generate().unwrap(), later(NOW, DAY));
        hooks::rotate(&mut *world.connection().await, hook.id, &new, until, NOW).await.unwrap();
        let turn = world.begin(false, 1, NOW).await.remove(0);
        assert_eq!(turn.secrets(NOW).len(), 2);
        assert_eq!(turn.secrets(NOW)[0], &new, "the new one first");
        assert_eq!(turn.secrets(until), [&new]);
    }
}

#[tokio::test]
async fn a_turn_sees_what_its_owner_changes_meanwhile() {
    for world in each().await {
        let hook = world.hook("alice", false).await;
        world.deliver(hook.id, "j/complete", NOW).await.unwrap();
        let mut turn = world.begin(false, 1, NOW).await.remove(0);
        let mut connection = world.connection().await;
        let (new, until) = (Secret::generate().unwrap(), later(NOW, DAY));
        hooks::rotate(&mut connection, hook.id, &new, until, NOW).await.unwrap();
        let elsewhere = Change { url: Some("https://example.org/".to_owned()), ..Change::default() };
        hooks::change(&mut connection, hook.id, &elsewhere, NOW).await.unwrap();
        assert!(turns::refresh(&mut connection, &mut turn).await.unwrap(), "{:?}", world.database.kind());
        assert_eq!((turn.url.as_str(), turn.secrets(NOW)[0]), ("https://example.org/", &new));
        hooks::disable(&mut connection, hook.id, "owner", NOW).await.unwrap();
        assert!(!turns::refresh(&mut connection, &mut turn).await.unwrap());
    }
}

#[tokio::test]
async fn the_sweep_removes_what_is_old_or_deleted_and_nothing_that_waits() {
    for world in each().await {
        let (hook, gone) = (world.hook("alice", false).await, world.hook("alice", false).await);
        let old = world.deliver(hook.id, "a/complete", NOW).await.unwrap();
        let turn = world.begin(false, 1, NOW).await.remove(0);
        world.attempt_all(&turn, Some(200), NOW).await;
        world.end(&turn).await;
        let waiting = world.deliver(hook.id, "b/complete", NOW).await.unwrap();
        let young = world.deliver(hook.id, "c/complete", later(NOW, DAY)).await.unwrap();
        for index in 0..5 {
            world.deliver(gone.id, &format!("{index}/complete"), NOW).await.unwrap();
        }
        let mut connection = world.connection().await;
        hooks::delete(&mut connection, &gone).await.unwrap();
        let mut steps = 0;
        while sweep::bury(&mut connection, 2).await.unwrap() {
            steps += 1;
        }
        assert_eq!(steps, 4, "three with something to remove, and one for the webhook");
        assert_eq!(sweep::forget(&mut connection, later(NOW, DAY / 2), 10).await.unwrap(), 1);
        assert_eq!(sweep::forget(&mut connection, later(NOW, DAY / 2), 10).await.unwrap(), 0);
        let left = deliveries::list(&mut connection, hook.id, None, None, 10).await.unwrap();
        assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [young, waiting], "{old}");
        for table in ["attempts", "deliveries", "webhooks"] {
            let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
            let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *connection).await.unwrap();
            assert_eq!(
                count,
                match table {
                    "attempts" => 0,
                    "deliveries" => 2,
                    _ => 1,
                },
                "{table}"
            );
        }
        assert_eq!(sweep::drive(&mut connection).await.unwrap(), 0);
        sqlx::query("UPDATE webhooks SET due_at = NULL").execute(&mut *connection).await.unwrap();
        assert_eq!(sweep::drive(&mut connection).await.unwrap(), 1, "what was overlooked is driven");
        drop(connection);
        assert_eq!(world.begin(false, 5, later(NOW, DAY)).await.len(), 1);
    }
}
