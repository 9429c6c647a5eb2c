//! Many orders at a desk: configured, authorised, filled and closed through all nodes, and asked for again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use wire::v1::order_service_client::OrderServiceClient;
use wire::v1::{self, get_order_request::Which};

use crate::grpc;

/// Names of what is traded: every order is of one of each, in turn.
pub const ACCOUNTS: [&str; 2] = ["east", "west"];
pub const STRATEGIES: [&str; 3] = ["grid", "maker", "taker"];
pub const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];

/// One order of so many is cancelled, and one of so many more is denied.
const CANCELED_OF: usize = 10;
const DENIED_OF: usize = 50;

/// Bots at a node.
const BOTS_PER_NODE: usize = 16;

/// Within this a request that is repeated runs once.
const REPEATED_FOR: Duration = Duration::from_secs(25);

/// Reports in one call, of two things each.
const REPORTS: usize = 16;

/// What a node reads by how much its stopwatch is ahead: set by [`Days`].
pub const TEST_STOPWATCH: &str = "TENURE_TEST_STOPWATCH";

/// Makes the log's clock go on by days at once.
pub struct Days {
    file: PathBuf,
}

impl Days {
    pub fn new(directory: &Path) -> Result<Self> {
        let days = Self { file: directory.join("stopwatch") };
        days.write(0)?;
        Ok(days)
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub fn pass(&self, days: u64) -> Result<()> {
        self.write(days * 24 * 60 * 60 * 1000 + 60_000)
    }

    fn write(&self, ms: u64) -> Result<()> {
        // Whole or not at all: a node may read it at any moment.
        let new = self.file.with_extension("new");
        std::fs::write(&new, ms.to_string())?;
        Ok(std::fs::rename(new, &self.file)?)
    }
}

/// A desk that believes its bots. Gives the token of its lease, which is held for an hour.
pub async fn open_desk(port: u16) -> Result<u64> {
    let symbols = SYMBOLS.map(|symbol| v1::Instrument {
        symbol: symbol.into(),
        base: symbol.trim_end_matches("USDT").into(),
        quote: "USDT".into(),
        tick: "0.01".into(),
        step: "0.001".into(),
        quantity_min: "0.001".into(),
        quantity_max: "1000".into(),
        notional_min: "1".into(),
        order_types: vec![v1::OrderType::Limit.into()],
        reference_price: Some("100".into()),
        contract_size: None,
    });
    let venue = v1::Venue { id: "sim".into(), kind: "simulated".into(), symbols: symbols.to_vec() };
    let account = |id: &str| v1::Account {
        id: id.into(),
        venue: "sim".into(),
        mode: v1::AccountMode::Direct.into(),
        trust_bot_reports: true,
        limits: Some(v1::Limits { quantity_max: Some("10".into()), ..Default::default() }),
        ..Default::default()
    };
    let strategy = |id: &str| v1::Strategy {
        id: id.into(),
        accounts: ACCOUNTS.map(str::to_owned).to_vec(),
        lease: "desk".into(),
        ..Default::default()
    };
    let configuration = v1::Configuration {
        venues: vec![venue],
        accounts: ACCOUNTS.map(account).to_vec(),
        strategies: STRATEGIES.map(strategy).to_vec(),
        day_offset_minutes: 0,
    };
    let mut config = grpc::config(port)?;
    let reason = Some(v1::Reason { actor: "test".into(), text: "many orders".into() });
    let request = v1::ApplyRequest {
        configuration: Some(configuration),
        dry_run: false,
        expected: None,
        reason,
        request_id: grpc::request_id(),
    };
    config.apply(request).await?;
    let granted = grpc::leases(port)?.acquire(grpc::acquire("desk", "bots", 3_600_000)).await?;
    grpc::token(&granted.into_inner())
}

/// The next number from there on of which nothing is denied or cancelled.
pub fn next_authorized(number: usize) -> usize {
    number.next_multiple_of(DENIED_OF)
}

/// What of an order is known beforehand, by its number.
fn order(number: usize, token: u64) -> v1::NewOrder {
    let denied = number % DENIED_OF == 1;
    v1::NewOrder {
        key: format!("order-{number:08}"),
        account: ACCOUNTS[number % 2].into(),
        strategy: STRATEGIES[number % 3].into(),
        algorithm: "many".into(),
        trader: "ann".into(),
        symbol: SYMBOLS[number / 2 % 4].into(),
        side: if number.is_multiple_of(2) { v1::Side::Buy } else { v1::Side::Sell }.into(),
        r#type: v1::OrderType::Limit.into(),
        quantity: if denied { "11" } else { "0.1" }.into(),
        price: Some("100.01".into()),
        lease: "desk".into(),
        token,
        ..Default::default()
    }
}

fn report(number: usize, order_id: u64) -> v1::OrderReport {
    let which = Some(v1::order_report::Which::OrderId(order_id));
    let venue_order_id = Some(format!("{}", 900_000_000 + number));
    if number % CANCELED_OF == 2 {
        let (ended, cumulative_quantity) = (v1::OrderStatus::Canceled.into(), Some("0".into()));
        let acknowledged = true;
        return v1::OrderReport {
            which,
            venue_order_id,
            acknowledged,
            ended,
            cumulative_quantity,
            ..Default::default()
        };
    }
    let fill = v1::Fill {
        trade_id: format!("{}", 700_000_000 + number),
        quantity: "0.1".into(),
        price: "100.01".into(),
        commission: Some("0.0001".into()),
        commission_asset: Some("BNB".into()),
        maker: Some(true),
        ..Default::default()
    };
    let (ended, cumulative_quantity) = (v1::OrderStatus::Filled.into(), Some("0.1".into()));
    v1::OrderReport {
        which,
        venue_order_id,
        ended,
        cumulative_quantity,
        fills: vec![fill],
        ..Default::default()
    }
}

/// Authorises so many orders at these nodes, the first number given. Gives those that were, by their numbers.
pub async fn authorize(
    ports: &[u16],
    token: u64,
    numbers: std::ops::Range<usize>,
) -> Result<Vec<(usize, u64)>> {
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let mut bots = JoinSet::new();
    for port in ports.iter().cycle().take(BOTS_PER_NODE * ports.len()) {
        let (next, end, client) = (next.clone(), numbers.end, grpc::orders(*port)?);
        bots.spawn(async move {
            let mut authorized = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return Ok(authorized);
                }
                let request = v1::AuthorizeRequest {
                    order: Some(order(number, token)),
                    request_id: grpc::request_id(),
                };
                let ask = || {
                    let (mut client, request) = (client.clone(), request.clone());
                    async move { client.authorize(request).await }
                };
                match until_known(ask).await {
                    Ok(reply) => {
                        let order = reply.into_inner().order.context("it was authorised")?;
                        authorized.push((number, order.order_id));
                    }
                    Err(refused) if number % DENIED_OF == 1 => {
                        ensure!(grpc::reason(&refused).as_deref() == Some("LIMIT"), "{refused:?}");
                    }
                    Err(refused) => return Err(refused.into()),
                }
            }
        });
    }
    gathered(bots).await
}

/// Tells the ends of orders, some at a time.
pub async fn close(ports: &[u16], authorized: &[(usize, u64)]) -> Result<()> {
    let mut bots = JoinSet::new();
    let share = authorized.len().div_ceil(BOTS_PER_NODE * ports.len()).max(1);
    for (mine, port) in authorized.chunks(share).zip(ports.iter().cycle()) {
        let (mine, client) = (mine.to_vec(), grpc::orders(*port)?);
        bots.spawn(async move {
            for some in mine.chunks(REPORTS) {
                let reports = some.iter().map(|(number, id)| report(*number, *id)).collect();
                let request = v1::ReportRequest { reports, request_id: grpc::request_id() };
                let ask = || {
                    let (mut client, request) = (client.clone(), request.clone());
                    async move { client.report(request).await }
                };
                let reply = until_known(ask).await?.into_inner();
                ensure!(reply.results.iter().all(|result| result.order.is_some()), "{reply:?}");
            }
            Ok(Vec::<()>::new())
        });
    }
    gathered(bots).await.map(drop)
}

/// Repeats a request under its id, as every client must, as long as nobody knows what became of it, or no node could take it.
async fn until_known<T, Fut>(mut ask: impl FnMut() -> Fut) -> Result<T, Status>
where
    Fut: Future<Output = Result<T, Status>>,
{
    let deadline = Instant::now() + REPEATED_FOR;
    loop {
        match ask().await {
            Err(status)
                if matches!(status.code(), Code::Unknown | Code::Unavailable)
                    && Instant::now() < deadline => {}
            known => return known,
        }
    }
}

async fn gathered<T: Send + 'static>(mut bots: JoinSet<Result<Vec<T>>>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while let Some(bot) = bots.join_next().await {
        all.extend(bot??);
    }
    Ok(all)
}

/// Every order that a node tells, page by page, and how long that took.
pub async fn all(port: u16) -> Result<(Vec<v1::Order>, Duration)> {
    let (mut client, mut all, began) = (grpc::orders(port)?, Vec::new(), Instant::now());
    let mut request = v1::ListOrdersRequest { limit: 1000, ..Default::default() };
    loop {
        let page = client.list(request.clone()).await?.into_inner();
        all.extend(page.orders);
        if page.next_before == 0 {
            return Ok((all, began.elapsed()));
        }
        request.before = page.next_before;
    }
}

/// An order by its id; `None` while this node does not know all of its history yet.
pub async fn get(port: u16, order_id: u64) -> Result<Option<v1::Order>> {
    let request = v1::GetOrderRequest { which: Some(Which::OrderId(order_id)) };
    match grpc::orders(port)?.get(Request::new(request)).await {
        Ok(reply) => Ok(reply.into_inner().order),
        Err(refused) if refused.code() == Code::Unavailable => Ok(None),
        Err(refused) => Err(refused.into()),
    }
}

pub fn is_archived(order: &v1::Order) -> bool {
    order.flags.iter().any(|flag| flag == "archived")
}

/// By each filter, and what finds one order: a name, and the request.
pub fn queries(found: &v1::Order, middle_ms: i64) -> Vec<(&'static str, Asked)> {
    let list = |change: &dyn Fn(&mut v1::ListOrdersRequest)| {
        let mut request = v1::ListOrdersRequest::default();
        change(&mut request);
        Asked::List(request)
    };
    let status = |status: v1::OrderStatus| -> i32 { status.into() };
    let key = v1::StrategyKey { strategy: found.strategy.clone(), key: found.key.clone() };
    vec![
        ("newest", list(&|_| ())),
        ("account", list(&|it| it.account = ACCOUNTS[0].into())),
        ("strategy", list(&|it| it.strategy = STRATEGIES[1].into())),
        ("symbol", list(&|it| it.symbol = SYMBOLS[2].into())),
        ("status", list(&|it| it.statuses = vec![status(v1::OrderStatus::Filled)])),
        (
            "statuses",
            list(&|it| {
                it.statuses = [v1::OrderStatus::Canceled, v1::OrderStatus::Denied].map(status).to_vec();
            }),
        ),
        ("time", list(&|it| (it.from_ms, it.to_ms) = (Some(middle_ms), Some(middle_ms + 1000)))),
        (
            "all_filters",
            list(&|it| {
                it.account = ACCOUNTS[0].into();
                it.strategy = STRATEGIES[2].into();
                it.symbol = SYMBOLS[1].into();
                it.statuses = vec![status(v1::OrderStatus::Filled)];
                it.to_ms = Some(middle_ms);
            }),
        ),
        ("none_of_it", list(&|it| it.statuses = vec![status(v1::OrderStatus::Rejected)])),
        ("order_id", Asked::Get(Which::OrderId(found.order_id))),
        ("client_order_id", Asked::Get(Which::ClientOrderId(found.client_order_id.clone()))),
        ("key", Asked::Get(Which::Key(key))),
    ]
}

#[derive(Clone, Debug)]
pub enum Asked {
    List(v1::ListOrdersRequest),
    Get(Which),
}

impl Asked {
    /// How many orders came, and how long that took.
    pub async fn ask(&self, client: &mut OrderServiceClient<Channel>) -> Result<(usize, Duration)> {
        let began = Instant::now();
        let count = match self.clone() {
            Self::List(request) => client.list(request).await?.into_inner().orders.len(),
            Self::Get(which) => {
                let request = v1::GetOrderRequest { which: Some(which) };
                usize::from(client.get(request).await?.into_inner().order.is_some())
            }
        };
        Ok((count, began.elapsed()))
    }
}
