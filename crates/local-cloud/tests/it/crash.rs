//! The real process, killed while it works.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_s3::{Client, primitives::ByteStream};
use local_cloud::AccessKey;

use crate::world;

const BUCKET: &str = "a-bucket";
const KEY: &str = "test-key:test-secret";

/// The binary; killed when it goes out of scope.
pub struct Process {
    child: Child,
    endpoint: String,
}

impl Process {
    pub fn start(directory: &Path) -> Self {
        Self::start_with(directory, Stdio::inherit())
    }

    /// The same, with its log written elsewhere.
    pub fn start_with(directory: &Path, log: Stdio) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_local-cloud")).stderr(log), directory)
    }

    /// The binary, or what starts it and passes its arguments on.
    pub fn spawn(command: &mut Command, directory: &Path) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--access-key", KEY, "--data-dir"])
            .arg(directory)
            .env("RUST_LOG", "error,s3s=off")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let endpoint = first.strip_prefix("local-cloud listens on ").unwrap().to_owned();
        let exports: Vec<String> = lines.by_ref().take(5).map(Result::unwrap).collect();
        assert!(exports.contains(&format!("export AWS_ENDPOINT_URL={endpoint}")), "{exports:?}");
        Self { child, endpoint }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// For clients that do not try again, so that each request is either acknowledged or not.
    pub fn config(&self) -> SdkConfig {
        let key: AccessKey = KEY.parse().unwrap();
        let config = world::config(&self.endpoint, &key).into_builder();
        config.retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled()).build()
    }

    pub fn s3(&self) -> Client {
        world::s3(&self.config())
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that follow from their name, so that a half-written object cannot pass.
fn body(name: &str) -> Vec<u8> {
    let length = 1 + name.bytes().map(usize::from).sum::<usize>() * 397 % 300_000;
    name.bytes().cycle().take(length).collect()
}

/// Puts objects until the process is gone, and notes each one that was acknowledged.
async fn write(s3: Client, writer: usize, round: usize, acknowledged: Arc<Mutex<Vec<String>>>) {
    for n in 0.. {
        let key = format!("{round}/{writer}/{n}");
        let body = ByteStream::from(body(&key));
        if s3.put_object().bucket(BUCKET).key(&key).body(body).send().await.is_err() {
            return;
        }
        acknowledged.lock().unwrap().push(key);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_nothing_acknowledged_and_leaves_nothing_half_written() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path());
    process.s3().create_bucket().bucket(BUCKET).send().await.unwrap();
    process.kill();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    for round in 0..4 {
        let process = Process::start(directory.path());
        let writers: Vec<_> =
            (0..6).map(|writer| tokio::spawn(write(process.s3(), writer, round, acknowledged.clone()))).collect();
        let before = acknowledged.lock().unwrap().len();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while acknowledged.lock().unwrap().len() < before + 20 + round * 7 {
            assert!(tokio::time::Instant::now() < deadline, "the writers got nowhere");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        process.kill();
        for writer in writers {
            writer.await.unwrap();
        }
    }
    let process = Process::start(directory.path());
    let s3 = process.s3();
    let mut found = std::collections::HashSet::new();
    let mut pages = s3.list_objects_v2().bucket(BUCKET).into_paginator().send();
    while let Some(page) = pages.next().await {
        found.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    for key in acknowledged.lock().unwrap().iter() {
        assert!(found.contains(key), "{key} was acknowledged and is gone");
    }
    for key in &found {
        let got = s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert!(got.body.collect().await.unwrap().to_vec() == body(key), "{key} is not what was put");
    }
    let objects = std::fs::read_dir(directory.path().join("objects")).unwrap();
    let files: usize = objects.map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap().count()).sum();
    assert_eq!(files, found.len(), "files without an object");
}

#[test]
fn a_second_process_is_told_that_the_directory_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Process::start(directory.path());
    let second = Command::new(env!("CARGO_BIN_EXE_local-cloud"))
        .args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory.path())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("in use by another process"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[test]
fn a_signal_ends_it_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path());
    let id = rustix::process::Pid::from_child(&process.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(process.child.wait().unwrap().success());
}
