use std::process::Command;

use super::super::picture::Header;
use super::*;

/// ffmpeg's answer to a command line, in a directory.
fn run(directory: &Path, program: &str, line: &str) -> Vec<u8> {
    let mut command = Command::new(program);
    command.current_dir(directory).args(["-v", "error"]).args(line.split_whitespace());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn picture(directory: &Path, name: &str) -> Picture {
    Picture::open(&directory.join(name)).unwrap().unwrap()
}

/// Two pictures, and a song in every kind of file, as the encodings make them and as they might.
fn bench() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    run(path, "ffmpeg", "-f lavfi -i color=red:s=64x48 -frames:v 1 a.png");
    run(path, "ffmpeg", "-f lavfi -i color=blue:s=30x20 -frames:v 1 b.jpg");
    for (name, coder) in [
        ("a.flac", "-c:a flac -f flac"),
        ("a.mp3", "-c:a libmp3lame -f mp3"),
        ("a.mp4", "-c:a aac -movflags +faststart -f mp4"),
        ("late.mp4", "-c:a aac -f mp4"),
    ] {
        let tone = "-f lavfi -i sine=440:d=2.345:r=44100 -ac 2 -metadata title=x";
        run(path, "ffmpeg", &format!("{tone} {coder} {name}"));
    }
    directory
}

const ALL: [(&str, Holder); 4] =
    [("a.flac", Holder::Flac), ("a.mp3", Holder::Mp3), ("a.mp4", Holder::Mp4), ("late.mp4", Holder::Mp4)];

#[test]
fn pictures_are_found_and_the_sound_stays() {
    let directory = bench();
    let path = directory.path();
    let samples = |name: &str| run(path, "ffmpeg", &format!("-i {name} -map 0:a -f s16le -"));
    let packets = |name: &str| {
        run(path, "ffprobe", &format!("-select_streams a -show_entries packet=pts,duration,size,flags -of csv {name}"))
    };
    let says = |name: &str| {
        let entries = "format=duration:format_tags=title:stream=start_pts,duration_ts,time_base";
        run(path, "ffprobe", &format!("-select_streams a -show_entries {entries} -of json {name}"))
    };
    for (name, holder) in ALL {
        let before = (samples(name), packets(name), says(name));
        assert!(before.0.len() > 400_000 && before.1.len() > 200);
        let pictures = ["a.png", "b.jpg", "a.png"].map(|name| picture(path, name));
        holder.attach(&path.join(name), &pictures).unwrap();
        assert!((samples(name), packets(name), says(name)) == before, "{name}");

        let entries = "stream=codec_name,width,height:stream_disposition=attached_pic:stream_tags=comment,title";
        let probed = run(path, "ffprobe", &format!("-select_streams v -show_entries {entries} -of json {name}"));
        let probed: serde_json::Value = serde_json::from_slice(&probed).unwrap();
        let expected = [("png", 64, 48, "Cover (front)"), ("mjpeg", 30, 20, "Other"), ("png", 64, 48, "Other")];
        assert_eq!(probed["streams"].as_array().unwrap().len(), 3, "{name}");
        for (at, (codec, width, height, role)) in expected.into_iter().enumerate() {
            let stream = &probed["streams"][at];
            assert_eq!(
                (&stream["codec_name"], stream["disposition"]["attached_pic"].as_i64()),
                (&codec.into(), Some(1))
            );
            assert_eq!((stream["width"].as_i64(), stream["height"].as_i64()), (Some(width), Some(height)), "{name}");
            if holder == Holder::Mp3 && at > 0 {
                // No two pictures of a tag have one description.
                assert_eq!(stream["tags"]["title"], (at + 1).to_string());
            }
            if holder != Holder::Mp4 {
                assert_eq!(stream["tags"]["comment"], role, "{name} {at}");
            }
        }
        run(path, "ffmpeg", &format!("-y -i {name} -map 0:v:1 -c copy -f image2pipe out"));
        assert!(std::fs::read(path.join("out")).unwrap() == std::fs::read(path.join("b.jpg")).unwrap(), "{name}");
    }
}

#[test]
fn the_last_block_of_flac_is_said_to_be_the_last() {
    let directory = bench();
    let path = directory.path();
    let song = std::fs::read(path.join("a.flac")).unwrap();
    // STREAMINFO alone, and the sound.
    let sound = song.windows(2).rposition(|bytes| bytes == [0xff, 0xf8]).unwrap();
    let alone = [&song[..4], &[0x80], &song[5..42], &song[sound..]].concat();
    std::fs::write(path.join("alone.flac"), alone).unwrap();
    Holder::Flac.attach(&path.join("alone.flac"), &["a.png", "b.jpg"].map(|name| picture(path, name))).unwrap();
    let made = std::fs::read(path.join("alone.flac")).unwrap();
    let (mut at, mut kinds) = (4, Vec::new());
    while kinds.last().is_none_or(|kind| kind & 0x80 == 0) {
        kinds.push(made[at]);
        at += 4 + u32::from_be_bytes([0, made[at + 1], made[at + 2], made[at + 3]]) as usize;
    }
    assert_eq!(kinds, [0, 6, 0x86]);
    assert_eq!(made[at..], song[sound..]);
}

#[test]
fn what_is_not_as_expected_stays_as_it_is() {
    let directory = bench();
    let path = directory.path();
    let pictures = [picture(path, "a.png")];
    let all = ALL.map(|(name, _)| std::fs::read(path.join(name)).unwrap());
    let spoilt = |name: &str, bytes: &[u8], holder: Holder| {
        std::fs::write(path.join(name), bytes).unwrap();
        let error = holder.attach(&path.join(name), &pictures).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{name} {error}");
        assert_eq!(std::fs::read(path.join(name)).unwrap(), bytes);
        error.to_string()
    };
    for (at, holder) in [(0, Holder::Mp3), (1, Holder::Mp4), (2, Holder::Flac)] {
        spoilt("other", &all[at], holder);
    }
    let without = |name: &[u8; 4]| {
        let at = all[2].windows(4).position(|word| word == name).unwrap();
        [&all[2][..at], b"none", &all[2][at + 4..]].concat()
    };
    assert_eq!(spoilt("list", &without(b"ilst"), Holder::Mp4), "MP4: no list of metadata");
    assert_eq!(spoilt("moov", &without(b"moov"), Holder::Mp4), "MP4: no moov");
    let large = Picture { bytes: 1 << 24, ..pictures[0].clone() };
    let too_large = Holder::Flac.attach(&path.join("a.flac"), std::slice::from_ref(&large));
    assert_eq!(too_large.unwrap_err().kind(), ErrorKind::InvalidData);
    let many = vec![large; 17];
    assert_eq!(Holder::Mp3.attach(&path.join("a.mp3"), &many).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn the_bounds_are_those_of_the_formats() {
    let header = Header { format: Format::Png, width: 4096, height: 3072, depth: 32 };
    let directory = bench();
    let path = directory.path();
    let large = Picture { header, bytes: MOST, path: path.join("a.png") };
    let mut file = File::open(path.join("a.flac")).unwrap();
    let size = file.metadata().unwrap().len();
    assert!(flac::pieces(&mut file, size, std::slice::from_ref(&large)).is_ok());
    let mut file = File::open(path.join("a.mp3")).unwrap();
    let many = vec![large; (MOST_TOGETHER / MOST) as usize];
    assert!(mp3::pieces(&mut file, size, &many).is_ok());
}
