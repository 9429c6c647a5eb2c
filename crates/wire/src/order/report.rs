//! What a venue or a bot says of an order.

use domain::Serial;
use domain::orders::fill::{Commission, Fill, FillKey};
use domain::orders::id::ClientOrderId;
use domain::orders::report::{
    CancelOutcome, Fact, OrderName, Rejection, Report, Terms, Text, UnknownCause, VenueStatus, Witness,
};

use crate::error::{known, required};
use crate::order::request::time_in_force_of;
use crate::order::{alike, decimal_of, decimal_option_of, decimal_text, order_of, parsed, parsed_option};
use crate::{DecodeError, log};

alike! {
    Witness as Witness { Venue, Bot }
    UnknownCause as UnknownCause { Timeout, Reset, ServerError, SenderLost, NotUnderstood }
}

impl From<&Report> for log::Report {
    fn from(report: &Report) -> Self {
        use log::report::Order;
        let Report { account, symbol, order, by, venue_ms, venue_order_id, terms, fact } = report;
        let order = match order {
            OrderName::Id(order) => Order::Id(order.0.0),
            OrderName::Client(client) => Order::ClientOrderId(client.to_string()),
            OrderName::Venue(venue) => Order::VenueName(venue.to_string()),
        };
        Self {
            account: account.as_str().into(),
            symbol: symbol.as_str().into(),
            order: Some(order),
            by: log::Witness::from(*by).into(),
            venue_ms: *venue_ms,
            venue_order_id: venue_order_id.as_ref().map(ToString::to_string),
            terms: terms.as_ref().map(Into::into),
            fact: Some(fact.into()),
        }
    }
}

impl TryFrom<log::Report> for Report {
    type Error = DecodeError;

    fn try_from(report: log::Report) -> Result<Self, DecodeError> {
        use log::report::Order;
        let log::Report { account, symbol, order, by, venue_ms, venue_order_id, terms, fact } = report;
        let order = match required("Report.order", order)? {
            Order::Id(order) => OrderName::Id(order_of(order)),
            Order::ClientOrderId(client) => OrderName::Client(client_of("Report.client_order_id", &client)?),
            Order::VenueName(venue) => OrderName::Venue(parsed("Report.venue_name", &venue)?),
        };
        Ok(Self {
            account: parsed("Report.account", &account)?,
            symbol: parsed("Report.symbol", &symbol)?,
            order,
            by: known::<log::Witness>("Report.by", by)?.try_into()?,
            venue_ms,
            venue_order_id: parsed_option("Report.venue_order_id", venue_order_id)?,
            terms: terms.map(TryInto::try_into).transpose()?,
            fact: required("Report.fact", fact)?.try_into()?,
        })
    }
}

pub(crate) fn client_of(what: &'static str, client: &str) -> Result<ClientOrderId, DecodeError> {
    ClientOrderId::parse(client).ok_or_else(|| DecodeError::new(what, "not one of ours"))
}

impl From<&Fact> for log::report::Fact {
    fn from(fact: &Fact) -> Self {
        match fact {
            Fact::Acknowledged => Self::Acknowledged(log::Acknowledged {}),
            Fact::Status { status, cumulative } => Self::Status(log::Status {
                status: Some(status.into()),
                cumulative: decimal_text(cumulative),
            }),
            Fact::Trades(trades) => Self::Trades(log::Trades {
                trades: trades.iter().map(|(key, fill)| trade(key, fill)).collect(),
            }),
            Fact::Refused(why) => Self::Refused(why.into()),
            Fact::Unknown(cause) => Self::Unknown(log::UnknownCause::from(*cause).into()),
            Fact::Absent => Self::Absent(log::Absent {}),
            Fact::NotSent => Self::NotSent(log::NotSent {}),
            Fact::Cancel { cancel, outcome } => {
                use log::cancel_fact::Outcome;
                let outcome = match outcome {
                    CancelOutcome::Unknown => Outcome::Unknown(log::CancelUnknown {}),
                    CancelOutcome::Refused(why) => Outcome::Refused(why.into()),
                    CancelOutcome::Done => Outcome::Done(log::CancelDone {}),
                };
                Self::Cancel(log::CancelFact { cancel: cancel.0, outcome: Some(outcome) })
            }
        }
    }
}

impl TryFrom<log::report::Fact> for Fact {
    type Error = DecodeError;

    fn try_from(fact: log::report::Fact) -> Result<Self, DecodeError> {
        use log::report::Fact as Kind;
        Ok(match fact {
            Kind::Acknowledged(log::Acknowledged {}) => Self::Acknowledged,
            Kind::Status(log::Status { status, cumulative }) => Self::Status {
                status: required("Status.status", status)?.into(),
                cumulative: decimal_of("Status.cumulative", &cumulative)?,
            },
            Kind::Trades(log::Trades { trades }) => {
                Self::Trades(trades.into_iter().map(trade_of).collect::<Result<_, _>>()?)
            }
            Kind::Refused(why) => Self::Refused(why.into()),
            Kind::Unknown(cause) => {
                Self::Unknown(known::<log::UnknownCause>("Report.unknown", cause)?.try_into()?)
            }
            Kind::Absent(log::Absent {}) => Self::Absent,
            Kind::NotSent(log::NotSent {}) => Self::NotSent,
            Kind::Cancel(log::CancelFact { cancel, outcome }) => {
                use log::cancel_fact::Outcome;
                let outcome = match required("CancelFact.outcome", outcome)? {
                    Outcome::Unknown(log::CancelUnknown {}) => CancelOutcome::Unknown,
                    Outcome::Refused(why) => CancelOutcome::Refused(why.into()),
                    Outcome::Done(log::CancelDone {}) => CancelOutcome::Done,
                };
                Self::Cancel { cancel: Serial(cancel), outcome }
            }
        })
    }
}

impl From<&VenueStatus> for log::status::Status {
    fn from(status: &VenueStatus) -> Self {
        match status {
            VenueStatus::Open => Self::Open(log::Open {}),
            VenueStatus::Filled => Self::Filled(log::Filled {}),
            VenueStatus::Canceled => Self::Canceled(log::Canceled {}),
            VenueStatus::Expired(reason) => Self::Expired(reason.as_str().into()),
            VenueStatus::Rejected(why) => Self::Rejected(why.into()),
        }
    }
}

impl From<log::status::Status> for VenueStatus {
    fn from(status: log::status::Status) -> Self {
        use log::status::Status;
        match status {
            Status::Open(log::Open {}) => Self::Open,
            Status::Filled(log::Filled {}) => Self::Filled,
            Status::Canceled(log::Canceled {}) => Self::Canceled,
            Status::Expired(reason) => Self::Expired(Text::new(&reason)),
            Status::Rejected(why) => Self::Rejected(why.into()),
        }
    }
}

impl From<&Rejection> for log::Rejection {
    fn from(Rejection { code, message }: &Rejection) -> Self {
        Self { code: code.as_str().into(), message: message.as_str().into() }
    }
}

impl From<log::Rejection> for Rejection {
    fn from(log::Rejection { code, message }: log::Rejection) -> Self {
        Self { code: Text::new(&code), message: Text::new(&message) }
    }
}

impl From<&Terms> for log::Terms {
    fn from(terms: &Terms) -> Self {
        let Terms { side, order_type, time_in_force, quantity, price } = terms;
        Self {
            side: log::OrderSide::from(*side).into(),
            order_type: order_type.map_or(log::OrderType::Unspecified, Into::into).into(),
            time_in_force: time_in_force.map_or(log::TimeInForce::Unspecified, Into::into).into(),
            quantity: quantity.as_ref().map(decimal_text),
            price: price.as_ref().map(decimal_text),
        }
    }
}

impl TryFrom<log::Terms> for Terms {
    type Error = DecodeError;

    fn try_from(terms: log::Terms) -> Result<Self, DecodeError> {
        let log::Terms { side, order_type, time_in_force, quantity, price } = terms;
        let order_type = match known("Terms.order_type", order_type)? {
            log::OrderType::Unspecified => None,
            order_type => Some(order_type.try_into()?),
        };
        Ok(Self {
            side: known::<log::OrderSide>("Terms.side", side)?.try_into()?,
            order_type,
            time_in_force: time_in_force_of("Terms.time_in_force", time_in_force)?,
            quantity: decimal_option_of("Terms.quantity", quantity)?,
            price: decimal_option_of("Terms.price", price)?,
        })
    }
}

pub(crate) fn trade(key: &FillKey, fill: &Fill) -> log::Trade {
    let FillKey { trade, venue_order_id } = key;
    let Fill { quantity, price, is_bust, commission, maker, venue_ms } = fill;
    let commission = commission.as_ref().map(|Commission { amount, asset }| log::Commission {
        amount: decimal_text(amount),
        asset: asset.as_str().into(),
    });
    log::Trade {
        trade: trade.as_str().into(),
        venue_order_id: venue_order_id.as_str().into(),
        quantity: decimal_text(quantity),
        price: decimal_text(price),
        is_bust: *is_bust,
        commission,
        maker: *maker,
        venue_ms: *venue_ms,
    }
}

pub(crate) fn trade_of(trade: log::Trade) -> Result<(FillKey, Fill), DecodeError> {
    let log::Trade { trade, venue_order_id, quantity, price, is_bust, commission, maker, venue_ms } = trade;
    let key = FillKey {
        trade: parsed("Trade.trade", &trade)?,
        venue_order_id: parsed("Trade.venue_order_id", &venue_order_id)?,
    };
    let commission = commission.map(|log::Commission { amount, asset }| {
        Ok::<_, DecodeError>(Commission {
            amount: decimal_of("Commission.amount", &amount)?,
            asset: parsed("Commission.asset", &asset)?,
        })
    });
    let fill = Fill {
        quantity: decimal_of("Trade.quantity", &quantity)?,
        price: decimal_of("Trade.price", &price)?,
        is_bust,
        commission: commission.transpose()?,
        maker,
        venue_ms,
    };
    Ok((key, fill))
}
