//! Jobs that succeed.

use elastic_transcoder::notification::State;
use testing::{databases, media};

use crate::support::{FLAC, MP4, WAV, output, service};

#[tokio::test(flavor = "multi_thread")]
async fn a_song_becomes_wav_flac_and_mp4() {
    for database in databases().await {
        let kind = database.kind();
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/a song", &media::mp3(directory.path(), 2.0)).await;
        let pipeline = service.pipeline().await;
        let outputs = vec![output("a.wav", WAV), output("a.flac", FLAC), output("a.mp4", MP4)];
        let created = service.create_job(&pipeline, "media/a song", outputs).await;
        assert_eq!(created.status(), Some("Submitted"), "{kind:?}");

        let job = service.ended(created.id().unwrap()).await;
        assert_eq!(job.status(), Some("Complete"), "{kind:?}: {job:?}");
        let detected = job.input().unwrap().detected_properties().unwrap();
        assert!((2000..2100).contains(&detected.duration_millis().unwrap()), "{detected:?}");
        assert!(detected.file_size().unwrap() > 30_000 && detected.width().is_none(), "{detected:?}");
        let timing = job.timing().unwrap();
        assert!(timing.submit_time_millis() <= timing.start_time_millis());
        assert!(timing.start_time_millis() < timing.finish_time_millis());

        let expected = [("wav", "pcm_s16le", "audio/wav"), ("flac", "flac", "audio/flac"), ("mp4", "aac", "audio/mp4")];
        for ((extension, codec, content_type), output) in expected.into_iter().zip(job.outputs()) {
            let (path, stored_type) = service.get(&format!("transcoded/a.{extension}"), directory.path()).await;
            assert_eq!(stored_type, content_type);
            let probed = media::probe(&path);
            let stream = &probed["streams"][0];
            assert_eq!((stream["codec_name"].as_str(), stream["sample_rate"].as_str()), (Some(codec), Some("44100")));
            assert_eq!(stream["channels"], 2);
            let seconds: f64 = probed["format"]["duration"].as_str().unwrap().parse().unwrap();
            let millis = output.duration_millis().unwrap();
            assert!((seconds * 1000.0 - millis as f64).abs() < 2.0, "{extension}: {seconds} s, {millis} ms");
            assert!((seconds - 2.0).abs() < 0.06, "{extension}: {seconds} s");
            assert_eq!(output.duration(), Some((millis + 999) / 1000));
            assert_eq!(output.file_size(), Some(path.metadata().unwrap().len() as i64));
            assert_eq!((output.status(), output.status_detail(), output.width()), (Some("Complete"), None, None));
        }

        let events = service.events(2).await;
        let (subject, progressing) = &events[0];
        assert_eq!(progressing.state, State::Progressing);
        assert!(subject.contains("has scheduled job"), "{subject}");
        assert!(progressing.outputs.iter().all(|output| output.status == "Progressing"));
        let (subject, completed) = &events[1];
        assert_eq!(completed.state, State::Completed);
        assert!(subject.contains(job.id().unwrap()), "{subject}");
        assert_eq!(completed.output_key_prefix.as_deref(), Some("transcoded/"));
        assert_eq!(completed.user_metadata.as_ref().unwrap()["owner"], "demo");
        let keys: Vec<_> = completed.outputs.iter().map(|output| output.key.as_str()).collect();
        assert_eq!(keys, ["a.wav", "a.flac", "a.mp4"]);
        assert_eq!(completed.outputs[0].file_size, job.outputs()[0].file_size().map(|size| size as u64));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_audio_preset_that_is_taken_makes_its_file() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a", &media::wav(directory.path(), 1.0)).await;
    let pipeline = service.pipeline().await;
    let presets = [
        ("100120", "aac", 2),
        ("100141", "aac", 1),
        ("200060", "aac", 2),
        ("200071", "aac", 1),
        ("300010", "mp3", 2),
        ("300040", "mp3", 2),
        ("300200", "pcm_u8", 2),
    ];
    let outputs = presets.map(|(number, ..)| output(number, &format!("1351620000001-{number}")));
    let job = service.create_job(&pipeline, "media/a", outputs.into()).await;
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    for ((number, codec, channels), output) in presets.into_iter().zip(job.outputs()) {
        let (path, _) = service.get(&format!("transcoded/{number}"), directory.path()).await;
        let probed = media::probe(&path);
        assert_eq!(probed["streams"][0]["codec_name"], codec, "{number}");
        assert_eq!(probed["streams"][0]["channels"], channels, "{number}");
        let millis = output.duration_millis().unwrap();
        assert!((950..1100).contains(&millis), "{number}: {millis}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_output_goes_in_parts() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a", &media::flac(directory.path(), 200.0)).await;
    let pipeline = service.pipeline().await;
    let job = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await;
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    assert!(job.output().unwrap().file_size().unwrap() > 32 * 1024 * 1024);
    let (path, content_type) = service.get("transcoded/a.wav", directory.path()).await;
    assert_eq!(path.metadata().unwrap().len() as i64, job.output().unwrap().file_size().unwrap());
    assert_eq!(content_type, "audio/wav");
    assert_eq!(media::probe(&path)["format"]["duration"], "200.000000");
}
