//! Why a job failed, in words for the owner of the file. The transcoder's own words name buckets and keys, and go to
//! the log.

/// The number of a failure that nothing is known of: a fault of the transcoder (Developer Guide, error 9999).
pub const UNKNOWN: u64 = 9999;

/// What a warning says. The service's own warnings have no numbers, and their words name keys.
pub const WARNING: &str = "Something could not be made exactly as it was asked for; the transcoder goes on.";

/// A sentence for an error code of Elastic Transcoder (Developer Guide, "Error codes that are returned by Elastic
/// Transcoder during processing").
pub const fn sentence(code: u64) -> &'static str {
    match code {
        1000 | 1001 => "The job for this file was not accepted by the transcoder.",
        2000 => "The transcoder has no permission to do its work.",
        3001 => "The uploaded file could not be found.",
        3002 => "An output of the same name exists already.",
        3003 => "The transcoder has no permission to read the uploaded file.",
        3004 | 3006 => "The transcoder has no permission to store the outputs.",
        3005 => "The place where the file is stored could not be found.",
        _ if code / 1000 == 3 => "The file could not be read from storage, or an output could not be written to it.",
        4000 => "The file could not be read as audio or video.",
        4001 => "The picture in the file is too large.",
        4002 | 4022 => "The file is too large to be transcoded.",
        4006 => "Files of this format cannot be transcoded.",
        4007 => "The file could not be transcoded; it may be damaged.",
        4008 => "The file has no audio, or no video, to make this output from.",
        4011 | 4013 => "The cover picture in the file cannot be used.",
        4014 => "The requested part begins after the end of the file.",
        4016..=4021 => "The file is encrypted and could not be decrypted.",
        4100..=4199 => "The captions of the file could not be used.",
        _ if code / 1000 == 4 => "The file could not be transcoded as requested.",
        _ => "The transcoder failed. Uploading the file again may help.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_sentence() {
        assert_eq!(sentence(4000), "The file could not be read as audio or video.");
        let known = [3001, 3002, 4000, 4002, 4008, UNKNOWN];
        let mut sentences: Vec<_> = known.into_iter().map(sentence).collect();
        sentences.dedup();
        assert_eq!(sentences.len(), known.len());
        assert_eq!(sentence(u64::MAX), sentence(UNKNOWN));
    }
}
