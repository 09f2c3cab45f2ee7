//! `segue listen`: what the topic `results` carries, as it comes, for whoever develops against it.
//!
//! A queue of its own is subscribed to the topic, so nobody else misses anything. Both are removed at the end; of a
//! command that was killed they stay, and the queue's name tells what made it.

mod line;

use std::{
    collections::HashMap,
    io::{Write, stdout},
    time::Duration,
};

use anyhow::{Context, anyhow};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, QueueAttributeName};
use common::{FileState, Names, UserId, event::owner_attribute, names::RESULTS};
use runtime::{
    Aws,
    telemetry::{self, TelemetryArgs},
};
use sdk_error::brief;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

/// The longest long poll, in seconds (SQS API, ReceiveMessage).
const WAIT_SECONDS: i32 = 20;
/// How long SQS keeps what a command that was killed left behind, in seconds: the shortest time there is.
const RETENTION: &str = "60";
/// How long removing queue and subscription may take.
const CLEAN_UP: Duration = Duration::from_secs(10);
/// Failed receives in a row after which it gives up.
const MAX_FAILURES: u32 = 10;

/// What to listen for.
#[derive(clap::Args)]
pub struct ListenArgs {
    #[command(flatten)]
    telemetry: TelemetryArgs,
    /// What the names of queues and topics begin with.
    #[arg(long, env = "SEGUE_PREFIX", default_value = "segue")]
    prefix: String,
    /// Only what concerns this user.
    #[arg(long)]
    owner: Option<UserId>,
    /// Only results of this state: transcoding, complete, error or canceled.
    #[arg(long)]
    state: Option<FileState>,
    /// Print the messages as they are, one on each line.
    #[arg(long)]
    json: bool,
    /// End after so many messages.
    #[arg(long)]
    count: Option<u64>,
    /// End after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
}

/// A queue that hears the topic for a while.
struct Ear {
    aws: Aws,
    queue_url: String,
    subscription_arn: Option<String>,
}

/// Prints until it is interrupted, or until as much has come as was asked for.
pub async fn run(args: ListenArgs) -> anyhow::Result<()> {
    telemetry::init(&args.telemetry).context("--log (SEGUE_LOG)")?;
    let names = Names::new(&args.prefix);
    let mut ear = Ear::open(Aws::from_env().await, &names).await?;
    let heard = match ear.subscribe(&names, &filter(&args)).await {
        Ok(topic) => {
            eprintln!("listening to {topic}");
            tokio::select! {
                heard = listen(&ear, &args) => heard,
                _ = tokio::signal::ctrl_c() => Ok(()),
            }
        }
        Err(error) => Err(error),
    };
    ear.close().await;
    heard
}

/// A filter policy over the message attributes; empty when everything is wanted.
fn filter(args: &ListenArgs) -> HashMap<&'static str, [String; 1]> {
    let owner = args.owner.as_ref().map(|owner| ("owner", [owner_attribute(owner)]));
    let state = args.state.map(|state| ("state", [state.to_string()]));
    owner.into_iter().chain(state).collect()
}

async fn listen(ear: &Ear, args: &ListenArgs) -> anyhow::Result<()> {
    // "For ever" is a year.
    let end = Instant::now() + Duration::from_secs(args.seconds.unwrap_or(365 * 24 * 3600).min(365 * 24 * 3600));
    let (mut left, mut failures) = (args.count.unwrap_or(u64::MAX), 0);
    while left > 0 {
        let Ok(received) = timeout_at(end, ear.receive()).await else { return Ok(()) };
        let messages = match received {
            Ok(messages) => messages,
            Err(error) if failures == MAX_FAILURES => return Err(error),
            Err(_) => {
                failures += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        failures = 0;
        for message in messages.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            left -= 1;
            let body = message.body().unwrap_or_default();
            let text = if args.json { line::compact(body) } else { line::describe(body) };
            writeln!(stdout(), "{text}")?;
        }
    }
    Ok(())
}

impl Ear {
    async fn open(aws: Aws, names: &Names) -> anyhow::Result<Self> {
        let mut random = [0_u8; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| anyhow!("the system gives no randomness"))?;
        let name = names.full(&format!("listen-{:016x}", u64::from_be_bytes(random)));
        let create = aws.sqs.create_queue().queue_name(&name);
        let create = create.attributes(QueueAttributeName::MessageRetentionPeriod, RETENTION);
        let made = create.send().await.map_err(|error| anyhow!("cannot make the queue {name}: {}", brief(&error)))?;
        let queue_url = made.queue_url.context("SQS answered without a queue URL")?;
        Ok(Self { aws, queue_url, subscription_arn: None })
    }

    /// Gives back the topic's ARN.
    async fn subscribe(&mut self, names: &Names, filter: &HashMap<&str, [String; 1]>) -> anyhow::Result<String> {
        let arn = self.arn().await?;
        let topic = topic_beside(&arn, names)?;
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" }, "Action": "sqs:SendMessage",
                "Resource": arn, "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
            }],
        });
        let set = self.aws.sqs.set_queue_attributes().queue_url(&self.queue_url);
        let set = set.attributes(QueueAttributeName::Policy, policy.to_string()).send().await;
        set.map_err(|error| anyhow!("cannot let {topic} send: {}", brief(&error)))?;
        let mut request = self.aws.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&arn);
        request = request.attributes("RawMessageDelivery", "true").return_subscription_arn(true);
        if !filter.is_empty() {
            request = request.attributes("FilterPolicy", json!(filter).to_string());
        }
        let made = request.send().await;
        let made = made.map_err(|error| anyhow!("cannot subscribe to {topic}: {}", brief(&error)))?;
        self.subscription_arn = made.subscription_arn;
        Ok(topic)
    }

    async fn arn(&self) -> anyhow::Result<String> {
        let request = self.aws.sqs.get_queue_attributes().queue_url(&self.queue_url);
        let output = request.attribute_names(QueueAttributeName::QueueArn).send().await;
        let output = output.map_err(|error| anyhow!("cannot read the queue's ARN: {}", brief(&error)))?;
        let arn = output.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn)).cloned();
        arn.context("SQS answered without the queue's ARN")
    }

    /// What is there, taken out of the queue.
    async fn receive(&self) -> anyhow::Result<Vec<Message>> {
        let request = self.aws.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
        let received = request.wait_time_seconds(WAIT_SECONDS).send().await;
        let messages = received.map_err(|error| anyhow!("cannot receive: {}", brief(&error)))?.messages;
        let messages = messages.unwrap_or_default();
        let entry = |(index, message): (usize, &Message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            entry.set_receipt_handle(message.receipt_handle.clone()).build()
        };
        let entries = messages.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        if !entries.is_empty() {
            let delete = self.aws.sqs.delete_message_batch().queue_url(&self.queue_url).set_entries(Some(entries));
            // The queue goes with its messages; at worst a line is printed twice.
            let _ = delete.send().await;
        }
        Ok(messages)
    }

    /// Removes what was made, as far as it can be.
    async fn close(self) {
        let removal = async {
            if let Some(arn) = &self.subscription_arn {
                let _ = self.aws.sns.unsubscribe().subscription_arn(arn).send().await;
            }
            self.aws.sqs.delete_queue().queue_url(&self.queue_url).send().await.is_ok()
        };
        if !tokio::time::timeout(CLEAN_UP, removal).await.unwrap_or_default() {
            eprintln!("the queue {} could not be removed", self.queue_url);
        }
    }
}

/// The topic of results in the account and region of a queue: `arn:partition:sqs:region:account:name`.
fn topic_beside(queue_arn: &str, names: &Names) -> anyhow::Result<String> {
    match queue_arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", partition, "sqs", region, account, _] => {
            Ok(format!("arn:{partition}:sns:{region}:{account}:{}", names.full(RESULTS)))
        }
        _ => Err(anyhow!("{queue_arn} is no queue ARN")),
    }
}
