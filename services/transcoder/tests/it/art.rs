//! Album art of outputs.

use std::path::{Path, PathBuf};
use std::process::Command;

use aws_sdk_elastictranscoder::error::ProvideErrorMetadata;
use aws_sdk_elastictranscoder::types::{Artwork, CreateJobOutput, Encryption, Job, JobAlbumArt};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::Value;
use testing::{TestDatabase, media};

use crate::support::{FLAC, MP4, Service, WAV, output, service};

const MP3: &str = "1351620000001-300040";

/// Runs ffmpeg or ffprobe in a directory.
fn run(directory: &Path, program: &str, line: &str) -> Vec<u8> {
    let mut command = Command::new(program);
    command.current_dir(directory).args(["-v", "error"]).args(line.split_whitespace());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A picture of one colour.
fn colour(directory: &Path, name: &str, colour: &str, size: &str) -> PathBuf {
    run(directory, "ffmpeg", &format!("-y -f lavfi -i color={colour}:s={size},format=rgba -frames:v 1 {name}"));
    directory.join(name)
}

/// A song in FLAC with these pictures in it.
fn song_with(directory: &Path, name: &str, pictures: &[&str]) -> PathBuf {
    let song = media::flac(directory, 1.0);
    let inputs: String = pictures.iter().map(|picture| format!("-i {picture} ")).collect();
    let maps: String = (0..=pictures.len()).map(|at| format!("-map {at} ")).collect();
    let line = format!("-y -i {} {inputs}{maps} -c copy -disposition:v attached_pic -f flac {name}", song.display());
    run(directory, "ffmpeg", &line);
    directory.join(name)
}

/// What a file has for art: how it is coded, its size, and the colour in its middle.
fn pictures(path: &Path) -> Vec<(String, i64, i64, &'static str)> {
    let directory = path.parent().unwrap();
    let name = path.display();
    let entries = "stream=index,codec_name,width,height:stream_disposition=attached_pic";
    let probed = run(directory, "ffprobe", &format!("-select_streams v -show_entries {entries} -of json {name}"));
    let probed: Value = serde_json::from_slice(&probed).unwrap();
    let picture = |stream: &Value| {
        assert_eq!(stream["disposition"]["attached_pic"], 1);
        let (width, height) = (stream["width"].as_i64().unwrap(), stream["height"].as_i64().unwrap());
        let pixels =
            run(directory, "ffmpeg", &format!("-i {name} -map 0:{} -f rawvideo -pix_fmt rgb24 -", stream["index"]));
        let middle = usize::try_from((height / 2 * width + width / 2) * 3).unwrap();
        (stream["codec_name"].as_str().unwrap().to_owned(), width, height, name_of(&pixels[middle..middle + 3]))
    };
    probed["streams"].as_array().unwrap().iter().map(picture).collect()
}

fn name_of(pixel: &[u8]) -> &'static str {
    match [pixel[0] > 127, pixel[1] > 127, pixel[2] > 127] {
        [true, false, false] => "red",
        [false, true, false] => "green",
        [false, false, true] => "blue",
        [true, true, true] => "white",
        _ => "another",
    }
}

fn names(path: &Path) -> String {
    pictures(path).iter().map(|picture| picture.3).collect::<Vec<_>>().join(" ")
}

fn given(key: &str) -> Artwork {
    Artwork::builder().input_key(key).build()
}

fn art(merge: &str, artwork: &[Artwork]) -> JobAlbumArt {
    JobAlbumArt::builder().merge_policy(merge).set_artwork(Some(artwork.to_vec())).build()
}

fn with_art(output: CreateJobOutput, art: JobAlbumArt) -> CreateJobOutput {
    let mut output = output;
    output.album_art = Some(art);
    output
}

async fn done(service: &Service, pipeline: &str, key: &str, outputs: Vec<CreateJobOutput>) -> Job {
    let job = service.create_job(pipeline, key, outputs).await;
    service.ended(job.id().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_policies_in_every_container() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    service.put_file("media/red.png", &colour(path, "red.png", "red", "64x48")).await;
    colour(path, "green.png", "green@1", "40x40");
    run(path, "ffmpeg", "-y -f lavfi -i color=lime:s=40x40 -frames:v 1 green.jpg");
    service.put_file("media/plain", &media::mp3(path, 1.0)).await;
    service.put_file("media/song", &song_with(path, "song", &["green.jpg"])).await;
    service.put_file("media/blue.png", &colour(path, "blue.png", "blue", "32x32")).await;
    let pipeline = service.pipeline().await;

    let both = [given("media/red.png"), given("media/blue.png")];
    let none = [];
    let cases = [
        ("Replace", &both[..], "red blue", "red blue"),
        ("Prepend", &both, "red blue", "red blue green"),
        ("Append", &both, "red blue", "green red blue"),
        ("Fallback", &both, "red blue", "green"),
        ("Replace", &none, "", ""),
        ("Prepend", &none, "", "green"),
        ("Append", &none, "", "green"),
        ("Fallback", &none, "", "green"),
    ];
    for (preset, extension) in [(FLAC, "flac"), (MP3, "mp3"), (MP4, "mp4")] {
        for input in ["plain", "song"] {
            let name = |at: usize| format!("{input}-{at}.{extension}");
            let mut outputs: Vec<CreateJobOutput> = Vec::new();
            for (at, (merge, given, ..)) in cases.iter().enumerate() {
                outputs.push(with_art(output(&name(at), preset), art(merge, given)));
            }
            outputs.push(output(&name(cases.len()), preset));
            let job = done(&service, &pipeline, &format!("media/{input}"), outputs).await;
            assert_eq!(job.status(), Some("Complete"), "{extension} {input}: {job:?}");
            for (at, (merge, given, plain, song)) in cases.iter().enumerate() {
                let (file, _) = service.get(&format!("transcoded/{}", name(at)), path).await;
                let expected = if input == "plain" { plain } else { song };
                assert_eq!(&names(&file), expected, "{extension} {input} {merge} {}", given.len());
                let shown = job.outputs()[at].album_art().unwrap();
                assert_eq!((shown.merge_policy(), shown.artwork().len()), (Some(*merge), given.len()));
                assert_eq!(job.outputs()[at].file_size(), Some(file.metadata().unwrap().len() as i64));
            }
            let (file, _) = service.get(&format!("transcoded/{}", name(cases.len())), path).await;
            assert_eq!(names(&file), "", "{extension} {input} without AlbumArt");
        }
    }
    let (file, _) = service.get("transcoded/song-1.flac", path).await;
    let expected = [("png", 64, 48, "red"), ("png", 32, 32, "blue"), ("mjpeg", 40, 40, "green")];
    assert_eq!(pictures(&file), expected.map(|(codec, width, height, name)| (codec.to_owned(), width, height, name)));
    run(path, "ffmpeg", &format!("-i {} -map 0:v:2 -c copy -f image2pipe passed", file.display()));
    assert!(std::fs::read(path.join("passed")).unwrap() == std::fs::read(path.join("green.jpg")).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_to_their_shape_format_and_paper() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    service.put_file("media/song", &media::mp3(path, 1.0)).await;
    // Red on the left, blue in the middle half, green on the right; and one that nothing is seen of.
    let bands = "-f lavfi -i color=red:s=40x80 -f lavfi -i color=blue:s=80x80 -f lavfi -i color=lime:s=40x80";
    run(path, "ffmpeg", &format!("{bands} -filter_complex hstack=3 -frames:v 1 bands.png"));
    service.put_file("media/bands.png", &path.join("bands.png")).await;
    run(path, "ffmpeg", &format!("{bands} -filter_complex hstack=3 -frames:v 1 -q:v 1 -pix_fmt yuvj444p bands.jpg"));
    // Its name is not what it is.
    service.put_file("media/misnamed.png", &path.join("bands.jpg")).await;
    // Programs leave things behind a picture.
    let tail = [std::fs::read(path.join("bands.png")).unwrap(), vec![7; 5000]].concat();
    service.put("media/tail.png", ByteStream::from(tail)).await;
    service.put_file("media/clear.png", &colour(path, "clear.png", "red@0", "64x64")).await;
    service.put_file("media/large.png", &colour(path, "large.png", "red", "1200x900")).await;
    let pipeline = service.pipeline().await;

    let artwork = |key: &str, size: (&str, &str), sizing: &str, padding: &str, format: &str| {
        let builder = Artwork::builder().input_key(format!("media/{key}")).max_width(size.0).max_height(size.1);
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let builder = builder.set_sizing_policy(some(sizing)).set_padding_policy(some(padding));
        builder.set_album_art_format(some(format)).build()
    };
    let cases = [
        (artwork("bands.png", ("80", "80"), "Fit", "NoPad", "png"), ("png", 80, 40)),
        (artwork("bands.png", ("80", "80"), "Fit", "Pad", "png"), ("png", 80, 80)),
        (artwork("bands.png", ("80", "80"), "Fit", "Pad", "jpg"), ("mjpeg", 80, 80)),
        (artwork("bands.png", ("320", "320"), "Fill", "", "png"), ("png", 320, 320)),
        (artwork("bands.png", ("40", "80"), "Stretch", "", "jpg"), ("mjpeg", 40, 80)),
        (artwork("bands.png", ("80", "200"), "Keep", "NoPad", "png"), ("png", 80, 80)),
        (artwork("bands.png", ("200", "200"), "ShrinkToFit", "NoPad", "png"), ("png", 160, 80)),
        (artwork("bands.png", ("80", "40"), "ShrinkToFill", "Pad", "png"), ("png", 80, 40)),
        (artwork("misnamed.png", ("80", "80"), "ShrinkToFit", "Pad", ""), ("mjpeg", 80, 80)),
        (artwork("tail.png", ("200", "200"), "Keep", "", ""), ("png", 160, 80)),
        (artwork("clear.png", ("auto", "auto"), "", "", "jpg"), ("mjpeg", 64, 64)),
        (artwork("large.png", ("auto", "auto"), "", "", ""), ("png", 600, 450)),
    ];
    // Left, middle and right on half height; then the middle of the top line.
    let seen = [
        ["red", "blue", "green", "blue"],
        ["red", "blue", "green", "white"],
        ["red", "blue", "green", "white"],
        ["blue", "blue", "blue", "blue"],
        ["red", "blue", "green", "blue"],
        ["blue", "blue", "blue", "blue"],
        ["red", "blue", "green", "blue"],
        ["red", "blue", "green", "blue"],
        ["red", "blue", "green", "white"],
        ["red", "blue", "green", "blue"],
        ["white", "white", "white", "white"],
        ["red", "red", "red", "red"],
    ];
    let all: Vec<Artwork> = cases.iter().map(|(artwork, _)| artwork.clone()).collect();
    let job = done(&service, &pipeline, "media/song", vec![with_art(output("a", MP3), art("Replace", &all))]).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    let (file, _) = service.get("transcoded/a", path).await;
    let all = pictures(&file);
    for (at, ((artwork, (codec, width, height)), seen)) in cases.iter().zip(seen).enumerate() {
        let found = &all[at];
        assert_eq!((found.0.as_str(), found.1, found.2), (*codec, *width, *height), "{artwork:?}");
        let line = format!("-i {} -map 0:v:{at} -f rawvideo -pix_fmt rgb24 -", file.display());
        let pixels = run(path, "ffmpeg", &line);
        let pixel = |x: i64, y: i64| {
            let at = usize::try_from((y * width + x) * 3).unwrap();
            name_of(&pixels[at..at + 3])
        };
        let middle = height / 2;
        let places = [(2, middle), (width / 2, middle), (width - 3, middle), (width / 2, 1)];
        assert_eq!(places.map(|(x, y)| pixel(x, y)), seen, "{artwork:?}");
    }
    // What nothing is seen of stays so where the format allows it.
    let clear = [artwork("clear.png", ("auto", "auto"), "", "", "png")];
    let job = done(&service, &pipeline, "media/song", vec![with_art(output("b", FLAC), art("Replace", &clear))]).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    let (file, _) = service.get("transcoded/b", path).await;
    let pixels = run(path, "ffmpeg", &format!("-i {} -map 0:v -f rawvideo -pix_fmt rgba -", file.display()));
    assert_eq!(pixels[3], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_fails_fails_its_output_alone() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    service.put_file("media/song", &media::mp3(path, 1.0)).await;
    service.put_file("media/red.png", &colour(path, "red.png", "red", "64x48")).await;
    run(path, "ffmpeg", "-f lavfi -i testsrc=s=640x480 -frames:v 1 test.jpg");
    run(path, "ffmpeg", "-f lavfi -i testsrc=s=640x480 -frames:v 1 test.bmp");
    let jpg = std::fs::read(path.join("test.jpg")).unwrap();
    let png = std::fs::read(path.join("red.png")).unwrap();
    let bmp = std::fs::read(path.join("test.bmp")).unwrap();
    // One that says of itself that it is so large: nothing else of it is true, so it is not decoded to find out.
    let sized =
        |width: u32, height: u32| [&png[..16], &width.to_be_bytes(), &height.to_be_bytes(), &png[24..]].concat();
    let put = async |name: &str, bytes: Vec<u8>| service.put(&format!("media/{name}"), ByteStream::from(bytes)).await;
    put("text.png", b"not a picture".to_vec()).await;
    put("empty.jpg", Vec::new()).await;
    put("half.jpg", jpg[..jpg.len() / 2].to_vec()).await;
    put("half.png", png[..png.len() / 2].to_vec()).await;
    put("bmp.png", bmp).await;
    put("playlist.png", b"#EXTM3U\n#EXTINF:1,\nfile:input\n".to_vec()).await;
    put("wide.png", sized(4097, 1)).await;
    put("high.png", sized(1, 3073)).await;
    put("liar.png", sized(4096, 3072)).await;
    put("long.jpg", [jpg, vec![0; 4096 * 3072 * 4]].concat()).await;
    // One that begins two frames, of which only the first is small.
    run(path, "ffmpeg", "-f lavfi -i color=red:s=4100x3080 -frames:v 1 large.jpg");
    let large = std::fs::read(path.join("large.jpg")).unwrap();
    let at = large.windows(4).position(|bytes| bytes == [0xff, 0xc0, 0, 17]).unwrap();
    let mut small = large[at..at + 19].to_vec();
    small[5..9].copy_from_slice(&[0, 48, 0, 64]);
    put("two.jpg", [&large[..at], &small, &large[at..]].concat()).await;
    let pipeline = service.pipeline().await;

    let cases = [
        ("none.png", 3001),
        ("two.jpg", 4010),
        ("text.png", 4010),
        ("empty.jpg", 4010),
        ("half.jpg", 4010),
        ("half.png", 4010),
        ("bmp.png", 4010),
        ("playlist.png", 4010),
        ("liar.png", 4010),
        ("wide.png", 4012),
        ("high.png", 4012),
        ("long.jpg", 4012),
    ];
    let mut outputs =
        vec![output("a.wav", WAV), with_art(output("a.flac", FLAC), art("Append", &[given("media/red.png")]))];
    for (name, _) in cases {
        outputs.push(with_art(
            output(name, MP4),
            art("Replace", &[given("media/red.png"), given(&format!("media/{name}"))]),
        ));
    }
    let job = done(&service, &pipeline, "media/song", outputs).await;
    assert_eq!(job.status(), Some("Error"));
    for (output, (name, code)) in job.outputs()[2..].iter().zip(cases) {
        let detail = output.status_detail().unwrap();
        assert!(detail.starts_with(&format!("{code} ")), "{name}: {detail}");
        assert!(detail.contains(&format!("bucket=segue-media, key=media/{name}.")), "{name}: {detail}");
        let head = service.world.aws().s3.head_object().bucket(service.world.bucket());
        assert!(head.key(format!("transcoded/{name}")).send().await.is_err(), "{name}");
    }
    for output in &job.outputs()[..2] {
        assert_eq!(output.status(), Some("Complete"), "{output:?}");
    }
    let (file, _) = service.get("transcoded/a.flac", path).await;
    assert_eq!(names(&file), "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_the_input_are_bounded_and_looked_at() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    colour(path, "red.png", "red", "64x48");
    service.put_file("media/blue.png", &colour(path, "blue.png", "blue", "64x48")).await;
    run(path, "ffmpeg", "-f lavfi -i testsrc=s=640x480 -frames:v 1 test.jpg");
    run(path, "ffmpeg", "-f lavfi -i color=red:s=4098x16 -frames:v 1 wide.png");
    run(path, "ffmpeg", "-f lavfi -i color=red:s=64x48 -frames:v 1 red.bmp");
    let twenty = ["red.png"; 20];
    service.put_file("media/twenty", &song_with(path, "twenty", &twenty)).await;
    service.put_file("media/one", &song_with(path, "one", &["red.png"])).await;
    service.put_file("media/wide", &song_with(path, "wide", &["wide.png"])).await;
    // Spoilt in its middle.
    let mut spoilt = std::fs::read(song_with(path, "spoilt", &["test.jpg"])).unwrap();
    let jpg = std::fs::read(path.join("test.jpg")).unwrap();
    let at = spoilt.windows(64).position(|part| part == &jpg[..64]).unwrap() + jpg.len() / 2;
    spoilt[at..at + 64].fill(0xff);
    service.put("media/spoilt", ByteStream::from(spoilt)).await;
    let line = format!(
        "-i {} -i red.bmp -map 0 -map 1 -c:a aac -c:v copy -disposition:v attached_pic -f mp4 bmp",
        media::wav(path, 1.0).display()
    );
    run(path, "ffmpeg", &line);
    service.put_file("media/bmp", &path.join("bmp")).await;
    let pipeline = service.pipeline().await;

    let blue = [given("media/blue.png")];
    for (key, merge, given, expected) in [
        ("twenty", "Append", &blue[..], Err(4009)),
        ("twenty", "Prepend", &[], Ok(20)),
        ("twenty", "Replace", &blue, Ok(1)),
        ("twenty", "Fallback", &blue, Ok(20)),
        ("one", "Append", &[blue[0].clone(), blue[0].clone()], Ok(3)),
        ("wide", "Append", &blue, Err(4013)),
        ("wide", "Replace", &blue, Ok(1)),
        ("spoilt", "Fallback", &blue, Err(4011)),
        ("spoilt", "Replace", &blue, Ok(1)),
        ("bmp", "Append", &blue, Ok(2)),
    ] {
        let name = format!("{key}-{merge}-{}", given.len());
        let outputs =
            vec![with_art(output(&format!("{name}.mp3"), MP3), art(merge, given)), output(&format!("{name}.wav"), WAV)];
        let job = done(&service, &pipeline, &format!("media/{key}"), outputs).await;
        let (with, without) = (&job.outputs()[0], &job.outputs()[1]);
        assert_eq!(without.status(), Some("Complete"), "{name}: {job:?}");
        match expected {
            Err(code) => {
                let detail = with.status_detail().unwrap();
                assert!(detail.starts_with(&format!("{code} ")), "{name}: {detail}");
            }
            Ok(count) => {
                assert_eq!(with.status(), Some("Complete"), "{name}: {job:?}");
                let (file, _) = service.get(&format!("transcoded/{name}.mp3"), path).await;
                assert_eq!(pictures(&file).len(), count, "{name}");
            }
        }
    }
    let (file, _) = service.get("transcoded/bmp-Append-1.mp3", path).await;
    let expected = [("png", 64, 48, "red"), ("png", 64, 48, "blue")];
    assert_eq!(pictures(&file), expected.map(|(codec, width, height, name)| (codec.to_owned(), width, height, name)));
}

#[tokio::test(flavor = "multi_thread")]
async fn art_changes_no_sample_of_a_long_song() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // Of more than a MiB, and so encoded in segments.
    let song = media::wav(path, 160.0);
    service.put_file("media/song", &song).await;
    service.put_file("media/red.png", &colour(path, "red.png", "red", "640x480")).await;
    let pipeline = service.pipeline().await;
    let presets = [(MP4, "mp4"), (FLAC, "flac"), (MP3, "mp3")];
    let mut outputs = Vec::new();
    for (preset, extension) in presets {
        outputs.push(output(&format!("plain.{extension}"), preset));
        let red = art("Append", &[given("media/red.png")]);
        outputs.push(with_art(output(&format!("art.{extension}"), preset), red));
    }
    let job = done(&service, &pipeline, "media/song", outputs).await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    for (pair, (_, extension)) in job.outputs().chunks_exact(2).zip(presets) {
        assert_eq!(pair[0].duration_millis(), pair[1].duration_millis(), "{extension}");
        let (plain, _) = service.get(&format!("transcoded/plain.{extension}"), path).await;
        let (with, _) = service.get(&format!("transcoded/art.{extension}"), path).await;
        if extension == "mp4" {
            // Joined of segments, whose edit list counts samples.
            let file = std::fs::read(&with).unwrap();
            let at = file.windows(4).position(|word| word == b"mvhd").unwrap() + 16;
            assert_eq!(file[at..at + 4], 44_100_u32.to_be_bytes());
        }
        assert_eq!(pictures(&with), [("png".to_owned(), 600, 450, "red")]);
        let samples = |file: &Path| run(path, "ffmpeg", &format!("-i {} -map 0:a -f s16le -", file.display()));
        let samples = (samples(&plain), samples(&with));
        // To the sample, at two bytes for each of two channels; a coder's last frame may be filled up.
        assert!(samples.0.len() / 4 >= 160 * 44_100 && samples.0.len() / 4 < 160 * 44_100 + 1152, "{extension}");
        assert!(samples.0 == samples.1, "{extension}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused() {
    let service = crate::support::api_only(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let refused = async |output: CreateJobOutput| {
        let input = aws_sdk_elastictranscoder::types::JobInput::builder().key("media/a").build();
        let create = service.client.create_job().pipeline_id(&pipeline).input(input).outputs(output);
        let error = create.send().await.unwrap_err();
        assert_eq!(error.code(), Some("ValidationException"));
        error.message().unwrap().to_owned()
    };
    let red = given("media/red.png");
    let encryption = Encryption::builder().mode("s3").build();
    let encrypted = Artwork::builder().input_key("media/red.png").encryption(encryption).build();
    for preset in [WAV, "1351620000001-200060"] {
        let message = refused(with_art(output("a", preset), art("Replace", std::slice::from_ref(&red)))).await;
        assert_eq!(message, "Output 'a' must not have AlbumArt: it is only for audio in flac, mp3 or mp4.");
    }
    let message = refused(with_art(output("a", MP4), art("Replace", &[encrypted]))).await;
    assert_eq!(message, "Output:AlbumArt:Artwork:Encryption is not supported by this server yet.");
    let message = refused(with_art(output("a", MP4), art("Replace", &vec![red; 21]))).await;
    assert_eq!(message, "AlbumArt must have at most 20 members of Artwork.");
}
