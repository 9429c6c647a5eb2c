//! `tenure order …`: the verbs, their JSON and their exit codes.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::order_desk::Desk;
use tests::suite;

/// What the contract says of an order.
const KEYS: [&str; 24] = [
    "order_id",
    "key",
    "client_order_id",
    "venue",
    "account",
    "strategy",
    "symbol",
    "side",
    "type",
    "time_in_force",
    "quantity",
    "price",
    "reduce_only",
    "status",
    "flags",
    "reason",
    "filled_quantity",
    "venue_order_id",
    "lease",
    "token",
    "authorized_serial",
    "serial",
    "updated_at",
    "fills",
];

fn id(order: &Value) -> Result<String> {
    Ok(order["order_id"].as_u64().with_context(|| format!("no order: {order}"))?.to_string())
}

#[test]
fn an_order_is_asked_for_shown_cancelled_and_replaced() {
    suite::beside("order_verbs", async {
        let desk = Desk::open().await?;
        let (cli, token) = (desk.cli(), desk.token.to_string());

        // Of a gateway account: submitted, once per key.
        let first = desk.ask("submit", "desk", "k1", &[]).await?.expect(0, "")?.json()?;
        for key in KEYS {
            ensure!(first.get(key).is_some(), "{key} is missing in {first}");
        }
        ensure!(first["status"] == "SUBMITTING" && first["existing"] == false, "{first}");
        ensure!((&first["side"], &first["type"]) == (&json!("BUY"), &json!("LIMIT")), "{first}");
        ensure!((&first["quantity"], &first["algorithm"]) == (&json!("1"), &json!("manual")), "{first}");
        let again = desk.ask("submit", "desk", "k1", &[]).await?.expect(0, "")?.json()?;
        ensure!(again["order_id"] == first["order_id"] && again["existing"] == true, "{again}");
        desk.ask("submit", "desk", "k1", &[("--quantity", "2")]).await?.expect(6, "DUPLICATE_KEY")?;
        // Nobody says that its venue has it, and nobody may guess.
        let wait = [("--wait", "acknowledged"), ("--wait-timeout", "300ms")];
        let unknown = desk.ask("submit", "desk", "k1", &wait).await?.expect(7, "OUTCOME_UNKNOWN")?;
        ensure!(unknown.json()?["status"] == "SUBMITTING", "{unknown:?}");

        // Of a direct account: what to sign.
        desk.ask("submit", "bots", "k2", &[]).await?.expect(2, "ACCOUNT_MODE")?;
        let direct = desk.authorized("k2").await?;
        ensure!(direct["timestamp_ms"].is_i64() && direct["window_ms"] == 2000, "{direct}");
        let table = cli.run(&["order", "get", &id(&direct)?]).await?.stdout;
        ensure!(table.contains("sign at") && table.contains("q"), "{table}");

        // Found by number, by the venue's name for it, by its key.
        let client = direct["client_order_id"].as_str().context("it has a name at its venue")?;
        for words in [vec![id(&direct)?.as_str()], vec![client], vec!["--strategy", "mm", "--key", "k2"]] {
            let found = cli.json(&[&["order", "get"], &words[..]].concat()).await?;
            ensure!(found["order_id"] == direct["order_id"], "{words:?}: {found}");
        }
        for words in [vec!["99999"], vec!["qzzzz0000000000z"], vec!["--strategy", "mm", "--key", "none"]] {
            cli.run_json(&[&["order", "get"], &words[..]].concat()).await?.expect(3, "UNKNOWN_ORDER")?;
        }
        cli.run_json(&["order", "get", "mine"]).await?.expect(2, "INVALID")?;

        // What the venue said.
        let report = |words: &'static [&'static str]| {
            let (cli, client) = (cli.clone(), client.to_owned());
            async move { cli.json(&[&["order", "report", &client], words].concat()).await }
        };
        let open = report(&["--acknowledged", "--venue-order-id", "v1"]).await?;
        ensure!(open["status"] == "OPEN" && open["venue_order_id"] == "v1", "{open}");
        let part =
            report(&["--venue-order-id", "v1", "--filled", "0.25", "--fill", "t1,0.25,99.5,0.001,BNB"])
                .await?;
        ensure!(part["status"] == "PARTIALLY_FILLED" && part["filled_quantity"] == "0.25", "{part}");
        ensure!(part["fills"][0]["price"] == "99.5" && part["fills"][0]["commission"] == "0.001", "{part}");
        cli.run_json(&["order", "report", client]).await?.expect(2, "INVALID")?;
        cli.run_json(&["order", "report", "99999", "--acknowledged"]).await?.expect(3, "UNKNOWN_ORDER")?;

        // In its place another, of which only the price is said.
        let place = |id: String, key: &'static str| {
            let (cli, token) = (cli.clone(), token.clone());
            let words =
                ["order", "replace", &id, "--key", key, "--price", "101.5", "--lease", "mm", "--token"];
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).chain([token]).collect();
            async move { cli.run_json(&words.iter().map(String::as_str).collect::<Vec<_>>()).await }
        };
        let replaced = place(id(&direct)?, "k3").await?.expect(0, "")?.json()?;
        ensure!(replaced["canceled"]["status"] == "PENDING_CANCEL", "{replaced}");
        let new = &replaced["order"];
        ensure!((&new["price"], &new["quantity"]) == (&json!("101.5"), &json!("1")), "{new}");
        ensure!(new["trader"] == "ann" && new["timestamp_ms"].is_i64(), "{new}");
        place(id(&first)?, "k4").await?.expect(6, "ORDER_STATE")?;

        // A cancel is authorised, and only under the lease.
        let cancel = |token: String| {
            let (cli, id) = (cli.clone(), id(new));
            async move { cli.run_json(&["order", "cancel", &id?, "--lease", "mm", "--token", &token]).await }
        };
        cancel("1".into()).await?.expect(6, "FENCED")?;
        let canceled = cancel(token.clone()).await?.expect(0, "")?.json()?;
        ensure!(
            canceled["order"]["status"] == "PENDING_CANCEL" && canceled["window_ms"] == 2000,
            "{canceled}"
        );

        // A switch stands against it, and a limit: both are told, and both are data.
        desk.kill_switch(true).await?;
        let refused =
            desk.ask("authorize", "bots", "k5", &[("--quantity", "11")]).await?.expect(8, "KILLED")?;
        let reasons: Vec<String> = reasons(&refused.error()?);
        ensure!(reasons == ["KILLED", "LIMIT"], "{reasons:?}");
        let held = desk.ask("authorize", "bots", "k6", &[("--hold", "1m")]).await?.expect(8, "KILLED")?;
        ensure!(held.json()?["status"] == "INTENT", "what waits is shown, and is no leave to send: {held:?}");
        desk.kill_switch(false).await?;
        let freed = desk.authorized("k6").await?;
        ensure!(freed["order_id"] == held.json()?["order_id"] && freed["timestamp_ms"].is_i64(), "{freed}");
        Ok(())
    });
}

/// The names of all reasons of a refusal.
fn reasons(error: &Value) -> Vec<String> {
    let all = error["reasons"].as_array().into_iter().flatten();
    all.filter_map(|reason| reason["reason"].as_str().map(str::to_owned)).collect()
}

#[test]
fn orders_are_listed_and_exported_by_every_filter() {
    suite::beside("order_lists", async {
        let desk = Desk::open().await?;
        let (cli, token) = (desk.cli(), desk.token.to_string());
        let mut ids = Vec::new();
        for key in ["k1", "k2", "k3"] {
            ids.push(id(&desk.authorized(key).await?)?);
        }
        let gateway = id(&desk.ask("submit", "desk", "k4", &[]).await?.expect(0, "")?.json()?)?;
        cli.json(&[
            "order",
            "report",
            &ids[0],
            "--ended",
            "filled",
            "--filled",
            "1",
            "--venue-order-id",
            "v1",
            "--fill",
            "t1,0.4,99.5",
            "--fill",
            "t2,0.6,100",
        ])
        .await?;
        // Unknown whether its venue has it, which its cancel hides.
        cli.json(&["order", "report", &ids[1], "--unknown", "timeout"]).await?;
        cli.json(&["order", "cancel", &ids[1], "--lease", "mm", "--token", &token]).await?;
        cli.json(&["order", "report", &ids[2], "--acknowledged"]).await?;

        let listed = |words: &'static [&'static str]| {
            let cli = cli.clone();
            async move {
                let list = cli.json(&[&["order"], words].concat()).await?;
                list.as_array().context("a list")?.iter().map(id).collect::<Result<Vec<_>>>()
            }
        };
        let [filled, unknown, open] = [&ids[0], &ids[1], &ids[2]];
        for (words, expected) in [
            (&["list"][..], vec![&gateway, open, unknown, filled]),
            (&["list", "--limit", "2"], vec![&gateway, open]),
            (&["list", "--account", "desk"], vec![&gateway]),
            (&["list", "--strategy", "other"], vec![]),
            (&["list", "--symbol", "BTCUSDT", "--status", "open,FILLED"], vec![open, filled]),
            (&["list", "--since", "1h", "--account", "bots"], vec![open, unknown, filled]),
            (&["list", "--until", "2020-01-01"], vec![]),
            (&["unresolved"], vec![unknown]),
            (&["unresolved", "--account", "desk"], vec![]),
        ] {
            let listed = listed(words).await?;
            ensure!(listed.iter().collect::<Vec<_>>() == expected, "{words:?}: {listed:?}, not {expected:?}");
        }
        let lines = cli.run(&["-o", "jsonl", "order", "list"]).await?.stdout;
        ensure!(lines.lines().count() == 4 && lines.starts_with("{\"order_id\":"), "{lines}");
        let table = cli.run(&["order", "list"]).await?.stdout;
        ensure!(table.starts_with("ORDER_ID  ACCOUNT") && table.contains("PENDING_CANCEL"), "{table}");
        cli.run_json(&["order", "list", "--account", "a b"]).await?.expect(2, "INVALID")?;
        cli.run_json(&["order", "list", "--status", "done"]).await?.expect(2, "USAGE")?;

        let csv = cli.run(&["order", "export", "--format", "csv", "--status", "filled"]).await?;
        let rows: Vec<&str> = csv.stdout.split("\r\n").collect();
        ensure!(rows.len() == 3 && rows[2].is_empty(), "{rows:?}");
        ensure!(rows[0].starts_with("order_id,key,client_order_id,venue,account,strategy,"), "{}", rows[0]);
        ensure!(
            rows[1].starts_with(&format!("{filled},k1,q")) && rows[1].contains(",FILLED,"),
            "{}",
            rows[1]
        );
        let fills = cli.run(&["order", "export", "--format", "csv", "--fills"]).await?.stdout;
        let fills: Vec<&str> = fills.trim_end().split("\r\n").collect();
        ensure!(fills.len() == 3 && fills[1].contains(",t1,v1,0.4,99.5,"), "{fills:?}");
        let lines = cli.run(&["order", "export", "--from", "1h"]).await?.stdout;
        ensure!(lines.lines().count() == 4, "{lines}");
        let first: Value = serde_json::from_str(lines.lines().next().unwrap_or_default())?;
        ensure!(first["key"] == "k4" && first["fills"] == json!([]), "{first}");
        ensure!(cli.run(&["order", "export", "--to", "2020-01-01"]).await?.stdout.is_empty(), "nothing then");
        Ok(())
    });
}
