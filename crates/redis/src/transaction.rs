//! `MULTI` to `EXEC`: what was queued, done as one command.
//!
//! What only writes is proposed as it is. What only reads is one look at the state. What does both, and scripts, run on
//! copies first ([`Overlay`]), and the log checks that nothing has happened to what was read; otherwise it begins anew.
//! `WATCH` is nothing but such a guard, of which the look was earlier.
//!
//! It never waits with the state in its hands, and it never tells of a write but what the log answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::limits::{TRANSACTION_ACTIONS_MAX, TRANSACTION_GUARDS_MAX};
use domain::{Action, Answer, Guard, Key, Refusal, Serial};
use lua::Engine;
use parking_lot::Mutex;

use crate::command::{COMMANDS, Spec};
use crate::group::{Group, Look};
use crate::limits::{QUEUE_BYTES_MAX, QUEUE_REQUESTS_MAX, TRANSACTION_ATTEMPTS_MAX};
use crate::metrics::Count;
use crate::node::Node;
use crate::overlay::{Effects, Overlay, Stop};
use crate::plan::Plan;
use crate::request::Arguments;
use crate::turns::Turn;
use crate::{Error, Reply};

/// What an argument takes, besides its bytes.
const ARGUMENT_BYTES: usize = 32;

/// What `MULTI` has queued.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// The place in the table of commands, and the arguments.
    pub(crate) requests: Vec<(usize, Vec<Bytes>)>,
    bytes: usize,
    /// A request could not be queued; `EXEC` will do nothing.
    pub(crate) broken: bool,
}

impl Queue {
    pub(crate) fn push(&mut self, place: usize, arguments: Arguments) -> Result<Plan, Error> {
        let arguments: Vec<Bytes> = arguments.into_iter().collect();
        self.bytes += arguments.iter().map(|argument| ARGUMENT_BYTES + argument.len()).sum::<usize>();
        if self.requests.len() >= QUEUE_REQUESTS_MAX || self.bytes > QUEUE_BYTES_MAX {
            // What has been queued is of no use any more.
            *self = Self { broken: true, ..Self::default() };
            return Err(Error::TransactionTooLong);
        }
        self.requests.push((place, arguments));
        Ok(Plan::Local(Reply::Simple("QUEUED".into())))
    }
}

/// What `WATCH` has looked at since the last `EXEC`. Shared with the plans that fill it: they are carried out after the
/// requests behind them have been understood.
pub(crate) type Watched = Arc<Mutex<Watch>>;

#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// When each key was first looked at.
    keys: BTreeMap<Key, Serial>,
    /// A look could not be had: `EXEC` must do nothing.
    pub(crate) failed: bool,
}

impl Watch {
    pub(crate) fn add(&mut self, keys: &[Key], as_of: Serial) -> Result<(), Error> {
        for key in keys {
            self.keys.entry(key.clone()).or_insert(as_of);
        }
        self.failed |= self.keys.len() > TRANSACTION_GUARDS_MAX;
        if self.failed { Err(Error::TooManyKeys) } else { Ok(()) }
    }

    fn guards(self) -> Vec<Guard> {
        self.keys.into_iter().map(|(key, as_of)| Guard::Key { key, as_of }).collect()
    }
}

/// A transaction whose requests are understood.
pub(crate) struct Transaction {
    pub(crate) watched: Watched,
    pub(crate) parts: Vec<Part>,
}

pub(crate) struct Part {
    /// The place of its command in the table.
    pub(crate) command: usize,
    pub(crate) database: u8,
    /// The keys among its arguments.
    pub(crate) keys: Vec<Key>,
    pub(crate) plan: Plan,
}

impl Part {
    pub(crate) fn spec(&self) -> &'static Spec {
        &COMMANDS.0[self.command]
    }

    fn looks(&self) -> bool {
        matches!(
            self.plan,
            Plan::Read(_) | Plan::Walk(_) | Plan::BlockingPop(_) | Plan::Edit(_) | Plan::Script(_)
        )
    }

    fn writes(&self) -> bool {
        matches!(self.plan, Plan::Write { .. } | Plan::BlockingPop(_) | Plan::Edit(_) | Plan::Script(_))
    }
}

impl Transaction {
    pub(crate) async fn execute<G: Group>(self, group: &G, node: &Arc<Node>) -> Reply {
        match self.try_execute(group, node).await {
            Ok(Some((parts, done))) => reply(parts, done, node),
            Ok(None) => Reply::NullArray,
            Err(error) => error.into(),
        }
    }

    /// `None`: something watched has changed.
    async fn try_execute<G: Group>(
        self,
        group: &G,
        node: &Arc<Node>,
    ) -> Result<Option<(Vec<Part>, Done)>, Error> {
        let Self { watched, parts } = self;
        let watched = std::mem::take(&mut *watched.lock());
        if watched.failed {
            return Err(Error::WatchFailed);
        }
        let watched = watched.guards();
        match (parts.iter().any(Part::writes), parts.iter().any(Part::looks)) {
            (false, false) if watched.is_empty() => {
                let done = Done::nothing(&parts);
                Ok(Some((parts, done)))
            }
            (true, false) => Ok(write(&parts, group, watched).await?.map(|done| (parts, done))),
            _ => {
                let parts = Arc::new(parts);
                let done = look(&parts, group, node, &watched).await?;
                let parts = Arc::into_inner(parts).expect("whoever ran them has let go of them");
                Ok(done.map(|done| (parts, done)))
            }
        }
    }
}

/// What only writes.
async fn write<G: Group>(parts: &[Part], group: &G, watched: Vec<Guard>) -> Result<Option<Done>, Error> {
    let actions = |part: &Part| match &part.plan {
        Plan::Write { actions, .. } => actions.clone(),
        _ => Vec::new(),
    };
    let actions: Vec<Vec<Action>> = parts.iter().map(actions).collect();
    let parts = actions.iter().map(|actions| Seen { reply: None, answers: actions.len() }).collect();
    let effects = Effects { guards: watched, actions: actions.into_iter().flatten().collect() };
    Ok(propose(group, effects, "exec").await?.map(|answers| Done { parts, answers }))
}

/// What looks at anything.
async fn look<G: Group>(
    parts: &Arc<Vec<Part>>,
    group: &G,
    node: &Arc<Node>,
    watched: &[Guard],
) -> Result<Option<Done>, Error> {
    let mut turn = Turn::new(&node.turns);
    for _ in 0..TRANSACTION_ATTEMPTS_MAX {
        let reading = Arc::new(group.read().await?);
        if !hold(group, &*reading, watched).await? {
            return Ok(None);
        }
        let (here, of, looked) = (parts.clone(), node.clone(), reading.clone());
        let attempt = move |engine: &mut Engine, in_time: &dyn Fn() -> bool| {
            try_here(&here, &*looked, &of, engine, in_time)
        };
        let (seen, mut effects) = node.lanes.run(&node.metrics, attempt).await?;
        effects.guards.extend(watched.iter().cloned());
        let guards = effects.guards.clone();
        if let Some(answers) = commit(group, &*reading, effects, "exec").await? {
            return Ok(Some(Done { parts: seen, answers }));
        }
        node.metrics.transaction_conflicts.add(1);
        turn.wait(&guards, &node.sleep).await;
    }
    Err(Error::TransactionConflict)
}

/// Does it all on copies: a part sees what the parts before it have written.
fn try_here<L: Look>(
    parts: &[Part],
    reading: &L,
    node: &Node,
    engine: &mut Engine,
    in_time: &dyn Fn() -> bool,
) -> Result<(Vec<Seen>, Effects), Stop> {
    let keys = parts.iter().flat_map(|part| match &part.plan {
        Plan::Script(evaluation) => evaluation.keys(),
        _ => part.keys.clone(),
    });
    let keys: Vec<Key> = keys.collect();
    let mut overlay = Overlay::new(reading, in_time, keys.iter());
    let mut seen = Vec::with_capacity(parts.len());
    for part in parts {
        overlay.go_on()?;
        let before = overlay.actions().len();
        let reply = match &part.plan {
            Plan::Write { actions, .. } => {
                overlay.write(actions)?;
                None
            }
            Plan::Script(evaluation) => {
                let reply = evaluation.run_on(&mut overlay, node, engine)?;
                overlay.count(&reply)?;
                Some(reply)
            }
            _ => overlay.look_at(part)?,
        };
        seen.push(Seen { reply, answers: overlay.actions().len() - before });
    }
    Ok((seen, overlay.effects()))
}

/// One reply for each part, in their order.
fn reply(parts: Vec<Part>, done: Done, node: &Node) -> Reply {
    let mut answers = done.answers.into_iter();
    let mut replies = Vec::with_capacity(parts.len());
    for (part, seen) in parts.into_iter().zip(done.parts) {
        let own: Vec<Answer> = answers.by_ref().take(seen.answers).collect();
        let reply = match (part.plan, seen.reply) {
            (_, Some(reply)) | (Plan::Local(reply), None) => reply,
            (Plan::Write { reply, .. }, None) => reply(own.into_iter().map(Ok).collect()),
            (Plan::Subscription { ask, .. }, None) => ask(&mut node.hub.lock()),
            (
                Plan::Read(_)
                | Plan::Walk(_)
                | Plan::BlockingPop(_)
                | Plan::Edit(_)
                | Plan::Script(_)
                | Plan::Loading(_)
                | Plan::Transaction(_),
                None,
            ) => {
                unreachable!("whatever looks has looked, and no transaction is queued")
            }
        };
        node.metrics.count(Some(part.command), &reply);
        replies.push(reply);
    }
    Reply::Array(replies)
}

/// What a part has seen, if it looks, and how many of the log's answers are its own.
#[derive(Default)]
struct Seen {
    reply: Option<Reply>,
    answers: usize,
}

/// Of all parts, in their order.
struct Done {
    parts: Vec<Seen>,
    answers: Vec<Answer>,
}

impl Done {
    /// No part has looked at anything, and nothing was asked of the log.
    fn nothing(parts: &[Part]) -> Self {
        Self { parts: parts.iter().map(|_| Seen::default()).collect(), answers: Vec::new() }
    }
}

/// Has the log do what was done on copies, if what was relied on is still so; `None`: it is not, and nothing was done.
/// What wrote nothing is only compared with the state.
pub(crate) async fn commit<G: Group>(
    group: &G,
    reading: &G::Reading,
    effects: Effects,
    command: &'static str,
) -> Result<Option<Vec<Answer>>, Error> {
    if !effects.actions.is_empty() {
        return propose(group, effects, command).await;
    }
    // What was copied at one moment was so at that moment; of several moments, it must be so together.
    let is_one_moment = effects.guards.windows(2).all(|two| two[0].as_of() == two[1].as_of());
    let is_so = is_one_moment || hold(group, reading, &effects.guards).await?;
    Ok(is_so.then(Vec::new))
}

/// Whether guards hold. Of keys that are absent it is not known before traces of them are kept, which the first guard in
/// the log begins.
async fn hold<G: Group>(group: &G, reading: &G::Reading, guards: &[Guard]) -> Result<bool, Error> {
    let (hold, is_traced) =
        reading.look(|view| (guards.iter().all(|guard| view.state.holds(guard)), view.state.is_traced()));
    if !hold && !is_traced {
        propose(group, Effects { guards: guards.to_vec(), actions: Vec::new() }, "watch").await?;
    }
    Ok(hold)
}

/// What the actions answered; `None`: a guard did not hold, and nothing was done.
async fn propose<G: Group>(
    group: &G,
    effects: Effects,
    command: &'static str,
) -> Result<Option<Vec<Answer>>, Error> {
    let Effects { guards, actions } = effects;
    if guards.len() > TRANSACTION_GUARDS_MAX || actions.len() > TRANSACTION_ACTIONS_MAX {
        return Err(Error::ScriptTooLong);
    }
    match group.propose(vec![Action::Transaction { guards, actions }]).await.pop() {
        Some(Ok(Answer::All(answers))) => Ok(Some(answers)),
        Some(Ok(Answer::Conflict)) => Ok(None),
        // What else could be too large has been looked at.
        Some(Ok(Answer::Refused(Refusal::TooLarge))) => Err(Error::AnswersTooLong),
        Some(Ok(Answer::Refused(refusal))) => Err(Error::refused(command, refusal)),
        Some(Ok(answer)) => Err(Error::unexpected(command, &answer)),
        Some(Err(failure)) => Err(failure.into()),
        None => Err(Error::OutcomeUnknown),
    }
}

#[cfg(test)]
mod tests {
    use domain::Action;

    use crate::limits::TRANSACTION_ATTEMPTS_MAX;
    use crate::options::Options;
    use crate::testing::{Bench, set};

    /// What `EXEC` says when somebody sets `k` so many times, each between its look and its proposal.
    fn exec_while(times: usize, watch: bool) -> (String, String) {
        let mut bench = Bench::new(Options::default());
        bench.say("SET k 1");
        if watch {
            bench.say("WATCH k");
        }
        for request in ["MULTI", "GET k", "INCR n", "GET n"] {
            bench.say(request);
        }
        bench.model.interfere(times, set(b"k", b"2"));
        let said = bench.say("EXEC");
        (said, bench.say("GET n"))
    }

    #[test]
    fn what_changed_between_look_and_proposal_is_looked_at_again() {
        let done = |k| format!(r"*3\r\n$1\r\n{k}\r\n:1\r\n$1\r\n1\r\n");
        let n = r"$1\r\n1\r\n".to_owned();
        assert_eq!(exec_while(0, false), (done(1), n.clone()));
        assert_eq!(exec_while(1, false), (done(2), n.clone()));
        assert_eq!(exec_while(TRANSACTION_ATTEMPTS_MAX - 1, false), (done(2), n));
    }

    #[test]
    fn it_gives_up_in_the_end_and_has_done_nothing() {
        let (said, n) = exec_while(TRANSACTION_ATTEMPTS_MAX, false);
        assert!(said.starts_with("-TRYAGAIN"), "{said}");
        assert_eq!(n, r"$-1\r\n");
    }

    /// `EXEC` of these, when somebody does `action` between the look and the proposal.
    fn exec_after(action: Action, requests: &[&str]) -> String {
        let mut bench = Bench::new(Options::default());
        bench.say("MULTI");
        for request in requests {
            assert_eq!(bench.say(request), r"+QUEUED\r\n", "{request}");
        }
        bench.model.interfere(1, action);
        bench.say("EXEC")
    }

    #[test]
    fn what_is_written_in_view_of_a_key_relies_on_it() {
        let done = exec_after(set(b"b", b"x"), &["MSETNX a 1 b 2", "GET a"]);
        assert_eq!(done, r"*2\r\n:0\r\n$-1\r\n");
        let done = exec_after(set(b"a", b"7"), &["INCR a", "GET a"]);
        assert_eq!(done, r"*2\r\n:8\r\n$1\r\n8\r\n");
        let done = exec_after(set(b"other", b"7"), &["SET a 1", "DBSIZE"]);
        assert_eq!(done, r"*2\r\n+OK\r\n:2\r\n");
    }

    /// Nothing is known of absent keys before the first guard has been in the log.
    #[test]
    fn a_watched_absent_key_fails_at_most_once_for_nothing() {
        let mut bench = Bench::new(Options::default());
        let said = [(); 2].map(|()| {
            for request in ["WATCH k", "MULTI", "GET k", "SET k 1"] {
                bench.say(request);
            }
            bench.say("EXEC")
        });
        assert_eq!(said, [r"*-1\r\n", r"*2\r\n$-1\r\n+OK\r\n"]);
    }

    #[test]
    fn answers_and_replies_have_their_limits() {
        let mut bench = Bench::new(Options::default());
        let long = "x".repeat(60_000);
        bench.say(&format!("SET k {long}"));
        bench.say("MULTI");
        for _ in 0..3 {
            bench.say("GETEX k PERSIST");
        }
        assert!(bench.say("EXEC").starts_with("-ERR what the writes of a transaction or script answer"));
        bench.say("MULTI");
        for _ in 0..200 {
            bench.say("GET k");
        }
        let said = bench.say("EXEC");
        assert!(said.starts_with("-ERR the replies between MULTI and EXEC are longer"), "{}", &said[..100]);
    }

    /// What counts is what is popped, not how long the lists are.
    #[test]
    fn long_lists_can_be_popped_together() {
        let mut bench = Bench::new(Options::default());
        let elements = "x ".repeat(1000);
        for key in ["a", "b", "c", "d", "e"] {
            bench.say(&format!("RPUSH {key} {elements}"));
        }
        bench.say("MULTI");
        for key in ["a", "b", "c", "d", "e"] {
            bench.say(&format!("LPOP {key}"));
        }
        assert_eq!(bench.say("EXEC"), format!(r"*5\r\n{}", r"$1\r\nx\r\n".repeat(5)));
        bench.say("MULTI");
        for key in ["a", "b", "c", "d", "e"] {
            bench.say(&format!("LPOP {key} 999"));
        }
        assert!(bench.say("EXEC").starts_with("-ERR what the writes"));
    }

    #[test]
    fn what_is_watched_is_not_looked_at_again() {
        assert_eq!(exec_while(1, true), (r"*-1\r\n".into(), r"$-1\r\n".into()));
    }

    #[test]
    fn a_queue_has_its_limits() {
        let mut bench = Bench::new(Options::default());
        bench.say("MULTI");
        for _ in 0..super::QUEUE_REQUESTS_MAX {
            assert_eq!(bench.say("INCR n"), r"+QUEUED\r\n");
        }
        assert!(bench.say("INCR n").starts_with("-ERR too much between MULTI and EXEC"));
        assert!(bench.say("EXEC").starts_with("-EXECABORT"));
        assert_eq!(bench.say("GET n"), r"$-1\r\n");
    }
}
