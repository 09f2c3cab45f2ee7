//! A multipart form (RFC 7578) read as it arrives.

use axum::http::header;
use bytes::Bytes;
use multer::{Field, Multipart};
use percent_encoding::percent_decode_str;
use runtime::Problem;

use super::FRAME_BYTES;
use crate::body::{Allowance, BodyError, Source};

/// The name of the part that holds the file.
const FILE: &str = "file";

/// A form whose file is being read.
pub struct Form {
    /// Before `multipart`, which wants to be alone when the next part is looked for.
    field: Option<Field<'static>>,
    multipart: Multipart<'static>,
    allowance: Allowance,
}

/// What the file's part says about itself.
pub struct Part {
    /// Its filename.
    pub filename: Option<String>,
    /// Its content type.
    pub content_type: Option<String>,
}

impl Form {
    /// Reads up to the content of the part `file`.
    pub async fn open(content_type: &str, source: Source) -> Result<(Self, Part), Problem> {
        let boundary = multer::parse_boundary(content_type).map_err(problem)?;
        let allowance = source.allowance();
        let multipart = Multipart::new(source, boundary);
        let mut form = Self { field: None, multipart, allowance };
        let missing = || Problem::bad_request("The form has no part `file`.");
        let field = form.find().await?.ok_or_else(missing)?;
        let part = Part { filename: filename(&field), content_type: field.content_type().map(ToString::to_string) };
        form.field = Some(field);
        form.allowance.set(u64::MAX);
        Ok((form, part))
    }

    /// The file's next bytes; `None` once the whole form was read and had no second file.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        let Some(field) = &mut self.field else { return Ok(None) };
        if let Some(chunk) = field.chunk().await.map_err(problem)? {
            return Ok(Some(chunk));
        }
        self.field = None;
        match self.find().await? {
            Some(_) => Err(Problem::bad_request("The form has more than one part `file`. Send one file at a time.")),
            None => Ok(None),
        }
    }

    /// Passes over other parts. All of them together are bounded, and so is what the parser holds.
    async fn find(&mut self) -> Result<Option<Field<'static>>, Problem> {
        self.allowance.set(FRAME_BYTES);
        while let Some(field) = self.multipart.next_field().await.map_err(problem)? {
            if field.name() == Some(FILE) {
                return Ok(Some(field));
            }
        }
        Ok(None)
    }
}

/// RFC 7578 (4.2) wants names as they are; some clients send the extended form of RFC 8187 alone.
fn filename(field: &Field<'_>) -> Option<String> {
    if let Some(name) = field.file_name() {
        return Some(name.to_owned());
    }
    let disposition = field.headers().get(header::CONTENT_DISPOSITION)?.to_str().ok()?;
    let extended = disposition.split(';').find_map(|part| part.trim().strip_prefix("filename*="))?;
    let (charset, rest) = extended.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    let name = percent_decode_str(encoded).decode_utf8().ok()?;
    charset.eq_ignore_ascii_case("utf-8").then(|| name.into_owned())
}

fn problem(error: multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<BodyError>() {
            Ok(error) => error.into_problem(),
            Err(cause) => Problem::bad_request("The body was cut off.").because(anyhow::anyhow!(cause)),
        },
        multer::Error::IncompleteStream | multer::Error::IncompleteFieldData { .. } => {
            Problem::bad_request("The multipart form is cut off or malformed.")
        }
        error => Problem::bad_request("The multipart form is malformed.").because(error),
    }
}
