//! How certificates are come by, through the `metrics` facade: free where nobody records.

use std::sync::LazyLock;

use metrics::{Counter, Unit, counter, describe_counter};

/// How a certificate was come by.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// It was known.
    Cache,
    /// It was fetched.
    Fetch,
    /// It cannot be had, or not be used; this is known for a while too.
    Failure,
}

static CERTIFICATES: LazyLock<[Counter; 3]> = LazyLock::new(|| {
    ["cache", "fetch", "failure"].map(|source| counter!("sns_certificates_total", "source" => source))
});

/// Tells the recorder of the process what is counted here. Each series begins at 0, so that its first step is seen.
pub fn describe_metrics() {
    LazyLock::force(&CERTIFICATES);
    describe_counter!(
        "sns_certificates_total",
        Unit::Count,
        "Signing certificates that were asked for, by how they were come by."
    );
}

pub fn found(source: Source) {
    CERTIFICATES[source as usize].increment(1);
}
