//! A trader: takes the lease of its strategy, and does one thing after the other under it; at times under one that it has lost.

mod acts;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::Decimal;
use tokio::sync::watch;
use tokio::time::sleep;

use super::caller::Caller;
use super::{Desk, is_on};
use crate::clients::lease::Leases;
use crate::clients::redis::Redis;
use crate::clients::{Client, Phase};
use crate::clock::now_ns;
use crate::judge::Call;
use crate::judge::orders::record::Wanted;

/// How long it has the lease, in milliseconds: short enough that others get it between two acts.
const TTL_MS: std::ops::Range<u64> = 500..4000;

/// How long it stalls, and others take over.
const STALL_MS: std::ops::Range<u64> = 500..3500;

/// Keys that it may ask for again.
const KEYS_REMEMBERED: usize = 30;

pub(super) struct Trader {
    desk: Arc<Desk>,
    name: String,
    strategy: String,
    lease: String,
    caller: Caller,
    client: Client,
    grpc: Leases,
    redis: Redis,
    /// Whether it takes the lease over Redis.
    by_redis: bool,
    random: StdRng,
    held: Option<Held>,
    /// A token that it had before.
    old: Option<u64>,
    /// Numbers its keys.
    number: u64,
    wanted: Vec<Wanted>,
    /// Orders that may have been authorised, and were certainly never sent.
    doubtful: Vec<Wanted>,
}

#[derive(Clone, Copy)]
struct Held {
    token: u64,
    until_ns: u64,
}

impl Trader {
    /// `id` is that of a client; `at` counts traders from 0 on.
    pub(super) fn new(desk: Arc<Desk>, id: u32, at: u32, mut random: StdRng) -> Self {
        let strategies = desk.plan.traders - 1;
        let strategy = at % strategies + 1;
        let caller = desk.caller(StdRng::seed_from_u64(random.random()));
        let client = desk.client(id, StdRng::seed_from_u64(random.random()));
        Self {
            name: format!("trader{}", at + 1),
            strategy: format!("s{strategy}"),
            lease: format!("desk-{strategy}"),
            caller,
            client,
            grpc: Leases::default(),
            redis: Redis::new(Arc::default()),
            by_redis: at == 1,
            random,
            held: None,
            old: None,
            number: 0,
            wanted: Vec::new(),
            doubtful: Vec::new(),
            desk,
        }
    }

    pub(super) async fn work(mut self, mut phases: watch::Receiver<Phase>) {
        let mut configured = self.desk.configured.subscribe();
        let _ = configured.wait_for(|configured| *configured).await;
        while is_on(&mut phases).await {
            self.turn().await;
            let pause = self.desk.plan.pause.as_micros() as u64;
            sleep(Duration::from_micros(self.random.random_range(0..=2 * pause))).await;
        }
    }

    async fn turn(&mut self) {
        if self.random.random_ratio(1, 3) {
            self.tell_some().await;
        }
        let Some(held) = self.held() else { return self.acquire().await };
        match self.random.random_range(0..100) {
            0..=41 => self.trade(held.token).await,
            42..=49 => self.ask_again(held.token).await,
            50..=53 => self.ask_for_another(held.token).await,
            54..=65 => self.cancel(held.token).await,
            66..=72 => self.replace(held.token).await,
            73..=76 => self.batch(held.token).await,
            77..=79 => self.ask_wrongly(held.token).await,
            80..=90 => self.look().await,
            91..=93 => self.release(held.token).await,
            94..=97 => self.renew(held.token).await,
            _ => sleep(Duration::from_millis(self.random.random_range(STALL_MS))).await,
        }
    }

    /// By its own clock, which it does not look at every time.
    fn held(&mut self) -> Option<Held> {
        let is_careless = self.random.random_ratio(1, 6);
        self.held.filter(|held| is_careless || now_ns() < held.until_ns)
    }

    async fn acquire(&mut self) {
        let (lease, invoked_ns) = (self.lease.clone(), now_ns());
        let ttl_ms = self.random.random_range(TTL_MS);
        let call = Call::Acquire { holder: self.name.clone(), ttl_ms, take_over: false };
        self.old = self.held.take().map(|held| held.token).or(self.old);
        self.client.tokens.remove(&lease);
        if self.by_redis && self.random.random() {
            self.client.perform(&mut self.redis, lease.clone(), call).await;
        } else {
            self.client.perform(&mut self.grpc, lease.clone(), call).await;
        }
        let until_ns = invoked_ns + ttl_ms * 1_000_000;
        self.held = self.client.tokens.get(&lease).map(|token| Held { token: *token, until_ns });
    }

    async fn renew(&mut self, token: u64) {
        let (invoked_ns, ttl_ms) = (now_ns(), self.random.random_range(TTL_MS));
        let call = Call::Renew { holder: self.name.clone(), token, ttl_ms: Some(ttl_ms) };
        if self.client.perform(&mut self.grpc, self.lease.clone(), call).await {
            self.held = Some(Held { token, until_ns: invoked_ns + ttl_ms * 1_000_000 });
        }
    }

    /// At times it does not take note of it.
    async fn release(&mut self, token: u64) {
        let call = Call::Release { holder: self.name.clone(), token };
        self.client.perform(&mut self.grpc, self.lease.clone(), call).await;
        if self.random.random_ratio(3, 4) {
            self.held = None;
            self.old = Some(token);
        }
    }

    /// Something new.
    fn want(&mut self, account: &str, token: u64) -> Wanted {
        self.number += 1;
        let is_bitcoin = self.random.random::<bool>();
        let is_buy = self.random.random::<bool>();
        let middle = if is_bitcoin { 60_000 } else { 3_000 };
        let near = middle / 1000 * self.random.random_range(-1..=1_i64);
        let far = if is_buy { middle / 50 } else { -middle / 50 };
        let (order_type, time_in_force, price) = match self.random.random_range(0..20) {
            // It takes what rests.
            0..=5 => ("LIMIT", "GTC", Some(middle + far)),
            6..=14 => ("LIMIT", "GTC", Some(middle - near)),
            15..=16 => ("LIMIT", "IOC", Some(middle)),
            17..=18 => ("MARKET", "", None),
            _ => ("LIMIT_MAKER", "", Some(middle - near)),
        };
        let wanted = Wanted {
            strategy: self.strategy.clone(),
            key: format!("{}-{}", self.name, self.number),
            account: account.to_owned(),
            trader: self.name.clone(),
            symbol: if is_bitcoin { "BTCUSDT" } else { "ETHUSDT" }.to_owned(),
            is_buy,
            order_type: order_type.to_owned(),
            time_in_force: time_in_force.to_owned(),
            quantity: Decimal::new(self.random.random_range(2..=20), 3),
            price: price.map(Decimal::from),
            lease: self.lease.clone(),
            token,
        };
        self.wanted.push(wanted.clone());
        if self.wanted.len() > KEYS_REMEMBERED {
            self.wanted.remove(0);
        }
        wanted
    }
}
