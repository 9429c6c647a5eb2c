//! What is asked of orders.

use domain::orders::command::{Authority, Cancel, Replace, Submit};
use domain::orders::intent::{Intent, OrderType, Side, TimeInForce};
use domain::orders::order::Sender;

use crate::error::{known, required};
use crate::key::token_of;
use crate::order::{alike, decimal_of, decimal_option_of, decimal_text, lease_name_of, order_of, parsed};
use crate::record::audit_of;
use crate::{DecodeError, log};

alike! {
    Side as OrderSide { Buy, Sell }
    OrderType as OrderType { Limit, LimitMaker, Market, StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit }
    TimeInForce as TimeInForce { Gtc, Ioc, Fok }
    Sender as Sender { Cluster, Bot }
}

impl From<&Intent> for log::Intent {
    fn from(intent: &Intent) -> Self {
        let Intent {
            side, order_type, time_in_force, quantity, price, stop_price, reduce_only, token, ..
        } = intent;
        Self {
            key: intent.key.as_str().into(),
            account: intent.account.as_str().into(),
            strategy: intent.strategy.as_str().into(),
            algorithm: intent.algorithm.as_str().into(),
            trader: intent.trader.as_str().into(),
            symbol: intent.symbol.as_str().into(),
            side: log::OrderSide::from(*side).into(),
            order_type: log::OrderType::from(*order_type).into(),
            time_in_force: time_in_force.map_or(log::TimeInForce::Unspecified, Into::into).into(),
            quantity: decimal_text(quantity),
            price: price.as_ref().map(decimal_text),
            stop_price: stop_price.as_ref().map(decimal_text),
            reduce_only: *reduce_only,
            lease: intent.lease.as_str().into(),
            token: token.as_u64(),
        }
    }
}

impl TryFrom<log::Intent> for Intent {
    type Error = DecodeError;

    fn try_from(intent: log::Intent) -> Result<Self, DecodeError> {
        Ok(Self {
            key: parsed("Intent.key", &intent.key)?,
            account: parsed("Intent.account", &intent.account)?,
            strategy: parsed("Intent.strategy", &intent.strategy)?,
            algorithm: parsed("Intent.algorithm", &intent.algorithm)?,
            trader: parsed("Intent.trader", &intent.trader)?,
            symbol: parsed("Intent.symbol", &intent.symbol)?,
            side: known::<log::OrderSide>("Intent.side", intent.side)?.try_into()?,
            order_type: known::<log::OrderType>("Intent.order_type", intent.order_type)?.try_into()?,
            time_in_force: time_in_force_of("Intent.time_in_force", intent.time_in_force)?,
            quantity: decimal_of("Intent.quantity", &intent.quantity)?,
            price: decimal_option_of("Intent.price", intent.price)?,
            stop_price: decimal_option_of("Intent.stop_price", intent.stop_price)?,
            reduce_only: intent.reduce_only,
            lease: lease_name_of("Intent.lease", &intent.lease)?,
            token: token_of("Intent.token", intent.token)?,
        })
    }
}

pub(crate) fn time_in_force_of(what: &'static str, value: i32) -> Result<Option<TimeInForce>, DecodeError> {
    match known(what, value)? {
        log::TimeInForce::Unspecified => Ok(None),
        time_in_force => Ok(Some(time_in_force.try_into()?)),
    }
}

impl From<&Submit> for log::SubmitOrder {
    fn from(submit: &Submit) -> Self {
        let Submit { intent, sender, hold_ms, wall_ms } = submit;
        Self {
            intent: Some(intent.into()),
            sender: log::Sender::from(*sender).into(),
            hold_ms: *hold_ms,
            wall_ms: *wall_ms,
        }
    }
}

impl TryFrom<log::SubmitOrder> for Submit {
    type Error = DecodeError;

    fn try_from(submit: log::SubmitOrder) -> Result<Self, DecodeError> {
        let log::SubmitOrder { intent, sender, hold_ms, wall_ms } = submit;
        Ok(Self {
            intent: required("SubmitOrder.intent", intent)?.try_into()?,
            sender: known::<log::Sender>("SubmitOrder.sender", sender)?.try_into()?,
            hold_ms,
            wall_ms,
        })
    }
}

impl From<&Cancel> for log::CancelOrder {
    fn from(cancel: &Cancel) -> Self {
        use log::cancel_order::By;
        let Cancel { order, sender, by, wall_ms } = cancel;
        let by = match by {
            Authority::Lease { lease, token } => {
                By::Lease(log::LeaseAuthority { lease: lease.as_str().into(), token: token.as_u64() })
            }
            Authority::Operator(audit) => By::Operator((&**audit).into()),
        };
        let sender = log::Sender::from(*sender).into();
        Self { order: order.0.0, by: Some(by), wall_ms: *wall_ms, sender }
    }
}

impl TryFrom<log::CancelOrder> for Cancel {
    type Error = DecodeError;

    fn try_from(cancel: log::CancelOrder) -> Result<Self, DecodeError> {
        use log::cancel_order::By;
        let log::CancelOrder { order, by, wall_ms, sender } = cancel;
        let sender = known::<log::Sender>("CancelOrder.sender", sender)?.try_into()?;
        let by = match required("CancelOrder.by", by)? {
            By::Lease(log::LeaseAuthority { lease, token }) => Authority::Lease {
                lease: lease_name_of("LeaseAuthority.lease", &lease)?,
                token: token_of("LeaseAuthority.token", token)?,
            },
            By::Operator(audit) => Authority::Operator(audit_of("CancelOrder.operator", Some(audit))?),
        };
        Ok(Self { order: order_of(order), sender, by, wall_ms })
    }
}

impl From<&Replace> for log::ReplaceOrder {
    fn from(replace: &Replace) -> Self {
        let Replace { cancel, submit } = replace;
        Self { cancel: cancel.0.0, submit: Some(submit.into()) }
    }
}

impl TryFrom<log::ReplaceOrder> for Replace {
    type Error = DecodeError;

    fn try_from(replace: log::ReplaceOrder) -> Result<Self, DecodeError> {
        let log::ReplaceOrder { cancel, submit } = replace;
        Ok(Self { cancel: order_of(cancel), submit: required("ReplaceOrder.submit", submit)?.try_into()? })
    }
}
