//! What `domain` promises: as scripts that people can read, for every field of the digest, for everything that may
//! be wrong with a command, and for random logs.

mod digest;
mod log;
mod properties;
mod refusals;
mod scripts;
mod words;
