//! `tenure kill-switch`, `mode` and `breaker`: what stops trading, who stopped it, and that it holds.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::cli::Cli;
use tests::cluster::{Cluster, Options};
use tests::{suite, wait};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cluster/desk.toml");

/// A command, its exit code, its reason, and what it says.
type Wrong = (&'static [&'static str], i32, &'static str, &'static str);

const WRONG: [Wrong; 14] = [
    (&["kill-switch", "engage"], 2, "USAGE", "--yes"),
    (&["kill-switch", "engage", "--scope", "desk:x", "--yes"], 2, "USAGE", "strategy:NAME"),
    (
        &["kill-switch", "engage", "--scope", "venue:nowhere", "--yes"],
        3,
        "UNKNOWN_NAME",
        "nothing of this name",
    ),
    (&["kill-switch", "release"], 2, "USAGE", "--reason"),
    (&["kill-switch", "release", "--reason", ""], 2, "INVALID", "say why"),
    (&["mode", "set", "HALTED", "--yes"], 2, "USAGE", "reduce-only"),
    (&["mode", "set", "halted"], 2, "USAGE", "--yes"),
    (&["mode", "set", "normal", "--yes"], 2, "INVALID", "say why"),
    (&["breaker", "trip", "nowhere", "--yes"], 3, "UNKNOWN_NAME", "nothing of this name"),
    (&["breaker", "reset", "sim"], 2, "USAGE", "--reason"),
    (&["kill-switch", "show", "--scope", "account:none"], 3, "UNKNOWN_NAME", "account:none"),
    (
        &["kill-switch", "release", "--scope", "account:none", "--reason", "x"],
        3,
        "UNKNOWN_NAME",
        "nothing of this name",
    ),
    (
        &["mode", "set", "normal", "--scope", "account:none", "--reason", "x"],
        3,
        "UNKNOWN_NAME",
        "nothing of this name",
    ),
    (&["breaker", "reset", "none", "--reason", "x"], 3, "UNKNOWN_NAME", "nothing of this name"),
];

async fn with_desk(options: Options) -> Result<(Cluster, Cli)> {
    let cluster = Cluster::start_with(options).await?;
    let cli = cluster.cli();
    cli.json(&["config", "apply", EXAMPLE, "--reason", "test"]).await?;
    Ok((cluster, cli))
}

/// What is switched now: kill switches, modes, and breakers that are forced open.
async fn switched(cli: &Cli) -> Result<[Vec<Value>; 3]> {
    let list = async |command: &[&str]| -> Result<Vec<Value>> {
        Ok(cli.json(command).await?.as_array().context("a list")?.clone())
    };
    let mut breakers = list(&["breaker", "list"]).await?;
    breakers.retain(|breaker| breaker["state"] == "forced_open");
    Ok([list(&["kill-switch", "show"]).await?, list(&["mode", "show"]).await?, breakers])
}

#[test]
fn switches_hold_and_name_who_set_them() {
    suite::beside("switches", async {
        let (mut cluster, cli) = with_desk(Options::default()).await?;
        ensure!(switched(&cli).await?.iter().all(Vec::is_empty), "nothing is switched at first");
        for (command, code, reason, says) in WRONG {
            let wrong = cli.run_json(command).await?.expect(code, reason)?;
            ensure!(wrong.stderr.contains(says), "{command:?}: {says} is not in {wrong:?}");
        }
        ensure!(switched(&cli).await?.iter().all(Vec::is_empty), "nothing was switched");

        let engage = ["kill-switch", "engage", "--scope", "strategy:mm", "--yes", "--reason", "drill"];
        for changed in [true, false] {
            let engaged = cli.json(&engage).await?;
            ensure!(
                engaged == json!({"scope": "strategy:mm", "engaged": true, "changed": changed}),
                "{engaged}"
            );
        }
        let halted = cli.json(&["mode", "set", "cancel-only", "--scope", "account:sim", "--yes"]).await?;
        ensure!(
            halted == json!({"scope": "account:sim", "mode": "cancel-only", "changed": true}),
            "{halted}"
        );
        let loosened = ["mode", "set", "reduce-only", "--scope", "account:sim", "--yes"];
        cli.run_json(&loosened).await?.expect(2, "INVALID")?;
        let tripped = cli.run(&["breaker", "trip", "sim", "--yes"]).await?;
        ensure!(tripped.code == 0 && tripped.stdout == "sim: forced_open\n", "{tripped:?}");

        // Through the end of whoever led.
        let before = switched(&cli).await?;
        ensure!(before.iter().all(|all| all.len() == 1), "{before:?}");
        ensure!(before[0][0]["reason"] == "drill" && before[0][0]["at"].is_string(), "{before:?}");
        let leader = cluster.leader().await?;
        cluster.signal(leader, Signal::KILL).await?;
        cluster.wait_ready().await?;
        ensure!(switched(&cli).await? == before, "they hold: {before:?}");

        let one = cli.json(&["kill-switch", "show", "--scope", "strategy:mm"]).await?;
        ensure!(one["engaged"] == true && one["actor"].is_string(), "{one}");
        let one = cli.json(&["kill-switch", "show", "--scope", "all"]).await?;
        ensure!(one["engaged"] == false && one["actor"].is_null(), "{one}");
        let covered = cli.json(&["mode", "show", "--scope", "strategy:mm"]).await?;
        ensure!(
            covered["mode"] == "normal" && covered["covered_by"][0]["scope"] == "account:sim",
            "{covered}"
        );
        let table = cli.run(&["mode", "show"]).await?;
        ensure!(table.stdout.contains("SCOPE") && table.stdout.contains("cancel-only"), "{table:?}");

        cli.json(&["kill-switch", "release", "--scope", "strategy:mm", "--reason", "over"]).await?;
        cli.json(&["mode", "set", "normal", "--scope", "account:sim", "--reason", "over"]).await?;
        let reset = cli.json(&["breaker", "reset", "sim", "--reason", "over"]).await?;
        ensure!(reset == json!({"venue": "sim", "state": "closed", "changed": true}), "{reset}");
        ensure!(switched(&cli).await?.iter().all(Vec::is_empty), "all is as at first");
        Ok(())
    });
}

#[test]
fn a_node_that_hangs_does_not_hold_up_whoever_stops_trading() {
    suite::beside("switches_hang", async {
        let (mut cluster, cli) = with_desk(Options::default()).await?;
        // The one that is asked first.
        cluster.signal(1, Signal::STOP).await?;
        let engaged = cli.run_json(&["kill-switch", "engage", "--yes"]).await?.expect(0, "")?;
        ensure!(engaged.took < Duration::from_secs(8), "it took {:?}", engaged.took);
        ensure!(switched(&cli).await?[0].len() == 1, "it is engaged");
        cluster.thaw(1)?;
        cluster.wait_ready().await?;
        // It runs once, though node 1 was asked too.
        cli.json(&["kill-switch", "release", "--reason", "over"]).await?;
        ensure!(switched(&cli).await?[0].is_empty(), "it is released");
        Ok(())
    });
}

#[test]
fn without_a_quorum_nothing_is_switched() {
    suite::beside("switches_no_quorum", async {
        let options = Options { no_restart: true, ..Options::default() };
        let (mut cluster, cli) = with_desk(options).await?;
        for node in cluster.followers().await? {
            cluster.signal(node, Signal::KILL).await?;
        }
        let engage = ["kill-switch", "engage", "--yes"];
        // What the leader of old took before it knew is not known to be done.
        wait::until(Duration::from_secs(30), "a refusal", || async {
            let engaged = cli.run_json(&engage).await?;
            ensure!([5, 7].contains(&engaged.code), "{engaged:?}");
            Ok((engaged.code == 5).then_some(()))
        })
        .await?;
        cli.run_json(&["kill-switch", "show"]).await?.expect(5, "NO_QUORUM")?;
        cli.run_json(&["breaker", "list"]).await?.expect(5, "NO_QUORUM")?;
        Ok(())
    });
}
