//! Every audio preset on every kind of input.

use std::path::{Path, PathBuf};
use std::process::Command;

use aws_sdk_elastictranscoder::types::Job;
use testing::{TestDatabase, media};

use crate::support::{Service, output, service};

/// What a system preset makes: its number, codec, profile, channels, and bits of a sample where the codec has them.
/// The last is at 48 kHz, the others at 44.1.
const PRESETS: [(&str, &str, &str, u64, &str); 14] = [
    ("100110", "aac", "LC", 2, ""),
    ("100120", "aac", "LC", 2, ""),
    ("100130", "aac", "LC", 2, ""),
    ("100141", "aac", "LC", 1, ""),
    ("200060", "aac", "LC", 2, ""),
    ("200071", "aac", "LC", 1, ""),
    ("300010", "mp3", "", 2, ""),
    ("300020", "mp3", "", 2, ""),
    ("300030", "mp3", "", 2, ""),
    ("300040", "mp3", "", 2, ""),
    ("300110", "flac", "", 2, "16"),
    ("300200", "pcm_u8", "", 2, "8"),
    ("300300", "pcm_s16le", "", 2, "16"),
    ("500060", "aac", "LC", 2, ""),
];
const RATE: f64 = 44_100.0;
/// The longest frame of these codecs is one of MP3.
const FRAME: f64 = 1152.0;
const SECONDS: f64 = 2.5;

/// An input: its name, how ffmpeg makes it, and whether what is lossless must have its very samples.
struct Kind {
    name: &'static str,
    arguments: &'static str,
    is_exact: bool,
}

const fn kind(name: &'static str, arguments: &'static str) -> Kind {
    Kind { name, arguments, is_exact: false }
}

const fn exact(name: &'static str, arguments: &'static str) -> Kind {
    Kind { name, arguments, is_exact: true }
}

const KINDS: [Kind; 21] = [
    kind("a.mp3", "-c:a libmp3lame -b:a 128k"),
    kind("a.m4a", "-c:a aac -b:a 128k"),
    kind("a.aac", "-c:a aac -b:a 128k -f adts"),
    kind("a.ogg", "-c:a libvorbis"),
    kind("a.opus", "-c:a libopus -ar 48000"),
    exact("a.flac", "-c:a flac"),
    kind("8.wav", "-c:a pcm_u8"),
    exact("16.wav", "-c:a pcm_s16le"),
    kind("24.wav", "-c:a pcm_s24le"),
    kind("32.wav", "-c:a pcm_s32le"),
    kind("float.wav", "-c:a pcm_f32le"),
    exact("a.aiff", "-c:a pcm_s16be"),
    exact("a.caf", "-c:a pcm_s16le"),
    kind("film.mp4", "-f lavfi -i testsrc=d=2.5:s=64x48 -map 1:v -map 0:a -c:v mpeg4 -c:a aac"),
    exact("film.mkv", "-f lavfi -i testsrc=d=2.5:s=64x48 -map 1:v -map 0:a -c:v mpeg4 -c:a flac"),
    kind("a.ts", "-c:a aac -f mpegts"),
    kind("surround.flac", "-c:a flac -ac 6"),
    kind("surround.m4a", "-c:a aac -ac 6"),
    kind("mono.wav", "-c:a pcm_s16le -ac 1"),
    kind("8000.wav", "-c:a pcm_s16le -ar 8000"),
    kind("192000.flac", "-c:a flac -ar 192000 -sample_fmt s32"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_audio_preset_makes_its_file_of_every_input() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let pipeline = service.pipeline().await;
    let mut jobs = Vec::new();
    for kind in &KINDS {
        let key = format!("media/{}", kind.name);
        service.put_file(&key, &made(directory.path(), kind, SECONDS)).await;
        let job = service.create_job(&pipeline, &key, outputs(kind.name)).await;
        jobs.push((kind, job.id().unwrap().to_owned()));
    }
    for (kind, id) in jobs {
        let job = service.ended(&id).await;
        assert_eq!(job.status(), Some("Complete"), "{}: {job:?}", kind.name);
        check(&service, directory.path(), kind, &job).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sample_is_enough() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let pipeline = service.pipeline().await;
    for kind in [
        exact("one.wav", "-c:a pcm_s16le -af atrim=end_sample=1"),
        kind("one.flac", "-c:a flac -af atrim=end_sample=1"),
    ] {
        let key = format!("media/{}", kind.name);
        service.put_file(&key, &made(directory.path(), &kind, SECONDS)).await;
        let job = service.create_job(&pipeline, &key, outputs(kind.name)).await;
        let job = service.ended(job.id().unwrap()).await;
        // Resampled to 48 kHz, half a sample's time later, there is none.
        let (resampled, others) = job.outputs().split_last().unwrap();
        assert!(resampled.status_detail().unwrap().starts_with("4000 "), "{resampled:?}");
        for output in others {
            assert_eq!(output.status(), Some("Complete"), "{}: {output:?}", kind.name);
            let millis = output.duration_millis().unwrap();
            assert!((0..=80).contains(&millis), "{}, {:?}: {millis} ms", kind.name, output.key());
        }
        for (number, samples) in [("300110", 1), ("300300", 1)] {
            let (path, _) = service.get(&format!("transcoded/{}/{number}", kind.name), directory.path()).await;
            assert_eq!(decoded(&path).len(), samples * 4, "{} {number}", kind.name);
        }
    }
}

/// Six hours are too much for every run.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a quarter of an hour"]
async fn six_hours() {
    const HOURS: f64 = 6.0 * 3600.0;
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let kind = kind("long.mp3", "-c:a libmp3lame -b:a 64k -ac 1");
    service.put_file("media/long.mp3", &made(directory.path(), &kind, HOURS)).await;
    let pipeline = service.pipeline().await;
    let numbers = ["100141", "300040", "300110", "300300"];
    let outputs = numbers.map(|number| output(number, &format!("1351620000001-{number}"))).into();
    let job = service.create_job(&pipeline, "media/long.mp3", outputs).await;
    let job = loop {
        let job = service.read_job(job.id().unwrap()).await;
        if !matches!(job.status(), Some("Submitted" | "Progressing")) {
            break job;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    };
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    for output in job.outputs() {
        let off = output.duration_millis().unwrap() as f64 - HOURS * 1000.0;
        // The encoder's padding and, for MP3, a frame.
        assert!(off.abs() < 80.0, "{:?}: {off} ms", output.key());
    }
}

fn outputs(name: &str) -> Vec<aws_sdk_elastictranscoder::types::CreateJobOutput> {
    let one = |number: &str| output(&format!("{name}/{number}"), &format!("1351620000001-{number}"));
    PRESETS.iter().map(|(number, ..)| one(number)).collect()
}

fn made(directory: &Path, kind: &Kind, seconds: f64) -> PathBuf {
    let path = directory.join(kind.name);
    // Something of every frequency that both channels do not share.
    let source = format!(
        "sine=frequency=440:sample_rate=44100:duration={seconds}[a];anoisesrc=d={seconds}:c=pink:r=44100:a=0.2:seed=7[b];\
         [a][b]join=inputs=2:channel_layout=stereo"
    );
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &source]);
    assert!(ffmpeg.args(kind.arguments.split(' ')).arg(&path).status().unwrap().success(), "{}", kind.name);
    path
}

async fn check(service: &Service, directory: &Path, kind: &Kind, job: &Job) {
    let name = kind.name;
    // What it is decoded to: an encoder of its own may have added silence.
    let input = decoded(&directory.join(name));
    let seconds_of = |samples: &[u8]| samples.len() as f64 / 4.0 / RATE;
    let expected = seconds_of(&input);
    for ((number, codec, profile, channels, bits), output) in PRESETS.iter().zip(job.outputs()) {
        let (path, _) = service.get(&format!("transcoded/{name}/{number}"), directory).await;
        let probed = media::probe(&path);
        let rate = if *number == "500060" { "48000" } else { "44100" };
        let stream = &probed["streams"][0];
        assert_eq!(
            (&stream["codec_name"], &stream["sample_rate"]),
            (&(*codec).into(), &rate.into()),
            "{name} {number}"
        );
        assert_eq!(stream["channels"], *channels, "{name} {number}");
        if !profile.is_empty() {
            assert_eq!(stream["profile"], *profile, "{name} {number}");
        }
        let given = ["bits_per_raw_sample", "bits_per_sample"].map(|key| stream[key].to_string().replace('"', ""));
        assert!(bits.is_empty() || given.contains(&(*bits).to_owned()), "{name} {number}: {given:?}");
        let samples = decoded(&path);
        let seconds = seconds_of(&samples);
        // MP3 and transport streams hold whole frames, and begin with a part of one that was not in the input.
        let most = if matches!(*codec, "flac" | "pcm_u8" | "pcm_s16le") { 1.5 / RATE } else { 2.0 * FRAME / RATE };
        assert!((seconds - expected).abs() <= most, "{name} {number}: {seconds} s, not {expected} s");
        let told = output.duration_millis().unwrap() as f64 / 1000.0;
        // ffmpeg plays the silence at the beginning of fragmented MP4 too, which players leave out.
        let most = if *number == "500060" { 2.0 * FRAME / RATE } else { FRAME / RATE };
        assert!((told - seconds).abs() <= most, "{name} {number}: told {told} s, is {seconds} s");
        if kind.is_exact && matches!(*number, "300110" | "300300") {
            assert!(samples == input, "{name} {number}: other samples");
        }
    }
}

/// All samples: 16 bit, stereo, 44.1 kHz.
fn decoded(path: &Path) -> Vec<u8> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    let decoded = ffmpeg.args("-map 0:a:0 -ar 44100 -ac 2 -f s16le -".split(' ')).output().unwrap();
    assert!(decoded.status.success(), "{}", path.display());
    decoded.stdout
}
