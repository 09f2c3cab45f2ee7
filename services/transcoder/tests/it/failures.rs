//! Jobs that fail, each with the code and sentence that clients know.

use std::process::Command;

use aws_sdk_s3::primitives::ByteStream;
use elastic_transcoder::notification::State;
use testing::{TestDatabase, media};

use crate::support::{FLAC, WAV, output, service, service_with};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_media_is_4000() {
    let service = service(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";
    let concat = "ffconcat version 1.0\nfile output-0\n";
    let inputs =
        [("text", "hello\n".repeat(2000)), ("empty", String::new()), ("hls", playlist.into()), ("cat", concat.into())];
    for (name, body) in inputs {
        let key = format!("media/{name}.mp3");
        service.put(&key, ByteStream::from(body.into_bytes())).await;
        let outputs = vec![output(&format!("{name}.wav"), WAV), output(&format!("{name}.flac"), FLAC)];
        let job = service.create_job(&pipeline, &key, outputs).await;
        let job = service.ended(job.id().unwrap()).await;
        assert_eq!(job.status(), Some("Error"), "{name}");
        for output in job.outputs() {
            let detail = output.status_detail().unwrap();
            assert!(detail.starts_with("4000 "), "{name}: {detail}");
            assert!(detail.ends_with(": Amazon Elastic Transcoder could not interpret the media file."), "{detail}");
        }
        let (subject, event) = service.events(2).await.remove(1);
        assert_eq!((event.state, event.error_code), (State::Error, None), "{name}");
        assert!(subject.ends_with("has failed."), "{subject}");
        assert_eq!(event.outputs[0].error_code, Some(4000));
        assert_eq!(event.outputs[0].status_detail.as_deref(), job.outputs()[0].status_detail());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_input_fails_the_job_as_a_whole() {
    let service = service(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let job = service.create_job(&pipeline, "media/none", vec![output("a.wav", WAV)]).await;
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!(job.status(), Some("Error"));
    let detail = job.output().unwrap().status_detail().unwrap();
    let sentence =
        "The specified object does not exist in the specified S3 bucket: bucket=segue-media, key=media/none.";
    assert!(detail.starts_with("3001 ") && detail.ends_with(sentence), "{detail}");
    let (_, event) = service.events(2).await.remove(1);
    assert_eq!((event.state, event.error_code), (State::Error, Some(3001)));
    assert_eq!(event.message_details.as_deref(), Some(detail));
    assert_eq!((event.outputs[0].status.as_str(), &event.outputs[0].status_detail), ("Error", &None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_object_fails_its_output_alone() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let pipeline = service.pipeline().await;
    service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
    service.put("transcoded/a.wav", ByteStream::from_static(b"somebody's")).await;
    let outputs = vec![output("a.wav", WAV), output("a.flac", FLAC)];
    let job = service.create_job(&pipeline, "media/a", outputs).await;
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!(job.status(), Some("Error"));
    let detail = job.outputs()[0].status_detail().unwrap();
    assert!(
        detail.starts_with("3002 ") && detail.contains("already exists: bucket=segue-media, key=transcoded/a.wav.")
    );
    assert_eq!(job.outputs()[1].status(), Some("Complete"));
    let (kept, _) = service.get("transcoded/a.wav", directory.path()).await;
    assert_eq!(std::fs::read(kept).unwrap(), b"somebody's");
    let (made, _) = service.get("transcoded/a.flac", directory.path()).await;
    assert_eq!(media::probe(&made)["streams"][0]["codec_name"], "flac");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_film_has_nothing_for_an_audio_preset() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let film = directory.path().join("film.mp4");
    let made = Command::new("ffmpeg")
        .args("-v error -f lavfi -i testsrc=size=64x48:rate=25:duration=1 -c:v mpeg4".split(' '))
        .arg(&film)
        .status()
        .unwrap();
    assert!(made.success());
    service.put_file("media/film", &film).await;
    let pipeline = service.pipeline().await;
    let job = service.create_job(&pipeline, "media/film", vec![output("a.wav", WAV)]).await;
    let job = service.ended(job.id().unwrap()).await;
    let detail = job.output().unwrap().status_detail().unwrap();
    assert!(detail.starts_with("4008 "), "{detail}");
    let detected = job.input().unwrap().detected_properties().unwrap();
    assert_eq!((detected.width(), detected.height(), detected.frame_rate()), (Some(64), Some(48), Some("25")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fills_the_scratch_space_fails_and_the_next_goes_on() {
    let service = service_with(TestDatabase::sqlite(), &["--max-scratch-bytes", "50000000"]).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/long", &media::mp3(directory.path(), 200.0)).await;
    let pipeline = service.pipeline().await;
    // The two that are large wait for the one that is slow.
    let outputs = vec![output("a", WAV), output("b", WAV), output("c", "1351620000001-300010")];
    let job = service.create_job(&pipeline, "media/long", outputs).await;
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!(job.status(), Some("Error"));
    let detail = job.outputs()[0].status_detail().unwrap();
    assert!(detail.starts_with("4002 ") && detail.ends_with("more than 50000000 bytes of disk space."), "{detail}");
    service.put_file("media/short", &media::mp3(directory.path(), 5.0)).await;
    let job = service.create_job(&pipeline, "media/short", vec![output("c", "1351620000001-300040")]).await;
    assert_eq!(service.ended(job.id().unwrap()).await.status(), Some("Complete"));
}
