//! Inputs that mean harm: each ends as an error of its own job, inside its bounds, while other jobs go on.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use aws_sdk_elastictranscoder::types::{Job, JobInput};
use testing::{TestDatabase, media};

use crate::support::{FLAC, Service, WAV, output, service, service_with};

/// Makes a file with ffmpeg.
fn ffmpeg(arguments: impl IntoIterator<Item = String>, to: &Path) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y"]).args(arguments).arg(to);
    assert!(ffmpeg.status().unwrap().success(), "{}", to.display());
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(' ').map(String::from)
}

/// Runs the job beside one that means no harm, and sees that this one succeeds.
async fn beside_another(service: &Service, pipeline: &str, key: &str) -> Job {
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/good", &media::mp3(directory.path(), 1.0)).await;
    let name = key.rsplit('/').next().unwrap();
    let outputs = ["wav", "flac"].map(|kind| output(&format!("{name}.{kind}"), if kind == "wav" { WAV } else { FLAC }));
    let bad = service.create_job(pipeline, key, outputs.into()).await;
    let good = service.create_job(pipeline, "media/good", vec![output(&format!("beside-{name}"), WAV)]).await;
    assert_eq!(service.ended(good.id().unwrap()).await.status(), Some("Complete"), "beside {name}");
    service.ended(bad.id().unwrap()).await
}

fn code(job: &Job, output: usize) -> &str {
    job.outputs()[output].status_detail().unwrap_or_default().split(' ').next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_names_other_files_or_hosts_reads_neither() {
    let service = service(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/a.mp3", listener.local_addr().unwrap());
    // Something that would be a fine input, if it were reached.
    let directory = tempfile::tempdir().unwrap();
    let song = media::wav(directory.path(), 1.0);
    let song = song.display();
    let (passwd, target) = ("file:///etc/passwd", "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n");
    let files = [
        ("hls-file.m3u8", format!("{target}{song}\n#EXT-X-ENDLIST\n")),
        ("hls-passwd.m3u8", format!("{target}{passwd}\n#EXT-X-ENDLIST\n")),
        ("hls-url.m3u8", format!("{target}{url}\n#EXT-X-ENDLIST\n")),
        ("hls-own.mp3", format!("{target}file:input-0\n#EXT-X-ENDLIST\n")),
        (
            "hls-key.m3u8",
            format!("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"{url}\"\n#EXTINF:10,\n{song}\n#EXT-X-ENDLIST\n"),
        ),
        ("hls-concat.m3u8", format!("{target}concat:{song}|/etc/passwd\n#EXT-X-ENDLIST\n")),
        ("concat.txt", format!("ffconcat version 1.0\nfile '{song}'\n")),
        ("concat-url.txt", format!("ffconcat version 1.0\nfile '{url}'\n")),
        (
            "dash.mpd",
            format!(
                "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" mediaPresentationDuration=\"PT1S\"><Period><AdaptationSet mimeType=\"audio/mp4\"><Representation id=\"1\" bandwidth=\"1\"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>"
            ),
        ),
        (
            "session.sdp",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n".to_owned(),
        ),
        ("list.m3u", format!("#EXTM3U\n{url}\n")),
        ("metadata.txt", ";FFMETADATA1\ntitle=x\n".to_owned()),
        ("script.vpy", "import os\n".to_owned()),
    ];
    for (name, text) in files {
        let key = format!("media/{name}");
        service.put(&key, text.into_bytes()).await;
        let job = beside_another(&service, &pipeline, &key).await;
        assert_eq!(job.status(), Some("Error"), "{name}");
        assert_eq!((code(&job, 0), code(&job, 1)), ("4000", "4000"), "{name}: {job:?}");
    }
    assert!(listener.accept().is_err(), "somebody connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_that_points_to_another_file_reads_its_own_bytes_only() {
    let service = service(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.mov");
    ffmpeg(words("-f lavfi -i sine=d=1 -c:a pcm_s16le -f mov"), &path);
    let mut movie = std::fs::read(&path).unwrap();
    // A data reference with flags 0 lies elsewhere (ISO/IEC 14496-12, section 8.7.2): here it has no name to go to.
    let at = movie.windows(4).position(|word| word == b"url " || word == b"alis").unwrap();
    movie[at..at + 8].copy_from_slice(b"url \0\0\0\0");
    service.put("media/a.mov", movie).await;
    let job = beside_another(&service, &pipeline, "media/a.mov").await;
    assert!(matches!(job.status(), Some("Complete" | "Error")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_with_much_sound_is_stopped_at_its_bounds() {
    let service = service_with(TestDatabase::sqlite(), &["--max-output-bytes", "30000000"]).await;
    let pipeline = service.pipeline().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("silence.opus");
    ffmpeg(words("-f lavfi -i anullsrc=r=48000:cl=mono:d=1200 -c:a libopus -b:a 6k -vbr on"), &path);
    assert!(path.metadata().unwrap().len() < 1024 * 1024, "{:?}", path.metadata());
    service.put_file("media/silence", &path).await;
    let job = beside_another(&service, &pipeline, "media/silence").await;
    assert_eq!(job.status(), Some("Error"));
    let detail = job.outputs()[0].status_detail().unwrap();
    assert!(detail.starts_with("4002 ") && detail.ends_with("An output has more than 30000000 bytes."), "{detail}");
    // Silence is small in FLAC.
    assert_eq!(job.outputs()[1].status(), Some("Complete"), "{job:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_streams_are_no_more_work_than_one() {
    let service = service(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("many.mov");
    let arguments = words("-f lavfi -i sine=d=0.1:r=8000 -c:a pcm_s16le");
    ffmpeg(
        arguments.chain(std::iter::repeat_n(["-map", "0:a"], 900).flatten().map(String::from)).chain(words("-f mov")),
        &path,
    );
    service.put_file("media/many", &path).await;
    let job = beside_another(&service, &pipeline, "media/many").await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
    assert_eq!(job.outputs()[0].duration_millis(), Some(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_ffmpeg_takes_are_an_error() {
    let service = service(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    // An AVI header that announces 5,000 streams and has them.
    let mut list = Vec::new();
    for _ in 0..5000 {
        let mut header = vec![0; 56];
        header[..4].copy_from_slice(b"auds");
        header[20..24].copy_from_slice(&1_u32.to_le_bytes());
        header[24..28].copy_from_slice(&8000_u32.to_le_bytes());
        let format = [1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0];
        let chunks = [chunk(b"strh", &header), chunk(b"strf", &format)].concat();
        list.extend(chunk(b"LIST", &[b"strl".as_slice(), &chunks].concat()));
    }
    let mut main = vec![0; 56];
    main[24..28].copy_from_slice(&5000_u32.to_le_bytes());
    let header = chunk(b"LIST", &[b"hdrl".as_slice(), &chunk(b"avih", &main), &list].concat());
    let data = chunk(b"LIST", &[b"movi".as_slice(), &chunk(b"00wb", &[128; 800])].concat());
    let file = chunk(b"RIFF", &[b"AVI ".as_slice(), &header, &data].concat());
    service.put("media/avi", file).await;
    let job = beside_another(&service, &pipeline, "media/avi").await;
    assert_eq!(job.status(), Some("Error"), "{job:?}");
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [name.as_slice(), &u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_hundred_million_points_is_not_decoded() {
    let service = service(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let directory = tempfile::tempdir().unwrap();
    let (picture, song) = (directory.path().join("a.png"), directory.path().join("a.mp3"));
    ffmpeg(words("-f lavfi -i color=s=10000x10000:c=red,format=monob -frames:v 1 -c:v png"), &picture);
    let inputs = ["-f", "lavfi", "-i", "sine=d=1", "-i", picture.to_str().unwrap()].map(String::from);
    ffmpeg(inputs.into_iter().chain(words("-map 0 -map 1 -c:v copy -disposition:v attached_pic -f mp3")), &song);
    service.put_file("media/cover", &song).await;
    // The sound is as good as ever.
    let job = beside_another(&service, &pipeline, "media/cover").await;
    assert_eq!(job.status(), Some("Complete"), "{job:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_insists_on_a_kind_of_file_gets_no_other() {
    let service = service(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let directory = tempfile::tempdir().unwrap();
    service.put_file("media/a.wav", &media::wav(directory.path(), 1.0)).await;
    let input = JobInput::builder().key("media/a.wav").container("flv").build();
    let create = service.client.create_job().pipeline_id(&pipeline).input(input).outputs(output("x", WAV));
    let job = create.send().await.unwrap().job.unwrap();
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!((job.status(), code(&job, 0)), (Some("Error"), "4000"), "{job:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_behind_a_good_beginning_end_in_time() {
    let service = service_with(TestDatabase::sqlite(), &["--max-seconds", "20"]).await;
    let pipeline = service.pipeline().await;
    let directory = tempfile::tempdir().unwrap();
    let inputs =
        [media::mp3(directory.path(), 2.0), media::flac(directory.path(), 2.0), media::wav(directory.path(), 2.0)];
    for path in inputs {
        let mut bytes = std::fs::read(&path).unwrap();
        let (start, mut state) = (bytes.len() / 3, 0x2545_f491_4f6c_dd1d_u64);
        for byte in &mut bytes[start..] {
            // Xorshift: the same noise each time.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state as u8;
        }
        let key = format!("media/{}", path.file_name().unwrap().to_str().unwrap());
        service.put(&key, bytes).await;
        let job = beside_another(&service, &pipeline, &key).await;
        assert!(matches!(job.status(), Some("Complete" | "Error")), "{key}");
    }
}
