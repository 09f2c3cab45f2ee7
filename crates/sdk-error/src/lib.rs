//! An error of the AWS SDK in one line.
//!
//! Its own Display says "service error" and no more; `DisplayErrorContext` adds a page of Debug output
//! with headers and bodies. What a person needs is what the service said, or why it could not be asked.

use std::error::Error;

use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What the service answered, as `Code: message (request ID)`; without an answer, the error and what
/// caused it.
pub fn brief<E: ProvideErrorMetadata + Error>(error: &E) -> String {
    let Some(code) = error.code() else { return chain(error) };
    let message = error.message().map(|message| format!(": {message}")).unwrap_or_default();
    let request = error.meta().extra("aws_request_id").map(|id| format!(" (request {id})")).unwrap_or_default();
    format!("{code}{message}{request}")
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        // Many an error repeats what its cause says.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[derive(Debug)]
    struct Failed(ErrorMetadata, Option<std::io::Error>);

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("dispatch failure")
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_ref().map(|cause| cause as _)
        }
    }

    impl ProvideErrorMetadata for Failed {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    #[test]
    fn what_the_service_said_is_enough() {
        let said = ErrorMetadata::builder().code("NoSuchKey").message("There is no such key.");
        let said = said.custom("aws_request_id", "77").build();
        assert_eq!(brief(&Failed(said, None)), "NoSuchKey: There is no such key. (request 77)");
    }

    #[test]
    fn a_service_that_was_not_reached_gives_the_cause() {
        let cause = std::io::Error::other("connection refused");
        let error = Failed(ErrorMetadata::builder().build(), Some(cause));
        assert_eq!(brief(&error), "dispatch failure: connection refused");
    }
}
