//! A power cut in mid-job delays and loses nothing.

use testing::media;

use crate::{journey::check_outputs, up::Up};

#[tokio::test]
async fn a_file_survives_kill_9_in_mid_job_and_its_owner_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let up = Up::start(&data);
    let alice = up.api(&data, "alice");
    // Ten minutes of audio keep ffmpeg busy for some seconds.
    let file = alice.upload_form(&media::mp3(directory.path(), 600.0)).await;
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    testing::eventually(crate::api::PATIENCE, || async {
        let state = alice.json(&path).await["state"].clone();
        assert_ne!(state, "complete", "the job was over before it could be killed");
        (state == "transcoding").then_some(())
    })
    .await;
    up.process.kill();

    let up = Up::start(&data);
    let alice = up.api(&data, "alice");
    let file = alice.done(file["id"].as_str().unwrap()).await;
    check_outputs(&alice, &file, 600.0, directory.path()).await;
    assert_eq!(alice.unread(1).await.len(), 1);
    assert!(up.process.terminate());

    // And it is all still there after a start in peace.
    let up = Up::start(&data);
    let alice = up.api(&data, "alice");
    assert_eq!(alice.json("/v1/messages").await["unread"], 1);
    assert_eq!(alice.json(&path).await["state"], "complete");
}
