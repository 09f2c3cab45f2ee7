//! What is neither a queue nor a topic: the time, the database, keys, programs, services.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use database::DatabaseUrl;
use reqwest::Response;
use runtime::{Aws, http::client_for};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::process::Command;
use url::Url;

use super::report::Report;

/// One look takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// AWS refuses signatures that are five minutes off (IAM User Guide, "Signature Version 4"); what is a fifth of that
/// off is on its way there.
const MOST_SECONDS: i64 = 60;

/// Whether this machine's clock agrees with that of the endpoint.
pub async fn clock(report: &mut Report, aws: &Aws) {
    match seconds_off(aws).await {
        Ok(off) if off.abs() <= MOST_SECONDS => {
            report.good("clock", format!("within {} s of the endpoint's", off.abs() + 1));
        }
        Ok(off) => {
            report.bad("clock", format!("{off} s off the endpoint's"), "start NTP here: signatures are soon refused");
        }
        Err(error) => {
            let advice = "see that AWS_ENDPOINT_URL or AWS_REGION is right and can be reached from here";
            report.bad("endpoint", format!("{error:#}"), advice);
        }
    }
}

async fn seconds_off(aws: &Aws) -> anyhow::Result<i64> {
    let at_aws = format!("https://sqs.{}.amazonaws.com/ping", aws.region());
    let url = aws.endpoint().unwrap_or(&at_aws).parse()?;
    // Any answer has the time, a refusal too.
    let answer = get(&url).await?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).context("the answer has no Date")?;
    let theirs = OffsetDateTime::parse(date, &Rfc2822)?.unix_timestamp();
    let ours = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(i64::try_from(ours)? - theirs)
}

async fn get(url: &Url) -> anyhow::Result<Response> {
    let client = client_for(url).timeout(PATIENCE).build()?;
    client.get(url.clone()).send().await.with_context(|| format!("cannot ask {url}"))
}

/// Whether the database can be used.
pub async fn database(report: &mut Report, url: &DatabaseUrl) {
    match database::reach(url).await {
        Ok(()) => report.good("database", format!("{url} answers")),
        Err(error) => {
            let advice = "see that it runs, lets this machine in, and knows user and password";
            report.bad("database", format!("{url}: {error}"), advice);
        }
    }
}

/// Whether there are keys to check tokens with.
pub async fn keys(report: &mut Report, url: &Url) {
    // On one machine it is a file, which its services read.
    if url.scheme() == "file" {
        return;
    }
    let advice = "see that SEGUE_JWKS_URL is the jwks_uri of the OIDC provider";
    match count_keys(url).await {
        Ok(0) => report.bad("token keys", "none are published", advice),
        Ok(count) => report.good("token keys", count),
        Err(error) => report.bad("token keys", format!("{error:#}"), advice),
    }
}

async fn count_keys(url: &Url) -> anyhow::Result<usize> {
    let answer = get(url).await?.error_for_status()?;
    let set: Value = answer.json().await.context("the answer is no JWKS")?;
    Ok(set["keys"].as_array().map_or(0, Vec::len))
}

/// Whether a program starts.
pub async fn program(report: &mut Report, path: &Path) {
    let mut command = Command::new(path);
    command.arg("-version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let (subject, advice) = (path.display(), "install it, or set SEGUE_FFMPEG and SEGUE_FFPROBE to the paths");
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            report.good(subject, text.lines().next().unwrap_or("starts"));
        }
        Ok(Ok(output)) => report.bad(subject, output.status, advice),
        Ok(Err(error)) => report.bad(subject, error, advice),
        Err(_) => report.bad(subject, "does not end", advice),
    }
}

/// Whether a service is ready, and if not, which of its checks fails.
pub async fn service(report: &mut Report, base: &Url) {
    let subject = format!("service {base}");
    let advice = "its log says why, in lines of `not ready`";
    match readiness(base).await {
        Ok(failing) if failing.is_empty() => report.good(subject, "ready"),
        Ok(failing) => report.bad(subject, failing, advice),
        Err(error) => report.bad(subject, format!("{error:#}"), "see that it runs there"),
    }
}

async fn readiness(base: &Url) -> anyhow::Result<String> {
    let answer = get(&base.join("/readyz")?).await?;
    if answer.status().is_success() {
        return Ok(String::new());
    }
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    let failing = body["failing"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let failing = failing.collect::<Vec<_>>().join(", ");
    Ok(if failing.is_empty() { status.to_string() } else { failing })
}
