//! What can go wrong, by what the caller does next.

use domain::NodeId;

/// A proposal without an outcome. Everything but [`ProposeError::Unknown`] was certainly not executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    #[error("no leader was reachable in time; the command was not executed")]
    NoQuorum,
    #[error("the outcome is unknown: the command was proposed, and whether it was executed cannot be told")]
    Unknown,
    #[error("too many commands are waiting ({0}); the command was not executed")]
    Overloaded(&'static str),
    #[error("the disk is almost full: only commands that free something are accepted")]
    DiskLow,
    #[error("this node's state differs from that of the majority; it is out of service")]
    OutOfService,
    #[error("the command is larger than {} bytes", crate::limits::BATCH_BYTES_MAX)]
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("no leader could prove in time that it leads")]
    NoQuorum,
    #[error("this node's state differs from that of the majority; it is out of service")]
    OutOfService,
    #[error("too many reads are waiting")]
    Overloaded,
}

/// An operator's change of the group that was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    #[error("no leader was reachable in time")]
    NoQuorum,
    #[error("node {0} is not a member of this group")]
    NotFound(NodeId),
    #[error("{0}")]
    Refused(String),
    #[error(
        "what became of the change is unknown; `tenure member list` and `tenure status` show how things are"
    )]
    Unknown,
}

/// A node that cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the settings do not fit each other: {0}")]
    Options(String),
    #[error("the data directory cannot be used")]
    Store(#[from] store::Error),
    #[error(
        "the data directory belongs to node {found}, but this node's file says node {configured}: use the directory of node {configured}, or correct `node.id`"
    )]
    ForeignNode { found: NodeId, configured: NodeId },
    #[error(
        "the data directory has the identity of node {node} but no log: it is lost, and with it the votes that \
         this node gave; remove node {node} from the group and add a new member"
    )]
    LogLost { node: NodeId },
    #[error("Raft did not start: {0}")]
    Raft(String),
}
