//! A running transcoder of a test's own, and its client.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_elastictranscoder::Client;
use aws_sdk_elastictranscoder::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_elastictranscoder::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
};
use aws_sdk_elastictranscoder::error::BoxError;
use aws_sdk_elastictranscoder::types::{AudioParameters, CreateJobOutput, Job, JobInput, Notifications, TimeSpan};
use aws_sdk_s3::primitives::ByteStream;
use clap::Parser;
use common::names::TRANSCODER_EVENTS;
use elastic_transcoder::{Arns, Notification};
use runtime::{Platform, Shutdown};
use testing::{TestDatabase, World, eventually};
use transcoder::{Api, ApiParts, Coders, Config, MIGRATIONS, Quotas, SCHEMA, Store};

use crate::line::Line;

pub const KEY: (&str, &str) = ("AKTEST", "a-secret-of-this-test");
pub const ROLE: &str = "arn:aws:iam::000000000000:role/transcoder";
pub const WAV: &str = "1351620000001-300300";
pub const FLAC: &str = "1351620000001-300110";
pub const MP4: &str = "1351620000001-100110";
pub const PATIENCE: Duration = Duration::from_secs(180);
/// The bucket of shared segments.
pub const SHARE: &str = "segue-share";

/// A service that listens, its world and its client.
pub struct Service {
    pub world: World,
    pub store: Store,
    pub client: Client,
    pub url: String,
    /// Where encoders of segments wait while it is closed, if the service was started with one.
    pub gate: Option<Gate>,
    database: TestDatabase,
    scratch: tempfile::TempDir,
}

/// The service once more, as on another machine, with its own scratch directory.
pub struct Machine {
    /// Where its encoders of segments wait while it is closed.
    pub gate: Gate,
    shutdown: Shutdown,
    scratch: tempfile::TempDir,
}

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// The whole service: API, consumer and relay.
pub async fn service(database: TestDatabase) -> Service {
    service_with(database, &[]).await
}

/// The same, with settings of the test's own.
pub async fn service_with(database: TestDatabase, settings: &[&str]) -> Service {
    let world = World::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let routes = transcoder::start(config(&database, scratch.path(), settings), world.platform()).await.unwrap();
    finish(world, database, scratch, routes).await
}

/// The same, whose objects come and go by a line.
pub async fn service_behind_line(database: TestDatabase) -> (Service, Line) {
    let (world, scratch) = (World::start().await, tempfile::tempdir().unwrap());
    let line = Line::to(world.endpoint()).await;
    let Platform { aws, names, shutdown, .. } = world.platform();
    let mut aws = aws.clone();
    aws.s3 = aws.s3_at(line.url());
    let (names, shutdown) = (names.clone(), shutdown.clone());
    let platform = Platform { aws, names, shutdown, health: runtime::Health::default() };
    let routes = transcoder::start(config(&database, scratch.path(), &[""; 0]), &platform).await.unwrap();
    (finish(world, database, scratch, routes).await, line)
}

/// The same, with one encoder, a gate and a bucket through which others may help.
pub async fn sharing(database: TestDatabase) -> Service {
    let world = World::start().await;
    world.aws().s3.create_bucket().bucket(SHARE).send().await.unwrap();
    let (scratch, gate) = (tempfile::tempdir().unwrap(), Gate::open());
    let config = config(&database, scratch.path(), &gate.arguments());
    let routes = transcoder::start(config, world.platform()).await.unwrap();
    Service { gate: Some(gate), ..finish(world, database, scratch, routes).await }
}

/// One with a gate and no such bucket, with so many encoders.
pub async fn gated(database: TestDatabase, encoders: &str) -> Service {
    let gate = Gate::open();
    let settings = gate.programs(encoders);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Service { gate: Some(gate), ..service_with(database, &settings).await }
}

/// Tries to start with such a bucket.
pub async fn start_with_share(bucket: &str) -> anyhow::Result<()> {
    let (world, scratch) = (World::start().await, tempfile::tempdir().unwrap());
    let database = TestDatabase::sqlite();
    let config = config(&database, scratch.path(), &["--share-bucket", bucket]);
    transcoder::start(config, world.platform()).await.map(drop)
}

/// The API without anything that runs jobs: they stay Submitted.
pub async fn api_only(database: TestDatabase) -> Service {
    api_with(database, Quotas::default()).await
}

/// The same, with quotas of the test's own.
pub async fn api_with(database: TestDatabase, quotas: Quotas) -> Service {
    let world = World::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let api = Api::new(ApiParts {
        store: open(&database).await,
        arns: Arns::new("us-east-1", "000000000000"),
        keys: [KEY].into_iter().collect(),
        jobs_queue: world.names().full("transcoder-jobs"),
        quotas,
        coders: Coders::default(),
        s3: world.aws().s3.clone(),
        sns: world.aws().sns.clone(),
    });
    finish(world, database, scratch, transcoder::router(api)).await
}

async fn finish(world: World, database: TestDatabase, scratch: tempfile::TempDir, routes: axum::Router) -> Service {
    let url = world.serve(routes).await;
    let store = open(&database).await;
    Service { client: client(&url, KEY), world, store, url, gate: None, database, scratch }
}

pub async fn open(database: &TestDatabase) -> Store {
    Store::new(database::Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap())
}

pub fn config(database: &TestDatabase, scratch: &Path, settings: &[impl AsRef<str>]) -> Config {
    let keys = format!("{}:{}", KEY.0, KEY.1);
    let scratch = scratch.to_str().unwrap();
    let url = database.args().url.expose().to_owned();
    let arguments =
        ["transcoder", "--database-url", &url, "--access-keys", &keys, "--scratch-dir", scratch, "--jobs", "2"];
    let settings = settings.iter().map(AsRef::as_ref);
    Settings::parse_from(arguments.into_iter().chain(settings)).config
}

pub fn client(url: &str, (id, secret): (&str, &str)) -> Client {
    let config = aws_sdk_elastictranscoder::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .endpoint_url(url)
        .build();
    Client::from_conf(config)
}

pub fn output(key: &str, preset: &str) -> CreateJobOutput {
    CreateJobOutput::builder().key(key).preset_id(preset).build()
}

/// Keeps the body of an answer.
#[derive(Debug, Clone, Default)]
struct Body(Arc<Mutex<Vec<u8>>>);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap() = context.response().body().bytes().unwrap_or_default().to_vec();
        Ok(())
    }
}

pub fn span(start: &str, duration: Option<&str>) -> TimeSpan {
    TimeSpan::builder().start_time(start).set_duration(duration.map(str::to_owned)).build()
}

/// An output with a clip of its own.
#[allow(deprecated, reason = "clients still send it")]
pub fn clipped_output(key: &str, preset: &str, start: &str, duration: Option<&str>) -> CreateJobOutput {
    let clip = aws_sdk_elastictranscoder::types::Clip::builder().time_span(span(start, duration)).build();
    CreateJobOutput::builder().key(key).preset_id(preset).composition(clip).build()
}

impl Service {
    /// A pipeline over the world's bucket whose every topic is the one that the world's queue listens to.
    pub async fn pipeline(&self) -> String {
        let topic = self.topic().await;
        let topics =
            Notifications::builder().progressing(&topic).completed(&topic).warning(&topic).error(&topic).build();
        let bucket = self.world.bucket();
        let create = self.client.create_pipeline().name("test").role(ROLE).input_bucket(bucket).output_bucket(bucket);
        create.notifications(topics).send().await.unwrap().pipeline.unwrap().id.unwrap()
    }

    async fn topic(&self) -> String {
        let name = self.world.names().full(TRANSCODER_EVENTS);
        self.world.aws().sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap()
    }

    pub async fn put(&self, key: &str, body: impl Into<ByteStream>) {
        let put = self.world.aws().s3.put_object().bucket(self.world.bucket()).key(key);
        put.body(body.into()).send().await.unwrap();
    }

    pub async fn put_file(&self, key: &str, path: &Path) {
        self.put(key, ByteStream::from_path(path).await.unwrap()).await;
    }

    /// Downloads an object into a directory, with its content type.
    pub async fn get(&self, key: &str, directory: &Path) -> (std::path::PathBuf, String) {
        let reply = self.world.aws().s3.get_object().bucket(self.world.bucket()).key(key).send().await.unwrap();
        let content_type = reply.content_type().unwrap_or_default().to_owned();
        let path = directory.join(key.replace('/', "-"));
        std::fs::write(&path, reply.body.collect().await.unwrap().to_vec()).unwrap();
        (path, content_type)
    }

    /// Starts the service once more on the same tables and queue, as on another machine.
    pub async fn another(&self) {
        let config = config(&self.database, self.scratch.path(), &[""; 0]);
        // Its routes are not served: it only runs jobs.
        drop(transcoder::start(config, self.world.platform()).await.unwrap());
    }

    /// A machine that may help this one.
    pub async fn helper(&self) -> Machine {
        let (scratch, gate) = (tempfile::tempdir().unwrap(), Gate::open());
        let config = config(&self.database, scratch.path(), &gate.arguments());
        let Platform { aws, names, .. } = self.world.platform();
        let shutdown = Shutdown::new();
        let platform = Platform {
            aws: aws.clone(),
            names: names.clone(),
            shutdown: shutdown.clone(),
            health: runtime::Health::default(),
        };
        drop(transcoder::start(config, &platform).await.unwrap());
        Machine { gate, shutdown, scratch }
    }

    /// How many files running jobs have in the scratch directory: their inputs and what is being made of them.
    pub fn scratch_files(&self) -> usize {
        scratch_files(self.scratch.path())
    }

    /// The directory of the job that runs, if one does.
    pub fn scratch_job(&self) -> Option<PathBuf> {
        let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        entries(self.scratch.path()).flat_map(|process| entries(&process).collect::<Vec<_>>()).next()
    }

    pub async fn create_job(&self, pipeline: &str, key: &str, outputs: Vec<CreateJobOutput>) -> Job {
        let create = self.client.create_job().pipeline_id(pipeline).input(JobInput::builder().key(key).build());
        let create = create.set_outputs(Some(outputs)).output_key_prefix("transcoded/");
        create.user_metadata("owner", "demo").send().await.unwrap().job.unwrap()
    }

    /// A job of several inputs that has ended.
    pub async fn joined(&self, inputs: Vec<JobInput>, outputs: Vec<CreateJobOutput>) -> Job {
        let pipeline = self.pipeline().await;
        let create = self.client.create_job().pipeline_id(pipeline).set_inputs(Some(inputs));
        let created = create.set_outputs(Some(outputs)).output_key_prefix("transcoded/").send().await.unwrap();
        self.ended(created.job.unwrap().id().unwrap()).await
    }

    /// A custom preset of audio.
    pub async fn preset(&self, container: &str, audio: AudioParameters) -> String {
        let create = self.client.create_preset().name("custom").container(container).audio(audio);
        create.send().await.unwrap().preset.unwrap().id.unwrap()
    }

    pub async fn read_job(&self, id: &str) -> Job {
        self.client.read_job().id(id).send().await.unwrap().job.unwrap()
    }

    /// What ReadJob answers, with the members that its SDK does not know.
    pub async fn raw_job(&self, id: &str) -> serde_json::Value {
        let body = Body::default();
        self.client.read_job().id(id).customize().interceptor(body.clone()).send().await.unwrap();
        let body = body.0.lock().unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Waits until a job has ended.
    pub async fn ended(&self, id: &str) -> Job {
        eventually(PATIENCE, || async {
            let job = self.read_job(id).await;
            matches!(job.status(), Some("Complete" | "Error" | "Canceled")).then_some(job)
        })
        .await
    }

    /// The next messages of the events queue, each with its subject, until `count` came.
    pub async fn events(&self, count: usize) -> Vec<(String, Notification)> {
        let sqs = &self.world.aws().sqs;
        let name = self.world.names().full(TRANSCODER_EVENTS);
        let queue = sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let mut events = Vec::new();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while events.len() < count {
            assert!(tokio::time::Instant::now() < deadline, "only {} of {count} events came", events.len());
            let receive = sqs.receive_message().queue_url(&queue).wait_time_seconds(5).max_number_of_messages(10);
            for message in receive.send().await.unwrap().messages.unwrap_or_default() {
                let envelope: serde_json::Value = serde_json::from_str(message.body().unwrap()).unwrap();
                let text = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
                events.push((text("Subject"), Notification::parse(&text("Message")).unwrap()));
                let receipt = message.receipt_handle().unwrap();
                sqs.delete_message().queue_url(&queue).receipt_handle(receipt).send().await.unwrap();
            }
        }
        events.sort_by_key(|(_, event)| event.state as u8);
        events
    }

    /// Asks once more for a job to be run, as a second delivery would.
    pub async fn deliver_again(&self, job_id: &str) {
        let sqs = &self.world.aws().sqs;
        let name = self.world.names().full("transcoder-jobs");
        let queue = sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let body = serde_json::json!({ "kind": "run_job", "v": 1, "job_id": job_id }).to_string();
        sqs.send_message().queue_url(queue).message_body(body).send().await.unwrap();
    }

    /// How many messages a queue holds, those in somebody's hand included.
    pub async fn waiting(&self, queue: &str) -> u32 {
        let sqs = &self.world.aws().sqs;
        let url = sqs.get_queue_url().queue_name(queue).send().await.unwrap().queue_url.unwrap();
        let reply = sqs.get_queue_attributes().queue_url(url).attribute_names("All".into()).send().await.unwrap();
        let counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let all = reply.attributes.unwrap();
        counts.iter().map(|name| all[&(*name).into()].parse::<u32>().unwrap()).sum()
    }
}

impl Machine {
    /// What it has in hand is dropped and says no more.
    pub async fn die(&self) {
        self.shutdown.finish(Duration::ZERO).await.unwrap();
    }

    /// The same as of the service.
    pub fn scratch_files(&self) -> usize {
        scratch_files(self.scratch.path())
    }
}

/// An ffmpeg that waits before it encodes a segment, as long as the gate is closed.
pub struct Gate(tempfile::TempDir);

impl Gate {
    fn open() -> Self {
        let gate = Self(tempfile::tempdir().unwrap());
        let script = gate.0.path().join("ffmpeg");
        let closed = gate.file();
        let text = format!(
            "#!/bin/sh\nexport PATH=/usr/bin:/bin\n\
             case \"$*\" in *file:segment-*) while [ -e {} ]; do sleep 0.1; done;; esac\nexec {} \"$@\"\n",
            closed.display(),
            program("ffmpeg").display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        gate
    }

    /// Settings with which a service has this one, and so many encoders.
    fn programs(&self, encoders: &str) -> Vec<String> {
        let script = self.0.path().join("ffmpeg").display().to_string();
        let readable = ["/bin".into(), "/usr/bin".into(), program("ffmpeg"), self.0.path().to_owned()]
            .map(|path| path.display().to_string());
        ["--encoders", encoders, "--ffmpeg", &script, "--readable", &readable.join(",")].map(String::from).into()
    }

    /// Lets nothing through from now on.
    pub fn close(&self) {
        std::fs::write(self.file(), "").unwrap();
    }

    /// Lets through what waits, and what comes.
    pub fn reopen(&self) {
        std::fs::remove_file(self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("closed")
    }

    fn arguments(&self) -> Vec<String> {
        [self.programs("1"), ["--share-bucket", SHARE].map(String::from).into()].concat()
    }
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file()).unwrap()
}

fn scratch_files(scratch: &Path) -> usize {
    // What goes while it is looked at is not there.
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let jobs = entries(scratch).flat_map(|process| entries(&process).collect::<Vec<_>>());
    jobs.map(|job| entries(&job).count()).sum()
}
