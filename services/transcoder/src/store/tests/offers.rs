use super::*;

/// An offer of a run.
async fn offer(store: &Store, id: &str, job_id: &str, run: &str, form: &str) -> Offer {
    let offer =
        Offer { id: id.into(), job_id: job_id.into(), run: run.into(), form: form.into(), document: "{}".into() };
    create_offer(&mut store.database.pool().acquire().await.unwrap(), &offer).await.unwrap();
    offer
}

/// A running job, whose run is called `run`.
async fn running(store: &Store, number: i64, run: &str) -> String {
    submit(store, &id(number), "p").await;
    assert_eq!(begin(store, run, 10, 1000).await, Some(id(number)));
    id(number)
}

#[tokio::test]
async fn an_offer_goes_to_one_helper_and_through_its_states() {
    each(async |store| {
        pipeline(&store, "p").await;
        let job = running(&store, 0, "run").await;
        let offered = offer(&store, "a", &job, "run", "1").await;
        let mut connection = store.database.pool().acquire().await.unwrap();
        let states = async |connection: &mut _| {
            see_offers(connection, "run").await.unwrap().into_iter().map(|seen| seen.state).collect::<Vec<_>>()
        };
        assert_eq!(next_offer(&mut connection, "1", at(20)).await.unwrap().as_deref(), Some("a"));
        assert_eq!(claim_offer(&mut connection, "a", &lease("one", 100)).await.unwrap(), Some(offered));
        assert_eq!(claim_offer(&mut connection, "a", &lease("two", 100)).await.unwrap(), None, "one was first");
        assert!(!withdraw_offer(&mut connection, "a").await.unwrap(), "one was first");
        assert_eq!(next_offer(&mut connection, "1", at(20)).await.unwrap(), None);
        assert!(renew_offer(&mut connection, "a", &lease("one", 200)).await.unwrap());
        assert!(!renew_offer(&mut connection, "a", &lease("two", 200)).await.unwrap());
        assert!(!offer_is_done(&mut connection, "a", "one").await.unwrap(), "it has no samples yet");
        assert_eq!(states(&mut connection).await, [OfferState::Claimed]);
        assert!(offer_is_ready(&mut connection, "a").await.unwrap());
        assert_eq!(find_offer_state(&mut connection, "a").await.unwrap(), Some(OfferState::Ready));
        assert!(renew_offer(&mut connection, "a", &lease("one", 300)).await.unwrap());
        let seen = Seen { id: "a".into(), state: OfferState::Ready, lease_until: at(300) };
        assert_eq!(see_offers(&mut connection, "run").await.unwrap(), [seen]);
        assert_eq!(see_offers(&mut connection, "another").await.unwrap(), []);
        assert!(!offer_is_done(&mut connection, "a", "two").await.unwrap());
        offer_failed(&mut connection, "a", "two").await.unwrap();
        assert!(offer_is_done(&mut connection, "a", "one").await.unwrap());
        offer_failed(&mut connection, "a", "one").await.unwrap();
        assert_eq!(states(&mut connection).await, [OfferState::Done], "what is done cannot fail");
        assert_eq!(offers_of_run(&mut connection, "run").await.unwrap().len(), 1);
        delete_offer(&mut connection, "a").await.unwrap();
        assert_eq!(find_offer_state(&mut connection, "a").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_offer_that_was_taken_back_is_nobodys() {
    each(async |store| {
        pipeline(&store, "p").await;
        let job = running(&store, 0, "run").await;
        for name in ["a", "b", "c"] {
            offer(&store, name, &job, "run", "1").await;
        }
        let mut connection = store.database.pool().acquire().await.unwrap();
        assert!(withdraw_offer(&mut connection, "a").await.unwrap());
        assert!(!withdraw_offer(&mut connection, "a").await.unwrap());
        assert_eq!(claim_offer(&mut connection, "a", &lease("one", 100)).await.unwrap(), None);
        // One that a helper has can be ended too; then the helper is too late for everything.
        claim_offer(&mut connection, "b", &lease("one", 100)).await.unwrap().unwrap();
        assert!(offer_is_ready(&mut connection, "b").await.unwrap());
        end_offer(&mut connection, "b").await.unwrap();
        assert!(!renew_offer(&mut connection, "b", &lease("one", 200)).await.unwrap());
        assert!(!offer_is_done(&mut connection, "b", "one").await.unwrap());
        // One that failed before it had its samples gets none.
        claim_offer(&mut connection, "c", &lease("one", 100)).await.unwrap().unwrap();
        offer_failed(&mut connection, "c", "one").await.unwrap();
        assert!(!offer_is_ready(&mut connection, "c").await.unwrap());
        assert_eq!(find_offer_state(&mut connection, "c").await.unwrap(), Some(OfferState::Failed));
    })
    .await;
}

#[tokio::test]
async fn helpers_go_where_the_fewest_are_and_leave_alone_what_they_cannot_read() {
    each(async |store| {
        pipeline(&store, "p").await;
        let (one, two) = (running(&store, 0, "one").await, running(&store, 1, "two").await);
        for (name, job, run, form) in
            [("a", &one, "one", "1"), ("b", &one, "one", "1"), ("c", &two, "two", "1"), ("0", &two, "two", "2")]
        {
            offer(&store, name, job, run, form).await;
        }
        let mut connection = store.database.pool().acquire().await.unwrap();
        let mut order = Vec::new();
        while let Some(next) = next_offer(&mut connection, "1", at(20)).await.unwrap() {
            claim_offer(&mut connection, &next, &lease(&next, 100)).await.unwrap().unwrap();
            order.push(next);
        }
        assert_eq!(order, ["a", "c", "b"], "{:?}", store.database.kind());
        assert_eq!(next_offer(&mut connection, "2", at(20)).await.unwrap().as_deref(), Some("0"));
        assert_eq!(next_offer(&mut connection, "2", at(1000)).await.unwrap(), None, "its run may be dead");
    })
    .await;
}

#[tokio::test]
async fn an_offer_is_wanted_as_long_as_its_run_has_the_job() {
    each(async |store| {
        pipeline(&store, "p").await;
        let (kept, cancelled) = (running(&store, 0, "kept").await, running(&store, 1, "cancelled").await);
        let (ended, lost) = (running(&store, 2, "ended").await, running(&store, 3, "dead").await);
        let runs = [("a", &kept, "kept"), ("b", &cancelled, "cancelled"), ("c", &ended, "ended"), ("d", &lost, "dead")];
        let mut connection = store.database.pool().acquire().await.unwrap();
        for (name, job, run) in runs {
            offer(&store, name, job, run, "1").await;
            claim_offer(&mut connection, name, &lease(name, 100)).await.unwrap().unwrap();
        }
        assert_eq!(stale_offers(&mut connection).await.unwrap(), []);
        let stopped = Job { status: JobStatus::Canceled, ..job(&cancelled, "p") };
        assert!(update_job(&mut connection, &stopped, JobStatus::Progressing).await.unwrap());
        let complete = Job { status: JobStatus::Complete, ..job(&ended, "p") };
        assert!(end_job(&mut connection, &complete, "ended").await.unwrap());
        // Somebody else takes over.
        let begun = Job { status: JobStatus::Progressing, ..job(&lost, "p") };
        let claim = claim_job(&mut connection, &begun, JobStatus::Progressing, &lease("next", 3000), at(2000)).await;
        assert_eq!(claim.unwrap(), Some(2));
        let stale: Vec<_> = stale_offers(&mut connection).await.unwrap().into_iter().map(|offer| offer.id).collect();
        assert_eq!(stale, ["b", "c", "d"], "{:?}", store.database.kind());
        for (name, ..) in runs {
            let wanted = renew_offer(&mut connection, name, &lease(name, 200)).await.unwrap();
            assert_eq!(wanted, name == "a", "{name}");
        }
    })
    .await;
}
