//! `tenure order tail`, and waiting for a venue's word: through the death of the node that tells.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tests::order_desk::Desk;
use tests::suite;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// An election, and what it takes to find a node that lives.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

struct Tail {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Tail {
    /// From a serial on, so that nothing depends on when it begins.
    fn start(desk: &Desk, after: u64) -> Result<Self> {
        let mut command = Command::new(suite::binary());
        command.args(["-o", "jsonl", "order", "tail", "--strategy", "mm", "--after", &after.to_string()]);
        command.env("TENURE_ENDPOINTS", desk.cluster.endpoints().join(","));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().context("`tenure order tail` cannot be started")?;
        let stdout = child.stdout.take().context("standard output was asked for")?;
        Ok(Self { _child: child, lines: BufReader::new(stdout).lines() })
    }

    /// The key, the status and the serial of the next change.
    async fn next(&mut self) -> Result<(String, String, u64)> {
        let line = timeout(TOLD_WITHIN, self.lines.next_line()).await.context("no change was told")??;
        let order: Value = serde_json::from_str(&line.context("it ended")?)?;
        let text = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
        Ok((text("key"), text("status"), order["serial"].as_u64().context("a serial")?))
    }
}

#[test]
fn a_tail_leaves_nothing_out_though_its_node_dies() {
    suite::beside("order_tail", async {
        let mut desk = Desk::open().await?;
        let first = desk.authorized("k0").await?["serial"].as_u64().context("a serial")?;
        let mut tail = Tail::start(&desk, first - 1)?;
        ensure!(tail.next().await? == ("k0".into(), "SUBMITTING".into(), first), "the first");
        // It watches at the first endpoint.
        let mut serials = vec![first];
        for round in 0..3 {
            let keys = [0, 1, 2].map(|at| format!("r{round}-{at}"));
            if round == 1 {
                desk.cluster.signal(1, Signal::KILL).await?;
            }
            for key in &keys {
                desk.authorized(key).await?;
            }
            for key in &keys {
                let (told, status, serial) = tail.next().await?;
                ensure!(told == *key && status == "SUBMITTING", "{told} {status} instead of {key}");
                serials.push(serial);
            }
        }
        ensure!(serials.is_sorted_by(|a, b| a < b), "{serials:?}");
        Ok(())
    });
}

#[test]
fn a_submission_waits_for_the_word_of_its_venue() {
    suite::beside("order_wait", async {
        let desk = Desk::open().await?;
        let wait = [("--wait", "acknowledged"), ("--wait-timeout", "30s")];
        for (key, words, exit, reason, status) in [
            ("k1", &["--acknowledged"][..], 0, "", "OPEN"),
            ("k2", &["--ended", "rejected", "--code", "-2010"], 1, "REJECTED", "REJECTED"),
        ] {
            let submitted = desk.ask("submit", "desk", key, &[]).await?.expect(0, "")?.json()?;
            let id = submitted["order_id"].to_string();
            let cli = desk.cli();
            let report = [&["order", "report", &id], words].concat();
            // Submitted again it is the same order, and waits for the same word.
            let (waited, told) = tokio::join!(desk.ask("submit", "desk", key, &wait), cli.json(&report));
            told?;
            let waited = waited?.expect(exit, reason)?.json()?;
            ensure!(waited["status"] == status, "{waited}");
        }
        Ok(())
    });
}
