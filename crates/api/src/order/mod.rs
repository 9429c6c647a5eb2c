//! `tenure.v1.OrderService`.
//!
//! What is asked for is read in `request` and `report`, what stands is shown by `view`, `get` and `page`; `watch` goes on
//! telling what changes. Whether an order may be sent is decided by the state alone.

use std::sync::Arc;

use consensus::{Reading, Replica};
use domain::orders::command::{Authority, Cancel, OrderAction, OrderAnswer, Replace, Signing};
use domain::orders::id::OrderId;
use domain::orders::intent::Intent;
use domain::orders::order::{Present, Sender};
use domain::orders::reason::{Field, Reason as OrderReason};
use domain::orders::table::Row;
use domain::orders::tombstone::StrategyKey;
use domain::trading::account::AccountMode;
use domain::{Action, Answer, Outcome, State, WallZero};
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use wire::v1::{self, order_service_server::OrderService};

use crate::call::{has_applied, header, look, other_request, propose};
use crate::cluster::WallClock;
use crate::faults::Faults;
use crate::limits::{BATCH_ORDERS_MAX, LISTINGS_MAX, REPORTED_FACTS_MAX};
use crate::order::page::Listing;
use crate::order::report::Told;
use crate::order::request::Name;
use crate::order::view::{Grant, View, archived, denials, granted};
use crate::refusal::{Reason, from_read, from_reasons};

mod get;
mod page;
mod report;
mod request;
mod view;
mod watch;
pub(crate) mod words;

#[derive(Clone)]
pub struct Orders {
    replica: Replica,
    wall_ms: WallClock,
    listings: Arc<Semaphore>,
}

/// An order that was asked for, and what became of it.
struct Submitted {
    header: v1::ReplyHeader,
    result: v1::OrderResult,
}

/// What is to be known of an order before something is asked of it.
struct Found {
    row: Row,
    sender: Sender,
}

impl Orders {
    /// `wall_ms` is for people: by it they are told when an order changed.
    pub fn new(replica: Replica, wall_ms: WallClock) -> Self {
        Self { replica, wall_ms, listings: Arc::new(Semaphore::new(LISTINGS_MAX)) }
    }

    async fn submit_as(
        &self,
        sender: Sender,
        order: Option<&v1::NewOrder>,
        request_id: &[u8],
    ) -> Result<Submitted, Status> {
        let mut faults = Faults::default();
        let submit = request::submit(order, sender, &mut faults);
        faults.none(Reason::InvalidOrder)?;
        let submit = submit.expect("nothing is wrong with it");
        let intent = submit.intent.clone();
        let outcome = propose(&self.replica, request_id, action(OrderAction::Submit(submit))).await?;
        let Answer::Order(answer) = &outcome.answer else { return Err(other_request()) };
        match &**answer {
            OrderAnswer::Authorized { .. } | OrderAnswer::Held { .. } | OrderAnswer::Existing { .. } => {}
            OrderAnswer::Denied { order, reasons } => {
                return Err(from_reasons(reasons, Some(*order), outcome.repeated));
            }
            OrderAnswer::Refused { reasons } => return Err(from_reasons(reasons, None, outcome.repeated)),
            _ => return Err(other_request()),
        }
        let result = match self.granted(&outcome, answer, sender, &intent) {
            Some(order) => v1::OrderResult { order: Some(order), ..v1::OrderResult::default() },
            None => {
                let key = intent.strategy_key();
                self.show(&outcome, |view| result(view, answer, Some(&key))).await?
            }
        };
        Ok(Submitted { header: header(&self.replica, &outcome), result })
    }

    /// An order as it was authorised a moment ago: whoever sends it does not wait until this node has applied that. `None` if it was
    /// not, or this node does not know its account yet.
    fn granted(
        &self,
        outcome: &Outcome,
        answer: &OrderAnswer,
        sender: Sender,
        intent: &Intent,
    ) -> Option<v1::Order> {
        let OrderAnswer::Authorized { order, signing } = answer else { return None };
        let grant = Grant { order: *order, made: outcome.made, sender, signing: *signing };
        let state = self.replica.local();
        let is_known = state.trading().configuration.account(&intent.account).is_some();
        (is_known && !outcome.repeated).then(|| granted(&state, grant, intent.clone()))
    }

    /// What a write left behind, looked at without another round unless this node lags behind or the write was repeated.
    async fn show<T>(&self, outcome: &Outcome, show: impl FnOnce(View<'_>) -> T) -> Result<T, Status> {
        if !outcome.repeated && has_applied(&self.replica, outcome.made.serial).await {
            let state = self.replica.local();
            let wall_zero = WallZero::new((self.wall_ms)().saturating_mul(1_000_000), state.now());
            let present = Present { term: outcome.made.term, now: state.now() };
            return Ok(show(View { state: &state, present, wall_zero }));
        }
        let reading = self.replica.read().await.map_err(|error| {
            let message = format!("it was carried out, and what became of it cannot be shown: {error}");
            Reason::OutcomeUnknown.status(message)
        })?;
        Ok(self.look(&reading, show).1)
    }

    /// By a quorum round.
    async fn read<T>(&self, show: impl FnOnce(View<'_>) -> T) -> Result<(v1::ReplyHeader, T), Status> {
        let reading = self.replica.read().await.map_err(from_read)?;
        Ok(self.look(&reading, show))
    }

    fn look<T>(&self, reading: &Reading, show: impl FnOnce(View<'_>) -> T) -> (v1::ReplyHeader, T) {
        let Reading { term, wall_zero, .. } = *reading;
        look(&self.replica, reading, |state, now| {
            show(View { state, present: Present { term, now }, wall_zero })
        })
    }

    /// What is not known here may have been recorded a moment ago at another node.
    async fn find(&self, name: &Name) -> Result<Option<Found>, Status> {
        let here = find(&self.replica.local(), name);
        match here {
            Some(found) => Ok(Some(found)),
            None => Ok(self.read(|view| find(view.state, name)).await?.1),
        }
    }

    async fn find_or_refuse(&self, name: &Name) -> Result<Found, Status> {
        let unknown = || from_reasons(&[OrderReason::Unknown(Field::Order)], None, false);
        self.find(name).await?.ok_or_else(unknown)
    }

    /// What bots tell, as actions of one transaction, and how many are of each report; `None`: of an order that is not known.
    async fn told(&self, reports: &[v1::OrderReport]) -> Result<(Vec<Action>, Vec<Option<usize>>), Status> {
        let mut faults = Faults::default();
        let mut told = Vec::new();
        for (at, report) in reports.iter().enumerate() {
            faults.enter(format_args!("reports[{at}]"));
            told.extend(Told::new(report, &mut faults));
        }
        faults.none(Reason::Invalid)?;
        let facts: usize = told.iter().map(Told::len).sum();
        if facts > REPORTED_FACTS_MAX {
            let message = format!("the reports say {facts} things; at most {REPORTED_FACTS_MAX} at once");
            return Err(Reason::Invalid.status(message));
        }
        let (mut actions, mut counts, mut faults) = (Vec::new(), Vec::new(), Faults::default());
        for (at, told) in told.into_iter().enumerate() {
            faults.enter(format_args!("reports[{at}]"));
            let Some(found) = self.find(&told.name).await? else {
                counts.push(None);
                continue;
            };
            let reports = told.reports(&found.row);
            reports.iter().flat_map(|report| report.faults()).for_each(|reason| faults.add(reason));
            counts.push(Some(reports.len()));
            actions.extend(reports.into_iter().map(|report| action(OrderAction::Report(report))));
        }
        faults.none(Reason::Invalid)?;
        Ok((actions, counts))
    }
}

fn action(action: OrderAction) -> Action {
    Action::Order(Box::new(action))
}

fn find(state: &State, name: &Name) -> Option<Found> {
    let row = match name {
        Name::Id(id) => state.orders().get(*id),
        Name::Client(client) => state.by_client_order_id(*client),
        Name::Key(key) => state.orders().by_key(key),
    }?;
    let account = state.trading().configuration.account(row.account());
    let sender = match account.map(|account| account.mode) {
        Some(AccountMode::Direct) => Sender::Bot,
        Some(AccountMode::Gateway) | None => Sender::Cluster,
    };
    Some(Found { row: row.clone(), sender })
}

/// An order as it stands, or as much as is known of one that is history.
fn order(view: View<'_>, id: OrderId, key: Option<&StrategyKey>) -> v1::Order {
    if let Some(order) = view.state.orders().get(id) {
        return view.order(order);
    }
    let tombstone = key.and_then(|key| Some((key, view.state.orders().tombstone(key)?)));
    match tombstone.filter(|(_, tombstone)| tombstone.order == id) {
        Some((key, tombstone)) => archived(key, tombstone),
        None => v1::Order { order_id: id.0.0, flags: vec!["archived".into()], ..v1::Order::default() },
    }
}

/// What became of one of several.
fn result(view: View<'_>, answer: &OrderAnswer, key: Option<&StrategyKey>) -> v1::OrderResult {
    let (id, reasons) = match answer {
        OrderAnswer::Authorized { order, .. }
        | OrderAnswer::Existing { order }
        | OrderAnswer::Canceling { order, .. }
        | OrderAnswer::Withdrawn { order }
        | OrderAnswer::Replacing { order, .. }
        | OrderAnswer::Reported { order } => (Some(*order), &[][..]),
        OrderAnswer::Held { order, reasons } => (Some(*order), &reasons[..]),
        OrderAnswer::Denied { reasons, .. } | OrderAnswer::Refused { reasons } => (None, &reasons[..]),
    };
    let order = id.map(|id| order(view, id, key));
    // What waited when this was answered first may have gone on since.
    let waits = order.as_ref().is_none_or(|order| order.status() == v1::OrderStatus::Intent);
    v1::OrderResult {
        order,
        existing: matches!(answer, OrderAnswer::Existing { .. }),
        denials: if waits { denials(reasons) } else { Vec::new() },
    }
}

/// The answers to the parts of a transaction, all of orders.
fn answers(outcome: &Outcome, count: usize) -> Result<Vec<&OrderAnswer>, Status> {
    let Answer::All(answers) = &outcome.answer else { return Err(other_request()) };
    let of_order = |answer: &'_ Answer| matches!(answer, Answer::Order(_));
    if answers.len() != count || !answers.iter().all(of_order) {
        return Err(other_request());
    }
    let orders = answers.iter().filter_map(|answer| match answer {
        Answer::Order(answer) => Some(&**answer),
        _ => None,
    });
    Ok(orders.collect())
}

fn check_count(what: &str, count: usize) -> Result<(), Status> {
    match count {
        1..=BATCH_ORDERS_MAX => Ok(()),
        _ => Err(Reason::Invalid.status(format!("{what}: 1 to {BATCH_ORDERS_MAX} at once, not {count}"))),
    }
}

#[tonic::async_trait]
impl OrderService for Orders {
    type WatchStream = ReceiverStream<Result<v1::WatchOrdersResponse, Status>>;

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let v1::SubmitRequest { order, request_id } = request.into_inner();
        let Submitted { header, result } =
            self.submit_as(Sender::Cluster, order.as_ref(), &request_id).await?;
        let v1::OrderResult { order, existing, denials } = result;
        Ok(Response::new(v1::SubmitResponse { header: Some(header), order, existing, waits_for: denials }))
    }

    async fn authorize(
        &self,
        request: Request<v1::AuthorizeRequest>,
    ) -> Result<Response<v1::AuthorizeResponse>, Status> {
        let v1::AuthorizeRequest { order, request_id } = request.into_inner();
        let Submitted { header, result } = self.submit_as(Sender::Bot, order.as_ref(), &request_id).await?;
        let v1::OrderResult { order, existing, denials } = result;
        let header = Some(header);
        Ok(Response::new(v1::AuthorizeResponse { header, order, existing, waits_for: denials }))
    }

    async fn submit_batch(
        &self,
        request: Request<v1::SubmitBatchRequest>,
    ) -> Result<Response<v1::SubmitBatchResponse>, Status> {
        let v1::SubmitBatchRequest { orders, request_id } = request.into_inner();
        check_count("orders", orders.len())?;
        let mut faults = Faults::default();
        let mut submits = Vec::new();
        for (at, order) in orders.iter().enumerate() {
            faults.enter(format_args!("orders[{at}]"));
            submits.extend(request::submit(Some(order), Sender::Cluster, &mut faults));
        }
        faults.none(Reason::InvalidOrder)?;
        let keys: Vec<_> = submits.iter().map(|submit| submit.intent.strategy_key()).collect();
        let actions = submits.into_iter().map(|submit| action(OrderAction::Submit(submit))).collect();
        let batch = Action::Transaction { guards: Vec::new(), actions };
        let outcome = propose(&self.replica, &request_id, batch).await?;
        let answers = answers(&outcome, keys.len())?;
        let results = |view: View<'_>| {
            answers.iter().zip(&keys).map(|(answer, key)| result(view, answer, Some(key))).collect()
        };
        let results = self.show(&outcome, results).await?;
        let header = Some(header(&self.replica, &outcome));
        Ok(Response::new(v1::SubmitBatchResponse { header, results }))
    }

    async fn cancel(
        &self,
        request: Request<v1::CancelRequest>,
    ) -> Result<Response<v1::CancelResponse>, Status> {
        let v1::CancelRequest { which, lease, token, request_id } = request.into_inner();
        let mut faults = Faults::default();
        let name = match which {
            Some(v1::cancel_request::Which::OrderId(id)) => Some(Name::id(id)),
            Some(v1::cancel_request::Which::ClientOrderId(text)) => Name::client(&text, &mut faults),
            None => Name::missing(&mut faults),
        };
        let authority = request::authority(&lease, token, &mut faults);
        faults.none(Reason::Invalid)?;
        let (name, (lease, token)) = name.zip(authority).expect("nothing is wrong with it");
        let Found { row, sender } = self.find_or_refuse(&name).await?;
        let by = Authority::Lease { lease, token };
        let cancel = Cancel { order: row.id, sender, by, wall_ms: None };
        let outcome = propose(&self.replica, &request_id, action(OrderAction::Cancel(cancel))).await?;
        let Answer::Order(answer) = &outcome.answer else { return Err(other_request()) };
        let (id, signing) = match &**answer {
            OrderAnswer::Canceling { order, signing, .. } => (*order, Some(signing)),
            OrderAnswer::Withdrawn { order } => (*order, None),
            OrderAnswer::Refused { reasons } => return Err(from_reasons(reasons, None, outcome.repeated)),
            _ => return Err(other_request()),
        };
        let key = row.strategy_key();
        let order = self.show(&outcome, |view| order(view, id, key.as_ref())).await?;
        let (timestamp_ms, window_ms) =
            signing.map(|Signing { wall_ms, window_ms, .. }| (*wall_ms, *window_ms)).unzip();
        let header = Some(header(&self.replica, &outcome));
        Ok(Response::new(v1::CancelResponse { header, order: Some(order), timestamp_ms, window_ms }))
    }

    async fn replace(
        &self,
        request: Request<v1::ReplaceRequest>,
    ) -> Result<Response<v1::ReplaceResponse>, Status> {
        let v1::ReplaceRequest { which, order: new, request_id } = request.into_inner();
        let mut faults = Faults::default();
        let name = match which {
            Some(v1::replace_request::Which::OrderId(id)) => Some(Name::id(id)),
            Some(v1::replace_request::Which::ClientOrderId(text)) => Name::client(&text, &mut faults),
            None => Name::missing(&mut faults),
        };
        let submit = request::submit(new.as_ref(), Sender::Cluster, &mut faults);
        faults.none(Reason::InvalidOrder)?;
        let (name, mut submit) = name.zip(submit).expect("nothing is wrong with it");
        let Found { row, sender } = self.find_or_refuse(&name).await?;
        submit.sender = sender;
        let key = submit.intent.strategy_key();
        let replace = Replace { cancel: row.id, submit };
        let outcome = propose(&self.replica, &request_id, action(OrderAction::Replace(replace))).await?;
        let Answer::Order(answer) = &outcome.answer else { return Err(other_request()) };
        let (canceled, id) = match &**answer {
            OrderAnswer::Replacing { canceled, order, .. } => (*canceled, *order),
            // Authorized: in the place of one that waited, and is withdrawn.
            OrderAnswer::Existing { order } | OrderAnswer::Authorized { order, .. } => (row.id, *order),
            OrderAnswer::Refused { reasons } => return Err(from_reasons(reasons, None, outcome.repeated)),
            _ => return Err(other_request()),
        };
        let old_key = row.strategy_key();
        let show = |view: View<'_>| (order(view, canceled, old_key.as_ref()), order(view, id, Some(&key)));
        let (canceled, order) = self.show(&outcome, show).await?;
        Ok(Response::new(v1::ReplaceResponse {
            header: Some(header(&self.replica, &outcome)),
            canceled: Some(canceled),
            order: Some(order),
            existing: matches!(**answer, OrderAnswer::Existing { .. }),
        }))
    }

    async fn get(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        let mut faults = Faults::default();
        let name = match request.into_inner().which {
            Some(v1::get_order_request::Which::OrderId(id)) => Some(Name::id(id)),
            Some(v1::get_order_request::Which::ClientOrderId(text)) => Name::client(&text, &mut faults),
            Some(v1::get_order_request::Which::Key(v1::StrategyKey { strategy, key })) => {
                Name::key(&strategy, &key, &mut faults)
            }
            None => Name::missing(&mut faults),
        };
        faults.none(Reason::Invalid)?;
        let name = name.expect("nothing is wrong with it");
        let (header, order) = self.get_any(&name).await?;
        let unknown = || from_reasons(&[OrderReason::Unknown(Field::Order)], None, false);
        let order = Some(order.ok_or_else(unknown)?);
        Ok(Response::new(v1::GetOrderResponse { header: Some(header), order }))
    }

    async fn list(
        &self,
        request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        let listing = Listing::try_from(request.get_ref())?;
        let (header, orders, next_before) = self.list_page(listing).await?;
        Ok(Response::new(v1::ListOrdersResponse { header: Some(header), orders, next_before }))
    }

    async fn watch(
        &self,
        request: Request<v1::WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(self.watch_from(request.get_ref()).await?))
    }

    async fn report(
        &self,
        request: Request<v1::ReportRequest>,
    ) -> Result<Response<v1::ReportResponse>, Status> {
        let v1::ReportRequest { reports, request_id } = request.into_inner();
        check_count("reports", reports.len())?;
        let (actions, counts) = self.told(&reports).await?;
        if actions.is_empty() {
            return Err(from_reasons(&[OrderReason::Unknown(Field::Order)], None, false));
        }
        let count = actions.len();
        let transaction = Action::Transaction { guards: Vec::new(), actions };
        let outcome = propose(&self.replica, &request_id, transaction).await?;
        let answers = answers(&outcome, count)?;
        let unknown = OrderAnswer::Refused { reasons: vec![OrderReason::Unknown(Field::Order)] };
        let results = |view: View<'_>| {
            let mut answers = answers.iter();
            let mut results = Vec::new();
            for count in counts {
                // All that was said of an order in one report has one fate: it is known or not.
                let last =
                    answers.by_ref().take(count.unwrap_or(0)).last().map_or(&unknown, |answer| *answer);
                results.push(result(view, last, None));
            }
            results
        };
        let results = self.show(&outcome, results).await?;
        let header = Some(header(&self.replica, &outcome));
        Ok(Response::new(v1::ReportResponse { header, results }))
    }
}
