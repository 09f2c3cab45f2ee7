//! Segments that another process encodes ([`crate::share`]): who gives one away, and who makes it.

use std::path::Path;
use std::pin::pin;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use tokio::sync::SemaphorePermit;

use super::cut::{Segment, segment_name};
use super::{Plan, Runner, Source, StepError, Task, one, part_name};
use crate::share::{LENT, Lent, Offers};
use crate::store::Offer;

/// What a helper is told: with the job it is all that encoding takes. No argument of ffmpeg is in it: what is run is what
/// the helper itself makes of the job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    number: u64,
    plan: Plan,
}

impl Part {
    /// The files that encoding it makes.
    pub fn files(&self) -> Vec<String> {
        self.plan.joined.iter().map(|one| part_name(one.index, self.number)).collect()
    }

    /// The file that it is made of.
    pub fn samples(&self) -> String {
        segment_name(self.number)
    }

    /// Sees that a part that came from elsewhere is one of this task.
    pub fn check(&self, task: &Task) -> anyhow::Result<()> {
        let fits = self.plan.joined.iter().all(|one| one.index < task.outputs.len());
        ensure!(fits && !self.plan.joined.is_empty() && is_for_helpers(self.number), "it is no part of its job");
        Ok(())
    }
}

/// The first segment is made from the input's tags too, which helpers do not have.
fn is_for_helpers(number: u64) -> bool {
    number > 0
}

/// How many more segments may lie on disk when helpers have some.
pub fn most(task: &Task) -> usize {
    if task.offers.is_some() { LENT } else { 0 }
}

/// Does the work, with an eye on what is offered meanwhile.
pub async fn beside<T>(task: &Task, work: impl Future<Output = T>) -> T {
    match &task.offers {
        Some(offers) => offers.beside(work).await,
        None => work.await,
    }
}

/// Waits for the place of an encoder; `None` when meanwhile a helper has made the parts.
pub async fn place<'a>(
    runner: &'a Runner,
    input: &Source<'_>,
    task: &Task,
    plan: &Plan,
    segment: &mut Segment,
) -> Option<SemaphorePermit<'a>> {
    if let Some(offers) = task.offers.as_ref().filter(|_| is_for_helpers(segment.number)) {
        place_or_helper(runner, input.directory, plan, segment, offers).await
    } else {
        Some(runner.place().await)
    }
}

/// The same for a segment that may be offered.
async fn place_or_helper<'a>(
    runner: &'a Runner,
    directory: &Path,
    plan: &Plan,
    segment: &mut Segment,
    offers: &Offers,
) -> Option<SemaphorePermit<'a>> {
    let part = Part { number: segment.number, plan: plan.clone() };
    let (offer, lent) = match place_or_claim(runner, &part, offers).await {
        Next::Place(place) => return Some(place),
        Next::Claimed(offer, lent) => (offer, lent),
    };
    segment.count_as(lent);
    let Err(cause) = offers.through(&offer, &segment.path, directory, &part.files()).await else { return None };
    let cause = format!("{cause:#}");
    tracing::info!(job_id = offer.job_id, segment = segment.number, cause, "a segment comes back from a helper");
    Some(runner.place().await)
}

/// Who encodes a segment.
enum Next<'a> {
    Place(SemaphorePermit<'a>),
    Claimed(Offer, Lent),
}

/// Offers the segment while no place is free. Whoever wins the row of the offer has the segment.
async fn place_or_claim<'a>(runner: &'a Runner, part: &Part, offers: &Offers) -> Next<'a> {
    let mut place = pin!(runner.place());
    let lent = tokio::select! {
        biased;
        place = &mut place => return Next::Place(place),
        lent = offers.room() => lent,
    };
    let Some(offer) = offers.offer(part).await else { return Next::Place(place.await) };
    tokio::select! {
        place = &mut place => if offers.withdraw(&offer).await { return Next::Place(place) },
        () = offers.claimed(&offer) => {}
    }
    Next::Claimed(offer, lent)
}

/// A helper's work: encodes the part whose samples lie in `directory`.
pub async fn make(runner: &Runner, directory: &Path, task: &Task, part: &Part) -> Result<(), StepError> {
    let input = Source::unknown(directory, &task.inputs);
    one(runner, &input, task, &part.plan, part.number).await
}
