//! Which objects are inputs, and which are outputs.

use common::TranscodeRequest;

/// The two prefixes of the bucket, known not to overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixes {
    input: String,
    output: String,
}

/// Outputs would lie among the inputs, and so trigger new jobs for ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("outputs under {output:?} would lie inside the inputs under {input:?} and trigger themselves for ever")]
pub struct Overlap {
    input: String,
    output: String,
}

/// A request that no job may be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// The input lies elsewhere.
    #[error("the input {0:?} does not lie under the input prefix")]
    Input(String),
    /// The outputs would lie elsewhere.
    #[error("the outputs {0:?} do not lie under the output prefix")]
    Output(String),
}

impl Prefixes {
    /// Refuses an output prefix inside the input prefix. An empty input prefix holds everything.
    pub fn new(input: &str, output: &str) -> Result<Self, Overlap> {
        let (input, output) = (input.to_owned(), output.to_owned());
        if output.starts_with(&input) { Err(Overlap { input, output }) } else { Ok(Self { input, output }) }
    }

    /// Whether the request keeps to both.
    pub fn check(&self, request: &TranscodeRequest) -> Result<(), Misplaced> {
        if !request.input_key.starts_with(&self.input)
            || request.input_key.starts_with(&self.output) && !self.output.is_empty()
        {
            return Err(Misplaced::Input(request.input_key.clone()));
        }
        if !request.output_prefix.starts_with(&self.output) || request.output_prefix.starts_with(&self.input) {
            return Err(Misplaced::Output(request.output_prefix.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_inside_the_inputs_are_refused() {
        assert!(Prefixes::new("media/", "transcoded/").is_ok());
        assert!(Prefixes::new("media/", "media/out/").is_err());
        assert!(Prefixes::new("media/", "media/").is_err());
        assert!(Prefixes::new("", "transcoded/").is_err());
    }
}
