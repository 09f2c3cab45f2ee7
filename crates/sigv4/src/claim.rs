//! What a request says about its own signature, from its header or its query.

use http::{HeaderMap, header, request::Parts};
use time::{Duration, OffsetDateTime, PrimitiveDateTime, macros::format_description};

use crate::{Error, canonical};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// More than any client signs; it bounds the work for a hostile request.
const MOST_SIGNED_HEADERS: usize = 100;
/// The longest life of a presigned URL: seven days (SigV4, "Query string authentication").
const LONGEST_LIFE: Duration = Duration::days(7);

/// A signature with everything it was made from, except the request itself.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) access_key_id: String,
    pub(crate) region: String,
    pub(crate) service: String,
    /// `YYYYMMDD`, as the scope has it.
    pub(crate) day: String,
    /// `YYYYMMDDTHHMMSSZ`, as the request has it.
    pub(crate) timestamp: String,
    pub(crate) signed_at: OffsetDateTime,
    /// Lower case, sorted.
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: Vec<u8>,
    /// How long a presigned URL lives; `None` for the header form.
    pub(crate) presigned: Option<Duration>,
}

impl Claim {
    /// Reads the header form, or else the query form.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Error> {
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let value = value.to_str().map_err(|_| Error::IncompleteSignature("Authorization is not ASCII text."))?;
            return from_header(value, &parts.headers);
        }
        let query = canonical::pairs(parts.uri.query().unwrap_or_default());
        let has_algorithm = query.iter().any(|(name, _)| name == "X-Amz-Algorithm");
        if has_algorithm { from_query(&query) } else { Err(Error::MissingAuthenticationToken) }
    }

    /// The credential scope, the third line of the string to sign.
    pub(crate) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }
}

fn from_header(value: &str, headers: &HeaderMap) -> Result<Claim, Error> {
    let (algorithm, fields) = value.trim().split_once(' ').unwrap_or((value, ""));
    check_algorithm(algorithm)?;
    let field = |name: &str| {
        let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
        fields.find(|(found, _)| *found == name).map(|(_, value)| value.trim())
    };
    let credential = field("Credential").ok_or(incomplete("Authorization header requires 'Credential' parameter."))?;
    let signed =
        field("SignedHeaders").ok_or(incomplete("Authorization header requires 'SignedHeaders' parameter."))?;
    let signature = field("Signature").ok_or(incomplete("Authorization header requires 'Signature' parameter."))?;
    let date = headers.get("x-amz-date").or_else(|| headers.get(header::DATE));
    let date = date
        .and_then(|value| value.to_str().ok())
        .ok_or(incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."))?;
    claim(credential, signed, signature, date, None)
}

fn from_query(query: &[(String, String)]) -> Result<Claim, Error> {
    let parameter = |name: &str| query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    check_algorithm(parameter("X-Amz-Algorithm").unwrap_or_default())?;
    let credential = parameter("X-Amz-Credential").ok_or(incomplete("X-Amz-Credential is missing."))?;
    let signed = parameter("X-Amz-SignedHeaders").ok_or(incomplete("X-Amz-SignedHeaders is missing."))?;
    let signature = parameter("X-Amz-Signature").ok_or(incomplete("X-Amz-Signature is missing."))?;
    let date = parameter("X-Amz-Date").ok_or(incomplete("X-Amz-Date is missing."))?;
    let seconds = parameter("X-Amz-Expires").and_then(|text| text.parse::<u32>().ok());
    let life = seconds.map(|seconds| Duration::seconds(i64::from(seconds))).filter(|life| *life <= LONGEST_LIFE);
    let life = life.ok_or(incomplete("X-Amz-Expires must be a number of seconds, at most 604800."))?;
    claim(credential, signed, signature, date, Some(life))
}

fn claim(
    credential: &str,
    signed_headers: &str,
    signature: &str,
    timestamp: &str,
    presigned: Option<Duration>,
) -> Result<Claim, Error> {
    // From the right: an access key id may contain a slash, the other parts may not.
    let mut scope = credential.rsplitn(5, '/');
    let mut next = || scope.next().filter(|part| !part.is_empty()).ok_or(incomplete(BAD_CREDENTIAL));
    let (terminator, service, region, day, id) = (next()?, next()?, next()?, next()?, next()?);
    if terminator != "aws4_request" {
        return Err(incomplete(BAD_CREDENTIAL));
    }
    let signed_at = parse_time(timestamp)?;
    if !timestamp.starts_with(day) || day.len() != 8 {
        return Err(Error::Scope("the day of the request's date".to_owned()));
    }
    Ok(Claim {
        access_key_id: id.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        day: day.to_owned(),
        timestamp: timestamp.to_owned(),
        signed_at,
        signed_headers: header_names(signed_headers)?,
        signature: hex::decode(signature).map_err(|_| Error::SignatureDoesNotMatch)?,
        presigned,
    })
}

const BAD_CREDENTIAL: &str =
    "Credential must have exactly 5 slash-delimited elements: keyid/date/region/service/aws4_request.";

fn incomplete(why: &'static str) -> Error {
    Error::IncompleteSignature(why)
}

fn check_algorithm(algorithm: &str) -> Result<(), Error> {
    if algorithm == ALGORITHM { Ok(()) } else { Err(incomplete("Only AWS4-HMAC-SHA256 signatures are accepted.")) }
}

fn parse_time(text: &str) -> Result<OffsetDateTime, Error> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = PrimitiveDateTime::parse(text, format);
    Ok(time.map_err(|_| incomplete("The date must be in ISO-8601 'basic format': YYYYMMDDTHHMMSSZ."))?.assume_utc())
}

fn header_names(list: &str) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = list.split(';').map(str::to_ascii_lowercase).collect();
    if names.len() > MOST_SIGNED_HEADERS {
        return Err(incomplete("Too many signed headers."));
    }
    names.sort_unstable();
    Ok(names)
}
