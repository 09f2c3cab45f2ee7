//! RSA signatures with SHA-1, which `SignatureVersion` 1 of SNS prescribes.
//!
//! `aws-lc-rs` checks such signatures but, with good reason, makes none. AWS-LC below it does, so
//! this one call goes there; a second RSA implementation would be more to trust.
#![allow(unsafe_code)]

use aws_lc_rs::digest;
use aws_lc_sys as lc;

/// Signs `message` with the RSA key in `pkcs8`. `None` when it is not an RSA key.
pub(super) fn sign(pkcs8: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message);
    let key = Key::parse(pkcs8)?;
    // SAFETY: `key` is a live key; the result is null or borrowed from it, and used only while it lives.
    let rsa = unsafe { lc::EVP_PKEY_get0_RSA(key.0) };
    if rsa.is_null() {
        return None;
    }
    // SAFETY: `rsa` is not null.
    let size = usize::try_from(unsafe { lc::RSA_size(rsa) }).ok()?;
    let mut signature = vec![0; size];
    let mut length = 0;
    let hash = hash.as_ref();
    // SAFETY: `hash` is read for its own length; `signature` has the `RSA_size` bytes that
    // `RSA_sign` writes at most; `length` and `rsa` are valid for the call.
    let done =
        unsafe { lc::RSA_sign(lc::NID_sha1, hash.as_ptr(), hash.len(), signature.as_mut_ptr(), &mut length, rsa) };
    signature.truncate(usize::try_from(length).ok()?);
    (done == 1).then_some(signature)
}

/// An owned key of AWS-LC.
struct Key(*mut lc::EVP_PKEY);

impl Key {
    fn parse(pkcs8: &[u8]) -> Option<Self> {
        let mut input = std::mem::MaybeUninit::uninit();
        // SAFETY: `CBS_init` fills all of `input`, which borrows `pkcs8` until the parse has ended.
        let key = unsafe {
            lc::CBS_init(input.as_mut_ptr(), pkcs8.as_ptr(), pkcs8.len());
            lc::EVP_parse_private_key(input.as_mut_ptr())
        };
        (!key.is_null()).then_some(Self(key))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key came from `EVP_parse_private_key`, is owned here and freed once.
        unsafe { lc::EVP_PKEY_free(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_rsa_key_is_refused() {
        assert_eq!(sign(b"", b"message"), None);
        let elliptic = rcgen::KeyPair::generate().unwrap();
        assert_eq!(sign(&elliptic.serialize_der(), b"message"), None);
    }
}
