//! What a bot asks for, before anything has happened to it.

use planted::Bug;

use crate::digest::Feed;
use crate::orders::reason::{Fault, Field, Reason};
use crate::orders::tombstone::StrategyKey;
use crate::{AccountId, AlgorithmId, Decimal, LeaseName, OrderKey, StrategyId, Symbol, Token, TraderId};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Buy,
    Sell,
}

/// How a price is agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderType {
    /// At `price` or better.
    Limit,
    /// At `price` or better, and never by taking what rests there.
    LimitMaker,
    /// At whatever price there is.
    Market,
    /// A market order as soon as the market is at `stop_price` or worse.
    StopLoss,
    /// A limit order as soon as the market is at `stop_price` or worse.
    StopLossLimit,
    /// A market order as soon as the market is at `stop_price` or better.
    TakeProfit,
    /// A limit order as soon as the market is at `stop_price` or better.
    TakeProfitLimit,
}

/// What becomes of what is not traded at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeInForce {
    /// It rests until it is cancelled.
    Gtc,
    /// It expires.
    Ioc,
    /// The whole order expires.
    Fok,
}

/// An order as it was asked for. What is sent to a venue is this, to the digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub key: OrderKey,
    pub account: AccountId,
    pub strategy: StrategyId,
    pub algorithm: AlgorithmId,
    pub trader: TraderId,
    pub symbol: Symbol,
    pub side: Side,
    pub order_type: OrderType,
    /// Of a type that can rest; `None` for the others.
    pub time_in_force: Option<TimeInForce>,
    pub quantity: Decimal,
    pub price: Option<Decimal>,
    pub stop_price: Option<Decimal>,
    /// It may only make a position smaller.
    pub reduce_only: bool,
    /// Under which the bot trades.
    pub lease: LeaseName,
    pub token: Token,
}

impl Intent {
    /// Of what was asked for, without the lease: a successor under another token means the same order by the same key.
    pub fn payload(&self) -> u128 {
        let mut feed = Feed::new("intent");
        for name in [self.key.as_str(), self.algorithm.as_str(), self.trader.as_str()] {
            feed.bytes(name.as_bytes());
        }
        if planted::is(Bug::PayloadHoldsToken) {
            feed.u64(self.token.as_u64());
        }
        feed.u128(self.terms()).finish()
    }

    /// Of what would be traded, whatever it is called and whoever answers for it: two intents of the same terms are each
    /// other's duplicate.
    pub fn terms(&self) -> u128 {
        let mut feed = Feed::new("terms");
        for name in [self.account.as_str(), self.strategy.as_str(), self.symbol.as_str()] {
            feed.bytes(name.as_bytes());
        }
        feed.u64(self.side as u64).u64(self.order_type as u64);
        feed.option(self.time_in_force.map(|it| it as u64)).u64(self.reduce_only.into());
        self.quantity.feed(&mut feed);
        for number in [self.price, self.stop_price] {
            Decimal::feed_option(number, &mut feed);
        }
        feed.finish()
    }

    fn names(&self) -> [&str; 6] {
        [
            self.key.as_str(),
            self.account.as_str(),
            self.strategy.as_str(),
            self.algorithm.as_str(),
            self.trader.as_str(),
            self.symbol.as_str(),
        ]
    }

    /// By which it is known again.
    pub fn strategy_key(&self) -> StrategyKey {
        (self.strategy.clone(), self.key.clone())
    }

    /// The length of all its texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.names().iter().map(|name| name.len()).sum::<usize>() + self.lease.as_str().len()
    }

    /// What is wrong with it whatever the venue, the account or the hour.
    pub fn faults(&self) -> Vec<Reason> {
        let Self { order_type, time_in_force, quantity, price, stop_price, .. } = self;
        let mut faults = Vec::new();
        let mut say = |field, fault| faults.push(Reason::Invalid(field, fault));
        if !quantity.is_positive() {
            say(Field::Quantity, Fault::NotPositive);
        }
        let numbers = [
            (Field::Price, price, order_type.has_price()),
            (Field::StopPrice, stop_price, order_type.has_stop()),
        ];
        for (field, number, wanted) in numbers {
            match number {
                None if wanted => say(field, Fault::Missing),
                Some(_) if !wanted => say(field, Fault::NotOfThisType),
                Some(number) if !number.is_positive() => say(field, Fault::NotPositive),
                _ => {}
            }
        }
        match time_in_force {
            None if order_type.has_time_in_force() => say(Field::TimeInForce, Fault::Missing),
            Some(_) if !order_type.has_time_in_force() => say(Field::TimeInForce, Fault::NotOfThisType),
            _ => {}
        }
        faults
    }
}

impl Side {
    pub const ALL: [Self; 2] = [Self::Buy, Self::Sell];

    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }
}

impl OrderType {
    pub const ALL: [Self; 7] = [
        Self::Limit,
        Self::LimitMaker,
        Self::Market,
        Self::StopLoss,
        Self::StopLossLimit,
        Self::TakeProfit,
        Self::TakeProfitLimit,
    ];

    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::LimitMaker => "LIMIT_MAKER",
            Self::Market => "MARKET",
            Self::StopLoss => "STOP_LOSS",
            Self::StopLossLimit => "STOP_LOSS_LIMIT",
            Self::TakeProfit => "TAKE_PROFIT",
            Self::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
        }
    }

    pub fn has_price(self) -> bool {
        matches!(self, Self::Limit | Self::LimitMaker | Self::StopLossLimit | Self::TakeProfitLimit)
    }

    pub fn has_stop(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossLimit | Self::TakeProfit | Self::TakeProfitLimit)
    }

    pub fn has_time_in_force(self) -> bool {
        matches!(self, Self::Limit | Self::StopLossLimit | Self::TakeProfitLimit)
    }
}

impl TimeInForce {
    pub const ALL: [Self; 3] = [Self::Gtc, Self::Ioc, Self::Fok];

    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
        }
    }
}
