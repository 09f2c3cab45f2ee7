//! One post to an endpoint, and what its answer means.

use std::time::Duration;

use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_TYPE, USER_AGENT},
    redirect::Policy,
};

use super::super::endpoint;

/// As AWS calls itself (SNS developer guide, "HTTP/HTTPS headers").
const AGENT: &str = "Amazon Simple Notification Service Agent";

/// How long a connection is kept for the next post; endpoints close those that have nothing to do.
const IDLE: Duration = Duration::from_secs(5);

/// What is posted.
pub(super) struct Parcel {
    pub(super) url: String,
    pub(super) kind: &'static str,
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    pub(super) subscription_arn: String,
    pub(super) is_raw: bool,
    pub(super) content_type: String,
    pub(super) body: String,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// It will not do another time either.
    Refused(String),
    /// It may do another time.
    Failed(String),
}

/// For this machine, and for others, which a proxy may stand before.
#[derive(Clone)]
pub(super) struct Clients {
    made: Result<(Client, Client), String>,
}

impl Clients {
    pub(super) fn new(answer: Duration) -> Self {
        // A redirect would let the endpoint choose who else gets the message.
        let builder = || Client::builder().timeout(answer).redirect(Policy::none()).pool_idle_timeout(IDLE);
        let made = builder().no_proxy().build().and_then(|direct| Ok((direct, builder().build()?)));
        Self { made: made.map_err(told) }
    }

    fn to(&self, url: &Url) -> Result<&Client, String> {
        let (direct, outside) = self.made.as_ref().map_err(Clone::clone)?;
        Ok(if endpoint::is_loopback(url) { direct } else { outside })
    }
}

pub(super) async fn post(clients: &Clients, parcel: Parcel) -> Outcome {
    let url = match Url::parse(&parcel.url) {
        Ok(url) => url,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let client = match clients.to(&url) {
        Ok(client) => client,
        Err(reason) => return Outcome::Failed(reason),
    };
    let mut request = client
        .post(url)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, parcel.content_type)
        .header("x-amz-sns-message-type", parcel.kind)
        .header("x-amz-sns-message-id", parcel.message_id)
        .header("x-amz-sns-topic-arn", parcel.topic_arn)
        .body(parcel.body);
    // There is no subscription yet when a confirmation is asked for (SNS developer guide, "Make sure your
    // endpoint is ready to process Amazon SNS messages").
    if parcel.kind != "SubscriptionConfirmation" {
        request = request.header("x-amz-sns-subscription-arn", parcel.subscription_arn);
    }
    if parcel.is_raw {
        request = request.header("x-amz-sns-rawdelivery", "true");
    }
    match request.send().await {
        Ok(response) => of_status(response.status()),
        Err(error) if error.is_builder() => Outcome::Refused(told(error.without_url())),
        Err(error) => Outcome::Failed(told(error.without_url())),
    }
}

/// Errors of the server, and that there is too much to do, pass; others stay (SNS developer guide, "Amazon SNS
/// dead-letter queues" and "Make sure your endpoint is ready to process Amazon SNS messages").
fn of_status(status: StatusCode) -> Outcome {
    let answer = || format!("the endpoint answered {status}");
    if status.is_success() {
        Outcome::Delivered
    } else if status.is_server_error() || status.is_informational() || status == StatusCode::TOO_MANY_REQUESTS {
        Outcome::Failed(answer())
    } else {
        Outcome::Refused(answer())
    }
}

/// With its causes: the outermost error alone says only that something failed.
fn told(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_says_whether_to_try_again() {
        for (status, expected) in [
            (200, "delivered"),
            (204, "delivered"),
            (301, "refused"),
            (400, "refused"),
            (404, "refused"),
            (410, "refused"),
            (429, "failed"),
            (500, "failed"),
            (503, "failed"),
        ] {
            let outcome = match of_status(StatusCode::from_u16(status).unwrap()) {
                Outcome::Delivered => "delivered",
                Outcome::Refused(_) => "refused",
                Outcome::Failed(_) => "failed",
            };
            assert_eq!(outcome, expected, "{status}");
        }
    }
}
