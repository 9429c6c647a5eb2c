//! A server that keeps the rules, or breaks one, with a log clock, and clients that call it at random. A third account
//! of what leases and keys mean, the only one here that knows when a key ends.

use std::collections::{BTreeMap, BTreeSet};

use simulation::judge::{Call, Condition, History, Lease, NotHeld, Operation, Outcome, Reply, TimeLeft};

const MS: u64 = 1_000_000;

/// SplitMix64.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone)]
struct Entry {
    value: String,
    token: u64,
    ttl_ms: Option<u64>,
    end_ns: Option<u64>,
}

/// A rule that the server breaks, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Log time runs 3 % fast.
    FastClock,
    /// A read is answered from an older state, as by a leader that does not know it is none.
    StaleRead,
    /// A write is acknowledged and forgotten, as by a disk that does not sync.
    LostWrite,
    /// A command that is sent again runs again.
    RunsTwice,
    /// A command is refused as not executed, and is.
    RefusedAndRun,
    /// Deletes whatever is there, as a lock script without its comparison.
    DeletesAnothers,
    /// A grant after a release has the token before it.
    TokenKept,
    /// A renewal looks at the holder alone.
    FencedRenewed,
    /// A key that a reader finds past its end on its own clock is free to it, before the log says so.
    FreeTooEarly,
}

impl Bug {
    pub(crate) const ALL: [Self; 9] = [
        Self::FastClock,
        Self::StaleRead,
        Self::LostWrite,
        Self::RunsTwice,
        Self::RefusedAndRun,
        Self::DeletesAnothers,
        Self::TokenKept,
        Self::FencedRenewed,
        Self::FreeTooEarly,
    ];
}

#[derive(Clone, Default)]
struct Server {
    keys: BTreeMap<String, Entry>,
    serial: u64,
    /// Log time.
    now_ns: u64,
    bug: Option<Bug>,
    token_last: u64,
}

impl Server {
    /// Moves log time and ends what is due, each with a serial of its own.
    fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        let is_due = |entry: &Entry| entry.end_ns.is_some_and(|end_ns| end_ns <= self.now_ns);
        let due: Vec<String> =
            self.keys.iter().filter(|(_, entry)| is_due(entry)).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.keys.remove(&key);
            self.serial += 1;
        }
    }

    fn lease(&self, key: &str) -> Option<Lease> {
        let entry = self.keys.get(key)?;
        let remaining_ms = entry.end_ns.map(|end_ns| end_ns.saturating_sub(self.now_ns).div_ceil(MS).max(1));
        Some(Lease { holder: entry.value.clone(), token: entry.token, ttl_ms: entry.ttl_ms, remaining_ms })
    }

    fn write(&mut self, key: &str, value: &str, ttl_ms: Option<u64>, end_ns: Option<u64>) {
        let same = self.keys.get(key).filter(|entry| entry.value == value);
        let fresh = if self.bug == Some(Bug::TokenKept) { self.token_last.max(1) } else { self.serial };
        let token = same.map_or(fresh, |entry| entry.token);
        self.token_last = self.serial;
        self.keys.insert(key.to_owned(), Entry { value: value.to_owned(), token, ttl_ms, end_ns });
    }

    fn not_held(&self, key: &str, holder: &str, token: u64) -> Option<NotHeld> {
        match self.keys.get(key) {
            None => Some(NotHeld::Expired),
            Some(entry) if entry.value != holder => Some(NotHeld::NotHolder),
            Some(entry) if entry.token != token && self.bug != Some(Bug::FencedRenewed) => {
                Some(NotHeld::Fenced)
            }
            Some(_) => None,
        }
    }

    fn execute(&mut self, key: &str, call: &Call) -> Reply {
        if !call.is_read() {
            self.serial += 1;
        }
        let end = |ttl_ms: u64| Some(self.now_ns + ttl_ms * MS);
        match call {
            Call::Set { value, condition, ttl_ms, keep } => {
                let present = self.keys.get(key);
                let holds = match condition {
                    Condition::Always => true,
                    Condition::IfAbsent => present.is_none(),
                    Condition::IfPresent => present.is_some(),
                };
                if holds {
                    let kept = present.filter(|_| *keep).map(|entry| (entry.ttl_ms, entry.end_ns));
                    let new = ttl_ms.map(|ttl_ms| (Some(ttl_ms), end(ttl_ms)));
                    let (ttl_ms, end_ns) = new.or(kept).unwrap_or_default();
                    self.write(key, value, ttl_ms, end_ns);
                }
                Reply::Written(holds)
            }
            Call::Get => Reply::Value(self.keys.get(key).map(|entry| entry.value.clone())),
            Call::Delete => Reply::Removed(self.keys.remove(key).is_some()),
            Call::Increment => {
                let (value, ttl_ms, end_ns) = match self.keys.get(key) {
                    None => ("0", None, None),
                    Some(entry) => (entry.value.as_str(), entry.ttl_ms, entry.end_ns),
                };
                let Ok(number) = value.parse::<i64>() else { return Reply::Failed };
                self.write(key, &(number + 1).to_string(), ttl_ms, end_ns);
                Reply::Integer(number + 1)
            }
            Call::CompareAndDelete { value } => {
                let holds = self.keys.get(key).is_some_and(|entry| entry.value == *value)
                    || self.bug == Some(Bug::DeletesAnothers);
                Reply::Removed(holds && self.keys.remove(key).is_some())
            }
            Call::CompareAndExpire { value, ttl_ms } => {
                let end_ns = end(*ttl_ms);
                match self.keys.get_mut(key).filter(|entry| entry.value == *value) {
                    None => Reply::Changed(false),
                    Some(entry) => {
                        (entry.ttl_ms, entry.end_ns) = (Some(*ttl_ms), end_ns);
                        Reply::Changed(true)
                    }
                }
            }
            Call::TimeLeft => Reply::TimeLeft(match self.lease(key) {
                None => TimeLeft::Absent,
                Some(lease) => lease.remaining_ms.map_or(TimeLeft::Endless, TimeLeft::Ms),
            }),
            Call::Acquire { holder, ttl_ms, take_over } => {
                let present = self.keys.get(key);
                if present.is_some_and(|entry| !(*take_over && entry.value == *holder)) {
                    return Reply::NotAcquired(self.lease(key));
                }
                let end_ns = end(*ttl_ms);
                self.keys.remove(key);
                self.write(key, holder, Some(*ttl_ms), end_ns);
                Reply::Acquired(self.lease(key).expect("it was just granted"))
            }
            Call::Renew { holder, token, ttl_ms } => {
                if let Some(why) = self.not_held(key, holder, *token) {
                    return Reply::NotHeld(why);
                }
                let now_ns = self.now_ns;
                let entry = self.keys.get_mut(key).expect("it is held");
                if let Some(ttl_ms) = ttl_ms.or(entry.ttl_ms) {
                    (entry.ttl_ms, entry.end_ns) = (Some(ttl_ms), Some(now_ns + ttl_ms * MS));
                }
                Reply::Renewed(self.lease(key).expect("it is held"))
            }
            Call::Release { holder, token } => match self.not_held(key, holder, *token) {
                Some(why) => Reply::NotHeld(why),
                None => {
                    self.keys.remove(key);
                    Reply::Released
                }
            },
            Call::Inspect => Reply::Inspected(self.lease(key)),
        }
    }

    /// The answer to a command that had run before and was answered `then`.
    fn look_again(&self, key: &str, call: &Call, then: &Reply) -> Reply {
        let lease = self.lease(key);
        let kept = |then: &Lease| lease.as_ref().filter(|now| now.token == then.token).cloned();
        match (then, call) {
            (Reply::Acquired(then), _) => {
                kept(then).map_or(Reply::NotAcquired(lease.clone()), Reply::Acquired)
            }
            (Reply::NotAcquired(_), _) => Reply::NotAcquired(lease),
            (Reply::Renewed(then), Call::Renew { holder, token, .. }) => match kept(then) {
                Some(lease) => Reply::Renewed(lease),
                None => Reply::NotHeld(self.not_held(key, holder, *token).expect("it was lost")),
            },
            (then, _) => then.clone(),
        }
    }
}

/// What happens, and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Invoke,
    Execute,
    LookAgain,
    Return,
}

/// How a random run is made.
pub(crate) struct Run {
    pub(crate) operations: usize,
    pub(crate) clients: u32,
    pub(crate) keys: u64,
    /// Of a hundred operations, those that have no answer.
    pub(crate) unknown_percent: u64,
    /// What the server does wrong.
    pub(crate) bug: Option<Bug>,
}

struct World {
    chance: Chance,
    server: Server,
    /// As it was some time ago.
    old: Server,
    operations: Vec<Operation>,
    /// Time, step, and the operation (or, to invoke, the client).
    agenda: BTreeSet<(u64, Step, usize)>,
    /// What will be answered.
    replies: BTreeMap<usize, (Reply, u64)>,
    /// The last token that each client was told of each key.
    tokens: BTreeMap<(u32, String), u64>,
    /// Real time that log time has stood still, in runs: (until, so far).
    stalls: Vec<(u64, u64, u64)>,
}

/// A history of a server that keeps the rules.
pub(crate) fn run(seed: u64, run: &Run) -> History {
    let mut chance = Chance(seed);
    let mut stalls = Vec::new();
    let (mut from_ns, mut lost_ns) = (0, 0);
    for _ in 0..1_000 {
        from_ns += chance.below(2_000 * MS);
        let until_ns = from_ns + chance.below(400 * MS);
        stalls.push((from_ns, until_ns, lost_ns));
        lost_ns += until_ns - from_ns;
        from_ns = until_ns;
    }
    let agenda = (0..run.clients as usize).map(|client| (client as u64, Step::Invoke, client)).collect();
    let mut world = World {
        chance,
        server: Server { bug: run.bug, ..Server::default() },
        old: Server::default(),
        operations: Vec::new(),
        agenda,
        replies: BTreeMap::new(),
        tokens: BTreeMap::new(),
        stalls,
    };
    while let Some((at_ns, step, number)) = world.agenda.pop_first() {
        world.step(run, at_ns, step, number);
    }
    History { operations: world.operations }
}

impl World {
    fn step(&mut self, run: &Run, at_ns: u64, step: Step, number: usize) {
        match step {
            Step::Invoke if self.operations.len() < run.operations => self.invoke(run, at_ns, number),
            Step::Invoke => {}
            Step::Execute => self.execute(run.bug, at_ns, number),
            Step::LookAgain => {
                let log_ns = self.log_ns(at_ns);
                self.server.advance(log_ns);
                let Operation { key, call, .. } = &self.operations[number];
                let (then, serial) = &self.replies[&number];
                let reply = self.server.look_again(key, call, then);
                self.replies.insert(number, (reply, *serial));
                let Outcome::Returned { repeated, .. } = &mut self.operations[number].outcome else { return };
                *repeated = true;
            }
            Step::Return => {
                let (told, place) = self.replies[&number].clone();
                let operation = &mut self.operations[number];
                let is_error = matches!(told, Reply::NotHeld(_) | Reply::Failed);
                if let Some(lease) = told.lease() {
                    self.tokens.insert((operation.client, operation.key.clone()), lease.token);
                }
                if let Outcome::Returned { reply, serial, index, .. } = &mut operation.outcome {
                    *reply = told;
                    if operation.call.is_of_leases() && !is_error {
                        (*serial, *index) = (Some(place), Some(place + 7));
                    }
                }
            }
        }
    }

    fn execute(&mut self, bug: Option<Bug>, at_ns: u64, number: usize) {
        let log_ns = self.log_ns(at_ns);
        self.server.advance(log_ns + if bug == Some(Bug::FastClock) { log_ns * 3 / 100 } else { 0 });
        let now_and_then = bug.is_some() && self.chance.percent(5);
        if now_and_then {
            self.old = self.server.clone();
        }
        let Operation { key, call, .. } = &self.operations[number];
        let server = &mut self.server;
        let reply = match bug.filter(|_| now_and_then || bug == Some(Bug::StaleRead)) {
            Some(Bug::StaleRead) if call.is_read() => self.old.execute(key, call),
            Some(Bug::LostWrite) => {
                let reply = server.execute(key, call);
                server.keys = self.old.keys.clone();
                reply
            }
            Some(Bug::RunsTwice) => {
                server.execute(key, call);
                server.execute(key, call)
            }
            Some(Bug::FreeTooEarly) if call.is_read() => {
                let mut ahead = server.clone();
                ahead.advance(server.now_ns + 40 * MS);
                ahead.execute(key, call)
            }
            _ => server.execute(key, call),
        };
        self.replies.insert(number, (reply, self.server.serial));
    }

    /// A clock that is a little fast, and stands still at times.
    fn log_ns(&self, real_ns: u64) -> u64 {
        let next = self.stalls.partition_point(|(from_ns, ..)| *from_ns <= real_ns);
        let lost_ns = match next.checked_sub(1).map(|last| self.stalls[last]) {
            None => 0,
            Some((from_ns, until_ns, before_ns)) => before_ns + real_ns.min(until_ns) - from_ns,
        };
        let ran_ns = real_ns - lost_ns;
        ran_ns + ran_ns / 2_000
    }

    fn invoke(&mut self, run: &Run, at_ns: u64, client: usize) {
        let number = self.operations.len();
        let client = u32::try_from(client).expect("few clients");
        let (key, call) = self.choose(run, client);
        let chance = &mut self.chance;
        let executed_ns = at_ns + 1 + chance.below(5 * MS);
        let mut returned_ns = executed_ns + 1 + chance.below(5 * MS);
        let mut outcome =
            Outcome::Returned { at_ns: 0, reply: Reply::Failed, serial: None, index: None, repeated: false };
        if chance.percent(run.unknown_percent) {
            outcome = Outcome::Unknown;
            if chance.percent(60) {
                let late_ns = if chance.percent(50) { 0 } else { chance.below(3_000 * MS) };
                self.agenda.insert((executed_ns + late_ns, Step::Execute, number));
            }
            returned_ns += 20 * MS;
        } else if chance.percent(2) {
            outcome = Outcome::Refused { at_ns: returned_ns };
            if run.bug == Some(Bug::RefusedAndRun) {
                self.agenda.insert((executed_ns, Step::Execute, number));
            }
        } else {
            self.agenda.insert((executed_ns, Step::Execute, number));
            if call.is_of_leases() && !call.is_read() && chance.percent(6) {
                returned_ns += chance.below(1_500 * MS);
                self.agenda.insert((returned_ns - 1, Step::LookAgain, number));
            }
            self.agenda.insert((returned_ns, Step::Return, number));
            if let Outcome::Returned { at_ns, .. } = &mut outcome {
                *at_ns = returned_ns;
            }
        }
        let pause_ns_max = if self.chance.percent(10) { 500 * MS } else { 20 * MS };
        let pause_ns = 1 + self.chance.below(pause_ns_max);
        self.agenda.insert((returned_ns + pause_ns, Step::Invoke, client as usize));
        let node = u64::from(client % 3 + 1);
        self.operations.push(Operation { client, node, key, call, invoked_ns: at_ns, outcome });
    }

    /// A third of the keys are touched by the lease service alone, a third over Redis, a third by both.
    fn choose(&mut self, run: &Run, client: u32) -> (String, Call) {
        let chance = &mut self.chance;
        let number = chance.below(run.keys);
        let key = format!("key-{number}");
        let of_leases = match number % 3 {
            0 => true,
            1 => false,
            _ => chance.percent(50),
        };
        let holder = format!("client-{client}");
        let ttl_ms = 50 + 50 * chance.below(10);
        let token = self.tokens.get(&(client, key.clone())).copied();
        let call = if of_leases {
            match (chance.below(10), token) {
                (0..=3, _) | (4..=7, None) => Call::Acquire { holder, ttl_ms, take_over: chance.percent(20) },
                (4..=5, Some(token)) => {
                    Call::Renew { holder, token, ttl_ms: Some(ttl_ms).filter(|_| chance.percent(50)) }
                }
                (6..=7, Some(token)) => Call::Release { holder, token },
                _ => Call::Inspect,
            }
        } else {
            match chance.below(20) {
                0..=3 => Call::Set {
                    value: holder,
                    condition: Condition::IfAbsent,
                    ttl_ms: Some(ttl_ms),
                    keep: false,
                },
                4..=5 => Call::CompareAndDelete { value: holder },
                6..=7 => Call::CompareAndExpire { value: holder, ttl_ms },
                8..=10 => Call::Increment,
                11 => Call::Delete,
                12..=13 => Call::Set {
                    value: chance.below(1_000_000).to_string(),
                    condition: if chance.percent(50) { Condition::Always } else { Condition::IfPresent },
                    ttl_ms: Some(ttl_ms).filter(|_| chance.percent(30)),
                    keep: false,
                },
                14 => Call::Set { value: holder, condition: Condition::Always, ttl_ms: None, keep: true },
                15..=17 => Call::Get,
                _ => Call::TimeLeft,
            }
        };
        (key, call)
    }
}
