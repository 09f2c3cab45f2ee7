//! What the three services share.

use std::path::PathBuf;

use crate::{credentials::Credentials, store::Store};

/// Made once by [`crate::LocalCloud::open`] and handed to each service behind an `Arc`.
pub(crate) struct Context {
    /// Everything that is not object content.
    pub(crate) store: Store,
    /// The region that every name is in.
    pub(crate) region: String,
    /// The twelve digits that ARNs and queue URLs carry.
    pub(crate) account: String,
    /// Where clients reach this process; no trailing slash.
    pub(crate) public_endpoint: String,
    /// The directory that holds it all.
    pub(crate) data_dir: PathBuf,
    /// The access keys that may sign requests.
    pub(crate) credentials: Credentials,
}
