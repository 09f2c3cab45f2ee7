//! How often, and how far apart, a delivery over HTTP is tried (SNS developer guide, "Creating an HTTP/S
//! delivery policy", from which all bounds and defaults here are).

mod retries;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use retries::Retries;

/// How messages are labelled unless a policy says otherwise.
const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";
/// What an envelope may be labelled as, and then what only a raw message may.
const CONTENT_TYPES: [&str; 12] = [
    "text/plain",
    "application/json",
    "text/css",
    "text/csv",
    "text/html",
    "text/xml",
    "application/atom+xml",
    "application/octet-stream",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
];

/// `throttlePolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Throttle {
    max_receives_per_second: u32,
}

/// `requestPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Requests {
    header_content_type: String,
}

/// A subscription's `DeliveryPolicy`. `sicklyRetryPolicy` and `guaranteed` are without effect at AWS too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct OfSubscription {
    healthy_retry_policy: Option<Retries>,
    #[serde(skip_serializing)]
    sickly_retry_policy: Option<Retries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle_policy: Option<Throttle>,
    request_policy: Option<Requests>,
    #[serde(skip_serializing)]
    guaranteed: Option<bool>,
}

/// A topic's `DeliveryPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfTopic {
    http: OfTopicHttp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct OfTopicHttp {
    default_healthy_retry_policy: Option<Retries>,
    #[serde(skip_serializing)]
    default_sickly_retry_policy: Option<Retries>,
    disable_subscription_overrides: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_throttle_policy: Option<Throttle>,
    default_request_policy: Option<Requests>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { header_content_type: CONTENT_TYPE.to_owned() }
    }
}

impl OfTopic {
    /// Empty text stands for no policy of its own.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let policy: Self = read(text)?;
        let http = &policy.http;
        http.default_healthy_retry_policy.iter().try_for_each(|it| it.check("http.defaultHealthyRetryPolicy"))?;
        check_rest(http.default_throttle_policy.as_ref(), http.default_request_policy.as_ref())?;
        Ok(policy)
    }

    /// With the defaults filled in; `EffectiveDeliveryPolicy`.
    pub(super) fn effective(mut self) -> Self {
        self.http.default_healthy_retry_policy.get_or_insert_default();
        self.http.default_request_policy.get_or_insert_default();
        self
    }
}

impl OfSubscription {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let policy: Self = read(text)?;
        policy.healthy_retry_policy.iter().try_for_each(|it| it.check("healthyRetryPolicy"))?;
        check_rest(policy.throttle_policy.as_ref(), policy.request_policy.as_ref())?;
        Ok(policy)
    }

    /// What holds for a subscription of a topic; `EffectiveDeliveryPolicy`.
    pub(super) fn effective(self, topic: OfTopic) -> Self {
        let topic = topic.http;
        let own = if topic.disable_subscription_overrides { Self::default() } else { self };
        Self {
            healthy_retry_policy: Some(
                own.healthy_retry_policy.or(topic.default_healthy_retry_policy).unwrap_or_default(),
            ),
            throttle_policy: own.throttle_policy.or(topic.default_throttle_policy),
            request_policy: Some(own.request_policy.or(topic.default_request_policy).unwrap_or_default()),
            ..Self::default()
        }
    }

    /// Seconds to wait after so many failures, of which there is one at least; `None` when that was the
    /// last try.
    pub(super) fn delay(&self, failures: u32) -> Option<f64> {
        self.healthy_retry_policy.clone().unwrap_or_default().delay(failures)
    }

    /// Seconds between two deliveries; `None` when they may come as they please.
    pub(super) fn rest(&self) -> Option<f64> {
        let throttle = self.throttle_policy.as_ref()?;
        Some(1.0 / f64::from(throttle.max_receives_per_second))
    }

    /// The content type of what is posted.
    pub(super) fn content_type(&self, is_raw: bool) -> &str {
        let wanted = self.request_policy.as_ref().map_or(CONTENT_TYPE, |policy| &policy.header_content_type);
        let is_good = is_raw || CONTENT_TYPES[..2].contains(&media_type(wanted));
        if is_good { wanted } else { CONTENT_TYPE }
    }
}

fn read<T: DeserializeOwned + Default>(text: &str) -> Result<T, String> {
    if text.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| format!("DeliveryPolicy: {error}"))
}

fn check_rest(throttle: Option<&Throttle>, requests: Option<&Requests>) -> Result<(), String> {
    if throttle.is_some_and(|throttle| throttle.max_receives_per_second < 1) {
        return Err("DeliveryPolicy: maxReceivesPerSecond must be greater than or equal to 1".to_owned());
    }
    match requests {
        Some(requests) if !is_content_type(&requests.header_content_type) => {
            Err(format!("DeliveryPolicy: headerContentType {} is not supported", requests.header_content_type))
        }
        _ => Ok(()),
    }
}

/// One of the known types, with or without a charset.
fn is_content_type(text: &str) -> bool {
    let rest_is_good = text.split_once(';').is_none_or(|(_, rest)| rest.trim().eq_ignore_ascii_case("charset=utf-8"));
    rest_is_good && CONTENT_TYPES.contains(&media_type(text))
}

fn media_type(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests;
