//! One message of the topic `results` as one line.

use common::{OutputState, TranscodeResult, event::Event};

/// For people.
pub fn describe(body: &str) -> String {
    match Event::decode(body) {
        Ok(Event::TranscodeResult(result)) => {
            let progress = result.progress.map(|percent| format!(" {percent} %")).unwrap_or_default();
            let reason = result.error.as_ref().map(|error| format!(": {} ({})", error.message, error.code));
            let reason = reason.or_else(|| result.warning.as_ref().map(|text| format!(": {text}"))).unwrap_or_default();
            let (at, owner, name, state) =
                (result.at, &result.owner, printable(result.filename.as_str()), result.state);
            let outputs = outputs(&result);
            format!("{at}  {owner}  {name}  {state}{progress}{outputs}{reason}  [{}]", result.file_id)
        }
        Ok(Event::FileDeleted(it)) => format!("{}  {}  deleted  [{}]", it.at, it.owner, it.file_id),
        Ok(Event::WebhookDisabled(it)) => {
            format!("{}  {}  webhook to {} switched off  [{}]", it.at, it.owner, printable(&it.host), it.webhook_id)
        }
        Ok(Event::TranscodeRequest(_)) | Err(_) => format!("not a message of this topic: {}", compact(body)),
    }
}

/// On one line, whatever it is.
pub fn compact(body: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(value) => value.to_string(),
        Err(_) => printable(body),
    }
}

fn outputs(result: &TranscodeResult) -> String {
    let done = result.outputs.iter().filter(|output| output.state == OutputState::Complete).count();
    if result.outputs.is_empty() { String::new() } else { format!(", {done} of {} outputs", result.outputs.len()) }
}

/// Names come from users: nothing in them may steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_one_line() {
        let failed = include_str!("../../../../docs/schemas/samples/transcode_result.error.json");
        let text = describe(failed);
        assert!(text.contains("auth0|alice  song.mp3  error, 1 of 2 outputs: The file could not be read"), "{text}");
        let running = describe(include_str!("../../../../docs/schemas/samples/transcode_result.progress.json"));
        assert!(running.contains("transcoding 42 %"), "{running}");
        let deleted = describe(include_str!("../../../../docs/schemas/samples/file_deleted.json"));
        assert!(deleted.contains("  deleted  ["), "{deleted}");
        let disabled = describe(include_str!("../../../../docs/schemas/samples/webhook_disabled.json"));
        assert!(disabled.contains("webhook to hooks.example.com switched off"), "{disabled}");
        for text in [compact(failed), describe("a\nb\u{1b}[2J"), compact("{\n\"a\": 1}")] {
            assert!(!text.contains(['\n', '\u{1b}']), "{text}");
        }
    }
}
