//! `tenure order …`: what is asked for and told here; what stands is shown by `read`, told by `tail` and written out by
//! `export`.
//!
//! Nothing here decides. An answer that says less than was asked for, an order that waits or has ended, is printed, and is no
//! success: a script must not take it for leave to send.

use std::io;

use anyhow::Result;
use http::order::{Canceled, Denial, Replaced, Submitted, View};
use wire::v1;

use super::lease::{millis, request_id};
use super::user;
use crate::args::order::{Authority, NewOrder, Order, OrderName, Replace, Report, Wait};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::Format;

mod export;
mod read;
mod table;
mod tail;

pub async fn run(client: &Client, order: Order, format: Format) -> Result<()> {
    let done = match order {
        Order::Submit { order, wait, wait_timeout } => {
            let submitted = submit(client, order).await?;
            match wait {
                Wait::Committed => settle(&submitted, format),
                Wait::Acknowledged => tail::until_acknowledged(client, submitted, wait_timeout, format).await,
            }
        }
        Order::Authorize(order) => settle(&authorize(client, order).await?, format),
        Order::Report(told) => report(client, told, format).await,
        Order::Cancel { id, authority } => cancel(client, id, authority, format).await,
        Order::Replace(new) => replace(client, new, format).await,
        Order::Get { id, key, strategy } => {
            let which = read::which(id, strategy.zip(key));
            Ok(print(&read::get(client, which).await?.into(), format)?)
        }
        Order::List { filter, since, until, limit } => {
            let request = read::request(filter, since, until);
            read::list(client, request, limit, format).await
        }
        Order::Unresolved { filter } => {
            let request = v1::ListOrdersRequest { unresolved: true, ..read::request(filter, None, None) };
            read::list(client, request, None, format).await
        }
        Order::Tail { account, strategy, after } => tail::run(client, account, strategy, after, format).await,
        Order::Export(asked) => export::run(client, asked).await,
    };
    match done {
        // Whoever read has seen enough.
        Err(error) if is_unread(&error) => Ok(()),
        done => done,
    }
}

fn is_unread(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn print(order: &View, format: Format) -> io::Result<()> {
    format.one(order, table::one)
}

async fn submit(client: &Client, order: NewOrder) -> Result<Submitted, Failure> {
    let order = new_order(order);
    let again = again(&order);
    let request = v1::SubmitRequest { order: Some(order), request_id: request_id() };
    let reply = client.call(|c| async { Client::orders(c).submit(request.clone()).await }).await;
    Ok(reply.map_err(again)?.into())
}

async fn authorize(client: &Client, order: NewOrder) -> Result<Submitted, Failure> {
    let order = new_order(order);
    let again = again(&order);
    let request = v1::AuthorizeRequest { order: Some(order), request_id: request_id() };
    let reply = client.call(|c| async { Client::orders(c).authorize(request.clone()).await }).await;
    Ok(reply.map_err(again)?.into())
}

/// How to learn what became of a request for this order, if that is unknown.
fn again(order: &v1::NewOrder) -> impl FnOnce(Failure) -> Failure + use<> {
    let next = format!("tenure order get --strategy {} --key {}", order.strategy, order.key);
    move |failure| match failure.exit {
        Exit::Unknown => Failure { next, ..failure },
        _ => failure,
    }
}

/// Prints what became of an order that was asked for. That it waits, or was denied, is no success.
fn settle(submitted: &Submitted, format: Format) -> Result<()> {
    format.one(submitted, |submitted| table::one(&submitted.order))?;
    Ok(stands(submitted)?)
}

fn stands(Submitted { order, waits_for, .. }: &Submitted) -> Result<(), Failure> {
    let View { order_id, status, reason, .. } = order;
    match status {
        Some("INTENT") => {
            let reasons: Vec<(String, String)> = waits_for
                .iter()
                .map(|Denial { reason, message }| (reason.clone(), message.clone()))
                .collect();
            let why = reasons.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>().join("; ");
            let reason = reasons.first().map_or("REFUSED", |(reason, _)| reason.as_str()).to_owned();
            let message = format!("order {order_id} is not authorised, and waits: {why}");
            let next = "the same command again tries it again; tenure order cancel withdraws it";
            Err(Failure { reasons, ..Failure::new(Exit::Refused, &reason, message, next) })
        }
        Some("DENIED") => {
            let why = reason.as_deref().unwrap_or("it was never sent");
            let message = format!("order {order_id} was denied: {why}");
            Err(Failure::new(Exit::Refused, "DENIED", message, "use a new key for a new attempt"))
        }
        _ => Ok(()),
    }
}

fn new_order(order: NewOrder) -> v1::NewOrder {
    let NewOrder { account, strategy, symbol, side, r#type, quantity, price, stop_price, .. } = order;
    let NewOrder { tif, reduce_only, key, authority, algorithm, trader, hold, .. } = order;
    let Authority { lease, token } = authority;
    v1::NewOrder {
        key,
        account,
        strategy,
        algorithm,
        // Somebody must answer for an order: without a name it is refused.
        trader: trader.or_else(user).unwrap_or_default(),
        symbol,
        side: side.into(),
        r#type: r#type.into(),
        time_in_force: tif.unwrap_or_default().into(),
        quantity,
        price,
        stop_price,
        reduce_only,
        lease,
        token,
        hold_ms: millis(hold),
    }
}

async fn cancel(client: &Client, id: OrderName, authority: Authority, format: Format) -> Result<()> {
    use v1::cancel_request::Which;
    let Authority { lease, token } = authority;
    let which = Some(id.which(Which::OrderId, Which::ClientOrderId));
    let request = v1::CancelRequest { which, lease, token, request_id: request_id() };
    let reply = client.call(|c| async { Client::orders(c).cancel(request.clone()).await }).await?;
    Ok(format.one(&Canceled::from(reply), table::canceled)?)
}

/// What is not said is taken from the order that is replaced.
async fn replace(client: &Client, new: Replace, format: Format) -> Result<()> {
    use v1::replace_request::Which;
    let Replace { id, key, quantity, price, stop_price, authority, algorithm, trader } = new;
    let old = read::get(client, read::which(Some(id.clone()), None)).await?;
    let Authority { lease, token } = authority;
    let order = v1::NewOrder {
        key,
        side: old.side,
        r#type: old.r#type,
        time_in_force: old.time_in_force,
        account: old.account,
        strategy: old.strategy,
        algorithm: algorithm.unwrap_or(old.algorithm),
        trader: trader.unwrap_or(old.trader),
        symbol: old.symbol,
        quantity: quantity.unwrap_or(old.quantity),
        price: price.or(old.price),
        stop_price: stop_price.or(old.stop_price),
        reduce_only: old.reduce_only,
        lease,
        token,
        hold_ms: 0,
    };
    let again = again(&order);
    let which = Some(id.which(Which::OrderId, Which::ClientOrderId));
    let request = v1::ReplaceRequest { which, order: Some(order), request_id: request_id() };
    let reply = client.call(|c| async { Client::orders(c).replace(request.clone()).await }).await;
    Ok(format.one(&Replaced::from(reply.map_err(again)?), table::replaced)?)
}

async fn report(client: &Client, told: Report, format: Format) -> Result<()> {
    use v1::order_report::Which;
    let Report { id, acknowledged, venue_order_id, filled, fill, ended, code, reason, .. } = told;
    let Report { unknown, not_sent, cancel, .. } = told;
    let report = v1::OrderReport {
        which: Some(id.which(Which::OrderId, Which::ClientOrderId)),
        acknowledged,
        venue_order_id,
        cumulative_quantity: filled,
        fills: fill.into_iter().map(|fill| fill.0).collect(),
        ended: ended.unwrap_or_default().into(),
        code,
        reason,
        unknown: unknown.unwrap_or_default().into(),
        not_sent,
        cancel: cancel.unwrap_or_default().into(),
        time_ms: 0,
    };
    let request = v1::ReportRequest { reports: vec![report], request_id: request_id() };
    let reply = client.call(|c| async { Client::orders(c).report(request.clone()).await }).await?;
    let result = reply.results.into_iter().next().unwrap_or_default();
    match result.order {
        Some(order) => Ok(print(&order.into(), format)?),
        // It went to the history while it was reported of.
        None => {
            let said = result.denials.into_iter().map(|denial| denial.message).collect::<Vec<_>>().join("; ");
            Err(Failure::new(Exit::NotFound, "UNKNOWN_ORDER", said, "tenure order list").into())
        }
    }
}
