//! Bytes to requests and replies to bytes, in both versions of the protocol.
//!
//! Read in this order: [`decode`] (what a client sends), [`inline`] (the form that people type), [`encode`] (what
//! it gets).

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod inline;

/// The version of the protocol that a connection speaks: its replies differ, its requests do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

impl Protocol {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}
