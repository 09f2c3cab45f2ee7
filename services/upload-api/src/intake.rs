//! Takes a body to a stored file: all of it, or nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use bytes::{Bytes, BytesMut};
use common::{FileId, Profile, Timestamp, UserId};
use database::Database;
use runtime::{Problem, Shutdown};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    error, keys, metrics,
    payload::{Label, Payload},
    places::{Place, Places},
    requests::Requests,
    sniff,
    state::Bounds,
    storage::{Storage, Writer},
    store::{File, NewFile, files, uploads},
};

/// How often a body that still arrives is noted, so that no sweep takes it for dead.
const TOUCH: Duration = Duration::from_secs(60);

/// Takes bodies, a bounded number at once.
pub struct Intake {
    database: Database,
    storage: Storage,
    requests: Requests,
    bounds: Bounds,
    places: Places,
    tasks: TaskTracker,
    work: CancellationToken,
}

/// Whose file it becomes, and what is made of it.
pub struct Order {
    /// The owner.
    pub owner: UserId,
    /// The outputs.
    pub profile: Profile,
}

impl Intake {
    /// The process waits for the bodies that are on their way when it stops.
    pub fn new(
        database: Database,
        storage: Storage,
        requests: Requests,
        bounds: Bounds,
        places: Places,
        shutdown: &Shutdown,
    ) -> Arc<Self> {
        let tasks = TaskTracker::new();
        let (intake, running) = (shutdown.intake(), tasks.clone());
        shutdown.spawn("uploads", async move {
            intake.cancelled().await;
            running.close();
            running.wait().await;
            Ok(())
        });
        Arc::new(Self { database, storage, requests, bounds, places, tasks, work: shutdown.work() })
    }

    /// A place for one more body of this user, if there is one.
    pub fn admit(&self, user: &UserId) -> Result<Place, Problem> {
        self.places.admit(user)
    }

    /// Stores a file and asks for its transcoding. It goes on to a clean end when the caller is
    /// dropped, as handlers are when their connection breaks.
    pub async fn take(
        self: Arc<Self>,
        place: Place,
        order: Order,
        payload: Payload,
        label: Label,
    ) -> Result<File, Problem> {
        let this = self.clone();
        let task = async move {
            let result = this.receive(order, payload, label).await;
            metrics::ended(result.is_ok());
            drop(place);
            result
        };
        let task = self.tasks.spawn(task.in_current_span());
        task.await.map_err(|error| Problem::from(anyhow!(error).context("the task that takes a body died")))?
    }

    async fn receive(&self, order: Order, mut payload: Payload, label: Label) -> Result<File, Problem> {
        let start = tokio::select! {
            start = begin(&mut payload) => start?,
            () = self.work.cancelled() => return Err(stopping()),
        };
        let id = FileId::generate();
        tracing::Span::current().record("file_id", tracing::field::display(id));
        uploads::insert(&mut *self.database.pool().acquire().await?, id, Timestamp::now()).await?;
        let result = tokio::select! {
            result = self.store(id, &order, &mut payload, &label, start) => result,
            () = self.work.cancelled() => Err(stopping()),
        };
        if let Err(problem) = &result {
            self.clean_up(id, problem).await;
        }
        result
    }

    async fn store(
        &self,
        id: FileId,
        order: &Order,
        payload: &mut Payload,
        label: &Label,
        start: Bytes,
    ) -> Result<File, Problem> {
        let limit = self.bounds.file_bytes;
        let at_most = label.at_most.map_or(limit, |declared| declared.min(limit));
        let mut writer = Writer::new(self.storage.clone(), keys::input(id), at_most);
        let mut touched = Instant::now();
        let mut next = Some(start);
        while let Some(chunk) = next {
            if writer.size() + chunk.len() as u64 > limit {
                return Err(error::too_large(limit));
            }
            writer.write(chunk).await.map_err(Problem::unavailable)?;
            if touched.elapsed() > TOUCH {
                self.touch(id, writer.upload_id()).await?;
                touched = Instant::now();
            }
            next = payload.chunk().await?;
        }
        let size = writer.finish().await.map_err(Problem::unavailable)?;
        self.commit(NewFile {
            id,
            owner: order.owner.clone(),
            filename: label.filename.clone(),
            content_type: label.content_type.clone(),
            size: size as i64,
            profile: order.profile,
        })
        .await
    }

    async fn touch(&self, id: FileId, s3_upload_id: Option<&str>) -> Result<(), Problem> {
        let mut connection = self.database.pool().acquire().await?;
        let alive = uploads::touch(&mut connection, id, s3_upload_id, Timestamp::now()).await?;
        if alive { Ok(()) } else { Err(given_up()) }
    }

    /// The file, its outputs and its transcode request appear together.
    async fn commit(&self, new: NewFile) -> Result<File, Problem> {
        let mut transaction = self.database.begin().await?;
        if !uploads::finish(&mut transaction, new.id).await? {
            return Err(given_up());
        }
        let new_size = new.size;
        let file = files::insert(&mut transaction, &new, Timestamp::now()).await?;
        self.requests.put(&mut transaction, new.id, new.owner, new.filename, new.profile).await?;
        self.requests.commit(transaction).await?;
        tracing::info!(size = new_size, "file stored");
        Ok(file)
    }

    /// Leaves nothing behind. What fails here is done by the sweep later.
    async fn clean_up(&self, id: FileId, problem: &Problem) {
        // When S3 failed or was not waited for, a call that is still on its way may yet make an
        // object: the sweep looks again later.
        let settled = problem.status().is_client_error();
        if let Err(error) = discard(&self.database, &self.storage, id, Timestamp::now(), settled).await {
            tracing::warn!(%id, cause = format!("{error:#}"), "cannot remove a failed upload; the sweep will");
        }
    }
}

/// Removes an upload that has not been heard of since `until`, unless it has become a file. Its note
/// goes too when nothing more `settled` can come of it.
pub async fn discard(
    database: &Database,
    storage: &Storage,
    id: FileId,
    until: Timestamp,
    settled: bool,
) -> anyhow::Result<()> {
    if !uploads::abandon(&mut *database.pool().acquire().await?, id, until).await? {
        return Ok(());
    }
    storage.discard(&keys::input(id)).await?;
    if settled {
        uploads::remove(&mut *database.pool().acquire().await?, id).await?;
    }
    Ok(())
}

/// The first bytes, once they are enough to tell that this may be a file for us.
async fn begin(payload: &mut Payload) -> Result<Bytes, Problem> {
    let mut start = BytesMut::new();
    while start.len() < sniff::BYTES
        && let Some(chunk) = payload.chunk().await?
    {
        start.extend_from_slice(&chunk);
    }
    if start.is_empty() {
        return Err(error::empty());
    }
    if sniff::is_text(&start[..start.len().min(sniff::BYTES)]) {
        return Err(error::text());
    }
    Ok(start.freeze())
}

fn stopping() -> Problem {
    Problem::unavailable(anyhow!("the process stops"))
}

fn given_up() -> Problem {
    Problem::unavailable(anyhow!("the upload was silent for so long that a sweep removed it"))
}
