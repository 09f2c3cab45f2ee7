//! Moving messages out of a dead-letter queue again: the tasks, as the API shows them.

mod mover;
mod task;

use base64::{Engine, engine::general_purpose::STANDARD};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{
    Sqs, dead_letters,
    error::{Error, kind},
    now_ms,
    queue::{self, Queue},
    queues::page_size,
};
use crate::{Context, store::Transaction};
use task::{Status, Task};

/// The bounds of `MaxNumberOfMessagesPerSecond` (SQS API, StartMessageMoveTask).
const FASTEST: i64 = 500;
/// The most tasks that run at one time (SQS developer guide, "Configure a dead-letter queue redrive").
const MOST_RUNNING: usize = 100;
/// The most tasks of one queue that are shown, and so kept (SQS API, ListMessageMoveTasks).
const MOST_SHOWN: i64 = 10;

pub(super) use task::forget;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartMove {
    source_arn: Option<String>,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Started {
    task_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMoves {
    source_arn: Option<String>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Moves {
    results: Vec<Shown>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    /// Only while it runs: it is for stopping it.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: Status,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<i64>,
    approximate_number_of_messages_moved: i64,
    approximate_number_of_messages_to_move: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    started_timestamp: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CancelMove {
    task_handle: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cancelled {
    approximate_number_of_messages_moved: i64,
}

/// What a task handle says; base64 of its JSON is what the API gives out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handle {
    task_id: i64,
    source_arn: String,
}

impl Sqs {
    pub(super) async fn start_move(&self, request: StartMove) -> Result<Started, Error> {
        let source_arn = request.source_arn.ok_or_else(|| Error::missing("SourceArn"))?;
        let per_second = request.max_number_of_messages_per_second;
        if let Some(rate) = per_second.filter(|rate| !(1..=FASTEST).contains(rate)) {
            let reason = format!("Must be between 1 and {FASTEST}, if provided.");
            return Err(Error::parameter("MaxNumberOfMessagesPerSecond", rate, &reason));
        }
        let (context, arn) = (self.context.clone(), source_arn.clone());
        let start =
            move |tx: &mut Transaction<'_>| start(tx, &context, &arn, request.destination_arn.as_deref(), per_second);
        let task = self.context.store.write(start).await?;
        mover::spawn(&self.context, self.waiting.clone(), task);
        Ok(Started { task_handle: Handle { task_id: task, source_arn }.encode()? })
    }

    pub(super) async fn list_moves(&self, request: ListMoves) -> Result<Moves, Error> {
        let source_arn = request.source_arn.ok_or_else(|| Error::missing("SourceArn"))?;
        // One, where nothing is asked for.
        let limit = page_size(request.max_results.or(Some(1)), MOST_SHOWN)?;
        let (context, arn) = (self.context.clone(), source_arn.clone());
        let list = move |connection: &Connection| {
            let source = find(connection, &context, &arn, "SourceArn")?;
            Task::newest(connection, &source.name, limit)
        };
        let tasks = self.context.store.read(list).await?;
        let shown = |task| self.shown(task, &source_arn);
        Ok(Moves { results: tasks.into_iter().map(shown).collect::<Result<_, _>>()? })
    }

    pub(super) async fn cancel_move(&self, request: CancelMove) -> Result<Cancelled, Error> {
        let text = request.task_handle.ok_or_else(|| Error::missing("TaskHandle"))?;
        let handle = Handle::decode(&text)
            .ok_or_else(|| Error::client(kind::INVALID_PARAMETER, "Value for parameter TaskHandle is invalid."))?;
        let context = self.context.clone();
        let cancel = move |tx: &mut Transaction<'_>| {
            let source = find(tx, &context, &handle.source_arn, "SourceArn")?;
            let task = Task::find(tx, handle.task_id)?.filter(|task| task.source == source.name);
            let task = task.filter(|task| task.status == Status::Running);
            let task = task.ok_or_else(|| Error::client(kind::RESOURCE_NOT_FOUND, "Task does not exist."))?;
            task.end(tx, Status::Cancelled, None)?;
            Ok(Cancelled { approximate_number_of_messages_moved: task.moved })
        };
        self.context.store.write(cancel).await
    }

    /// Takes up again what the end of the last process interrupted.
    pub(super) async fn resume_moves(&self) -> Result<(), Error> {
        let tasks = self.context.store.read(Task::running).await?;
        tasks.into_iter().for_each(|task| mover::spawn(&self.context, self.waiting.clone(), task));
        Ok(())
    }

    fn shown(&self, task: Task, source_arn: &str) -> Result<Shown, Error> {
        let handle = Handle { task_id: task.id, source_arn: source_arn.to_owned() };
        let task_handle = (task.status == Status::Running).then(|| handle.encode()).transpose()?;
        Ok(Shown {
            task_handle,
            status: task.status,
            source_arn: source_arn.to_owned(),
            destination_arn: task.destination.map(|name| self.context.queue_arn(&name)),
            max_number_of_messages_per_second: task.per_second,
            approximate_number_of_messages_moved: task.moved,
            approximate_number_of_messages_to_move: task.to_move,
            failure_reason: task.failure,
            started_timestamp: task.started_ms,
        })
    }
}

impl Handle {
    fn encode(&self) -> Result<String, Error> {
        serde_json::to_vec(self).map(|json| STANDARD.encode(json)).map_err(|error| Error::Internal(error.to_string()))
    }

    fn decode(text: &str) -> Option<Self> {
        serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
    }
}

/// Checks and notes a new task; gives back its id.
fn start(
    tx: &Transaction<'_>,
    context: &Context,
    source_arn: &str,
    destination_arn: Option<&str>,
    per_second: Option<i64>,
) -> Result<i64, Error> {
    let source = find(tx, context, source_arn, "SourceArn")?;
    let wrong = |message: &str| Err(Error::client(kind::INVALID_PARAMETER, message));
    if dead_letters::sources(tx, source_arn, "", 1)?.is_empty() {
        return wrong("Source queue must be configured as a Dead Letter Queue.");
    }
    let destination = destination_arn.map(|arn| find(tx, context, arn, "DestinationArn")).transpose()?;
    if let Some(destination) = &destination {
        if destination.id == source.id {
            return wrong("Source queue arn and destination queue arn cannot be the same.");
        }
        if destination.is_fifo() != source.is_fifo() {
            return wrong("Source and destination queue must be of the same type.");
        }
    }
    if Task::newest(tx, &source.name, 1)?.iter().any(|task| task.status == Status::Running) {
        return wrong(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        );
    }
    if Task::running(tx)?.len() >= MOST_RUNNING {
        let message = format!("There are {MOST_RUNNING} tasks running already, which is as many as can.");
        return Err(Error::client(kind::OVER_LIMIT, message));
    }
    let now = now_ms();
    let task = Task {
        id: 0,
        to_move: waiting(tx, &source, now)?,
        source: source.name,
        destination: destination.map(|queue| queue.name),
        per_second,
        started_ms: now,
        moved: 0,
        status: Status::Running,
        failure: None,
    };
    task.insert(tx)
}

/// A queue that a parameter names.
fn find(connection: &Connection, context: &Context, arn: &str, parameter: &str) -> Result<Queue, Error> {
    let queue = context.queue_name_in_arn(arn).map(|name| queue::find(connection, name)).transpose()?;
    queue.flatten().ok_or_else(|| {
        let message = format!("The resource that you specified for the {parameter} parameter doesn't exist.");
        Error::client(kind::RESOURCE_NOT_FOUND, message)
    })
}

/// How many messages of a queue could be moved now.
fn waiting(connection: &Connection, queue: &Queue, now: i64) -> Result<i64, Error> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM sqs_messages WHERE queue = ?1 AND visible_ms <= ?2 AND sent_ms > ?3")?;
    Ok(statement.query_row([queue.id, now, queue.expired_ms(now)], |row| row.get(0))?)
}
