use super::*;

const PROGRESSING: &str = include_str!("fixtures/progressing.json");
const COMPLETED: &str = include_str!("fixtures/completed.json");
const WARNING: &str = include_str!("fixtures/warning.json");
const ERROR_JOB: &str = include_str!("fixtures/error-job.json");
const ERROR_OUTPUT: &str = include_str!("fixtures/error-output.json");

#[test]
fn every_sample_is_read_and_written_back_to_the_letter() {
    for sample in [PROGRESSING, COMPLETED, WARNING, ERROR_JOB, ERROR_OUTPUT] {
        let read = Notification::parse(sample).unwrap();
        assert_eq!(read.to_message(), sample.trim_end());
    }
}

#[test]
fn samples_carry_what_they_say() {
    let completed = Notification::parse(COMPLETED).unwrap();
    assert_eq!(completed.state, State::Completed);
    assert_eq!(completed.outputs[0].width, Some(1280));
    assert_eq!(completed.outputs[1].duration, Some(61));
    assert_eq!(completed.user_metadata.unwrap()["assetId"], "42");
    assert_eq!(Notification::parse(ERROR_JOB).unwrap().error_code, Some(3001));
    assert_eq!(Notification::parse(ERROR_OUTPUT).unwrap().outputs[0].error_code, Some(4000));
    assert_eq!(Notification::parse(PROGRESSING).unwrap().outputs[0].segment_duration, Some(10.0));
}

#[test]
fn subjects_name_the_job() {
    let mut event = Notification::parse(PROGRESSING).unwrap();
    assert_eq!(event.subject(), "Amazon Elastic Transcoder has scheduled job 1700000000000-abc123 for transcoding.");
    event.state = State::Completed;
    assert_eq!(event.subject(), "Amazon Elastic Transcoder has finished transcoding job 1700000000000-abc123.");
    event.state = State::Error;
    assert_eq!(event.subject(), "The Amazon Elastic Transcoder job 1700000000000-abc123 has failed.");
}

#[test]
fn numbers_as_text_and_unknown_members_are_tolerated() {
    let text = r#"{"state":"COMPLETED","jobId":"j","pipelineId":"p","errorCode":null,"future":[1],
        "outputs":[{"id":"1","duration":"61","segmentDuration":"10.0","fileSize":5368709120,"durationMillis":60123.4}]}"#;
    let read = Notification::parse(text).unwrap();
    assert_eq!(read.version, API_VERSION);
    assert_eq!(read.outputs[0].duration, Some(61));
    assert_eq!(read.outputs[0].segment_duration, Some(10.0));
    assert_eq!(read.outputs[0].file_size, Some(5_368_709_120));
    assert_eq!(read.outputs[0].duration_millis, Some(60124));
}

#[test]
fn what_is_not_a_notification_is_refused() {
    for text in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"state":"DONE","jobId":"j","pipelineId":"p"}"#,
        r#"{"state":"ERROR","jobId":"j","pipelineId":"p","errorCode":"many"}"#,
        r#"{"state":"ERROR","jobId":"j","pipelineId":"p","errorCode":-1}"#,
        r#"{"state":"ERROR","jobId":"j"}"#,
    ] {
        assert!(Notification::parse(text).is_err(), "{text}");
    }
}

#[test]
fn our_additions_come_after_the_documented_members() {
    let mut event = Notification::parse(COMPLETED).unwrap();
    event.outputs.truncate(1);
    event.outputs[0].duration_millis = Some(60_120);
    event.outputs[0].file_size = Some(12);
    event.user_metadata = Some(BTreeMap::new());
    let text = event.to_message();
    assert!(
        text.contains("\"height\" : 720,\n    \"durationMillis\" : 60120,\n    \"fileSize\" : 12\n  } ]"),
        "{text}"
    );
    assert!(text.ends_with("\"userMetadata\" : { }\n}"), "{text}");
}
