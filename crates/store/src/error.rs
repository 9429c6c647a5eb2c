//! The one error of this crate. A variant is what the caller does next; the cause is the source.

use std::io;

/// What went wrong, by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Durable bytes are not what was written. Never repaired here: stop, and do what `remedy` says.
    #[error("{file} is damaged at byte {offset}: {why}; {remedy}")]
    Corrupt { file: String, offset: u64, why: String, remedy: &'static str },
    /// The file belongs to something else, or to a newer format. Stop, and use the right directory or binary.
    #[error("{file} cannot be used: {why}")]
    Foreign { file: String, why: String },
    /// Another process owns the directory. Stop; there is nothing to repair.
    #[error("{directory} is in use by another process, which holds its lock")]
    Locked { directory: String },
    /// The caller passed more than a named limit. Nothing was written.
    #[error("{what} has {bytes} bytes, at most {bytes_max} are allowed")]
    TooLarge { what: &'static str, bytes: u64, bytes_max: u64 },
    /// No room is left on the device. Free some, or grow it.
    #[error("no space left on the device for {what}")]
    NoSpace { what: String },
    /// The log holds no entry at this index (purged, truncated or never appended).
    #[error("the log holds no entry at index {index}")]
    Missing { index: u64 },
    /// The call contradicts what the log holds: a gap, an overlap, a term or vote that goes back. A bug above.
    #[error("out of order: {why}")]
    OutOfOrder { why: String },
    /// The writer has stopped: closed, or failed before. Nothing was queued.
    #[error("the write-ahead log has stopped")]
    Stopped,
    /// The index over history and the files do not fit each other, and the files are sound. Rebuild the index.
    #[error("the index over history does not fit the files: {why}")]
    Unfit { why: String },
    /// The operating system refused. Whether a write took effect is not known.
    #[error("{what} failed")]
    Io { what: String, source: io::Error },
    /// sled refused. The marker of the cache that is on it is set: the next start moves it aside and begins empty.
    #[error("a cache on sled: {what} failed")]
    Sled { what: &'static str, source: sled::Error },
}

/// What the operator of a node with a damaged log does; the same words wherever it is refused.
pub(crate) const REMEDY_REJOIN: &str = "do not delete or edit it: remove this node from the cluster, \
     move its data directory away, and join again as a new member under a new node id";

/// What to do about a file that the other nodes hold as well.
pub(crate) const REMEDY_REFETCH: &str =
    "the other nodes hold the same data: move the file away and fetch it again, or rejoin as a new member";

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Corrupt { .. } | Error::Foreign { .. } => io::ErrorKind::InvalidData,
            Error::Locked { .. } => io::ErrorKind::WouldBlock,
            Error::TooLarge { .. } | Error::OutOfOrder { .. } => io::ErrorKind::InvalidInput,
            Error::NoSpace { .. } => io::ErrorKind::StorageFull,
            Error::Missing { .. } => io::ErrorKind::NotFound,
            Error::Stopped => io::ErrorKind::BrokenPipe,
            Error::Io { source, .. } => source.kind(),
            Error::Unfit { .. } | Error::Sled { .. } => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// Says what was being done when the system refused.
pub(crate) trait During<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace { what: what() },
            _ => Error::Io { what: what(), source },
        })
    }
}

/// Refuses what is larger than a named limit.
pub(crate) fn check_size(what: &'static str, bytes: u64, bytes_max: u64) -> Result<(), Error> {
    if bytes > bytes_max { Err(Error::TooLarge { what, bytes, bytes_max }) } else { Ok(()) }
}
