//! A script that is run: `EVAL` and its relatives, where no single action does the same.
//!
//! It runs on copies of its keys ([`Overlay`]), and what it has written is proposed as one command with guards on what it
//! has read. A script that writes nothing costs no entry of the log. One that others interfere with runs again; it has
//! done nothing yet.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Key, Scripts, Sha1};
use lua::{Commands, Engine, Inputs, Script, Value};

use crate::command::{self, Kind, is_kept_from_scripts};
use crate::group::{Group, Look};
use crate::limits::TRANSACTION_ATTEMPTS_MAX;
use crate::metrics::Count;
use crate::node::Node;
use crate::overlay::{Effects, Overlay, Stop};
use crate::plan::Plan;
use crate::script;
use crate::session::Session;
use crate::transaction::{Part, commit};
use crate::turns::Turn;
use crate::{Error, Reply};

/// A script with what it is given, and on whose behalf.
#[derive(Clone)]
pub(crate) struct Evaluation {
    pub(crate) program: Program,
    pub(crate) inputs: Inputs,
    pub(crate) session: Session,
    pub(crate) read_only: bool,
}

#[derive(Clone)]
pub(crate) enum Program {
    Known(Arc<Script>),
    /// This node does not know it: it is looked for among those that were loaded, as the quorum round shows them.
    Named(Sha1),
}

impl Evaluation {
    pub(crate) async fn execute<G: Group>(self, group: &G, node: &Arc<Node>) -> Reply {
        self.try_execute(group, node).await.unwrap_or_else(Reply::Error)
    }

    async fn try_execute<G: Group>(self, group: &G, node: &Arc<Node>) -> Result<Reply, Error> {
        let mut turn = Turn::new(&node.turns);
        for _ in 0..TRANSACTION_ATTEMPTS_MAX {
            let reading = Arc::new(group.read().await?);
            let (reply, effects) = self.run(node, &reading).await?;
            let guards = effects.guards.clone();
            if commit(group, &*reading, effects, "eval").await?.is_some() {
                return Ok(reply);
            }
            node.metrics.script_conflicts.add(1);
            turn.wait(&guards, &node.sleep).await;
        }
        Err(Error::TransactionConflict)
    }

    async fn run<L: Look + 'static>(
        &self,
        node: &Arc<Node>,
        reading: &Arc<L>,
    ) -> Result<(Reply, Effects), Error> {
        let (evaluation, of, reading) = (self.clone(), node.clone(), reading.clone());
        let run = move |engine: &mut Engine, in_time: &dyn Fn() -> bool| {
            let mut overlay = Overlay::new(&*reading, in_time, evaluation.keys().iter());
            let reply = evaluation.run_on(&mut overlay, &of, engine)?;
            Ok((reply, overlay.effects()))
        };
        node.lanes.run(&node.metrics, run).await
    }

    /// The keys that it was given.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.inputs.keys.iter().map(|name| Key::new(self.session.database, &name[..])).collect()
    }

    pub(crate) fn run_on<L: Look>(
        &self,
        overlay: &mut Overlay<'_, L>,
        node: &Node,
        engine: &mut Engine,
    ) -> Result<Reply, Stop> {
        let script = match self.program.find(overlay.scripts(), node) {
            Ok(script) => script,
            Err(error) => return Ok(error.into()),
        };
        let session = self.session.clone();
        let read_only = self.read_only || script.flags().no_writes;
        let mut world = World { overlay, node, session, read_only, refused: None, stop: None };
        let ran = engine.run(&script, &self.inputs, &mut world);
        if let Some(stop) = world.stop {
            return Err(stop);
        }
        let refused = world.refused;
        let reply = match ran {
            Ok(value) => reply(value),
            // What it had written before stays written, as in Redis.
            Err(error @ lua::Error::Raised(_)) => Error::Custom(error.to_string()).into(),
            Err(error) => return Err(error.into()),
        };
        if let Some(refused) = refused.filter(|refused| !hands_on(&reply, refused)) {
            node.metrics.count_error(&refused);
        }
        Ok(reply)
    }
}

impl Program {
    fn find(&self, scripts: &Scripts, node: &Node) -> Result<Arc<Script>, Error> {
        let sha = match self {
            Self::Known(script) => return Ok(script.clone()),
            Self::Named(sha) => sha,
        };
        let loaded = scripts.get(sha).ok_or(Error::NoScript)?;
        let source = Script::new(Bytes::copy_from_slice(loaded.source()));
        let script = script::Script::read(source.map_err(|error| Error::Custom(error.to_string()))?);
        node.scripts().put_as_of(scripts.flushed(), script.clone());
        Ok(script.source)
    }
}

/// What a script can reach.
struct World<'w, 'r, L> {
    overlay: &'w mut Overlay<'r, L>,
    node: &'w Node,
    session: Session,
    read_only: bool,
    /// The error that it last met. If the script hands it on, it is counted with the reply.
    refused: Option<String>,
    /// Why it must not go on; what it says after that is not heard.
    stop: Option<Stop>,
}

impl<L: Look> Commands for World<'_, '_, L> {
    fn call(&mut self, request: Vec<Bytes>, resp3: bool) -> Value {
        let ended = || Value::Error(Bytes::from_static(b"ERR the script is ended"));
        if self.stop.is_some() {
            return ended();
        }
        match self.understand(request).map(|part| self.run(part)) {
            Ok(Ok(reply)) => {
                if let Reply::Error(error) = &reply {
                    self.refuse(error.to_string());
                }
                value(reply, resp3)
            }
            Ok(Err(stop)) => {
                self.stop = Some(stop);
                ended()
            }
            Err(words) => {
                self.refuse(words.to_owned());
                Value::Error(words.into())
            }
        }
    }

    fn may(&mut self, request: &[Bytes]) -> Option<bool> {
        request.first().and_then(|name| command::COMMANDS.find(name)).map(|_| true)
    }
}

impl<L: Look> World<'_, '_, L> {
    fn refuse(&mut self, words: String) {
        if let Some(before) = self.refused.replace(words) {
            self.node.metrics.count_error(&before);
        }
    }

    /// An error: a refusal, which the script may catch.
    fn understand(&mut self, mut request: Vec<Bytes>) -> Result<Part, &'static str> {
        let arguments = request.split_off(1);
        const NOT_ALLOWED: &str = "ERR This Redis command is not allowed from script";
        let Some(place) = command::COMMANDS.find(&request[0]) else {
            let is_kept = is_kept_from_scripts(&request[0]);
            return Err(if is_kept { NOT_ALLOWED } else { "ERR Unknown Redis command called from script" });
        };
        let spec = &command::COMMANDS.0[place];
        if !spec.arity.fits(arguments.len() + 1) {
            return Err("ERR Wrong number of args calling Redis command from script");
        }
        if !spec.is_for_scripts {
            return Err(NOT_ALLOWED);
        }
        if self.read_only && spec.kind == Kind::Write {
            return Err("ERR Write commands are not allowed from read-only scripts.");
        }
        if spec.name == "lease.acquire" {
            return Err(
                "ERR a script cannot acquire a lease: the token is known only when the log has decided",
            );
        }
        Ok(self.session.part(self.node, place, arguments))
    }

    fn run(&mut self, part: Part) -> Result<Reply, Stop> {
        if let Some(reply) = self.overlay.look_at(&part)? {
            return Ok(reply);
        }
        Ok(match part.plan {
            Plan::Local(reply) => reply,
            Plan::Write { actions, reply } => {
                reply(self.overlay.write(&actions)?.into_iter().map(Ok).collect())
            }
            Plan::Subscription { ask, .. } => ask(&mut self.node.hub.lock()),
            Plan::Read(_)
            | Plan::Walk(_)
            | Plan::BlockingPop(_)
            | Plan::Edit(_)
            | Plan::Script(_)
            | Plan::Loading(_)
            | Plan::Transaction(_) => {
                unreachable!("whatever looks has looked, and no script sends the others")
            }
        })
    }
}

fn hands_on(reply: &Reply, refused: &str) -> bool {
    matches!(reply, Reply::Error(error) if error.to_string().starts_with(refused))
}

fn value(reply: Reply, resp3: bool) -> Value {
    let value = |reply| value(reply, resp3);
    let values = |replies: Vec<Reply>| replies.into_iter().map(value).collect();
    match reply {
        Reply::Simple(line) => Value::Status(line.into_owned().into()),
        Reply::Error(error) => Value::Error(error.to_string().into()),
        Reply::Integer(integer) => Value::Integer(integer),
        Reply::Bulk(bytes) => Value::Bulk(Bytes::copy_from_slice(&bytes)),
        Reply::Text(text) => Value::Bulk(text.into_owned().into()),
        Reply::Verbatim(text) => Value::Verbatim { format: Bytes::from_static(b"txt"), text: text.into() },
        Reply::Null | Reply::NullArray => Value::Nil,
        Reply::Bool(truth) => Value::Bool(truth),
        Reply::Double(number) => Value::Double(number),
        Reply::Array(replies) | Reply::Push(replies) | Reply::Several(replies) => {
            Value::Array(values(replies))
        }
        Reply::Set(replies) => Value::Set(values(replies)),
        Reply::Map(pairs) => Value::Map(pairs.into_iter().map(|(key, of)| (value(key), value(of))).collect()),
        Reply::Pairs(pairs) if resp3 => Value::Array(
            pairs.into_iter().map(|(first, second)| values(vec![first, second])).map(Value::Array).collect(),
        ),
        Reply::Pairs(pairs) => Value::Array(
            pairs.into_iter().flat_map(|(first, second)| [value(first), value(second)]).collect(),
        ),
    }
}

fn reply(value: Value) -> Reply {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let replies = |values: Vec<Value>| values.into_iter().map(reply).collect();
    match value {
        Value::Nil => Reply::Null,
        Value::Bool(truth) => Reply::Bool(truth),
        Value::Integer(integer) => Reply::Integer(integer),
        Value::Double(number) => Reply::Double(number),
        Value::BigNumber(digits) => Reply::bulk(&digits),
        Value::Bulk(bytes) => Reply::bulk(&bytes),
        Value::Verbatim { text: of, .. } => Reply::Verbatim(text(&of)),
        Value::Status(line) => Reply::Simple(text(&line).into()),
        Value::Error(line) => Error::Custom(text(&line)).into(),
        Value::Array(values) => Reply::Array(replies(values)),
        Value::Set(values) => Reply::Set(replies(values)),
        Value::Map(pairs) => Reply::Map(pairs.into_iter().map(|(key, of)| (reply(key), reply(of))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use crate::limits::TRANSACTION_ATTEMPTS_MAX;
    use crate::metrics::Count;
    use crate::options::Options;
    use crate::testing::{Bench, set};

    #[test]
    fn a_script_does_not_go_on_for_ever_whatever_it_catches() {
        let started = std::time::Instant::now();
        let mut bench = Bench::with_clock(Options::default(), std::sync::Arc::new(move || started.elapsed()));
        bench.say("SET k kept");
        for script in [
            "redis.call('set',KEYS[1],'never') while true do end",
            "redis.call('set',KEYS[1],'never') while true do pcall(function() while true do end end) end",
            "redis.call('set',KEYS[1],'never') while true do redis.pcall('keys','*') end",
            "redis.call('set',KEYS[1],'never') local t = {} while true do t[#t+1] = string.rep('x', 100000) .. #t end",
            "redis.call('set',KEYS[1],'never') local function f() return f() + 1 end return f()",
        ] {
            let said = bench.eval(script, &["k"], &[]);
            assert!(said.starts_with("-ERR "), "{script}: {said}");
            let kept = bench.say("GET k") == r"$4\r\nkept\r\n";
            assert!(kept || said.contains("stack overflow"), "{script}: {said}");
            bench.say("SET k kept");
        }
        assert_eq!(bench.eval("return redis.call('get',KEYS[1]) .. '!'", &["k"], &[]), r"$5\r\nkept!\r\n");
    }

    #[test]
    fn what_changed_while_it_ran_is_read_again() {
        let script = "local n = redis.call('get',KEYS[1]) redis.call('set',KEYS[2],n) return n";
        let mut bench = Bench::new(Options::default());
        bench.say("SET k 1");
        bench.model.interfere(2, set(b"k", b"2"));
        assert_eq!(bench.eval(script, &["k", "copy"], &[]), r"$1\r\n2\r\n");
        assert_eq!(bench.say("GET copy"), r"$1\r\n2\r\n");
        // The key `copy` was absent, of which nothing was known before the first guard: one more.
        assert_eq!(bench.node.metrics.script_conflicts.get(), 2);
        bench.model.interfere(TRANSACTION_ATTEMPTS_MAX, set(b"k", b"3"));
        assert!(bench.eval(script, &["k", "copy"], &[]).starts_with("-TRYAGAIN"));
        assert_eq!(bench.say("GET copy"), r"$1\r\n2\r\n");
    }

    #[test]
    fn a_script_that_writes_nothing_costs_no_entry() {
        let mut bench = Bench::new(Options::default());
        bench.say("SET k 1");
        let before = bench.model.proposals().len();
        let script = "for i = 1, 3 do redis.call('get', KEYS[1]) end return redis.call('get', ARGV[1])";
        assert_eq!(bench.eval(script, &["k"], &["k"]), r"$1\r\n1\r\n");
        assert_eq!(bench.model.proposals().len(), before);
    }

    #[test]
    fn no_two_scripts_draw_the_same() {
        let mut bench = Bench::new(Options::default());
        let drawn = [(); 3].map(|()| bench.eval("return tostring(math.random())", &[], &[]));
        assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2], "{drawn:?}");
    }

    #[test]
    fn whoever_waits_is_told_when_nobody_decides() {
        let mut bench = Bench::new(Options::default());
        let script = "return redis.call('incr', KEYS[1])";
        bench.model.fail(Some(crate::Failure::NoQuorum));
        assert!(bench.eval(script, &["n"], &[]).starts_with("-LOADING"));
        bench.model.fail(Some(crate::Failure::Unknown));
        assert!(bench.eval(script, &["n"], &[]).starts_with("-TIMEOUT"));
    }

    #[test]
    fn a_script_has_its_limit_of_writes() {
        let mut bench = Bench::new(Options::default());
        let many = "for i = 1, 2000 do redis.call('set', 'k' .. i, i) end return 1";
        assert!(bench.eval(many, &[], &[]).starts_with("-ERR the script reads or writes too much"));
        assert_eq!(bench.say("DBSIZE"), r":0\r\n");
    }
}
