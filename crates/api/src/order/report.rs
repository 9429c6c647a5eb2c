//! What a bot tells of an order, as the log takes it: a report says one thing, and a bot may say several at once.

use domain::orders::fill::{Commission, Fill, FillKey};
use domain::orders::order::Order;
use domain::orders::report::{
    CancelOutcome, Fact, OrderName, Rejection, Report, Text, UnknownCause, VenueStatus, Witness,
};
use domain::{Decimal, VenueOrderId};
use wire::v1;

use crate::faults::Faults;
use crate::order::request::Name;

/// What one report says, before it is known of which order.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) name: Name,
    venue_ms: Option<i64>,
    venue_order_id: Option<VenueOrderId>,
    facts: Vec<Fact>,
    cancel: Option<CancelOutcome>,
}

impl Told {
    /// `None` after saying what is wrong with it.
    pub(super) fn new(report: &v1::OrderReport, faults: &mut Faults) -> Option<Self> {
        let name = match &report.which {
            Some(v1::order_report::Which::OrderId(id)) => Some(Name::id(*id)),
            Some(v1::order_report::Which::ClientOrderId(text)) => Name::client(text, faults),
            None => Name::missing(faults),
        };
        let venue_order_id = faults.optional("venue_order_id", report.venue_order_id.as_ref());
        faults.known::<v1::OrderStatus>("ended", report.ended);
        faults.known::<v1::UnknownCause>("unknown", report.unknown);
        faults.known::<v1::CancelOutcome>("cancel", report.cancel);
        let facts = facts(report, venue_order_id.as_ref(), faults);
        let cancel = cancel(report);
        if facts.is_empty() && cancel.is_none() {
            faults.say("acknowledged", "nothing is said: neither this nor anything else");
        }
        let venue_ms = (report.time_ms != 0).then_some(report.time_ms);
        Some(Self { name: name?, venue_ms, venue_order_id, facts, cancel })
    }

    /// How many things it says.
    pub(super) fn len(&self) -> usize {
        self.facts.len() + usize::from(self.cancel.is_some())
    }

    /// As reports of this order. The outcome of a cancel is that of its last; of an order of which none was authorised it says
    /// no more than what became of the order.
    pub(super) fn reports(self, order: &Order) -> Vec<Report> {
        let Self { name: _, venue_ms, venue_order_id, mut facts, cancel } = self;
        let attempt = order.cancels.last().copied().unwrap_or_default();
        facts.extend(cancel.map(|outcome| Fact::Cancel { cancel: attempt, outcome }));
        let report = |fact| Report {
            account: order.account().clone(),
            symbol: order.symbol().clone(),
            order: OrderName::Id(order.id),
            by: Witness::Bot,
            venue_ms,
            venue_order_id: venue_order_id.clone(),
            terms: None,
            fact,
        };
        facts.into_iter().map(report).collect()
    }
}

fn facts(report: &v1::OrderReport, of: Option<&VenueOrderId>, faults: &mut Faults) -> Vec<Fact> {
    let trades: Option<Vec<_>> = report.fills.iter().map(|fill| trade(fill, of, faults)).collect();
    let trades = trades.filter(|trades| !trades.is_empty());
    let cumulative = faults.optional("cumulative_quantity", report.cumulative_quantity.as_ref());
    let stands = standing(report, cumulative, faults);
    let unknown = unknown_cause(report.unknown()).map(Fact::Unknown);
    let said = [report.acknowledged.then_some(Fact::Acknowledged), trades.map(Fact::Trades), stands];
    said.into_iter().flatten().chain(unknown).chain(report.not_sent.then_some(Fact::NotSent)).collect()
}

/// How it ended or stands.
fn standing(report: &v1::OrderReport, cumulative: Option<Decimal>, faults: &mut Faults) -> Option<Fact> {
    let status = match report.ended() {
        v1::OrderStatus::Unspecified => VenueStatus::Open,
        v1::OrderStatus::Filled => VenueStatus::Filled,
        v1::OrderStatus::Canceled => VenueStatus::Canceled,
        v1::OrderStatus::Expired => VenueStatus::Expired(Text::new(&report.reason)),
        v1::OrderStatus::Rejected => return Some(Fact::Refused(rejection(report))),
        _ => {
            faults.say("ended", "must be FILLED, CANCELED, EXPIRED or REJECTED");
            return None;
        }
    };
    match cumulative {
        Some(cumulative) => Some(Fact::Status { status, cumulative }),
        None if status == VenueStatus::Open => None,
        None => {
            if report.cumulative_quantity.is_none() {
                faults.say("cumulative_quantity", "missing: an end is told with what was filled until then");
            }
            None
        }
    }
}

fn rejection(report: &v1::OrderReport) -> Rejection {
    Rejection { code: Text::new(&report.code), message: Text::new(&report.reason) }
}

fn cancel(report: &v1::OrderReport) -> Option<CancelOutcome> {
    match report.cancel() {
        v1::CancelOutcome::Unspecified => None,
        v1::CancelOutcome::Done => Some(CancelOutcome::Done),
        v1::CancelOutcome::Refused => Some(CancelOutcome::Refused(rejection(report))),
        v1::CancelOutcome::Unknown => Some(CancelOutcome::Unknown),
    }
}

fn unknown_cause(cause: v1::UnknownCause) -> Option<UnknownCause> {
    match cause {
        v1::UnknownCause::Unspecified => None,
        v1::UnknownCause::Timeout => Some(UnknownCause::Timeout),
        v1::UnknownCause::Reset => Some(UnknownCause::Reset),
        v1::UnknownCause::ServerError => Some(UnknownCause::ServerError),
        v1::UnknownCause::SenderLost => Some(UnknownCause::SenderLost),
        v1::UnknownCause::NotUnderstood => Some(UnknownCause::NotUnderstood),
    }
}

fn trade(fill: &v1::Fill, of: Option<&VenueOrderId>, faults: &mut Faults) -> Option<(FillKey, Fill)> {
    let trade = faults.parse("fills.trade_id", &fill.trade_id);
    let named = faults.filter("fills.venue_order_id", &fill.venue_order_id);
    let venue_order_id = named.or_else(|| of.cloned());
    if venue_order_id.is_none() {
        faults.say("fills.venue_order_id", "missing, and so is that of the report");
    }
    let quantity = faults.parse("fills.quantity", &fill.quantity);
    let price = faults.parse("fills.price", &fill.price);
    let amount = faults.optional("fills.commission", fill.commission.as_ref());
    let asset = faults.optional("fills.commission_asset", fill.commission_asset.as_ref());
    if fill.commission.is_some() != fill.commission_asset.is_some() {
        faults.say("fills.commission", "goes with commission_asset");
    }
    let commission = amount.zip(asset).map(|(amount, asset)| Commission { amount, asset });
    let key = FillKey { trade: trade?, venue_order_id: venue_order_id? };
    let (maker, venue_ms, is_bust) = (fill.maker, fill.time_ms, fill.bust);
    Some((key, Fill { quantity: quantity?, price: price?, is_bust, commission, maker, venue_ms }))
}
