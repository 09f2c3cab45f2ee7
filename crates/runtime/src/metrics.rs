//! What the process measures, for Prometheus: `GET /metrics`.
//!
//! Every crate and service counts through the `metrics` facade and describes what it counts; this installs the one
//! recorder of the process. Labels come from code (enums, route templates, names of queues), never from what a client
//! sends: there are as many series as the program has places, however many users it has.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use ::http::header;
use axum::{Router, routing::get};
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::http;

/// From a millisecond, which a local answer takes, to half an hour, which a long film takes to encode.
const SECONDS: [f64; 17] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 1800.0];
/// Multiples of real time: below 1 somebody waits longer than the media lasts.
const FACTORS: [f64; 11] = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
/// Samples of histograms are kept one by one until they are put into buckets; without this a process that nobody scrapes
/// would keep them for ever.
const UPKEEP: Duration = Duration::from_secs(5);
/// Version 0.0.4 of the text format (Prometheus, "Exposition formats").
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to measure. Call it before anything is counted, in a runtime; a second call, as in tests, changes nothing.
pub fn install() -> Result<(), BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_factor".to_owned()), &FACTORS)?
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() || HANDLE.set(handle.clone()).is_err() {
        return Ok(());
    }
    http::describe();
    describe();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            handle.run_upkeep();
        }
    });
    Ok(())
}

/// Whoever may ask for `/healthz` may read it: it tells nothing of any user.
pub(crate) fn router() -> Router {
    Router::new().route("/metrics", get(|| async { ([(header::CONTENT_TYPE, CONTENT_TYPE)], render()) }))
}

fn render() -> String {
    let Some(handle) = HANDLE.get() else { return String::new() };
    measure_process();
    handle.render()
}

fn describe() {
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory of the process that is in RAM.");
    describe_gauge!("process_open_fds", Unit::Count, "Open file descriptors of the process.");
    describe_gauge!("process_uptime_seconds", Unit::Seconds, "How long the process has measured.");
    START.get_or_init(Instant::now);
}

static START: OnceLock<Instant> = OnceLock::new();

/// What only the kernel knows. On other systems than Linux there is no /proc, and the gauges stay away.
fn measure_process() {
    gauge!("process_uptime_seconds").set(START.get_or_init(Instant::now).elapsed().as_secs_f64());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
    if let Some(kib) = kib {
        gauge!("process_resident_memory_bytes").set(kib * 1024.0);
    }
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(descriptors.count() as f64);
    }
}
