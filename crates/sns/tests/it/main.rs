//! Signatures made by others (aws-lc-rs through rcgen, and OpenSSL) checked by the crate.

mod authority;
mod certificates;
mod chains;
mod signatures;
mod signer;
