//! A cluster with a desk to trade at: venue `sim` with BTCUSDT, account `bots` whose bots send for themselves, account
//! `desk` that the cluster sends for, strategy `mm` on both under the lease `mm`, which is held.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use wire::v1;

use crate::cli::{Cli, Ran};
use crate::cluster::Cluster;
use crate::{grpc, http};

pub struct Desk {
    pub cluster: Cluster,
    /// Of the lease `mm`.
    pub token: u64,
}

impl Desk {
    pub async fn open() -> Result<Self> {
        let cluster = Cluster::start().await?;
        let configuration = Some(configuration());
        let request = v1::ApplyRequest { configuration, reason: reason(), ..v1::ApplyRequest::default() };
        grpc::config(cluster.api(1))?.apply(request).await?;
        let granted = grpc::leases(cluster.api(1))?.acquire(grpc::acquire("mm", "bot", 600_000)).await?;
        let token = grpc::token(&granted.into_inner())?;
        Ok(Self { cluster, token })
    }

    pub fn cli(&self) -> Cli {
        self.cluster.cli()
    }

    /// Runs `tenure order VERB` for one BTCUSDT at 100 on an account, with what differs; the last of two options counts.
    pub async fn ask(&self, verb: &str, account: &str, key: &str, other: &[(&str, &str)]) -> Result<Ran> {
        let token = self.token.to_string();
        let mut options = vec![
            ("--account", account),
            ("--strategy", "mm"),
            ("--symbol", "BTCUSDT"),
            ("--side", "buy"),
            ("--type", "limit"),
            ("--quantity", "1"),
            ("--price", "100"),
            ("--lease", "mm"),
            ("--token", &token),
            ("--trader", "ann"),
            ("--key", key),
        ];
        for (option, value) in other {
            match options.iter_mut().find(|(name, _)| name == option) {
                Some(of) => of.1 = value,
                None => options.push((option, value)),
            }
        }
        let options = options.iter().filter(|(_, value)| !value.is_empty());
        let words: Vec<&str> = options.flat_map(|(name, value)| [*name, *value]).collect();
        self.cli().run_json(&[&["order", verb][..], &words].concat()).await
    }

    /// An order of `bots` that was authorised.
    pub async fn authorized(&self, key: &str) -> Result<Value> {
        self.ask("authorize", "bots", key, &[]).await?.expect(0, "")?.json()
    }

    /// That of all.
    pub async fn kill_switch(&self, engaged: bool) -> Result<()> {
        let subject = Some(v1::Subject { scope: v1::Scope::All.into(), name: String::new() });
        let reason = reason();
        let request =
            v1::SetKillSwitchRequest { subject, engaged, reason, ..v1::SetKillSwitchRequest::default() };
        grpc::config(self.cluster.api(1))?.set_kill_switch(request).await?;
        Ok(())
    }

    /// Asks the same of `bots` over HTTP, with what differs: the answer, whatever it is.
    pub async fn post(&self, path: &str, key: &str, other: Value) -> Result<(u16, Value)> {
        let mut body = json!({
            "account": "bots", "strategy": "mm", "algorithm": "maker", "trader": "ann", "symbol": "BTCUSDT", "side": "BUY",
            "type": "LIMIT", "quantity": "1", "price": "100", "lease": "mm", "token": self.token, "key": key,
        });
        let fields = body.as_object_mut().context("it is an object")?;
        for (name, value) in other.as_object().context("what differs is an object")? {
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
        let answer = http::post(self.cluster.http(2), path, &body).await?;
        let answered = serde_json::from_str(&answer.body).with_context(|| answer.body.clone())?;
        Ok((answer.code, answered))
    }
}

fn reason() -> Option<v1::Reason> {
    Some(v1::Reason { actor: "ann".into(), text: "a test".into() })
}

fn configuration() -> v1::Configuration {
    let all = [v1::OrderType::Limit, v1::OrderType::Market, v1::OrderType::StopLossLimit];
    let instrument = v1::Instrument {
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        tick: "0.01".into(),
        step: "0.001".into(),
        quantity_min: "0.001".into(),
        quantity_max: "1000".into(),
        notional_min: "1".into(),
        order_types: all.map(i32::from).to_vec(),
        reference_price: Some("100".into()),
        contract_size: None,
    };
    let limits = v1::Limits { quantity_max: Some("10".into()), ..v1::Limits::default() };
    let account = |id: &str, mode: v1::AccountMode| v1::Account {
        id: id.into(),
        venue: "sim".into(),
        mode: mode.into(),
        reconciliation: Some(false),
        limits: Some(limits.clone()),
        ..v1::Account::default()
    };
    let strategy = v1::Strategy {
        id: "mm".into(),
        accounts: vec!["bots".into(), "desk".into()],
        lease: "mm".into(),
        ..v1::Strategy::default()
    };
    v1::Configuration {
        venues: vec![v1::Venue { id: "sim".into(), kind: "simulated".into(), symbols: vec![instrument] }],
        accounts: vec![account("bots", v1::AccountMode::Direct), account("desk", v1::AccountMode::Gateway)],
        strategies: vec![strategy],
        day_offset_minutes: 0,
    }
}
