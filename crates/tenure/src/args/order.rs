//! What a user types after `tenure order`.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Subcommand, ValueEnum};
use domain::orders::report::UnknownCause;
use domain::orders::status::Status;
use domain::orders::{OrderType, Side, TimeInForce};
use wire::v1;

#[derive(Subcommand, Debug)]
pub enum Order {
    /// Record and authorise an order that the elected node sends: of a gateway account.
    Submit {
        #[command(flatten)]
        order: NewOrder,
        /// Until when to wait: until it is committed, or until its venue has it, or it has ended.
        #[arg(long, default_value = "committed")]
        wait: Wait,
        /// How long to wait for its venue.
        #[arg(long, value_parser = humantime::parse_duration, default_value = "30s")]
        wait_timeout: Duration,
    },
    /// Record and authorise an order that you sign and send yourself, of a direct account. Prints what to sign.
    Authorize(NewOrder),
    /// Tell what the venue said of an order.
    Report(Report),
    /// Authorise the cancel of an order; of a direct account it is yours to send. One that waits is withdrawn.
    Cancel {
        /// Its number, or what it is called at its venue.
        id: OrderName,
        #[command(flatten)]
        authority: Authority,
    },
    /// Cancel an order and submit another in its place, both or neither.
    Replace(Replace),
    /// One order as it stands.
    Get {
        /// Its number, or what it is called at its venue.
        #[arg(required_unless_present = "key")]
        id: Option<OrderName>,
        /// Find it by the key that it was submitted under instead.
        #[arg(long, requires = "strategy", conflicts_with = "id")]
        key: Option<String>,
        /// Whose key that is.
        #[arg(long, requires = "key")]
        strategy: Option<String>,
    },
    /// Orders, the newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// Changed at or after: 2026-12-01T08:00:00Z, or a time ago, as in 24h.
        #[arg(long, value_parser = instant)]
        since: Option<i64>,
        /// Changed before.
        #[arg(long, value_parser = instant)]
        until: Option<i64>,
        /// At most so many. Default: all.
        #[arg(long)]
        limit: Option<u64>,
    },
    /// Each order after each change, as it happens, also when nodes fail.
    Tail {
        #[arg(long, default_value = "")]
        account: String,
        #[arg(long, default_value = "")]
        strategy: String,
        /// Changes after this serial: the `serial` of the last one that was seen. Default: from now on.
        #[arg(long)]
        after: Option<u64>,
    },
    /// Orders that somebody must look after: what became of them at their venue is not known, or fills are missing.
    Unresolved {
        #[command(flatten)]
        filter: Filter,
    },
    /// Orders to standard output, the newest first, page by page. Complete if the exit code is 0.
    Export(Export),
}

/// Until when `submit` waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    Committed,
    Acknowledged,
}

/// The lease under which is traded. `tenure lease exec` sets both in the environment of its program.
#[derive(clap::Args, Debug, Clone)]
pub struct Authority {
    /// The lease that trades the strategy.
    #[arg(long, env = "TENURE_LEASE")]
    pub lease: String,
    /// The token under which it is held.
    #[arg(long, env = "TENURE_FENCING_TOKEN")]
    pub token: u64,
}

/// Whom an order is of, by rule the algorithm that decided on it and the person who answers for it.
#[derive(clap::Args, Debug, Clone)]
pub struct NewOrder {
    #[arg(long)]
    pub account: String,
    #[arg(long)]
    pub strategy: String,
    #[arg(long)]
    pub symbol: String,
    #[arg(long, ignore_case = true, value_parser = words(Side::ALL.map(Side::as_str), "SIDE_", v1::Side::from_str_name))]
    pub side: v1::Side,
    #[arg(long, ignore_case = true, value_parser = types())]
    pub r#type: v1::OrderType,
    #[arg(long, allow_hyphen_values = true)]
    pub quantity: String,
    #[arg(long, allow_hyphen_values = true)]
    pub price: Option<String>,
    #[arg(long, allow_hyphen_values = true)]
    pub stop_price: Option<String>,
    /// Default, of a type that has one: gtc.
    #[arg(long, ignore_case = true, value_parser = times_in_force())]
    pub tif: Option<v1::TimeInForce>,
    /// Only if it makes the position smaller.
    #[arg(long)]
    pub reduce_only: bool,
    /// Your own name of the order, unique in its strategy: submitted again, it is the same order. One that begins with its
    /// time, as a UUID of version 7 does, takes no room for ever.
    #[arg(long)]
    pub key: String,
    #[command(flatten)]
    pub authority: Authority,
    /// The algorithm that decided on it.
    #[arg(long, default_value = "manual")]
    pub algorithm: String,
    /// The person who answers for it. Default: $USER; an order that nobody answers for is refused.
    #[arg(long, env = "TENURE_TRADER")]
    pub trader: Option<String>,
    /// If only what passes by itself stands against it, a mode or a kill switch, let it wait so long, and try it again whenever
    /// the same is asked for again.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "0s")]
    pub hold: Duration,
}

/// What is not said stays as it is in the order that is replaced.
#[derive(clap::Args, Debug, Clone)]
pub struct Replace {
    /// Its number, or what it is called at its venue.
    pub id: OrderName,
    /// The key of the new order.
    #[arg(long)]
    pub key: String,
    #[arg(long, allow_hyphen_values = true)]
    pub quantity: Option<String>,
    #[arg(long, allow_hyphen_values = true)]
    pub price: Option<String>,
    #[arg(long, allow_hyphen_values = true)]
    pub stop_price: Option<String>,
    #[command(flatten)]
    pub authority: Authority,
    /// The algorithm that decided on it.
    #[arg(long)]
    pub algorithm: Option<String>,
    /// The person who answers for it.
    #[arg(long, env = "TENURE_TRADER")]
    pub trader: Option<String>,
}

#[derive(clap::Args, Debug, Clone)]
pub struct Report {
    /// Its number, or what it is called at its venue.
    pub id: OrderName,
    /// The venue took it, or shows it alive.
    #[arg(long)]
    pub acknowledged: bool,
    /// What the venue calls it.
    #[arg(long)]
    pub venue_order_id: Option<String>,
    /// How much was filled in all.
    #[arg(long, allow_hyphen_values = true)]
    pub filled: Option<String>,
    /// A trade: TRADE_ID,QUANTITY,PRICE, and its commission if known: …,AMOUNT,ASSET. May be given several times.
    #[arg(long)]
    pub fill: Vec<Fill>,
    /// How it ended; all but rejected need --filled.
    #[arg(long, ignore_case = true, value_parser = ends())]
    pub ended: Option<v1::OrderStatus>,
    /// The venue's code of a rejection, or of the refusal of a cancel.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub code: String,
    /// The venue's words.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Nobody knows whether the venue has it, because of this.
    #[arg(long, ignore_case = true, value_parser = causes())]
    pub unknown: Option<v1::UnknownCause>,
    /// It was certainly never sent.
    #[arg(long)]
    pub not_sent: bool,
    /// What became of its last cancel.
    #[arg(long, ignore_case = true, value_parser = cancel_outcomes())]
    pub cancel: Option<v1::CancelOutcome>,
}

/// Each that is given must be met.
#[derive(clap::Args, Debug, Clone)]
pub struct Filter {
    #[arg(long, default_value = "")]
    pub account: String,
    #[arg(long, default_value = "")]
    pub strategy: String,
    #[arg(long, default_value = "")]
    pub symbol: String,
    /// One of these, with commas between them.
    #[arg(long, ignore_case = true, value_delimiter = ',', value_parser = statuses())]
    pub status: Vec<v1::OrderStatus>,
}

#[derive(clap::Args, Debug, Clone)]
pub struct Export {
    #[command(flatten)]
    pub filter: Filter,
    /// Changed at or after: 2026-12-01T08:00:00Z, or a time ago, as in 24h.
    #[arg(long, value_parser = instant)]
    pub from: Option<i64>,
    /// Changed before.
    #[arg(long, value_parser = instant)]
    pub to: Option<i64>,
    /// A document a line, or RFC 4180.
    #[arg(long, default_value = "jsonl")]
    pub format: ExportFormat,
    /// A row for each fill instead of each order.
    #[arg(long)]
    pub fills: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Jsonl,
    Csv,
}

/// What an order may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderName {
    Id(u64),
    /// At its venue.
    Client(String),
}

impl FromStr for OrderName {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map(Self::Id),
            false => Ok(Self::Client(text.into())),
        }
    }
}

impl OrderName {
    /// As a request names it.
    pub fn which<W>(self, number: impl FnOnce(u64) -> W, client: impl FnOnce(String) -> W) -> W {
        match self {
            Self::Id(id) => number(id),
            Self::Client(name) => client(name),
        }
    }
}

/// One trade, as it is typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill(pub v1::Fill);

impl FromStr for Fill {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let (trade, commission) = match parts[..] {
            [trade, quantity, price] => ([trade, quantity, price], None),
            [trade, quantity, price, amount, asset] => ([trade, quantity, price], Some((amount, asset))),
            _ => return Err("must be TRADE_ID,QUANTITY,PRICE or TRADE_ID,QUANTITY,PRICE,COMMISSION,ASSET"),
        };
        let [trade_id, quantity, price] = trade.map(str::to_owned);
        let (commission, commission_asset) =
            commission.map(|(amount, asset)| (amount.to_owned(), asset.to_owned())).unzip();
        Ok(Self(v1::Fill { trade_id, quantity, price, commission, commission_asset, ..v1::Fill::default() }))
    }
}

/// An instant, or how long ago it was, in milliseconds since 1970.
fn instant(text: &str) -> Result<i64, String> {
    let whole = if text.len() == "2026-12-01".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let at = humantime::parse_rfc3339_weak(&whole).or_else(|_| {
        let ago = humantime::parse_duration(text).ok();
        ago.and_then(|ago| SystemTime::now().checked_sub(ago)).ok_or_else(|| {
            "must be an instant, as 2026-12-01T08:00:00Z or 2026-12-01, or a time ago, as 24h".to_owned()
        })
    })?;
    let since = at.duration_since(UNIX_EPOCH).map_err(|_| "must be after 1970".to_owned())?;
    i64::try_from(since.as_millis()).map_err(|_| "is too late".to_owned())
}

/// Words of a closed list of the protocol, in either case, without the name of the list.
fn words<E: Clone + Send + Sync + 'static>(
    spelled: impl IntoIterator<Item = &'static str>,
    list: &'static str,
    named: fn(&str) -> Option<E>,
) -> impl TypedValueParser<Value = E> {
    let spelled = spelled.into_iter().map(str::to_ascii_lowercase);
    PossibleValuesParser::new(spelled).map(move |word| {
        named(&format!("{list}{}", word.to_ascii_uppercase()))
            .expect("the protocol has every word of the state")
    })
}

fn types() -> impl TypedValueParser<Value = v1::OrderType> {
    words(OrderType::ALL.map(OrderType::as_str), "ORDER_TYPE_", v1::OrderType::from_str_name)
}

fn times_in_force() -> impl TypedValueParser<Value = v1::TimeInForce> {
    words(TimeInForce::ALL.map(TimeInForce::as_str), "TIME_IN_FORCE_", v1::TimeInForce::from_str_name)
}

fn statuses() -> impl TypedValueParser<Value = v1::OrderStatus> {
    words(Status::ALL.map(Status::as_str), "ORDER_STATUS_", v1::OrderStatus::from_str_name)
}

/// How a venue may say that an order ended.
fn ends() -> impl TypedValueParser<Value = v1::OrderStatus> {
    let ends = [Status::Filled, Status::Canceled, Status::Expired, Status::Rejected];
    words(ends.map(Status::as_str), "ORDER_STATUS_", v1::OrderStatus::from_str_name)
}

fn causes() -> impl TypedValueParser<Value = v1::UnknownCause> {
    words(UnknownCause::ALL.map(UnknownCause::as_str), "UNKNOWN_CAUSE_", v1::UnknownCause::from_str_name)
}

fn cancel_outcomes() -> impl TypedValueParser<Value = v1::CancelOutcome> {
    words(["DONE", "REFUSED", "UNKNOWN"], "CANCEL_OUTCOME_", v1::CancelOutcome::from_str_name)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::args::{Args, Command};

    fn parse(line: &str) -> Result<Order, clap::Error> {
        let words = ["tenure", "order"].into_iter().chain(line.split_ascii_whitespace());
        Args::try_parse_from(words).map(|args| match args.command {
            Command::Order(order) => order,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_arguments_fit_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_word_of_the_state_can_be_typed_in_either_case() {
        for status in Status::ALL {
            let upper = format!("list --status {status}");
            let lower = format!("list --status {}", status.as_str().to_ascii_lowercase());
            assert!(parse(&upper).is_ok() && parse(&lower).is_ok(), "{status}");
        }
        for order_type in OrderType::ALL.map(OrderType::as_str) {
            let line = format!(
                "submit --account a --strategy s --symbol x --side BUY --type {order_type} --quantity -1 --key k --lease l --token 1"
            );
            let Ok(Order::Submit { order, .. }) = parse(&line) else { panic!("{line}") };
            assert_eq!(order.r#type.as_str_name(), format!("ORDER_TYPE_{order_type}"));
            assert_eq!((order.side, order.quantity.as_str()), (v1::Side::Buy, "-1"));
        }
        for cause in UnknownCause::ALL {
            assert!(parse(&format!("report 1 --unknown {cause}")).is_ok(), "{cause}");
        }
        for outcome in ["done", "refused", "unknown"] {
            assert!(parse(&format!("report 1 --cancel {outcome}")).is_ok(), "{outcome}");
        }
    }

    #[test]
    fn an_order_has_a_number_or_a_name_at_its_venue() {
        assert_eq!("17".parse(), Ok(OrderName::Id(17)));
        assert_eq!("q1ab00000000000z".parse(), Ok(OrderName::Client("q1ab00000000000z".into())));
        assert!("99999999999999999999".parse::<OrderName>().is_err());
        assert!(parse("get").is_err() && parse("get --key k").is_err() && parse("get 1 --key k").is_err());
        assert!(parse("get --key k --strategy s").is_ok());
    }

    #[test]
    fn a_fill_is_typed_with_or_without_its_commission() {
        let Fill(fill) = "t1,0.5,100".parse().unwrap();
        assert_eq!((fill.trade_id.as_str(), fill.price.as_str(), fill.commission), ("t1", "100", None));
        let Fill(fill) = "t1, 0.5, 100, 0.1, BNB".parse().unwrap();
        assert_eq!(fill.commission_asset.as_deref(), Some("BNB"));
        assert!("t1,0.5".parse::<Fill>().is_err() && "t1,0.5,100,1".parse::<Fill>().is_err());
    }

    #[test]
    fn an_instant_is_a_date_a_time_or_a_time_ago() {
        assert_eq!(instant("1970-01-02"), Ok(86_400_000));
        assert_eq!(instant("1970-01-02T00:00:00Z"), Ok(86_400_000));
        assert_eq!(instant("1970-01-01 00:00:01"), Ok(1000));
        let (hour, now) = (instant("1h").unwrap(), instant("0s").unwrap());
        assert!((3_599_000..=3_601_000).contains(&(now - hour)), "{now} {hour}");
        for wrong in ["", "yesterday", "1969-12-31", "2026-13-01", "999999999999y"] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }
}
