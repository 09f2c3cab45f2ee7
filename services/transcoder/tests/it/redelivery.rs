//! Messages that come twice, and jobs whose process died.

use elastic_transcoder::notification::State;
use testing::{databases, eventually, media};

use crate::support::{PATIENCE, WAV, output, service};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_delivery_changes_nothing() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
    let pipeline = service.pipeline().await;
    let first = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await;
    let first = service.ended(first.id().unwrap()).await;
    service.deliver_again(first.id().unwrap()).await;
    // The second job's events come behind any that the second delivery would make.
    let second = service.create_job(&pipeline, "media/a", vec![output("b.wav", WAV)]).await;
    service.ended(second.id().unwrap()).await;
    let events = service.events(4).await;
    let of_first = events.iter().filter(|(_, event)| event.job_id == first.id().unwrap());
    assert_eq!(of_first.count(), 2);
    assert_eq!(service.read_job(first.id().unwrap()).await, first);
    eventually(PATIENCE, || async { (service.waiting("segue-transcoder-jobs").await == 0).then_some(()) }).await;
    assert_eq!(service.waiting("segue-transcoder-jobs-dlq").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_process_died_is_done_again_and_ends_once() {
    for database in databases().await {
        let kind = database.kind();
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
        let pipeline = service.pipeline().await;
        let job = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await;
        let id = job.id().unwrap();
        service.ended(id).await;
        // As if the process had died between storing the object and storing the job's end.
        let rewind = sqlx::query("UPDATE jobs SET status = 'Progressing' WHERE id = $1").bind(id);
        rewind.execute(service.store.database.pool()).await.unwrap();
        let document =
            sqlx::query("UPDATE jobs SET document = replace(document, 'Complete', 'Progressing') WHERE id = $1");
        document.bind(id).execute(service.store.database.pool()).await.unwrap();
        service.deliver_again(id).await;
        let again = service.ended(id).await;
        assert_eq!(again.status(), Some("Complete"), "{kind:?}: {again:?}");
        let states: Vec<_> = service.events(3).await.into_iter().map(|(_, event)| event.state).collect();
        assert_eq!(states, [State::Progressing, State::Completed, State::Completed], "{kind:?}");
    }
}
