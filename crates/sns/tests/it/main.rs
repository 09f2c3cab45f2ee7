//! Signatures made by others (aws-lc-rs through rcgen, and OpenSSL) checked by the crate.

mod authority;
mod certificates;
mod chains;
mod second_opinion;
mod signatures;
mod signer;
