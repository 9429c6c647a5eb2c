//! Rows that are kept in parts: orders with many fills, configurations, counters.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::command::Audit;
use domain::image::{Configured, TradingRecords};
use domain::limits::{FILLS_PER_ORDER_MAX, TRADES_PER_REPORT_MAX};
use domain::orders::command::OrderAction;
use domain::orders::evidence::Evidence;
use domain::orders::fill::{Commission, Fill, FillKey, Fills};
use domain::orders::order::Origin;
use domain::orders::report::{OrderName, Terms, Witness};
use domain::orders::{Fact, Intent, Order, OrderId, OrderType, Report, Side, Tag, TimeInForce};
use domain::trading::command::TradingAction;
use domain::trading::configuration::{Configuration, Draft, Revision};
use domain::trading::counters::PositionKey;
use domain::trading::venue::{Instrument, Venue};
use domain::{Action, Changes, Command, Digest, Image, RowCounts, Serial};
use proptest::prelude::*;
use prost::Message;
use wire::image::BLOCK_BYTES;
use wire::{StateDecoder, StoredRow, log};

use crate::{any, desk};

/// What a state store takes as one value.
const STORE_VALUE_BYTES_MAX: usize = 68 * 1024;

/// The rows of a store, by the places of their tables and their keys.
#[derive(Default)]
struct Store(BTreeMap<(usize, Vec<u8>), Vec<u8>>);

impl Store {
    fn apply(&mut self, changes: &Changes) {
        for StoredRow { table, key, value } in wire::encode_changes(changes, Digest(0)) {
            let table = wire::TABLES.iter().position(|known| *known == table).expect("a table");
            match value {
                Some(value) => {
                    assert!(value.len() <= STORE_VALUE_BYTES_MAX, "{} bytes", value.len());
                    self.0.insert((table, key), value);
                }
                None => drop(self.0.remove(&(table, key))),
            }
        }
    }

    fn parts_of(&self, table: &str) -> usize {
        self.0.keys().filter(|(known, _)| wire::TABLES[*known] == table).count()
    }

    fn image(&self) -> Image {
        decoded(self.0.values().cloned().map(Bytes::from))
    }
}

fn decoded(blocks: impl Iterator<Item = Bytes>) -> Image {
    let mut decoder = StateDecoder::new();
    blocks.for_each(|block| decoder.push(&block).expect("whole rows"));
    decoder.finish().expect("all rows").0
}

/// With names as long as they may be.
fn many_fills() -> Fills {
    let fill = |number: usize| {
        let key = FillKey {
            trade: desk::name(&format!("{number:064}")),
            venue_order_id: desk::name(&"v".repeat(64)),
        };
        let number = || desk::number("12345678901234567.890");
        let fill = Fill {
            quantity: number(),
            price: number(),
            is_bust: true,
            commission: Some(Commission { amount: number(), asset: desk::name(&"A".repeat(64)) }),
            maker: Some(true),
            venue_ms: Some(i64::MIN),
        };
        (key, fill)
    };
    Fills { by_key: (0..FILLS_PER_ORDER_MAX).map(fill).collect(), conflict: true }
}

fn large_order(id: u64) -> Order {
    let evidence = || Evidence { fills: many_fills(), ..Evidence::default() };
    let intent = Intent { key: desk::name("large"), ..desk::intent() };
    let (venue, hints) = (evidence(), evidence());
    Order { id: OrderId(Serial(id)), origin: Origin::Intent(Box::new(intent)), venue, hints, ..desk::order() }
}

#[test]
fn an_order_with_as_many_fills_as_there_may_be_fits_blocks_and_a_store() {
    let orders = vec![Arc::new(desk::order()), Arc::new(large_order(u64::MAX))];
    let image = Image { orders, ..Image::default() };
    let blocks: Vec<Bytes> = wire::encode_state(&image, Digest(0)).collect();
    assert!(blocks.iter().all(|block| block.len() <= BLOCK_BYTES));
    assert_eq!(decoded(blocks.into_iter()), image);

    let mut store = Store::default();
    store.apply(&Changes::from(image.clone()));
    assert!((8..=16).contains(&store.parts_of("orders")), "{} parts", store.parts_of("orders"));
    assert_eq!(store.image(), image);
}

#[test]
fn an_order_that_is_gone_leaves_no_part_behind() {
    let small = Arc::new(desk::order());
    let large = Arc::new(large_order(u64::MAX));
    let mut store = Store::default();
    let image = Image { orders: vec![small.clone(), large.clone()], ..Image::default() };
    store.apply(&Changes::from(image));
    let single = Image::default();
    let counts = RowCounts { orders: 1, ..RowCounts::default() };
    store.apply(&Changes { orders: vec![(large.id, None)], single, counts, ..Changes::default() });
    assert_eq!(store.parts_of("orders"), 1);
    assert_eq!(store.image().orders, [small]);
}

fn configured(symbols: usize) -> Configured {
    let number = || desk::number("0.000000000000000001");
    let instrument = Instrument {
        base: desk::name("BTC"),
        quote: desk::name("USDT"),
        tick: number(),
        step: number(),
        quantity_min: number(),
        quantity_max: number(),
        notional_min: number(),
        order_types: OrderType::ALL.into(),
        reference_price: Some(number()),
        contract_size: number(),
    };
    let symbols = (0..symbols).map(|it| (desk::name(&format!("{it:064}")), instrument.clone()));
    let venue = Venue { id: desk::name("sim"), kind: desk::name("sim"), symbols: symbols.collect() };
    let draft = Draft { venues: vec![venue], ..Draft::default() };
    let configuration = Arc::new(Configuration::try_from(draft).expect("nothing is wrong with it"));
    Configured { tag: desk::tag(), configuration }
}

fn trading(positions: usize) -> TradingRecords {
    let mut trading = TradingRecords::default();
    trading.counters.positions = (0..positions)
        .map(|number| {
            let key = PositionKey {
                account: desk::name(&format!("{number:064}")),
                symbol: desk::name("BTCUSDT"),
                strategy: Some(desk::name("mm")),
            };
            (key, desk::name("-1.5"))
        })
        .collect();
    trading
}

#[test]
fn a_row_that_becomes_shorter_leaves_no_part_behind() {
    let mut store = Store::default();
    for (rows, parts) in [(1500, 3), (1, 1), (1000, 2), (1, 1)] {
        let (configured, trading) = (configured(rows / 2), trading(rows));
        let image = Image { configured: Some(configured), trading, ..Image::default() };
        let changes = Changes { everything: store.0.is_empty(), ..Changes::from(image.clone()) };
        store.apply(&changes);
        let found = [store.parts_of("configuration"), store.parts_of("trading")];
        assert_eq!(found, [parts, parts], "{rows} rows");
        assert_eq!(store.image(), image);
    }
}

#[test]
fn counters_that_begin_anew_are_written_over_those_that_were() {
    let mut store = Store::default();
    for trading in [trading(1), TradingRecords::default()] {
        let image = Image { trading, ..Image::default() };
        store.apply(&Changes { everything: false, ..Changes::from(image.clone()) });
        assert_eq!(store.image(), image);
    }
    let nothing_new = Changes { trading: None, everything: false, ..Changes::from(Image::default()) };
    store.apply(&nothing_new);
    assert_eq!(store.parts_of("trading"), 1, "it stays though nothing was written");
}

/// What a leader counts for a command when it fills an entry: `consensus` adds this to the action's own.
const COMMAND_BYTES: usize = 64;

fn holds_what_it_counts_for(action: Action) {
    let counted = COMMAND_BYTES + action.bytes();
    let encoded = log::Command::from(&Command::harmless(action)).encoded_len();
    assert!(encoded <= counted, "{encoded} bytes, and it counts for {counted}");
}

/// An entry that was filled by less than it takes would end its leader, and then the next.
#[test]
fn nothing_takes_more_of_an_entry_than_it_counts_for() {
    let fills = many_fills();
    let trades = fills.by_key.into_iter().take(TRADES_PER_REPORT_MAX).collect();
    let report = Report {
        account: desk::name(&"a".repeat(64)),
        symbol: desk::name(&"s".repeat(64)),
        order: OrderName::Venue(desk::name(&"o".repeat(64))),
        by: Witness::Venue,
        venue_ms: Some(i64::MIN),
        venue_order_id: Some(desk::name(&"v".repeat(64))),
        terms: Some(Terms {
            side: Side::Sell,
            order_type: Some(OrderType::TakeProfitLimit),
            time_in_force: Some(TimeInForce::Fok),
            quantity: Some(desk::number("12345678901234567.890")),
            price: Some(desk::number("12345678901234567.890")),
        }),
        fact: Fact::Trades(trades),
    };
    holds_what_it_counts_for(Action::Order(Box::new(OrderAction::Report(report))));
    let configured = configured(500);
    let (draft, tag) = (configured.configuration.draft(), configured.tag);
    let audit = Box::new(Audit {
        wall_ms: i64::MIN,
        actor: String::new(),
        action: String::new(),
        subject: String::new(),
        reason: String::new(),
    });
    let configure = TradingAction::Configure { draft, expected: Some(Revision(u128::MAX)), tag, audit };
    holds_what_it_counts_for(Action::Trading(Box::new(configure)));
}

proptest! {
    #[test]
    fn no_request_takes_more_of_an_entry_than_it_counts_for(action in any::orders::order_action()) {
        holds_what_it_counts_for(Action::Order(Box::new(action)));
    }

    #[test]
    fn no_configuration_takes_more_of_an_entry_than_it_counts_for(draft in any::trading::draft()) {
        let text = String::new;
        let audit = Box::new(Audit { wall_ms: 0, actor: text(), action: text(), subject: text(), reason: text() });
        let configure = TradingAction::Configure { draft, expected: None, tag: Tag::of(7), audit };
        holds_what_it_counts_for(Action::Trading(Box::new(configure)));
    }
}
