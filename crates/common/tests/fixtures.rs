//! The committed sample of each message decodes, and encodes to the same JSON again.

use common::{FileDeleted, TranscodeRequest, TranscodeResult, WebhookDisabled, event::Event};
use serde_json::Value;

const REQUEST: &str = include_str!("fixtures/transcode_request.json");
const RESULT: &str = include_str!("fixtures/transcode_result.json");
const DELETED: &str = include_str!("fixtures/file_deleted.json");
const DISABLED: &str = include_str!("fixtures/webhook_disabled.json");

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn transcode_request() {
    let message = TranscodeRequest::decode(REQUEST).unwrap();
    assert_eq!(json(&message.encode()), json(REQUEST));
}

#[test]
fn transcode_result() {
    let message = TranscodeResult::decode(RESULT).unwrap();
    assert_eq!(json(&message.encode()), json(RESULT));
}

#[test]
fn file_deleted() {
    let message = FileDeleted::decode(DELETED).unwrap();
    assert_eq!(json(&message.encode()), json(DELETED));
    assert_eq!(Event::decode(DELETED).unwrap(), Event::FileDeleted(message));
}

#[test]
fn webhook_disabled() {
    let message = WebhookDisabled::decode(DISABLED).unwrap();
    assert_eq!(json(&message.encode()), json(DISABLED));
    assert_eq!(Event::decode(DISABLED).unwrap(), Event::WebhookDisabled(message));
}

#[test]
fn another_kind_or_version_is_refused() {
    assert!(TranscodeRequest::decode(RESULT).is_err());
    assert!(TranscodeResult::decode(&RESULT.replace("\"v\": 1", "\"v\": 2")).is_err());
    assert!(TranscodeResult::decode("{").is_err());
}
