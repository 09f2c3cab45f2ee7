//! An error of the AWS SDK in one line.
//!
//! Its own Display says "service error" and no more; `DisplayErrorContext` adds a page of Debug output
//! with headers and bodies. What a person needs is what the service said, or why it could not be asked.

use std::error::Error;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What the service answered, as `Code: message (request ID)`. An answer without a code, such as that to
/// a HEAD, gives its status; without an answer, it is the error and what caused it.
pub fn brief<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let Some(code) = error.code() else {
        let status = error.raw_response().map(|answer| format!("status {}: ", answer.status().as_u16()));
        return status.unwrap_or_default() + &chain(error);
    };
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

    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    #[derive(Debug)]
    struct Failed(ErrorMetadata);

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("unhandled error")
        }
    }

    impl Error for Failed {}

    impl ProvideErrorMetadata for Failed {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn answered(status: u16, metadata: ErrorMetadata) -> SdkError<Failed, HttpResponse> {
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        SdkError::service_error(Failed(metadata), response)
    }

    #[test]
    fn what_the_service_said_is_enough() {
        let said = ErrorMetadata::builder().code("NoSuchKey").message("There is no such key.");
        let said = said.custom("aws_request_id", "77").build();
        assert_eq!(brief(&answered(404, said)), "NoSuchKey: There is no such key. (request 77)");
    }

    #[test]
    fn an_answer_without_a_code_gives_its_status() {
        let text = brief(&answered(403, ErrorMetadata::builder().build()));
        assert_eq!(text, "status 403: service error: unhandled error");
    }

    #[test]
    fn a_service_that_was_not_reached_gives_the_cause() {
        let cause = ConnectorError::io(std::io::Error::other("connection refused").into());
        let text = brief(&SdkError::<Failed, HttpResponse>::dispatch_failure(cause));
        assert!(text.starts_with("dispatch failure") && text.ends_with("connection refused"), "{text}");
    }
}
