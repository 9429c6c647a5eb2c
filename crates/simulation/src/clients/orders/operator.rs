//! An operator: configures the desk, and switches it off and on; and the exchange's own operator, who lets it fail and fills what
//! rests.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::transport::Channel;
use wire::v1;
use wire::v1::config_service_client::ConfigServiceClient;

use super::caller::Caller;
use super::words::{ACCOUNT, GATEWAY, VENUE};
use super::{Desk, exchange, is_on};
use crate::clients::Phase;
use crate::clock::now_ns;
use crate::judge::orders::record::{Got, Subject, Switch, Switched, What};
use crate::plan::Trading;

/// Between two looks at what to do, in milliseconds: little enough that a run has some dozen switches, and enough that most of
/// it is traded.
const CALM_MS: std::ops::Range<u64> = 500..5000;

/// How long a switch stands.
const SWITCHED_MS: std::ops::Range<u64> = 100..1500;

/// Between two fills by hand.
const FILL_MS: std::ops::Range<u64> = 100..1000;

pub(super) struct Operator {
    desk: Arc<Desk>,
    caller: Caller,
    random: StdRng,
}

impl Operator {
    pub(super) fn new(desk: Arc<Desk>, mut random: StdRng) -> Self {
        let caller = desk.caller(StdRng::seed_from_u64(random.random()));
        Self { desk, caller, random }
    }

    pub(super) async fn work(mut self, mut phases: watch::Receiver<Phase>) {
        if !is_on(&mut phases).await {
            return;
        }
        while exchange::control("POST", "/faults", &faults()).await.is_none() {}
        self.configure().await;
        let hand =
            fill_by_hand(self.desk.clone(), phases.clone(), StdRng::seed_from_u64(self.random.random()));
        tokio::join!(hand, async {
            while is_on(&mut phases).await {
                sleep(Duration::from_millis(self.random.random_range(CALM_MS))).await;
                match self.random.random_range(0..5) {
                    0 => self.look().await,
                    _ => self.switch_for_a_while().await,
                }
            }
        });
    }

    async fn configure(&mut self) {
        let request = v1::ApplyRequest {
            configuration: Some(configuration(&self.desk.plan)),
            dry_run: false,
            reason: reason(),
            request_id: self.caller.request_id().into(),
            expected: None,
        };
        let apply = async |channel| ConfigServiceClient::new(channel).apply(request.clone()).await;
        while !matches!(self.caller.call(apply).await, (_, Got::Answer { .. })) {}
        self.desk.configured.send_replace(true);
    }

    /// What was acknowledged is found, whatever happened since.
    async fn look(&mut self) {
        let show = async |channel| ConfigServiceClient::new(channel).show(v1::ShowRequest {}).await;
        let (node, got) = self.caller.call(show).await;
        if let Got::Answer { value, .. } = got {
            compare(&self.desk, node, value);
        }
    }

    /// Some orders, and then again all.
    async fn switch_for_a_while(&mut self) {
        let what = *[What::Kill, What::Kill, What::ReduceOnly, What::CancelOnly, What::Halted, What::Breaker]
            .choose(&mut self.random)
            .expect("there are some");
        let subjects = [
            Subject::All,
            Subject::Venue(VENUE.into()),
            Subject::Account(ACCOUNT.into()),
            Subject::Strategy("s1".into()),
            Subject::Trader("trader1".into()),
            Subject::Symbol("BTCUSDT".into()),
        ];
        let subject = match what {
            What::Breaker => Subject::Venue(VENUE.into()),
            _ => subjects.choose(&mut self.random).expect("there are some").clone(),
        };
        self.switch(what, &subject, true).await;
        sleep(Duration::from_millis(self.random.random_range(SWITCHED_MS))).await;
        // Until it is certain: what stands for ever tells no more.
        while !self.switch(what, &subject, false).await {}
    }

    /// Whether it is known to be done.
    async fn switch(&mut self, what: What, subject: &Subject, on: bool) -> bool {
        let (invoked_ns, id) = (now_ns(), self.caller.request_id());
        let (_, got) =
            self.caller.call(async |channel| set(channel, what, subject, on, id.clone()).await).await;
        let is_known = got.answer().is_some();
        let switch = Switch { what, subject: subject.clone(), on, invoked_ns, got };
        tracing::debug!(?switch, "switched");
        self.desk.record.lock().switches.push(switch);
        is_known
    }
}

/// The serial of the command.
async fn set(
    channel: Channel,
    what: What,
    subject: &Subject,
    on: bool,
    id: Vec<u8>,
) -> Result<tonic::Response<u64>, tonic::Status> {
    let mut client = ConfigServiceClient::new(channel);
    let request_id = id.into();
    let header = match what {
        What::Kill => {
            let subject = Some(to_wire(subject));
            let request = v1::SetKillSwitchRequest { subject, engaged: on, reason: reason(), request_id };
            client.set_kill_switch(request).await?.into_inner().header
        }
        What::Breaker => {
            let venue = VENUE.into();
            let request = v1::SetBreakerRequest { venue, forced_open: on, reason: reason(), request_id };
            client.set_breaker(request).await?.into_inner().header
        }
        What::ReduceOnly | What::CancelOnly | What::Halted => {
            let mode = match what {
                _ if !on => v1::TradingMode::Normal,
                What::ReduceOnly => v1::TradingMode::ReduceOnly,
                What::CancelOnly => v1::TradingMode::CancelOnly,
                _ => v1::TradingMode::Halted,
            };
            let (subject, mode) = (Some(to_wire(subject)), mode.into());
            let request = v1::SetModeRequest { subject, mode, reason: reason(), request_id };
            client.set_mode(request).await?.into_inner().header
        }
    };
    Ok(tonic::Response::new(header.unwrap_or_default().serial))
}

/// All that stands otherwise than by default.
pub(super) fn switched(response: v1::SwitchesResponse) -> Switched {
    let v1::SwitchesResponse { kill_switches, modes, breakers, .. } = response;
    let subject = |switch: &v1::Switch| from_wire(switch.subject.clone().unwrap_or_default());
    let mode = |switch: &v1::Switch| match switch.mode() {
        v1::TradingMode::ReduceOnly => What::ReduceOnly,
        v1::TradingMode::CancelOnly => What::CancelOnly,
        _ => What::Halted,
    };
    let kills = kill_switches.iter().map(|switch| (What::Kill, subject(switch)));
    let modes = modes.iter().map(|switch| (mode(switch), subject(switch)));
    let breakers = breakers.iter().map(|switch| (What::Breaker, subject(switch)));
    kills.chain(modes).chain(breakers).collect()
}

/// Notes a configuration that is not the one that was applied.
pub(super) fn compare(desk: &Desk, node: u64, shown: v1::ShowResponse) {
    let applied = configuration(&desk.plan);
    if shown.configuration.as_ref() != Some(&applied) {
        let found = format!("node {node} shows {:?} where {applied:?} was applied", shown.configuration);
        desk.record.lock().configured_otherwise.push(found);
    }
}

fn to_wire(subject: &Subject) -> v1::Subject {
    let (scope, name) = match subject {
        Subject::All => (v1::Scope::All, ""),
        Subject::Venue(name) => (v1::Scope::Venue, name.as_str()),
        Subject::Account(name) => (v1::Scope::Account, name.as_str()),
        Subject::Strategy(name) => (v1::Scope::Strategy, name.as_str()),
        Subject::Trader(name) => (v1::Scope::Trader, name.as_str()),
        Subject::Symbol(name) => (v1::Scope::Symbol, name.as_str()),
    };
    v1::Subject { scope: scope.into(), name: name.to_owned() }
}

fn from_wire(subject: v1::Subject) -> Subject {
    match subject.scope() {
        v1::Scope::Venue => Subject::Venue(subject.name),
        v1::Scope::Account => Subject::Account(subject.name),
        v1::Scope::Strategy => Subject::Strategy(subject.name),
        v1::Scope::Trader => Subject::Trader(subject.name),
        v1::Scope::Symbol => Subject::Symbol(subject.name),
        v1::Scope::All | v1::Scope::Unspecified => Subject::All,
    }
}

fn reason() -> Option<v1::Reason> {
    Some(v1::Reason { actor: "operator".into(), text: "simulation".into() })
}

/// As it is shown, with nothing left to a default.
fn configuration(plan: &Trading) -> v1::Configuration {
    let order_types = [v1::OrderType::Limit, v1::OrderType::LimitMaker, v1::OrderType::Market];
    let instrument = |base: &str, tick: &str, step: &str, price: &str| v1::Instrument {
        symbol: format!("{base}USDT"),
        base: base.into(),
        quote: "USDT".into(),
        tick: tick.into(),
        step: step.into(),
        quantity_min: step.into(),
        quantity_max: "9000".into(),
        notional_min: "5".into(),
        order_types: order_types.iter().map(|it| (*it).into()).collect(),
        reference_price: Some(price.into()),
        contract_size: Some("1".into()),
    };
    let symbols =
        vec![instrument("BTC", "0.01", "0.00001", "60000"), instrument("ETH", "0.01", "0.0001", "3000")];
    let limits = plan.trusts_traders.then(|| v1::Limits {
        open_orders_max: Some(plan.open_orders_max),
        position_max: Some(plan.position_max.into()),
        ..v1::Limits::default()
    });
    let account = |id: &str, mode: v1::AccountMode, limits: Option<v1::Limits>| v1::Account {
        id: id.into(),
        venue: VENUE.into(),
        mode: mode.into(),
        lease: None,
        window_ms: Some(2000),
        trust_bot_reports: plan.trusts_traders,
        reconciliation: Some(false),
        limits: Some(limits.unwrap_or_default()),
        symbol_limits: Vec::new(),
    };
    let strategy = |number: u32| v1::Strategy {
        id: format!("s{number}"),
        accounts: vec![GATEWAY.into(), ACCOUNT.into()],
        lease: format!("desk-{number}"),
        symbols: Vec::new(),
        limits: Some(v1::Limits::default()),
        symbol_limits: Vec::new(),
    };
    v1::Configuration {
        venues: vec![v1::Venue { id: VENUE.into(), kind: "binance-spot".into(), symbols }],
        accounts: vec![
            account(GATEWAY, v1::AccountMode::Gateway, None),
            account(ACCOUNT, v1::AccountMode::Direct, limits),
        ],
        strategies: vec![strategy(1), strategy(2)],
        day_offset_minutes: 0,
    }
}

/// Requests and answers that are lost, as an exchange loses them.
fn faults() -> String {
    let fault = |method: &str, chance: &str, act: serde_json::Value| {
        json!({
            "on": "request", "match": {"method": method, "path": "/api/v3/order"}, "count": null, "chance": chance,
            "do": act,
        })
    };
    let faults = [
        fault("POST", "0.04", json!("drop_request")),
        fault("POST", "0.05", json!("drop_response")),
        fault("POST", "0.02", json!({"cut_body": {"after_bytes": 20}})),
        fault("POST", "0.02", json!({"answer": {"executed": true, "status": 502}})),
        fault("DELETE", "0.05", json!("drop_request")),
        fault("DELETE", "0.05", json!("drop_response")),
        fault("GET", "0.05", json!("drop_response")),
    ];
    json!({ "faults": faults }).to_string()
}

/// Somebody trades with what rests.
async fn fill_by_hand(desk: Arc<Desk>, mut phases: watch::Receiver<Phase>, mut random: StdRng) {
    while is_on(&mut phases).await {
        sleep(Duration::from_millis(random.random_range(FILL_MS))).await;
        let Some(alive) = desk.alive.lock().choose(&mut random).cloned() else { continue };
        let mut fill = json!({"symbol": alive.symbol, "client_order_id": alive.client_order_id});
        if random.random() {
            fill["quantity"] = json!("0.001");
        }
        // It may be filled by now.
        exchange::control("POST", "/fill", &fill.to_string()).await;
    }
}
