//! `/api/v1/orders`: the order service as JSON.
//!
//! Where an answer comes from is in headers that begin with `tenure-`; orders are as `tenure order … -o json` prints them.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tonic::Request;
use wire::v1::{self, order_service_server::OrderService};

use crate::input::{Body, Name, Parameters, bad, parse_request_id};
use crate::order::body::{Batch, Cancel, NewOrder, Replace, Reports};
use crate::refusal::Refusal;
use crate::reply::{headers, next_link};

mod body;
mod view;

pub(crate) use view::rfc3339;
pub use view::{Canceled, Denial, Fate, Fill, Replaced, Submitted, View};

/// What a browser sends when it opens a stream again: the id of the last event that it saw.
const LAST_EVENT_ID: &str = "last-event-id";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    account: String,
    #[serde(default)]
    strategy: String,
    #[serde(default)]
    symbol: String,
    /// Several, with commas between them.
    #[serde(default)]
    status: String,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    #[serde(default)]
    before: u64,
    limit: Option<u32>,
    #[serde(default)]
    unresolved: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watched {
    after: Option<u64>,
    #[serde(default)]
    account: String,
    #[serde(default)]
    strategy: String,
}

pub(crate) async fn submit<O: OrderService>(
    State(orders): State<Arc<O>>,
    Body(body): Body<NewOrder>,
) -> Result<Response, Refusal> {
    let (order, request_id) = body.into_wire()?;
    let request = v1::SubmitRequest { order: Some(order), request_id };
    let mut reply = orders.submit(Request::new(request)).await?.into_inner();
    Ok((headers(reply.header.take()), Json(Submitted::from(reply))).into_response())
}

pub(crate) async fn authorize<O: OrderService>(
    State(orders): State<Arc<O>>,
    Body(body): Body<NewOrder>,
) -> Result<Response, Refusal> {
    let (order, request_id) = body.into_wire()?;
    let request = v1::AuthorizeRequest { order: Some(order), request_id };
    let mut reply = orders.authorize(Request::new(request)).await?.into_inner();
    Ok((headers(reply.header.take()), Json(Submitted::from(reply))).into_response())
}

/// 200 whatever became of each.
pub(crate) async fn submit_batch<O: OrderService>(
    State(orders): State<Arc<O>>,
    Body(body): Body<Batch>,
) -> Result<Response, Refusal> {
    let reply = orders.submit_batch(Request::new(body.into_wire()?)).await?.into_inner();
    Ok((headers(reply.header), Json(fates(reply.results))).into_response())
}

/// 200 whatever became of each.
pub(crate) async fn report<O: OrderService>(
    State(orders): State<Arc<O>>,
    Body(body): Body<Reports>,
) -> Result<Response, Refusal> {
    let reply = orders.report(Request::new(body.into_wire()?)).await?.into_inner();
    Ok((headers(reply.header), Json(fates(reply.results))).into_response())
}

pub(crate) async fn cancel<O: OrderService>(
    State(orders): State<Arc<O>>,
    Name(name): Name,
    Body(body): Body<Cancel>,
) -> Result<Response, Refusal> {
    use v1::cancel_request::Which;
    let Cancel { lease, token, request_id } = body;
    let request_id = parse_request_id(request_id.as_deref())?;
    let which = Some(named(name, Which::OrderId, Which::ClientOrderId));
    let request = v1::CancelRequest { which, lease, token, request_id };
    let mut reply = orders.cancel(Request::new(request)).await?.into_inner();
    Ok((headers(reply.header.take()), Json(Canceled::from(reply))).into_response())
}

pub(crate) async fn replace<O: OrderService>(
    State(orders): State<Arc<O>>,
    Name(name): Name,
    Body(Replace(body)): Body<Replace>,
) -> Result<Response, Refusal> {
    use v1::replace_request::Which;
    let (order, request_id) = body.into_wire()?;
    let which = Some(named(name, Which::OrderId, Which::ClientOrderId));
    let request = v1::ReplaceRequest { which, order: Some(order), request_id };
    let mut reply = orders.replace(Request::new(request)).await?.into_inner();
    Ok((headers(reply.header.take()), Json(Replaced::from(reply))).into_response())
}

pub(crate) async fn show<O: OrderService>(
    State(orders): State<Arc<O>>,
    Name(name): Name,
) -> Result<Response, Refusal> {
    use v1::get_order_request::Which;
    let which = Some(named(name, Which::OrderId, Which::ClientOrderId));
    let reply = orders.get(Request::new(v1::GetOrderRequest { which })).await?.into_inner();
    Ok((headers(reply.header), Json(View::from(reply.order.unwrap_or_default()))).into_response())
}

/// One page, the newest first; when there may be more, the header `link` has the next one.
pub(crate) async fn list<O: OrderService>(
    State(orders): State<Arc<O>>,
    Parameters(page): Parameters<Page>,
) -> Result<Response, Refusal> {
    let request = page.to_wire()?;
    let reply = orders.list(Request::new(request)).await?.into_inner();
    let mut headers = headers(reply.header);
    if reply.next_before > 0 {
        headers.insert(header::LINK, next_link("/api/v1/orders", page.next(reply.next_before)));
    }
    let views = reply.orders.into_iter().map(View::from);
    Ok((headers, Json(views.collect::<Vec<_>>())).into_response())
}

/// An event for each change, with the serial after which to go on as its id. A stream that ends says why in an event `error`.
pub(crate) async fn watch<O: OrderService<WatchStream: Unpin>>(
    State(orders): State<Arc<O>>,
    sent: HeaderMap,
    Parameters(watched): Parameters<Watched>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let Watched { after, account, strategy } = watched;
    let seen = sent.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default().parse());
    let seen = seen.transpose().map_err(|_| bad("last-event-id: must be that of an event"))?;
    let after_serial = seen.or(after).unwrap_or(0);
    let request = v1::WatchOrdersRequest { account, strategy, after_serial };
    let changes = orders.watch(Request::new(request)).await?.into_inner();
    Ok(Sse::new(changes.map(|change| Ok(event(change)))).keep_alive(KeepAlive::default()))
}

fn fates(results: Vec<v1::OrderResult>) -> Vec<Fate> {
    results.into_iter().map(Fate::from).collect()
}

fn event(change: Result<v1::WatchOrdersResponse, tonic::Status>) -> Event {
    let (name, id, data) = match change {
        Ok(v1::WatchOrdersResponse { header: _, order, resume_after }) => {
            let view = View::from(order.unwrap_or_default());
            ("order", Some(resume_after), serde_json::to_string(&view))
        }
        Err(ended) => ("error", None, Refusal::from(ended).json()),
    };
    let event = Event::default().event(name).data(data.expect("strings and numbers"));
    match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    }
}

/// By its number, or by what it is called at its venue.
fn named<W>(name: String, number: impl FnOnce(u64) -> W, client: impl FnOnce(String) -> W) -> W {
    match name.parse() {
        Ok(id) => number(id),
        Err(_) => client(name),
    }
}

impl Page {
    fn to_wire(&self) -> Result<v1::ListOrdersRequest, Refusal> {
        let Self { account, strategy, symbol, status, from_ms, to_ms, before, limit, unresolved } = self;
        let names = status.split(',').map(str::trim).filter(|name| !name.is_empty());
        let statuses = names.map(|name| {
            let status = v1::OrderStatus::from_str_name(&format!("ORDER_STATUS_{}", name.to_uppercase()));
            status.map(i32::from).ok_or_else(|| bad(format!("status: there is no {name:?}")))
        });
        Ok(v1::ListOrdersRequest {
            account: account.clone(),
            strategy: strategy.clone(),
            symbol: symbol.clone(),
            statuses: statuses.collect::<Result<_, _>>()?,
            from_ms: *from_ms,
            to_ms: *to_ms,
            before: *before,
            limit: limit.unwrap_or(0),
            unresolved: *unresolved,
        })
    }

    /// The parameters of the next page.
    fn next(self, before: u64) -> impl Iterator<Item = (&'static str, String)> {
        let Self { account, strategy, symbol, status, from_ms, to_ms, before: _, limit, unresolved } = self;
        let texts = [("account", account), ("strategy", strategy), ("symbol", symbol), ("status", status)];
        let numbers = [
            ("from_ms", from_ms.map(|it| it.to_string())),
            ("to_ms", to_ms.map(|it| it.to_string())),
            ("unresolved", unresolved.then(|| "true".to_owned())),
            ("before", Some(before.to_string())),
            ("limit", limit.map(|it| it.to_string())),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
        texts.chain(numbers.into_iter().filter_map(|(name, number)| Some((name, number?))))
    }
}
