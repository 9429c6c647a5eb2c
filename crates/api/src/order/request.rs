//! What a client asks for, as the log takes it. Everything that is wrong with the form is said at once.

use std::fmt::Display;
use std::str::FromStr;

use domain::limits::HOLD_MS_MAX;
use domain::orders::command::Submit;
use domain::orders::id::{ClientOrderId, OrderId};
use domain::orders::intent::{Intent, OrderType, Side, TimeInForce};
use domain::orders::order::Sender;
use domain::orders::tombstone::StrategyKey;
use domain::{LeaseName, Serial, Token};
use tonic::Status;
use wire::v1;

use crate::refusal::Reason;

/// Collects what is wrong, and goes on reading.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Of which part of the request, as in `orders[3].`.
    at: String,
    found: Vec<String>,
}

impl Faults {
    /// What comes is of this part of the request.
    pub(super) fn enter(&mut self, list: &str, index: usize) {
        self.at = format!("{list}[{index}].");
    }

    pub(super) fn say(&mut self, field: &str, why: impl Display) {
        self.found.push(format!("{}{field}: {why}", self.at));
    }

    /// What names its field by itself.
    pub(super) fn add(&mut self, fault: impl Display) {
        self.found.push(format!("{}{fault}", self.at));
    }

    /// A number of a closed list that this version does not know is not taken for none.
    pub(super) fn known<E: TryFrom<i32>>(&mut self, field: &str, number: i32) {
        if E::try_from(number).is_err() {
            self.say(field, format!("{number} is not known here"));
        }
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.is_empty() {
            self.say(field, "missing");
            return None;
        }
        text.parse().map_err(|error| self.say(field, error)).ok()
    }

    pub(super) fn optional<T: FromStr<Err: Display>>(
        &mut self,
        field: &str,
        text: Option<&String>,
    ) -> Option<T> {
        self.parse(field, text?)
    }

    /// Of which nothing is asked if it is empty.
    pub(super) fn filter<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.is_empty() { None } else { self.parse(field, text) }
    }

    /// All that was found, as this.
    pub(super) fn none(self, reason: Reason) -> Result<(), Status> {
        if self.found.is_empty() { Ok(()) } else { Err(reason.status_of_all(&self.found)) }
    }
}

/// An order to be recorded, or `None` after saying what is wrong with it.
pub(super) fn submit(order: Option<&v1::NewOrder>, sender: Sender, faults: &mut Faults) -> Option<Submit> {
    let Some(order) = order else {
        faults.say("order", "missing");
        return None;
    };
    let hold_ms = order.hold_ms;
    if hold_ms > HOLD_MS_MAX {
        faults.say("hold_ms", format!("at most {HOLD_MS_MAX}"));
    }
    let intent = intent(order, faults)?;
    Some(Submit { intent, sender, hold_ms, wall_ms: None })
}

fn intent(order: &v1::NewOrder, faults: &mut Faults) -> Option<Intent> {
    faults.known::<v1::TimeInForce>("time_in_force", order.time_in_force);
    let side = side(order.side(), faults);
    let order_type = order_type(order.r#type(), faults);
    let time_in_force = time_in_force(order.time_in_force(), order_type);
    let key = faults.parse("key", &order.key);
    let account = faults.parse("account", &order.account);
    let strategy = faults.parse("strategy", &order.strategy);
    let algorithm = faults.parse("algorithm", &order.algorithm);
    let trader = faults.parse("trader", &order.trader);
    let symbol = faults.parse("symbol", &order.symbol);
    let quantity = faults.parse("quantity", &order.quantity);
    let price = faults.optional("price", order.price.as_ref());
    let stop_price = faults.optional("stop_price", order.stop_price.as_ref());
    let (lease, token) = authority(&order.lease, order.token, faults).unzip();
    Some(Intent {
        key: key?,
        account: account?,
        strategy: strategy?,
        algorithm: algorithm?,
        trader: trader?,
        symbol: symbol?,
        side: side?,
        order_type: order_type?,
        time_in_force,
        quantity: quantity?,
        price,
        stop_price,
        reduce_only: order.reduce_only,
        lease: lease?,
        token: token?,
    })
}

/// The lease under which a bot speaks, and its token.
pub(super) fn authority(lease: &str, token: u64, faults: &mut Faults) -> Option<(LeaseName, Token)> {
    let name = LeaseName::new(lease);
    if name.is_none() {
        faults.say("lease", "must be the name of the lease that the bot holds");
    }
    let token = Token::from_u64(token).filter(|token| token.as_u64() > 0);
    if token.is_none() {
        faults.say("token", "must be the token under which the bot holds its lease");
    }
    Some((name?, token?))
}

/// What an order may be called.
#[derive(Clone, Debug)]
pub(super) enum Name {
    Id(OrderId),
    Client(ClientOrderId),
    Key(StrategyKey),
}

impl Name {
    pub(super) fn id(id: u64) -> Self {
        Self::Id(OrderId(Serial(id)))
    }

    pub(super) fn client(text: &str, faults: &mut Faults) -> Option<Self> {
        let client = ClientOrderId::parse(text);
        if client.is_none() {
            faults.say("client_order_id", "not one that a cluster gave: q, and fifteen of a-z and 0-9");
        }
        client.map(Self::Client)
    }

    pub(super) fn key(strategy: &str, key: &str, faults: &mut Faults) -> Option<Self> {
        let (strategy, key) = (faults.parse("strategy", strategy), faults.parse("key", key));
        Some(Self::Key((strategy?, key?)))
    }

    pub(super) fn missing(faults: &mut Faults) -> Option<Self> {
        faults.say("order_id", "missing, and so is client_order_id");
        None
    }
}

fn side(side: v1::Side, faults: &mut Faults) -> Option<Side> {
    match side {
        v1::Side::Buy => Some(Side::Buy),
        v1::Side::Sell => Some(Side::Sell),
        v1::Side::Unspecified => {
            faults.say("side", "must be BUY or SELL");
            None
        }
    }
}

fn order_type(order_type: v1::OrderType, faults: &mut Faults) -> Option<OrderType> {
    Some(match order_type {
        v1::OrderType::Limit => OrderType::Limit,
        v1::OrderType::LimitMaker => OrderType::LimitMaker,
        v1::OrderType::Market => OrderType::Market,
        v1::OrderType::StopLoss => OrderType::StopLoss,
        v1::OrderType::StopLossLimit => OrderType::StopLossLimit,
        v1::OrderType::TakeProfit => OrderType::TakeProfit,
        v1::OrderType::TakeProfitLimit => OrderType::TakeProfitLimit,
        v1::OrderType::Unspecified => {
            let all: Vec<&str> = OrderType::ALL.into_iter().map(OrderType::as_str).collect();
            faults.say("type", format!("must be one of {}", all.join(", ")));
            return None;
        }
    })
}

/// An order that can rest and does not say for how long rests until it is cancelled, as everywhere.
fn time_in_force(time_in_force: v1::TimeInForce, order_type: Option<OrderType>) -> Option<TimeInForce> {
    match time_in_force {
        v1::TimeInForce::Gtc => Some(TimeInForce::Gtc),
        v1::TimeInForce::Ioc => Some(TimeInForce::Ioc),
        v1::TimeInForce::Fok => Some(TimeInForce::Fok),
        v1::TimeInForce::Unspecified => {
            order_type.filter(|order_type| order_type.has_time_in_force()).map(|_| TimeInForce::Gtc)
        }
    }
}
