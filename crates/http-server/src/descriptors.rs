//! The process's limit of open files, which is one of connections too.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most files that macOS lets one process open.
const OPEN_MAX: u64 = 10_240;

/// Raises the soft limit of open files to the hard one and gives it back: the usual soft limit of
/// 1024 is a relic of `select(2)`.
pub(crate) fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raise = |current| setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum });
    // macOS takes no soft limit above OPEN_MAX (setrlimit(2) there).
    let open_max = Some(limit.maximum.map_or(OPEN_MAX, |maximum| maximum.min(OPEN_MAX)));
    if let Err(error) = raise(limit.maximum).or_else(|_| raise(open_max)) {
        tracing::warn!(%error, soft = limit.current, "cannot raise the limit of open files");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
