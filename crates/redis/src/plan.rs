//! What has to be done to answer a request: the pure half of this edge ends here.

use std::ops::Bound;
use std::sync::Arc;

use domain::{
    Action, Alteration, Answer, Entry, Hash, Key, Kind, List, LogTime, NodeId, Refusal, Scripts, Set,
    SortedSet, State, Summed, Value, WallZero,
};

use crate::blocking::BlockingPop;
use crate::clients::Client;
use crate::edit::Edit;
use crate::evaluation::Evaluation;
use crate::limits::{WALK_STEP_BYTES, WALK_STEP_KEYS};
use crate::loading::Loading;
use crate::pubsub::hub::Registry;
use crate::transaction::Transaction;
use crate::{Error, Failure, Reply};

/// How a request will be answered. A reply is made from what the group said, and from nothing else.
pub(crate) enum Plan {
    /// At once.
    Local(Reply),
    /// Propose these, in this order; the reply is made of as many results.
    Write { actions: Vec<Action>, reply: OnAnswers },
    /// Look at the state after a quorum round, or learn why that cannot be.
    Read(OnView),
    /// Look at every key of a database.
    Walk(Walk),
    /// Take an element of a list when there is one.
    BlockingPop(BlockingPop),
    /// Look at a value, and propose another.
    Edit(Edit),
    /// Run a script.
    Script(Box<Evaluation>),
    /// Load a script for every node, or forget all.
    Loading(Loading),
    /// Do all that was queued.
    Transaction(Transaction),
    /// Change who has subscribed to what, or ask. What begins here is told of all that is decided after it is
    /// acknowledged, and of nothing that was known to be decided before it was asked for.
    Subscription { begins: bool, client: Arc<Client>, ask: OnRegistry },
}

pub(crate) type OnAnswers = Box<dyn FnOnce(Vec<Result<Answer, Failure>>) -> Reply + Send + Sync>;
pub(crate) type OnRegistry = Box<dyn FnOnce(&mut Registry) -> Reply + Send + Sync>;
/// More than once where a transaction begins anew.
pub(crate) type OnView = Box<dyn Fn(Result<&View<'_>, Failure>) -> Reply + Send + Sync>;

impl Plan {
    pub(crate) fn ok() -> Self {
        Self::Local(Reply::OK)
    }

    /// One action. `reply` knows the answers that `command` can get and says `None` to any other, and to refusals of
    /// which it knows no more than the rest.
    pub(crate) fn write(
        command: &'static str,
        action: Action,
        reply: impl FnOnce(&Answer) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let reply = move |mut results: Vec<Result<Answer, Failure>>| match results.pop() {
            Some(Ok(answer)) => reply(&answer).unwrap_or_else(|| match answer {
                Answer::Refused(refusal) => Error::refused(command, refusal).into(),
                answer => Error::unexpected(command, &answer).into(),
            }),
            Some(Err(failure)) => Error::from(failure).into(),
            None => Error::OutcomeUnknown.into(),
        };
        Self::Write { actions: vec![action], reply: Box::new(reply) }
    }

    /// A change of a key's elements.
    pub(crate) fn alter(
        command: &'static str,
        key: Key,
        alteration: Alteration,
        reply: impl FnOnce(&Answer) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let reply = |answer: &Answer| match answer {
            Answer::Refused(Refusal::TooLarge) => Some(Error::CollectionTooLarge.into()),
            answer => reply(answer),
        };
        Self::write(command, Action::Alter { key, alteration }, reply)
    }

    pub(crate) fn read<R: Into<Reply>>(look: impl Fn(&View<'_>) -> R + Send + Sync + 'static) -> Self {
        Self::Read(Box::new(move |view| match view {
            Ok(view) => look(view).into(),
            Err(failure) => Error::from(failure).into(),
        }))
    }
}

/// The state as a quorum round proved it, and what the round said about the group.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub state: &'a State,
    /// Those that clients have loaded.
    pub scripts: &'a Scripts,
    /// The log clock by which remaining times are told.
    pub clock: LogTime,
    /// By which instants are told.
    pub wall_zero: WallZero,
    pub leader: NodeId,
    pub term: u64,
    /// The node that has tenure in this term.
    pub active: Option<NodeId>,
}

/// A walk over the names of a database, in their order and in steps between which others get their turn: a look at all
/// of them would hold up `apply` for as long as it takes. It is no snapshot: what comes or goes meanwhile may be met or
/// not, and what stays is met once.
#[derive(Clone)]
pub(crate) struct Walk {
    database: u8,
    last: Option<Arc<[u8]>>,
    visitor: Box<dyn Visitor>,
}

/// What a walk is for.
pub(crate) trait Visitor: Send + Sync {
    /// Meets the next name, and what kind of value it has; false: it has seen enough.
    fn meet(&mut self, name: Arc<[u8]>, kind: Kind) -> bool;

    fn reply(self: Box<Self>) -> Reply;

    /// As it is now, to go elsewhere.
    fn boxed(&self) -> Box<dyn Visitor>;
}

impl Clone for Box<dyn Visitor> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// One step of a walk.
pub(crate) struct Ahead {
    pub(crate) names: Vec<(Arc<[u8]>, Kind)>,
    /// There were no more when it was looked. A walk that looked once more would never end while keys are written
    /// whose names ascend.
    is_last: bool,
}

impl Walk {
    pub(crate) fn new(database: u8, visitor: impl Visitor + 'static) -> Self {
        Self { database, last: None, visitor: Box::new(visitor) }
    }

    /// The next step: all that is done while the state is held.
    pub(crate) fn ahead(&self, view: &View<'_>) -> Ahead {
        let from = self.last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut names = Vec::new();
        let mut bytes = 0;
        for (key, entry) in view.state.keys_from(self.database, from) {
            if names.len() >= WALK_STEP_KEYS || bytes >= WALK_STEP_BYTES {
                return Ahead { names, is_last: false };
            }
            bytes += key.name.len();
            names.push((key.name.clone(), entry.value.kind()));
        }
        Ahead { names, is_last: true }
    }

    /// Goes on by one step, or ends with the reply.
    pub(crate) fn go(mut self, ahead: Ahead) -> Result<Self, Reply> {
        let Ahead { names, is_last } = ahead;
        self.last = names.last().map(|(name, _)| name.clone());
        let more = names.into_iter().all(|(name, kind)| self.visitor.meet(name, kind)) && !is_last;
        if more { Ok(self) } else { Err(self.visitor.reply()) }
    }
}

/// Names under which the group tells about itself: to be read like keys, never written, never listed.
pub(crate) const VIRTUAL_PREFIX: &[u8] = b"tenure:";

impl View<'_> {
    pub(crate) fn entry(&self, key: &Key) -> Option<&Entry> {
        self.state.get(key)
    }

    /// What a key holds, real or virtual.
    pub(crate) fn value(&self, key: &Key) -> Option<Value> {
        if key.name.starts_with(VIRTUAL_PREFIX) {
            return self.virtual_value(&key.name).map(Value::String);
        }
        self.entry(key).map(|entry| entry.value.clone())
    }

    pub(crate) fn string(&self, key: &Key) -> Result<Option<Arc<[u8]>>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string)),
            Some(_) => Err(Error::WrongKind),
        }
    }

    /// The fields of a hash: none of an absent key.
    pub(crate) fn hash(&self, key: &Key) -> Result<Arc<Summed<Hash>>, Error> {
        match self.value(key) {
            None => Ok(Arc::default()),
            Some(Value::Hash(hash)) => Ok(hash),
            Some(_) => Err(Error::WrongKind),
        }
    }

    pub(crate) fn list(&self, key: &Key) -> Result<Arc<Summed<List>>, Error> {
        match self.value(key) {
            None => Ok(Arc::default()),
            Some(Value::List(list)) => Ok(list),
            Some(_) => Err(Error::WrongKind),
        }
    }

    pub(crate) fn set(&self, key: &Key) -> Result<Arc<Summed<Set>>, Error> {
        match self.value(key) {
            None => Ok(Arc::default()),
            Some(Value::Set(set)) => Ok(set),
            Some(_) => Err(Error::WrongKind),
        }
    }

    pub(crate) fn sorted_set(&self, key: &Key) -> Result<Arc<Summed<SortedSet>>, Error> {
        match self.value(key) {
            None => Ok(Arc::default()),
            Some(Value::SortedSet(set)) => Ok(set),
            Some(_) => Err(Error::WrongKind),
        }
    }

    pub(crate) fn exists(&self, key: &Key) -> bool {
        self.kind(key).is_some()
    }

    pub(crate) fn kind(&self, key: &Key) -> Option<Kind> {
        self.value(key).map(|value| value.kind())
    }

    /// What is left of a key in milliseconds: `None` if it is absent, `Some(None)` if it has no end. A key that
    /// the log has not ended has at least 1 ms.
    pub(crate) fn remaining_ms(&self, key: &Key) -> Option<Option<u64>> {
        match self.entry(key) {
            Some(entry) => Some(entry.remaining_ms(self.clock)),
            None => self.exists(key).then_some(None),
        }
    }

    /// When a key ends, in milliseconds since 1970: as for [`Self::remaining_ms`].
    pub(crate) fn end_ms(&self, key: &Key) -> Option<Option<i64>> {
        match self.entry(key) {
            Some(entry) => Some(entry.end.map(|end| self.wall_zero.wall_ms(end))),
            None => self.exists(key).then_some(None),
        }
    }

    fn virtual_value(&self, name: &[u8]) -> Option<Arc<[u8]>> {
        match name.strip_prefix(VIRTUAL_PREFIX)? {
            b"leader" => Some(self.leader.to_string().into_bytes().into()),
            _ => None,
        }
    }
}
