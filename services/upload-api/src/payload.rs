//! The one file that a request brings: as its whole body, or as the part `file` of a form.

mod form;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use common::Filename;
use futures::StreamExt;
use runtime::Problem;

use crate::{
    body::{BodyError, Source},
    error,
};
use form::Form;

/// What a form may have beside the file's content, in bytes: headers, boundaries, other fields.
pub const FRAME_BYTES: u64 = 1024 * 1024;
/// The longest content type that is kept (RFC 6838, 4.2: two names of 127 characters).
const MAX_CONTENT_TYPE: usize = 255;

/// How the bytes come.
pub enum Payload {
    /// The body is the file.
    Raw(Source),
    /// A form holds the file.
    Form(Form),
}

/// What the client says about the file.
#[derive(Debug, Clone)]
pub struct Label {
    /// Its name.
    pub filename: Filename,
    /// Its media type, not believed but shown.
    pub content_type: String,
    /// A length that it cannot exceed, if one was declared.
    pub at_most: Option<u64>,
}

/// Whether the headers announce a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    let content_type = text(headers).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

impl Payload {
    /// Finds the file. A name in the query goes before the form's own.
    pub async fn open(headers: &HeaderMap, name: Option<String>, source: Source) -> Result<(Self, Label), Problem> {
        let at_most = source.declared();
        if is_form(headers) {
            let (form, part) = Form::open(text(headers).unwrap_or_default(), source).await?;
            let missing = || Problem::bad_request("The part `file` has no filename.");
            let filename = parse(name.or(part.filename).ok_or_else(missing)?)?;
            let label = Label { filename, content_type: shown(part.content_type.as_deref()), at_most };
            return Ok((Self::Form(form), label));
        }
        let missing = || Problem::bad_request("Say what the file is called: ?filename=");
        let filename = parse(name.ok_or_else(missing)?)?;
        Ok((Self::Raw(source), Label { filename, content_type: shown(text(headers)), at_most }))
    }

    /// The file's next bytes. `None` promises that the request came whole and was well formed.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        match self {
            Self::Raw(source) => source.next().await.transpose().map_err(BodyError::into_problem),
            Self::Form(form) => form.chunk().await,
        }
    }
}

fn parse(name: String) -> Result<Filename, Problem> {
    let checked = Filename::try_from(name).and_then(|name| name.check_direction().map(|()| name));
    checked.map_err(|error| error::unprocessable(error::sentence(&error)))
}

fn text(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

/// The content type to keep: what does not look like one is as good as none. curl calls every raw
/// body a web form unless told otherwise.
fn shown(content_type: Option<&str>) -> String {
    let plausible = |text: &&str| {
        text.len() <= MAX_CONTENT_TYPE
            && text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
            && !text.starts_with("application/x-www-form-urlencoded")
    };
    content_type.map(str::trim).filter(plausible).unwrap_or("application/octet-stream").to_owned()
}
