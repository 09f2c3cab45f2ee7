//! Several inputs that become one output, and clips of single outputs.

use aws_sdk_elastictranscoder::types::{Job, JobInput};
use testing::{TestDatabase, databases, media};

use crate::support::{FLAC, MP4, Service, WAV, clipped_output, output, service, service_with, span};

/// Bytes of a second of stereo at 44.1 kHz.
const SECOND: usize = 44_100 * 4;

fn input(key: &str) -> JobInput {
    JobInput::builder().key(key).build()
}

fn clipped(key: &str, start: &str, duration: Option<&str>) -> JobInput {
    JobInput::builder().key(key).time_span(span(start, duration)).build()
}

/// Noise that is different for each seed, in a file of the bucket.
async fn noise(service: &Service, directory: &std::path::Path, name: &str, seed: u32, more: &str) -> Vec<u8> {
    let arguments = format!("-f lavfi -i anoisesrc=d=1:c=pink:r=44100:seed={seed} {more}");
    let path = media::make(directory, name, &arguments);
    service.put_file(name, &path).await;
    media::samples(&path)
}

fn detail(job: &Job, output: usize) -> &str {
    job.outputs()[output].status_detail().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_joined_to_the_sample() {
    for database in databases().await {
        let kind = database.kind();
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        let a = noise(&service, directory.path(), "a.wav", 1, "-ac 2 -c:a pcm_s16le").await;
        let b = noise(&service, directory.path(), "b.flac", 2, "-ac 2 -sample_fmt s16").await;
        let inputs = vec![input("a.wav"), clipped("b.flac", "0.25", Some("0.5")), input("a.wav")];
        let job = service.joined(inputs, vec![output("a.flac", FLAC), output("a.wav", WAV)]).await;
        assert_eq!(job.status(), Some("Complete"), "{kind:?}: {job:?}");
        let expected = [&a, &b[SECOND / 4..SECOND * 3 / 4], &a].concat();
        for name in ["transcoded/a.flac", "transcoded/a.wav"] {
            let (path, _) = service.get(name, directory.path()).await;
            assert!(media::samples(&path) == expected, "{name}");
        }
        assert_eq!((job.outputs()[0].duration_millis(), job.outputs()[0].status_detail()), (Some(2500), None));

        let sizes: Vec<_> = job.inputs().iter().map(|input| input.detected_properties().unwrap().file_size()).collect();
        assert_eq!(sizes[0], sizes[2]);
        assert!(sizes[0] != sizes[1] && sizes[1].is_some(), "{sizes:?}");
        assert_eq!(job.input(), job.inputs().first());
        let (_, completed) = service.events(2).await.remove(1);
        assert_eq!((completed.input_count, completed.input.unwrap().key.as_deref()), (Some(3), Some("a.wav")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_all_kinds_become_like_the_first() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    noise(&service, directory.path(), "a.flac", 1, "-ac 1 -ar 32000 -sample_fmt s32").await;
    noise(&service, directory.path(), "b.mp3", 2, "-ac 2 -ar 48000 -c:a libmp3lame").await;
    noise(&service, directory.path(), "c.ogg", 3, "-ac 2 -c:a libvorbis").await;
    let auto = aws_sdk_elastictranscoder::types::AudioParameters::builder().codec("flac").channels("auto");
    let preset = service.preset("flac", auto.sample_rate("auto").build()).await;
    let inputs = ["a.flac", "b.mp3", "c.ogg"].map(input);
    let job = service.joined(inputs.into(), vec![output("a.flac", &preset)]).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    let (path, _) = service.get("transcoded/a.flac", directory.path()).await;
    let stream = &media::probe(&path)["streams"][0];
    assert_eq!((stream["sample_rate"].as_str(), &stream["channels"]), (Some("32000"), &1.into()));
    let millis = job.outputs()[0].duration_millis().unwrap();
    assert!((2995..3060).contains(&millis), "{millis}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_inputs_are_joined() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let a = noise(&service, directory.path(), "a.wav", 1, "-ac 2 -c:a pcm_s16le").await;
    let inputs = (0..40).map(|_| clipped("a.wav", "0.5", Some("0.1"))).collect();
    let job = service.joined(inputs, vec![output("a.wav", WAV), output("a.mp4", MP4)]).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    let (path, _) = service.get("transcoded/a.wav", directory.path()).await;
    assert!(media::samples(&path) == a[SECOND / 2..SECOND * 6 / 10].repeat(40));
    assert_eq!(job.outputs()[1].duration_millis(), Some(4000));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_inputs_are_joined_and_encoded_in_segments() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("a", &media::flac(directory.path(), 40.0)).await;
    let title = "-f lavfi -i anoisesrc=d=30:r=44100 -ac 2 -metadata title=First -c:a flac";
    service.put_file("b", &media::make(directory.path(), "b.flac", title)).await;
    let outputs = vec![output("a.mp4", MP4), output("a.wav", WAV), clipped_output("b.mp4", MP4, "29", Some("2"))];
    let job = service.joined(vec![input("b"), input("a")], outputs).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    let millis: Vec<_> = job.outputs().iter().map(|output| output.duration_millis().unwrap()).collect();
    assert_eq!(millis, [70_000, 70_000, 2000]);
    let (path, _) = service.get("transcoded/a.mp4", directory.path()).await;
    assert_eq!(media::probe(&path)["format"]["tags"]["title"], "First");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_that_do_not_go_together_fail() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    noise(&service, directory.path(), "a.wav", 1, "-ac 2").await;
    for (name, arguments) in [
        ("silent.mkv", "-f lavfi -i testsrc=size=64x48:d=1 -c:v mpeg4"),
        ("film.mkv", "-f lavfi -i testsrc=size=64x48:d=1 -f lavfi -i sine=d=1 -c:v mpeg4 -c:a pcm_s16le"),
        ("song.mp3", "-f lavfi -i sine=d=1 -f lavfi -i color=s=64x48 -frames:v 1 -c:v png -disposition:v attached_pic"),
    ] {
        service.put_file(name, &media::make(directory.path(), name, arguments)).await;
    }
    service.put("text", aws_sdk_s3::primitives::ByteStream::from_static(&[b'x'; 5000])).await;
    for (inputs, starts) in [
        (vec![input("film.mkv"), input("silent.mkv")], "4026 "),
        (vec![input("a.wav"), input("film.mkv")], "4025 "),
        (vec![input("a.wav"), clipped("a.wav", "1", None)], "4014 "),
        (vec![input("a.wav"), input("text")], "4000 "),
        (vec![input("silent.mkv"), input("silent.mkv")], "4008 "),
        (vec![input("a.wav"), input("none")], "3001 "),
    ] {
        let job = service.joined(inputs, vec![output(&starts.replace(' ', ".wav"), WAV)]).await;
        assert_eq!(job.status(), Some("Error"), "{starts}");
        assert!(detail(&job, 0).starts_with(starts), "{starts}: {}", detail(&job, 0));
    }
    // A cover picture is no video.
    let job = service.joined(vec![input("a.wav"), input("song.mp3")], vec![output("song.wav", WAV)]).await;
    assert_eq!((job.status(), detail(&job, 0)), (Some("Complete"), ""));
    let inputs = vec![clipped("a.wav", "0.5", Some("5")), input("a.wav")];
    let job = service.joined(inputs, vec![output("short.wav", WAV)]).await;
    assert_eq!((job.status(), job.outputs()[0].duration_millis()), (Some("Complete"), Some(1500)));
    assert!(detail(&job, 0).starts_with("The starting time plus the duration of a clip exceeded"), "{job:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_have_one_limit_together() {
    let service = service_with(TestDatabase::sqlite(), &["--max-input-bytes", "300000"]).await;
    let directory = tempfile::tempdir().unwrap();
    // 176 kB.
    noise(&service, directory.path(), "a.wav", 1, "-ac 2").await;
    let job = service.joined(vec![input("a.wav"), input("a.wav")], vec![output("a.wav", WAV)]).await;
    assert!(detail(&job, 0).starts_with("4022 "), "{}", detail(&job, 0));
    let job = service.joined(vec![input("a.wav")], vec![output("b.wav", WAV)]).await;
    assert_eq!(job.status(), Some("Complete"));
    noise(&service, directory.path(), "b.wav", 1, "-ac 4").await;
    let job = service.joined(vec![input("b.wav")], vec![output("c.wav", WAV)]).await;
    assert!(detail(&job, 0).starts_with("4002 "), "{}", detail(&job, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_output_may_have_a_clip_of_its_own() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let a = noise(&service, directory.path(), "a.wav", 1, "-ac 2").await;
    let outputs = vec![
        output("all", WAV),
        clipped_output("part", FLAC, "0.25", Some("0.25")),
        clipped_output("end", WAV, "0.5", Some("9")),
        clipped_output("behind", FLAC, "3", None),
    ];
    let job = service.joined(vec![clipped("a.wav", "0.1", Some("0.8"))], outputs).await;
    let of = async |name: &str| service.get(&format!("transcoded/{name}"), directory.path()).await.0;
    for (name, from, to) in [("all", 10, 90), ("part", 35, 60), ("end", 60, 90)] {
        assert!(media::samples(&of(name).await) == a[SECOND * from / 100..SECOND * to / 100], "{name}");
    }
    let statuses: Vec<_> = job.outputs().iter().map(|output| output.status().unwrap()).collect();
    assert_eq!((job.status().unwrap(), statuses), ("Error", vec!["Complete", "Complete", "Complete", "Error"]));
    assert_eq!((detail(&job, 0), detail(&job, 1)), ("", ""));
    // It ends where the clip of the input does.
    assert!(detail(&job, 2).starts_with("The starting time plus the duration of a clip exceeded"));
    assert!(detail(&job, 3).starts_with("4014 "), "{}", detail(&job, 3));

    // Of inputs that are joined, a clip may go over the seam.
    let two = vec![input("a.wav"), input("a.wav")];
    let outputs = vec![clipped_output("seam", WAV, "0.75", Some("0.5")), clipped_output("long", WAV, "1.5", Some("1"))];
    let job = service.joined(two, outputs).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    let expected = [&a[SECOND * 3 / 4..], &a[..SECOND / 4]].concat();
    assert!(media::samples(&of("seam").await) == expected);
    assert!(detail(&job, 1).starts_with("The starting time plus the duration of a clip exceeded"));
}
