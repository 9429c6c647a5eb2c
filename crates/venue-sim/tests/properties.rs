//! What holds for any sequence of commands: money is neither made nor lost, the book is not crossed, and no order
//! trades more than it asked for.

use proptest::prelude::*;
use rust_decimal::Decimal;
use venue_sim::engine::{
    Command, Commission, Engine, Event, NewOrder, OrderType, Product, SelfTradePrevention, Side, Symbol,
    SymbolStatus, Terms, TimeInForce, Which,
};

const SYMBOL: &str = "BTCUSDT";
const ACCOUNTS: [&str; 3] = ["sim", "other", "house"];
const ORDER_TYPES: [OrderType; 7] = [
    OrderType::Limit,
    OrderType::Market,
    OrderType::LimitMaker,
    OrderType::StopLoss,
    OrderType::StopLossLimit,
    OrderType::TakeProfit,
    OrderType::TakeProfitLimit,
];
const TIMES: [TimeInForce; 3] = [TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok];
const PREVENTIONS: [SelfTradePrevention; 4] = [
    SelfTradePrevention::None,
    SelfTradePrevention::ExpireTaker,
    SelfTradePrevention::ExpireMaker,
    SelfTradePrevention::ExpireBoth,
];

fn orders() -> impl Strategy<Value = Command> {
    let shape = (0..ACCOUNTS.len(), any::<bool>(), 0..ORDER_TYPES.len(), 0..TIMES.len(), 0..4_usize);
    // Few prices around the opening one, so that orders meet.
    let amounts = (59_990..60_010_i64, 59_990..60_010_i64, 1..60_i64, 0..12_u32, any::<bool>());
    (shape, amounts).prop_map(
        |((account, is_buy, kind, time, prevention), (price, stop, lots, id, quote))| {
            let order_type = ORDER_TYPES[kind];
            let by_quote = quote && order_type == OrderType::Market;
            let given = |is_given: bool, value: Decimal| if is_given { value } else { Decimal::ZERO };
            Command::Place(NewOrder {
                account: ACCOUNTS[account].into(),
                symbol: SYMBOL.into(),
                client_order_id: format!("c{id}"),
                side: if is_buy { Side::Buy } else { Side::Sell },
                order_type,
                time_in_force: if order_type.has_time_in_force() { TIMES[time] } else { TimeInForce::Gtc },
                price: given(order_type.has_price(), Decimal::from(price)),
                quantity: given(!by_quote, Decimal::new(lots, 3)),
                quote_quantity: given(by_quote, Decimal::from(lots * 7)),
                stop_price: given(order_type.has_stop(), Decimal::from(stop)),
                self_trade_prevention: PREVENTIONS[prevention],
                strategy_id: None,
                strategy_type: None,
                terms: Terms::default(),
            })
        },
    )
}

fn commands() -> impl Strategy<Value = Command> {
    let account = || (0..ACCOUNTS.len()).prop_map(|account| ACCOUNTS[account].to_owned());
    prop_oneof![
        12 => orders(),
        3 => (account(), 1..60_u64).prop_map(|(account, id)| Command::Cancel {
            account,
            symbol: SYMBOL.into(),
            which: Which { order_id: Some(id), client_order_id: None },
            cancel_id: "x".into(),
            restriction: None,
        }),
        1 => account().prop_map(|account| Command::CancelAll {
            account,
            symbol: SYMBOL.into(),
            cancel_id: "x".into(),
        }),
        1 => Just(Command::ExpireAll { symbol: SYMBOL.into() }),
        1 => any::<bool>().prop_map(|trades| Command::SetStatus {
            symbol: SYMBOL.into(),
            status: if trades { SymbolStatus::Trading } else { SymbolStatus::CancelOnly },
        }),
    ]
}

/// Money for some dozen orders each, so that some are refused for want of it.
fn engine() -> Engine {
    let mut engine =
        Engine::new(Product::Spot, vec![Symbol::btcusdt()], &["sim", "other"], Commission::default());
    for account in ["sim", "other"] {
        for (asset, amount) in [("BTC", 1), ("USDT", 60_000)] {
            let change = Decimal::from(amount);
            let deposit = Command::Transfer { account: account.into(), asset: asset.into(), change };
            engine.apply(0, deposit).expect("anybody may pay in");
        }
    }
    engine.take_events();
    engine
}

fn judge(engine: &Engine) {
    let open: Vec<_> = engine.open_orders(SYMBOL).collect();
    assert!(engine.crossed().is_empty(), "the book is crossed");
    for (asset, total) in engine.supply() {
        let paid_in = if asset == "BTC" { 2 } else { 120_000 };
        assert_eq!(total, Decimal::from(paid_in), "{asset} was made or lost");
    }
    for account in ["sim", "other"] {
        for (asset, balance) in engine.balances(account) {
            let own = open.iter().filter(|order| {
                let pays = if order.side == Side::Buy { "USDT" } else { "BTC" };
                order.account == account && pays == asset
            });
            let locked: Decimal = own.map(|order| order.locked).sum();
            assert_eq!(balance.locked, locked, "{account} has {asset} locked for no order");
        }
    }
}

/// The same commands on futures, some of whose orders only reduce.
fn futures() -> Engine {
    let accounts = ["sim", "other"];
    let mut engine = Engine::new(Product::Futures, Symbol::futures(), &accounts, Commission::futures());
    for account in accounts {
        let (account, asset) = (account.into(), "USDT".into());
        engine
            .apply(0, Command::Transfer { account, asset, change: 300.into() })
            .expect("anybody may pay in");
    }
    engine.take_events();
    engine
}

fn on_futures(command: Command, only_reduces: bool) -> Option<Command> {
    let Command::Place(new) = command else { return Some(command) };
    let has_price = new.order_type.has_price();
    let order_type = if new.order_type == OrderType::LimitMaker { OrderType::Limit } else { new.order_type };
    let terms = Terms { reduce_only: only_reduces, ..Terms::default() };
    let wanted = has_price || new.quote_quantity.is_zero();
    wanted.then_some(Command::Place(NewOrder { order_type, terms, ..new }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn positions_come_to_nothing_and_who_only_reduces_opens_nothing(
        script in prop::collection::vec((commands(), any::<bool>()), 1..120),
    ) {
        let mut engine = futures();
        for (second, (command, only_reduces)) in script.into_iter().enumerate() {
            let Some(command) = on_futures(command, only_reduces) else { continue };
            let _refused = engine.apply(second as i64 * 1000, command);
            engine.take_events();
            prop_assert!(engine.crossed().is_empty(), "the book is crossed");
            let supply = engine.supply();
            prop_assert_eq!(supply["USDT"].normalize(), Decimal::from(600), "money was made or lost");
            let held = |account: &str| engine.positions(account).next().map(|(_, position)| position.quantity);
            let all: Decimal = ACCOUNTS.iter().filter_map(|account| held(account)).sum();
            prop_assert!(all.is_zero(), "who buys buys from somebody");
            for account in ["sim", "other"] {
                let quantity = held(account).unwrap_or_default();
                for (side, left) in [(Side::Sell, quantity), (Side::Buy, -quantity)] {
                    let only_reduce = engine.open_orders(SYMBOL).filter(|order| {
                        let terms = order.terms;
                        order.account == account && order.side == side && terms.reduce_only && order.is_working
                    });
                    let asked: Decimal = only_reduce.map(|order| order.remaining()).sum();
                    prop_assert!(asked <= left.max(Decimal::ZERO), "{asked} of {left} would be reduced");
                }
            }
        }
    }

    #[test]
    fn money_is_kept_and_orders_are_held_to(script in prop::collection::vec(commands(), 1..120)) {
        let mut engine = engine();
        for (second, command) in script.into_iter().enumerate() {
            let _refused = engine.apply(second as i64 * 1000, command);
            for event in engine.take_events() {
                let Event::Report(report) = event else { continue };
                let order = &report.order;
                prop_assert!(order.executed + order.prevented <= order.quantity);
                prop_assert!(order.status.is_open() || order.locked.is_zero());
                if let Some(fill) = &report.fill
                    && order.order_type.has_price()
                {
                    let better = if fill.is_buyer { fill.price <= order.price } else { fill.price >= order.price };
                    prop_assert!(better, "a fill at a worse price than the limit");
                }
            }
            judge(&engine);
        }
    }

    #[test]
    fn the_same_commands_give_the_same_events(script in prop::collection::vec(commands(), 1..60)) {
        let play = || {
            let mut engine = engine();
            for (second, command) in script.iter().enumerate() {
                let _refused = engine.apply(second as i64 * 1000, command.clone());
            }
            engine.take_events()
        };
        prop_assert_eq!(play(), play());
    }
}
