//! Why a run gave no result. A variant is what the caller tells its client: the text is the whole error line.

/// An error that a script makes by itself, or that one of its commands made, is a result and no [`Error`] if the script
/// returns it. Commands that ran before an error have run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no Lua.
    #[error("ERR Error compiling script (new function): {0}")]
    Compile(String),
    /// The line `#!` before it is none.
    #[error("ERR {0}")]
    Shebang(String),
    /// It raised an error and caught it not.
    #[error("{0}")]
    Raised(String),
    /// It was ended. Its machine is thrown away, and the next run has a new one.
    #[error("ERR script ended: {limit} script: {sha}")]
    Ended { limit: Limit, sha: String },
    /// Our own bug, told rather than hidden.
    #[error("ERR internal error in the script engine: {0}")]
    Internal(String),
}

/// What a script met. The figures are those of [`crate::Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    #[error("it took longer than it may")]
    Time,
    #[error("it made more steps than it may")]
    Steps,
    #[error("it needed more memory than it may")]
    Memory,
    #[error("it sent more commands than it may")]
    Requests,
    #[error("its result is larger than it may be")]
    ResultSize,
    #[error("its result is nested deeper than it may be")]
    ResultDepth,
}
