//! Gets the inputs: several at a time, or one that may be worked on before it is whole ([`super::arrival`]).

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use elastic_transcoder::{Failure, FailureCode};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::watch;

use super::arrival::{self, Arrival, HEAD, Streamed, TAIL};
use super::source::input_name;
use super::storage::{Incoming, Room};
use super::{StepError, Storage, Task, TaskInput};

/// Inputs that are fetched at once.
const FETCHES: usize = 4;

/// Inputs that can be looked at.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// How many bytes each has in all.
    pub sizes: Vec<u64>,
    /// What is not there yet.
    pub rest: Option<Rest<'a>>,
}

/// The rest of an input, for somebody to fetch.
#[derive(Debug)]
pub struct Rest<'a> {
    incoming: Incoming<'a>,
    path: PathBuf,
    bytes: u64,
    sound: Streamed,
    written: watch::Sender<u64>,
}

/// Fetches the inputs of a task, for which there must be room; of a large one perhaps not all yet.
pub async fn begin<'a>(
    storage: &Storage,
    task: &'a Task,
    directory: &Path,
    room: &'a Room,
) -> Result<Inputs<'a>, StepError> {
    let path = |index| directory.join(input_name(index));
    if let [input] = task.inputs.as_slice() {
        return one(storage, input, path(0), room).await;
    }
    let fetch = |(index, input): (usize, &'a TaskInput)| {
        let path = path(index);
        async move { storage.fetch(&input.object, &path, room).await }
    };
    let fetches: Vec<_> = task.inputs.iter().enumerate().map(fetch).collect();
    let sizes = stream::iter(fetches).buffered(FETCHES).try_collect().await.map_err(|error| match error {
        StepError::Failed(failure) if failure.code == FailureCode::InputTooLarge => {
            let sentence = format!("The inputs of the job are together larger than {} bytes.", room.all());
            StepError::Failed(Failure::new(FailureCode::InputsTooLarge, sentence))
        }
        error => error,
    })?;
    Ok(Inputs { sizes, rest: None })
}

async fn one<'a>(
    storage: &Storage,
    input: &'a TaskInput,
    path: PathBuf,
    room: &'a Room,
) -> Result<Inputs<'a>, StepError> {
    let mut incoming = storage.open(&input.object, &path, room).await?;
    let stated = incoming.stated().filter(|bytes| *bytes >= 2 * HEAD);
    if let Some(bytes) = stated.filter(|_| matches!(input.demuxer, None | Some("mp3" | "wav"))) {
        while incoming.bytes() < HEAD && incoming.more().await? {}
        let there = incoming.end().await?;
        // Without its end, the file waits until it is whole.
        if there < bytes
            && let Some(sound) = look(path.clone(), bytes).await?
            && let Some(tail) = storage.tail(&incoming, TAIL).await
        {
            write_tail(path.clone(), bytes - TAIL, tail).await?;
            let (written, _) = watch::channel(there);
            return Ok(Inputs { sizes: vec![bytes], rest: Some(Rest { incoming, path, bytes, sound, written }) });
        }
    }
    while incoming.more().await? {}
    Ok(Inputs { sizes: vec![incoming.end().await?], rest: None })
}

impl Rest<'_> {
    /// Where others see how far it is.
    pub fn arrival(&self) -> Arrival {
        Arrival::new(self.path.clone(), (self.bytes, self.sound), self.written.subscribe())
    }

    /// Fetches it.
    pub async fn fetch(mut self) -> Result<(), StepError> {
        while self.incoming.more().await? {
            self.written.send_replace(self.incoming.end().await?);
        }
        if self.incoming.bytes() != self.bytes {
            return Err(StepError::Again(anyhow!("the input has not the length that S3 said")));
        }
        Ok(())
    }
}

async fn look(path: PathBuf, bytes: u64) -> anyhow::Result<Option<Streamed>> {
    let look = move || {
        let mut head = Vec::new();
        File::open(path)?.take(HEAD).read_to_end(&mut head)?;
        anyhow::Ok(arrival::sound(&head, bytes))
    };
    tokio::task::spawn_blocking(look).await?.context("cannot read a scratch file")
}

/// Gives the file its length.
async fn write_tail(path: PathBuf, at: u64, tail: Vec<u8>) -> anyhow::Result<()> {
    let write = move || OpenOptions::new().write(true).open(path)?.write_all_at(&tail, at);
    tokio::task::spawn_blocking(write).await?.context("cannot write a scratch file")
}
