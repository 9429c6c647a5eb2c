//! `tenure order tail`: each order after each change, through failures of nodes, and waiting for one of them.
//!
//! A watch goes on after the serial up to which all was told, at whichever node answers, so that no change is left out: only
//! one that was followed by another before it could be told. Orders that changed together have one serial; those of them that
//! were told before a watch broke are not told again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use api::Reason;
use http::order::{Submitted, View};
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use wire::v1;

use super::{settle, table};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{Format, print_line, print_text};

/// Time for a node to open a watch: a quorum round, and an election that may come before it.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two rounds of asking nodes of which none answers.
const ROUND_PAUSE: Duration = Duration::from_millis(500);

/// Changes of orders, from a serial on.
struct Changes {
    nodes: Vec<(String, Channel)>,
    /// The one that is watched, or is asked next.
    at: usize,
    request: v1::WatchOrdersRequest,
    open: Option<Streaming<v1::WatchOrdersResponse>>,
    /// Which were told of what is asked for anew when the watch breaks: by serial and order.
    told: BTreeSet<(u64, u64)>,
}

impl Changes {
    /// `None`: from now on.
    async fn new(
        client: &Client,
        account: String,
        strategy: String,
        after: Option<u64>,
    ) -> Result<Self, Failure> {
        let after_serial = match after {
            Some(after) => after,
            // What changes while a watch that never told anything is opened anew must be told as well.
            None => now(client).await?,
        };
        let request = v1::WatchOrdersRequest { account, strategy, after_serial };
        let nodes = client.watching()?.channels().cloned().collect();
        let mut changes = Self { nodes, at: 0, request, open: None, told: BTreeSet::new() };
        // What is wrong with the request, or with the addresses, is told at once.
        changes.reopen().await?;
        Ok(changes)
    }

    /// The next change, however long it takes and whichever nodes fail meanwhile.
    async fn next(&mut self) -> Result<v1::Order, Failure> {
        let mut has_complained = false;
        loop {
            let Some(open) = &mut self.open else {
                match self.reopen().await {
                    Ok(()) => {}
                    Err(failure) if failure.exit == Exit::NoQuorum || failure.exit == Exit::Unknown => {
                        if !std::mem::replace(&mut has_complained, true) {
                            eprintln!("tenure: {}; trying again", failure.message);
                        }
                        sleep(ROUND_PAUSE).await;
                    }
                    Err(failure) => return Err(failure),
                }
                continue;
            };
            match open.message().await {
                Ok(Some(change)) => {
                    if let Some(order) = self.take(change) {
                        return Ok(order);
                    }
                }
                Err(status) if !passes(&status) => return Err(Failure::from_status(status)),
                Ok(None) | Err(_) => {
                    self.open = None;
                    self.at = (self.at + 1) % self.nodes.len();
                }
            }
        }
    }

    /// Watches at the first node that lets it.
    async fn reopen(&mut self) -> Result<(), Failure> {
        let mut last = Failure::deadline();
        for _ in 0..self.nodes.len() {
            let (address, channel) = &self.nodes[self.at];
            let watch = async { Client::orders(channel.clone()).watch(self.request.clone()).await };
            match timeout(OPEN_TIMEOUT, watch).await {
                Ok(Ok(open)) => {
                    self.open = Some(open.into_inner());
                    return Ok(());
                }
                Ok(Err(status)) if !passes(&status) => return Err(Failure::from_status(status)),
                Ok(Err(status)) => last = Failure::unreachable(address, &status),
                Err(_) => {
                    last = Failure::unreachable(address, &Status::deadline_exceeded("no answer in time"))
                }
            }
            self.at = (self.at + 1) % self.nodes.len();
        }
        Err(last)
    }

    /// `None`: it was told before.
    fn take(&mut self, change: v1::WatchOrdersResponse) -> Option<v1::Order> {
        let v1::WatchOrdersResponse { header: _, order, resume_after } = change;
        let order = order.unwrap_or_default();
        let is_new = self.told.insert((order.serial, order.order_id));
        self.request.after_serial = self.request.after_serial.max(resume_after);
        self.told.retain(|(serial, _)| *serial > self.request.after_serial);
        is_new.then_some(order)
    }
}

/// The serial of the last change of anything.
async fn now(client: &Client) -> Result<u64, Failure> {
    let request = v1::ListOrdersRequest { limit: 1, ..v1::ListOrdersRequest::default() };
    let reply = client.call(|c| async { Client::orders(c).list(request.clone()).await }).await?;
    Ok(reply.header.unwrap_or_default().serial)
}

/// Another node, or the same one later, may let the watch go on.
fn passes(status: &Status) -> bool {
    matches!(
        api::reason_of(status),
        None | Some(Reason::NoQuorum | Reason::OutOfService | Reason::Draining | Reason::Limit)
    )
}

pub(super) async fn run(
    client: &Client,
    account: String,
    strategy: String,
    after: Option<u64>,
    format: Format,
) -> Result<()> {
    let mut changes = Changes::new(client, account, strategy, after).await?;
    loop {
        let view = View::from(changes.next().await?);
        match format {
            // A stream of documents is a line each, however it was asked for.
            Format::Json | Format::Jsonl => print_line(&view)?,
            Format::Table => print_text(&table::line(&view).to_string())?,
        }
    }
}

/// Waits until the venue has the order or it has ended, and prints it as it then stands.
pub(super) async fn until_acknowledged(
    client: &Client,
    mut submitted: Submitted,
    within: Duration,
    format: Format,
) -> Result<()> {
    // That the time is over shows in the status.
    let waited = timeout(within, follow(client, &mut submitted.order)).await.unwrap_or(Ok(()));
    settle(&submitted, format)?;
    waited?;
    let View { order_id, status, reason, .. } = &submitted.order;
    let next = format!("tenure order get {order_id}");
    match status {
        Some("REJECTED" | "NEVER_PLACED") => {
            let why = reason.as_deref().unwrap_or("the venue never had it");
            let message = format!("order {order_id} is not at its venue: {why}");
            Err(Failure::new(Exit::Error, status.unwrap_or_default(), message, &next).into())
        }
        status if is_awaited(*status) => {
            let message = format!(
                "order {order_id} is committed; nobody said within {within:?} whether its venue has it"
            );
            Err(Failure::new(Exit::Unknown, "OUTCOME_UNKNOWN", message, &next).into())
        }
        _ => Ok(()),
    }
}

/// Keeps an order as it is after each change, until its venue has it or it has ended.
async fn follow(client: &Client, order: &mut View) -> Result<(), Failure> {
    if !is_awaited(order.status) {
        return Ok(());
    }
    let [account, strategy] = [&order.account, &order.strategy].map(|name| name.clone().unwrap_or_default());
    let mut changes = Changes::new(client, account, strategy, Some(order.serial)).await?;
    while is_awaited(order.status) {
        let changed = changes.next().await?;
        if changed.order_id == order.order_id {
            *order = changed.into();
        }
    }
    Ok(())
}

/// Nobody has said yet whether the venue has it. A cancel may be on its way to an order of which that is not known.
fn is_awaited(status: Option<&str>) -> bool {
    matches!(status, Some("SUBMITTING" | "SUBMIT_UNKNOWN" | "PENDING_CANCEL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(after_serial: u64) -> Changes {
        let request = v1::WatchOrdersRequest { after_serial, ..v1::WatchOrdersRequest::default() };
        Changes { nodes: Vec::new(), at: 0, request, open: None, told: BTreeSet::new() }
    }

    fn change(serial: u64, order_id: u64, resume_after: u64) -> v1::WatchOrdersResponse {
        let order = Some(v1::Order { order_id, serial, ..v1::Order::default() });
        v1::WatchOrdersResponse { header: None, order, resume_after }
    }

    #[test]
    fn what_changed_together_is_told_once_though_the_watch_breaks_in_between() {
        let mut changes = changes(4);
        let mut told = |of: v1::WatchOrdersResponse| {
            let told = changes.take(of).map(|order| (order.serial, order.order_id));
            (told, changes.request.after_serial)
        };
        assert_eq!(told(change(5, 1, 5)), (Some((5, 1)), 5));
        assert_eq!(told(change(8, 1, 7)), (Some((8, 1)), 7));
        // Here it broke: all of 8 is told anew.
        assert_eq!(told(change(8, 1, 7)), (None, 7));
        assert_eq!(told(change(8, 2, 8)), (Some((8, 2)), 8));
        assert_eq!(told(change(9, 1, 9)), (Some((9, 1)), 9));
        assert!(changes.told.is_empty());
    }

    #[test]
    fn a_watch_goes_on_after_what_passes() {
        for (status, expected) in [
            (Status::unavailable("connection reset"), true),
            (Status::unknown("h2 protocol error"), true),
            (Reason::Draining.status("stopping"), true),
            (Reason::NoQuorum.status("no leader"), true),
            (Reason::Invalid.status("account: not a name"), false),
        ] {
            assert_eq!(passes(&status), expected, "{status:?}");
        }
    }
}
