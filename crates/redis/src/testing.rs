//! A group in memory: a real `domain::State`, a clock that a test moves, and the failures that it asks for.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use consensus::Heard;
use domain::{
    Action, Answer, Command, Expiry, Interest, Key, LogTime, NodeId, Position, Serial, SetCondition, Stamp,
    State, WallZero,
};
use futures_util::FutureExt;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::clients::Entered;
use crate::codec::encode::encode;
use crate::codec::inline;
use crate::error::Failure;
use crate::group::{Addresses, Group, Look, Standing};
use crate::node::{Node, Seams};
use crate::options::Options;
use crate::plan::{Plan, View};
use crate::reply::Reply;
use crate::sentinel::vigil;
use crate::server::Environment;
use crate::session::{Planned, Session};

/// Wall time of every test where its clock begins, for the node that leads.
pub(crate) const WALL_MS: i64 = 1_790_000_000_000;

/// By how much the wall clock of the node that is asked is fast. The one that leads has another.
const FAST_MS: i64 = 2_345;

#[derive(Clone)]
pub(crate) struct Model(Arc<Mutex<Inner>>, watch::Sender<Option<NodeId>>);

impl Default for Model {
    fn default() -> Self {
        Self(Arc::default(), watch::Sender::new(Some(NodeId(2))))
    }
}

#[derive(Default)]
struct Inner {
    state: State,
    index: u64,
    now_ms: u64,
    failure: Option<Failure>,
    unfounded: bool,
    without_sentinels: bool,
    /// What happens just before so many of the next proposals.
    interference: Option<(usize, Action)>,
    /// The sizes of the proposals, and how many quorum rounds there were.
    proposals: Vec<usize>,
    rounds: usize,
    heard: Heard,
    arrived: Arc<Notify>,
    applied: watch::Sender<u64>,
}

impl Model {
    /// From now on nothing is decided. Who led is not forgotten: a real node that is cut off goes on believing in it.
    pub(crate) fn fail(&self, failure: Option<Failure>) {
        self.0.lock().failure = failure;
    }

    /// From now on this node belongs to no group.
    pub(crate) fn unfound(&self) {
        self.0.lock().unfounded = true;
    }

    /// From now on the group knows of no Sentinel.
    pub(crate) fn forget_sentinels(&self) {
        self.0.lock().without_sentinels = true;
    }

    /// From now on this node leads, or none is known to.
    pub(crate) fn lead(&self, node: Option<NodeId>) {
        self.1.send_replace(node);
    }

    pub(crate) fn proposals(&self) -> Vec<usize> {
        self.0.lock().proposals.clone()
    }

    pub(crate) fn rounds(&self) -> usize {
        self.0.lock().rounds
    }

    /// Somebody else does this just before each of the next proposals, so many times.
    pub(crate) fn interfere(&self, times: usize, action: Action) {
        self.0.lock().interference = Some((times, action));
    }

    /// Moves the clock and ends what is due, as a leader's tick does.
    pub(crate) fn advance(&self, ms: u64) {
        self.0.lock().now_ms += ms;
        self.apply(Action::Tick);
    }

    pub(crate) fn apply(&self, mut action: Action) -> Answer {
        let inner = &mut *self.0.lock();
        inner.index += 1;
        action.resolve_wall_clock(WALL_MS + i64::try_from(inner.now_ms).unwrap());
        let stamp = Some(Stamp { term: 3, time: LogTime::from_ms(inner.now_ms) });
        let at = Position { index: inner.index, offset: 0, term: 3, stamp };
        let answer = inner.state.apply(at, Command::harmless(action)).answer;
        let events = inner.state.take_events();
        inner.applied.send_replace(inner.index);
        if !events.is_empty() {
            inner.heard.entries.push((inner.index, events));
            inner.arrived.notify_one();
        }
        answer
    }

    /// A snapshot takes the place of what was not applied yet.
    pub(crate) fn lose(&self) {
        let inner = &mut *self.0.lock();
        inner.heard = Heard { lost: true, entries: Vec::new() };
        inner.arrived.notify_one();
    }

    fn hear_now(&self) -> Heard {
        std::mem::take(&mut self.0.lock().heard)
    }

    pub(crate) fn propose_now(&self, actions: Vec<Action>) -> Vec<Result<Answer, Failure>> {
        self.0.lock().proposals.push(actions.len());
        let interference = self.0.lock().interference.take();
        if let Some((times @ 1.., action)) = interference {
            self.apply(action.clone());
            self.interfere(times - 1, action);
        }
        let failure = self.0.lock().failure;
        match failure {
            Some(Failure::DiskLow) if actions.iter().all(Action::frees) => {}
            Some(failure) => return actions.iter().map(|_| Err(failure)).collect(),
            None => {}
        }
        actions.into_iter().map(|action| Ok(self.apply(action))).collect()
    }
}

impl Group for Model {
    type Reading = Self;

    async fn propose(&self, actions: Vec<Action>) -> Vec<Result<Answer, Failure>> {
        tokio::task::yield_now().await;
        self.propose_now(actions)
    }

    async fn read(&self) -> Result<Self, Failure> {
        tokio::task::yield_now().await;
        let mut inner = self.0.lock();
        inner.rounds += 1;
        match inner.failure {
            Some(failure @ (Failure::NoQuorum | Failure::OutOfService)) => Err(failure),
            _ => Ok(self.clone()),
        }
    }

    fn listen(&self, interest: Interest) -> u64 {
        let inner = &mut *self.0.lock();
        inner.state.listen(interest);
        inner.index
    }

    async fn hear(&self) -> Heard {
        let arrived = self.0.lock().arrived.clone();
        loop {
            let heard = self.hear_now();
            if heard != Heard::default() {
                return heard;
            }
            arrived.notified().await;
        }
    }

    fn scripts_flushed(&self) -> Serial {
        self.0.lock().state.scripts().flushed()
    }

    fn standing(&self) -> Standing {
        let inner = self.0.lock();
        let at = |id: u64| {
            let sentinel = if inner.without_sentinels { String::new() } else { format!("10.0.0.{id}:26379") };
            (NodeId(id), Addresses { redis: format!("10.0.0.{id}:6379"), sentinel })
        };
        Standing {
            node: NodeId(1),
            cluster_id: (!inner.unfounded).then_some([0xab; 16]),
            serves: inner.failure != Some(Failure::OutOfService),
            role: "follower",
            leader: *self.1.borrow(),
            term: 3,
            voters: 3,
            addresses: [1, 2, 3].map(at).into(),
        }
    }

    fn applied(&self) -> BoxStream<'static, ()> {
        let applied = stream::unfold(self.0.lock().applied.subscribe(), |mut applied| async {
            applied.changed().await.ok()?;
            Some(((), applied))
        });
        applied.boxed()
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        let changes = stream::unfold(self.1.subscribe(), |mut leader| async {
            leader.changed().await.ok()?;
            Some(((), leader))
        });
        changes.boxed()
    }
}

impl Look for Model {
    fn look<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        let inner = self.0.lock();
        let clock = LogTime::from_ms(inner.now_ms);
        let wall_zero = WallZero::from_ns(WALL_MS * 1_000_000);
        let (state, leader) = (&inner.state, NodeId(2));
        let (scripts, active) = (state.scripts(), Some(leader));
        look(&View { state, scripts, clock, wall_zero, leader, term: 3, active })
    }
}

/// Nobody keeps a model waiting for long.
fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        if let Some(done) = (&mut work).now_or_never() {
            break done;
        }
    }
}

pub(crate) fn set(key: &[u8], value: &[u8]) -> Action {
    let (key, value) = (Key::new(0, key), value.into());
    Action::Set { key, value, condition: SetCondition::Always, expiry: Expiry::Never, previous: false }
}

/// Quotes stay readable.
fn readable(out: &[u8]) -> String {
    out.escape_ascii().to_string().replace("\\'", "'").replace("\\\"", "\"")
}

/// A session on a model, without bytes in between.
pub(crate) struct Bench {
    pub(crate) model: Model,
    pub(crate) node: Arc<Node>,
    pub(crate) session: Session,
    _entered: Entered,
}

impl Bench {
    /// Scripts have no limit of time.
    pub(crate) fn new(options: Options) -> Self {
        Self::with_clock(options, Arc::new(|| Duration::ZERO))
    }

    pub(crate) fn with_clock(options: Options, clock: lua::Clock) -> Self {
        let model = Model::default();
        let standing = model.clone();
        let wall = model.clone();
        let monotonic = model.clone();
        let environment = Environment {
            wall_ms: Arc::new(move || WALL_MS + FAST_MS + i64::try_from(wall.0.lock().now_ms).unwrap()),
            spawn: Arc::new(drop),
            aside: Arc::new(|work| work()),
            clock,
            monotonic: Arc::new(move || Duration::from_millis(monotonic.0.lock().now_ms)),
            sleep: Arc::new(|_| futures_util::future::ready(()).boxed()),
        };
        let listening = model.clone();
        let flushing = model.clone();
        let seams = Seams {
            standing: Box::new(move || standing.standing()),
            listen: Box::new(move |interest| listening.listen(interest)),
            scripts_flushed: Box::new(move || flushing.scripts_flushed()),
        };
        let node = Arc::new(Node::new(options, &environment, seams));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 6379));
        let entered = node.clients.enter(address, local, node.now_ms(), 10).unwrap();
        let session = Session::new(entered.client.clone(), &node);
        Self { model, node, session, _entered: entered }
    }

    pub(crate) fn plan(&mut self, request: Vec<Bytes>) -> Planned {
        self.session.plan(&self.node, request)
    }

    /// The reply to a request, as the bytes that a client would get.
    pub(crate) fn call(&mut self, request: Vec<Bytes>) -> String {
        let planned = self.plan(request);
        let Planned { plan, command, protocol, silent, .. } = planned;
        let reply: Reply = match plan {
            Plan::Local(reply) => reply,
            Plan::Write { actions, reply } => reply(self.model.propose_now(actions)),
            Plan::Read(on_view) => {
                let failure = self.model.0.lock().failure;
                match failure {
                    Some(failure) => on_view(Err(failure)),
                    None => self.model.look(|view| on_view(Ok(view))),
                }
            }
            Plan::BlockingPop(pop) => finish(pop.execute(&self.model, &self.node)),
            Plan::Edit(edit) => finish(edit.execute(&self.model, &self.node)),
            Plan::Subscription { ask, .. } => ask(&mut self.node.hub.lock()),
            Plan::Loading(loading) => finish(loading.execute(&self.model)),
            Plan::Script(evaluation) => finish(evaluation.execute(&self.model, &self.node)),
            Plan::Transaction(transaction) => finish(transaction.execute(&self.model, &self.node)),
            Plan::Walk(mut walk) => loop {
                let ahead = self.model.look(|view| walk.ahead(view));
                walk = match walk.go(ahead) {
                    Ok(walk) => walk,
                    Err(reply) => break reply,
                };
            },
        };
        self.node.metrics.count(command, &reply);
        let mut out = BytesMut::new();
        if !silent || matches!(reply, Reply::Several(_)) {
            encode(&reply, protocol, &mut out);
        }
        readable(&out)
    }

    /// As a Sentinel does by itself every now and then.
    pub(crate) fn prove(&self) {
        finish(vigil::prove(&self.model, &self.node));
    }

    /// The messages that have come since the last call.
    pub(crate) fn hear(&mut self) -> String {
        self.node.hub.hand_out(self.model.hear_now());
        let mut out = BytesMut::new();
        self.session.client.mailbox.empty_into(&mut out, self.session.protocol);
        readable(&out)
    }

    /// The same for a request as people type it.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.call(inline::split(line.as_bytes()).expect("balanced quotes"))
    }

    /// The same by another client.
    pub(crate) fn another(&mut self, line: &str) {
        let fresh = Session::new(self.session.client.clone(), &self.node);
        let own = std::mem::replace(&mut self.session, fresh);
        self.say(line);
        self.session = own;
    }

    pub(crate) fn eval(&mut self, script: &str, keys: &[&str], arguments: &[&str]) -> String {
        let count = keys.len().to_string();
        let request =
            ["EVAL", script, &count].into_iter().chain(keys.iter().copied()).chain(arguments.iter().copied());
        self.call(request.map(|word| Bytes::copy_from_slice(word.as_bytes())).collect())
    }
}
