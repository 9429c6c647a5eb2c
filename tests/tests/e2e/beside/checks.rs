//! `tenure check …`, completions, and what every command shares.

use anyhow::ensure;
use rustix::process::Signal;
use tests::cli::Cli;
use tests::cluster::{Cluster, Options};
use tests::suite;

#[test]
fn checks_answer_with_the_codes_of_monitors() {
    suite::beside("checks", async {
        let mut cluster = Cluster::start_with(Options { no_restart: true, ..Options::default() }).await?;
        let cli = cluster.cli();
        for (check, code) in [("health", 0), ("quorum", 0)] {
            let ran = cli.run_json(&["check", check]).await?;
            ensure!(ran.code == code && ran.json()?["status"] == "ok", "{ran:?}");
        }
        let lease = ["check", "lease", "desk"];
        ensure!(cli.run(&lease).await?.code == 2, "a free lease is critical");
        cli.json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;
        ensure!(cli.run(&lease).await?.code == 0, "a held lease is ok");
        ensure!(cli.run(&["check", "lease", "desk", "--holder", "bob"]).await?.code == 2, "held by another");

        let followers = cluster.followers().await?;
        cluster.signal(followers[0], Signal::KILL).await?;
        let one_down = cli.run(&["check", "quorum"]).await?;
        ensure!(one_down.code == 1 && one_down.stdout.contains("WARNING"), "{one_down:?}");
        ensure!(cli.run(&["check", "health"]).await?.code == 1, "a node is down");
        cluster.signal(followers[1], Signal::KILL).await?;
        ensure!(cli.run(&["check", "quorum"]).await?.code == 2, "no quorum is critical");
        ensure!(cli.run(&["check", "health"]).await?.code == 2, "no quorum is critical");
        ensure!(cli.run(&lease).await?.code == 3, "nobody can say");
        Ok(())
    });
}

#[test]
fn a_wrong_command_is_told_as_usage() {
    suite::beside("usage", async {
        let cli = Cli::new(&["127.0.0.1:1".into()]);
        for wrong in
            [&["lease", "get"][..], &["lease", "acquire", "x"], &["nonsense"], &["status", "--nonsense"]]
        {
            let ran = cli.run(wrong).await?;
            ensure!(ran.code == 2 && ran.stdout.is_empty() && !ran.stderr.is_empty(), "{wrong:?}: {ran:?}");
        }
        let bad = cli.run_json(&["--endpoints", "not an address", "lease", "get", "x"]).await?;
        bad.expect(2, "USAGE")?;
        let ran = cli.run_json(&["lease", "get", "x"]).await?;
        ran.expect(5, "UNREACHABLE")?;
        Ok(())
    });
}

#[test]
fn a_wrong_command_is_told_as_json_where_json_was_asked_for() {
    suite::beside("usage_json", async {
        let cli = Cli::new(&["127.0.0.1:1".into()]);
        for wrong in [&["lease", "get"][..], &["nonsense"], &["lease", "acquire", "x", "--ttl", "soon"]] {
            cli.run_json(wrong).await?.expect(2, "USAGE")?;
        }
        Ok(())
    });
}

#[test]
fn completions_are_made_for_every_shell() {
    suite::beside("completion", async {
        let cli = Cli::new(&[]);
        for shell in ["bash", "zsh", "fish"] {
            let ran = cli.run(&["completion", shell]).await?;
            ensure!(
                ran.code == 0 && ran.stdout.contains("tenure") && ran.stderr.is_empty(),
                "{shell}: {ran:?}"
            );
        }
        Ok(())
    });
}
