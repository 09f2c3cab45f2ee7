//! A disk without room: nothing is lost, nothing grows, and what frees room works.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use rustix::fs::statvfs;

use crate::crash::Process;

const BUCKET: &str = "a-bucket";
const MIB: u64 = 1024 * 1024;

/// A cloud that leaves so many bytes of its disk free.
fn start(directory: &Path, min_free: u64) -> Process {
    Process::spawn(program().arg("--min-free-bytes").arg(min_free.to_string()), directory)
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_local-cloud"))
}

/// Status and code of a refusal.
fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
) -> (u16, String) {
    match result {
        Err(SdkError::ServiceError(error)) => {
            assert!(
                error.err().message().is_some_and(|text| text.contains("disk is full")),
                "{:?}",
                error.err().message()
            );
            (error.raw().status().as_u16(), error.err().code().unwrap().to_owned())
        }
        other => panic!("no refusal: {:?}", other.map_err(|_| "no answer")),
    }
}

fn unavailable() -> (u16, String) {
    (503, "ServiceUnavailable".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_only_what_frees_some_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let process = start(directory.path(), 0);
    let (s3, sqs) = (process.s3(), aws_sdk_sqs::Client::new(&process.config()));
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    s3.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"kept")).send().await.unwrap();
    let upload = s3.create_multipart_upload().bucket(BUCKET).key("m").send().await.unwrap().upload_id.unwrap();
    let url = sqs.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    sqs.send_message().queue_url(&url).message_body("kept").send().await.unwrap();
    process.kill();

    // More than any disk has.
    let process = start(directory.path(), u64::MAX);
    let (s3, sqs) = (process.s3(), aws_sdk_sqs::Client::new(&process.config()));
    let put = s3.put_object().bucket(BUCKET).key("new").body(ByteStream::from_static(b"more"));
    assert_eq!(refusal(put.send().await), unavailable());
    let part = s3.upload_part().bucket(BUCKET).key("m").upload_id(&upload).part_number(1);
    assert_eq!(refusal(part.body(ByteStream::from_static(b"more")).send().await), unavailable());
    let copy = s3.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/k"));
    assert_eq!(refusal(copy.send().await), unavailable());
    assert_eq!(refusal(s3.create_multipart_upload().bucket(BUCKET).key("n").send().await), unavailable());
    let send = sqs.send_message().queue_url(&url).message_body("more");
    assert_eq!(refusal(send.send().await), unavailable());
    // A consumer that makes sure of its queue before it empties it must come up.
    assert!(sqs.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap().ends_with("/q"));
    let sns = aws_sdk_sns::Client::new(&process.config());
    let topic = sns.create_topic().name("t").send().await.unwrap().topic_arn.unwrap();
    assert_eq!(refusal(sns.publish().topic_arn(&topic).message("more").send().await), unavailable());

    let kept = s3.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(kept.body.collect().await.unwrap().to_vec(), b"kept");
    let received = sqs.receive_message().queue_url(&url).send().await.unwrap().messages.unwrap();
    assert_eq!(received[0].body(), Some("kept"));
    sqs.delete_message().queue_url(&url).set_receipt_handle(received[0].receipt_handle.clone()).send().await.unwrap();
    s3.abort_multipart_upload().bucket(BUCKET).key("m").upload_id(&upload).send().await.unwrap();
    s3.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(s3.list_objects_v2().bucket(BUCKET).send().await.unwrap().contents().is_empty());
}

/// A file system of 64 MiB in the namespace of a process of its own, seen from here.
struct SmallDisk {
    process: Process,
    seen: PathBuf,
}

impl SmallDisk {
    /// None where this system does not let us mount one.
    fn start(directory: &Path, min_free: u64) -> Option<Self> {
        let mount = format!("mount -t tmpfs -o size=64m tmpfs {}", directory.display());
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--mount", "sh", "-c"]);
            command
        };
        let can = unshare().arg(&mount).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !can {
            return None;
        }
        let script = format!("{mount} && exec \"$0\" \"$@\"");
        let mut command = unshare();
        command.arg(script).arg(program().get_program()).arg("--min-free-bytes").arg(min_free.to_string());
        let process = Process::spawn(&mut command, directory);
        let seen = PathBuf::from(format!("/proc/{}/root{}", process.id(), directory.display()));
        Some(Self { process, seen })
    }

    fn free(&self) -> u64 {
        let found = statvfs(&self.seen).unwrap();
        found.f_bavail * found.f_frsize
    }

    /// As another program would: to the last byte.
    fn fill(&self) {
        let mut filler = File::create(self.seen.join("filler")).unwrap();
        let block = vec![1; 4096];
        while filler.write_all(&block).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_others_filled_to_the_last_byte_can_be_cleared() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::start(directory.path(), 16 * MIB) else {
        eprintln!("SKIPPED: no file system can be mounted here");
        return;
    };
    let (s3, sqs) = (disk.process.s3(), aws_sdk_sqs::Client::new(&disk.process.config()));
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let url = sqs.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
    sqs.send_message().queue_url(&url).message_body("a message").send().await.unwrap();
    let body = vec![7; MIB as usize];
    let mut keys: Vec<String> = Vec::new();
    let refused = loop {
        assert!(keys.len() < 64, "more than the disk has");
        let put = s3.put_object().bucket(BUCKET).key(keys.len().to_string()).body(ByteStream::from(body.clone()));
        match put.send().await {
            Ok(_) => keys.push(keys.len().to_string()),
            refused => break refused,
        }
    };
    assert_eq!(refusal(refused), unavailable());
    assert!(keys.len() > 10 && disk.free() >= 15 * MIB, "{} objects, {} bytes free", keys.len(), disk.free());

    disk.fill();
    assert_eq!(disk.free(), 0);
    let received = sqs.receive_message().queue_url(&url).send().await.unwrap().messages.unwrap();
    sqs.delete_message().queue_url(&url).set_receipt_handle(received[0].receipt_handle.clone()).send().await.unwrap();
    for key in &keys[1..] {
        s3.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }
    let kept = s3.get_object().bucket(BUCKET).key("0").send().await.unwrap();
    assert!(kept.body.collect().await.unwrap().to_vec() == body);

    // Once there is room again it is as before, with a new reserve.
    fs::remove_file(disk.seen.join("filler")).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while s3.put_object().bucket(BUCKET).key("again").body(ByteStream::from(body.clone())).send().await.is_err()
        || !disk.seen.join("reserve").exists()
    {
        assert!(std::time::Instant::now() < deadline, "{} bytes are free", disk.free());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    // A file where a directory should be stops everybody, also root.
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let output = program()
        .args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(file.join("data"))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains(&file.join("data").display().to_string()), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}
