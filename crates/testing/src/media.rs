//! Real media, made by ffmpeg: nothing of it lies in the repository.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A sine tone as MP3: 44.1 kHz, stereo, 128 kb/s.
pub fn mp3(directory: &Path, seconds: f64) -> PathBuf {
    tone(directory, "tone.mp3", seconds, &["-c:a", "libmp3lame", "-b:a", "128k"])
}

/// A sine tone as WAV: 44.1 kHz, stereo, 16 bit.
pub fn wav(directory: &Path, seconds: f64) -> PathBuf {
    tone(directory, "tone.wav", seconds, &["-c:a", "pcm_s16le"])
}

/// A sine tone as FLAC: 44.1 kHz, stereo.
pub fn flac(directory: &Path, seconds: f64) -> PathBuf {
    tone(directory, "tone.flac", seconds, &["-c:a", "flac"])
}

fn tone(directory: &Path, name: &str, seconds: f64, codec: &[&str]) -> PathBuf {
    let path = directory.join(name);
    let source = format!("sine=frequency=440:sample_rate=44100:duration={seconds}");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i", &source, "-ac", "2"])
        .args(codec)
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .expect("ffmpeg runs: install it, for instance with apt-get install ffmpeg");
    assert!(status.success(), "ffmpeg made no {name}");
    path
}

/// What ffmpeg makes with these arguments, which are divided by spaces.
pub fn make(directory: &Path, name: &str, arguments: &str) -> PathBuf {
    let path = directory.join(name);
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
        .args(arguments.split(' '))
        .arg(&path)
        .current_dir(directory)
        .stdin(Stdio::null())
        .status()
        .expect("ffmpeg runs");
    assert!(status.success(), "ffmpeg made no {name}");
    path
}

/// The samples of a file, each of two bytes.
pub fn samples(path: &Path) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-i"])
        .arg(path)
        .args(["-map", "0:a:0", "-f", "s16le", "pipe:1"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What ffprobe says of a file: `codec_name`, `sample_rate`, `channels` of its first audio stream and
/// `duration` of the whole, as JSON of ffprobe's own form.
pub fn probe(path: &Path) -> serde_json::Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json", "-show_format", "-show_streams", "-select_streams", "a:0"])
        .arg(path)
        .output()
        .expect("ffprobe runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("ffprobe prints JSON")
}
