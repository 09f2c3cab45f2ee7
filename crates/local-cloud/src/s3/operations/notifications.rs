//! Which changes of a bucket's objects are told to whom.

use s3s::{S3Error, S3Request, S3Response, dto::*, s3_error};
use uuid::Uuid;

use super::{Operations, request_id};
use crate::s3::{
    fault::Fault,
    notifications::{Destination, Rule, Rules, covers, event},
    objects::require_bucket,
    settings,
};

/// S3 User Guide, "Supported event types"; only these happen here.
const EVENTS: [&str; 4] = [event::PUT, event::COPY, event::COMPLETE, event::DELETE];
/// Names that are taken and stand for nothing: form uploads are refused, and there are no versions.
const NEVER: [&str; 2] = ["ObjectCreated:Post", "ObjectRemoved:DeleteMarkerCreated"];
/// S3 API, PutBucketNotificationConfiguration.
const MAX_RULES: usize = 100;
const MAX_FILTER: usize = 1024;
const MAX_ID: usize = 255;

pub(super) async fn put_bucket_notification_configuration(
    on: &Operations,
    request: S3Request<PutBucketNotificationConfigurationInput>,
) -> Result<S3Response<PutBucketNotificationConfigurationOutput>, Fault> {
    let request_id = request_id(&request.extensions);
    let input = request.input;
    let rules = rules(input.notification_configuration)?;
    let skip = input.skip_destination_validation.unwrap_or(false);
    let (bucket, notifier) = (input.bucket, on.notifier.clone());
    let write = move |transaction: &mut crate::store::Transaction<'_>| -> Result<(), Fault> {
        require_bucket(transaction, &bucket)?;
        if rules.0.is_empty() {
            return settings::remove::<Rules>(transaction, &bucket);
        }
        for rule in rules.0.iter().filter(|_| !skip) {
            if let Err(reason) = notifier.test(transaction, &bucket, &rule.destination, &request_id)? {
                let arn = rule.destination.arn();
                return Err(s3_error!(
                    InvalidArgument,
                    "Unable to validate the following destination configurations: {arn}: {reason}"
                )
                .into());
            }
        }
        settings::put(transaction, &bucket, &rules)
    };
    on.context.store.write(write).await?;
    Ok(S3Response::new(PutBucketNotificationConfigurationOutput {}))
}

pub(super) async fn get_bucket_notification_configuration(
    on: &Operations,
    request: S3Request<GetBucketNotificationConfigurationInput>,
) -> Result<S3Response<GetBucketNotificationConfigurationOutput>, Fault> {
    let bucket = request.input.bucket;
    let read = move |connection: &rusqlite::Connection| {
        require_bucket(connection, &bucket)?;
        settings::find::<Rules>(connection, &bucket)
    };
    let Rules(rules) = on.context.store.read(read).await?.unwrap_or_default();
    let (mut queues, mut topics) = (Vec::new(), Vec::new());
    for rule in rules {
        let events = rule.events.iter().map(|event| Event::from(event.clone())).collect();
        let filter = filter(&rule);
        match rule.destination {
            Destination::Queue(queue_arn) => {
                queues.push(QueueConfiguration { events, filter, id: Some(rule.id), queue_arn });
            }
            Destination::Topic(topic_arn) => {
                topics.push(TopicConfiguration { events, filter, id: Some(rule.id), topic_arn });
            }
        }
    }
    Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
        queue_configurations: (!queues.is_empty()).then_some(queues),
        topic_configurations: (!topics.is_empty()).then_some(topics),
        ..Default::default()
    }))
}

fn filter(rule: &Rule) -> Option<NotificationConfigurationFilter> {
    let parts = [(FilterRuleName::PREFIX, &rule.prefix), (FilterRuleName::SUFFIX, &rule.suffix)];
    let rules: Vec<FilterRule> = parts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| FilterRule { name: Some(FilterRuleName::from_static(name)), value: Some(value.clone()) })
        .collect();
    (!rules.is_empty())
        .then_some(NotificationConfigurationFilter { key: Some(S3KeyFilter { filter_rules: Some(rules) }) })
}

fn rules(configuration: NotificationConfiguration) -> Result<Rules, S3Error> {
    if configuration.event_bridge_configuration.is_some() {
        return Err(s3_error!(NotImplemented, "EventBridge notifications are not implemented"));
    }
    if configuration.lambda_function_configurations.is_some_and(|list| !list.is_empty()) {
        return Err(s3_error!(NotImplemented, "Lambda notifications are not implemented"));
    }
    let mut rules = Vec::new();
    for queue in configuration.queue_configurations.unwrap_or_default() {
        rules.push(rule(queue.id, Destination::Queue(queue.queue_arn), &queue.events, queue.filter)?);
    }
    for topic in configuration.topic_configurations.unwrap_or_default() {
        rules.push(rule(topic.id, Destination::Topic(topic.topic_arn), &topic.events, topic.filter)?);
    }
    if rules.len() > MAX_RULES {
        return Err(s3_error!(InvalidArgument, "A bucket has at most {MAX_RULES} notification configurations"));
    }
    check_overlap(&rules)?;
    Ok(Rules(rules))
}

fn rule(
    id: Option<String>,
    destination: Destination,
    events: &[Event],
    filter: Option<NotificationConfigurationFilter>,
) -> Result<Rule, S3Error> {
    let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| Uuid::new_v4().to_string());
    if id.len() > MAX_ID {
        return Err(s3_error!(InvalidArgument, "An Id has at most {MAX_ID} characters"));
    }
    let events: Vec<String> = events.iter().map(|event| event.as_ref().to_owned()).collect();
    if events.is_empty() {
        return Err(s3_error!(MalformedXML, "A configuration names at least one event"));
    }
    for name in &events {
        let known = |event: &&&str| name.starts_with("s3:") && covers(name, event);
        if EVENTS.iter().chain(&NEVER).find(known).is_none() || name.len() < "s3:Object".len() {
            return Err(s3_error!(InvalidArgument, "The event '{name}' is not supported for notifications"));
        }
    }
    let (mut prefix, mut suffix) = (None, None);
    for part in filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules).unwrap_or_default() {
        let name = part.name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
        let value = part.value.unwrap_or_default();
        if value.len() > MAX_FILTER {
            return Err(s3_error!(InvalidArgument, "The value of a filter has at most {MAX_FILTER} bytes"));
        }
        let place = match name.as_str() {
            "prefix" => &mut prefix,
            "suffix" => &mut suffix,
            _ => return Err(s3_error!(InvalidArgument, "filter rule name must be either prefix or suffix")),
        };
        if place.replace(value).is_some() {
            return Err(s3_error!(InvalidArgument, "Cannot specify more than one {name} rule in a filter."));
        }
    }
    let (prefix, suffix) = (prefix.unwrap_or_default(), suffix.unwrap_or_default());
    Ok(Rule { id, destination, events, prefix, suffix })
}

/// An event goes to one destination only (S3 User Guide, "Configuring event notifications using object
/// key name filtering").
fn check_overlap(rules: &[Rule]) -> Result<(), S3Error> {
    for (index, one) in rules.iter().enumerate() {
        for other in &rules[index + 1..] {
            if one.id == other.id {
                return Err(s3_error!(InvalidArgument, "Same ID used for multiple configurations. IDs must be unique"));
            }
            let shared = EVENTS.iter().any(|event| {
                let wanted = |rule: &Rule| rule.events.iter().any(|pattern| covers(pattern, event));
                wanted(one) && wanted(other)
            });
            let prefixes = one.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&one.prefix);
            let suffixes = one.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&one.suffix);
            if shared && prefixes && suffixes {
                return Err(s3_error!(
                    InvalidArgument,
                    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type."
                ));
            }
        }
    }
    Ok(())
}
