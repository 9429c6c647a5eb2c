//! Orders under load: authorised on a direct account, beside renewals of leases in the same run.
//!
//! Nothing is sent to a venue, and what was authorised is reported as not sent between the rounds, so that it neither stays open
//! nor has to be looked after. Both kinds take turns, because a machine is not the same from one minute to the next.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tonic::Status;
use tonic::transport::Channel;
use wire::v1;
use wire::v1::order_service_client::OrderServiceClient;

use super::desk::{self, Desk};
use super::leases::{self, Kind, TTL_MS, holder};
use super::{COLUMNS, Report, Tally, Work, cells, connect, drive};
use crate::args::{BenchOrders, Load};
use crate::client::Client;
use crate::command::lease::request_id;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Table, or_dash};

/// How long one kind works before it is the other's turn.
const ROUND: Duration = Duration::from_millis(500);

/// Reports that a call takes.
const REPORTS_MAX: usize = 20;

/// One client.
pub(super) struct OrderWork {
    orders: OrderServiceClient<Channel>,
    /// All orders are this one, under keys of their own.
    order: v1::NewOrder,
    /// What was authorised, and is to be taken back.
    authorized: Vec<u64>,
    /// What perhaps was.
    uncertain: Vec<String>,
}

/// Authorisations, the renewals beside them, and by how much the median of the first is above that of the second.
#[derive(Serialize)]
struct Compared {
    #[serde(flatten)]
    orders: Report,
    leases: Report,
    ratio_p50: Option<f64>,
}

pub(super) async fn run(client: &Client, asked: BenchOrders, format: Format) -> Result<()> {
    let load = asked.load.clone();
    let channels = connect(client, &load).await?;
    let desk = desk::find_or_set_up(client, asked).await?;
    let token = acquire(client, &desk.lease).await?;
    let ran = rounds(client, &desk, token, &channels, &load).await;
    release(client, &desk.lease, token).await;
    let (orders, leases) = ran?;
    orders.complain("orders");
    leases.complain("leases");
    let [orders, leases] = [&orders, &leases].map(Report::from);
    let both = orders.operations > 0 && leases.operations > 0;
    let ratio = orders.latency_us.p50 as f64 / leases.latency_us.p50.max(1) as f64;
    let ratio_p50 = both.then(|| (ratio * 1000.0).round() / 1000.0);
    Ok(format.one(&Compared { orders, leases, ratio_p50 }, table)?)
}

async fn rounds(
    client: &Client,
    desk: &Desk,
    token: u64,
    channels: &[Channel],
    load: &Load,
) -> Result<(Tally, Tally)> {
    let order = v1::NewOrder { token, ..desk.order.clone() };
    let work = channels.iter().cycle().take(load.clients).map(|channel| {
        let orders = Client::orders(channel.clone());
        let work = OrderWork { orders, order: order.clone(), authorized: Vec::new(), uncertain: Vec::new() };
        Work::Orders(Box::new(work))
    });
    let mut orders: Vec<Work> = work.collect();
    let mut leases = leases::work(Kind::Leases, channels, load).await?;
    let (mut of_orders, mut of_leases) = (Tally::new(), Tally::new());
    let count = load.duration.div_duration_f64(ROUND).ceil().max(1.0) as u32;
    for round in 0..count {
        // Neither kind always has the other's traces before it.
        for turn in [round % 2, 1 - round % 2] {
            let (work, total) =
                if turn == 0 { (&mut orders, &mut of_orders) } else { (&mut leases, &mut of_leases) };
            let (done, tally) = drive(std::mem::take(work), load, load.duration / count).await?;
            *work = done;
            total.took += tally.took;
            total.add(tally)?;
        }
        take_back(&mut orders).await?;
        renew(client, &desk.lease, token).await?;
    }
    leases::end(leases).await;
    Ok((of_orders, of_leases))
}

/// All clients at once, each what it authorised.
async fn take_back(all: &mut [Work]) -> Result<(), Failure> {
    let taken = all.iter_mut().map(async |work| match work {
        Work::Orders(work) => work.take_back().await,
        Work::Leases(_) => Ok(()),
    });
    futures_util::future::try_join_all(taken).await.map(drop).map_err(Failure::from_status)
}

impl OrderWork {
    pub(super) async fn once(&mut self) -> Result<(), Status> {
        let key = uuid::Uuid::now_v7().to_string();
        let order = v1::NewOrder { key: key.clone(), ..self.order.clone() };
        let request = v1::AuthorizeRequest { order: Some(order), request_id: request_id() };
        match self.orders.authorize(request).await {
            Ok(reply) => {
                self.authorized.extend(reply.into_inner().order.map(|order| order.order_id));
                Ok(())
            }
            Err(status) => {
                if matches!(api::reason_of(&status), None | Some(api::Reason::OutcomeUnknown)) {
                    self.uncertain.push(key);
                }
                Err(status)
            }
        }
    }

    async fn take_back(&mut self) -> Result<(), Status> {
        for key in std::mem::take(&mut self.uncertain) {
            let key = v1::StrategyKey { strategy: self.order.strategy.clone(), key };
            let which = Some(v1::get_order_request::Which::Key(key));
            match self.orders.get(v1::GetOrderRequest { which }).await {
                Ok(reply) => self.authorized.extend(reply.into_inner().order.map(|order| order.order_id)),
                Err(status) if api::reason_of(&status) == Some(api::Reason::UnknownOrder) => {}
                Err(status) => return Err(status),
            }
        }
        for ids in std::mem::take(&mut self.authorized).chunks(REPORTS_MAX) {
            let not_sent = |id: &u64| {
                let which = Some(v1::order_report::Which::OrderId(*id));
                v1::OrderReport { which, not_sent: true, ..v1::OrderReport::default() }
            };
            let reports = ids.iter().map(not_sent).collect();
            self.orders.report(v1::ReportRequest { reports, request_id: request_id() }).await?;
        }
        Ok(())
    }
}

/// Holds the lease that trades the desk's strategy. One that is held is never taken over: somebody trades under it.
async fn acquire(client: &Client, name: &str) -> Result<u64, Failure> {
    let request = v1::AcquireRequest {
        name: name.into(),
        holder: holder(),
        ttl_ms: TTL_MS,
        take_over: false,
        request_id: request_id(),
    };
    let reply = client.call(|c| async { Client::leases(c).acquire(request.clone()).await }).await?;
    let lease = reply.lease.unwrap_or_default();
    if !reply.acquired {
        let message =
            format!("{name} is held by {}, who may trade under it", lease.holder.unwrap_or_default());
        return Err(Failure::new(Exit::Conflict, "HELD", message, &format!("tenure lease get {name}")));
    }
    Ok(lease.token.unwrap_or(0))
}

async fn renew(client: &Client, name: &str, token: u64) -> Result<(), Failure> {
    let (name, holder) = (name.to_owned(), holder());
    let request = v1::RenewRequest { name, holder, token, ttl_ms: None, request_id: request_id() };
    client.call(|c| async { Client::leases(c).renew(request.clone()).await }).await.map(drop)
}

/// What cannot be given back ends by itself.
async fn release(client: &Client, name: &str, token: u64) {
    let (name, holder) = (name.to_owned(), holder());
    let request = v1::ReleaseRequest { name, holder, token, request_id: request_id() };
    let _ = client.call(|c| async { Client::leases(c).release(request.clone()).await }).await;
}

fn table(Compared { orders, leases, ratio_p50 }: &Compared) -> Table {
    let head: Vec<&str> = ["of"].into_iter().chain(COLUMNS).chain(["ratio_p50"]).collect();
    let mut table = Table::with_head(&head);
    table.row(["orders".to_owned()].into_iter().chain(cells(orders)).chain([or_dash(*ratio_p50)]));
    table.row(["leases".to_owned()].into_iter().chain(cells(leases)));
    table
}
