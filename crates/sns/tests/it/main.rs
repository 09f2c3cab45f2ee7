//! Signatures made by others (aws-lc-rs through rcgen, and OpenSSL) checked by the crate.

mod certificates;
mod signatures;
mod signer;
