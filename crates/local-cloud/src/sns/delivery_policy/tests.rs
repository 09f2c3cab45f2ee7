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
