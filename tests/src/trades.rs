//! What was traded, and whether it might be: the log's orders, the truth of the simulated exchange, and who held the lease,
//! put together. Neither knows enough by itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use wire::v1::{self, OrderStatus};

/// The door by which orders come to the exchange.
const NEW_ORDER: &str = "POST /api/v3/order";

/// How the exchange refuses what comes too late.
const TOO_LATE: (Option<u16>, Option<i64>) = (Some(400), Some(-1021));

/// The bits of a token that are the serial of its grant.
const SERIAL_BITS: u32 = 44;

/// `GET /ledger` of the exchange, as far as it is needed here.
#[derive(Clone, Debug, Deserialize)]
pub struct Ledger {
    pub requests: Vec<Request>,
    requests_forgotten: u64,
    orders: Vec<Placed>,
}

/// A request that arrived at the exchange.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    arrived_ms: i64,
    door: String,
    pub client_order_id: Option<String>,
    symbol: Option<String>,
    side: Option<String>,
    quantity: Option<String>,
    timestamp: Option<String>,
    receive_window: Option<String>,
    pub fault: Option<String>,
    executed_ms: Option<i64>,
    pub status: Option<u16>,
    code: Option<i64>,
}

/// An order at the exchange.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    client_order_id: String,
    status: String,
    executed_qty: String,
}

/// Who held the lease, in serials of the log.
#[derive(Clone, Debug, Default)]
pub struct Reigns {
    /// Tokens by the serials under which they were granted.
    granted: BTreeMap<u64, u64>,
    /// By token: a serial by which its lease was free, the least that was heard.
    free: BTreeMap<u64, u64>,
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    pub authorized: usize,
    /// In the book of the exchange.
    pub placed: usize,
    /// Refused by the exchange, because they were sent too late.
    pub sent_late: usize,
    /// Refused by it although they were sent in time: they were held up on the way.
    pub held_up: usize,
    /// Of which the log knows no outcome.
    pub unknown: usize,
    /// Holders that traded.
    pub traders: usize,
}

impl Request {
    /// An order that was sent.
    pub fn is_new_order(&self) -> bool {
        self.door == NEW_ORDER
    }

    pub fn is_refused_as_late(&self) -> bool {
        (self.status, self.code) == TOO_LATE
    }
}

impl Reigns {
    /// A change of the lease, at the latest under this serial. `before` is the token that the same watch told last.
    pub fn heard(&mut self, before: Option<u64>, serial: u64, token: Option<u64>) {
        match (before, token) {
            (_, Some(token)) => drop(self.granted.insert(serial_of(token), token)),
            (Some(before), None) => {
                let free = self.free.entry(before).or_insert(serial);
                *free = serial.min(*free);
            }
            (None, None) => {}
        }
    }

    /// That whoever has this token held the lease under this serial.
    fn check(&self, token: u64, serial: u64) -> Result<()> {
        let (_, current) = self.granted.range(..serial).next_back().context("nobody had held it yet")?;
        ensure!(*current == token, "{current} was the token, not {token}");
        let free = self.free.get(&token).copied().unwrap_or(u64::MAX);
        ensure!(serial <= free, "it was free, since {free} at the latest");
        Ok(())
    }
}

fn serial_of(token: u64) -> u64 {
    token & ((1 << SERIAL_BITS) - 1)
}

/// Whether every order at the exchange was authorised by who held the lease, sent once, as it was authorised, and taken within
/// its time; and whether the log says of it what is so.
pub fn judge(orders: &[v1::Order], ledger: &Ledger, reigns: &Reigns) -> Result<Verdict> {
    ensure!(ledger.requests_forgotten == 0, "the exchange has forgotten {}", ledger.requests_forgotten);
    // Of those that were turned down nothing may be at the exchange, as of those that it was never asked for.
    let orders: Vec<&v1::Order> =
        orders.iter().filter(|order| order.status() != OrderStatus::Denied).collect();
    let mut authorized = BTreeMap::new();
    for order in &orders {
        check_authority(order, reigns).with_context(|| format!("{order:?} was authorised"))?;
        authorized.insert(order.client_order_id.as_str(), *order);
    }
    let sent: Vec<&Request> = ledger.requests.iter().filter(|request| request.is_new_order()).collect();
    let mut names = BTreeSet::new();
    for request in &sent {
        let name = request.client_order_id.as_deref().context("an order without a name")?;
        ensure!(names.insert(name), "sent twice: {request:?}");
        let order = authorized.get(name).with_context(|| format!("never authorised: {request:?}"))?;
        check_sending(request, order).with_context(|| format!("{request:?} of {order:?}"))?;
    }
    let placed: BTreeMap<&str, &Placed> =
        ledger.orders.iter().map(|placed| (placed.client_order_id.as_str(), placed)).collect();
    ensure!(placed.len() == ledger.orders.len(), "two orders at the exchange have one name");
    ensure!(placed.keys().all(|name| names.contains(name)), "nobody sent one of {placed:?}");
    for order in &orders {
        let name = order.client_order_id.as_str();
        let at_venue = placed.get(name).copied();
        check_outcome(order, at_venue).with_context(|| format!("{order:?} is {at_venue:?} there"))?;
    }
    let late = sent.iter().filter(|request| request.is_refused_as_late());
    let sent_late = late.clone().filter(|request| arrived_late(request)).count();
    let tokens: BTreeSet<u64> = orders.iter().map(|order| order.token).collect();
    Ok(Verdict {
        authorized: orders.len(),
        placed: placed.len(),
        sent_late,
        held_up: late.count() - sent_late,
        unknown: orders.iter().filter(|order| is_unknown(order)).count(),
        traders: tokens.len(),
    })
}

fn check_authority(order: &v1::Order, reigns: &Reigns) -> Result<()> {
    let serial = order.authorized_serial.context("it was not")?;
    reigns.check(order.token, serial).with_context(|| format!("under {serial}"))
}

/// The last instant at which the exchange may take it.
fn not_after_ms(request: &Request) -> Option<i64> {
    let number = |text: &Option<String>| text.as_ref()?.parse::<i64>().ok();
    Some(number(&request.timestamp)? + number(&request.receive_window)?)
}

fn arrived_late(request: &Request) -> bool {
    not_after_ms(request).is_none_or(|not_after_ms| request.arrived_ms > not_after_ms)
}

fn check_sending(request: &Request, order: &v1::Order) -> Result<()> {
    let Request { symbol, side, quantity, timestamp, receive_window, .. } = request;
    let sent = [symbol, side, quantity, timestamp, receive_window].map(Option::as_deref);
    let word = order.side().as_str_name().trim_start_matches("SIDE_");
    let time = order.timestamp_ms.context("no timestamp")?.to_string();
    let window = order.window_ms.context("no window")?.to_string();
    let authorized = [&order.symbol, word, &order.quantity, &time, &window].map(Some);
    ensure!(sent == authorized, "other than authorised: {sent:?}, {authorized:?}");
    let not_after_ms = not_after_ms(request).context("it has no end")?;
    if arrived_late(request) {
        ensure!(request.is_refused_as_late(), "it came after {not_after_ms} and was not refused for it");
    }
    if request.status == Some(200) {
        let executed_ms = request.executed_ms.context("it was taken some time")?;
        ensure!(executed_ms <= not_after_ms, "it was taken after {not_after_ms}");
    }
    Ok(())
}

/// The log may know less than the exchange, and nothing else.
fn check_outcome(order: &v1::Order, at_venue: Option<&Placed>) -> Result<()> {
    ensure!(!order.flags.iter().any(|flag| flag == "quarantined" || flag == "overfilled"), "a contradiction");
    match at_venue {
        _ if is_unknown(order) => {}
        Some(Placed { status, executed_qty, .. }) => {
            ensure!(order.status() == OrderStatus::Filled && status == "FILLED", "they differ");
            ensure!(digits(&order.filled_quantity) == digits(executed_qty), "more or less was filled");
        }
        None => ensure!(order.status() == OrderStatus::Rejected, "it is not there"),
    }
    Ok(())
}

/// The same of equal decimals, however many zeros stand at the end.
fn digits(decimal: &str) -> &str {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal }
}

fn is_unknown(order: &v1::Order) -> bool {
    matches!(order.status(), OrderStatus::Submitting | OrderStatus::SubmitUnknown)
}
