//! Gaps, late beginnings and faults of time stamps: all outputs of a job have the length of the input's time line.

use std::path::Path;

use aws_sdk_elastictranscoder::types::{CreateJobOutput, Job};
use testing::{TestDatabase, media};

use crate::support::{FLAC, MP4, Service, WAV, clipped_output, output, service};

/// Bytes of a second of stereo at 44.1 kHz.
const SECOND: usize = 44_100 * 4;

/// A video that lasts longer than the audio, which begins a second and a half late.
const LATE: &str = "-f lavfi -i color=s=64x48:r=5:d=SECONDS -itsoffset 1.5 -f lavfi -i anoisesrc=r=44100:d=AUDIO \
-ac 2 -c:v mpeg4";
/// Three seconds are missing after two.
const GAP: &str = "-f lavfi -i anoisesrc=r=44100:d=AUDIO,asetpts='if(gt(T,2),PTS+3/TB,PTS)' -ac 2";

fn source(arguments: &str, seconds: u32, audio: u32, codec: &str) -> String {
    let arguments = arguments.replace("SECONDS", &seconds.to_string()).replace("AUDIO", &audio.to_string());
    format!("{arguments} {codec}")
}

/// Whether a file was joined from segments: then the length of its frames is written in 64 bits.
fn is_joined(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(4).position(|word| word == b"mdat").unwrap();
    bytes[at - 4..at] == [0, 0, 0, 1]
}

async fn run(service: &Service, input: &Path, outputs: Vec<CreateJobOutput>) -> Job {
    service.put_file("media/a", input).await;
    let job = service.create_job(&service.pipeline().await, "media/a", outputs).await;
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!(job.status(), Some("Complete"), "{input:?}: {job:?}");
    job
}

/// The lengths of what is made of a long input: joined from segments, and in one piece.
async fn lengths(service: &Service, directory: &Path, input: &Path) -> Vec<i64> {
    assert!(input.metadata().unwrap().len() > 1024 * 1024, "it is long enough for segments");
    let name = input.file_name().unwrap().to_str().unwrap();
    // What has a clip, be it of all, is made in one piece.
    let one = clipped_output(&format!("{name}-one"), MP4, "0", Some("1000"));
    let outputs = vec![output(name, MP4), one, output(&format!("{name}-wav"), WAV)];
    let job = run(service, input, outputs).await;
    for (key, joined) in [(name.to_owned(), true), (format!("{name}-one"), false)] {
        let (path, _) = service.get(&format!("transcoded/{key}"), directory).await;
        assert_eq!(is_joined(&path), joined, "{key}");
    }
    // What is decoded of both has the length that is said.
    for (output, key) in job.outputs().iter().zip([name.to_owned(), format!("{name}-one"), format!("{name}-wav")]) {
        let samples = media::samples(&service.get(&format!("transcoded/{key}"), directory).await.0).len();
        let millis = (samples / 4) as f64 / 44.1;
        assert!((millis - output.duration_millis().unwrap() as f64).abs() < 24.0, "{key}: {millis} ms, {output:?}");
    }
    job.outputs().iter().map(|output| output.duration_millis().unwrap()).collect()
}

/// All are within a frame of AAC of each other and of what is expected.
fn alike(lengths: &[i64], expected: i64) {
    assert!(lengths.iter().all(|millis| (millis - expected).abs() <= 24), "{lengths:?} instead of {expected}");
    let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
    assert!(most - least <= 24, "{lengths:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_late_has_silence_before() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    for (name, codec) in [("late.mkv", "-c:a pcm_s16le"), ("late.mp4", "-c:a aac")] {
        let short = media::make(directory.path(), name, &source(LATE, 5, 2, codec));
        run(&service, &short, vec![output(&format!("{name}.wav"), WAV), output(&format!("{name}.mp4"), MP4)]).await;
        let (wav, _) = service.get(&format!("transcoded/{name}.wav"), directory.path()).await;
        let samples = media::samples(&wav);
        assert!((samples.len() as i64 - (SECOND * 7 / 2) as i64).unsigned_abs() < SECOND as u64 / 40, "{name}");
        // An AAC coder's delay comes before its first sample.
        let silent = samples.iter().take_while(|&&byte| byte == 0).count();
        assert!((SECOND * 3 / 2).abs_diff(silent) < SECOND / 40, "{name}: {silent}");
        let (mp4, _) = service.get(&format!("transcoded/{name}.mp4"), directory.path()).await;
        let length = media::samples(&mp4).len();
        assert!(length.abs_diff(samples.len()) <= 2048 * 4, "{name}: {length} and {}", samples.len());
        let long = media::make(
            directory.path(),
            &format!("long-{name}"),
            &source(LATE, 80, 70, &format!("{codec} -b:v 1M -b:a 256k")),
        );
        alike(&lengths(&service, directory.path(), &long).await, 71_500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_filled() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    for (name, codec) in
        [("gap.mkv", "-c:a pcm_s16le"), ("gap.ts", "-c:a mp2 -b:a 320k"), ("gap.mp4", "-c:a aac -b:a 256k")]
    {
        let short = media::make(directory.path(), name, &source(GAP, 0, 4, codec));
        run(&service, &short, vec![output(&format!("{name}.wav"), WAV)]).await;
        let (wav, _) = service.get(&format!("transcoded/{name}.wav"), directory.path()).await;
        let samples = media::samples(&wav);
        assert!(samples.len().abs_diff(SECOND * 7) < SECOND / 20, "{name}: {}", samples.len());
        let silent = SECOND * 22 / 10..SECOND * 48 / 10;
        assert!(samples[silent].iter().all(|&byte| byte == 0), "{name}");
        let long = media::make(directory.path(), &format!("long-{name}"), &source(GAP, 0, 70, codec));
        let lengths = lengths(&service, directory.path(), &long).await;
        assert!((lengths[0] - 73_000).abs() < 60, "{name}: {lengths:?}");
        alike(&lengths, lengths[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_of_hours_is_a_fault_and_no_gap() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    for (name, codec) in [("jump.mkv", "-c:a pcm_s16le"), ("jump.mp4", "-c:a aac")] {
        let jump = GAP.replace("3/TB", "18000/TB");
        let path = media::make(directory.path(), name, &source(&jump, 0, 4, codec));
        let job = run(&service, &path, vec![output(name, WAV)]).await;
        let millis = job.outputs()[0].duration_millis().unwrap();
        assert!((4000..4030).contains(&millis), "{name}: {millis}");
    }
    // Nor is what begins hours later than its file.
    let late = LATE.replace("1.5", "18000");
    let path = media::make(directory.path(), "late.mkv", &source(&late, 1, 4, "-c:a pcm_s16le"));
    let job = run(&service, &path, vec![output("late", WAV)]).await;
    assert_eq!(job.outputs()[0].duration_millis(), Some(4000));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_change_midway_change_no_length() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let part = |name: &str, arguments: &str| {
        // The audio begins later than the video, from which a stream of this kind has no silence.
        let video = "-f lavfi -i color=s=64x48:r=5:d=40 -itsoffset 0.5";
        let all = format!("{video} -f lavfi -i anoisesrc=d=40:r=44100 -c:v mpeg2video -c:a mp2 {arguments} -f mpegts");
        std::fs::read(media::make(directory.path(), name, &all)).unwrap()
    };
    let parts = [part("1", "-ac 2 -b:a 256k"), part("2", "-ac 1 -ar 48000 -b:a 128k -output_ts_offset 40")];
    let path = directory.path().join("change.ts");
    std::fs::write(&path, parts.concat()).unwrap();
    let lengths = lengths(&service, directory.path(), &path).await;
    alike(&lengths, lengths[0]);
    assert!((80_000..80_100).contains(&lengths[0]), "{lengths:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_gap_keeps_every_sample() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    for (name, seconds) in [("short.wav", "1.2345"), ("long.wav", "65.4321")] {
        let wav = format!("-f lavfi -i anoisesrc=d={seconds}:r=44100 -ac 2 -c:a pcm_s16le");
        let path = media::make(directory.path(), name, &wav);
        run(&service, &path, vec![output(name, FLAC), output(&format!("{name}.mp4"), MP4)]).await;
        let (made, _) = service.get(&format!("transcoded/{name}"), directory.path()).await;
        assert!(media::samples(&made) == media::samples(&path), "{name}");
    }
}
