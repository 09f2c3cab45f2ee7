//! How often, and how far apart, a delivery over HTTP is tried (SNS developer guide, "Creating an HTTP/S
//! delivery policy", from which all bounds and defaults here are).

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The most retries of one delivery.
const MOST_RETRIES: u32 = 100;
/// The longest delay in seconds, and the longest that all delays together may be.
const LONGEST: u32 = 3600;
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

/// When a failed delivery is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Retries {
    min_delay_target: u32,
    max_delay_target: u32,
    num_retries: u32,
    num_max_delay_retries: u32,
    num_no_delay_retries: u32,
    num_min_delay_retries: u32,
    backoff_function: Backoff,
}

/// How the delay grows from the smallest to the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Arithmetic,
    Exponential,
    Geometric,
    Linear,
}

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

impl Default for Retries {
    fn default() -> Self {
        Self {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_max_delay_retries: 0,
            num_no_delay_retries: 0,
            num_min_delay_retries: 0,
            backoff_function: Backoff::Linear,
        }
    }
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
        check("http.defaultHealthyRetryPolicy", policy.http.default_healthy_retry_policy.as_ref())?;
        let http = &policy.http;
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
        check("healthyRetryPolicy", policy.healthy_retry_policy.as_ref())?;
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
        let retries = self.healthy_retry_policy.clone().unwrap_or_default();
        (failures <= retries.num_retries).then(|| retries.delay(failures))
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

impl Retries {
    /// Seconds before the retry with this number, counted from one.
    fn delay(&self, retry: u32) -> f64 {
        let (least, most) = (f64::from(self.min_delay_target), f64::from(self.max_delay_target));
        let pre_backoff = self.num_no_delay_retries + self.num_min_delay_retries;
        if retry <= self.num_no_delay_retries {
            0.0
        } else if retry <= pre_backoff {
            least
        } else if retry > self.num_retries.saturating_sub(self.num_max_delay_retries) {
            most
        } else {
            let backoff = self.num_retries - self.num_max_delay_retries - pre_backoff;
            self.backoff_function.between(least, most, retry - pre_backoff - 1, backoff - 1)
        }
    }

    fn total(&self) -> f64 {
        (1..=self.num_retries).map(|retry| self.delay(retry)).sum()
    }
}

impl Backoff {
    /// The value at `step` of a curve that begins with `least` and ends with `most` at `last`.
    fn between(self, least: f64, most: f64, step: u32, last: u32) -> f64 {
        if last == 0 {
            return least;
        }
        let (step, last) = (f64::from(step), f64::from(last));
        let share = match self {
            Self::Linear => step / last,
            Self::Arithmetic => step * (step + 1.0) / (last * (last + 1.0)),
            Self::Geometric => return least * (most / least).powf(step / last),
            Self::Exponential => (step.exp2() - 1.0) / (last.exp2() - 1.0),
        };
        least + (most - least) * share
    }
}

fn read<T: DeserializeOwned + Default>(text: &str) -> Result<T, String> {
    if text.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| format!("DeliveryPolicy: {error}"))
}

fn check(name: &str, retries: Option<&Retries>) -> Result<(), String> {
    let Some(retries) = retries else { return Ok(()) };
    let wrong = |reason: String| Err(format!("DeliveryPolicy: {name}.{reason}"));
    if retries.num_retries > MOST_RETRIES {
        return wrong(format!("numRetries must be less than or equal to {MOST_RETRIES}"));
    }
    if retries.min_delay_target < 1 {
        return wrong("minDelayTarget must be greater than or equal to 1".to_owned());
    }
    if retries.max_delay_target > LONGEST {
        return wrong(format!("maxDelayTarget must be less than or equal to {LONGEST}"));
    }
    if retries.min_delay_target > retries.max_delay_target {
        return wrong("maxDelayTarget must be greater than or equal to minDelayTarget".to_owned());
    }
    let phases = [retries.num_no_delay_retries, retries.num_min_delay_retries, retries.num_max_delay_retries];
    if phases.iter().fold(0, |sum: u32, count| sum.saturating_add(*count)) > retries.num_retries {
        let sum = "numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries";
        return wrong(format!("numRetries must be greater than or equal to the sum of {sum}"));
    }
    if retries.total() > f64::from(LONGEST) {
        return wrong(format!("numRetries: all delays together must be less than or equal to {LONGEST} seconds"));
    }
    Ok(())
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
mod tests {
    use super::*;

    fn of(retries: &str) -> Result<OfSubscription, String> {
        OfSubscription::parse(&format!(r#"{{"healthyRetryPolicy": {retries}}}"#))
    }

    fn delays(policy: &OfSubscription) -> Vec<f64> {
        (1..).map_while(|failures| policy.delay(failures)).map(|delay| (delay * 100.0).round() / 100.0).collect()
    }

    #[test]
    fn three_retries_twenty_seconds_apart_are_the_default() {
        assert_eq!(delays(&OfSubscription::default()), [20.0, 20.0, 20.0]);
        assert_eq!(delays(&of("{}").unwrap()), [20.0, 20.0, 20.0]);
        assert_eq!(delays(&of(r#"{"numRetries": 0}"#).unwrap()), [0.0; 0]);
    }

    #[test]
    fn the_four_phases_follow_each_other() {
        let policy = of(r#"{"minDelayTarget": 1, "maxDelayTarget": 9, "numRetries": 8, "numNoDelayRetries": 2,
            "numMinDelayRetries": 1, "numMaxDelayRetries": 2, "backoffFunction": "linear"}"#);
        assert_eq!(delays(&policy.unwrap()), [0.0, 0.0, 1.0, 1.0, 5.0, 9.0, 9.0, 9.0]);
    }

    #[test]
    fn each_backoff_goes_from_least_to_most() {
        for (function, expected) in [
            ("linear", [1.0, 22.0, 43.0, 64.0]),
            ("arithmetic", [1.0, 11.5, 32.5, 64.0]),
            ("geometric", [1.0, 4.0, 16.0, 64.0]),
            ("exponential", [1.0, 10.0, 28.0, 64.0]),
        ] {
            let policy = format!(
                r#"{{"minDelayTarget": 1, "maxDelayTarget": 64, "numRetries": 4, "backoffFunction": "{function}"}}"#
            );
            assert_eq!(delays(&of(&policy).unwrap()), expected, "{function}");
        }
    }

    #[test]
    fn bounds_are_held() {
        for good in [
            r#"{"numRetries": 100, "minDelayTarget": 1, "maxDelayTarget": 1}"#,
            r#"{"numRetries": 1, "minDelayTarget": 3600, "maxDelayTarget": 3600}"#,
        ] {
            assert!(of(good).is_ok(), "{good}");
        }
        for bad in [
            r#"{"numRetries": 101, "minDelayTarget": 1, "maxDelayTarget": 1}"#,
            r#"{"numRetries": -1}"#,
            r#"{"minDelayTarget": 0}"#,
            r#"{"minDelayTarget": 21}"#,
            r#"{"maxDelayTarget": 3601}"#,
            r#"{"numRetries": 3, "numNoDelayRetries": 2, "numMaxDelayRetries": 2}"#,
            r#"{"numRetries": 100, "maxDelayTarget": 60}"#,
            r#"{"backoffFunction": "quadratic"}"#,
            r#"{"unknown": 1}"#,
            "3",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let topic = OfTopic::parse(r#"{"http": {"defaultHealthyRetryPolicy": {"numRetries": 101}}}"#);
        let expected = "DeliveryPolicy: http.defaultHealthyRetryPolicy.numRetries must be less than or equal to 100";
        assert_eq!(topic, Err(expected.to_owned()));
        assert!(OfSubscription::parse(r#"{"throttlePolicy": {"maxReceivesPerSecond": 0}}"#).is_err());
        assert!(OfSubscription::parse(r#"{"requestPolicy": {"headerContentType": "image/png"}}"#).is_err());
        assert!(OfSubscription::parse("not json").is_err());
        assert_eq!(OfSubscription::parse(""), Ok(OfSubscription::default()));
    }

    #[test]
    fn a_subscription_goes_before_its_topic_unless_that_is_forbidden() {
        let own = || of(r#"{"numRetries": 1}"#).unwrap();
        let topic = |forbidden: bool| {
            OfTopic::parse(&format!(
                r#"{{"http": {{"defaultHealthyRetryPolicy": {{"numRetries": 2}}, "disableSubscriptionOverrides": {forbidden}}}}}"#
            ))
            .unwrap()
        };
        assert_eq!(delays(&own().effective(topic(false))).len(), 1);
        assert_eq!(delays(&own().effective(topic(true))).len(), 2);
        assert_eq!(delays(&OfSubscription::default().effective(topic(false))).len(), 2);
    }

    #[test]
    fn the_content_type_is_chosen() {
        let policy = |text: &str| {
            let policy = OfSubscription::parse(&format!(r#"{{"requestPolicy": {{"headerContentType": "{text}"}}}}"#));
            policy.unwrap()
        };
        assert_eq!(OfSubscription::default().content_type(true), "text/plain; charset=UTF-8");
        assert_eq!(policy("application/json").content_type(false), "application/json");
        assert_eq!(policy("text/csv").content_type(true), "text/csv");
        assert_eq!(policy("text/csv").content_type(false), "text/plain; charset=UTF-8");
    }
}
