//! Reading a body that anybody may send: no longer than a bound, no slower than a time limit.

use std::time::Duration;

use axum::{body::Bytes, extract::Request};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use runtime::Problem;

/// The longest body; a message of SNS has up to 256 KiB, and those of transcoders a few.
pub const MAX_BYTES: usize = 256 * 1024;

/// The whole body. What is left unread when it is refused is not waited for: the connection ends.
pub async fn read(request: Request, time: Duration) -> Result<Bytes, Problem> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BYTES as u64) {
        return Err(too_large());
    }
    let collect = Limited::new(request.into_body(), MAX_BYTES).collect();
    match tokio::time::timeout(time, collect).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::bad_request("The body ended before it was complete.").because(cause(error))),
        Err(_) => Err(closing(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("The body did not come within {} seconds.", time.as_secs()),
        ))),
    }
}

fn too_large() -> Problem {
    let detail = format!("The body has more than {MAX_BYTES} bytes.");
    closing(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail))
}

fn closing(problem: Problem) -> Problem {
    problem.header(header::CONNECTION, HeaderValue::from_static("close"))
}

fn cause(error: Box<dyn std::error::Error + Send + Sync>) -> anyhow::Error {
    anyhow::anyhow!(error)
}
