//! Closed lists of words, as clients and as the state spell them.

use domain::orders::intent::{OrderType, Side, TimeInForce};
use domain::orders::status::Status;
use wire::v1;

use crate::faults::Faults;

pub(super) fn side(side: v1::Side, faults: &mut Faults) -> Option<Side> {
    match side {
        v1::Side::Buy => Some(Side::Buy),
        v1::Side::Sell => Some(Side::Sell),
        v1::Side::Unspecified => {
            faults.say("side", "must be BUY or SELL");
            None
        }
    }
}

pub(crate) fn order_type(field: &str, order_type: v1::OrderType, faults: &mut Faults) -> Option<OrderType> {
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
            faults.say(field, format!("must be one of {}", all.join(", ")));
            return None;
        }
    })
}

/// An order that can rest and does not say for how long rests until it is cancelled, as everywhere.
pub(super) fn time_in_force(
    time_in_force: v1::TimeInForce,
    order_type: Option<OrderType>,
) -> Option<TimeInForce> {
    match time_in_force {
        v1::TimeInForce::Gtc => Some(TimeInForce::Gtc),
        v1::TimeInForce::Ioc => Some(TimeInForce::Ioc),
        v1::TimeInForce::Fok => Some(TimeInForce::Fok),
        v1::TimeInForce::Unspecified => {
            order_type.filter(|order_type| order_type.has_time_in_force()).map(|_| TimeInForce::Gtc)
        }
    }
}

pub(super) fn side_to_wire(side: Side) -> v1::Side {
    match side {
        Side::Buy => v1::Side::Buy,
        Side::Sell => v1::Side::Sell,
    }
}

pub(crate) fn order_type_to_wire(order_type: OrderType) -> v1::OrderType {
    match order_type {
        OrderType::Limit => v1::OrderType::Limit,
        OrderType::LimitMaker => v1::OrderType::LimitMaker,
        OrderType::Market => v1::OrderType::Market,
        OrderType::StopLoss => v1::OrderType::StopLoss,
        OrderType::StopLossLimit => v1::OrderType::StopLossLimit,
        OrderType::TakeProfit => v1::OrderType::TakeProfit,
        OrderType::TakeProfitLimit => v1::OrderType::TakeProfitLimit,
    }
}

pub(super) fn time_in_force_to_wire(time_in_force: Option<TimeInForce>) -> v1::TimeInForce {
    match time_in_force {
        None => v1::TimeInForce::Unspecified,
        Some(TimeInForce::Gtc) => v1::TimeInForce::Gtc,
        Some(TimeInForce::Ioc) => v1::TimeInForce::Ioc,
        Some(TimeInForce::Fok) => v1::TimeInForce::Fok,
    }
}

pub(super) fn status_to_wire(status: Status) -> v1::OrderStatus {
    match status {
        Status::Intent => v1::OrderStatus::Intent,
        Status::Denied => v1::OrderStatus::Denied,
        Status::Submitting => v1::OrderStatus::Submitting,
        Status::SubmitUnknown => v1::OrderStatus::SubmitUnknown,
        Status::Open => v1::OrderStatus::Open,
        Status::PartiallyFilled => v1::OrderStatus::PartiallyFilled,
        Status::PendingCancel => v1::OrderStatus::PendingCancel,
        Status::Filled => v1::OrderStatus::Filled,
        Status::Canceled => v1::OrderStatus::Canceled,
        Status::Expired => v1::OrderStatus::Expired,
        Status::Rejected => v1::OrderStatus::Rejected,
        Status::NeverPlaced => v1::OrderStatus::NeverPlaced,
    }
}

/// `None`: it is not said.
pub(super) fn status(status: v1::OrderStatus) -> Option<Status> {
    Some(match status {
        v1::OrderStatus::Unspecified => return None,
        v1::OrderStatus::Intent => Status::Intent,
        v1::OrderStatus::Denied => Status::Denied,
        v1::OrderStatus::Submitting => Status::Submitting,
        v1::OrderStatus::SubmitUnknown => Status::SubmitUnknown,
        v1::OrderStatus::Open => Status::Open,
        v1::OrderStatus::PartiallyFilled => Status::PartiallyFilled,
        v1::OrderStatus::PendingCancel => Status::PendingCancel,
        v1::OrderStatus::Filled => Status::Filled,
        v1::OrderStatus::Canceled => Status::Canceled,
        v1::OrderStatus::Expired => Status::Expired,
        v1::OrderStatus::Rejected => Status::Rejected,
        v1::OrderStatus::NeverPlaced => Status::NeverPlaced,
    })
}
