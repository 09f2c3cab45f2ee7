//! The checksums that a client may claim for a body (S3 User Guide, "Checking object integrity").

use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::{S3Error, checksum::ChecksumHasher, crypto::Checksum as _, dto, s3_error};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// A checksum as it is kept and sent: base64, with `-N` behind it when it is made of N parts' sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) algorithm: Algorithm,
    pub(super) value: String,
}

/// Where the client says what the sum must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Header(String),
    Trailer,
    /// Not at all: it is computed and kept.
    None,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name in the API and in our rows.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, S3Error> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| s3_error!(InvalidRequest, "Checksum algorithm provided is unsupported."))
    }

    pub(super) fn header(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        })
    }

    pub(super) fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(s3s::crypto::Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(s3s::crypto::Crc32c::new()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(s3s::crypto::Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(s3s::crypto::Sha256::new()),
        }
        hasher
    }

    /// The field of this algorithm.
    pub(super) fn of(self, sums: &dto::Checksum) -> Option<&String> {
        match self {
            Self::Crc32 => sums.checksum_crc32.as_ref(),
            Self::Crc32c => sums.checksum_crc32c.as_ref(),
            Self::Crc64Nvme => sums.checksum_crc64nvme.as_ref(),
            Self::Sha1 => sums.checksum_sha1.as_ref(),
            Self::Sha256 => sums.checksum_sha256.as_ref(),
        }
    }

    /// The field of this algorithm in a part that is to be completed.
    pub(super) fn of_part(self, part: &dto::CompletedPart) -> Option<&String> {
        match self {
            Self::Crc32 => part.checksum_crc32.as_ref(),
            Self::Crc32c => part.checksum_crc32c.as_ref(),
            Self::Crc64Nvme => part.checksum_crc64nvme.as_ref(),
            Self::Sha1 => part.checksum_sha1.as_ref(),
            Self::Sha256 => part.checksum_sha256.as_ref(),
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

impl Sum {
    /// Response headers; the type tells a client whether it can compare the sum with the bytes.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&self.value) {
            headers.insert(self.algorithm.header(), value);
            headers.insert("x-amz-checksum-type", HeaderValue::from_static(self.kind()));
        }
        headers
    }

    fn kind(&self) -> &'static str {
        if self.value.contains('-') { dto::ChecksumType::COMPOSITE } else { dto::ChecksumType::FULL_OBJECT }
    }
}

/// What the request's headers claim; at most one sum.
pub(super) fn claim(headers: &HeaderMap) -> Result<Option<(Algorithm, Claim)>, S3Error> {
    let trailers = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut claims = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let name = algorithm.header();
        if let Some(value) = headers.get(&name) {
            return Some((algorithm, Claim::Header(String::from_utf8_lossy(value.as_bytes()).into_owned())));
        }
        let in_trailer = trailers.split(',').any(|trailer| trailer.trim().eq_ignore_ascii_case(name.as_str()));
        in_trailer.then_some((algorithm, Claim::Trailer))
    });
    let first = claims.next();
    if claims.next().is_some() {
        return Err(s3_error!(InvalidRequest, "Expecting a single x-amz-checksum- header."));
    }
    drop(claims);
    let named = headers.get("x-amz-sdk-checksum-algorithm").and_then(|value| value.to_str().ok());
    match (first, named) {
        (None, Some(name)) => Ok(Some((Algorithm::parse(name)?, Claim::None))),
        (first, _) => Ok(first),
    }
}

/// The sum of an object from its parts' sums: of the sums themselves.
pub(super) fn composite(algorithm: Algorithm, parts: &[&str]) -> Option<Sum> {
    let mut hasher = algorithm.hasher();
    for part in parts {
        hasher.update(&STANDARD.decode(part).ok()?);
    }
    let sums = hasher.finalize();
    let value = format!("{}-{}", algorithm.of(&sums)?, parts.len());
    Some(Sum { algorithm, value })
}

/// The sum of an object from its parts' sums and sizes: as if over all the bytes. CRCs alone can.
pub(super) fn combined(algorithm: Algorithm, parts: &[(&str, u64)]) -> Option<Sum> {
    let crc = algorithm.crc()?;
    let mut whole: Option<u64> = None;
    let mut width = 0;
    for (part, size) in parts {
        let bytes = STANDARD.decode(part).ok()?;
        width = bytes.len();
        let sum = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        whole = Some(whole.map_or(sum, |whole| crc_fast::checksum_combine(crc, whole, sum, *size)));
    }
    let bytes = whole?.to_be_bytes();
    Some(Sum { algorithm, value: STANDARD.encode(bytes.get(8usize.checked_sub(width)?..)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = algorithm.hasher();
        hasher.update(bytes);
        algorithm.of(&hasher.finalize()).unwrap().clone()
    }

    #[test]
    fn parts_combine_to_the_sum_of_the_whole() {
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let (a, b, c) = (sum(algorithm, b"one"), sum(algorithm, b" and "), sum(algorithm, b"two"));
            let whole = combined(algorithm, &[(&a, 3), (&b, 5), (&c, 3)]).unwrap();
            assert_eq!(whole.value, sum(algorithm, b"one and two"), "{}", algorithm.name());
        }
        assert_eq!(combined(Algorithm::Sha256, &[("", 0)]), None);
    }

    #[test]
    fn two_claims_are_one_too_many() {
        let mut headers = HeaderMap::new();
        assert_eq!(claim(&headers).unwrap(), None);
        headers.insert("x-amz-trailer", "x-amz-checksum-crc32".parse().unwrap());
        assert_eq!(claim(&headers).unwrap(), Some((Algorithm::Crc32, Claim::Trailer)));
        headers.insert("x-amz-checksum-sha1", "AAAA".parse().unwrap());
        assert!(claim(&headers).is_err());
    }
}
