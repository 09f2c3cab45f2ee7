use std::process::Command;

use super::*;
use crate::engine::split::cut::Grid;

const FRAME: u64 = 1152;
const GRID: Grid = Grid { sample_bytes: 8, own: 5 * 49 * FRAME, before: 4 * 49 * FRAME, after: 8 * 1024 };

/// A part of a tone that swells, as loud as told, as ffmpeg encodes it.
fn part(directory: &Path, name: &str, from: u64, to: u64, volume: f32) -> std::path::PathBuf {
    let path = directory.join(name);
    let graph = format!(
        "aevalsrc='sin(2*PI*(300+40*sin(t))*t)*(0.5+0.4*sin(9*t))+0.05*sin(40000*t*t)':s=44100:d=30,volume={volume},\
         atrim=start_sample={from}:end_sample={to},asetpts=N/SR/TB"
    );
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "lavfi", "-i", &graph, "-ac", "2"]);
    let status = command.args(["-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3"]).arg(&path).status();
    assert!(status.unwrap().success());
    path
}

/// What ffmpeg complains of when it decodes a file, and its samples.
fn decoded(path: &Path) -> (String, Vec<f32>) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "warning", "-err_detect", "explode", "-i"]).arg(path).args(["-ac", "1", "-f", "f32le", "-"]);
    let output = command.output().unwrap();
    let samples = output.stdout.chunks_exact(4).map(|sample| f32::from_le_bytes(sample.try_into().unwrap())).collect();
    (String::from_utf8(output.stderr).unwrap(), samples)
}

/// Twelve frames of four bytes that describe them and six of data, all of one number; what each borrows, and its
/// windows.
fn made(byte: u8, borrowed: [usize; 12], windows: [u32; 12]) -> Part {
    let frame = |(at, (borrowed, window))| Frame {
        start: at * 10,
        data: at * 10 + 4,
        end: at * 10 + 10,
        borrowed,
        windows: [window, 0],
    };
    let frames = borrowed.into_iter().zip(windows).enumerate().map(frame).collect();
    Part { bytes: vec![byte; 120], frames, first: 0 }
}

#[test]
fn the_seam_is_the_nearest_with_room_and_windows_alike_but_best_behind_what_is_the_same() {
    let mut before = made(1, [8; 12], [0; 12]);
    // Before 6 windows are unlike, and 5 and 4 need more room than there is.
    let mut after = made(2, [0, 8, 8, 8, 9, 9, 8, 8, 8, 8, 8, 8], [0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0]);
    let meet = |before: &Part, after: &Part| meet(before, after, 6, 3..10).unwrap();
    assert_eq!(meet(&before, &after), Some(7));
    before.lend(&after, 7);
    // Eight bytes: all of frame 6, and the last two of the one before.
    let lent: Vec<usize> = (0..120).filter(|&at| before.bytes[at] == 2).collect();
    assert_eq!(lent, [58, 59, 64, 65, 66, 67, 68, 69]);
    after.bytes[80..84].fill(1);
    assert_eq!(meet(&before, &after), Some(9));
    for other in [6, 8] {
        after.frames[other].end += 1;
    }
    assert_eq!(meet(&before, &after), Some(3), "7, 8 and 9 borrow from a frame of another size");
    after.frames.truncate(3);
    assert_eq!(meet(&before, &after), None);
}

#[test]
fn where_nothing_is_the_same_a_seam_lies_where_windows_agree_and_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let samples = GRID.own + 200_000;
    // The second is louder, so that no frame of it is like one of the first.
    let paths = vec![
        part(directory.path(), "part-0", 0, GRID.own + GRID.after, 0.7),
        part(directory.path(), "part-1", GRID.own - GRID.before, samples, 0.75),
    ];
    let (first, second) = (Part::open(&paths[0], 0).unwrap(), Part::open(&paths[1], 49).unwrap());
    let range = 147..248;
    let seam = meet(&first, &second, 245, range.clone()).unwrap().unwrap();
    assert!(!range.clone().any(|frame| is_same(&first, &second, frame) == Some(true)));
    let to = directory.path().join("joined");
    let parts = Parts { paths: paths.clone(), header: "none".into(), grid: GRID, rate: 44_100, samples, md5: None };
    join(&parts, &to).unwrap();
    let (complaints, joined) = decoded(&to);
    assert_eq!((complaints.as_str(), joined.len() as u64), ("", samples));
    // Up to the seam it is the one, and from there the other.
    let at = seam as usize * 1152;
    let (_, first) = decoded(&paths[0]);
    let (_, second) = decoded(&paths[1]);
    // A decoder leaves out 1105 samples of the beginning, and those of a granule overlap with the one before.
    assert!(joined[..at - 1105] == first[..at - 1105]);
    let begin = (GRID.own - GRID.before) as usize;
    assert!(joined[at..] == second[at - begin..]);
}

/// CRC-16 with the generator 0x8005, the low bit first.
fn sum(bytes: &[u8]) -> [u8; 2] {
    let shifted = |sum: u16, _| if sum & 1 == 1 { sum >> 1 ^ 0xa001 } else { sum >> 1 };
    bytes.iter().fold(0_u16, |sum, &byte| (0..8).fold(sum ^ u16::from(byte), shifted)).to_be_bytes()
}

/// One part alone becomes what it was, all but the table of places, which ffmpeg rounds otherwise.
#[test]
fn the_info_tag_is_as_ffmpeg_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    let samples = 300_000;
    let path = part(directory.path(), "part-0", 0, samples, 0.7);
    let to = directory.path().join("joined");
    let paths = vec![path.clone()];
    join(&Parts { paths, header: "none".into(), grid: GRID, rate: 44_100, samples, md5: None }, &to).unwrap();
    let (theirs, ours) = (std::fs::read(path).unwrap(), std::fs::read(to).unwrap());
    let head = Part::open(&directory.path().join("part-0"), 0).unwrap().head().len();
    let tag = theirs.windows(4).position(|window| window == b"Info").unwrap();
    assert!(ours[..tag + 16] == theirs[..tag + 16] && ours[tag + 116..tag + 154] == theirs[tag + 116..tag + 154]);
    assert!(ours[tag + 156..] == theirs[tag + 156..]);
    assert!(
        ours[tag + 16..].iter().zip(&theirs[tag + 16..tag + 116]).all(|(ours, theirs)| ours.abs_diff(*theirs) <= 2)
    );
    for file in [&ours, &theirs] {
        assert_eq!(file[tag + 152..tag + 154], sum(&file[head..]));
        assert_eq!(file[tag + 154..tag + 156], sum(&file[tag - 36..tag + 154]));
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let samples = GRID.own + 200_000;
    let paths = vec![
        part(directory.path(), "part-0", 0, GRID.own + GRID.after, 0.7),
        part(directory.path(), "part-1", GRID.own - GRID.before, samples, 0.7),
    ];
    let to = directory.path().join("joined");
    let parts = |paths, samples| Parts { paths, header: "none".into(), grid: GRID, rate: 44_100, samples, md5: None };
    join(&parts(paths.clone(), samples), &to).unwrap();
    assert!(join(&parts(paths.clone(), samples + 4096), &to).is_err(), "another length");
    std::fs::write(&paths[1], &std::fs::read(&paths[1]).unwrap()[..20_000]).unwrap();
    assert!(join(&parts(paths, samples), &to).is_err(), "cut off");
}
