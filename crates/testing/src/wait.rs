//! Waiting for something that happens elsewhere.

use std::time::{Duration, Instant};

/// Asks until there is an answer; panics when `patience` runs out. Tests wait like this and never
/// for a fixed time.
pub async fn eventually<T, F: Future<Output = Option<T>>>(patience: Duration, mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "nothing came of it within {patience:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
