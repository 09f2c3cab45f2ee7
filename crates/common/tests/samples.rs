//! Each sample that the documentation shows decodes, and encodes to the same JSON again.

use std::path::{Path, PathBuf};

use common::event::Event;
use serde_json::Value;

fn samples() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/samples");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

#[test]
fn samples_decode_and_encode_to_the_same() {
    let samples = samples();
    assert!(samples.len() >= 8, "{samples:?}");
    for path in samples {
        let text = std::fs::read_to_string(&path).unwrap();
        let event = Event::decode(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let wanted: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), wanted, "{}", path.display());
        let kind = wanted["kind"].as_str().unwrap();
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with(kind), "{} is a {kind}", path.display());
    }
}
