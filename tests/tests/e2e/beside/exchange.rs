//! The simulated exchange: clients of Binance trade there as they come, and `tenure dev` has one.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::cluster::Cluster;
use tests::exchange::Exchange;
use tests::{figures, http, suite};
use tokio::process::Command;
use tokio::time::timeout;

const DONE_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn clients_of_binance_trade_at_the_exchange() {
    let Some(python) = suite::tool("exchange_clients", "TENURE_VENUE_PYTHON") else { return };
    suite::beside("exchange_clients", async {
        let (python_binance, ccxt, sdk) = tokio::try_join!(
            trade(&python, "python_binance", 29),
            trade(&python, "ccxt", 30),
            trade(&python, "binance_sdk", 14),
        )?;
        figures::record("exchange_clients", &json!([python_binance, ccxt, sdk]))
    });
}

/// One client at an exchange of its own, and how much it must have done; what it says.
async fn trade(python: &OsStr, client: &str, deeds: usize) -> Result<Value> {
    let exchange = Exchange::start().await?;
    let program = format!("clients/venue/with_{client}.py");
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(program));
    command.args([exchange.address(), exchange.control()]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ran = timeout(DONE_WITHIN, command.output()).await.with_context(|| format!("{client} hangs"))??;
    let error = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{client}: {error}");
    let said: Value = serde_json::from_slice(&ran.stdout)?;
    ensure!(said["did"].as_array().is_some_and(|did| did.len() == deeds), "{client}: {said}");
    Ok(said)
}

#[test]
fn dev_has_an_exchange() {
    suite::beside("dev_exchange", async {
        let cluster = Cluster::start().await?;
        let base = cluster.base_port();
        ensure!(http::code(base + 900, "/api/v3/ping").await? == 200, "the exchange answers");
        let identity: Value = serde_json::from_str(&http::get(base + 901, "/identity").await?.body)?;
        ensure!(identity["account"] == "sim", "{identity}");
        Ok(())
    });
}
