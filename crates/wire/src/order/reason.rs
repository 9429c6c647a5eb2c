//! Why an order is not authorised.

use domain::orders::reason::{Fault, Field, Limit, LimitScope, Mode, Reason, Scope};

use crate::error::{known, required};
use crate::key::token_of;
use crate::log::invalid_field::Fault as FaultKind;
use crate::log::reason::Reason as Kind;
use crate::order::{alike, decimal_of, decimal_text, lease_name_of, order_of};
use crate::{DecodeError, log};

alike! {
    Field as OrderField {
        Key, Account, Strategy, Symbol, OrderType, TimeInForce, Quantity, Price, StopPrice, Notional, ReduceOnly, Order,
        Cumulative, Trades
    }
    Scope as SwitchScope { All, Venue, Account, Strategy, Trader, Symbol }
    Mode as TradingMode { Normal, ReduceOnly, CancelOnly, Halted }
    LimitScope as LimitScope { Account, AccountSymbol, Strategy, StrategySymbol }
    Limit as LimitName { PriceCollar, Quantity, Notional, Position, OpenOrders, DailyNotional }
}

pub(super) const PLAIN: log::Plain = log::Plain {};

impl From<&Reason> for log::Reason {
    fn from(reason: &Reason) -> Self {
        let field = |field: &Field| log::OrderField::from(*field).into();
        let scope = |scope: &Scope| log::SwitchScope::from(*scope).into();
        let limit_scope = |scope: &LimitScope| log::LimitScope::from(*scope).into();
        let kind = match reason {
            Reason::Invalid(what, fault) => {
                Kind::Invalid(log::InvalidField { field: field(what), fault: Some(fault.into()) })
            }
            Reason::Unknown(what) => Kind::Unknown(field(what)),
            Reason::NotPermitted(what) => Kind::NotPermitted(field(what)),
            Reason::AccountMode => Kind::AccountMode(PLAIN),
            Reason::WrongLease { expected } => Kind::WrongLease(expected.as_str().into()),
            Reason::LeaseFree => Kind::LeaseFree(PLAIN),
            Reason::Fenced { current } => Kind::Fenced(current.as_u64()),
            Reason::Killed(what) => Kind::Killed(scope(what)),
            Reason::Mode(what, mode) => {
                Kind::Mode(log::ModeReason { scope: scope(what), mode: log::TradingMode::from(*mode).into() })
            }
            Reason::BreakerOpen => Kind::BreakerOpen(PLAIN),
            Reason::Unreconciled => Kind::Unreconciled(PLAIN),
            Reason::Limit { limit, scope, allowed, found } => Kind::Limit(log::LimitReason {
                limit: log::LimitName::from(*limit).into(),
                scope: limit_scope(scope),
                allowed: decimal_text(allowed),
                found: decimal_text(found),
            }),
            Reason::MessageRate { scope, count, per_ms, retry_ms } => {
                Kind::MessageRate(log::MessageRateReason {
                    scope: limit_scope(scope),
                    count: *count,
                    per_ms: *per_ms,
                    retry_ms: *retry_ms,
                })
            }
            Reason::Duplicate { scope, window_ms, age_ms } => Kind::Duplicate(log::DuplicateReason {
                scope: limit_scope(scope),
                window_ms: *window_ms,
                age_ms: *age_ms,
            }),
            Reason::NoReferencePrice => Kind::NoReferencePrice(PLAIN),
            Reason::DuplicateKey(order) => Kind::DuplicateKey(order.0.0),
            Reason::KeyExpired => Kind::KeyExpired(PLAIN),
            Reason::NotInState => Kind::NotInState(PLAIN),
            Reason::Full => Kind::Full(PLAIN),
            Reason::NodesDiffer => Kind::NodesDiffer(PLAIN),
        };
        Self { reason: Some(kind) }
    }
}

impl TryFrom<log::Reason> for Reason {
    type Error = DecodeError;

    fn try_from(reason: log::Reason) -> Result<Self, DecodeError> {
        Ok(match required("Reason.reason", reason.reason)? {
            Kind::Invalid(log::InvalidField { field, fault }) => {
                Self::Invalid(field_of(field)?, required("InvalidField.fault", fault)?.try_into()?)
            }
            Kind::Unknown(field) => Self::Unknown(field_of(field)?),
            Kind::NotPermitted(field) => Self::NotPermitted(field_of(field)?),
            Kind::AccountMode(PLAIN) => Self::AccountMode,
            Kind::WrongLease(name) => {
                Self::WrongLease { expected: lease_name_of("Reason.wrong_lease", &name)? }
            }
            Kind::LeaseFree(PLAIN) => Self::LeaseFree,
            Kind::Fenced(token) => Self::Fenced { current: token_of("Reason.fenced", token)? },
            Kind::Killed(scope) => Self::Killed(scope_of(scope)?),
            Kind::Mode(log::ModeReason { scope, mode }) => {
                Self::Mode(scope_of(scope)?, known::<log::TradingMode>("ModeReason.mode", mode)?.try_into()?)
            }
            Kind::BreakerOpen(PLAIN) => Self::BreakerOpen,
            Kind::Unreconciled(PLAIN) => Self::Unreconciled,
            Kind::Limit(log::LimitReason { limit, scope, allowed, found }) => Self::Limit {
                limit: known::<log::LimitName>("LimitReason.limit", limit)?.try_into()?,
                scope: limit_scope_of(scope)?,
                allowed: decimal_of("LimitReason.allowed", &allowed)?,
                found: decimal_of("LimitReason.found", &found)?,
            },
            Kind::MessageRate(log::MessageRateReason { scope, count, per_ms, retry_ms }) => {
                Self::MessageRate { scope: limit_scope_of(scope)?, count, per_ms, retry_ms }
            }
            Kind::Duplicate(log::DuplicateReason { scope, window_ms, age_ms }) => {
                Self::Duplicate { scope: limit_scope_of(scope)?, window_ms, age_ms }
            }
            Kind::NoReferencePrice(PLAIN) => Self::NoReferencePrice,
            Kind::DuplicateKey(order) => Self::DuplicateKey(order_of(order)),
            Kind::KeyExpired(PLAIN) => Self::KeyExpired,
            Kind::NotInState(PLAIN) => Self::NotInState,
            Kind::Full(PLAIN) => Self::Full,
            Kind::NodesDiffer(PLAIN) => Self::NodesDiffer,
        })
    }
}

pub(crate) fn reasons_of(reasons: Vec<log::Reason>) -> Result<Vec<Reason>, DecodeError> {
    reasons.into_iter().map(TryInto::try_into).collect()
}

fn field_of(field: i32) -> Result<Field, DecodeError> {
    known::<log::OrderField>("Reason.field", field)?.try_into()
}

fn scope_of(scope: i32) -> Result<Scope, DecodeError> {
    known::<log::SwitchScope>("Reason.scope", scope)?.try_into()
}

fn limit_scope_of(scope: i32) -> Result<LimitScope, DecodeError> {
    known::<log::LimitScope>("Reason.scope", scope)?.try_into()
}

impl From<&Fault> for FaultKind {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Missing => Self::Missing(PLAIN),
            Fault::NotOfThisType => Self::NotOfThisType(PLAIN),
            Fault::NotPositive => Self::NotPositive(PLAIN),
            Fault::Negative => Self::Negative(PLAIN),
            Fault::Precision { step } => Self::Precision(decimal_text(step)),
            Fault::BelowMinimum { minimum } => Self::BelowMinimum(decimal_text(minimum)),
            Fault::AboveMaximum { maximum } => Self::AboveMaximum(decimal_text(maximum)),
            Fault::InTheFuture => Self::InTheFuture(PLAIN),
            Fault::NotOfThisVenue => Self::NotOfThisVenue(PLAIN),
            Fault::WouldNotReduce => Self::WouldNotReduce(PLAIN),
            Fault::NotAsReplaced => Self::NotAsReplaced(PLAIN),
        }
    }
}

impl TryFrom<FaultKind> for Fault {
    type Error = DecodeError;

    fn try_from(fault: FaultKind) -> Result<Self, DecodeError> {
        Ok(match fault {
            FaultKind::Missing(PLAIN) => Self::Missing,
            FaultKind::NotOfThisType(PLAIN) => Self::NotOfThisType,
            FaultKind::NotPositive(PLAIN) => Self::NotPositive,
            FaultKind::Negative(PLAIN) => Self::Negative,
            FaultKind::Precision(step) => Self::Precision { step: decimal_of("Fault.precision", &step)? },
            FaultKind::BelowMinimum(minimum) => {
                Self::BelowMinimum { minimum: decimal_of("Fault.below_minimum", &minimum)? }
            }
            FaultKind::AboveMaximum(maximum) => {
                Self::AboveMaximum { maximum: decimal_of("Fault.above_maximum", &maximum)? }
            }
            FaultKind::InTheFuture(PLAIN) => Self::InTheFuture,
            FaultKind::NotOfThisVenue(PLAIN) => Self::NotOfThisVenue,
            FaultKind::WouldNotReduce(PLAIN) => Self::WouldNotReduce,
            FaultKind::NotAsReplaced(PLAIN) => Self::NotAsReplaced,
        })
    }
}
