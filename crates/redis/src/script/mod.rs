//! Lock scripts, recognised by what they mean: they need no engine, no copies and no second attempt.
//!
//! Every lock library brings its own spelling of the same two ideas: *delete this key if its value is mine* and *give
//! it a new end if its value is mine*. Comparing their texts or hashes would miss the next spelling. So a script is read
//! into a small part of Lua and evaluated once for
//! each case that its key can be in: absent, holding the value that the script compares with, holding another one,
//! with and without an end. What it does in all of these cases is compared with what the actions of [`domain`] do;
//! if one does the same, that action is proposed, and the script is that action. If none does, the script is run
//! ([`crate::evaluation`]): nothing is ever approximated.
//!
//! A script that writes in none of the cases is evaluated once more, against the key as it is.
//!
//! Read in this order: [`lexer`], [`parser`] (text to a tree), [`world`] (a key in one of its cases, and the commands
//! that a script may send to it), [`evaluate`], [`meaning`], [`cache`].

mod cache;
mod evaluate;
mod lexer;
mod meaning;
mod parser;
#[cfg(test)]
mod spellings;
mod value;
mod world;

pub(crate) use cache::{Cache, Meaning, Script};
pub(crate) use meaning::{Site, plan};

use bytes::Bytes;

/// What a script is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) keys: Vec<Bytes>,
    pub(crate) arguments: Vec<Bytes>,
}

/// Why a script cannot be one of the actions, in words that its author understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) String);

impl Unsupported {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
