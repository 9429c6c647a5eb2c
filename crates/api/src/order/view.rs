//! An order as clients see it.

use domain::orders::command::Signing;
use domain::orders::evidence::Evidence;
use domain::orders::fill::{Commission, Fill, FillKey};
use domain::orders::id::OrderId;
use domain::orders::intent::Intent;
use domain::orders::order::{Authorization, Denial, Order, Present, Sender};
use domain::orders::reason::Reason;
use domain::orders::report::{Rejection, Text};
use domain::orders::status::{self, Flags};
use domain::orders::tombstone::{StrategyKey, Tombstone};
use domain::trading::Configuration;
use domain::{AccountId, LogTime, Made, State, WallZero};
use wire::v1;

use crate::order::words::{order_type_to_wire, side_to_wire, status_to_wire, time_in_force_to_wire};

/// Of an order that has ended, or stands as it does, by the word of a bot alone.
const UNCONFIRMED: &str = "unconfirmed";

/// By what an order is shown: all from one look.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) state: &'a State,
    pub(super) present: Present,
    pub(super) wall_zero: WallZero,
}

/// The leave to send an order, as it was just given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) order: OrderId,
    pub(super) made: Made,
    pub(super) sender: Sender,
    pub(super) signing: Signing,
}

impl View<'_> {
    pub(super) fn order(self, order: &Order) -> v1::Order {
        let evidence = order.evidence();
        let shown = v1::Order {
            order_id: order.id.0.0,
            client_order_id: self.state.client_order_id(order).map(|id| id.to_string()).unwrap_or_default(),
            venue: venue(&self.state.trading().configuration, order.account()),
            account: order.account().to_string(),
            symbol: order.symbol().to_string(),
            status: status_to_wire(order.status(self.present)).into(),
            flags: self.flags(order, &evidence),
            reason: reason(order, &evidence),
            filled_quantity: evidence.filled().to_string(),
            venue_order_id: evidence.venue_order_ids.first().map(ToString::to_string),
            authorized_serial: order.authorization.map(|authorization| authorization.serial.0),
            serial: order.revision.0,
            updated_at_ms: self.wall_zero.wall_ms(order.updated_at),
            fills: evidence.fills.by_key.iter().map(fill).collect(),
            timestamp_ms: order.authorization.map(|authorization| authorization.wall_ms),
            window_ms: order.authorization.map(|authorization| authorization.window_ms),
            submitted_at_ms: order.submitted_ms(),
            ..v1::Order::default()
        };
        match order.intent() {
            Some(intent) => asked_for(intent, shown),
            None => described(&evidence, shown),
        }
    }

    /// One of the history.
    pub(super) fn of_history(self, order: &Order) -> v1::Order {
        let archived = Flags { archived: true, ..Flags::default() };
        let mut shown = self.order(order);
        shown.flags.extend(archived.words().map(str::to_owned));
        shown.updated_at_ms = changed_ms(order).unwrap_or(shown.updated_at_ms);
        shown
    }

    fn flags(self, order: &Order, evidence: &Evidence) -> Vec<String> {
        let said = |by: &Evidence| (status::status(order, by, self.present), by.filled());
        let unconfirmed = (said(evidence) != said(&order.venue)).then_some(UNCONFIRMED);
        status::flags(order, evidence).words().chain(unconfirmed).map(str::to_owned).collect()
    }
}

/// When an order last changed, reckoned from when it was submitted: the same whoever tells it, however often the log's clock has stood
/// still since. `None` if it was not authorised and held, or nobody asked for it here.
fn changed_ms(order: &Order) -> Option<i64> {
    match (&order.authorization, &order.denial) {
        (Some(authorization), _) => {
            let zero = WallZero::new(authorization.wall_ms.saturating_mul(1_000_000), authorization.at);
            Some(zero.wall_ms(order.updated_at))
        }
        (None, Some(Denial::Refused(_))) => order.recorded_ms,
        _ => None,
    }
}

/// An order in the moment in which it was authorised, by what was asked and answered; at which venue its account is, is told as
/// far as this node knows.
pub(super) fn granted(state: &State, grant: Grant, intent: Intent) -> v1::Order {
    let Grant { order: id, made: Made { serial, term, .. }, sender, signing } = grant;
    let Signing { client_order_id, wall_ms, window_ms } = signing;
    let now = LogTime::ZERO;
    let mut order = Order::recorded(id, intent, now);
    let authorization = Authorization { serial, term, at: now, sender, wall_ms, window_ms };
    order.authorize(authorization).expect("it was authorised");
    let wall_zero = WallZero::new(wall_ms.saturating_mul(1_000_000), now);
    let view = View { state, present: Present { term, now }, wall_zero };
    let client_order_id = client_order_id.map(|id| id.to_string()).unwrap_or_default();
    v1::Order { client_order_id, ..view.order(&order) }
}

/// What is still known here of an order that is history. How it ended is not.
pub(super) fn archived((strategy, key): &StrategyKey, tombstone: &Tombstone) -> v1::Order {
    let flags = Flags { archived: true, ..Flags::default() };
    v1::Order {
        order_id: tombstone.order.0.0,
        key: key.to_string(),
        strategy: strategy.to_string(),
        flags: flags.words().map(str::to_owned).collect(),
        filled_quantity: tombstone.filled.to_string(),
        ..v1::Order::default()
    }
}

fn venue(configuration: &Configuration, account: &AccountId) -> String {
    configuration.account(account).map(|account| account.venue.to_string()).unwrap_or_default()
}

fn asked_for(intent: &Intent, shown: v1::Order) -> v1::Order {
    let Intent { key, strategy, algorithm, trader, time_in_force, quantity, price, stop_price, .. } = intent;
    v1::Order {
        key: key.to_string(),
        strategy: strategy.to_string(),
        algorithm: algorithm.to_string(),
        trader: trader.to_string(),
        side: side_to_wire(intent.side).into(),
        r#type: order_type_to_wire(intent.order_type).into(),
        time_in_force: time_in_force_to_wire(*time_in_force).into(),
        quantity: quantity.to_string(),
        price: price.map(|price| price.to_string()),
        stop_price: stop_price.map(|price| price.to_string()),
        reduce_only: intent.reduce_only,
        lease: intent.lease.to_string(),
        token: intent.token.as_u64(),
        ..shown
    }
}

/// Of an order that nobody asked for here: as far as its venue said.
fn described(evidence: &Evidence, shown: v1::Order) -> v1::Order {
    let Some((_, terms)) = &evidence.terms else { return shown };
    v1::Order {
        side: side_to_wire(terms.side).into(),
        r#type: terms.order_type.map(order_type_to_wire).unwrap_or_default().into(),
        time_in_force: time_in_force_to_wire(terms.time_in_force).into(),
        quantity: terms.quantity.map(|quantity| quantity.to_string()).unwrap_or_default(),
        price: terms.price.map(|price| price.to_string()),
        ..shown
    }
}

/// Why it was denied, refused or ended, or is not known to have been sent.
fn reason(order: &Order, evidence: &Evidence) -> Option<String> {
    let said = |rejection: &Rejection| {
        let texts = [&rejection.code, &rejection.message].map(Text::as_str);
        texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
    };
    let denial = order.denial.as_ref().map(|denial| match denial {
        Denial::Withdrawn => "withdrawn before it was authorised".to_owned(),
        Denial::Expired => "held for as long as it was to be".to_owned(),
        Denial::Refused(reasons) => joined(reasons),
    });
    let unknown = || evidence.unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    denial
        .or_else(|| evidence.refused.as_ref().or(evidence.ends.rejected.as_ref()).map(said))
        .or_else(|| evidence.ends.expired.as_ref().map(ToString::to_string))
        .or_else(|| Some(unknown()))
        .filter(|reason| !reason.is_empty())
}

fn joined(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| format!("{}: {reason}", reason.code())).collect::<Vec<_>>().join("; ")
}

pub(super) fn denials(reasons: &[Reason]) -> Vec<v1::Denial> {
    let denial = |reason: &Reason| v1::Denial { reason: reason.code().into(), message: reason.to_string() };
    reasons.iter().map(denial).collect()
}

fn fill((key, fill): (&FillKey, &Fill)) -> v1::Fill {
    let Fill { quantity, price, is_bust, commission, maker, venue_ms } = fill;
    let (commission, asset) = commission.clone().map(|Commission { amount, asset }| (amount, asset)).unzip();
    v1::Fill {
        trade_id: key.trade.to_string(),
        venue_order_id: key.venue_order_id.to_string(),
        quantity: quantity.to_string(),
        price: price.to_string(),
        commission: commission.map(|amount| amount.to_string()),
        commission_asset: asset.map(|asset| asset.to_string()),
        maker: *maker,
        time_ms: *venue_ms,
        bust: *is_bust,
    }
}
