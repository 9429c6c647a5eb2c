//! What may be asked of [`State`](crate::State).
//!
//! Everything random or temporal is inside the command, put there before it is proposed: `apply` has neither a
//! clock nor a die.

use std::sync::Arc;

use crate::limits::TEXT_BYTES_MAX;
use crate::orders::command::OrderAction;
use crate::trading::command::TradingAction;
use crate::{Alteration, Cause, Guard, Key, LogTime, NodeId, Published, Refusal, Script, Tenure, Token};

/// One command. With [`Once`], however often it reaches the log it runs once; without, it must be harmless to
/// repeat (ticks, checkpoints, digest reports).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub once: Option<Once>,
    pub action: Action,
}

impl Command {
    /// A command that repeats harmlessly.
    pub fn harmless(action: Action) -> Self {
        Self { once: None, action }
    }
}

/// The name under which a command runs at most once, and the instant after which it no longer runs at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    pub id: RequestId,
    /// Set by the node that the command entered at: its applied log time plus
    /// [`limits::VALID_MS`](crate::limits::VALID_MS).
    pub valid_until: LogTime,
}

/// Who named a command, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestId {
    /// Sixteen bytes that a client chose; it may repeat them for 30 s after its first sending.
    Client([u8; 16]),
    /// A node's own: the random number of its present life, and a count.
    Node { incarnation: u64, sequence: u64 },
}

/// The instruction itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only moves time: the stamp of its entry ends what is due.
    Tick,

    /// Write one key.
    Set { key: Key, value: Arc<[u8]>, condition: SetCondition, expiry: Expiry, previous: bool },
    /// Write several keys of one database, all or (with `if_none_exist`) none. Ends are removed, as `MSET` does.
    SetMany { pairs: Vec<(Key, Arc<[u8]>)>, if_none_exist: bool },
    /// Remove keys; with `holder`, each only if its value is that.
    Remove { keys: Vec<Key>, holder: Option<Arc<[u8]>> },
    /// Remove one key and answer its value.
    Take { key: Key },
    /// Change the end of a key, if it exists, `holder` (when given) is its value, and `condition` holds.
    Expire { key: Key, expiry: Expiry, condition: ExpireCondition, holder: Option<Arc<[u8]>> },
    /// Change the end of a key and answer its value.
    Touch { key: Key, expiry: Expiry },
    /// Add to a value that is a decimal integer; an absent key counts as 0.
    Increment { key: Key, by: i64 },
    /// Give `to` what `from` holds, with its end; with `moves`, `from` is gone then, and must have been there. With
    /// `if_absent`, only if there is no `to`.
    Copy { from: Key, to: Key, if_absent: bool, moves: bool },
    /// Change the elements of a hash, a list, a set or a sorted set.
    Alter { key: Key, alteration: Alteration },
    /// Remove every key of one database, or of all.
    Flush { database: Option<u8>, audit: Box<Audit> },

    /// Take a lease if it is free; with `take_over`, also if the same holder has it, under a new token.
    Acquire { key: Key, holder: Arc<[u8]>, ttl_ms: u64, take_over: bool },
    /// Lengthen a lease that `holder` (and, when given, `token`) still has, by its last length unless `ttl_ms`.
    Renew { key: Key, holder: Arc<[u8]>, token: Option<Token>, ttl_ms: Option<u64> },
    /// End a lease that `holder` (and, when given, `token`) still has.
    Release { key: Key, holder: Arc<[u8]>, token: Option<Token> },

    /// Send a message to whoever has subscribed to the channel, on every node, in the order of the log. Nothing of it is
    /// kept.
    Publish(Published),

    /// Keep a script for whoever names it. One that is there stays there.
    LoadScript(Script),
    /// Forget all scripts that were loaded.
    FlushScripts,

    /// Run these as one command, in this order, if all guards hold; otherwise none of them. Each takes a serial of its
    /// own, and one that is refused does not undo the others. What they may be: [`Action::may_be_a_part`].
    Transaction { guards: Vec<Guard>, actions: Vec<Action> },

    /// Something asked or said of an order.
    Order(Box<OrderAction>),
    /// Something asked of who may trade.
    Trading(Box<TradingAction>),

    /// The group as Raft's membership entry says; put here by the node itself when it applies that entry.
    Members { voters: Vec<NodeId>, learners: Vec<NodeId> },
    /// Reserve the id of a future member; it is this command's serial.
    ReserveNode { audit: Box<Audit> },
    /// The record of tenure of a term: the elected node is ready to act.
    RecordTenure(Box<Tenure>),
    /// Every node notes its digest as of here.
    Checkpoint,
    /// What a node's digest was at a checkpoint.
    ReportDigest { node: NodeId, checkpoint: u64, digest: u128 },
    /// Only adds to the audit history.
    Audit(Box<Audit>),
}

/// Who did what and why, for the audit history. Wall time is for people: it decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    pub wall_ms: i64,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub reason: String,
}

impl Audit {
    /// Each of its texts has a limit.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let texts = [&self.actor, &self.action, &self.subject, &self.reason];
        if texts.iter().all(|text| text.len() <= TEXT_BYTES_MAX) { Ok(()) } else { Err(Refusal::TooLarge) }
    }

    /// The bytes of its texts.
    pub fn bytes(&self) -> usize {
        self.actor.len() + self.action.len() + self.subject.len() + self.reason.len()
    }
}

/// When [`Action::Set`] writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetCondition {
    Always,
    /// `NX`
    IfAbsent,
    /// `XX`
    IfPresent,
    /// `IFEQ`: present with this value.
    IfEqual(Arc<[u8]>),
    /// `IFNE`: absent, or present with another value.
    IfNotEqual(Arc<[u8]>),
}

/// The end that a key gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// `KEEPTTL`: whatever it has.
    Keep,
    /// None.
    Never,
    /// This many milliseconds from the stamp; at or below zero the key ends now.
    InMs(i64),
    /// The present end plus this many milliseconds.
    LaterByMs(i64),
    /// A wall-clock instant in milliseconds since 1970. The leader turns it into [`Expiry::InMs`] when the
    /// command arrives; one that reaches `apply` is refused.
    AtWallMs(i64),
}

/// When [`Action::Expire`] acts on a key that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireCondition {
    Always,
    /// `NX`: it has no end.
    HasNoEnd,
    /// `XX`: it has one.
    HasEnd,
    /// `GT`: the new end is later; no end counts as infinitely late.
    Later,
    /// `LT`: the new end is earlier.
    Earlier,
    /// `XX` and `GT`.
    HasEndAndLater,
    /// `XX` and `LT`.
    HasEndAndEarlier,
}

impl Action {
    /// Turns ends given as wall-clock instants into lengths, by the leader's wall clock.
    pub fn resolve_wall_clock(&mut self, wall_ms: i64) {
        match self {
            Self::Transaction { actions, .. } => {
                actions.iter_mut().for_each(|action| action.resolve_wall_clock(wall_ms));
            }
            Self::Order(action) => action.resolve_wall_clock(wall_ms),
            _ => {}
        }
        if let Self::Set { expiry, .. } | Self::Expire { expiry, .. } | Self::Touch { expiry, .. } = self
            && let Expiry::AtWallMs(at_ms) = *expiry
        {
            *expiry = Expiry::InMs(at_ms.saturating_sub(wall_ms));
        }
    }

    /// Whether it acts on keys, scripts or orders or publishes, as the parts of a transaction must.
    pub fn may_be_a_part(&self) -> bool {
        match self {
            Self::Set { .. }
            | Self::SetMany { .. }
            | Self::Remove { .. }
            | Self::Take { .. }
            | Self::Expire { .. }
            | Self::Touch { .. }
            | Self::Increment { .. }
            | Self::Copy { .. }
            | Self::Alter { .. }
            | Self::Flush { .. }
            | Self::Acquire { .. }
            | Self::Renew { .. }
            | Self::Release { .. }
            | Self::Publish(_)
            | Self::LoadScript(_)
            | Self::FlushScripts
            | Self::Order(_) => true,
            Self::Transaction { .. }
            | Self::Trading(_)
            | Self::Tick
            | Self::Members { .. }
            | Self::ReserveNode { .. }
            | Self::RecordTenure(_)
            | Self::Checkpoint
            | Self::ReportDigest { .. }
            | Self::Audit(_) => false,
        }
    }

    /// It switches trading off, or to a mode that allows less than all of it: nothing may hold it up.
    pub fn stops(&self) -> bool {
        matches!(self, Self::Trading(trading) if trading.stops())
    }

    /// The keys that it may make present.
    pub fn makes(&self) -> impl Iterator<Item = &Key> {
        let (one, many) = match self {
            Self::Set { key, .. }
            | Self::Increment { key, .. }
            | Self::Copy { to: key, .. }
            | Self::Acquire { key, .. } => (Some(key), &[][..]),
            Self::Alter { key, alteration } if alteration.makes() => (Some(key), &[][..]),
            Self::SetMany { pairs, .. } => (None, &pairs[..]),
            _ => (None, &[][..]),
        };
        one.into_iter().chain(many.iter().map(|(key, _)| key))
    }

    /// The values that it may write, by their lengths.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&Key, usize)> {
        let (one, pairs) = match self {
            Self::Set { key, value, .. } | Self::Acquire { key, holder: value, .. } => {
                (Some((key, value.len())), &[][..])
            }
            // The longest integer.
            Self::Increment { key, .. } => (Some((key, 20)), &[][..]),
            Self::SetMany { pairs, .. } => (None, &pairs[..]),
            _ => (None, &[][..]),
        };
        one.into_iter().chain(pairs.iter().map(|(key, value)| (key, value.len())))
    }

    /// The key whose value, or holder, it may tell.
    pub(crate) fn tells(&self) -> Option<&Key> {
        match self {
            Self::Set { key, previous: true, .. }
            | Self::Take { key }
            | Self::Touch { key, .. }
            | Self::Acquire { key, .. }
            | Self::Renew { key, .. }
            | Self::Release { key, .. } => Some(key),
            _ => None,
        }
    }

    /// The keys that it may change, but for those of [`Action::Flush`], which names none.
    pub fn changes(&self) -> impl Iterator<Item = &Key> {
        let (named, pairs, keys) = match self {
            Self::Copy { from, to, .. } => ([Some(from), Some(to)], &[][..], &[][..]),
            Self::Set { key, .. }
            | Self::Take { key }
            | Self::Expire { key, .. }
            | Self::Touch { key, .. }
            | Self::Increment { key, .. }
            | Self::Alter { key, .. }
            | Self::Acquire { key, .. }
            | Self::Renew { key, .. }
            | Self::Release { key, .. } => ([Some(key), None], &[][..], &[][..]),
            Self::SetMany { pairs, .. } => ([None, None], &pairs[..], &[][..]),
            Self::Remove { keys, .. } => ([None, None], &[][..], &keys[..]),
            _ => ([None, None], &[][..], &[][..]),
        };
        named.into_iter().flatten().chain(pairs.iter().map(|(key, _)| key)).chain(keys)
    }

    /// Whether somebody asked for it, or anything but the passing of time and the comparing of digests happened.
    pub fn is_activity(&self) -> bool {
        !matches!(self, Self::Tick | Self::Checkpoint | Self::ReportDigest { .. })
    }

    /// Whether this frees rather than fills: still accepted when the disk runs low.
    pub fn frees(&self) -> bool {
        if let Self::Transaction { actions, .. } = self {
            // Whoever releases a lock may tell those who wait for it.
            let is_message = |action: &Self| matches!(action, Self::Publish(_));
            let is_all_messages = !actions.is_empty() && actions.iter().all(is_message);
            return !is_all_messages && actions.iter().all(|action| action.frees() || is_message(action));
        }
        match self {
            Self::Alter { alteration, .. } => return alteration.frees(),
            Self::Order(action) => return action.frees(),
            Self::Trading(action) => return action.frees(),
            _ => {}
        }
        matches!(
            self,
            Self::Tick
                | Self::Remove { .. }
                | Self::Take { .. }
                | Self::Release { .. }
                | Self::Flush { .. }
                | Self::FlushScripts
                | Self::Members { .. }
                | Self::RecordTenure(_)
                | Self::Checkpoint
                | Self::ReportDigest { .. }
        )
    }
}

impl Tenure {
    /// The command that records this tenure.
    pub fn into_command(self) -> Command {
        Command::harmless(Action::RecordTenure(Box::new(self)))
    }
}

impl Cause {
    pub const ALL: [Self; 5] = [Self::Start, Self::Crash, Self::Timeout, Self::Transfer, Self::Drain];
}

impl Action {
    /// The bytes of the variable parts: keys, values, texts.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Set { key, value, condition, .. } => {
                let operand = match condition {
                    SetCondition::IfEqual(value) | SetCondition::IfNotEqual(value) => value.len(),
                    SetCondition::Always | SetCondition::IfAbsent | SetCondition::IfPresent => 0,
                };
                key.name.len() + value.len() + operand
            }
            Self::SetMany { pairs, .. } => {
                pairs.iter().map(|(key, value)| 16 + key.name.len() + value.len()).sum()
            }
            Self::Remove { keys, holder } => {
                keys.iter().map(|key| 16 + key.name.len()).sum::<usize>()
                    + holder.as_ref().map_or(0, |h| h.len())
            }
            Self::Expire { key, holder, .. } => key.name.len() + holder.as_ref().map_or(0, |h| h.len()),
            Self::Take { key } | Self::Touch { key, .. } | Self::Increment { key, .. } => key.name.len(),
            Self::Copy { from, to, .. } => from.name.len() + to.name.len(),
            Self::Alter { key, alteration } => key.name.len() + alteration.bytes(),
            Self::Acquire { key, holder, .. }
            | Self::Renew { key, holder, .. }
            | Self::Release { key, holder, .. } => key.name.len() + holder.len(),
            Self::Publish(Published { channel, message, .. }) => channel.len() + message.len(),
            Self::LoadScript(script) => script.source().len(),
            Self::Transaction { guards, actions } => {
                guards.iter().map(Guard::bytes).sum::<usize>()
                    + actions.iter().map(|action| 64 + action.bytes()).sum::<usize>()
            }
            Self::Flush { audit, .. } | Self::ReserveNode { audit } | Self::Audit(audit) => audit.bytes(),
            Self::Order(action) => action.bytes(),
            Self::Trading(action) => action.bytes(),
            Self::Tick
            | Self::FlushScripts
            | Self::Members { .. }
            | Self::RecordTenure(_)
            | Self::Checkpoint
            | Self::ReportDigest { .. } => 0,
        }
    }
}
