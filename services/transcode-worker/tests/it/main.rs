//! Requests in, jobs out; against a transcoder that writes down what it is asked.

mod transcoder;

use std::time::Duration;

use common::{FileDeleted, FileId, Timestamp, TranscodeRequest, TranscodeResult, event::V1, names};
use queue::find;
use runtime::Platform;
use testing::{TestDatabase, World, eventually};
use transcode_worker::Config;
use transcoder::Transcoder;

const PATIENCE: Duration = Duration::from_secs(20);

struct Fixture {
    world: World,
    transcoder: Transcoder,
    _database: TestDatabase,
}

impl Fixture {
    async fn start(database: TestDatabase) -> Self {
        let world = World::start().await;
        let transcoder = Transcoder::start().await;
        let platform = platform(&world, &transcoder);
        // Its only routes are those of health.
        let _ = transcode_worker::start(config(&database), &platform).await.unwrap();
        Self { world, transcoder, _database: database }
    }

    async fn send(&self, body: &str) {
        let sqs = &self.world.aws().sqs;
        let queue = find::queue(sqs, self.world.names(), names::TRANSCODE_REQUESTS).await.unwrap();
        sqs.send_message().queue_url(queue.url).message_body(body).send().await.unwrap();
    }

    /// Messages in a queue, hidden ones included.
    async fn count(&self, url: &str) -> u64 {
        use aws_sdk_sqs::types::QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible,
        };
        let names = vec![ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
        let request = self.world.aws().sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names));
        request.send().await.unwrap().attributes.unwrap().values().map(|value| value.parse::<u64>().unwrap()).sum()
    }

    async fn until_handled(&self) {
        let queue = find::queue(&self.world.aws().sqs, self.world.names(), names::TRANSCODE_REQUESTS).await.unwrap();
        eventually(PATIENCE, || async { (self.count(&queue.url).await == 0).then_some(()) }).await;
    }

    /// A result on its way to messages-api.
    async fn result(&self) -> TranscodeResult {
        let sqs = &self.world.aws().sqs;
        let queue = find::queue(sqs, self.world.names(), names::RESULTS_MESSAGES).await.unwrap();
        let body = eventually(PATIENCE, || async {
            let output = sqs.receive_message().queue_url(&queue.url).send().await.unwrap();
            output.messages.unwrap_or_default().pop()?.body
        });
        TranscodeResult::decode(&body.await).unwrap()
    }

    async fn dead_letters(&self) -> u64 {
        let queue = find::queue(&self.world.aws().sqs, self.world.names(), names::TRANSCODE_REQUESTS).await.unwrap();
        self.count(&queue.dead_letters_url).await
    }
}

fn platform(world: &World, transcoder: &Transcoder) -> Platform {
    let mut platform = world.platform().clone();
    platform.aws.transcoder = transcoder.client();
    platform
}

fn config(database: &TestDatabase) -> Config {
    Config {
        transcoder_key: None,
        database: database.args(),
        pipeline: "segue".to_owned(),
        input_prefix: "media/".to_owned(),
        output_prefix: "transcoded/".to_owned(),
        concurrency: 4,
    }
}

fn request(file_id: FileId) -> TranscodeRequest {
    TranscodeRequest {
        v: V1,
        file_id,
        owner: "auth0|alice".parse().unwrap(),
        filename: "Jóga.mp3".parse().unwrap(),
        profile: common::Profile::Audio,
        input_key: format!("media/{file_id}"),
        output_prefix: format!("transcoded/{file_id}/"),
    }
}

#[tokio::test]
async fn a_request_becomes_one_job_however_often_it_comes() {
    for database in testing::databases().await {
        let fixture = Fixture::start(database).await;
        let file = FileId::generate();
        for _ in 0..3 {
            fixture.send(&request(file).encode()).await;
        }
        fixture.until_handled().await;
        let jobs = fixture.transcoder.jobs();
        // Deliveries at the same time may ask at the same time, but always under the same token.
        let tokens: std::collections::HashSet<_> = jobs.iter().map(|job| job.token.clone()).collect();
        assert_eq!(tokens.into_iter().collect::<Vec<_>>(), [Some(file.to_string())]);
        let job = &jobs[0].body;
        // The pipeline stands on the second page of the list.
        assert_eq!(job["PipelineId"], transcoder::PIPELINE_ID);
        assert_eq!(job["Input"]["Key"], format!("media/{file}"));
        assert_eq!(job["OutputKeyPrefix"], format!("transcoded/{file}/"));
        let outputs: Vec<_> = job["Outputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| (o["Key"].as_str().unwrap(), o["PresetId"].as_str().unwrap()))
            .collect();
        assert_eq!(
            outputs,
            [
                ("audio.wav", "1351620000001-300300"),
                ("audio.flac", "1351620000001-300110"),
                ("audio.mp4", "1351620000001-100110")
            ]
        );
        let metadata = serde_json::from_value(job["UserMetadata"].clone()).unwrap();
        let metadata = common::JobMetadata::from_pairs(&metadata).unwrap();
        assert_eq!((metadata.file_id, metadata.owner.as_str()), (file, "auth0|alice"));
        // Once the job is written down, a late delivery does not even ask.
        let asked = fixture.transcoder.jobs().len();
        fixture.send(&request(file).encode()).await;
        fixture.until_handled().await;
        assert_eq!(fixture.transcoder.jobs().len(), asked);
        assert_eq!(fixture.dead_letters().await, 0);
    }
}

#[tokio::test]
async fn a_transcoder_that_is_away_delays_the_job() {
    let fixture = Fixture::start(TestDatabase::sqlite()).await;
    fixture.transcoder.fail_next(5);
    fixture.send(&request(FileId::generate()).encode()).await;
    fixture.until_handled().await;
    assert!(fixture.transcoder.jobs().len() == 1, "the job is made once the transcoder is back");
}

#[tokio::test]
async fn the_owner_is_told_when_the_transcoder_refuses() {
    for database in testing::databases().await {
        let fixture = Fixture::start(database).await;
        fixture.transcoder.refuse();
        let file = FileId::generate();
        fixture.send(&request(file).encode()).await;
        fixture.send(&request(file).encode()).await;
        fixture.until_handled().await;
        let result = fixture.result().await;
        assert_eq!((result.file_id, result.state), (file, common::FileState::Error));
        let queue =
            find::queue(&fixture.world.aws().sqs, fixture.world.names(), names::RESULTS_MESSAGES).await.unwrap();
        assert_eq!(fixture.count(&queue.url).await, 1, "told once");
    }
}

#[tokio::test]
async fn a_repeated_request_tells_the_end_that_nobody_heard_of() {
    let fixture = Fixture::start(TestDatabase::sqlite()).await;
    let file = FileId::generate();
    fixture.send(&request(file).encode()).await;
    fixture.until_handled().await;
    fixture.transcoder.cancel();
    fixture.send(&request(file).encode()).await;
    let result = fixture.result().await;
    assert_eq!((result.file_id, result.state), (file, common::FileState::Canceled));
    assert_eq!(result.outputs[0].key, "transcoded/x/audio.wav");
}

fn deleted(file_id: FileId) -> String {
    FileDeleted { v: V1, file_id, owner: "auth0|alice".parse().unwrap(), at: Timestamp::now() }.encode()
}

#[tokio::test]
async fn a_deleted_file_gets_no_job_however_late_its_request_comes() {
    for database in testing::databases().await {
        let fixture = Fixture::start(database).await;
        let file = FileId::generate();
        fixture.send(&deleted(file)).await;
        fixture.until_handled().await;
        fixture.send(&request(file).encode()).await;
        fixture.until_handled().await;
        assert_eq!(fixture.transcoder.jobs().len(), 0);
        assert_eq!(fixture.dead_letters().await, 0);
    }
}

#[tokio::test]
async fn the_job_of_a_deleted_file_is_cancelled_if_it_can_be() {
    for runs in [false, true] {
        let fixture = Fixture::start(TestDatabase::sqlite()).await;
        let file = FileId::generate();
        fixture.send(&request(file).encode()).await;
        fixture.until_handled().await;
        if runs {
            fixture.transcoder.run();
        }
        fixture.send(&deleted(file)).await;
        fixture.until_handled().await;
        assert_eq!(fixture.transcoder.is_canceled(), !runs);
        assert_eq!(fixture.dead_letters().await, 0);
    }
}

/// The process may die, or the transcoder be away, between making the job and cancelling it.
#[tokio::test]
async fn a_cancellation_that_failed_is_made_up_for() {
    let fixture = Fixture::start(TestDatabase::sqlite()).await;
    let file = FileId::generate();
    fixture.send(&request(file).encode()).await;
    fixture.until_handled().await;
    // More often than the SDK tries by itself.
    fixture.transcoder.fail_next(4);
    fixture.send(&deleted(file)).await;
    fixture.until_handled().await;
    assert!(fixture.transcoder.is_canceled());
}

#[tokio::test]
async fn a_request_that_comes_again_cancels_the_job_of_a_deleted_file() {
    let fixture = Fixture::start(TestDatabase::sqlite()).await;
    let file = FileId::generate();
    fixture.send(&request(file).encode()).await;
    fixture.until_handled().await;
    // Deleted while nothing could be cancelled; then its request comes once more.
    fixture.transcoder.run();
    fixture.send(&deleted(file)).await;
    fixture.until_handled().await;
    fixture.transcoder.stop_running();
    fixture.send(&request(file).encode()).await;
    fixture.until_handled().await;
    assert!(fixture.transcoder.is_canceled());
    assert_eq!(fixture.transcoder.jobs().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_a_job_goes_to_the_dead_letters() {
    let fixture = Fixture::start(TestDatabase::sqlite()).await;
    let mut inside = request(FileId::generate());
    inside.output_prefix = format!("media/{}/", inside.file_id);
    let mut outside = request(FileId::generate());
    outside.input_key = "private/other".to_owned();
    for body in ["not JSON".to_owned(), inside.encode(), outside.encode()] {
        fixture.send(&body).await;
    }
    fixture.send(&request(FileId::generate()).encode()).await;
    fixture.until_handled().await;
    assert_eq!(fixture.dead_letters().await, 3);
    assert_eq!(fixture.transcoder.jobs().len(), 1);
}

#[tokio::test]
async fn outputs_inside_the_inputs_stop_the_start() {
    let world = World::start().await;
    let database = TestDatabase::sqlite();
    let config = Config { output_prefix: "media/out/".to_owned(), ..config(&database) };
    let error = transcode_worker::start(config, world.platform()).await.unwrap_err();
    assert!(format!("{error:#}").contains("SEGUE_OUTPUT_PREFIX"), "{error:#}");
}
