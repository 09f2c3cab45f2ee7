//! Title, artist and language go from an input to what is made of it.

use testing::{TestDatabase, media};

use crate::support::{FLAC, MP4, WAV, output, service};

const TAGS: &str = "-metadata title=Song -metadata artist=Singer -metadata:s:a:0 language=deu";

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_a_file_and_of_a_stream_are_kept() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let pipeline = service.pipeline().await;
    // The longer ones are encoded in segments.
    for (name, seconds, codec) in [
        ("short.opus", 1, "-c:a libopus"),
        ("short.oga", 1, "-c:a flac -f ogg"),
        ("long.oga", 65, "-c:a flac -f ogg"),
        ("short.m4a", 1, "-c:a aac"),
        ("long.m4a", 65, "-c:a alac"),
    ] {
        let arguments = format!("-f lavfi -i anoisesrc=d={seconds}:r=44100 -ac 2 {codec} {TAGS}");
        service.put_file("media/a", &media::make(directory.path(), name, &arguments)).await;
        let key = |kind: &str| format!("{name}.{kind}");
        let presets = [("mp3", "1351620000001-300040"), ("mp4", MP4), ("flac", FLAC), ("wav", WAV)];
        let outputs = presets.map(|(kind, preset)| output(&key(kind), preset));
        let job = service.create_job(&pipeline, "media/a", outputs.into()).await;
        assert_eq!(service.ended(job.id().unwrap()).await.status(), Some("Complete"), "{name}");
        for (kind, _) in presets {
            let (path, _) = service.get(&format!("transcoded/{}", key(kind)), directory.path()).await;
            let probed = media::probe(&path);
            let tags = &probed["format"]["tags"];
            let tag = |name: &str| tags[name].as_str().or(tags[name.to_uppercase()].as_str());
            assert_eq!(tag("title"), Some("Song"), "{name}, {kind}: {tags}");
            // An M4A file says it to players of Apple, a WAV file in its list.
            assert_eq!(tag("artist"), Some("Singer"), "{name}, {kind}: {tags}");
            if kind == "mp4" {
                assert_eq!(probed["streams"][0]["tags"]["language"], "deu", "{name}");
            }
        }
    }
}
