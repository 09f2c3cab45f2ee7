//! What this service measures: streams and notices.

use std::sync::LazyLock;

use metrics::{Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

static OPEN: LazyLock<Gauge> = LazyLock::new(|| gauge!("message_streams_open"));

/// Says what is counted here, and how many streams there may be.
pub fn describe(limit: u32) {
    describe_gauge!("message_streams_open", Unit::Count, "Event streams that are open.");
    describe_gauge!("message_streams_open_limit", Unit::Count, "As many may be.");
    describe_counter!("notices_total", Unit::Count, "Notices that were stored, by kind.");
    gauge!("message_streams_open_limit").set(f64::from(limit));
    OPEN.set(0.0);
}

/// A stream that is open, until this is dropped.
#[derive(Debug)]
pub struct Open(());

impl Open {
    /// One more.
    pub fn begin() -> Self {
        OPEN.increment(1.0);
        Self(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.decrement(1.0);
    }
}

/// A notice was stored. Kinds are constants of the code.
pub fn stored(kind: &'static str) {
    counter!("notices_total", "kind" => kind).increment(1);
}
