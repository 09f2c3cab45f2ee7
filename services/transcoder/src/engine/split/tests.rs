use std::path::Path;
use std::process::Command;

use elastic_transcoder::presets;

use super::super::sandbox::Sandbox;
use super::super::{Coders, Limits, Object, TaskInput, TaskOutput, Tools};
use super::*;

const RATE: u32 = 44_100;
const MP4: &str = "1351620000001-100110";
const MP4_128: &str = "1351620000001-100130";
const TS: &str = "1351620000001-200060";
const WAV: &str = "1351620000001-300300";

const EVERY_200: Grid = Grid { sample_bytes: 8, frames: 200, before: 32 };

/// A directory with an input, and what it takes to encode it.
struct Bench {
    directory: tempfile::TempDir,
    runner: Runner,
}

impl Bench {
    /// The input is what ffmpeg's filter graph makes, in FLAC, with a title.
    async fn new(graph: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tools = Tools::find(Path::new("ffmpeg"), Path::new("ffprobe")).await.unwrap();
        let gib = 1 << 30;
        let time = Duration::from_secs(300);
        let limits = Limits { input_bytes: gib, output_bytes: gib, memory_bytes: 4 * gib, time };
        let bench = Self { directory, runner: Runner::new(tools, limits, 2, &[]) };
        let title = ["-metadata", "title=A song"];
        bench.ffmpeg(
            ["-f", "lavfi", "-i", graph, "-ac", "2", "-ar", "44100"].into_iter().chain(title),
            "-f flac",
            "input-0",
        );
        bench
    }

    fn ffmpeg<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, more: &str, to: &str) {
        let mut command = Command::new("ffmpeg");
        command.current_dir(self.path()).args(["-v", "error", "-nostdin", "-y"]).args(arguments);
        assert!(command.args(more.split(' ')).arg(format!("file:{to}")).status().unwrap().success());
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Encodes in segments.
    async fn split(&self, presets: &[&str], grid: Grid) -> Result<(), StepError> {
        let task = task(presets);
        let all: Vec<usize> = (0..presets.len()).collect();
        let (joined, whole) = all.iter().partition(|&&index| task.outputs[index].encoding.can_be_joined());
        let sound = Sound { rate: RATE, channels: 2 };
        let plan = Plan { sound, grid, joined, whole };
        let source = Source::unknown(self.path(), &task.inputs);
        encode(&self.runner, &source, &task, &plan, None).await
    }

    /// Encodes in one piece.
    async fn single(&self, preset: &str) {
        let task = task(&[preset]);
        let source = Source::unknown(self.path(), &task.inputs);
        let results = encode::encode(&self.runner, &source, &task, &[0], None).await.unwrap();
        assert_eq!(results, [Ok(())]);
    }

    /// The samples of both channels, one behind the other.
    fn samples(&self, name: &str) -> Vec<f32> {
        let file = format!("file:{name}");
        self.ffmpeg(["-i", &file], "-f f32le", "samples");
        let bytes = std::fs::read(self.path().join("samples")).unwrap();
        bytes.chunks_exact(4).map(|sample| f32::from_le_bytes(sample.try_into().unwrap())).collect()
    }

    fn probe(&self, name: &str, entries: &str) -> String {
        let mut command = Command::new("ffprobe");
        command.current_dir(self.path()).args(["-v", "error", "-show_entries", entries, "-of", "compact"]);
        String::from_utf8(command.arg(format!("file:{name}")).output().unwrap().stdout).unwrap()
    }
}

fn task(presets: &[&str]) -> Task {
    let object = Object { bucket: String::new(), key: String::new() };
    let encoding = |id: &str| Encoding::of(presets::get(id).unwrap(), Coders::default()).unwrap();
    let output = |id: &&str| TaskOutput { object: object.clone(), clip: None, encoding: encoding(id), album_art: None };
    let outputs = presets.iter().map(output).collect();
    let input = TaskInput { object: object.clone(), demuxer: None, clip: None };
    Task { job_id: "test".into(), inputs: vec![input], outputs, offers: None }
}

/// The energy of what differs, in decibels of some unit.
fn error(original: &[f32], coded: &[f32]) -> f64 {
    let energy: f64 = original.iter().zip(coded).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    10.0 * (energy + 1e-12).log10()
}

#[tokio::test]
async fn what_is_joined_is_like_what_is_encoded_in_one_piece() {
    let bench = Bench::new("anoisesrc=d=21.5:c=pink:a=0.5:seed=7").await;
    bench.split(&[MP4, WAV, TS], EVERY_200).await.unwrap();
    for name in ["output-0", "output-1", "output-2"] {
        std::fs::rename(bench.path().join(name), bench.path().join(name.replace("output", "joined"))).unwrap();
    }
    let entries = "stream=codec_name,profile,sample_rate,channels,start_pts,duration_ts,nb_frames:format_tags=title";
    for (joined, preset) in [("joined-0", MP4), ("joined-1", WAV), ("joined-2", TS)] {
        bench.single(preset).await;
        assert_eq!(bench.probe(joined, entries), bench.probe("output-0", entries), "{preset}");
        assert_eq!(bench.samples(joined).len(), bench.samples("output-0").len(), "{preset}");
    }
    assert!(bench.probe("joined-0", entries).contains("title=A song"));
    let left: Vec<_> = std::fs::read_dir(bench.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let scratch =
        left.iter().filter(|name| ["part", "segm"].iter().any(|kind| name.to_string_lossy().starts_with(kind)));
    assert_eq!(scratch.count(), 0, "{left:?}");
}

/// Noise that swells, tones that waver, a click now and then: what makes a coder change its windows.
fn lively(seconds: u32) -> String {
    format!(
        "anoisesrc=d={seconds}:c=pink:a=0.4:seed=3,tremolo=f=3:d=0.8[n];\
         sine=f=330:d={seconds},vibrato=f=5:d=0.5[s];\
         aevalsrc='0.8*lt(mod(t,0.37),0.001)':d={seconds}[c];[n][s][c]amix=inputs=3:normalize=0"
    )
}

/// What remains of the sound when 50 ms around each place are taken out of the original, in decibels against an
/// encoding in one piece.
fn errors(places: &[usize], original: &[f32], joined: &[f32], single: &[f32]) -> Vec<f64> {
    let half = (RATE / 40) as usize * 2;
    let at = |&place: &usize| {
        let window = place - half..(place + half).min(original.len());
        error(&original[window.clone()], &joined[window.clone()]) - error(&original[window.clone()], &single[window])
    };
    places.iter().map(at).collect()
}

/// Encodes with seams every so many frames and compares what is around them with what is between them.
async fn compare(preset: &str, seconds: u32, grid: Grid) {
    let bench = Bench::new(&lively(seconds)).await;
    bench.split(&[preset], grid).await.unwrap();
    let (original, joined) = (bench.samples("input-0"), bench.samples("output-0"));
    bench.single(preset).await;
    let single = bench.samples("output-0");
    let step = (grid.frames * FRAME) as usize * 2;
    let seams: Vec<usize> = (1..original.len() / step).map(|seam| seam * step).collect();
    let between: Vec<usize> = seams.iter().map(|seam| seam - step / 2).collect();
    let mean = |errors: &[f64]| errors.iter().sum::<f64>() / errors.len() as f64;
    let most = |errors: &[f64]| errors.iter().copied().fold(f64::MIN, f64::max);
    let seams = errors(&seams, &original, &joined, &single);
    let between = errors(&between, &original, &joined, &single);
    let all = format!(
        "{} seams: mean {:.2} dB, worst {:.2} dB; between them {:.2} dB and {:.2} dB",
        seams.len(),
        mean(&seams),
        most(&seams),
        mean(&between),
        most(&between)
    );
    eprintln!("{all}");
    assert!((mean(&seams) - mean(&between)).abs() < 1.0 && most(&seams) < most(&between) + 1.0, "{all}");
}

#[tokio::test]
async fn a_seam_is_no_worse_than_what_is_between_seams() {
    // A length that lays the seams at other places of the sound each time.
    compare(MP4, 230, Grid { sample_bytes: 8, frames: 97, before: 86 }).await;
}

/// Where bits are scarce the coder takes longer to settle.
#[tokio::test]
#[ignore = "encodes twenty minutes twice"]
async fn a_seam_at_a_low_rate_is_no_worse_than_what_is_between_seams() {
    compare(MP4_128, 1200, Grid { sample_bytes: 8, frames: 517, before: 430 }).await;
}

#[tokio::test]
async fn a_tone_has_no_click() {
    let bench = Bench::new("sine=f=997:d=40").await;
    bench.split(&[MP4], EVERY_200).await.unwrap();
    let joined = bench.samples("output-0");
    let original = bench.samples("input-0");
    // Where the tone begins the coder settles; only what follows is compared.
    let peak = |range: std::ops::Range<usize>| {
        original[range.clone()].iter().zip(&joined[range]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let seam = (200 * FRAME) as usize * 2;
    let elsewhere = peak(seam + seam / 4..seam * 2 - seam / 4);
    for at in 1..original.len() / seam {
        let here = peak(at * seam - 8192..(at * seam + 8192).min(original.len()));
        assert!(here < elsewhere * 1.5, "seam {at}: {here} beside {elsewhere}");
    }
}

#[tokio::test]
async fn a_segment_that_fails_is_encoded_again_alone() {
    let mut bench = Bench::new("sine=d=15").await;
    let script = bench.path().join("ffmpeg");
    // The second segment fails once, and every start is noted.
    let text = format!(
        "#!/bin/sh\nexport PATH=/usr/bin:/bin\necho \"$*\" >> starts\ncase \"$*\" in *segment-1*) mkdir failed && exit 1;; esac\nexec {} \"$@\"\n",
        bench.runner.tools.ffmpeg.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bench.runner.sandbox = Sandbox::new(&["/bin".into(), "/usr/bin".into(), script.clone()]);
    bench.runner.tools.ffmpeg = script;
    bench.split(&[MP4], EVERY_200).await.unwrap();
    let starts = std::fs::read_to_string(bench.path().join("starts")).unwrap();
    let of = |name: &str| starts.lines().filter(|line| line.contains(name)).count();
    assert_eq!((of("pipe:1"), of("segment-0"), of("segment-1"), of("segment-2")), (1, 1, 2, 1), "{starts}");
}

#[test]
fn only_long_inputs_that_can_be_joined_are_split() {
    let media = |millis, channels| Media {
        pictures: Vec::new(),
        detected: elastic_transcoder::DetectedProperties { duration_millis: Some(millis), ..Default::default() },
        has_audio: true,
        has_video: false,
        sound: Some(Sound { rate: RATE, channels }),
        layout: None,
        format: None,
        begins_late: false,
    };
    let plan = |presets: &[&str], media: &Media, encoders| {
        let all: Vec<usize> = (0..presets.len()).collect();
        Plan::of(&task(presets), &all, std::slice::from_ref(media), encoders)
    };
    let long = plan(&[WAV, MP4, TS], &media(1_200_000, 6), 2).unwrap();
    assert_eq!((long.joined, long.whole), (vec![1, 2], vec![0]));
    let frames = |seconds: u64| seconds * u64::from(RATE) / FRAME;
    // The one in the transport stream has 160 kb/s, over which the coder settles more slowly.
    assert_eq!((long.grid.frames, long.grid.before), (frames(120), frames(10)));
    let short = plan(&[MP4], &media(90_000, 2), 2).unwrap();
    assert_eq!((short.grid.frames, short.grid.before), (frames(30), frames(2)));
    assert!(plan(&[MP4], &media(59_999, 2), 2).is_none());
    assert!(plan(&[TS], &media(239_999, 2), 2).is_none());
    assert!(plan(&[MP4], &media(1_200_000, 2), 1).is_none());
    assert!(plan(&[WAV], &media(1_200_000, 2), 2).is_none());
}
