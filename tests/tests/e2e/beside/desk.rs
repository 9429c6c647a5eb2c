//! `tenure config apply` and `show`: who may trade, set from a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::cli::Cli;
use tests::cluster::{Cluster, Options};
use tests::{http, suite};

const EXAMPLE: &str = include_str!("../../../../cluster/desk.toml");

/// What is put for what in the example, on which line the error must say that it is, and what it must say.
const BAD: [(&str, &str, &str, &str); 14] = [
    ("step = \"0.00001\"", "stepp = \"0.00001\"", "stepp", "unknown field `stepp`"),
    ("[accounts.sim]", "[account.sim]", "[account.sim]", "unknown field `account`"),
    (TICK, "tick = 0.01 ", "tick = 0.01 ", "a decimal in quotes"),
    (WINDOW, "window_ms = \"2s\"", "window_ms = \"2s\"", "string \"2s\""),
    (WINDOW, "window_ms = -1", "window_ms = -1", "-1"),
    ("mode = \"direct\"", "mode = \"both\"", "mode = \"both\"", "expected `gateway` or `direct`"),
    (WINDOW, "window_ms = 2000\nwindow_ms = 2001", "window_ms = 2001", "duplicate key"),
    (TICK, "tick = \"0,01\" ", "tick = \"0,01\" ", "venues.sim.symbols.BTCUSDT.tick: not a decimal"),
    (TICK, "tick = \"-0.01\" ", "tick = \"-0.01\" ", "venues.sim.symbols.BTCUSDT.tick: must be above zero"),
    (TICK, "# ", "[venues.sim.symbols.BTCUSDT]", "venues.sim.symbols.BTCUSDT.tick: missing"),
    ("venue = \"sim\"", "venue = \"x\"", "venue = \"x\"", "accounts.sim.venue: there is no venue x"),
    ("[\"sim\"]", "[\"sim\", \"x\"]", "[\"sim\", \"x\"]", "strategies.mm.accounts: there is no account x"),
    ("count = 50", "count = 1", "count = 1", "accounts.sim.limits.message_rate.count: must be from 2 to"),
    ("limits.ETHUSDT", "limits.XRP", "limits.XRP", "strategies.mm.symbol_limits.XRP: it may not trade"),
];

const TICK: &str = "tick = \"0.01\" ";
const WINDOW: &str = "window_ms = 2000";

/// On which line of a text something is.
fn line_of(text: &str, what: &str) -> Result<usize> {
    let line = text.lines().position(|line| line.contains(what));
    Ok(1 + line.with_context(|| format!("{what} is not in {text}"))?)
}

struct Desk {
    directory: tempfile::TempDir,
    cli: Cli,
}

impl Desk {
    fn new(cluster: &Cluster) -> Result<Self> {
        Ok(Self { directory: tempfile::tempdir()?, cli: cluster.cli() })
    }

    fn file(&self, text: &str) -> Result<PathBuf> {
        let file = self.directory.path().join("desk.toml");
        std::fs::write(&file, text)?;
        Ok(file)
    }

    async fn shown(&self) -> Result<Value> {
        self.cli.json(&["config", "show"]).await
    }

    async fn revision(&self) -> Result<String> {
        Ok(self.shown().await?["revision"].as_str().context("a revision")?.to_owned())
    }

    async fn apply(&self, text: &str, more: &[&str]) -> Result<tests::cli::Ran> {
        let file = self.file(text)?;
        let apply = ["config", "apply", name(&file), "--reason", "test"];
        self.cli.run_json(&[&apply, more].concat()).await
    }
}

fn name(file: &Path) -> &str {
    file.to_str().expect("a temporary directory has a plain name")
}

#[test]
fn a_desk_is_set_from_a_file_and_shown_as_one() {
    suite::beside("desk_round_trip", async {
        let cluster = Cluster::start().await?;
        let desk = Desk::new(&cluster)?;
        let schema = desk.cli.run(&["config", "schema"]).await?;
        ensure!(schema.code == 0 && schema.stdout == EXAMPLE, "the schema is the example: {schema:?}");

        let nothing = desk.shown().await?;
        let file = desk.file(EXAMPLE)?;
        let tried = desk.cli.run(&["config", "apply", name(&file), "--dry-run"]).await?;
        ensure!(tried.code == 0, "{tried:?}");
        let lines: Vec<&str> = tried.stdout.lines().collect();
        ensure!(lines.len() == 10 && lines[..9].iter().all(|line| line.starts_with("+ ")), "{lines:?}");
        ensure!(lines[3] == "+ strategies.mm: accounts sim, lease desk, symbols all", "{lines:?}");
        ensure!(lines[9] == "nothing was set: it was a dry run", "{lines:?}");
        ensure!(desk.shown().await? == nothing, "a dry run sets nothing");

        let done = desk.apply(EXAMPLE, &[]).await?.expect(0, "")?.json()?;
        ensure!(done["changes"].as_array().is_some_and(|lines| lines.len() == 9), "{done}");
        ensure!(done["changes"] == json!(lines[..9]) && done["dry_run"] == false, "{done}");
        // Part of the format of the log.
        ensure!(done["revision"] == "bc8993609b84d2200cb0e4f1e4829b57", "{done}");
        let shown = desk.shown().await?;
        ensure!(shown["revision"] == done["revision"], "{shown}");
        ensure!(shown["configuration"]["accounts"]["sim"]["mode"] == "direct", "{shown}");

        // What is shown is a file that changes nothing.
        let text = desk.cli.run(&["config", "show"]).await?.stdout;
        ensure!(text.starts_with(&format!("# revision {}\n", desk.revision().await?)), "{text}");
        let again = desk.apply(&text, &[]).await?.expect(0, "")?.json()?;
        ensure!(again["changes"] == json!([]) && again["revision"] == done["revision"], "{again}");
        let file = desk.file(&text)?;
        let said = desk.cli.run(&["config", "apply", name(&file), "--reason", "test"]).await?;
        ensure!(said.stdout == "nothing is different\n", "{said:?}");

        let changed = text.replace("quantity_max = \"30\"", "quantity_max = \"40\"");
        let applied = desk.apply(&changed, &[]).await?.expect(0, "")?.json()?;
        let line = "~ strategies.mm.symbol_limits.ETHUSDT.quantity_max: 30 -> 40";
        ensure!(applied["changes"] == json!([line]), "{applied}");

        // Any node tells the same, over HTTP too.
        let over_http = http::get(cluster.http(3), "/api/v1/config").await?;
        ensure!(serde_json::from_str::<Value>(&over_http.body)? == desk.shown().await?, "{}", over_http.body);
        Ok(())
    });
}

#[test]
fn a_wrong_desk_is_told_with_its_line() {
    suite::beside("desk_wrong", async {
        let cluster = Cluster::start().await?;
        let desk = Desk::new(&cluster)?;
        let nothing = desk.shown().await?;
        for (what, instead, at, says) in BAD {
            ensure!(EXAMPLE.contains(what), "{what} is not in the example");
            let text = EXAMPLE.replacen(what, instead, 1);
            let bad = desk.apply(&text, &[]).await?.expect(2, "INVALID")?;
            let message = bad.error()?["message"].as_str().unwrap_or_default().to_owned();
            ensure!(message.contains(says), "{instead}: {message}");
            let line = line_of(&text, at)?;
            let places =
                [format!("desk.toml:{line}: "), format!("desk.toml: TOML parse error at line {line},")];
            ensure!(
                places.iter().any(|place| message.contains(place)),
                "{instead}: not line {line}: {message}"
            );
        }
        // All at once.
        let twice = EXAMPLE.replace("\"0.01\" ", "\"0\" ").replace("venue = \"sim\"", "venue = \"x\"");
        let all = desk.apply(&twice, &[]).await?.expect(2, "INVALID")?.error()?["message"].to_string();
        for at in [TICK.replace("0.01", "0"), "venue = \"x\"".into()] {
            let line = line_of(&twice, &at)?;
            ensure!(all.contains(&format!("desk.toml:{line}: ")), "not line {line}: {all}");
        }
        // An empty file takes nothing away.
        let empty = desk.apply("", &[]).await?.expect(2, "INVALID")?.error()?["message"].to_string();
        ensure!(empty.contains("missing field `day_offset_minutes`"), "{empty}");
        let file = desk.file(EXAMPLE)?;
        let check =
            desk.cli.run_json(&["config", "check", name(&file)]).await?.expect(1, "ERROR")?.error()?;
        ensure!(check["next"].as_str().is_some_and(|next| next.contains("config apply")), "{check}");
        let missing = ["config", "apply", "no-such-file.toml", "--reason", "test"];
        let missing =
            desk.cli.run_json(&missing).await?.expect(2, "INVALID")?.error()?["message"].to_string();
        ensure!(missing.contains("no-such-file.toml: it cannot be read"), "{missing}");
        let file = desk.file(EXAMPLE)?;
        let silent = desk.cli.run_json(&["config", "apply", name(&file)]).await?.expect(2, "USAGE")?;
        ensure!(silent.stderr.contains("--reason"), "{silent:?}");
        ensure!(desk.shown().await? == nothing, "nothing was set");
        Ok(())
    });
}

#[test]
fn of_two_who_change_a_desk_the_later_is_told() {
    suite::beside("desk_stale", async {
        let cluster = Cluster::start().await?;
        let desk = Desk::new(&cluster)?;
        let seen = desk.revision().await?;
        desk.apply(EXAMPLE, &["--expected", &seen]).await?.expect(0, "")?;
        let other = EXAMPLE.replace("day_offset_minutes = 0", "day_offset_minutes = 60");
        desk.apply(&other, &["--expected", &seen]).await?.expect(6, "STALE_REVISION")?;
        // So is whoever applies what he was shown before.
        let shown = format!("# revision {seen}\n{other}");
        let stale = desk.apply(&shown, &[]).await?.expect(6, "STALE_REVISION")?;
        ensure!(stale.stderr.contains("desk.toml:1: "), "{stale:?}");
        desk.apply(&other, &["--expected", "7"]).await?.expect(2, "INVALID")?;
        let seen = desk.revision().await?;
        let done = desk.apply(&other, &["--expected", &seen]).await?.expect(0, "")?.json()?;
        ensure!(done["changes"] == json!(["~ day_offset_minutes: 0 -> 60"]), "{done}");

        // What takes something away is told before, and asked about.
        let (fewer, _) = EXAMPLE.split_once("[strategies.mm]").context("the example has it")?;
        let fewer = format!("{fewer}[strategies]\n");
        let seen = desk.revision().await?;
        let asked = desk.apply(&fewer, &[]).await?.expect(2, "USAGE")?;
        ensure!(asked.stderr.contains("- strategies.mm: ") && asked.stderr.contains("--yes"), "{asked:?}");
        ensure!(desk.revision().await? == seen, "nothing was set");
        desk.apply(&fewer, &["--dry-run"]).await?.expect(0, "")?;
        desk.apply(&fewer, &["--yes"]).await?.expect(0, "")?;
        ensure!(desk.revision().await? != seen, "it was set");
        Ok(())
    });
}

#[test]
fn without_a_quorum_a_desk_is_neither_set_nor_shown() {
    suite::beside("desk_no_quorum", async {
        let options = Options { no_restart: true, ..Options::default() };
        let mut cluster = Cluster::start_with(options).await?;
        let desk = Desk::new(&cluster)?;
        for node in cluster.followers().await? {
            cluster.signal(node, Signal::KILL).await?;
        }
        desk.cli.run_json(&["config", "show"]).await?.expect(5, "NO_QUORUM")?;
        desk.apply(EXAMPLE, &[]).await?.expect(5, "NO_QUORUM")?;
        desk.apply(EXAMPLE, &["--dry-run"]).await?.expect(5, "NO_QUORUM")?;
        let dead = Cli::new(&["127.0.0.1:1".to_owned()]);
        dead.run_json(&["config", "show"]).await?.expect(5, "UNREACHABLE")?;
        Ok(())
    });
}
