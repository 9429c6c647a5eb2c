//! Golden scripts: what the matching engine decides.
//!
//! A script whose name begins with `futures` is one of futures, any other of spot. It is commands, `---`, and what happened; `UPDATE_GOLDENFILES=1 cargo test -p venue-sim` writes the answers
//! again. The accounts are `sim` and `other`, and `house`, which may owe. The symbol is BTCUSDT unless `symbol=` says
//! another. Each command happens a second after the one before.
//!
//! | command | what it is |
//! |---|---|
//! | `deposit\|withdraw ACCOUNT ASSET AMOUNT` | pays in or out |
//! | `buy\|sell ACCOUNT QUANTITY [PRICE] [type=T] [tif=T] [stop=P] [stp=MODE] [id=CLIENT_ID] [quote=Q] [only=reduce\|close]` | an order: LIMIT with a price, else MARKET |
//! | `cancel ACCOUNT [ID] [client=CLIENT_ID] [only=RESTRICTION]`, `cancel-all ACCOUNT` | ends orders |
//! | `fill ID QUANTITY` | a resting order trades with the house |
//! | `status STATUS`, `expire-all` | acts of the exchange |
//! | `countdown ACCOUNT SECONDS\|off`, `leverage ACCOUNT N` | of futures |
//! | `wait SECONDS` | time passes |
//! | `book`, `balances ACCOUNT`, `positions ACCOUNT`, `average` | shows |

use std::error::Error;
use std::fmt::Write as _;

use goldenscript::{ArgumentConsumer, Runner};
use rust_decimal::Decimal;
use venue_sim::amount;
use venue_sim::engine::{
    CancelRestriction, Command, Commission, Engine, Event, NewOrder, OrderType, Product, Report,
    SelfTradePrevention, Side, Symbol, SymbolStatus, Terms, TimeInForce, Which,
};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            goldenscript::run(&mut Script::new(stringify!($name)), concat!("tests/scripts/", stringify!($name))).unwrap();
        })*

        #[test]
        fn every_script_is_run() {
            let files = std::fs::read_dir("tests/scripts").unwrap();
            let mut names: Vec<String> =
                files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

scripts! {
    balances
    cancel
    client_ids
    exchange_acts
    filters
    futures_countdown
    futures_margin
    futures_positions
    futures_reduce_only
    futures_stops
    market_orders
    matching
    self_trade
    stops
    time_in_force
}

struct Script {
    engine: Engine,
    at_ms: i64,
    orders: u32,
}

impl Script {
    /// On futures, if the name begins so.
    fn new(name: &str) -> Script {
        let accounts = ["sim", "other"];
        let engine = if name.starts_with("futures") {
            Engine::new(Product::Futures, Symbol::futures(), &accounts, Commission::futures())
        } else {
            let symbols = vec![Symbol::btcusdt(), Symbol::ethusdt()];
            Engine::new(Product::Spot, symbols, &accounts, Commission::default())
        };
        Script { engine, at_ms: 0, orders: 0 }
    }

    fn apply(&mut self, command: Command) -> Result<String> {
        self.engine.apply(self.at_ms, Command::Elapse)?;
        let refused = self.engine.apply(self.at_ms, command).err();
        let mut out = String::new();
        for event in self.engine.take_events() {
            write_event(&mut out, &event)?;
        }
        if let Some(rejection) = refused {
            writeln!(out, "refused: {rejection}")?;
        }
        Ok(out)
    }

    fn order(&mut self, side: Side, mut args: ArgumentConsumer<'_>) -> Result<Command> {
        self.orders += 1;
        let account = text(args.next_pos())?;
        let quantity = decimal(args.next_pos())?;
        let price = optional(args.next_pos())?;
        let plain = if price.is_zero() { OrderType::Market } else { OrderType::Limit };
        let new = NewOrder {
            account,
            symbol: args.take_key("symbol").unwrap_or("BTCUSDT").into(),
            client_order_id: args.take_key("id").map_or(format!("c{}", self.orders), str::to_owned),
            side,
            order_type: word(&mut args, "type", OrderType::parse)?.unwrap_or(plain),
            time_in_force: word(&mut args, "tif", TimeInForce::parse)?.unwrap_or(TimeInForce::Gtc),
            price,
            quantity,
            quote_quantity: optional(args.take_key("quote"))?,
            stop_price: optional(args.take_key("stop"))?,
            self_trade_prevention: word(&mut args, "stp", SelfTradePrevention::parse)?
                .unwrap_or(SelfTradePrevention::None),
            strategy_id: None,
            strategy_type: None,
            terms: match args.take_key("only") {
                None => Terms::default(),
                Some("reduce") => Terms { reduce_only: true, ..Terms::default() },
                Some("close") => Terms { close_position: true, ..Terms::default() },
                Some(word) => return Err(format!("only: no such word: {word}").into()),
            },
        };
        args.reject_next()?;
        Ok(Command::Place(new))
    }

    fn cancel(mut args: ArgumentConsumer<'_>) -> Result<Command> {
        let account = text(args.next_pos())?;
        let order_id = args.next_pos().map(|id| id.parse::<u64>()).transpose()?;
        let which = Which { order_id, client_order_id: args.take_key("client").map(str::to_owned) };
        let restriction = word(&mut args, "only", CancelRestriction::parse)?;
        args.reject_next()?;
        Ok(Command::Cancel { account, symbol: "BTCUSDT".into(), which, cancel_id: "x".into(), restriction })
    }

    fn countdown(&self, mut args: ArgumentConsumer<'_>) -> Result<Command> {
        let account = text(args.next_pos())?;
        let until_ms = match text(args.next_pos())?.as_str() {
            "off" => None,
            seconds => Some(self.at_ms + seconds.parse::<i64>()? * 1000),
        };
        Ok(Command::Countdown { account, symbol: "BTCUSDT".into(), until_ms })
    }

    fn show_positions(&self, account: &str) -> Result<String> {
        let mut out = String::new();
        for (symbol, position) in self.engine.positions(account) {
            let margin = self.engine.margin(account, symbol);
            let (quantity, entry) = (position.quantity.normalize(), position.entry_price().normalize());
            write!(out, "{symbol}: {quantity} @ {entry}, {}×", position.leverage)?;
            write!(out, ", realized {}", position.realized.normalize())?;
            write!(out, ", unrealized {}", margin.unrealized.normalize())?;
            writeln!(
                out,
                ", margin {} and {}",
                margin.of_positions.normalize(),
                margin.of_orders.normalize()
            )?;
        }
        writeln!(out, "available {}", self.engine.available(account).normalize())?;
        Ok(out)
    }

    fn show_book(&self) -> Result<String> {
        let depth = self.engine.depth("BTCUSDT", 100).ok_or("the symbol is there")?;
        let mut out = String::new();
        for (price, quantity) in depth.asks.iter().rev() {
            writeln!(out, "ask {} × {}", price.normalize(), quantity.normalize())?;
        }
        for (price, quantity) in depth.bids {
            writeln!(out, "bid {} × {}", price.normalize(), quantity.normalize())?;
        }
        Ok(out)
    }

    fn show_balances(&self, account: &str) -> Result<String> {
        let mut out = String::new();
        for (asset, balance) in self.engine.balances(account) {
            writeln!(
                out,
                "{asset}: {} free, {} locked",
                amount::show(balance.free),
                amount::show(balance.locked)
            )?;
        }
        Ok(out)
    }
}

impl Runner for Script {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Result<String> {
        self.at_ms += 1000;
        let mut args = command.consume_args();
        let done = match command.name.as_str() {
            name @ ("deposit" | "withdraw") => {
                let (account, asset) = (text(args.next_pos())?, text(args.next_pos())?);
                let amount = decimal(args.next_pos())?;
                let change = if name == "deposit" { amount } else { -amount };
                Command::Transfer { account, asset, change }
            }
            "buy" => self.order(Side::Buy, args)?,
            "sell" => self.order(Side::Sell, args)?,
            "cancel" => Script::cancel(args)?,
            "cancel-all" => Command::CancelAll {
                account: text(args.next_pos())?,
                symbol: "BTCUSDT".into(),
                cancel_id: "x".into(),
            },
            "fill" => Command::Fill {
                symbol: "BTCUSDT".into(),
                order_id: text(args.next_pos())?.parse()?,
                quantity: decimal(args.next_pos())?,
            },
            "expire-all" => Command::ExpireAll { symbol: "BTCUSDT".into() },
            "status" => Command::SetStatus {
                symbol: "BTCUSDT".into(),
                status: SymbolStatus::parse(&text(args.next_pos())?).ok_or("no such status")?,
            },
            "wait" => {
                self.at_ms += text(args.next_pos())?.parse::<i64>()? * 1000;
                Command::Elapse
            }
            "countdown" => self.countdown(args)?,
            "leverage" => Command::SetLeverage {
                account: text(args.next_pos())?,
                symbol: "BTCUSDT".into(),
                leverage: text(args.next_pos())?.parse()?,
            },
            "positions" => return self.show_positions(&text(args.next_pos())?),
            "book" => return self.show_book(),
            "balances" => return self.show_balances(&text(args.next_pos())?),
            "average" => {
                let average =
                    self.engine.average_price("BTCUSDT", self.at_ms).ok_or("the symbol is there")?;
                return Ok(amount::show(average));
            }
            name => return Err(format!("no such command: {name}").into()),
        };
        self.apply(done)
    }
}

fn write_event(out: &mut String, event: &Event) -> Result<()> {
    match event {
        Event::Report(report) if report.order.account == "house" => Ok(()),
        Event::Report(report) => write_report(out, report),
        Event::Trade(trade) => {
            let maker = if trade.is_buyer_maker { "buyer" } else { "seller" };
            let (quantity, price) = (trade.quantity.normalize(), trade.price.normalize());
            Ok(writeln!(out, "trade {}: {quantity} @ {price}, the {maker} was there first", trade.id)?)
        }
        Event::Account { account, .. } if account == "house" => Ok(()),
        Event::Account { account, balances, positions, .. } => {
            for (asset, balance) in balances {
                let (free, locked) = (balance.free.normalize(), balance.locked.normalize());
                writeln!(out, "{account} has {free} {asset} free, {locked} locked")?;
            }
            for (symbol, position) in positions {
                let (quantity, entry) = (position.quantity.normalize(), position.entry_price().normalize());
                writeln!(out, "{account} holds {quantity} {symbol} @ {entry}")?;
            }
            Ok(())
        }
        Event::Leverage { account, symbol, leverage, .. } => {
            Ok(writeln!(out, "{account} trades {symbol} at {leverage}×")?)
        }
        Event::Transfer { account, asset, change, .. } => Ok(writeln!(out, "{account} {change:+} {asset}")?),
    }
}

fn write_report(out: &mut String, report: &Report) -> Result<()> {
    let order = &report.order;
    let (executed, quantity) = (order.executed.normalize(), order.quantity.normalize());
    write!(out, "order {} {} of {}: {}", order.id, order.client_order_id, order.account, report.execution)?;
    write!(out, ", {} {} {}, {executed} of {quantity}", order.status, order.side, order.order_type)?;
    if !order.price.is_zero() {
        write!(out, " @ {}", order.price.normalize())?;
    }
    if !order.is_working {
        write!(out, ", not working")?;
    }
    if let Some(fill) = &report.fill {
        let role = if fill.is_maker { "maker" } else { "taker" };
        write!(out, ", {} as {role} of trade {}", fill.quantity.normalize(), fill.trade_id)?;
        write!(out, ", commission {} {}", fill.commission.normalize(), fill.commission_asset)?;
        if !fill.realized.is_zero() {
            write!(out, ", brought {}", fill.realized.normalize())?;
        }
    }
    if let Some(prevention) = &report.prevention {
        let (quantity, counter) = (prevention.quantity.normalize(), prevention.counter_order_id);
        write!(out, ", {quantity} prevented against order {counter} (match {})", prevention.match_id)?;
    }
    if let Some(reason) = order.expiry_reason {
        write!(out, ", {reason}")?;
    }
    Ok(writeln!(out)?)
}

fn text(argument: Option<&str>) -> Result<String> {
    Ok(argument.ok_or("an argument is missing")?.to_owned())
}

fn decimal(argument: Option<&str>) -> Result<Decimal> {
    Ok(amount::parse(&text(argument)?).ok_or("not an amount")?)
}

fn optional(argument: Option<&str>) -> Result<Decimal> {
    argument.map(|text| decimal(Some(text))).transpose().map(Option::unwrap_or_default)
}

fn word<T>(args: &mut ArgumentConsumer<'_>, key: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>> {
    let Some(text) = args.take_key(key) else { return Ok(None) };
    Ok(Some(parse(text).ok_or(format!("{key}: no such word: {text}"))?))
}
