//! A transcoder as a process of its own, and the cloud that it works in.

use std::{
    collections::HashSet,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use aws_sdk_elastictranscoder::types::{CreateJobOutput, JobInput, Notifications};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};

use super::THREE;
use crate::{cloud::Cloud, process::Process};

const BUCKET: &str = "bench";
/// Through which services that have a core each share segments.
const SHARE: &str = "bench-share";
/// Longer than anything takes that is measured.
const PATIENCE: Duration = Duration::from_secs(600);

/// A bucket, a queue of jobs, and a queue that hears of those that are complete.
pub struct World {
    cloud: Cloud,
    topic: String,
    heard: String,
}

impl World {
    /// Starts local-cloud and makes what the transcoder needs.
    pub async fn start(data: &Path) -> anyhow::Result<Self> {
        let cloud = Cloud::local(data)?;
        for bucket in [BUCKET, SHARE] {
            cloud.s3().create_bucket().bucket(bucket).send().await?;
        }
        let sns = aws_sdk_sns::Client::new(&cloud.config());
        let topic = sns.create_topic().name("completed").send().await?.topic_arn.context("no topic")?;
        let queue_arn = |name| topic.replace(":sns:", ":sqs:").replace("completed", name);
        cloud.sqs().create_queue().queue_name("segue-transcoder-jobs-dlq").send().await?;
        let dead = queue_arn("segue-transcoder-jobs-dlq");
        let redrive = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":5}}"#);
        let jobs = cloud.sqs().create_queue().queue_name("segue-transcoder-jobs");
        jobs.attributes(QueueAttributeName::RedrivePolicy, redrive).send().await?;
        let heard = cloud.sqs().create_queue().queue_name("heard").send().await?.queue_url.context("no queue")?;
        let arn = queue_arn("heard");
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"{arn}","Condition":{{"ArnEquals":{{"aws:SourceArn":"{topic}"}}}}}}]}}"#
        );
        cloud
            .sqs()
            .set_queue_attributes()
            .queue_url(&heard)
            .attributes(QueueAttributeName::Policy, policy)
            .send()
            .await?;
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn);
        subscribe.attributes("RawMessageDelivery", "true").send().await?;
        Ok(Self { cloud, topic, heard })
    }

    /// Stores an input.
    pub async fn put(&self, key: &str, path: &Path) -> anyhow::Result<()> {
        let body = ByteStream::from_path(path).await?;
        self.cloud.s3().put_object().bucket(BUCKET).key(key).body(body).send().await?;
        Ok(())
    }

    /// Waits until all these jobs are said to be complete.
    pub async fn completed(&self, jobs: &[String]) -> anyhow::Result<()> {
        let mut waiting: HashSet<&str> = jobs.iter().map(String::as_str).collect();
        let (sqs, start) = (self.cloud.sqs(), Instant::now());
        while !waiting.is_empty() {
            ensure!(start.elapsed() < PATIENCE, "{} jobs are not complete", waiting.len());
            let receive = sqs.receive_message().queue_url(&self.heard).wait_time_seconds(5).max_number_of_messages(10);
            let messages = receive.send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                continue;
            }
            let mut delete = sqs.delete_message_batch().queue_url(&self.heard);
            for (id, message) in messages.into_iter().enumerate() {
                let body = message.body.unwrap_or_default();
                let value: serde_json::Value = serde_json::from_str(&body)?;
                ensure!(value["state"] == "COMPLETED", "a job failed: {body}");
                waiting.remove(value["jobId"].as_str().unwrap_or_default());
                let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
                delete = delete.entries(entry.set_receipt_handle(message.receipt_handle).build()?);
            }
            delete.send().await?;
        }
        Ok(())
    }
}

/// Killed when it goes out of scope.
pub struct Service {
    process: Process,
    client: aws_sdk_elastictranscoder::Client,
    pipeline: String,
}

impl Service {
    /// Starts the `transcoder` that was built beside this program, on one core when it is given, and makes it a
    /// pipeline. Services of one name share their database.
    pub async fn start(world: &World, directory: &Path, name: &str, core: Option<usize>) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("transcoder");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (id, secret) = world.cloud.key();
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(&program).args(["--share-bucket", SHARE]);
                command
            }
            None => Command::new(&program),
        };
        let database = directory.join(format!("{name}.db"));
        let scratch = directory.join("scratch");
        command
            .args(["--log", "warn", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--database-url", &format!("sqlite://{}", database.display())])
            .arg("--scratch-dir")
            .arg(&scratch)
            .env("SEGUE_ACCESS_KEYS", format!("{id}:{secret}"))
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", world.cloud.endpoint())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let process = Process::spawn(&mut command)?;
        let url = format!("http://127.0.0.1:{port}");
        let config = world.cloud.config().into_builder().endpoint_url(url).build();
        let client = aws_sdk_elastictranscoder::Client::new(&config);
        let mut this = Self { process, client, pipeline: String::new() };
        this.pipeline = this.make_pipeline(&world.topic).await?;
        Ok(this)
    }

    async fn make_pipeline(&mut self, topic: &str) -> anyhow::Result<String> {
        let start = Instant::now();
        loop {
            let topics = Notifications::builder().progressing("").completed(topic).warning("").error(topic).build();
            let create = self.client.create_pipeline().name("bench").role("arn:aws:iam::000000000000:role/bench");
            let create = create.input_bucket(BUCKET).output_bucket(BUCKET).notifications(topics);
            match create.send().await {
                Ok(created) => return created.pipeline.and_then(|pipeline| pipeline.id).context("no pipeline"),
                Err(error) if start.elapsed() > Duration::from_secs(20) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            ensure!(self.process.0.try_wait()?.is_none(), "the transcoder ended");
        }
    }

    /// Submits a job for the three outputs.
    pub async fn submit(&self, input: &str, output: &str) -> anyhow::Result<String> {
        let outputs = THREE.iter().enumerate().map(|(at, (preset, _))| {
            CreateJobOutput::builder().key(format!("{output}-{at}")).preset_id(*preset).build()
        });
        let create = self.client.create_job().pipeline_id(&self.pipeline).set_outputs(Some(outputs.collect()));
        let prefix = format!("{}/", self.process.0.id());
        let created = create.output_key_prefix(prefix).input(JobInput::builder().key(input).build()).send().await?;
        created.job.and_then(|job| job.id).context("no job")
    }

    /// Processor time of the service and of the processes that it has waited for.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        self.process.processor_with_children()
    }

    /// Its own memory at its highest.
    pub fn peak_mib(&self) -> anyhow::Result<u64> {
        self.process.memory_mib("VmHWM:")
    }
}
