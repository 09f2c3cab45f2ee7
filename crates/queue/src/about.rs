//! What a message or request is about, for whoever reads the log.

use common::{FileId, UserId, event::Event};
use tracing::{Span, field::display};

/// Adds ids to the span of the message, or of the HTTP request, that is being handled: every line that comes after
/// bears them. Where neither is handled it does nothing.
pub fn about(file: Option<FileId>, job: Option<&str>, user: &UserId) {
    let span = Span::current();
    span.record("user", user.as_str());
    if let Some(file) = file {
        span.record("file_id", display(file));
    }
    if let Some(job) = job {
        span.record("job_id", job);
    }
}

/// The same for a message between services.
pub fn about_event(event: &Event) {
    match event {
        Event::TranscodeRequest(request) => about(Some(request.file_id), None, &request.owner),
        Event::TranscodeResult(result) => about(Some(result.file_id), Some(&result.job_id), &result.owner),
        Event::FileDeleted(deleted) => about(Some(deleted.file_id), None, &deleted.owner),
        Event::WebhookDisabled(disabled) => about(None, None, &disabled.owner),
    }
}
