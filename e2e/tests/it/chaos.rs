//! Jobs by the hundred, their events over HTTP and the queue at once, repeated and out of order, while
//! transcode-worker and notification-ingest are killed in turn: each job is told of once.

mod transcoder;

use std::time::{Duration, Instant};

use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use common::{FileId, Profile, TranscodeRequest, event::V1};
use runtime::{Aws, aws::LocalEndpoint};
use sqlx::AnyPool;
use testing::Issuer;

use crate::{
    apart::{Deployment, free_address, until_ready},
    api::Api,
    binaries::Process,
};
use transcoder::Transcoder;

/// How long everything may take.
const PATIENCE: Duration = Duration::from_secs(300);
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:segue-transcoder-events";

#[tokio::test]
async fn a_hundred_jobs_are_told_of_once_each_while_processes_are_killed() {
    chaos(100, Duration::from_secs(1)).await;
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
    subscribe_http(&aws.sns, &ingest.address).await;
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
    until_ready(&ingest.address).await;
    drained(&aws).await;
    let told = ends_told(&ingest.database).await;
    let unread = alice.json("/v1/messages/unread-count").await["unread"].as_i64().unwrap();
    eprintln!("{jobs} jobs, {kills} kills, {:?}: {} ends told, {unread} notices, {told:?}", begun.elapsed(), told.ends);
    assert_eq!(transcoder.jobs(), jobs, "one job for each file");
    assert_eq!((told.ends, told.of_jobs), (jobs as i64, jobs as i64), "one result for each job, and no second one");
    assert_eq!(unread, jobs as i64, "one notice for each job, and no second one");
    assert!(told.by_http > 0 && told.by_queue > 0, "both ways were used: {told:?}");
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
async fn subscribe_http(sns: &Sns, address: &str) {
    let endpoint = format!("http://{address}/v1/notifications/sns");
    sns.subscribe().topic_arn(TOPIC).protocol("http").endpoint(&endpoint).send().await.unwrap();
    testing::eventually(Duration::from_secs(60), || async {
        let all = sns.list_subscriptions_by_topic().topic_arn(TOPIC).send().await.unwrap();
        let found = all.subscriptions().iter().find(|it| it.endpoint() == Some(&endpoint))?;
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

/// Waits until the queues of events and results are empty, in hand or not.
async fn drained(aws: &Aws) {
    use aws_sdk_sqs::types::QueueAttributeName::{
        ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as Hidden,
    };
    testing::eventually(PATIENCE, || async {
        for name in ["transcode-requests", "transcoder-events", "results-messages"] {
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

/// What notification-ingest told.
#[derive(Debug)]
struct Told {
    ends: i64,
    of_jobs: i64,
    by_http: i64,
    by_queue: i64,
}

async fn ends_told(url: &str) -> Told {
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(url).await.unwrap();
    let count = async |what: &str, condition: &str| -> i64 {
        let statement = format!("SELECT COUNT({what}) FROM events WHERE {condition}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&pool).await.unwrap()
    };
    Told {
        ends: count("*", "state = 'COMPLETED' AND outcome = 'published'").await,
        of_jobs: count("DISTINCT job_id", "state = 'COMPLETED' AND outcome = 'published'").await,
        by_http: count("*", "source = 'http'").await,
        by_queue: count("*", "source = 'sqs'").await,
    }
}
