//! The bots of README.md trade at the simulated exchange while they are frozen and killed, leaders are killed and the exchange
//! fails: none trades without the lease, and what one sends late is refused.
//!
//! A pause is dangerous in two places: after the lease was renewed and before the next order is authorised, where the log must
//! refuse it, and after that and before it is sent, where the exchange must. The second is a few milliseconds of a bot's time,
//! so the one that trades is frozen at random, again and again, until it stands there.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::bots::{Bots, SCRIPT};
use tests::chance::Chance;
use tests::cluster::Cluster;
use tests::process::{self, Frozen};
use tests::trades::{Ledger, Reigns, Request, judge};
use tests::{figures, grpc, http, suite, wait};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wire::v1::{self, OrderStatus};

/// Repeats the draws of a run, which prints it; what bots do meanwhile is their own.
const SEED: &str = "TENURE_BOT_SEED";

/// How often every round comes; more than the default for a long run. Orders whose outcome nobody knows stay open, and only
/// fifty may be.
const CYCLES: &str = "TENURE_BOT_CYCLES";
const CYCLES_DEFAULT: usize = 2;

/// Who may trade, as README.md sets it.
const DESK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cluster/desk.toml");

const BOTS: usize = 3;
const LEASE: &str = "desk";
const STRATEGY: &str = "mm";

/// Orders of a run, for each of its rounds: fewer, and something else than trading was tested.
const ORDERS_PER_ROUND_MIN: usize = 2;

/// A node that is down or frozen answers nothing; the next one is asked.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// From the end of a holder to the next one: the lease, a failover, and the start of a Python on few processors.
const TAKES_OVER_WITHIN: Duration = Duration::from_secs(40);

/// Until a bot is caught where it is wanted: it takes two attempts or so.
const CAUGHT_WITHIN: Duration = Duration::from_secs(60);

/// Before a bot is frozen: as long as one order takes it.
const UNTIL_FROZEN_MS: [u64; 2] = [0, 250];

/// The same while the leader is: most of the time between two calls of a bot, and too short for an election.
const LEADER_FROZEN_MS: [u64; 2] = [80, 120];

/// What the log was asked before is carried out within this time.
const ANSWERED_WITHIN: Duration = Duration::from_millis(300);

/// Between two looks at a bot that is frozen.
const LOOK: Duration = Duration::from_millis(20);

/// How long the exchange keeps an order from its engine: longer than its window.
const HELD_UP_MS: u64 = 2500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// The holder is frozen when its order is authorised and not sent, until another has the lease and the window is over.
    FrozenBeforeSending,
    /// The same when it has renewed the lease and has not asked for the next order.
    FrozenBeforeAsking,
    /// The holder is killed at any moment.
    Killed,
    LeaderKilled,
    /// The exchange takes an order and does not answer.
    AnswerLost,
    /// An order is on its way for too long.
    HeldUp,
}

const ROUNDS: [Round; 6] = [
    Round::FrozenBeforeSending,
    Round::FrozenBeforeAsking,
    Round::Killed,
    Round::LeaderKilled,
    Round::AnswerLost,
    Round::HeldUp,
];

/// What a bot that holds the lease does next, as the log and the exchange see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The lease was renewed after the last order was reported.
    Ask,
    Send,
    Report,
    Renew,
}

/// What to find a holder by.
#[derive(Clone, Copy, Debug)]
struct Holder {
    pid: u32,
    token: u64,
    /// When it renewed the lease last, or took it: milliseconds since 1970, and a little more.
    renewed_ms: i64,
}

/// A holder that does not run, and its last order.
struct Caught {
    holder: Holder,
    order: v1::Order,
    frozen: Frozen,
}

struct Floor {
    cluster: Cluster,
    bots: Bots,
    chance: Chance,
    reigns: Arc<Mutex<Reigns>>,
    watches: JoinSet<()>,
    /// By the log.
    refused_late: usize,
}

#[test]
fn no_bot_trades_without_the_lease() {
    let Some(python) = suite::tool("bot", "TENURE_PYTHON") else { return };
    suite::beside("bot", run(python));
}

#[test]
fn the_readme_shows_the_bot_as_it_is() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let bot = std::fs::read_to_string(SCRIPT).unwrap();
    assert!(
        readme.contains(&format!("```python\n{bot}```\n")),
        "README.md does not show docs/bot.py as it is"
    );
    let lines = bot.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 30, "the bot has {lines} lines");
}

async fn run(python: OsString) -> Result<()> {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().with_context(|| format!("{SEED}={seed}"))?,
        Err(_) => Chance::any_seed(),
    };
    eprintln!("{SEED}={seed}");
    let cycles = match std::env::var(CYCLES) {
        Ok(cycles) => cycles.parse().with_context(|| format!("{CYCLES}={cycles}"))?,
        Err(_) if suite::is_quick() => 1,
        Err(_) => CYCLES_DEFAULT,
    };
    let mut floor = Floor::open(python, seed).await?;
    let mut rounds = 0;
    for _ in 0..cycles {
        let mut cycle = ROUNDS;
        floor.chance.shuffle(&mut cycle);
        for round in cycle {
            floor.play(round).await.with_context(|| format!("{round:?}, {SEED}={seed}"))?;
            rounds += 1;
        }
    }
    floor.close(seed, rounds).await.with_context(|| format!("{SEED}={seed}"))
}

impl Floor {
    async fn open(python: OsString, seed: u64) -> Result<Self> {
        let cluster = Cluster::start().await?;
        cluster.cli().json(&["config", "apply", DESK, "--reason", "a desk"]).await?;
        let reigns: Arc<Mutex<Reigns>> = Arc::default();
        let mut watches = JoinSet::new();
        for node in 1..=3 {
            watches.spawn(watch(cluster.api(node), reigns.clone()));
        }
        let bots = Bots::start(&python, cluster.base_port(), BOTS, cluster.data())?;
        let chance = Chance::new(seed);
        let floor = Self { cluster, bots, chance, reigns, watches, refused_late: 0 };
        floor.trades_after(0).await?;
        Ok(floor)
    }

    async fn play(&mut self, round: Round) -> Result<()> {
        match round {
            Round::FrozenBeforeSending => self.freeze_before_sending().await,
            Round::FrozenBeforeAsking => self.freeze_before_asking().await,
            Round::Killed => self.kill().await,
            Round::LeaderKilled => self.kill_leader().await,
            Round::AnswerLost => self.lose_an_answer().await,
            Round::HeldUp => self.hold_up().await,
        }?;
        let newest = self.newest().await?.map_or(0, |order| order.order_id);
        self.trades_after(newest).await
    }

    async fn freeze_before_sending(&mut self) -> Result<()> {
        let Caught { holder, order, frozen } = self.catch(Next::Send).await?;
        self.succeed(holder).await?;
        drop(frozen);
        let request = self.request(|request| of(request, &order)).await?;
        ensure!(request.is_refused_as_late(), "{request:?}");
        Ok(())
    }

    async fn freeze_before_asking(&mut self) -> Result<()> {
        let Caught { holder, frozen, .. } = self.catch(Next::Ask).await?;
        self.succeed(holder).await?;
        drop(frozen);
        let said = wait::until(TAKES_OVER_WITHIN, "the end of a bot that was late", || async {
            Ok(self.bots.last_words(holder.pid))
        });
        let said = said.await?;
        // One that stood before the renewal of its lease had no chance to ask.
        match said.as_str() {
            _ if said.contains(" stops: FENCED: ") => self.refused_late += 1,
            _ if said.contains(" stops: the lease is lost") => {}
            _ => bail!("it ended otherwise than because it was late: {said}"),
        }
        Ok(())
    }

    async fn kill(&mut self) -> Result<()> {
        let deadline = Instant::now() + CAUGHT_WITHIN;
        loop {
            let holder = self.holder().await?;
            sleep(self.chance.millis(0, 300)).await;
            // It may have ended by itself meanwhile.
            match process::signal(holder.pid, Signal::KILL) {
                Ok(()) => return self.succeed(holder).await,
                Err(why) => ensure!(Instant::now() < deadline, "no holder could be killed: {why:#}"),
            }
        }
    }

    async fn kill_leader(&mut self) -> Result<()> {
        let newest = self.newest().await?.context("there were orders")?;
        let leader = self.cluster.leader().await?;
        let pid = self.cluster.pid(leader).await?;
        self.cluster.signal_pid(leader, pid, Signal::KILL)?;
        self.trades_after(newest.order_id).await?;
        self.cluster.wait_ready().await?;
        Ok(())
    }

    async fn lose_an_answer(&mut self) -> Result<()> {
        let request = self.meet("lost answer", &json!("drop_response")).await?;
        ensure!(request.status == Some(200), "it is carried out all the same: {request:?}");
        let name = request.client_order_id.context("an order has a name")?;
        self.until("that the bot tells of its doubt", || async {
            let order = self.order(&name).await?;
            // Without a word of it the order would be unknown as well, but for no reason.
            let is_told = order.status() == OrderStatus::SubmitUnknown && order.reason.is_some();
            Ok(is_told.then_some(()))
        })
        .await
    }

    async fn hold_up(&mut self) -> Result<()> {
        let delay = json!({"delay": {"before_ms": HELD_UP_MS}});
        let request = self.meet("held up", &delay).await?;
        ensure!(request.is_refused_as_late(), "{request:?}");
        Ok(())
    }

    /// Everything is over: what it came to.
    async fn close(self, seed: u64, rounds: usize) -> Result<()> {
        let Self { cluster, mut bots, reigns, mut watches, refused_late, .. } = self;
        let ended = |words| bots.ended_with(words);
        let (fenced, lost) = (ended(" stops: FENCED: "), ended(" stops: the lease is lost"));
        bots.stop().await;
        // In this order: what is at the exchange was authorised before.
        let ledger = ledger(&cluster).await?;
        let orders = all_orders(&cluster).await?;
        watches.shutdown().await;
        let reigns = reigns.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let verdict = judge(&orders, &ledger, &reigns)?;
        let figure = json!({
            "seed": seed, "rounds": rounds, "verdict": verdict, "fenced": fenced, "lease_lost": lost,
        });
        figures::record("bot", &figure)?;
        ensure!(verdict.placed >= ORDERS_PER_ROUND_MIN * rounds, "inconclusive, few orders: {figure}");
        ensure!(refused_late > 0, "inconclusive, no bot asked too late: {figure}");
        ensure!(
            verdict.sent_late > 0 && verdict.held_up > 0,
            "inconclusive, nothing came too late: {figure}"
        );
        Ok(())
    }
}

// What is done to bots and exchange.
impl Floor {
    /// Freezes the holder at random until it is about to do this.
    async fn catch(&mut self, wanted: Next) -> Result<Caught> {
        let deadline = Instant::now() + CAUGHT_WITHIN;
        loop {
            let holder = self.holder().await?;
            // While the log does not answer, the bot comes to wait for it, in one call or another.
            let (leader, [from, to]) = match wanted {
                Next::Send => (Some(self.freeze_leader().await?), LEADER_FROZEN_MS),
                _ => (None, UNTIL_FROZEN_MS),
            };
            sleep(self.chance.millis(from, to)).await;
            let frozen = process::freeze(holder.pid);
            drop(leader);
            // It may have ended by itself.
            if let Ok(frozen) = frozen
                && let Some((next, order)) = self.look(holder).await?
                && next == wanted
            {
                return Ok(Caught { holder, order, frozen });
            }
            ensure!(
                Instant::now() < deadline,
                "no bot was caught before it would {wanted:?} within {CAUGHT_WITHIN:?}"
            );
        }
    }

    async fn freeze_leader(&self) -> Result<Frozen> {
        let leader = self.cluster.leader().await?;
        process::freeze(self.cluster.pid(leader).await?)
    }

    /// What a holder that is frozen does next with its last order, once what it had asked for is carried out; `None` if it holds
    /// nothing any more, or has asked for nothing yet.
    async fn look(&self, last: Holder) -> Result<Option<(Next, v1::Order)>> {
        let deadline = Instant::now() + ANSWERED_WITHIN;
        loop {
            let seen = self.newest().await?.filter(|order| order.token == last.token);
            let ledger = ledger(&self.cluster).await?;
            let holder = self.holder_now().await?.filter(|holder| holder.token == last.token);
            let seen = seen.zip(holder).map(|(order, Holder { renewed_ms, .. })| {
                let is_sent = ledger.requests.iter().any(|request| of(request, &order));
                let next = match order.status() {
                    _ if !is_sent => Next::Send,
                    OrderStatus::Submitting => Next::Report,
                    _ if renewed_ms < order.updated_at_ms => Next::Renew,
                    _ => Next::Ask,
                };
                (next, order)
            });
            if matches!(seen, Some((Next::Send, _))) || Instant::now() > deadline {
                return Ok(seen.filter(|_| process::is_stopped(last.pid).is_ok_and(|is_so| is_so)));
            }
            sleep(LOOK).await;
        }
    }

    /// Another has the lease, and what the last one was allowed to send is too late by now.
    async fn succeed(&self, last: Holder) -> Result<()> {
        self.until("another holder", || async {
            Ok(self.holder_now().await?.filter(|next| next.token != last.token))
        })
        .await?;
        self.until("the end of its window", || async {
            let orders = all_orders(&self.cluster).await?;
            let last = orders.into_iter().filter(|order| order.token == last.token);
            let end =
                last.filter_map(|order| Some(order.timestamp_ms? + i64::try_from(order.window_ms?).ok()?));
            Ok((end.max().unwrap_or_default() < wall_ms()?).then_some(()))
        })
        .await
    }

    /// The next order at the exchange meets a fault; what became of it there.
    async fn meet(&self, name: &str, act: &Value) -> Result<Request> {
        let known = ledger(&self.cluster).await?.requests.len();
        let matched = json!({"method": "POST", "path": "/api/v3/order"});
        let fault = json!({"name": name, "on": "request", "match": matched, "do": act});
        let armed = http::post(control(&self.cluster), "/faults", &json!({"faults": [fault]})).await?;
        ensure!(armed.code == 200, "{}", armed.body);
        let name = Some(name.to_owned());
        self.until("an order that meets the fault", || async {
            let requests = ledger(&self.cluster).await?.requests;
            let met = requests.into_iter().skip(known).find(|request| request.fault == name);
            Ok(met.filter(|request| request.status.is_some()))
        })
        .await
    }
}

// What is seen of them.
impl Floor {
    async fn until<T, F: Future<Output = Result<Option<T>>>>(
        &self,
        what: &str,
        look: impl FnMut() -> F,
    ) -> Result<T> {
        wait::until(TAKES_OVER_WITHIN, what, look).await
    }

    async fn holder(&self) -> Result<Holder> {
        self.until("a holder", || self.holder_now()).await
    }

    async fn holder_now(&self) -> Result<Option<Holder>> {
        let lease = at_any_node(&self.cluster, async |port| {
            let request = v1::GetRequest { name: LEASE.into() };
            Ok(grpc::leases(port)?.get(request).await?.into_inner().lease)
        });
        let Some(v1::Lease { holder: Some(name), token: Some(token), ttl_ms, remaining_ms, .. }) =
            lease.await?
        else {
            return Ok(None);
        };
        let pid = name.split('-').nth(1).with_context(|| format!("{name} is no bot"))?.parse()?;
        let since_ms =
            ttl_ms.zip(remaining_ms).map(|(ttl_ms, remaining_ms)| ttl_ms.saturating_sub(remaining_ms));
        let renewed_ms = wall_ms()? - i64::try_from(since_ms.context("a bot's lease has an end")?)?;
        Ok(Some(Holder { pid, token, renewed_ms }))
    }

    async fn newest(&self) -> Result<Option<v1::Order>> {
        let reply = at_any_node(&self.cluster, async |port| {
            let request = v1::ListOrdersRequest { strategy: STRATEGY.into(), limit: 1, ..Default::default() };
            Ok(grpc::orders(port)?.list(request).await?.into_inner())
        });
        Ok(reply.await?.orders.into_iter().next())
    }

    async fn order(&self, name: &str) -> Result<v1::Order> {
        let reply = at_any_node(&self.cluster, async |port| {
            let which = Some(v1::get_order_request::Which::ClientOrderId(name.into()));
            Ok(grpc::orders(port)?.get(v1::GetOrderRequest { which }).await?.into_inner())
        });
        reply.await?.order.context("an answer has an order")
    }

    /// The request that is looked for, once the exchange is done with it.
    async fn request(&self, is_it: impl Fn(&Request) -> bool) -> Result<Request> {
        self.until("the request at the exchange", || async {
            let requests = ledger(&self.cluster).await?.requests;
            Ok(requests.into_iter().find(|request| request.status.is_some() && is_it(request)))
        })
        .await
    }

    /// Waits for an order that is newer than this one and was filled.
    async fn trades_after(&self, order: u64) -> Result<()> {
        self.until("trading", || async {
            let newest = self.newest().await?.filter(|newest| newest.order_id > order);
            Ok(newest.filter(|newest| newest.status() == OrderStatus::Filled).map(drop))
        })
        .await
    }
}

fn of(request: &Request, order: &v1::Order) -> bool {
    request.is_new_order() && request.client_order_id.as_ref() == Some(&order.client_order_id)
}

fn wall_ms() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

fn control(cluster: &Cluster) -> u16 {
    cluster.base_port() + 901
}

async fn ledger(cluster: &Cluster) -> Result<Ledger> {
    Ok(serde_json::from_str(&http::get(control(cluster), "/ledger").await?.body)?)
}

async fn all_orders(cluster: &Cluster) -> Result<Vec<v1::Order>> {
    let (mut orders, mut before) = (Vec::new(), 0);
    loop {
        let page = at_any_node(cluster, async |port| {
            let strategy = STRATEGY.into();
            let request = v1::ListOrdersRequest { strategy, before, limit: 1000, ..Default::default() };
            Ok(grpc::orders(port)?.list(request).await?.into_inner())
        });
        let page = page.await?;
        orders.extend(page.orders);
        before = page.next_before;
        if before == 0 {
            return Ok(orders);
        }
    }
}

async fn at_any_node<T>(cluster: &Cluster, ask: impl AsyncFn(u16) -> Result<T>) -> Result<T> {
    wait::until(TAKES_OVER_WITHIN, "a node that answers", || async {
        let mut refused = Vec::new();
        for node in 1..=3 {
            match timeout(ANSWERS_WITHIN, ask(cluster.api(node))).await {
                Ok(Ok(answer)) => return Ok(Some(answer)),
                Ok(Err(why)) => refused.push(format!("{why:#}")),
                Err(_) => refused.push("no answer".into()),
            }
        }
        bail!("{refused:?}")
    })
    .await
}

/// Tells of every change of the lease that this node hears of, from each of its starts on.
async fn watch(port: u16, reigns: Arc<Mutex<Reigns>>) {
    loop {
        // The node may be down: the others tell meanwhile.
        if let Err(_ended) = hear(port, &reigns).await {
            sleep(LOOK).await;
        }
    }
}

async fn hear(port: u16, reigns: &Mutex<Reigns>) -> Result<()> {
    let request = v1::WatchRequest { name: LEASE.into() };
    let mut told = grpc::leases(port)?.watch(request).await?.into_inner();
    let mut before = None;
    while let Some(v1::WatchResponse { header, lease }) = told.message().await? {
        let token = lease.and_then(|lease| lease.token);
        let serial = header.context("a reply has a header")?.serial;
        reigns.lock().unwrap_or_else(PoisonError::into_inner).heard(before, serial, token);
        before = token;
    }
    bail!("it is over")
}
