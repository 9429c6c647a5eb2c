//! Orders as they stand: one, or all of a kind, page by page.

use anyhow::Result;
use http::order::View;
use wire::v1::{self, get_order_request::Which};

use super::table;
use crate::args::order::{Filter, OrderName};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Format, print_line};

/// Orders that are asked for at a time: the most that a page holds.
const PAGE_ROWS: u64 = 1000;

/// What an order is asked for by; at least one of them is given.
pub(super) fn which(id: Option<OrderName>, key: Option<(String, String)>) -> Which {
    match (id, key) {
        (Some(id), _) => id.which(Which::OrderId, Which::ClientOrderId),
        (None, Some((strategy, key))) => Which::Key(v1::StrategyKey { strategy, key }),
        (None, None) => unreachable!("the arguments ask for one of them"),
    }
}

pub(super) async fn get(client: &Client, which: Which) -> Result<v1::Order, Failure> {
    let request = v1::GetOrderRequest { which: Some(which) };
    let reply = client.call(|c| async { Client::orders(c).get(request.clone()).await }).await?;
    Ok(reply.order.unwrap_or_default())
}

pub(super) fn request(filter: Filter, from_ms: Option<i64>, to_ms: Option<i64>) -> v1::ListOrdersRequest {
    let Filter { account, strategy, symbol, status } = filter;
    let statuses = status.into_iter().map(i32::from).collect();
    v1::ListOrdersRequest { account, strategy, symbol, statuses, from_ms, to_ms, ..Default::default() }
}

/// A list, of which one page is in memory.
pub(super) struct Pages<'a> {
    client: &'a Client,
    /// The next one; `None` after the last.
    request: Option<v1::ListOrdersRequest>,
    left: u64,
}

impl<'a> Pages<'a> {
    /// At most `limit` orders; `None`: all.
    pub(super) fn new(client: &'a Client, request: v1::ListOrdersRequest, limit: Option<u64>) -> Self {
        Self { client, request: Some(request), left: limit.unwrap_or(u64::MAX) }
    }

    /// The newest first. A page may be empty, and not the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<v1::Order>>, Failure> {
        let Some(mut request) = self.request.take().filter(|_| self.left > 0) else { return Ok(None) };
        request.limit = u32::try_from(self.left.min(PAGE_ROWS)).expect("a page is small");
        let page = self.client.call(|c| async { Client::orders(c).list(request.clone()).await }).await?;
        self.left = self.left.saturating_sub(page.orders.len() as u64);
        if page.next_before > 0 {
            self.request = Some(v1::ListOrdersRequest { before: page.next_before, ..request });
        }
        Ok(Some(page.orders))
    }
}

/// Prints a list. Lines are printed as they come; a table and an array, when all are here.
pub(super) async fn list(
    client: &Client,
    request: v1::ListOrdersRequest,
    limit: Option<u64>,
    format: Format,
) -> Result<()> {
    let mut pages = Pages::new(client, request, limit);
    let mut all: Vec<View> = Vec::new();
    while let Some(page) = pages.next().await? {
        let views = page.into_iter().map(View::from);
        match format {
            Format::Jsonl => views.into_iter().try_for_each(|view| print_line(&view))?,
            Format::Table | Format::Json => all.extend(views),
        }
    }
    match format {
        Format::Jsonl => Ok(()),
        Format::Table | Format::Json => Ok(format.many(&all, table::many)?),
    }
}
