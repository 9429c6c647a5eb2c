//! `tenure lease exec`: what a program is given, how it ends, and that it is not started when it must not be.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tests::cli::{Cli, Ran};
use tests::cluster::Cluster;
use tests::desk::{Desk, Kind};
use tests::{grpc, process, suite, wait};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;
use wire::v1;

/// On a machine that does other things too; what is meant is: without waiting for anything.
const AT_ONCE: Duration = Duration::from_millis(900);

const SOON: Duration = Duration::from_secs(10);

/// Of what depends on a race that is won more often than lost.
const TRIES: usize = 20;

async fn exec(cli: &Cli, options: &[&str], script: &str) -> Result<Ran> {
    let command = ["--", "sh", "-c", script];
    cli.run_json(&[&["lease", "exec", "desk"], options, &command].concat()).await
}

async fn is_free(cli: &Cli) -> Result<()> {
    cli.run_json(&["lease", "get", "desk"]).await?.expect(3, "EXPIRED")?;
    Ok(())
}

#[test]
fn exec_gives_a_program_its_lease_and_returns_its_code() {
    suite::beside("exec", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();
        let script = "echo $TENURE_LEASE $TENURE_FENCING_TOKEN $TENURE_EXPIRES_AT; exit 7";
        let ran = exec(&cli, &[], script).await?;
        ensure!(ran.code == 7, "{ran:?}");
        let told: Vec<&str> = ran.stdout.split_ascii_whitespace().collect();
        ensure!(told.len() == 3 && told[0] == "desk", "{told:?}");
        let token: u64 = told[1].parse()?;
        ensure!(told[2].len() == "2026-11-22T05:52:42.099Z".len() && told[2].ends_with('Z'), "{told:?}");
        is_free(&cli).await?;

        let holder = "tenure lease get desk -o json";
        let ran = exec(&cli, &["--holder", "h", "--ttl", "20s"], &by_binary(holder)).await?;
        let lease = ran.json()?;
        ensure!(lease["holder"] == "h" && lease["ttl_ms"] == 20_000, "{lease}");
        ensure!(lease["token"].as_u64() > Some(token), "a later run has a greater token: {lease}");

        ensure!(exec(&cli, &[], "kill -KILL $$").await?.code == 137, "as shells say it");
        ensure!(exec(&cli, &[], "kill -TERM $$").await?.code == 143, "as shells say it");
        for (program, code) in [("no-such-program", 127), ("/", 126)] {
            let ran = cli.run_json(&["lease", "exec", "desk", "--", program]).await?;
            ensure!(ran.code == code && ran.stderr.contains(r#""reason":"COMMAND""#), "{program}: {ran:?}");
        }
        is_free(&cli).await
    });
}

/// The script with the binary under test in the place of `tenure`.
fn by_binary(script: &str) -> String {
    script.replace("tenure", &suite::binary().display().to_string())
}

#[test]
fn exec_passes_standard_input_on() {
    suite::beside("exec_stdin", async {
        let cluster = Cluster::start().await?;
        let mut command = Command::new(suite::binary());
        command.args(["lease", "exec", "desk", "--", "cat"]).kill_on_drop(true);
        command.env("TENURE_ENDPOINTS", cluster.endpoints().join(",")).stderr(Stdio::null());
        let mut cat = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = cat.stdin.take().context("it was asked for")?;
        stdin.write_all(b"a line\n").await?;
        drop(stdin);
        let output = timeout(SOON, cat.wait_with_output()).await??;
        ensure!(output.status.success() && output.stdout == b"a line\n", "{output:?}");
        Ok(())
    });
}

#[test]
fn exec_that_never_acquires_ends_with_75() {
    suite::beside("exec_never", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();
        cli.json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;
        exec(&cli, &["--wait", "0s"], "echo started").await?.expect(75, "HELD")?;
        let waited = exec(&cli, &["--wait", "300ms"], "echo started").await?.expect(75, "HELD")?;
        ensure!(waited.took >= Duration::from_millis(300) && waited.stdout.is_empty(), "{waited:?}");
        let nobody = Cli::new(&["127.0.0.1:1".into()]);
        let ran = exec(&nobody, &["--wait", "0s"], "echo started").await?;
        ensure!(ran.code == 75 && ran.error()?["reason"] == "UNAVAILABLE", "{ran:?}");
        exec(&cli, &["--ttl", "999ms"], "echo started").await?.expect(2, "USAGE")?;
        let bad = ["lease", "exec", "tenure:own", "--", "true"];
        cli.run_json(&bad).await?.expect(2, "INVALID")?;
        Ok(())
    });
}

#[test]
fn exec_waits_for_the_lease_and_starts_when_it_is_given_back() {
    suite::beside("exec_waits", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();
        let desk = Desk::open()?;
        let mut first = desk.wrap(&cluster.endpoints(), &[], &desk.bot(Kind::Plain))?;
        desk.nth_run(1).await?;
        let mut second = desk.wrap(&cluster.endpoints(), &[], &desk.bot(Kind::Plain))?;
        second.says("waiting").await?;
        first.signal(Signal::TERM)?;
        first.ends_with(143, SOON).await?;
        desk.nth_run(2).await?;
        second.signal(Signal::INT)?;
        // A shell's child in the background ignores SIGINT, unless it says otherwise; this one is in none.
        second.ends_with(130, SOON).await?;
        desk.runs()?;
        is_free(&cli).await
    });
}

#[test]
fn a_signal_ends_the_wait_for_a_lease_at_once() {
    suite::beside("exec_signal_waiting", async {
        let cluster = Cluster::start().await?;
        let desk = Desk::open()?;
        let cli = cluster.cli();
        cli.json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            let mut wrapper = desk.wrap(&cluster.endpoints(), &[], &desk.bot(Kind::Plain))?;
            wrapper.says("waiting").await?;
            wrapper.signal(signal)?;
            let took = wrapper.ends_with(75, SOON).await?;
            ensure!(took < AT_ONCE, "{signal:?}: only after {took:?}");
            ensure!(wrapper.said()?.contains("STOPPED"), "{}", wrapper.said()?);
        }
        // Nor does it wait for nodes that are not there.
        let mut wrapper = desk.wrap(&["127.0.0.1:1".into()], &[], &desk.bot(Kind::Plain))?;
        wrapper.says("waiting").await?;
        wrapper.signal(Signal::TERM)?;
        let took = wrapper.ends_with(75, SOON).await?;
        ensure!(took < AT_ONCE, "without nodes: only after {took:?}");
        ensure!(desk.runs()?.is_empty(), "nothing was started");
        Ok(())
    });
}

#[test]
fn a_program_is_not_started_when_the_grant_comes_after_a_request_to_stop() {
    suite::beside("exec_signal_granting", async {
        let mut cluster = Cluster::start().await?;
        let desk = Desk::open()?;
        let node = cluster.followers().await?[0];
        let pid = cluster.pid(node).await?;
        let other = cluster.followers().await?[1];
        let mut changes = grpc::leases(cluster.api(other))?
            .watch(v1::WatchRequest { name: "desk".into() })
            .await?
            .into_inner();
        let mut next_holder = async || -> Result<Option<String>> {
            let change = timeout(SOON, changes.message()).await.context("no change is told")??;
            Ok(change.context("it has no end")?.lease.context("a change has a lease")?.holder)
        };
        ensure!(next_holder().await?.is_none(), "free at first");

        // A request that had not left when the signal came is never granted; then it is tried again.
        for _ in 0..TRIES {
            // The node takes the request and does not answer; it does when the signal has come.
            cluster.signal_pid(node, pid, Signal::STOP)?;
            let endpoint = [format!("127.0.0.1:{}", cluster.api(node))];
            let mut wrapper = desk.wrap(&endpoint, &["--ttl", "5m"], &desk.bot(Kind::Plain))?;
            wrapper.listens().await?;
            wrapper.signal(Signal::TERM)?;
            cluster.thaw(node)?;
            wrapper.ends_with(75, SOON).await?;
            ensure!(desk.runs()?.is_empty(), "nothing was started");
            // What is told before this one came of the wrapper. That it can be taken says that all was given back.
            let lease =
                cluster.cli().json(&["lease", "acquire", "desk", "--holder", "next", "--ttl", "5m"]).await?;
            let first = next_holder().await?.context("somebody has it")?;
            if first != "next" {
                ensure!(next_holder().await?.is_none(), "given back");
                return Ok(());
            }
            let token = lease["token"].to_string();
            cluster.cli().json(&["lease", "release", "desk", "--holder", "next", "--token", &token]).await?;
            ensure!(next_holder().await?.is_none(), "free again");
        }
        bail!("in {TRIES} tries no request left before the signal came")
    });
}

#[test]
fn a_program_that_is_asked_to_stop_has_its_lease_until_it_does() {
    suite::beside("exec_slow_end", async {
        let cluster = Cluster::start().await?;
        let desk = Desk::open()?;
        // It stops for longer than the lease lasts.
        let mut first = desk.wrap(&cluster.endpoints(), &["--ttl", "5s"], &desk.bot(Kind::Slow))?;
        desk.nth_run(1).await?;
        let mut second = desk.wrap(&cluster.endpoints(), &["--ttl", "5s"], &desk.bot(Kind::Stubborn))?;
        second.says("waiting").await?;
        first.signal(Signal::TERM)?;
        let took = first.ends_with(3, Duration::from_secs(30)).await?;
        ensure!(took >= Duration::from_secs(6), "it ended after {took:?}");
        desk.nth_run(2).await?;

        // This one does not stop by itself: the second request kills.
        second.signal(Signal::TERM)?;
        second.signal(Signal::HUP)?;
        let last = desk.runs()?[1].last;
        wait::until(SOON, "more of the stubborn bot", || async {
            Ok((desk.runs()?[1].last > last + 0.1).then_some(()))
        })
        .await?;
        second.signal(Signal::TERM)?;
        let took = second.ends_with(137, SOON).await?;
        ensure!(took < Duration::from_secs(2) && !desk.is_taken()?, "killed after {took:?}");
        desk.runs()?;
        is_free(&cluster.cli()).await
    });
}

#[test]
fn a_lease_that_is_taken_away_ends_the_program() {
    suite::beside("exec_taken_away", async {
        let cluster = Cluster::start().await?;
        let desk = Desk::open()?;
        let options = ["--ttl", "10s", "--holder", "h"];
        let mut wrapper = desk.wrap(&cluster.endpoints(), &options, &desk.bot(Kind::Parent))?;
        let run = desk.nth_run(1).await?;
        let started = desk.started_by_bots().await?;
        let token = run.token.to_string();
        let cli = cluster.cli();
        cli.json(&["lease", "release", "desk", "--holder", "h", "--token", &token]).await?;
        // A third of the lease until the next renewal, which is refused.
        wrapper.ends_with(76, Duration::from_secs(20)).await?;
        ensure!(wrapper.said()?.contains(r#""reason":"LOST""#), "{}", wrapper.said()?);
        ensure!(!desk.is_taken()?, "what it started ended with it");
        ensure!(
            !process::is_alive(run.pid) && !started.iter().any(|pid| process::is_alive(*pid)),
            "all ended"
        );
        Ok(())
    });
}

#[test]
fn two_programs_at_once_are_seen_by_the_judge() {
    suite::beside("exec_judge", async {
        let desk = Desk::open()?;
        let words = desk.bot(Kind::Plain);
        let start = || Command::new(&words[0]).args(&words[1..]).kill_on_drop(true).spawn();
        let first = start()?;
        desk.nth_run(1).await?;
        ensure!(desk.is_taken()?, "it has the lock");
        let second = start()?;
        wait::until(SOON, "the verdict", || async { Ok(desk.runs().is_err().then_some(())) }).await?;
        drop((first, second));
        Ok(())
    });
}
