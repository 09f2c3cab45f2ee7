//! What happens to a file as soon as it can, while other work of its job goes on.

use std::path::Path;

use testing::{TestDatabase, databases, eventually, media};

use crate::support::{FLAC, MP4, PATIENCE, WAV, gated, output, service_behind_line};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_stored_while_segments_are_still_encoded() {
    for database in databases().await {
        let kind = database.kind();
        let directory = tempfile::tempdir().unwrap();
        let service = gated(database, "3").await;
        let gate = service.gate.as_ref().unwrap();
        gate.close();
        service.put_file("media/long", &media::flac(directory.path(), 100.0)).await;
        let outputs = vec![output("a.wav", WAV), output("a.flac", FLAC), output("a.mp4", MP4)];
        let job = service.create_job(&service.pipeline().await, "media/long", outputs).await;

        for name in ["a.wav", "a.flac"] {
            let stored = async || {
                let found = service.world.aws().s3.head_object().bucket("segue-media");
                found.key(format!("transcoded/{name}")).send().await.ok()
            };
            let found = eventually(PATIENCE, stored).await;
            assert!(found.content_length().unwrap() > 1_000_000, "{kind:?}");
        }
        let running = service.read_job(job.id().unwrap()).await;
        assert_eq!(running.status(), Some("Progressing"), "{kind:?}: {running:?}");
        // They have gone from the disk, too.
        let scratch = service.scratch_job().unwrap();
        let gone = async || (!scratch.join("output-0").exists() && !scratch.join("output-1").exists()).then_some(());
        eventually(PATIENCE, gone).await;

        gate.reopen();
        let job = service.ended(job.id().unwrap()).await;
        assert_eq!(job.status(), Some("Complete"), "{kind:?}: {job:?}");
        for output in job.outputs() {
            let (path, _) = service.get(&format!("transcoded/{}", output.key().unwrap()), directory.path()).await;
            assert_eq!(output.duration_millis(), Some(100_000), "{kind:?}: {output:?}");
            assert_eq!(output.file_size(), Some(path.metadata().unwrap().len() as i64));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_input_is_worked_on_while_it_still_comes() {
    let directory = tempfile::tempdir().unwrap();
    let (service, line) = service_behind_line(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let kinds = [
        ("wav", 60, "-c:a pcm_s16le"),
        ("flac", 70, "-c:a flac"),
        // Its last frame has silence that is no part of the sound.
        ("mp3", 240, "-c:a libmp3lame -b:a 320k"),
    ];
    for (kind, seconds, coder) in kinds {
        let noise = format!(
            "-f lavfi -i anoisesrc=d={seconds}:r=44100:a=0.5 -af pan=stereo|c0=c0|c1=-0.7*c0 -metadata title=Noise {coder}"
        );
        let input = media::make(directory.path(), &format!("noise.{kind}"), &noise);
        assert!(input.metadata().unwrap().len() > 9 * 1024 * 1024, "{kind}");
        service.put_file(&format!("media/{kind}"), &input).await;

        line.slow_down();
        let outputs = vec![output(&format!("{kind}.flac"), FLAC), output(&format!("{kind}.mp4"), MP4)];
        let job = service.create_job(&pipeline, &format!("media/{kind}"), outputs).await;
        let begun = async || {
            let made = service.scratch_job()?.join("output-0");
            (made.metadata().ok()?.len() > 500_000).then_some(())
        };
        eventually(PATIENCE, begun).await;
        assert!(line.is_slow(), "{kind}");
        line.speed_up();

        let job = service.ended(job.id().unwrap()).await;
        assert_eq!(job.status(), Some("Complete"), "{kind}: {job:?}");
        let detected = job.input().unwrap().detected_properties().unwrap();
        assert_eq!(detected.file_size(), Some(input.metadata().unwrap().len() as i64), "{kind}");
        let off = (detected.duration_millis().unwrap() - seconds * 1000).abs();
        assert!(off < 100, "{kind}: {detected:?}");
        let (made, _) = service.get(&format!("transcoded/{kind}.flac"), directory.path()).await;
        assert!(media::samples(&made) == media::samples(&input), "{kind}");
        assert_eq!(title(&made).as_deref(), Some("Noise"), "{kind}");
        let (made, _) = service.get(&format!("transcoded/{kind}.mp4"), directory.path()).await;
        assert_eq!(title(&made).as_deref(), Some("Noise"), "{kind}");
        assert_eq!(job.outputs()[0].duration_millis(), job.outputs()[1].duration_millis(), "{kind}");
    }
}

/// The tag of that name, which containers write in their own letters.
fn title(path: &Path) -> Option<String> {
    let probed = media::probe(path);
    let tags = probed["format"]["tags"].as_object()?;
    let title = tags.iter().find(|(name, _)| name.eq_ignore_ascii_case("title"))?.1;
    title.as_str().map(str::to_owned)
}
