//! Jobs that succeed.

use aws_sdk_elastictranscoder::types::{JobInput, TimeSpan};
use elastic_transcoder::notification::State;
use testing::{TestDatabase, databases, media};

use crate::support::{FLAC, MP4, WAV, output, service, service_with};

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
async fn every_audio_preset_makes_its_file() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a", &media::wav(directory.path(), 1.0)).await;
    let pipeline = service.pipeline().await;
    let presets = [
        ("100110", "aac", 2),
        ("100120", "aac", 2),
        ("100130", "aac", 2),
        ("100141", "aac", 1),
        ("200060", "aac", 2),
        ("200071", "aac", 1),
        ("300010", "mp3", 2),
        ("300020", "mp3", 2),
        ("300030", "mp3", 2),
        ("300040", "mp3", 2),
        ("300110", "flac", 2),
        ("300200", "pcm_u8", 2),
        ("300300", "pcm_s16le", 2),
        ("500060", "aac", 2),
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

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_is_cut_out_to_the_sample() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let original = media::wav(directory.path(), 3.0);
    service.put_file("media/a", &original).await;
    let pipeline = service.pipeline().await;
    let ended = async |start: &str, duration: Option<&str>, name: &str| {
        let span = TimeSpan::builder().start_time(start).set_duration(duration.map(str::to_owned)).build();
        let input = JobInput::builder().key("media/a").time_span(span).build();
        let create = service.client.create_job().pipeline_id(&pipeline).input(input);
        let created = create.outputs(output(name, WAV)).output_key_prefix("transcoded/").send().await.unwrap();
        service.ended(created.job.unwrap().id().unwrap()).await
    };

    let job = ended("00:00:01.250", Some("0.5"), "middle").await;
    let made = &job.outputs()[0];
    assert_eq!((made.status(), made.duration_millis(), made.status_detail()), (Some("Complete"), Some(500), None));
    let (path, _) = service.get("transcoded/middle", directory.path()).await;
    let samples = |path: &std::path::Path, at: usize, bytes: usize| {
        let file = std::fs::read(path).unwrap();
        let data = file.windows(4).position(|word| word == b"data").unwrap() + 8;
        file[data + at..data + at + bytes].to_vec()
    };
    // Two bytes for each of two channels.
    let (at, length) = (44_100 * 4 * 5 / 4, 44_100 * 4 / 2);
    assert_eq!(samples(&path, 0, length), samples(&original, at, length));

    let job = ended("2.5", Some("5"), "end").await;
    let made = &job.outputs()[0];
    assert_eq!((made.status(), made.duration_millis()), (Some("Complete"), Some(500)));
    assert!(made.status_detail().unwrap().starts_with("The starting time plus the duration of a clip exceeded"));

    let job = ended("3", None, "behind").await;
    assert_eq!(job.status(), Some("Error"));
    assert!(job.outputs()[0].status_detail().unwrap().starts_with("4014 "), "{job:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_input_is_encoded_in_segments_to_the_same_length() {
    let service = service(testing::TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a", &media::wav(directory.path(), 70.0)).await;
    let pipeline = service.pipeline().await;
    let outputs = vec![output("a.mp4", MP4), output("a.wav", WAV), output("a.ts", "1351620000001-200060")];
    let job = service.create_job(&pipeline, "media/a", outputs).await;
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    for (output, most) in job.outputs().iter().zip([70_000, 70_000, 70_060]) {
        let millis = output.duration_millis().unwrap();
        assert!((70_000..=most).contains(&millis), "{:?}: {millis}", output.key());
    }
    let (path, _) = service.get("transcoded/a.mp4", directory.path()).await;
    assert_eq!(media::probe(&path)["streams"][0]["codec_name"], "aac");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_job_is_can_be_read_and_is_published() {
    let service = service_with(TestDatabase::sqlite(), &["--publish-progress"]).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a", &media::mp3(directory.path(), 900.0)).await;
    let pipeline = service.pipeline().await;
    let outputs =
        ["300010", "300020", "300030", "300040"].map(|number| output(number, &format!("1351620000001-{number}")));
    let job = service.create_job(&pipeline, "media/a", outputs.into()).await;
    // The first message says that it began, others how far it is; at first no segment is done.
    let told = loop {
        let (_, event) = service.events(1).await.remove(0);
        assert_eq!(event.state, State::Progressing);
        if let Some(told) = event.progress.filter(|told| told.percent > 0) {
            break told;
        }
    };
    assert!(told.percent < 100 && told.speed > 0.0, "{told:?}");
    let read = service.raw_job(job.id().unwrap()).await;
    assert!(read["Job"]["Progress"]["Percent"].as_u64().unwrap() >= told.percent.into(), "{read}");
    service.client.cancel_job().id(job.id().unwrap()).send().await.unwrap();
    assert_eq!(service.ended(job.id().unwrap()).await.status(), Some("Canceled"));
}
