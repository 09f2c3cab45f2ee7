//! Many callers, one transaction: what comes while one commit is on its way is committed together by the next.
//!
//! A commit waits for the disk, and the disk takes many rows as fast as one. There is no task of its own: whoever gets
//! the turn does the work of all who wait. When that caller goes away half-way, its transaction ends unfinished and the
//! others bring their work again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{self, error::TryRecvError};

/// The most pieces of work of one turn.
const MAX: usize = 128;

/// Work of type `T` that gives an `R`.
pub struct Group<T, R> {
    waiting: Mutex<Vec<(T, oneshot::Sender<R>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T, R> Default for Group<T, R> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T: Clone, R> Group<T, R> {
    /// Has `work` done by `together`, by this caller or another one. It gives a result for each, in the same order.
    ///
    /// No more wait than there are callers. Work may be done twice when a caller goes away: it must not matter.
    pub async fn run<F: Future<Output = Vec<R>>>(&self, work: T, together: impl Fn(Vec<T>) -> F) -> R {
        let mut answer = self.wait(&work);
        loop {
            tokio::select! {
                biased;
                done = &mut answer => match done {
                    Ok(result) => return result,
                    Err(_) => answer = self.wait(&work),
                },
                _turn = self.turn.lock() => {
                    let (batch, replies): (Vec<T>, Vec<_>) = self.take().into_iter().unzip();
                    for (reply, result) in replies.into_iter().zip(together(batch).await) {
                        // Whoever went away does not want to know.
                        let _ = reply.send(result);
                    }
                    match answer.try_recv() {
                        Ok(result) => return result,
                        Err(TryRecvError::Closed) => answer = self.wait(&work),
                        Err(TryRecvError::Empty) => {}
                    }
                }
            }
        }
    }

    fn wait(&self, work: &T) -> oneshot::Receiver<R> {
        let (reply, answer) = oneshot::channel();
        self.waiting().push((work.clone(), reply));
        answer
    }

    /// Those who still wait, the first of them first.
    fn take(&self) -> Vec<(T, oneshot::Sender<R>)> {
        let mut waiting = self.waiting();
        waiting.retain(|(_, reply)| !reply.is_closed());
        let count = waiting.len().min(MAX);
        waiting.drain(..count).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(T, oneshot::Sender<R>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::{sync::Semaphore, task::JoinSet};

    use super::*;

    #[tokio::test]
    async fn a_crowd_is_served_in_few_turns_and_each_gets_its_own() {
        let (group, turns) = (Arc::new(Group::default()), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new(Semaphore::new(0));
        let mut crowd = JoinSet::new();
        for number in 0..MAX + 10 {
            let (group, turns, gate) = (group.clone(), turns.clone(), gate.clone());
            crowd.spawn(async move {
                let together = |batch: Vec<usize>| {
                    let (turns, gate) = (turns.clone(), gate.clone());
                    async move {
                        turns.fetch_add(1, Ordering::SeqCst);
                        let _open = gate.acquire().await;
                        batch.into_iter().map(|number| number * 2).collect()
                    }
                };
                (number, group.run(number, together).await)
            });
        }
        testing::eventually(Duration::from_secs(10), || async { (group.waiting().len() == MAX + 9).then_some(()) })
            .await;
        gate.add_permits(10);
        for (number, result) in crowd.join_all().await {
            assert_eq!(result, number * 2);
        }
        let turns = turns.load(Ordering::SeqCst);
        assert!((2..=4).contains(&turns), "{turns}");
    }

    #[tokio::test]
    async fn who_goes_away_in_its_turn_leaves_nobody_behind() {
        let (group, gate) = (Arc::new(Group::<u8, u8>::default()), Arc::new(Semaphore::new(0)));
        let run = |number| {
            let (group, gate) = (group.clone(), gate.clone());
            tokio::spawn(async move {
                let together = |batch: Vec<u8>| async {
                    let _open = gate.acquire().await;
                    batch
                };
                group.run(number, together).await
            })
        };
        let first = run(1);
        testing::eventually(Duration::from_secs(10), || async { group.turn.try_lock().is_err().then_some(()) }).await;
        let second = run(2);
        testing::eventually(Duration::from_secs(10), || async { (group.waiting().len() == 1).then_some(()) }).await;
        first.abort();
        gate.add_permits(10);
        assert_eq!(second.await.unwrap(), 2);
    }
}
