//! What one client sent, what it was promised, and whether the cluster kept it.
//!
//! Invariants, checked on every reply and again at the end:
//! - a counter counts every acknowledged INCR once and every unknown one at most once;
//! - a register holds the last acknowledged value, or one sent after it whose outcome is unknown;
//! - the tokens of grants only grow, and no two grants of any clients have the same;
//! - a renewed lease keeps its token.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::resp::{Connection, Value};

/// Registers of one client.
const REGISTERS: u64 = 16;

/// A day, longer than any test: what ends it is the test.
const LEASE_MS: &str = "86400000";

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The client's own counter.
    Count,
    /// A counter of all clients.
    CountTogether,
    Set {
        register: u64,
        value: u64,
    },
    /// Ends the lease that changes hands.
    Drop,
    /// Takes it again.
    Take {
        holder: u64,
    },
    /// Renews the lease that is kept.
    Keep,
}

#[derive(Clone, Copy, Debug, Default)]
struct Register {
    acknowledged: Option<u64>,
    /// The unknown ones sent after that.
    unknown: [Option<u64>; 4],
    unknown_more: bool,
}

/// The account of one client.
#[derive(Debug)]
pub struct Ledger {
    /// Unique among the clients of a cluster.
    pub client: String,
    /// Where every client of one load counts together.
    pub together: String,
    /// Of the values that it sets, at least.
    value_bytes: usize,
    sequence: u64,
    pub acknowledged: u64,
    pub unknown: u64,
    /// Refused with certainty that nothing was executed.
    pub refused: u64,
    counted: u64,
    count_unknown: u64,
    count_last: i64,
    pub together_acknowledged: Vec<i64>,
    pub together_unknown: u64,
    registers: BTreeMap<u64, Register>,
    /// Of every grant of the lease that changes hands, in order.
    pub tokens: Vec<i64>,
    kept_token: i64,
    /// Whether the lease that changes hands may still be held by an earlier taking.
    may_be_held: bool,
    /// Grants that were told only after the client's own next one.
    pub overtaken: u64,
    /// The last reply.
    pub last_reply: Option<Instant>,
}

impl Ledger {
    pub fn new(load: &str, index: usize, value_bytes: usize) -> Self {
        Self {
            client: format!("{load}:{index}"),
            together: format!("together:{load}"),
            value_bytes,
            sequence: 0,
            acknowledged: 0,
            unknown: 0,
            refused: 0,
            counted: 0,
            count_unknown: 0,
            count_last: 0,
            together_acknowledged: Vec::new(),
            together_unknown: 0,
            registers: BTreeMap::new(),
            tokens: Vec::new(),
            kept_token: 0,
            may_be_held: false,
            overtaken: 0,
            last_reply: None,
        }
    }

    fn key(&self, kind: &str) -> String {
        format!("{kind}:{}", self.client)
    }

    fn register(&self, number: u64) -> String {
        format!("set:{}:{number}", self.client)
    }

    /// Takes the lease that is kept.
    pub async fn open(&mut self, connection: &mut Connection) -> Result<()> {
        let grant =
            connection.ask(&["LEASE.ACQUIRE", &self.key("kept"), &self.client, "PX", LEASE_MS]).await?;
        let grant = grant.array()?;
        ensure!(grant[0].integer()? == 1, "the lease to keep was not free: {grant:?}");
        self.kept_token = grant[1].integer()?;
        Ok(())
    }

    /// The next request, put behind those waiting to be sent.
    pub fn push(&mut self, connection: &mut Connection) -> Operation {
        self.sequence += 1;
        let n = self.sequence;
        let operation = match n % 10 {
            0 => Operation::Keep,
            1 => Operation::Drop,
            2 => Operation::Take { holder: n },
            3 => Operation::CountTogether,
            4 | 6 | 8 => Operation::Set { register: n / 2 % REGISTERS, value: n },
            _ => Operation::Count,
        };
        match operation {
            Operation::Count => connection.push(&[b"INCR", self.key("count").as_bytes()]),
            Operation::CountTogether => connection.push(&[b"INCR", self.together.as_bytes()]),
            Operation::Set { register, value } => {
                let key = self.register(register);
                let value = format!("{value:0>width$}", width = self.value_bytes);
                connection.push(&[b"SET", key.as_bytes(), value.as_bytes()]);
            }
            Operation::Drop => connection.push(&[b"DEL", self.key("taken").as_bytes()]),
            Operation::Take { holder } => {
                let (key, holder) = (self.key("taken"), holder.to_string());
                let request = ["LEASE.ACQUIRE", &key, &holder, "PX", LEASE_MS].map(str::as_bytes);
                connection.push(&request);
            }
            Operation::Keep => {
                let key = self.key("kept");
                let request = ["LEASE.RENEW", &key, &self.client, "PX", LEASE_MS].map(str::as_bytes);
                connection.push(&request);
            }
        }
        operation
    }

    /// Books a reply. An error here is a broken promise, or a reply that no test allows.
    pub fn book(&mut self, operation: Operation, reply: &Value) -> Result<()> {
        self.last_reply = Some(Instant::now());
        if let Some(error) = reply.error() {
            if error.starts_with("TIMEOUT ") {
                self.lose(operation);
                return Ok(());
            }
            ensure!(error.starts_with("LOADING "), "{operation:?} of {}: {error}", self.client);
            self.refused += 1;
            self.may_be_held |= operation == Operation::Drop;
            return Ok(());
        }
        self.acknowledged += 1;
        self.keep(operation, reply).with_context(|| format!("{operation:?} of {}: {reply:?}", self.client))
    }

    fn keep(&mut self, operation: Operation, reply: &Value) -> Result<()> {
        match operation {
            Operation::Count => {
                let count = reply.integer()?;
                self.counted += 1;
                ensure!(count > self.count_last, "a counter went back: {} before", self.count_last);
                self.count_last = count;
                self.check_count(count)?;
            }
            Operation::CountTogether => self.together_acknowledged.push(reply.integer()?),
            Operation::Set { register, value } => {
                ensure!(reply.is_ok(), "not OK");
                self.registers
                    .insert(register, Register { acknowledged: Some(value), ..Register::default() });
            }
            Operation::Drop => {
                reply.integer()?;
                self.may_be_held = false;
            }
            Operation::Take { holder } => {
                let grant = reply.array()?;
                if grant[0].integer()? == 0 {
                    // Sent again to a new leader after the whole window had run: answered with how things stand,
                    // which is this client itself, further on, or nobody because it has dropped the lease since.
                    // The drop behind a taking stands nine requests later, and must have been sent.
                    let free = matches!(grant[1], Value::Null) && self.sequence >= holder + 9;
                    let by_itself =
                        free || grant[3].integer().is_ok_and(|later| later.unsigned_abs() > holder);
                    self.overtaken += u64::from(by_itself);
                    ensure!(by_itself || self.may_be_held, "a lease that was just dropped is held");
                    return Ok(());
                }
                let token = grant[1].integer()?;
                let last = self.tokens.last().copied().unwrap_or(0);
                ensure!(token > last, "a token did not grow: {last} before");
                self.tokens.push(token);
            }
            Operation::Keep => {
                let grant = reply.array()?;
                ensure!(grant[0].integer()? == 1, "a lease was lost");
                ensure!(grant[1].integer()? == self.kept_token, "a lease changed its token");
            }
        }
        Ok(())
    }

    /// Books a request whose outcome nobody knows.
    pub fn lose(&mut self, operation: Operation) {
        self.unknown += 1;
        match operation {
            Operation::Count => self.count_unknown += 1,
            Operation::CountTogether => self.together_unknown += 1,
            Operation::Set { register, value } => {
                let register = self.registers.entry(register).or_default();
                match register.unknown.iter_mut().find(|slot| slot.is_none()) {
                    Some(slot) => *slot = Some(value),
                    None => register.unknown_more = true,
                }
            }
            Operation::Drop => self.may_be_held = true,
            Operation::Take { .. } | Operation::Keep => {}
        }
    }

    fn check_count(&self, count: i64) -> Result<()> {
        let Self { counted, count_unknown, .. } = self;
        let (least, most) = (i64::try_from(*counted)?, i64::try_from(counted + count_unknown)?);
        ensure!(
            (least..=most).contains(&count),
            "{count} is not between {least} acknowledged and {most} sent"
        );
        Ok(())
    }

    /// Reads back everything that was promised.
    pub async fn verify(&self, connection: &mut Connection) -> Result<()> {
        let count = match connection.ask(&["GET", &self.key("count")]).await? {
            Value::Null => 0,
            count => count.integer()?,
        };
        self.check_count(count).with_context(|| format!("the counter of {}", self.client))?;
        for (number, register) in &self.registers {
            let value = connection.ask(&["GET", &self.register(*number)]).await?;
            let value = match value {
                Value::Null => None,
                value => Some(u64::try_from(value.integer()?)?),
            };
            let last = value == register.acknowledged;
            let later = value.is_some() && (register.unknown_more || register.unknown.contains(&value));
            ensure!(last || later, "register {number} of {} holds {value:?}, not {register:?}", self.client);
        }
        let token = connection.ask(&["LEASE.TOKEN", &self.key("kept"), &self.client]).await?;
        ensure!(token == Value::Integer(self.kept_token), "the lease of {}: {token:?}", self.client);
        Ok(())
    }
}

/// Removes every key of the clients of one load: the cluster holds so many, and a long test more.
pub async fn clear<'a>(
    ledgers: impl IntoIterator<Item = &'a Ledger>,
    connection: &mut Connection,
) -> Result<()> {
    for ledger in ledgers {
        let mut keys = ["count", "taken", "kept"].map(|kind| ledger.key(kind)).to_vec();
        keys.extend((0..REGISTERS).map(|register| ledger.register(register)));
        keys.push(ledger.together.clone());
        let request: Vec<&str> = std::iter::once("DEL").chain(keys.iter().map(String::as_str)).collect();
        connection.ask(&request).await?.integer()?;
    }
    Ok(())
}

/// Every promise to the clients of one load, read at all nodes.
pub async fn verify_everywhere(ledgers: &[Ledger], redis_ports: [u16; 3]) -> Result<()> {
    for (node, port) in (1..).zip(redis_ports) {
        let mut connection = Connection::open(port).await?;
        verify_together(ledgers, &mut connection).await?;
        for ledger in ledgers {
            ledger.verify(&mut connection).await.with_context(|| format!("read at node {node}"))?;
        }
    }
    verify_tokens(ledgers).map(drop)
}

/// Books of one load together: the common counter, and that no token was granted twice.
pub async fn verify_together<'a>(
    ledgers: impl IntoIterator<Item = &'a Ledger>,
    connection: &mut Connection,
) -> Result<()> {
    let ledgers: Vec<&Ledger> = ledgers.into_iter().collect();
    let Some(first) = ledgers.first() else { return Ok(()) };
    let mut replies: Vec<i64> =
        ledgers.iter().flat_map(|ledger| ledger.together_acknowledged.clone()).collect();
    let acknowledged = replies.len();
    replies.sort_unstable();
    ensure!(replies.windows(2).all(|two| two[0] < two[1]), "two clients were told the same count");
    let unknown: u64 = ledgers.iter().map(|ledger| ledger.together_unknown).sum();
    let count = match connection.ask(&["GET", &first.together]).await? {
        Value::Null => 0,
        count => count.integer()?,
    };
    let (least, most) = (i64::try_from(acknowledged)?, i64::try_from(acknowledged as u64 + unknown)?);
    ensure!((least..=most).contains(&count), "counted together: {count}, not between {least} and {most}");
    ensure!(replies.last().is_none_or(|last| *last <= count), "the common counter went back to {count}");
    Ok(())
}

/// No token twice, in any load of a cluster's life.
pub fn verify_tokens<'a>(ledgers: impl IntoIterator<Item = &'a Ledger>) -> Result<usize> {
    let mut tokens: Vec<i64> = Vec::new();
    for ledger in ledgers {
        tokens.extend(&ledger.tokens);
        tokens.push(ledger.kept_token);
    }
    let all = tokens.len();
    tokens.sort_unstable();
    tokens.dedup();
    ensure!(tokens.len() == all, "{} tokens were granted twice", all - tokens.len());
    Ok(all)
}
