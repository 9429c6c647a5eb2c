//! Golden scripts of one order: what is shown of it, report by report, for people who trade by it.
//!
//! A script is what was asked for and what a venue or a bot said, `---`, and how the order then stands. `UPDATE_GOLDENFILES=1 cargo
//! test -p domain` writes that again. It begins in term 1 at time zero; each command and each report takes a serial, from 1.
//!
//! | command | what it is |
//! |---|---|
//! | `order SIDE QUANTITY [at=PRICE] [bots=evidence]` | records an intent, on an account where bots' words count for a hint, or for evidence |
//! | `deny` | never authorises it, because a kill switch is engaged |
//! | `authorize [sender=bot] [window=TIME]` | gives leave to send it, to this cluster or to a bot |
//! | `cancel`, `replace` | authorises its cancel, as such or for another order |
//! | `venue FACT…`, `bot FACT…` | what one of them says; on no order, the venue's makes an external one |
//! | `term N`, `time TIME` | another leader, another hour |
//! | `show` | all that is known |
//!
//! Facts: `ack`; `open FILLED`, `filled FILLED`, `canceled FILLED`, `expired FILLED [WHY]`, `rejected [CODE]`, as a status with the
//! quantity filled by then; `trade ID QUANTITY`, `bust ID QUANTITY`, each with `[at=PRICE] [fee=AMOUNT/ASSET] [maker|taker] [order=VENUE_ORDER_ID]`;
//! `refused [CODE]`; `unknown CAUSE`; `absent`; `notsent`; `cancel SERIAL unknown|done|refused [CODE]`. Each may have `id=VENUE_ORDER_ID`, `ms=N`
//! (the venue's time), and `terms=SIDE/QUANTITY[/PRICE]` (what the venue holds it to ask for).

use std::fmt::Write as _;

use domain::orders::fill::Commission;
use domain::orders::order::{Denial, Origin, Sender};
use domain::orders::reason::Scope;
use domain::orders::report::{
    CancelOutcome, OrderName, Rejection, Terms, Text, UnknownCause, VenueStatus, Weight, Witness,
};
use domain::orders::{
    Authorization, Evidence, Fact, Fill, FillKey, Intent, Order, OrderId, OrderType, Present, Reason, Report,
    Request, Side, TimeInForce,
};
use domain::{Decimal, Epoch, LeaseName, LogTime, Serial, Token, VenueOrderId};
use goldenscript::{ArgumentConsumer, Runner};

use crate::words::{Result, milliseconds, number, seconds, time};

scripts! { Script, "tests/orders",
    absent_then_shown
    bust
    cancel_refused
    cancel_unknown
    canceled_without_a_quantity
    cancels
    contradictory_ends
    denied
    direct_account
    expired
    external
    external_unknown
    fill_missing
    fill_told_twice
    filled
    hint_then_confirmed
    late_fill_after_cancel
    not_sent
    other_terms
    overfilled
    refused
    refused_then_shown
    replace
    trusted_bot
    two_venue_orders
    unknown_then_absent
    unknown_then_shown
    unresolved
    withdrawn
}

struct Script {
    order: Option<Order>,
    bots: Weight,
    serial: Serial,
    present: Present,
}

impl Default for Script {
    fn default() -> Self {
        let present = Present { term: 1, now: LogTime::ZERO };
        Self { order: None, bots: Weight::Hint, serial: Serial(0), present }
    }
}

impl Runner for Script {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Result<String> {
        let mut args = command.consume_args();
        let output = match command.name.as_str() {
            "show" => self.show()?,
            "term" => {
                self.present.term = number(args.next_pos().ok_or("which term?")?)?;
                format!("{command} → {}", self.standing())
            }
            "time" => {
                self.present.now = time(args.next_pos().ok_or("what time?")?)?;
                format!("{command} → {}", self.standing())
            }
            name => {
                self.serial.0 += 1;
                let answer = match name {
                    "order" => self.record(&mut args)?,
                    "venue" => self.report(Witness::Venue, &mut args)?,
                    "bot" => self.report(Witness::Bot, &mut args)?,
                    name => self.request(name, &mut args)?,
                };
                format!("{command} → {answer}{} (serial {})", self.standing(), self.serial)
            }
        };
        args.reject_next()?;
        Ok(output)
    }
}

impl Script {
    fn record(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let side = side(args.next_pos().ok_or("which side?")?)?;
        let quantity = args.next_pos().ok_or("how much?")?.parse()?;
        let price: Option<Decimal> = args.take_key("at").map(str::parse).transpose()?;
        self.bots = match args.take_key("bots") {
            None => Weight::Hint,
            Some("evidence") => Weight::Evidence,
            Some(_) => return Err("bots=evidence, or nothing".into()),
        };
        let intent = Intent {
            key: "k1".parse()?,
            account: "main".parse()?,
            strategy: "maker".parse()?,
            algorithm: "maker-3".parse()?,
            trader: "ada".parse()?,
            symbol: "BTCUSDT".parse()?,
            side,
            order_type: if price.is_some() { OrderType::Limit } else { OrderType::Market },
            time_in_force: price.map(|_| TimeInForce::Gtc),
            quantity,
            price,
            stop_price: None,
            reduce_only: false,
            lease: LeaseName::new("desk").ok_or("no lease")?,
            token: Token::new(Epoch::default(), Serial(0)),
        };
        assert_eq!(intent.faults(), []);
        self.order = Some(Order::recorded(OrderId(self.serial), intent, self.present.now));
        Ok(String::new())
    }

    fn request(&mut self, name: &str, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let (serial, present) = (self.serial, self.present);
        let order = self.order.as_mut().ok_or("there is no order")?;
        let answer = match name {
            "deny" => {
                order.deny(Denial::Refused(vec![Reason::Killed(Scope::All)]), serial, present.now);
                Ok(())
            }
            "authorize" => {
                let sender =
                    if args.take_key("sender") == Some("bot") { Sender::Bot } else { Sender::Cluster };
                let window_ms = args.take_key("window").map(milliseconds).transpose()?.unwrap_or(2000);
                let Present { term, now: at } = present;
                let window_ms = u64::try_from(window_ms)?;
                order.authorize(Authorization { serial, term, at, sender, wall_ms: 0, window_ms })
            }
            "cancel" => order.cancel(serial, present).map(|_| ()),
            "replace" => order
                .allows(Request::Replace, present)
                .and_then(|_| order.cancel(serial, present))
                .map(|_| ()),
            name => return Err(format!("what is {name}?").into()),
        };
        Ok(answer.err().map_or(String::new(), |reason| format!("{reason}; ")))
    }

    fn report(&mut self, by: Witness, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let venue_ms = args.take_key("ms").map(str::parse).transpose()?;
        let venue_order_id: Option<VenueOrderId> = args.take_key("id").map(str::parse).transpose()?;
        let terms = args.take_key("terms").map(terms).transpose()?;
        let fact = fact(args, venue_order_id.as_ref())?;
        let order = self.order.as_ref().map_or(OrderId(Serial(0)), |order| order.id);
        let report = Report {
            account: "main".parse()?,
            symbol: "BTCUSDT".parse()?,
            order: venue_order_id.clone().map_or(OrderName::Id(order), OrderName::Venue),
            by,
            venue_ms,
            venue_order_id,
            terms,
            fact,
        };
        assert_eq!(report.faults(), []);
        let Some(order) = &mut self.order else {
            self.order = Order::external(OrderId(self.serial), &report, self.present.now);
            return Ok(String::new());
        };
        assert!(order.is_meant_by(&report));
        let is_new = order.report(&report, self.bots, self.serial, self.present.now);
        assert!(
            !order.report(&report, self.bots, self.serial, self.present.now),
            "said again, it is not new"
        );
        Ok(if is_new { "" } else { "nothing new; " }.to_owned())
    }

    fn standing(&self) -> String {
        let Some(order) = &self.order else { return "no order".to_owned() };
        let evidence = order.evidence();
        let quantity = order.quantity(&evidence).map_or("?".to_owned(), |quantity| quantity.to_string());
        let mut text =
            format!("{}, filled {} of {quantity}", order.status(self.present), order.filled_quantity());
        for word in order.flags().words() {
            write!(text, ", {word}").expect("a string takes it");
        }
        let why: Vec<&str> = order.contradictions().iter().map(|it| it.as_str()).collect();
        if !why.is_empty() {
            write!(text, ": {}", why.join(", ")).expect("a string takes it");
        }
        text + if order.settled_at.is_some() { ", settled" } else { "" }
    }

    fn show(&self) -> Result<String> {
        let order = self.order.as_ref().ok_or("there is no order")?;
        let mut text = String::new();
        let origin = match &order.origin {
            Origin::Intent(intent) => format!("{} {}", intent.side.as_str(), intent.quantity),
            Origin::External { account, .. } => format!("external on {account}"),
        };
        writeln!(text, "order {}: {origin} {}, {}", order.id, order.symbol(), self.standing())?;
        writeln!(text, "changed by {} at {}", order.revision, seconds(order.updated_at))?;
        if let Some(at) = order.settled_at {
            writeln!(text, "settled at {}", seconds(at))?;
        }
        if order.is_unresolved(self.present) {
            writeln!(text, "unresolved")?;
        }
        if let Some(Denial::Refused(reasons)) = &order.denial {
            writeln!(text, "denied: {}", list(reasons))?;
        }
        let or_unknown = |number: Option<Decimal>| number.map_or("?".to_owned(), |number| number.to_string());
        writeln!(text, "open quantity {}", or_unknown(order.open_quantity()))?;
        writeln!(text, "position {}", or_unknown(order.net_filled()))?;
        if let Some(price) = order.average_price() {
            writeln!(text, "average price {price}")?;
        }
        if !order.cancels.is_empty() {
            writeln!(text, "cancels {}", list(&order.cancels))?;
        }
        for (who, evidence) in [("venue", &order.venue), ("bots", &order.hints)] {
            for said in said(evidence) {
                writeln!(text, "{who}: {said}")?;
            }
        }
        Ok(text)
    }
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// All that a piece of evidence says, a line each.
fn said(evidence: &Evidence) -> Vec<String> {
    let Evidence { ends, fills, .. } = evidence;
    let words = [
        (evidence.acknowledged, "acknowledged"),
        (evidence.absent, "absent"),
        (evidence.not_sent, "not sent"),
        (ends.filled, "filled"),
        (ends.canceled, "canceled"),
    ];
    let mut said: Vec<String> =
        words.into_iter().filter(|(is_said, _)| *is_said).map(|(_, word)| word.to_owned()).collect();
    said.extend(ends.expired.as_ref().map(|why| format!("expired {why}")));
    said.extend(ends.rejected.as_ref().map(|why| format!("rejected {}", why.code)));
    said.extend(evidence.refused.as_ref().map(|why| format!("refused {}", why.code)));
    said.extend(evidence.unknown.iter().map(|cause| format!("unknown, {cause}")));
    if !evidence.venue_order_ids.is_empty() {
        said.push(format!("called {}", list(&evidence.venue_order_ids)));
    }
    said.extend(evidence.cumulative.map(|quantity| format!("{quantity} filled")));
    said.extend(evidence.final_quantity.map(|quantity| format!("{quantity} filled in the end")));
    said.extend(evidence.terms.as_ref().map(|(_, terms)| {
        let quantity = terms.quantity.map_or("?".to_owned(), |quantity| quantity.to_string());
        format!("asks to {} {quantity}", terms.side.as_str())
    }));
    said.extend(fills.by_key.iter().map(|(key, fill)| {
        let what = if fill.is_bust { "bust" } else { "trade" };
        let fee = fill
            .commission
            .as_ref()
            .map_or(String::new(), |fee| format!(", fee {} {}", fee.amount, fee.asset));
        format!("{what} {} of {}: {} at {}{fee}", key.trade, key.venue_order_id, fill.quantity, fill.price)
    }));
    said.extend(evidence.cancels.iter().map(|(serial, cancel)| {
        let words =
            [(cancel.unknown, "unknown"), (cancel.refused.is_some(), "refused"), (cancel.done, "done")];
        let words = words.into_iter().filter_map(|(is_said, word)| is_said.then_some(word));
        format!("cancel {serial} {}", list(words))
    }));
    said
}

pub(crate) fn fact(args: &mut ArgumentConsumer<'_>, id: Option<&VenueOrderId>) -> Result<Fact> {
    let name = args.next_pos().ok_or("what is said?")?;
    let status = match name {
        "open" => Some(VenueStatus::Open),
        "filled" => Some(VenueStatus::Filled),
        "canceled" => Some(VenueStatus::Canceled),
        _ => None,
    };
    if let Some(status) = status {
        return Ok(Fact::Status { status, cumulative: quantity(args)? });
    }
    Ok(match name {
        "expired" => {
            let cumulative = quantity(args)?;
            let status = VenueStatus::Expired(Text::new(args.next_pos().unwrap_or_default()));
            Fact::Status { status, cumulative }
        }
        "rejected" => {
            Fact::Status { status: VenueStatus::Rejected(rejection(args)), cumulative: Decimal::ZERO }
        }
        "ack" => Fact::Acknowledged,
        "trade" | "bust" => Fact::Trades(vec![trade(name == "bust", args, id)?]),
        "refused" => Fact::Refused(rejection(args)),
        "unknown" => {
            let word = args.next_pos().ok_or("why?")?;
            let cause = UnknownCause::ALL.into_iter().find(|cause| cause.as_str() == word);
            Fact::Unknown(cause.ok_or("no such cause")?)
        }
        "absent" => Fact::Absent,
        "notsent" => Fact::NotSent,
        "cancel" => {
            let cancel = Serial(number(args.next_pos().ok_or("which cancel?")?)?);
            let outcome = match args.next_pos().ok_or("what became of it?")? {
                "unknown" => CancelOutcome::Unknown,
                "done" => CancelOutcome::Done,
                "refused" => CancelOutcome::Refused(rejection(args)),
                word => return Err(format!("what is {word}?").into()),
            };
            Fact::Cancel { cancel, outcome }
        }
        word => return Err(format!("what is {word}?").into()),
    })
}

fn trade(
    is_bust: bool,
    args: &mut ArgumentConsumer<'_>,
    id: Option<&VenueOrderId>,
) -> Result<(FillKey, Fill)> {
    let trade = args.next_pos().ok_or("which trade?")?.parse()?;
    let quantity = quantity(args)?;
    let price = args.take_key("at").unwrap_or("100").parse()?;
    let commission = args.take_key("fee").map(commission).transpose()?;
    let venue_order_id = match args.take_key("order") {
        Some(order) => order.parse()?,
        None => id.cloned().map_or_else(|| "v1".parse(), Ok)?,
    };
    let maker = match args.next_pos() {
        None => None,
        Some("maker") => Some(true),
        Some("taker") => Some(false),
        Some(word) => return Err(format!("what is {word}?").into()),
    };
    let key = FillKey { trade, venue_order_id };
    Ok((key, Fill { quantity, price, is_bust, commission, maker, venue_ms: None }))
}

fn commission(text: &str) -> Result<Commission> {
    let (amount, asset) = text.split_once('/').ok_or("a fee is AMOUNT/ASSET")?;
    Ok(Commission { amount: amount.parse()?, asset: asset.parse()? })
}

pub(crate) fn terms(text: &str) -> Result<Terms> {
    let mut parts = text.split('/');
    let side = side(parts.next().ok_or("which side?")?)?;
    let mut next = || parts.next().map(str::parse::<Decimal>).transpose();
    let (quantity, price) = (next()?, next()?);
    let order_type = price.map(|_| OrderType::Limit);
    Ok(Terms { side, order_type, time_in_force: None, quantity, price })
}

fn quantity(args: &mut ArgumentConsumer<'_>) -> Result<Decimal> {
    Ok(args.next_pos().ok_or("how much?")?.parse()?)
}

fn rejection(args: &mut ArgumentConsumer<'_>) -> Rejection {
    Rejection { code: Text::new(args.next_pos().unwrap_or("-2010")), message: Text::default() }
}

fn side(text: &str) -> Result<Side> {
    Side::ALL.into_iter().find(|side| side.as_str() == text).ok_or(format!("{text} is no side").into())
}
