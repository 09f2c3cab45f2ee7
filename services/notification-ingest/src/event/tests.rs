use common::FileId;

use super::*;

fn job() -> JobMetadata {
    JobMetadata {
        file_id: FileId::generate(),
        owner: "auth0|alice".parse().unwrap(),
        filename: "song.mp3".parse().unwrap(),
    }
}

fn parse(members: &str) -> Event {
    let metadata = serde_json::to_string(&job().to_pairs()).unwrap();
    let text = format!(
        r#"{{"jobId":"1700000000000-abc123","pipelineId":"p","outputKeyPrefix":"transcoded/f/","userMetadata":{metadata},{members}}}"#
    );
    Event::parse(&text).unwrap()
}

fn result(members: &str) -> TranscodeResult {
    let event = parse(members);
    event.result(event.job().unwrap(), Timestamp::from_millis(1))
}

#[test]
fn a_completed_job_tells_keys_lengths_and_sizes() {
    let result = result(
        r#""state":"COMPLETED","outputs":[
            {"id":"1","presetId":"1351620000001-300300","key":"audio.wav","status":"Complete","duration":62,"durationMillis":61042,"fileSize":10767852},
            {"id":"2","presetId":"1351620000001-300110","key":"audio.flac","status":"Complete","duration":62},
            {"id":"3","presetId":"1351620000001-100110","key":"audio.mp4","status":"Warning","statusDetail":"a sentence","duration":9007199254740992}]"#,
    );
    assert_eq!((result.state, result.error), (FileState::Complete, None));
    let told: Vec<_> = result.outputs.iter().map(|it| (it.key.as_str(), it.duration_ms, it.size, it.state)).collect();
    assert_eq!(
        told,
        [
            ("transcoded/f/audio.wav", Some(61_042), Some(10_767_852), OutputState::Complete),
            ("transcoded/f/audio.flac", Some(62_000), None, OutputState::Complete),
            ("transcoded/f/audio.mp4", Some(9_007_199_254_740_992_000), None, OutputState::Complete),
        ]
    );
}

#[test]
fn a_failed_output_tells_why_in_plain_words() {
    let result = result(
        r#""state":"ERROR","outputs":[
            {"id":"1","key":"audio.wav","status":"Complete"},
            {"id":"2","key":"audio.flac","status":"Error","statusDetail":"4000 68c8117b-0000-4000-8000-000000000001: Amazon Elastic Transcoder could not interpret the media file."},
            {"id":"3","key":"audio.mp4","status":"Error","errorCode":4008}]"#,
    );
    assert_eq!(result.state, FileState::Error);
    let error = ResultError { code: 4000, message: "The file could not be read as audio or video.".to_owned() };
    assert_eq!(result.error.as_ref(), Some(&error));
    assert_eq!(result.outputs[0].error, None);
    assert_eq!(result.outputs[1].error, Some(error));
    assert_eq!(result.outputs[2].error.as_ref().unwrap().code, 4008);
}

#[test]
fn a_failed_job_tells_its_outputs_why() {
    let result = result(
        r#""state":"ERROR","errorCode":3001,"messageDetails":"3001 x: in-bucket","outputs":[{"id":"1","key":"audio.wav","status":"Error"}]"#,
    );
    assert_eq!(result.error.as_ref().unwrap().code, 3001);
    assert!(!result.error.as_ref().unwrap().message.contains("in-bucket"));
    assert_eq!(result.outputs[0].error, result.error);
    let unknown = self::result(r#""state":"ERROR","errorCode":99999999999,"outputs":[]"#);
    assert_eq!(unknown.error.unwrap().code, 9999);
}

#[test]
fn a_running_job_tells_how_far_it_is_and_what_it_warned_of() {
    let step = |progress, warned| Step { stage: Stage::Running, progress, warned };
    for (members, expected) in [
        (r#""state":"PROGRESSING""#, step(None, false)),
        (r#""state":"PROGRESSING","progress":{"percent":42,"speed":3.5}"#, step(Some(42), false)),
        (r#""state":"PROGRESSING","progress":{"percent":255,"speed":3.5}"#, step(Some(100), false)),
        (r#""state":"WARNING""#, step(None, true)),
    ] {
        let event = parse(&format!(r#"{members},"outputs":[{{"id":"1","key":"a","status":"Progressing"}}]"#));
        assert_eq!(event.step(), expected, "{members}");
        let result = event.result(event.job().unwrap(), Timestamp::from_millis(1));
        assert_eq!((result.state, result.outputs[0].state), (FileState::Transcoding, OutputState::Pending));
        assert_eq!((result.progress, result.warning.is_some()), (expected.progress, expected.warned));
    }
    assert_eq!(
        parse(r#""state":"COMPLETED""#).step(),
        Step { stage: Stage::Ended, progress: Some(100), warned: false }
    );
    assert_eq!(parse(r#""state":"ERROR""#).step(), Step { stage: Stage::Ended, progress: None, warned: false });
}

#[test]
fn the_job_of_another_user_of_the_pipeline_has_no_owner_here() {
    let text = r#"{"state":"COMPLETED","jobId":"j","pipelineId":"p","userMetadata":{"assetId":"42"}}"#;
    assert!(Event::parse(text).unwrap().job().is_err());
    assert!(Event::parse(r#"{"state":"COMPLETED","jobId":"j","pipelineId":"p"}"#).unwrap().job().is_err());
}

#[test]
fn what_no_transcoder_sends_is_unreadable() {
    let outputs = vec![r#"{"id":"1"}"#; MAX_OUTPUTS + 1].join(",");
    for text in [
        String::new(),
        "Hello".to_owned(),
        r#"{"state":"COMPLETED","jobId":"","pipelineId":"p"}"#.to_owned(),
        r#"{"state":"COMPLETED","jobId":"a\u0000b","pipelineId":"p"}"#.to_owned(),
        format!(r#"{{"state":"COMPLETED","jobId":"{}","pipelineId":"p"}}"#, "x".repeat(MAX_JOB_ID + 1)),
        format!(r#"{{"state":"COMPLETED","jobId":"j","pipelineId":"p","outputs":[{outputs}]}}"#),
        "[".repeat(100_000),
        format!(r#"{{"state":"COMPLETED","jobId":"j","pipelineId":"p","x":{}"#, "[".repeat(100_000)),
    ] {
        assert!(Event::parse(&text).is_err(), "{}", &text[..text.len().min(80)]);
    }
}

#[test]
fn attributes_let_subscribers_filter() {
    let message = outgoing(&result(r#""state":"COMPLETED""#), "arn:aws:sns:us-east-1:0:results");
    let attributes: Vec<_> = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        attributes,
        [("kind", "transcode_result"), ("owner", "auth0%7Calice"), ("state", "complete"), ("v", "1"),]
    );
    assert_eq!(message.target, Target::Topic("arn:aws:sns:us-east-1:0:results".to_owned()));
    assert!(TranscodeResult::decode(&message.body).is_ok());
}
