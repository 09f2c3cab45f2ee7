use super::*;

fn good() -> CreateJobRequest {
    let json = r#"{"PipelineId":"1700000000000-abc123","Input":{"Key":"in.mp3"},
        "Outputs":[{"Key":"a.wav","PresetId":"1351620000001-300300"},{"Key":"a.flac","PresetId":"1351620000001-300110"}],
        "OutputKeyPrefix":"out/","UserMetadata":{"file":"1 _.:/=+-%@"}}"#;
    serde_json::from_str(json).unwrap()
}

fn refused(change: impl FnOnce(&mut CreateJobRequest)) -> String {
    let mut request = good();
    change(&mut request);
    create_job(&request).unwrap_err().message
}

fn outputs(request: &mut CreateJobRequest) -> &mut Vec<CreateJobOutput> {
    request.outputs.as_mut().unwrap()
}

#[test]
fn a_plain_request_passes_in_either_form() {
    assert_eq!(create_job(&good()), Ok(()));
    let mut request = good();
    request.inputs = request.input.take().map(|input| vec![input]);
    request.output = request.outputs.take().map(|outputs| outputs[0].clone());
    assert_eq!(create_job(&request), Ok(()));
}

#[test]
fn members_are_named_with_their_place() {
    let rotate = refused(|r| outputs(r)[1].rotate = Some("45".into()));
    assert_eq!(
        rotate,
        "1 validation error detected: Value '45' at 'outputs.2.member.rotate' failed to satisfy constraint: Member must satisfy regular expression pattern: (^auto$)|(^0$)|(^90$)|(^180$)|(^270$)"
    );
    let missing = refused(|r| outputs(r)[0].preset_id = None);
    assert!(missing.contains("Value null at 'outputs.1.member.presetId'"), "{missing}");
    assert!(refused(|r| r.pipeline_id = None).contains("Value null at 'pipelineId'"));
    assert!(refused(|r| r.input = Some(JobInput::default())).contains("Value null at 'input.key'"));
    assert!(refused(|r| r.output_key_prefix = Some(String::new())).contains("greater than or equal to 1"));
}

#[test]
fn counts_are_bounded() {
    let many = refused(|r| {
        let first = outputs(r)[0].clone();
        r.outputs = Some(vec![first; 31]);
    });
    assert!(
        many.contains("at 'outputs' failed to satisfy constraint: Member must have length less than or equal to 30"),
        "{many}"
    );
}

#[test]
fn one_form_of_inputs_and_outputs() {
    assert_eq!(refused(|r| r.input = None), "[Input and Inputs are not allowed to both be null.]");
    assert_eq!(refused(|r| r.inputs = Some(vec![JobInput::default()])), "[Input and Inputs are mutually exclusive.]");
    assert_eq!(refused(|r| r.outputs = Some(vec![])), "[Output and Outputs are not allowed to both be null.]");
    assert_eq!(
        refused(|r| r.output = Some(CreateJobOutput::default())),
        "[Output and Outputs are mutually exclusive.]"
    );
}

#[test]
fn outputs_may_not_share_a_name() {
    assert_eq!(
        refused(|r| outputs(r)[1].key = Some("a.wav".into())),
        "Two outputs of the job have the same Key: a.wav"
    );
}

#[test]
fn segments_last_one_to_sixty_seconds() {
    assert!(refused(|r| outputs(r)[0].segment_duration = Some("0.5".into())).contains("between 1 and 60"));
    assert!(refused(|r| outputs(r)[0].segment_duration = Some("60.1".into())).contains("between 1 and 60"));
}

#[test]
fn metadata_is_small_and_plain() {
    let metadata = |key: String, value: String| Some(BTreeMap::from([(key, value)]));
    assert!(refused(|r| r.user_metadata = metadata("k".into(), "é".into())).contains("may hold only"));
    assert!(refused(|r| r.user_metadata = metadata(String::new(), "v".into())).contains("1 to 128"));
    assert!(refused(|r| r.user_metadata = metadata("k".repeat(129), "v".into())).contains("1 to 128"));
    assert!(refused(|r| r.user_metadata = metadata("k".into(), "v".repeat(257))).contains("0 to 256"));
    let eleven = (0..11).map(|i| (i.to_string(), String::new())).collect();
    assert!(refused(|r| r.user_metadata = Some(eleven)).contains("at most 10 pairs"));
}

#[test]
fn long_values_are_cut_in_the_text() {
    let message = refused(|r| r.pipeline_id = Some("é".repeat(100_000)));
    assert!(message.len() < 1000, "{}", message.len());
}
