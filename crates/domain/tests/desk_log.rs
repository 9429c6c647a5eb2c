//! Golden scripts of a desk in the log: orders, and who may trade, under leases, limits and changes of leadership.
//!
//! A script is commands, `---`, and what came of them; `UPDATE_GOLDENFILES=1 cargo test -p domain` writes that again. Each
//! command is an entry of the log. After each the state is made anew from its image, and goes on beside one that never was: both
//! must answer alike, and come to the same digests and the same sums. Every script begins with the configuration of
//! `tests/desk.rs` (venue `sim` with BTCUSDT at 100, account `main`, strategy `mm` under the lease `desk`), the lease taken for an
//! hour by `bot`, and `main` reconciled: the first order is order 4.
//!
//! An order is named by its key, in short `k1`, `k2`, … as they come.
//!
//! | command | what it is |
//! |---|---|
//! | `at TIME`, `term N` | of the entries that follow |
//! | `take LEASE HOLDER [ttl=TIME]`, `free LEASE HOLDER` | acquires a lease, releases it |
//! | `buy Q SYMBOL [at P] [FIELD=V…]`, `sell …`, `replace KEY buy …` | submits an order, as in `tests/trading.rs`; the token is that of the lease unless `token=N`; also `hold=TIME`, `wall=MS`, `mode=direct` |
//! | `cancel KEY [lease=L] [token=N] [mode=M]`, `cancel KEY by=NAME` | asks for a cancel under a lease, or as an operator |
//! | `venue KEY FACT…`, `bot KEY FACT…` | a report, as in `tests/orders.rs`; `as=client` names the order so. Without KEY, `as=venue` names it by the `id=V`, `client=TEXT` by a client order id of whatever cluster; `account=A`, `symbol=S` are those of another |
//! | `kill SCOPE [NAME]`, `unkill …`, `mode SCOPE [NAME] MODE`, `breaker VENUE open\|closed`, each with `reason=TEXT` | switches |
//! | `reconcile ACCOUNT [term=N]`, `roll DAY`, `tick` | what the cluster does |
//! | `members NODE…`, `checkpoint`, `digest NODE HEX` | the group, and what its nodes hold |
//! | `limit …`, `venues …`, `symbol …`, `account …`, `strategy …`, `twice`, `drop …` | changes the draft, as in `tests/trading.rs`; `limit` configures too |
//! | `configure [tag=TAG]` | makes the draft the configuration |
//! | `multi`, then commands, then `exec` | a transaction of them |
//! | `show`, `show counters\|open\|history\|keys\|switches` | the orders, or what they come to |

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::command::Audit;
use domain::orders::command::{Authority, Cancel, OrderAction, OrderAnswer, Replace, Submit};
use domain::orders::id::{ClientOrderId, Tag};
use domain::orders::order::{Denial, Sender};
use domain::orders::reason::{Mode, Reason};
use domain::orders::report::{OrderName, Witness};
use domain::orders::{Fact, Order, OrderId, Report};
use domain::trading::account::AccountMode;
use domain::trading::command::{TradingAction, TradingAnswer};
use domain::trading::{Day, LimitKey, Owner, PositionKey, Revision};
use domain::{
    Action, Answer, Command, Lease, LogTime, NodeId, Outcome, Position, Recorded, Serial, Stamp, State,
};
use goldenscript::{ArgumentConsumer, Runner};

use crate::desk::{TestDesk, lease_name, name, token};
use crate::words::{Result, milliseconds, number, seconds, text, time, words};
use crate::{orders, trading};

scripts! { Script, "tests/desk_log",
    archive
    batches
    cancels
    change_of_leader
    configure
    denied
    external
    holds
    keys
    leases
    message_rate
    nodes_differ
    replace
    reports
    sums
    switches
    trusted_bots
    two_claims
}

/// What the wall clocks showed when the log began.
const WALL_MS: i64 = 1_764_500_000_000;

struct Script {
    /// Made anew from its image after each command.
    state: State,
    /// Never made anew.
    twin: State,
    /// To write a draft and an intent in.
    book: trading::Script,
    at: Position,
    now: LogTime,
    by_key: BTreeMap<String, OrderId>,
    keys: u64,
    queue: Option<Vec<Action>>,
}

impl Default for Script {
    fn default() -> Self {
        let mut script = Self {
            state: State::default(),
            twin: State::default(),
            book: trading::Script(TestDesk::standard()),
            at: Position { index: 0, offset: 0, term: 1, stamp: None },
            now: LogTime::ZERO,
            by_key: BTreeMap::new(),
            keys: 0,
            queue: None,
        };
        for action in [
            script.configuration("desk", None),
            acquire("desk", "bot", 3_600_000),
            Action::Trading(Box::new(TradingAction::RecordReconciled { account: name("main"), term: 1 })),
        ] {
            script.apply(action);
        }
        script
    }
}

impl Runner for Script {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Result<String> {
        let mut args = command.consume_args();
        let output = match command.name.as_str() {
            "at" => {
                self.now = time(args.next_pos().ok_or("at what time?")?)?;
                String::new()
            }
            "term" => {
                self.at.term = number(args.next_pos().ok_or("which term?")?)?;
                String::new()
            }
            "multi" => {
                self.queue = Some(Vec::new());
                String::new()
            }
            "venues" | "symbol" | "account" | "strategy" | "twice" | "drop" | "offset" => {
                let what = if command.name == "venues" { "venue" } else { &command.name };
                self.book.draft(what, &mut args)?;
                String::new()
            }
            "show" => self.show(args.next_pos())?,
            _ => self.command(command, &mut args)?,
        };
        args.reject_next()?;
        Ok(output)
    }
}

impl Script {
    fn command(
        &mut self,
        command: &goldenscript::Command,
        args: &mut ArgumentConsumer<'_>,
    ) -> Result<String> {
        let wall_ms = args.take_key("wall").map(str::parse).transpose()?;
        let wall_ms = wall_ms.unwrap_or(WALL_MS + i64::try_from(self.now.as_ns() / 1_000_000)?);
        let mut action = self.action(&command.name, args)?;
        action.resolve_wall_clock(wall_ms);
        if let Some(queue) = &mut self.queue {
            queue.push(action);
            return Ok(String::new());
        }
        let outcome = self.apply(action.clone());
        Ok(format!("{command} → {}\n", self.in_words(&action, &outcome.answer)?))
    }

    /// In an entry of its own.
    fn apply(&mut self, action: Action) -> Outcome {
        self.at.index += 1;
        self.at.stamp = Some(Stamp { term: self.at.term, time: self.now });
        let outcome = self.state.apply(self.at, Command::harmless(action.clone()));
        assert_eq!(self.twin.apply(self.at, Command::harmless(action)), outcome);
        let image = self.state.image();
        assert_eq!(self.twin.image(), image);
        let anew = State::from_image(image, self.twin.digest()).expect("it is its own digest");
        assert_eq!(anew.exposures(), self.twin.exposures());
        assert_eq!(anew.next_end(), self.twin.next_end());
        self.state = anew;
        outcome
    }

    fn configuration(&self, tag: &str, expected: Option<Revision>) -> Action {
        let draft = self.book.0.draft.clone();
        let tag = Tag::parse(tag).expect("four characters");
        let audit = audit("ann", "configure", "", "drill");
        Action::Trading(Box::new(TradingAction::Configure { draft, expected, tag, audit }))
    }

    /// By its key, or by its number.
    fn order(&self, args: &mut ArgumentConsumer<'_>) -> Result<OrderId> {
        let word = args.next_pos().ok_or("which order?")?;
        match word.parse() {
            Ok(number) => Ok(OrderId(Serial(number))),
            Err(_) => self.by_key.get(word).copied().ok_or_else(|| format!("no order {word}").into()),
        }
    }

    fn lease(&self, name: &str) -> Option<Lease> {
        self.state.lease(&lease_name(name).key(), self.state.now()).unwrap_or_default()
    }
}

fn acquire(lease: &str, holder: &str, ttl_ms: u64) -> Action {
    Action::Acquire { key: lease_name(lease).key(), holder: text(holder), ttl_ms, take_over: false }
}

fn audit(actor: &str, action: &str, subject: &str, reason: &str) -> Box<Audit> {
    let [actor, action, subject, reason] = [actor, action, subject, reason].map(str::to_owned);
    Box::new(Audit { wall_ms: 0, actor, action, subject, reason })
}

// What a command says.
impl Script {
    fn action(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Result<Action> {
        Ok(match command {
            "tick" => Action::Tick,
            "members" => {
                let voters = std::iter::from_fn(|| args.next_pos()).map(|node| Ok(NodeId(number(node)?)));
                Action::Members { voters: voters.collect::<Result<_>>()?, learners: vec![] }
            }
            "checkpoint" => Action::Checkpoint,
            "digest" => {
                let node = NodeId(number(next(args)?)?);
                let digest = u128::from_str_radix(next(args)?, 16)?;
                Action::ReportDigest { node, checkpoint: self.state.checkpoint().index, digest }
            }
            "exec" => Action::Transaction { guards: vec![], actions: self.queue.take().ok_or("no multi")? },
            "take" => {
                let (lease, holder) = (next(args)?, next(args)?);
                let ttl_ms = milliseconds(args.take_key("ttl").unwrap_or("3600s"))?;
                acquire(lease, holder, u64::try_from(ttl_ms)?)
            }
            "free" => {
                let key = lease_name(next(args)?).key();
                Action::Release { key, holder: text(next(args)?), token: None }
            }
            "buy" | "sell" => {
                let submit = self.submit(command, args)?;
                Action::Order(Box::new(OrderAction::Submit(submit)))
            }
            "replace" => {
                let cancel = self.order(args)?;
                let submit = self.submit(next(args)?, args)?;
                Action::Order(Box::new(OrderAction::Replace(Replace { cancel, submit })))
            }
            "cancel" => Action::Order(Box::new(OrderAction::Cancel(self.cancel(args)?))),
            "venue" => Action::Order(Box::new(OrderAction::Report(self.report(Witness::Venue, args)?))),
            "bot" => Action::Order(Box::new(OrderAction::Report(self.report(Witness::Bot, args)?))),
            "limit" => {
                self.book.limit(args)?;
                self.configuration("desk", None)
            }
            "configure" => {
                let now = self.state.trading().configuration.revision();
                let expected = args.take_key("expected").map(|which| match which {
                    "now" => now,
                    _ => Revision(!now.0),
                });
                self.configuration(args.take_key("tag").unwrap_or("desk"), expected)
            }
            _ => Action::Trading(Box::new(self.trading(command, args)?)),
        })
    }

    fn submit(&mut self, side: &str, args: &mut ArgumentConsumer<'_>) -> Result<Submit> {
        let (key, given) = (args.take_key("key"), args.take_key("token"));
        let hold_ms = args.take_key("hold").map(milliseconds).transpose()?.unwrap_or_default();
        let mut intent = self.book.intent(side, args)?;
        self.keys += u64::from(key.is_none());
        intent.key = key.map_or_else(|| name(&format!("k{}", self.keys)), name);
        intent.token = match given {
            Some(given) => token(number(given)?),
            None => self.lease(intent.lease.as_str()).map_or(token(0), |lease| lease.token),
        };
        Ok(Submit { intent, sender: sender(args)?, hold_ms: u64::try_from(hold_ms)?, wall_ms: None })
    }

    fn cancel(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<Cancel> {
        let order = self.order(args)?;
        let by = match args.take_key("by") {
            Some(actor) => Authority::Operator(audit(actor, "cancel", &order.to_string(), "drill")),
            None => {
                let lease = args.take_key("lease").unwrap_or("desk");
                let token = match args.take_key("token") {
                    Some(given) => token(number(given)?),
                    None => self.lease(lease).map_or(token(0), |lease| lease.token),
                };
                Authority::Lease { lease: lease_name(lease), token }
            }
        };
        Ok(Cancel { order, sender: sender(args)?, by, wall_ms: None })
    }

    fn report(&self, by: Witness, args: &mut ArgumentConsumer<'_>) -> Result<Report> {
        let venue_ms = args.take_key("ms").map(str::parse).transpose()?;
        let venue_order_id: Option<domain::VenueOrderId> = args.take_key("id").map(str::parse).transpose()?;
        let client = args.take_key("client").map(|text| ClientOrderId::parse(text).ok_or("not one of ours"));
        let order = match (client.transpose()?, args.take_key("as")) {
            (Some(client), _) => OrderName::Client(client),
            (None, Some("venue")) => OrderName::Venue(venue_order_id.clone().ok_or("which id?")?),
            (None, Some("client")) => {
                let id = self.order(args)?;
                let row = self.state.orders().get(id).ok_or("it is not there")?;
                OrderName::Client(self.state.client_order_id(row).ok_or("it has no client order id")?)
            }
            (None, _) => OrderName::Id(self.order(args)?),
        };
        let terms = args.take_key("terms").map(orders::terms).transpose()?;
        let account = name(args.take_key("account").unwrap_or("main"));
        let symbol = name(args.take_key("symbol").unwrap_or("BTCUSDT"));
        let mut fact = orders::fact(args, venue_order_id.as_ref())?;
        if let Fact::Trades(trades) = &mut fact {
            trades.iter_mut().for_each(|(_, fill)| fill.venue_ms = venue_ms);
        }
        Ok(Report { account, symbol, order, by, venue_ms, venue_order_id, terms, fact })
    }

    fn trading(&self, command: &str, args: &mut ArgumentConsumer<'_>) -> Result<TradingAction> {
        let audit = audit("ann", command, "", args.take_key("reason").unwrap_or("drill"));
        Ok(match command {
            "kill" | "unkill" => {
                let subject = trading::subject(args)?;
                TradingAction::SetKillSwitch { subject, engaged: command == "kill", audit }
            }
            "mode" => {
                let subject = trading::subject(args)?;
                let word = next(args)?;
                let mode = Mode::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or("no mode")?;
                TradingAction::SetMode { subject, mode, audit }
            }
            "breaker" => {
                let venue = name(next(args)?);
                TradingAction::SetBreaker { venue, forced_open: next(args)? == "open", audit }
            }
            "reconcile" => {
                let account = name(next(args)?);
                let term = args.take_key("term").map(number).transpose()?.unwrap_or(self.at.term);
                TradingAction::RecordReconciled { account, term }
            }
            "roll" => TradingAction::RollDay(Day(next(args)?.parse()?)),
            other => return Err(format!("there is no command {other}").into()),
        })
    }
}

fn next<'a>(args: &mut ArgumentConsumer<'a>) -> Result<&'a str> {
    args.next_pos().ok_or_else(|| "an argument is missing".into())
}

fn sender(args: &mut ArgumentConsumer<'_>) -> Result<Sender> {
    Ok(match trading::account_mode(args)? {
        AccountMode::Gateway => Sender::Cluster,
        AccountMode::Direct => Sender::Bot,
    })
}

// What came of it.
impl Script {
    fn in_words(&mut self, action: &Action, answer: &Answer) -> Result<String> {
        Ok(match (action, answer) {
            (Action::Order(action), Answer::Order(answer)) => self.of_order(action, answer),
            (_, Answer::Trading(answer)) => match &**answer {
                TradingAnswer::Configured { changes, revision: _ } => {
                    format!("configured, {changes} changes")
                }
                TradingAnswer::Misconfigured { problems } => {
                    problems.iter().fold("misconfigured".to_owned(), |all, it| format!("{all}\n    ! {it}"))
                }
                TradingAnswer::Switched(switched) => format!("{switched:?}").to_lowercase(),
                TradingAnswer::Unknown => "unknown".to_owned(),
                TradingAnswer::Stale => "stale".to_owned(),
                TradingAnswer::Unexplained => "unexplained".to_owned(),
            },
            (Action::Transaction { actions, .. }, Answer::All(answers)) => {
                let mut lines = "done".to_owned();
                for (action, answer) in actions.iter().zip(answers) {
                    write!(lines, "\n  {}", self.in_words(action, answer)?)?;
                }
                lines
            }
            (_, Answer::Lease { granted, lease }) => {
                let held = lease.as_ref().map_or("free".to_owned(), |lease| {
                    format!("{} holds it under token {}", words(&lease.holder), lease.token)
                });
                format!("{}, {held}", if *granted { "done" } else { "not done" })
            }
            (_, answer) => format!("{answer:?}").to_lowercase(),
        })
    }

    fn of_order(&mut self, action: &OrderAction, answer: &OrderAnswer) -> String {
        let submitted = match action {
            OrderAction::Submit(submit) | OrderAction::Replace(Replace { submit, .. }) => {
                Some(submit.intent.key.as_str().to_owned())
            }
            OrderAction::Cancel(_) | OrderAction::Report(_) => None,
        };
        let known = match answer {
            OrderAnswer::Authorized { order, .. }
            | OrderAnswer::Held { order, .. }
            | OrderAnswer::Replacing { order, .. }
            | OrderAnswer::Reported { order } => Some(*order),
            _ => None,
        };
        if let (Some(key), Some(order)) = (submitted, known) {
            self.by_key.insert(key, order);
        }
        let with = |what: String, reasons: &[Reason]| {
            let line = |reason: &Reason| format!("\n    {}: {reason}", reason.code());
            reasons.iter().map(line).fold(what, |all, line| all + &line)
        };
        let signed = |signing: &domain::orders::command::Signing| {
            let client = signing.client_order_id.map_or("no name".to_owned(), |id| id.to_string());
            format!("{client}, {} ms from {}", signing.window_ms, signing.wall_ms)
        };
        match answer {
            OrderAnswer::Authorized { order, signing } => {
                format!("order {order} is authorized: {}", signed(signing))
            }
            OrderAnswer::Held { order, reasons } => with(format!("order {order} is held"), reasons),
            OrderAnswer::Existing { order } => format!("it is order {order}"),
            OrderAnswer::Canceling { order, attempt, signing } => {
                format!("order {order} may be cancelled by {attempt}: {}", signed(signing))
            }
            OrderAnswer::Withdrawn { order } => format!("order {order} is withdrawn"),
            OrderAnswer::Replacing { canceled, order, signing } => {
                format!("order {order} is authorized in the place of {canceled}: {}", signed(signing))
            }
            OrderAnswer::Denied { order, reasons } => with(format!("order {order} is denied"), reasons),
            OrderAnswer::Refused { reasons } => with("refused".to_owned(), reasons),
            OrderAnswer::Reported { order } => self.state.orders().get(*order).map_or_else(
                || format!("order {order}, which is gone"),
                |row| format!("order {order}: {}", self.standing(row)),
            ),
        }
    }

    fn standing(&self, order: &Order) -> String {
        let evidence = order.evidence();
        let quantity = order.quantity(&evidence).map_or("?".to_owned(), |quantity| quantity.to_string());
        let status = order.status(self.state.present(self.at));
        let mut text = format!("{status}, filled {} of {quantity}", order.filled_quantity());
        order.flags().words().for_each(|word| text += &format!(", {word}"));
        for why in order.contradictions() {
            text += &format!(", {}", why.as_str());
        }
        text + if order.settled_at.is_some() { ", settled" } else { "" }
    }

    fn show(&self, what: Option<&str>) -> Result<String> {
        let mut lines: Vec<String> = Vec::new();
        match what {
            None => {
                for order in self.state.orders().iter() {
                    let key = order.intent().map_or("external", |intent| intent.key.as_str());
                    lines.push(format!("order {} {key}: {}", order.id, self.standing(order)));
                }
            }
            Some("counters") => {
                let shown = trading::Script(TestDesk {
                    trading: self.state.trading().clone(),
                    ..TestDesk::default()
                });
                lines.push(shown.show()?);
            }
            Some("open") => self.open(&mut lines),
            Some("history") => {
                // But for the first configuration.
                lines.extend(self.state.history_tail().iter().skip(1).map(|record| {
                    let (serial, at) = (record.serial, seconds(record.time));
                    format!("serial {serial}, term {}, at {at}: {}", record.term, self.recorded(&record.what))
                }));
            }
            Some("keys") => {
                for ((strategy, key), it) in self.state.image().tombstones {
                    let until = it.until.map_or("for ever".to_owned(), |at| format!("until {}", seconds(at)));
                    lines.push(format!(
                        "{key} of {strategy}: order {}, filled {}, {until}",
                        it.order, it.filled
                    ));
                }
            }
            Some("switches") => {
                let switches = &self.state.trading().switches;
                for (subject, note) in &switches.kills {
                    lines.push(format!("{subject} is killed by {}: {}", note.actor, note.reason));
                }
                for (subject, (mode, note)) in &switches.modes {
                    lines.push(format!("{subject} is {mode} by {}: {}", note.actor, note.reason));
                }
                for (venue, note) in &switches.breakers {
                    lines.push(format!("{venue} is open by {}: {}", note.actor, note.reason));
                }
            }
            Some(other) => return Err(format!("what is {other}?").into()),
        }
        Ok(if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") })
    }

    /// What is open on the account and for the strategy that every script begins with.
    fn open(&self, lines: &mut Vec<String>) {
        let exposures = self.state.exposures();
        for owner in [Owner::Account(name("main")), Owner::Strategy(name("mm"))] {
            let key = LimitKey { owner, symbol: None };
            let open = exposures.open(&key);
            let notional = exposures.notional(&key, &name("USDT"));
            let (scope, orders) = (key.scope(), open.orders);
            lines.push(format!(
                "{scope}: {orders} orders, buy {}, sell {}, {notional} USDT",
                open.buy, open.sell
            ));
        }
        let own = PositionKey { account: name("main"), symbol: name("BTCUSDT"), strategy: None };
        let external = exposures.own(&own);
        lines.push(format!(
            "external: {} orders, buy {}, sell {}",
            external.orders, external.buy, external.sell
        ));
    }

    fn recorded(&self, what: &Recorded) -> String {
        match what {
            Recorded::Audit(Audit { actor, action, subject, reason, .. }) => {
                let subject = subject.replace('\n', " | ");
                format!("{actor} did {action} to [{subject}], because {reason}")
            }
            Recorded::Order(order) => {
                let why = match &order.denial {
                    Some(Denial::Refused(reasons)) => {
                        let codes: Vec<&str> = reasons.iter().map(Reason::code).collect();
                        format!(", denied for {}", codes.join(", "))
                    }
                    Some(Denial::Withdrawn) => ", withdrawn".to_owned(),
                    Some(Denial::Expired) => ", its hold ended".to_owned(),
                    None => String::new(),
                };
                format!("order {}: {}{why}", order.id, self.standing(order))
            }
        }
    }
}
