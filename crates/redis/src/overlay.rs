//! Commands on copies of the keys that they name: what a script, or a transaction that reads and writes, does before the
//! log is asked to do the same.
//!
//! A key is copied when it is first named, and relied on from then on: the guards that are proposed with the actions say
//! that nothing has happened to it since. So the log does what was seen here, or nothing.
//!
//! It looks at the state only to copy, which is brief, and changes nothing but its copies.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use domain::{Action, Answer, Guard, Key, LogTime, NodeId, Scratch, Scripts, Serial, WallZero};

use crate::blocking::BlockingPop;
use crate::command::Kind;
use crate::edit::{Edit, Edited};
use crate::group::Look;
use crate::limits::{LISTING_BYTES_MAX, WALK_STEP_KEYS};
use crate::plan::{Plan, View, Walk};
use crate::transaction::Part;
use crate::{Error, Reply};

pub(crate) struct Overlay<'a, L> {
    reading: &'a L,
    /// Whether there is time left.
    in_time: &'a dyn Fn() -> bool,
    round: Round,
    scratch: Scratch,
    /// When each key was copied, and each database as a whole.
    copied: BTreeMap<Key, Serial>,
    databases: BTreeMap<u8, Serial>,
    written: BTreeSet<Key>,
    actions: Vec<Action>,
    /// Of all replies so far.
    reply_bytes: usize,
}

/// What the quorum round said about the group.
#[derive(Clone, Copy)]
struct Round {
    clock: LogTime,
    wall_zero: WallZero,
    leader: NodeId,
    term: u64,
    active: Option<NodeId>,
}

/// What the log is to be asked.
pub(crate) struct Effects {
    pub(crate) guards: Vec<Guard>,
    pub(crate) actions: Vec<Action>,
}

/// Why a run ends before its end; nothing that it did may count.
pub(crate) enum Stop {
    /// It may have more of it elsewhere.
    Time,
    Error(Error),
}

impl<'a, L: Look> Overlay<'a, L> {
    /// With these keys copied at one moment.
    pub(crate) fn new<'k>(
        reading: &'a L,
        in_time: &'a dyn Fn() -> bool,
        keys: impl Iterator<Item = &'k Key>,
    ) -> Self {
        let (scratch, round, copied) = reading.look(|view| {
            let mut scratch = Scratch::new(view.state, view.clock);
            let mut copied = BTreeMap::new();
            for key in keys {
                scratch.copy(key, view.state);
                copied.insert(key.clone(), view.state.serial());
            }
            let View { clock, wall_zero, leader, term, active, .. } = *view;
            (scratch, Round { clock, wall_zero, leader, term, active }, copied)
        });
        Self {
            reading,
            in_time,
            round,
            scratch,
            copied,
            databases: BTreeMap::new(),
            written: BTreeSet::new(),
            actions: Vec::new(),
            reply_bytes: 0,
        }
    }

    /// What it was all done in view of, and what it comes to.
    pub(crate) fn effects(self) -> Effects {
        let Self { copied, databases, actions, .. } = self;
        let keys = copied.into_iter().filter(|(key, _)| !databases.contains_key(&key.database));
        let keys = keys.map(|(key, as_of)| Guard::Key { key, as_of });
        let all =
            databases.iter().map(|(database, as_of)| Guard::Database { database: *database, as_of: *as_of });
        Effects { guards: keys.chain(all).collect(), actions }
    }

    pub(crate) fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Looks at copies, and edits them; `None`: there is nothing to look at.
    pub(crate) fn look_at(&mut self, part: &Part) -> Result<Option<Reply>, Stop> {
        let reply = match &part.plan {
            Plan::Read(on_view) => match part.spec().kind {
                // It tells of the node and of all keys, which are not here, or of scripts, which are.
                Kind::Server => {
                    self.reading.look(|view| on_view(Ok(&View { scripts: self.scripts(), ..*view })))
                }
                Kind::Listing | Kind::Script => {
                    self.copy_all(part.database)?;
                    on_view(Ok(&self.view()))
                }
                _ if self.tells_a_new_token(part) => Error::TokenNotKnown.into(),
                _ => {
                    self.copy(part.keys.iter());
                    on_view(Ok(&self.view()))
                }
            },
            Plan::Walk(walk) => {
                self.copy_all(part.database)?;
                self.walk(walk.clone())?
            }
            Plan::BlockingPop(pop) => self.pop(pop)?,
            Plan::Edit(edit) => self.edit(edit)?,
            Plan::Local(_)
            | Plan::Write { .. }
            | Plan::Script(_)
            | Plan::Loading(_)
            | Plan::Transaction(_)
            | Plan::Subscription { .. } => return Ok(None),
        };
        self.count(&reply)?;
        Ok(Some(reply))
    }

    /// Without waiting.
    fn pop(&mut self, pop: &BlockingPop) -> Result<Reply, Stop> {
        self.copy(pop.keys.iter());
        let (key, action) = match pop.look(&self.view()) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Reply::NullArray),
            Err(error) => return Ok(error.into()),
        };
        let answers = self.write(&[action])?;
        let reply = answers.first().map_or(Ok(None), |answer| pop.reply(&key, answer));
        Ok(reply.map(|reply| reply.unwrap_or(Reply::NullArray)).into())
    }

    fn edit(&mut self, edit: &Edit) -> Result<Reply, Stop> {
        self.copy(std::iter::once(&edit.key));
        let Edited { write, reply } = match edit.of(self.view().value(&edit.key)) {
            Ok(edited) => edited,
            Err(error) => return Ok(error.into()),
        };
        let answers = self.write(write.as_slice())?;
        Ok(edit.told(&answers, reply).into())
    }

    /// Writes copies.
    pub(crate) fn write(&mut self, actions: &[Action]) -> Result<Vec<Answer>, Stop> {
        let mut answers = Vec::with_capacity(actions.len());
        for action in actions {
            let mut action = action.clone();
            action.resolve_wall_clock(self.round.wall_zero.wall_ms(self.round.clock));
            self.copy(action.changes());
            self.written.extend(action.changes().cloned());
            if let Action::Flush { database, .. } = &action {
                for one in 0..domain::limits::DATABASES {
                    if database.is_none_or(|database| database == one) {
                        self.copy_all(one)?;
                    }
                }
            }
            answers.push(self.scratch.run(action.clone()));
            self.actions.push(action);
        }
        Ok(answers)
    }

    /// Holds replies to their limit: they are all in memory before the first of them leaves.
    pub(crate) fn count(&mut self, reply: &Reply) -> Result<(), Stop> {
        self.reply_bytes += reply.bytes();
        if self.reply_bytes > LISTING_BYTES_MAX { Err(Stop::Error(Error::RepliesTooLong)) } else { Ok(()) }
    }

    /// The token that a write makes here is not the one that it makes in the log.
    fn tells_a_new_token(&self, part: &Part) -> bool {
        part.spec().name.starts_with("lease.") && part.keys.iter().any(|key| self.written.contains(key))
    }

    fn view(&self) -> View<'_> {
        let Round { clock, wall_zero, leader, term, active } = self.round;
        let state = self.scratch.state();
        View { state, scripts: state.scripts(), clock, wall_zero, leader, term, active }
    }

    /// Those that are loaded, as what was done here leaves them.
    pub(crate) fn scripts(&self) -> &Scripts {
        self.scratch.state().scripts()
    }

    fn walk(&self, mut walk: Walk) -> Result<Reply, Stop> {
        loop {
            self.go_on()?;
            let ahead = walk.ahead(&self.view());
            walk = match walk.go(ahead) {
                Ok(walk) => walk,
                Err(reply) => return Ok(reply),
            };
        }
    }

    pub(crate) fn go_on(&self) -> Result<(), Stop> {
        if (self.in_time)() { Ok(()) } else { Err(Stop::Time) }
    }

    pub(crate) fn copy<'k>(&mut self, keys: impl Iterator<Item = &'k Key>) {
        let is_new =
            |key: &&Key| !self.copied.contains_key(*key) && !self.databases.contains_key(&key.database);
        let new: Vec<&Key> = keys.filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let (scratch, copied) = (&mut self.scratch, &mut self.copied);
        self.reading.look(|view| {
            for key in new {
                scratch.copy(key, view.state);
                copied.insert(key.clone(), view.state.serial());
            }
        });
    }

    /// Copies the rest of a database, in steps; the first look at it counts for all of it. What was copied before keeps
    /// its copy.
    fn copy_all(&mut self, database: u8) -> Result<(), Stop> {
        if self.databases.contains_key(&database) {
            return Ok(());
        }
        let copied = std::mem::take(&mut self.copied);
        let (of_it, of_others): (BTreeMap<_, _>, _) =
            copied.into_iter().partition(|(key, _)| key.database == database);
        self.copied = of_others;
        let mut as_of = of_it.values().min().copied();
        let mut last: Option<Key> = None;
        loop {
            self.go_on()?;
            let scratch = &mut self.scratch;
            let (serial, step) = self.reading.look(|view| {
                let from = last.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(&key.name[..]));
                let step: Vec<Key> = view
                    .state
                    .keys_from(database, from)
                    .take(WALK_STEP_KEYS)
                    .map(|(key, _)| key.clone())
                    .collect();
                step.iter()
                    .filter(|key| !of_it.contains_key(key))
                    .for_each(|key| scratch.copy(key, view.state));
                (view.state.serial(), step)
            });
            as_of.get_or_insert(serial);
            let is_last = step.len() < WALK_STEP_KEYS;
            last = step.into_iter().next_back();
            if is_last {
                break;
            }
        }
        self.databases.insert(database, as_of.expect("there was a look at least"));
        Ok(())
    }
}
