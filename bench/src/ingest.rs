//! notification-ingest: how fast a post of SNS is checked, refused, recognised and stored.
//!
//! The service runs on one core of its own and the clients on the other. The check alone stands beside what
//! `openssl speed` reaches with the same length of key, in the same run.

mod client;
mod fake_sns;
mod service;

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use sns::{Envelope, Settings, Verifier};
use time::OffsetDateTime;

use crate::line;
use client::{Load, Report};
use fake_sns::FakeSns;
use service::Service;

/// How long each figure is measured.
const TIME: Duration = Duration::from_secs(5);
/// Connections beside one another; SNS opens many.
const CONNECTIONS: usize = 32;
/// New events to store, signed beforehand.
const EVENTS: usize = 24_000;
/// Half of what is asked for, at which the times are taken.
const PACE: f64 = 1_500.0;

/// Measures everything.
pub async fn measure(directory: &Path) -> anyhow::Result<()> {
    let sns = FakeSns::start().await?;
    check_alone(&sns).await?;
    let service = Service::start(directory, &sns).await?;
    let post = |message: &str| service.post(message);

    let known = sns.signed(0);
    let warm = Load::same(post(&known), 200).run(service.address(), 1, Duration::from_millis(200)).await?;
    ensure!(warm.done > 0, "nothing was taken");
    let forged = post(&known.replace("song.mp3", "gnos.mp3"));
    let refused = Load::same(forged, 403).run(service.address(), CONNECTIONS, TIME).await?;
    service.told("posts refused for their signature", &refused, "≥ 10,000/s")?;
    let recognised = Load::same(post(&known), 200).run(service.address(), CONNECTIONS, TIME).await?;
    service.told("posts of a known MessageId", &recognised, "≥ 10,000/s")?;

    let messages: Vec<Vec<u8>> = sns.signed_many(1..EVENTS).await?.iter().map(|message| post(message)).collect();
    let (paced, flood) = messages.split_at((PACE * TIME.as_secs_f64()) as usize);
    let slow = Load::each(paced, 200).paced(PACE).run(service.address(), CONNECTIONS, TIME * 2).await?;
    line("new events at 1,500/s, stored durably", &slow.times(), "p99 ≤ 20 ms");
    let fast = Load::each(flood, 200).run(service.address(), CONNECTIONS, TIME * 4).await?;
    service.told("new events, stored durably", &fast, "≥ 3,000/s")?;
    ensure!(fast.done == flood.len(), "only {} of {} were stored in time", fast.done, flood.len());
    Ok(())
}

/// One thread, the certificate known, one message again and again; and OpenSSL's own figure.
async fn check_alone(sns: &FakeSns) -> anyhow::Result<()> {
    let mut settings = Settings::new([fake_sns::TOPIC.parse()?]);
    settings.local_endpoint = Some(sns.endpoint().parse()?);
    let verifier = Verifier::new(settings)?;
    let text = sns.signed(0);
    let (mut count, mut start) = (0_u32, Instant::now());
    loop {
        let envelope = Envelope::decode(text.as_bytes())?;
        verifier.verify(&envelope, OffsetDateTime::now_utc()).await?;
        // The first one fetches the certificate.
        (count, start) = if count == 0 { (1, Instant::now()) } else { (count + 1, start) };
        if count.is_multiple_of(256) && start.elapsed() > TIME {
            break;
        }
    }
    let ours = f64::from(count) / start.elapsed().as_secs_f64();
    let theirs = openssl_verifies()?;
    let figure = format!("{ours:.0}/s, OpenSSL {theirs:.0}/s, {:.2} of it", ours / theirs);
    line("the check alone: envelope, topic, age, RSA-2048", &figure, "≥ 0.8 of OpenSSL's");
    Ok(())
}

/// What `openssl speed` says of RSA-2048, on one core.
fn openssl_verifies() -> anyhow::Result<f64> {
    let mut command = Command::new("openssl");
    command.args(["speed", "-mr", "-seconds", "3", "rsa2048"]).stderr(Stdio::null());
    let output = command.output().context("openssl cannot be run")?;
    let text = String::from_utf8(output.stdout)?;
    // +F2:<index>:<bits>:<signatures a second>:<verifications a second>; newer ones append further fields.
    let line = text.lines().find(|line| line.starts_with("+F2:")).context("openssl says nothing of RSA")?;
    Ok(line.split(':').nth(4).context("openssl gives no rate")?.parse()?)
}

impl Report {
    /// Median, 99th percentile, and the longest.
    fn times(&self) -> String {
        let at = |part: usize| {
            let index = (self.times.len() * part / 1000).min(self.times.len().saturating_sub(1));
            self.times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        let rate = self.done as f64 / self.took.as_secs_f64();
        format!("{rate:.0}/s, p50 {:.1}, p99 {:.1}, max {:.1} ms", at(500), at(990), at(1000))
    }
}
