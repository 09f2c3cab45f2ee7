//! What this service measures: bodies on their way, and their bytes.

use std::sync::LazyLock;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

static OPEN: LazyLock<Gauge> = LazyLock::new(|| gauge!("uploads_open"));
static IN_FLIGHT: LazyLock<Gauge> = LazyLock::new(|| gauge!("upload_bytes_in_flight"));
static RECEIVED: LazyLock<Counter> = LazyLock::new(|| counter!("upload_received_bytes_total"));

/// Says what is counted here, and how many bodies there may be at once.
pub fn describe(places: u32) {
    describe_gauge!("uploads_open", Unit::Count, "Bodies that are on their way.");
    describe_gauge!("uploads_open_limit", Unit::Count, "As many may be.");
    describe_gauge!(
        "upload_bytes_in_flight",
        Unit::Bytes,
        "Bytes that have come and are not in S3: what uploads hold in memory."
    );
    describe_counter!("upload_received_bytes_total", Unit::Bytes, "Bytes of files that have come.");
    describe_counter!("uploads_total", Unit::Count, "Bodies by what became of them.");
    gauge!("uploads_open_limit").set(f64::from(places));
    // Each series begins at 0, so that its first step is seen.
    RECEIVED.increment(0);
    counter!("uploads_total", "outcome" => "stored").increment(0);
    counter!("uploads_total", "outcome" => "refused").increment(0);
    OPEN.set(0.0);
    IN_FLIGHT.set(0.0);
}

/// A body that is on its way, until this is dropped.
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

/// A body has come to its end.
pub fn ended(stored: bool) {
    counter!("uploads_total", "outcome" => if stored { "stored" } else { "refused" }).increment(1);
}

/// Bytes that are held in memory, until this is dropped.
#[derive(Default)]
pub struct Held(u64);

impl Held {
    /// So many more have come.
    pub fn add(&mut self, bytes: u64) {
        self.0 += bytes;
        IN_FLIGHT.increment(bytes as f64);
        RECEIVED.increment(bytes);
    }

    /// Those of a part, which are from now on counted by what is given back.
    pub fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.0);
        self.0 -= bytes;
        Self(bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        IN_FLIGHT.decrement(self.0 as f64);
    }
}
