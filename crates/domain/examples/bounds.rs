//! What the state takes at its limits: memory for each row, and the time for which a look at it holds up `apply`.
//!
//! `cargo run --release -p domain --example bounds -- leases 1000000` (or `counts`, `keys`), each in a process of its
//! own, because memory is read from `/proc`; `lists` tells what commands on the longest list take. `orders` are authorised and
//! open, `filled` have one fill and have not gone to the history yet, `tombstones` are what is left of them then.

#![expect(clippy::disallowed_types, reason = "it measures time, and no node runs it")]

use std::sync::Arc;
use std::time::Instant;

use domain::command::Audit;
use domain::limits::{
    ELEMENT_BYTES, KEYS_MAX, ORDERS_MAX, OUTCOMES_MAX, SETTLED_MS, TOMBSTONES_MAX, VALUE_BYTES_MAX,
};
use domain::orders::command::{OrderAction, OrderAnswer, Submit};
use domain::orders::fill::{Commission, Fill, FillKey};
use domain::orders::order::Sender;
use domain::orders::report::{OrderName, Report, Weight, Witness};
use domain::orders::{Fact, Intent, OrderId, OrderType, Side as OrderSide, Tag, TimeInForce};
use domain::trading::Draft;
use domain::trading::account::{Account, AccountMode};
use domain::trading::command::TradingAction;
use domain::trading::limits::Limits;
use domain::trading::strategy::Strategy;
use domain::trading::venue::{Instrument, Venue};
use domain::{
    Action, Alteration, Answer, Command, ExpireCondition, Expiry, Key, LeaseName, ListChange, LogTime, Once,
    Position, RequestId, SetCondition, Side, Stamp, State, Token,
};

/// Commands between two points of time: an entry under load.
const BATCH: usize = 500;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().expect("leases, counts, keys, lists, orders, filled or tombstones");
    let rows = arguments.next().and_then(|rows| rows.parse().ok()).expect("the number of rows");
    match kind.as_str() {
        "lists" => long_lists(rows),
        "orders" | "filled" | "tombstones" => trade(&kind, rows),
        kind => measure(kind, rows),
    }
}

/// What a command takes on the longest list that there is, of so many.
fn long_lists(commands: usize) {
    let (mut state, key) = (State::default(), Key::new(0, b"list".as_slice()));
    let change = |change| Action::Alter { key: key.clone(), alteration: Alteration::List(change) };
    let element = |text: String| Arc::<[u8]>::from(text.into_bytes());
    let longest = VALUE_BYTES_MAX / (ELEMENT_BYTES + 4);
    let elements = vec![element("0000".into()); longest];
    let push = change(ListChange::Push { side: Side::Right, elements, if_present: false });
    let set = |number| {
        let index = (number % longest) as i64;
        change(ListChange::Set { index, element: element(format!("{:04}", number % 9999 + 1)) })
    };
    let remove = |_| change(ListChange::Remove { element: element("none".into()), count: 0 });
    let expire = |_| Action::Expire {
        key: key.clone(),
        expiry: Expiry::InMs(1 << 30),
        condition: ExpireCondition::Always,
        holder: None,
    };
    let mut index = 0;
    let mut apply = |action| {
        index += 1;
        let stamp = Some(Stamp { term: 1, time: LogTime::from_ms(index) });
        state.apply(Position { index, offset: 0, term: 1, stamp }, Command { once: None, action });
    };
    apply(push);
    let kinds: [(&str, &dyn Fn(usize) -> Action); 3] =
        [("another element", &set), ("nothing removed", &remove), ("another end", &expire)];
    for (what, make) in kinds {
        let began = Instant::now();
        (0..commands).for_each(|number| apply(make(number)));
        println!("{what}, {longest} elements: {:?} a command", began.elapsed() / commands as u32);
    }
}

fn measure(kind: &str, rows: usize) {
    let rows = rows.min(if kind == "keys" { KEYS_MAX } else { OUTCOMES_MAX });
    let mut state = State::default();
    let (resident, began) = (resident_bytes(), Instant::now());
    for number in 0..rows {
        let time = LogTime::from_ms((number / BATCH) as u64);
        let at =
            Position { index: number as u64 + 1, offset: 0, term: 1, stamp: Some(Stamp { term: 1, time }) };
        state.apply(at, command(kind, number));
    }
    let (grown, each) = (resident_bytes() - resident, began.elapsed() / rows as u32);
    println!("{kind}: {} keys, {} outcomes", state.key_count(), state.outcome_count());
    println!("  memory: {} bytes a row; apply: {each:?} a command", grown / rows);
    for _ in 0..3 {
        let began = Instant::now();
        let frozen = state.freeze();
        let held_up = began.elapsed();
        let image = frozen.image();
        println!("  frozen in {held_up:?}, laid out in {:?}", began.elapsed() - held_up);
        drop(image);
    }
    let began = Instant::now();
    let bytes: usize = state.keys().map(|(key, entry)| key.name.len() + entry.value.bytes()).sum();
    println!("  all keys, {bytes} bytes: {:?}", began.elapsed());
    let (digest, image) = (state.digest(), state.image());
    let began = Instant::now();
    State::from_image(image, digest).expect("it is its own digest");
    println!("  from an image: {:?}", began.elapsed());
}

fn command(kind: &str, number: usize) -> Command {
    let holder = format!("bot-{:08}", number % 997).into_bytes();
    let action = match kind {
        "keys" => Action::Set {
            key: Key::new(
                0,
                format!("lease/{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes(),
            ),
            value: holder.into(),
            condition: SetCondition::Always,
            expiry: Expiry::InMs(1 << 30),
            previous: false,
        },
        "leases" => Action::Acquire {
            key: Key::new(0, format!("lease/{:08}", number / 2 % 5000).into_bytes()),
            holder: holder.into(),
            ttl_ms: 1 << 30,
            take_over: true,
        },
        _ => Action::Increment { key: Key::new(0, format!("n/{}", number % 1000).into_bytes()), by: 1 },
    };
    // Three nodes at which commands enter.
    let id = RequestId::Node { incarnation: 7 * (number as u64 % 3 + 1), sequence: number as u64 / 3 };
    let once = Once { id, valid_until: LogTime::from_ms((number / BATCH) as u64 + 10_000) };
    Command { once: (kind != "keys").then_some(once), action }
}

/// Orders that are authorised, or closed as well, or history; of those a thousand at a time, whose memory is used again.
fn trade(kind: &str, rows: usize) {
    let (most, round) =
        if kind == "tombstones" { (TOMBSTONES_MAX - 2000, 1000) } else { (ORDERS_MAX, ORDERS_MAX) };
    let rows = rows.min(most);
    let mut desk = Desk::open();
    if kind == "tombstones" {
        desk.trade(rows..rows + round, true);
        desk.a_day_passes();
    }
    let (resident, began) = (resident_bytes(), Instant::now());
    for first in (0..rows).step_by(round) {
        desk.trade(first..rows.min(first + round), kind != "orders");
        if kind == "tombstones" {
            desk.a_day_passes();
        }
    }
    let (grown, each) = (resident_bytes() - resident, began.elapsed() / rows as u32);
    let orders = desk.state.orders();
    println!("{kind}: {} orders in memory, {} tombstones", orders.len(), orders.tombstone_count());
    println!("  memory: {} bytes each; apply: {each:?} each", grown / rows);
}

struct Desk {
    state: State,
    index: u64,
    now: LogTime,
    token: Token,
}

impl Desk {
    fn open() -> Self {
        let (state, now) = (State::default(), LogTime::ZERO);
        let mut desk = Self { state, index: 0, now, token: Token::from_u64(0).expect("the least") };
        let audit = Box::new(Audit {
            wall_ms: 0,
            actor: "bounds".into(),
            action: "configure".into(),
            subject: String::new(),
            reason: String::new(),
        });
        desk.apply(Action::Trading(Box::new(TradingAction::Configure {
            expected: None,
            draft: draft(),
            tag: Tag::of(1),
            audit,
        })));
        desk
    }

    fn apply(&mut self, action: Action) -> Answer {
        self.index += 1;
        let stamp = Some(Stamp { term: 1, time: self.now });
        let at = Position { index: self.index, offset: 0, term: 1, stamp };
        let answer = self.state.apply(at, Command { once: None, action }).answer;
        // A file would have it.
        drop(self.state.take_unwritten_history());
        answer
    }

    fn trade(&mut self, numbers: std::ops::Range<usize>, is_filled: bool) {
        let (key, holder) = (Key::new(0, *b"desk"), (*b"bot").into());
        let acquire = Action::Acquire { key, holder, ttl_ms: 1 << 30, take_over: true };
        let Answer::Lease { lease: Some(lease), .. } = self.apply(acquire) else {
            unreachable!("it is free")
        };
        self.token = lease.token;
        for number in numbers {
            let intent = self.intent(number);
            let submit = Submit { intent, sender: Sender::Bot, hold_ms: 0, wall_ms: Some(0) };
            let answer = self.apply(Action::Order(Box::new(OrderAction::Submit(submit))));
            let Answer::Order(answer) = answer else { unreachable!("an order is answered") };
            let OrderAnswer::Authorized { order, .. } = *answer else { panic!("{answer:?}") };
            if is_filled {
                self.apply(Action::Order(Box::new(OrderAction::Report(filled(number, order)))));
            }
        }
    }

    fn a_day_passes(&mut self) {
        self.now = self.now.plus_ms(SETTLED_MS);
        while !self.state.orders().is_empty() {
            self.apply(Action::Tick);
        }
    }

    fn intent(&self, number: usize) -> Intent {
        Intent {
            key: name(&format!("0192f3a4-{number:012}")),
            account: name("main-account"),
            strategy: name("market-maker"),
            algorithm: name("grid"),
            trader: name("ann"),
            symbol: name("BTCUSDT"),
            side: OrderSide::Buy,
            order_type: OrderType::Limit,
            time_in_force: Some(TimeInForce::Gtc),
            quantity: name("0.125"),
            price: Some(name("100.01")),
            stop_price: None,
            reduce_only: false,
            lease: LeaseName::new("desk").expect("a name"),
            token: self.token,
        }
    }
}

fn filled(number: usize, order: OrderId) -> Report {
    let fill = Fill {
        quantity: name("0.125"),
        price: name("100.01"),
        is_bust: false,
        commission: Some(Commission { amount: name("0.0001"), asset: name("BNB") }),
        maker: Some(true),
        venue_ms: Some(0),
    };
    let venue_order_id = name(&format!("{}", 9_000_000_000 + number));
    let key = FillKey { trade: name(&format!("{}", 7_000_000_000 + number)), venue_order_id };
    Report {
        account: name("main-account"),
        symbol: name("BTCUSDT"),
        order: OrderName::Id(order),
        by: Witness::Bot,
        venue_ms: Some(0),
        venue_order_id: Some(key.venue_order_id.clone()),
        terms: None,
        fact: Fact::Trades(vec![(key, fill)]),
    }
}

fn draft() -> Draft {
    let instrument = Instrument {
        base: name("BTC"),
        quote: name("USDT"),
        tick: name("0.01"),
        step: name("0.001"),
        quantity_min: name("0.001"),
        quantity_max: name("1000"),
        notional_min: name("1"),
        order_types: OrderType::ALL.into_iter().collect(),
        reference_price: Some(name("100")),
        contract_size: name("1"),
    };
    let account = Account {
        id: name("main-account"),
        venue: name("sim"),
        mode: AccountMode::Direct,
        lease: None,
        window_ms: 2000,
        bot_reports: Weight::Evidence,
        reconciliation: false,
        limits: Limits::default(),
        symbol_limits: Default::default(),
    };
    let strategy = Strategy {
        id: name("market-maker"),
        accounts: [name("main-account")].into(),
        lease: LeaseName::new("desk").expect("a name"),
        symbols: Default::default(),
        limits: Limits::default(),
        symbol_limits: Default::default(),
    };
    let symbols = [(name("BTCUSDT"), instrument)].into();
    let venue = Venue { id: name("sim"), kind: name("simulated"), symbols };
    Draft { venues: vec![venue], accounts: vec![account], strategies: vec![strategy], day_offset_minutes: 0 }
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("what is written here is well formed")
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    4096 * resident.expect("the second number is what is resident")
}
