//! Where objects lie. No key holds anything that a user chose.

use common::{
    FileId,
    names::{INPUT_PREFIX, OUTPUT_PREFIX},
    profile::OutputSpec,
};

/// The key of an uploaded file.
pub fn input(id: FileId) -> String {
    format!("{INPUT_PREFIX}{id}")
}

/// What the keys of all outputs of a file begin with.
pub fn output_prefix(id: FileId) -> String {
    format!("{OUTPUT_PREFIX}{id}/")
}

/// The key of one output.
pub fn output(id: FileId, spec: &OutputSpec) -> String {
    output_prefix(id) + &spec.file_name()
}
