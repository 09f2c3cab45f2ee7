//! Jobs by the hundred, their events over HTTP and the queue at once, repeated and out of order, while
//! transcode-worker and notification-ingest are killed in turn: each job is told of once.

mod repeater;
mod transcoder;

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use common::{FileId, FileState, Profile, TranscodeRequest, TranscodeResult, event::V1};
use runtime::{Aws, aws::LocalEndpoint};
use sqlx::AnyPool;
use testing::Issuer;

use crate::{
    apart::{Deployment, free_address, until_ready},
    api::Api,
    binaries::Process,
};
use repeater::Repeater;
use transcoder::Transcoder;

/// How long everything may take.
const PATIENCE: Duration = Duration::from_secs(600);
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:segue-transcoder-events";

#[tokio::test]
async fn a_hundred_jobs_are_told_of_once_each_while_processes_are_killed() {
    chaos(100, Duration::from_secs(2)).await;
}

/// Takes minutes; `cargo nextest run -p e2e --run-ignored all -E 'test(thousand)'`.
#[tokio::test]
#[ignore = "takes minutes"]
async fn a_thousand_jobs_are_told_of_once_each_while_processes_are_killed() {
    chaos(1000, Duration::from_secs(3)).await;
}

/// A service that is killed and started again at the same address, on the same tables.
struct Victim {
    binary: &'static str,
    address: String,
    database: String,
    process: Option<Process>,
}

impl Victim {
    fn new(deployment: &Deployment, directory: &std::path::Path, binary: &'static str) -> Self {
        let database = format!("sqlite://{}", directory.join(format!("{binary}.sqlite")).display());
        let mut this = Self { binary, address: free_address(), database, process: None };
        this.start(deployment);
        this
    }

    fn start(&mut self, deployment: &Deployment) {
        let mut command = deployment.command(self.binary);
        command.env("SEGUE_LISTEN", &self.address).env("SEGUE_DATABASE_URL", &self.database).env("SEGUE_LOG", "error");
        self.process = Some(Process(command.spawn().expect("the service runs")));
    }

    fn kill(&mut self, deployment: &Deployment) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        self.start(deployment);
    }
}

async fn chaos(jobs: usize, every: Duration) {
    let directory = tempfile::tempdir().unwrap();
    let issuer = Issuer::new();
    let mut deployment = Deployment { settings: Vec::new(), processes: Vec::new() };
    deployment.start_local_cloud(&directory.path().join("aws"));
    let aws = clients(&deployment);
    let transcoder = Transcoder::start(aws.sns.clone(), TOPIC).await;
    settings(&mut deployment, &issuer, transcoder.url());
    let provisioned = deployment.command("segue").args(["provision", "--skip-pipeline"]).status().unwrap();
    assert!(provisioned.success());
    let start = |binary| Victim::new(&deployment, directory.path(), binary);
    let (mut ingest, mut worker, messages) =
        (start("notification-ingest"), start("transcode-worker"), start("messages-api"));
    for victim in [&ingest, &worker, &messages] {
        until_ready(&victim.address).await;
    }
    let repeater = Repeater::start(&format!("http://{}/v1/notifications/sns", ingest.address)).await;
    subscribe_http(&aws.sns, repeater.url()).await;
    request(&aws, jobs).await;

    let alice = Api::new(&format!("http://{}", messages.address), &issuer.token("alice"));
    let (begun, mut kills) = (Instant::now(), 0);
    let mut unread = 0;
    while unread < jobs as i64 || kills < 4 {
        assert!(begun.elapsed() < PATIENCE, "{unread} of {jobs} notices after {kills} kills");
        tokio::time::sleep(every).await;
        let victim = if kills % 2 == 0 { &mut ingest } else { &mut worker };
        victim.kill(&deployment);
        kills += 1;
        unread = alice.json("/v1/messages/unread-count").await["unread"].as_i64().unwrap();
    }
    // What still comes is late or a repetition, until nothing comes any more.
    testing::eventually(PATIENCE, || async { (transcoder.is_idle() && repeater.is_idle()).then_some(()) }).await;
    drained(&aws, &["transcode-requests", "transcoder-events"]).await;
    let tables = tables(&ingest.database).await;
    testing::eventually(PATIENCE, || async { (count(&tables, "outbox", "TRUE").await == 0).then_some(()) }).await;
    drained(&aws, &["results-messages"]).await;
    let told = told(&tables).await;
    let results = results(&aws).await;
    let unread = alice.json("/v1/messages/unread-count").await["unread"].as_i64().unwrap();
    eprintln!(
        "{jobs} jobs, {kills} kills, {:?}: {} events and {} posts repeated; {told:?}; {} jobs told of, {} results, sent {} \
         times; {unread} notices",
        begun.elapsed(),
        transcoder.repeated(),
        repeater.repeated(),
        results.jobs,
        results.different,
        results.sent,
    );
    assert_eq!(transcoder.jobs(), jobs, "one job for each file");
    assert_eq!((results.jobs, results.different), (jobs, jobs), "one result for each job, and no second one");
    assert_eq!(unread, jobs as i64, "one notice for each job, and no second one");
    assert!(told.by_http > 0 && told.by_queue > 0, "both ways were used: {told:?}");
    assert!(transcoder.repeated() > 0 && repeater.repeated() > 0, "something was repeated");
}

fn clients(deployment: &Deployment) -> Aws {
    Aws::local(&LocalEndpoint {
        url: deployment.setting("AWS_ENDPOINT_URL").to_owned(),
        region: "us-east-1".to_owned(),
        access_key_id: deployment.setting("AWS_ACCESS_KEY_ID").to_owned(),
        secret_access_key: deployment.setting("AWS_SECRET_ACCESS_KEY").to_owned(),
    })
}

fn settings(deployment: &mut Deployment, issuer: &Issuer, transcoder: &str) {
    let (auth, endpoint) = (issuer.auth_args(), deployment.setting("AWS_ENDPOINT_URL").to_owned());
    deployment.set("AWS_ENDPOINT_URL_ELASTIC_TRANSCODER", transcoder);
    deployment.set("SEGUE_SNS_LOCAL_ENDPOINT", &endpoint);
    deployment.set("SEGUE_JWKS_URL", auth.jwks_url.as_str());
    deployment.set("SEGUE_JWT_ISSUER", &auth.jwt_issuer);
    deployment.set("SEGUE_JWT_AUDIENCE", &auth.jwt_audience);
}

/// The second way; the service confirms it by itself.
async fn subscribe_http(sns: &Sns, endpoint: &str) {
    sns.subscribe().topic_arn(TOPIC).protocol("http").endpoint(endpoint).send().await.unwrap();
    testing::eventually(Duration::from_secs(60), || async {
        let all = sns.list_subscriptions_by_topic().topic_arn(TOPIC).send().await.unwrap();
        let found = all.subscriptions().iter().find(|it| it.endpoint() == Some(endpoint))?;
        found.subscription_arn().filter(|arn| arn.starts_with("arn:")).map(|_| ())
    })
    .await;
}

/// Asks for as many jobs, some of them twice.
async fn request(aws: &Aws, jobs: usize) {
    let url = aws.sqs.get_queue_url().queue_name("segue-transcode-requests").send().await.unwrap().queue_url.unwrap();
    let requests: Vec<String> = (0..jobs).map(|_| new_request()).collect();
    let all: Vec<&String> = requests.iter().chain(requests.iter().step_by(5)).collect();
    for chunk in all.chunks(10) {
        let entry = |(id, body): (usize, &&String)| {
            SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(*body).build().unwrap()
        };
        let entries = chunk.iter().enumerate().map(entry).collect();
        aws.sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    }
}

fn new_request() -> String {
    let file_id = FileId::generate();
    TranscodeRequest {
        v: V1,
        file_id,
        owner: "alice".parse().unwrap(),
        filename: "song.mp3".parse().unwrap(),
        profile: Profile::Audio,
        input_key: format!("media/{file_id}"),
        output_prefix: format!("transcoded/{file_id}/"),
    }
    .encode()
}

/// Waits until these queues hold nothing, and nobody has anything of them in hand.
async fn drained(aws: &Aws, queues: &[&str]) {
    use aws_sdk_sqs::types::QueueAttributeName::{
        ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as Hidden,
    };
    testing::eventually(PATIENCE, || async {
        for name in queues {
            let url = aws.sqs.get_queue_url().queue_name(format!("segue-{name}")).send().await.unwrap().queue_url?;
            let request =
                aws.sqs.get_queue_attributes().queue_url(url).attribute_names(Visible).attribute_names(Hidden);
            let found = request.send().await.unwrap().attributes.unwrap_or_default();
            if [Visible, Hidden].iter().any(|name| found.get(name).is_none_or(|count| count != "0")) {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// The ends of jobs that were told on the topic of results.
struct Results {
    jobs: usize,
    /// No more than one a job: what differs from another one of its job in as little as the time is a second result.
    different: usize,
    /// One that was sent again when its sender was killed between sending it and noting that is the same to the letter.
    sent: usize,
}

/// Takes everything out of the queue of a service that does not run here.
async fn results(aws: &Aws) -> Results {
    let url = aws.sqs.get_queue_url().queue_name("segue-results-uploads").send().await.unwrap().queue_url.unwrap();
    let (mut by_job, mut sent) = (HashMap::<String, HashSet<String>>::new(), 0);
    loop {
        // Nobody holds a message of this queue, so an empty answer to a short wait means that there is none.
        let request = aws.sqs.receive_message().queue_url(&url).max_number_of_messages(10).wait_time_seconds(1);
        let messages = request.visibility_timeout(900).send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for body in messages.into_iter().filter_map(|message| message.body) {
            let result = TranscodeResult::decode(&body).unwrap();
            if result.state == FileState::Complete {
                sent += 1;
                by_job.entry(result.job_id).or_default().insert(body);
            }
        }
    }
    Results { jobs: by_job.len(), different: by_job.values().map(HashSet::len).sum(), sent }
}

/// By which way notification-ingest first heard of events.
#[derive(Debug)]
struct Told {
    by_http: i64,
    by_queue: i64,
}

async fn told(tables: &AnyPool) -> Told {
    Told {
        by_http: count(tables, "events", "source = 'http'").await,
        by_queue: count(tables, "events", "source = 'sqs'").await,
    }
}

async fn tables(url: &str) -> AnyPool {
    sqlx::any::install_default_drivers();
    AnyPool::connect(url).await.unwrap()
}

async fn count(tables: &AnyPool, table: &str, condition: &str) -> i64 {
    let statement = format!("SELECT COUNT(*) FROM {table} WHERE {condition}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(tables).await.unwrap()
}
