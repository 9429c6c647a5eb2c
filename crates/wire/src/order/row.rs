//! An order as a snapshot and the history keep it, and what is left of one.

use domain::orders::evidence::{CancelEvidence, Ends, Evidence};
use domain::orders::fill::Fills;
use domain::orders::order::{Authorization, Denial, Order, Origin};
use domain::orders::report::{Terms, Text};
use domain::orders::tombstone::{StrategyKey, Tombstone};
use domain::trading::venue::Valuation;
use domain::{Digest, LogTime, Serial};

use crate::ascending::{ascending_map, ascending_set};
use crate::error::{known, required, u128_of};
use crate::image::epoch_of;
use crate::order::reason::{PLAIN, reasons_of};
use crate::order::report::{trade, trade_of};
use crate::order::{decimal_of, decimal_option_of, decimal_text, order_of, parsed};
use crate::record::u128_bytes;
use crate::{DecodeError, log};

impl From<&Order> for log::OrderRow {
    fn from(order: &Order) -> Self {
        use log::order_row::Origin as Kind;
        let Order { id, origin, authorization, denial, cancels, venue, hints, .. } = order;
        let origin = match origin {
            Origin::Intent(intent) => Kind::Intent((&**intent).into()),
            Origin::External { account, symbol } => Kind::External(log::ExternalOrder {
                account: account.as_str().into(),
                symbol: symbol.as_str().into(),
            }),
        };
        let said = |evidence: &Evidence| (*evidence != Evidence::default()).then(|| evidence.into());
        Self {
            id: id.0.0,
            origin: Some(origin),
            authorization: authorization.as_ref().map(Into::into),
            denial: denial.as_ref().map(Into::into),
            cancels: cancels.iter().map(|cancel| cancel.0).collect(),
            venue: said(venue),
            hints: said(hints),
            revision: order.revision.0,
            updated_at_ns: order.updated_at.as_ns(),
            settled_at_ns: order.settled_at.map(LogTime::as_ns),
            held_until_ns: order.held_until.map(LogTime::as_ns),
            valuation: order.valuation.as_ref().map(Into::into),
            epoch: order.epoch.get().into(),
            recorded_ms: order.recorded_ms,
        }
    }
}

impl TryFrom<log::OrderRow> for Order {
    type Error = DecodeError;

    fn try_from(row: log::OrderRow) -> Result<Self, DecodeError> {
        use log::order_row::Origin as Kind;
        let origin = match required("OrderRow.origin", row.origin)? {
            Kind::Intent(intent) => Origin::Intent(Box::new(intent.try_into()?)),
            Kind::External(log::ExternalOrder { account, symbol }) => Origin::External {
                account: parsed("ExternalOrder.account", &account)?,
                symbol: parsed("ExternalOrder.symbol", &symbol)?,
            },
        };
        let evidence = |evidence: Option<log::Evidence>| evidence.map(TryInto::try_into).transpose();
        let time = |ns: Option<u64>| ns.map(LogTime::from_ns);
        Ok(Self {
            id: order_of(row.id),
            origin,
            authorization: row.authorization.map(TryInto::try_into).transpose()?,
            denial: row.denial.map(TryInto::try_into).transpose()?,
            cancels: ascending_set(
                "OrderRow.cancels",
                row.cancels.into_iter().map(|cancel| Ok(Serial(cancel))),
            )?,
            venue: evidence(row.venue)?.unwrap_or_default(),
            hints: evidence(row.hints)?.unwrap_or_default(),
            revision: Serial(row.revision),
            updated_at: LogTime::from_ns(row.updated_at_ns),
            settled_at: time(row.settled_at_ns),
            held_until: time(row.held_until_ns),
            valuation: row.valuation.map(TryInto::try_into).transpose()?,
            epoch: epoch_of("OrderRow.epoch", row.epoch)?,
            recorded_ms: row.recorded_ms,
        })
    }
}

impl From<&Authorization> for log::Authorization {
    fn from(authorization: &Authorization) -> Self {
        let Authorization { serial, term, at, sender, wall_ms, window_ms } = *authorization;
        let sender = log::Sender::from(sender).into();
        Self { serial: serial.0, term, at_ns: at.as_ns(), sender, wall_ms, window_ms }
    }
}

impl TryFrom<log::Authorization> for Authorization {
    type Error = DecodeError;

    fn try_from(authorization: log::Authorization) -> Result<Self, DecodeError> {
        let log::Authorization { serial, term, at_ns, sender, wall_ms, window_ms } = authorization;
        let sender = known::<log::Sender>("Authorization.sender", sender)?.try_into()?;
        Ok(Self { serial: Serial(serial), term, at: LogTime::from_ns(at_ns), sender, wall_ms, window_ms })
    }
}

impl From<&Denial> for log::Denial {
    fn from(denial: &Denial) -> Self {
        use log::denial::Denial as Kind;
        let denial = match denial {
            Denial::Withdrawn => Kind::Withdrawn(PLAIN),
            Denial::Expired => Kind::Expired(PLAIN),
            Denial::Refused(reasons) => {
                Kind::Refused(log::Reasons { reasons: reasons.iter().map(Into::into).collect() })
            }
        };
        Self { denial: Some(denial) }
    }
}

impl TryFrom<log::Denial> for Denial {
    type Error = DecodeError;

    fn try_from(denial: log::Denial) -> Result<Self, DecodeError> {
        use log::denial::Denial as Kind;
        Ok(match required("Denial.denial", denial.denial)? {
            Kind::Withdrawn(PLAIN) => Self::Withdrawn,
            Kind::Expired(PLAIN) => Self::Expired,
            Kind::Refused(log::Reasons { reasons }) => Self::Refused(reasons_of(reasons)?),
        })
    }
}

impl From<&Valuation> for log::Valuation {
    fn from(valuation: &Valuation) -> Self {
        let Valuation { price, contract_size, quote } = valuation;
        Self {
            price: decimal_text(price),
            contract_size: decimal_text(contract_size),
            quote: quote.as_str().into(),
        }
    }
}

impl TryFrom<log::Valuation> for Valuation {
    type Error = DecodeError;

    fn try_from(valuation: log::Valuation) -> Result<Self, DecodeError> {
        let log::Valuation { price, contract_size, quote } = valuation;
        Ok(Self {
            price: decimal_of("Valuation.price", &price)?,
            contract_size: decimal_of("Valuation.contract_size", &contract_size)?,
            quote: parsed("Valuation.quote", &quote)?,
        })
    }
}

impl From<&Evidence> for log::Evidence {
    fn from(evidence: &Evidence) -> Self {
        let Evidence { acknowledged, venue_order_ids, refused, unknown, absent, not_sent, ends, .. } =
            evidence;
        let Evidence { cumulative, final_quantity, terms, venue_ms, fills, cancels, .. } = evidence;
        Self {
            acknowledged: *acknowledged,
            venue_order_ids: venue_order_ids.iter().map(ToString::to_string).collect(),
            refused: refused.as_ref().map(Into::into),
            unknown: unknown.iter().map(|cause| log::UnknownCause::from(*cause).into()).collect(),
            absent: *absent,
            not_sent: *not_sent,
            filled: ends.filled,
            canceled: ends.canceled,
            expired: ends.expired.as_ref().map(ToString::to_string),
            rejected: ends.rejected.as_ref().map(Into::into),
            cumulative: cumulative.as_ref().map(decimal_text),
            final_quantity: final_quantity.as_ref().map(decimal_text),
            terms: terms.as_ref().map(|(_, terms)| terms.into()),
            terms_venue_ms: terms.as_ref().and_then(|(venue_ms, _)| *venue_ms),
            venue_ms: *venue_ms,
            fills: fills.by_key.iter().map(|(key, fill)| trade(key, fill)).collect(),
            fills_conflict: fills.conflict,
            cancels: cancels.iter().map(|(cancel, evidence)| cancel_row(*cancel, evidence)).collect(),
        }
    }
}

impl TryFrom<log::Evidence> for Evidence {
    type Error = DecodeError;

    fn try_from(row: log::Evidence) -> Result<Self, DecodeError> {
        let unknown = row
            .unknown
            .into_iter()
            .map(|cause| known::<log::UnknownCause>("Evidence.unknown", cause)?.try_into());
        let ids = row.venue_order_ids.iter().map(|id| parsed("Evidence.venue_order_ids", id));
        let terms: Option<Terms> = row.terms.map(TryInto::try_into).transpose()?;
        if terms.is_none() && row.terms_venue_ms.is_some() {
            return Err(DecodeError::new("Evidence.terms_venue_ms", "of no terms"));
        }
        Ok(Self {
            acknowledged: row.acknowledged,
            venue_order_ids: ascending_set("Evidence.venue_order_ids", ids)?,
            refused: row.refused.map(Into::into),
            unknown: ascending_set("Evidence.unknown", unknown)?,
            absent: row.absent,
            not_sent: row.not_sent,
            ends: Ends {
                filled: row.filled,
                canceled: row.canceled,
                expired: row.expired.as_deref().map(Text::new),
                rejected: row.rejected.map(Into::into),
            },
            cumulative: decimal_option_of("Evidence.cumulative", row.cumulative)?,
            final_quantity: decimal_option_of("Evidence.final_quantity", row.final_quantity)?,
            terms: terms.map(|terms| (row.terms_venue_ms, terms)),
            venue_ms: row.venue_ms,
            fills: Fills {
                by_key: ascending_map("Evidence.fills", row.fills.into_iter().map(trade_of))?,
                conflict: row.fills_conflict,
            },
            cancels: ascending_map("Evidence.cancels", row.cancels.into_iter().map(cancel_of))?,
        })
    }
}

fn cancel_row(
    cancel: Serial,
    CancelEvidence { unknown, refused, done }: &CancelEvidence,
) -> log::CancelEvidence {
    let refused = refused.as_ref().map(Into::into);
    log::CancelEvidence { cancel: cancel.0, unknown: *unknown, refused, done: *done }
}

fn cancel_of(row: log::CancelEvidence) -> Result<(Serial, CancelEvidence), DecodeError> {
    let log::CancelEvidence { cancel, unknown, refused, done } = row;
    Ok((Serial(cancel), CancelEvidence { unknown, refused: refused.map(Into::into), done }))
}

pub(crate) fn tombstone_row((strategy, key): &StrategyKey, tombstone: &Tombstone) -> log::TombstoneRow {
    let Tombstone { payload, order, filled, fills, until } = tombstone;
    log::TombstoneRow {
        strategy: strategy.as_str().into(),
        key: key.as_str().into(),
        payload: u128_bytes(*payload),
        order: order.0.0,
        filled: decimal_text(filled),
        fills: u128_bytes(fills.0),
        until_ns: until.map(LogTime::as_ns),
    }
}

pub(crate) fn tombstone_of(row: log::TombstoneRow) -> Result<(StrategyKey, Tombstone), DecodeError> {
    let log::TombstoneRow { strategy, key, payload, order, filled, fills, until_ns } = row;
    let key = (parsed("TombstoneRow.strategy", &strategy)?, parsed("TombstoneRow.key", &key)?);
    let tombstone = Tombstone {
        payload: u128_of("TombstoneRow.payload", &payload)?,
        order: order_of(order),
        filled: decimal_of("TombstoneRow.filled", &filled)?,
        fills: Digest(u128_of("TombstoneRow.fills", &fills)?),
        until: until_ns.map(LogTime::from_ns),
    };
    Ok((key, tombstone))
}
