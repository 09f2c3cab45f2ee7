//! Every statement, on SQLite and on PostgreSQL.

use std::collections::HashSet;

use common::{FileId, NoticeId, Timestamp, UserId};
use futures::future::join_all;
use testing::TestDatabase;

use super::*;
use crate::notice::{About, NewNotice};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

struct Each {
    stores: Vec<(TestDatabase, Store)>,
}

async fn each() -> Each {
    let mut stores = Vec::new();
    for database in testing::databases().await {
        let store = open(&database).await;
        stores.push((database, store));
    }
    Each { stores }
}

/// As another process would.
async fn open(database: &TestDatabase) -> Store {
    Store::new(Database::connect(&database.args(), "messages_api", &crate::MIGRATOR).await.unwrap())
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn file(notice: &NewNotice) -> FileId {
    match notice.about {
        About::File(id) => id,
        About::Source(_) => panic!("about no file"),
    }
}

fn notice(owner: &str, file_id: FileId) -> NewNotice {
    let text = "Your file Jóga.mp3 has been processed".to_owned();
    NewNotice { owner: user(owner), kind: "file_complete", level: "info", text, about: About::File(file_id) }
}

async fn add(store: &Store, owner: &str) -> Head {
    store.add(&notice(owner, FileId::generate()), NOW).await.unwrap().unwrap()
}

async fn unread_ids(store: &Store, owner: &str) -> Vec<NoticeId> {
    let listed = store.list(&user(owner), Status::Unread, None, 1000).await.unwrap();
    assert_eq!(listed.notices.len() as i64, listed.head.unread, "the count is the length of the list");
    listed.notices.iter().map(|notice| notice.id).collect()
}

#[tokio::test]
async fn a_notice_comes_back_as_it_was_stored() {
    for (database, store) in each().await.stores {
        let new = notice("alice", FileId::generate());
        let head = store.add(&new, NOW).await.unwrap().unwrap();
        assert_eq!((head.unread, head.newest), (1, Sequence::from_i64(1)), "{:?}", database.kind());
        let listed = store.list(&user("alice"), Status::Unread, None, 10).await.unwrap();
        let [stored] = &listed.notices[..] else { panic!("one notice: {listed:?}") };
        assert_eq!(
            (stored.text.as_str(), stored.kind.as_str(), stored.level.as_str()),
            (&*new.text, "file_complete", "info")
        );
        assert_eq!((stored.file_id, stored.created_at, stored.read_at), (Some(file(&new)), NOW, None));
        assert_eq!(listed.head, head);
        assert_eq!(store.head(&user("bob")).await.unwrap(), Head::default());
        assert!(store.list(&user("bob"), Status::All, None, 10).await.unwrap().notices.is_empty());
    }
}

#[tokio::test]
async fn one_file_makes_one_notice_however_often_and_at_once_it_is_told() {
    for (database, store) in each().await.stores {
        let other = open(&database).await;
        let new = notice("alice", FileId::generate());
        let late = NewNotice { kind: "file_failed", level: "error", ..new.clone() };
        let tries = (0..10).map(|n| {
            let (store, new) = (if n % 2 == 0 { &store } else { &other }, if n < 8 { &new } else { &late });
            store.add(new, NOW)
        });
        let made = join_all(tries).await.into_iter().filter(|made| made.as_ref().unwrap().is_some()).count();
        assert_eq!(made, 1, "{:?}", database.kind());
        assert_eq!(store.add(&late, NOW).await.unwrap(), None);
        let head = store.head(&user("alice")).await.unwrap();
        assert_eq!((head.unread, head.newest), (1, Sequence::from_i64(1)));
    }
}

#[tokio::test]
async fn places_have_no_gap_and_no_double_when_many_are_stored_at_once() {
    for (database, store) in each().await.stores {
        let other = open(&database).await;
        let heads = join_all((0..20).map(|n| add(if n % 2 == 0 { &store } else { &other }, "alice"))).await;
        let places: HashSet<i64> = heads.iter().map(|head| head.newest.as_i64()).collect();
        assert_eq!(places, (1..=20).collect(), "{:?}", database.kind());
        assert_eq!(unread_ids(&store, "alice").await.len(), 20);
    }
}

#[tokio::test]
async fn marking_counts_once_however_often_it_is_asked() {
    for (database, store) in each().await.stores {
        add(&store, "alice").await;
        add(&store, "alice").await;
        let id = unread_ids(&store, "alice").await[0];
        let alice = user("alice");
        let other = open(&database).await;
        let marks = (0..10).map(|n| if n % 2 == 0 { &store } else { &other }.mark(&alice, id, Some(NOW)));
        let marks: Vec<Marked> = join_all(marks).await.into_iter().map(Result::unwrap).collect();
        let changed = marks.iter().filter(|marked| matches!(marked, Marked::Changed(head) if head.unread == 1));
        assert_eq!(changed.count(), 1, "{:?}: {marks:?}", database.kind());
        assert_eq!(unread_ids(&store, "alice").await.len(), 1);
        let read = store.list(&alice, Status::Read, None, 10).await.unwrap();
        assert_eq!(read.notices.iter().map(|n| (n.id, n.read_at)).collect::<Vec<_>>(), [(id, Some(NOW))]);

        let marks = join_all((0..10).map(|_| store.mark(&alice, id, None))).await;
        assert_eq!(marks.iter().filter(|marked| matches!(marked, Ok(Marked::Changed(_)))).count(), 1);
        assert_eq!(unread_ids(&store, "alice").await.len(), 2);
    }
}

#[tokio::test]
async fn a_notice_of_another_user_cannot_be_marked() {
    for (_database, store) in each().await.stores {
        add(&store, "alice").await;
        let id = unread_ids(&store, "alice").await[0];
        assert_eq!(store.mark(&user("bob"), id, Some(NOW)).await.unwrap(), Marked::Absent);
        assert_eq!(store.mark(&user("alice"), NoticeId::generate(), Some(NOW)).await.unwrap(), Marked::Absent);
        assert_eq!(unread_ids(&store, "alice").await, [id]);
    }
}

#[tokio::test]
async fn marking_all_leaves_what_came_later_and_what_is_others() {
    for (database, store) in each().await.stores {
        for _ in 0..3 {
            add(&store, "alice").await;
        }
        add(&store, "bob").await;
        let alice = user("alice");
        let until = store.head(&alice).await.unwrap();
        add(&store, "alice").await;
        let (marked, head) = store.mark_batch(&alice, until, NOW).await.unwrap().unwrap();
        assert_eq!((marked, head.unread), (3, 1), "{:?}", database.kind());
        assert!(store.mark_batch(&alice, until, NOW).await.unwrap().is_none());
        assert_eq!(unread_ids(&store, "alice").await.len(), 1);
        assert_eq!(unread_ids(&store, "bob").await.len(), 1);
    }
}

#[tokio::test]
async fn the_count_stays_true_when_everything_happens_at_once() {
    for (database, store) in each().await.stores {
        let other = open(&database).await;
        for _ in 0..6 {
            add(&store, "alice").await;
        }
        let (alice, ids) = (user("alice"), unread_ids(&store, "alice").await);
        let until = store.head(&alice).await.unwrap();
        let marks = join_all(ids.iter().map(|id| store.mark(&alice, *id, Some(NOW))));
        let unmarks = join_all(ids.iter().rev().map(|id| other.mark(&alice, *id, None)));
        let all = join_all((0..3).map(|_| other.mark_batch(&alice, until, NOW)));
        let adds = join_all((0..6).map(|_| add(&store, "alice")));
        let (marks, unmarks, all, _) = tokio::join!(marks, unmarks, all, adds);
        assert!(marks.iter().chain(&unmarks).all(Result::is_ok), "{:?}: {marks:?} {unmarks:?}", database.kind());
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        let unread = unread_ids(&store, "alice").await.len();
        assert!((6..=12).contains(&unread), "the six new ones at least: {unread}");
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    for (database, store) in each().await.stores {
        for _ in 0..5 {
            add(&store, "alice").await;
            add(&store, "bob").await;
        }
        let alice = user("alice");
        let mut seen = Vec::new();
        let mut cursor = None;
        for length in [2, 2, 1] {
            let page = store.list(&alice, Status::All, cursor, 2).await.unwrap();
            assert_eq!((page.notices.len(), page.head.unread), (length, 5), "{:?}", database.kind());
            seen.extend(page.notices.iter().map(|notice| notice.sequence.as_i64()));
            cursor = page.notices.last().map(|notice| notice.sequence);
        }
        assert_eq!(seen, [5, 4, 3, 2, 1]);
        let end = store.list(&alice, Status::All, cursor, 2).await.unwrap();
        assert_eq!((end.notices.len(), end.head.unread), (0, 5), "the count stands beside an empty page too");

        let later = store.after(&alice, Sequence::from_i64(2), 2).await.unwrap();
        assert_eq!(later.notices.iter().map(|notice| notice.sequence.as_i64()).collect::<Vec<_>>(), [3, 4]);
    }
}

#[tokio::test]
async fn many_heads_are_read_at_once() {
    for (database, store) in each().await.stores {
        for name in ["alice", "bob", "carol"] {
            add(&store, name).await;
        }
        add(&store, "bob").await;
        let heads = store.heads(&["alice", "bob", "nobody"].map(user)).await.unwrap();
        let mut heads: Vec<_> = heads.into_iter().map(|(owner, head)| (owner.to_string(), head.unread)).collect();
        heads.sort();
        assert_eq!(heads, [("alice".to_owned(), 1), ("bob".to_owned(), 2)], "{:?}", database.kind());
        assert!(store.heads(&[]).await.unwrap().is_empty());
        let crowd: Vec<UserId> = (0..MAX_OWNERS).map(|n| user(&format!("user-{n}"))).collect();
        assert!(store.heads(&crowd).await.unwrap().is_empty());
    }
}

/// Both planners must walk the index of one user's unread notices, and sort nothing but the page.
#[tokio::test]
async fn an_unread_page_is_a_short_range_of_an_index() {
    for (database, store) in each().await.stores {
        let pool = store.database.pool();
        let explain = match database.kind() {
            database::Kind::Sqlite => "EXPLAIN QUERY PLAN ",
            database::Kind::Postgres => {
                let fill = "INSERT INTO messages
                     SELECT 'id-' || n, 'user-' || (n % 500), n, 'k', 'info', 't', NULL, 0, 0, 0
                     FROM generate_series(1, 20000) AS n; ANALYZE messages";
                sqlx::raw_sql(fill).execute(pool).await.unwrap();
                "EXPLAIN "
            }
        };
        let list = read::listing(Status::Unread).replace("$1", "'user-7'").replace("$2", "99").replace("$3", "21");
        let statement = sqlx::AssertSqlSafe(format!("{explain} {list}"));
        let rows = sqlx::query(statement).fetch_all(pool).await.unwrap();
        let column = if database.kind() == database::Kind::Sqlite { "detail" } else { "QUERY PLAN" };
        let plan: Vec<String> = rows.iter().map(|row| row.try_get(column).unwrap()).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("messages_by_state") && !plan.contains("Scan on messages"), "{plan}");
        // The one sort is that of the page; what the limit cuts comes in order.
        let sorts = plan.matches("Sort Key").count() + plan.matches("TEMP B-TREE").count();
        assert!(sorts <= 1 && !plan.split("Limit").last().unwrap().contains("Sort"), "{plan}");
    }
}

#[tokio::test]
async fn a_deleted_file_makes_no_notice() {
    for (database, store) in each().await.stores {
        let (before, after) = (notice("alice", FileId::generate()), notice("alice", FileId::generate()));
        store.add(&before, NOW).await.unwrap().unwrap();
        store.mute(file(&before), NOW).await.unwrap();
        store.mute(file(&after), NOW).await.unwrap();
        store.mute(file(&after), NOW).await.unwrap();
        assert_eq!(store.add(&after, NOW).await.unwrap(), None, "{:?}", database.kind());
        assert_eq!(unread_ids(&store, "alice").await.len(), 1, "the one that was there stays");
    }
}

#[tokio::test]
async fn deleted_files_are_forgotten_in_the_end() {
    for (database, store) in each().await.stores {
        let (old, new) = (notice("alice", FileId::generate()), notice("alice", FileId::generate()));
        store.mute(file(&old), NOW).await.unwrap();
        let later = Timestamp::from_millis(NOW.as_millis() + 31 * 24 * 60 * 60 * 1000);
        store.mute(file(&new), later).await.unwrap();
        assert!(store.add(&old, later).await.unwrap().is_some(), "{:?}", database.kind());
        assert_eq!(store.add(&new, later).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_notice_about_no_file_is_made_once_too() {
    for (database, store) in each().await.stores {
        let about =
            |name: &str| NewNotice { about: About::Source(name.to_owned()), ..notice("alice", FileId::generate()) };
        assert!(store.add(&about("webhook/a/1"), NOW).await.unwrap().is_some(), "{:?}", database.kind());
        assert_eq!(store.add(&about("webhook/a/1"), NOW).await.unwrap(), None);
        assert!(store.add(&about("webhook/a/2"), NOW).await.unwrap().is_some());
        let listed = store.list(&user("alice"), Status::All, None, 10).await.unwrap();
        assert_eq!((listed.notices.len(), listed.head.unread), (2, 2));
        assert!(listed.notices.iter().all(|notice| notice.file_id.is_none()));
    }
}
