//! `tenure config check`: a wrong file is told by what is wrong in it.

use anyhow::ensure;
use tests::cli::Cli;
use tests::suite;

const GOOD: &str = "[node]\nid = 1\ndata = \"data\"\n";

/// What is added to a good file, and what the error must name.
const BAD: [(&str, &[&str]); 13] = [
    ("nonsense = 1", &["nonsense"]),
    ("[nonsense]\na = 1", &["nonsense"]),
    ("[log]\nsegment = \"64Mb\"", &["64Mb", "MiB"]),
    ("[log]\nsegment = \"64MiB\"\nretain = \"64MiB\"", &["log.retain", "log.segment"]),
    ("[raft]\nprofile = \"fast\"", &["fast", "lan"]),
    ("[raft]\nprofile = \"wan\"", &["raft.round_trip"]),
    ("[raft]\nround_trip = \"5 parsecs\"\nprofile = \"wan\"", &["5 parsecs", "400ms"]),
    ("[raft]\nsnapshot_entries = 0", &["raft.snapshot_entries"]),
    ("[raft]\nsnapshot_bytes = \"1KiB\"", &["raft.snapshot_bytes", "1MiB"]),
    ("[listen]\napi = \"7101\"", &["listen.api", "HOST:PORT"]),
    ("[listen]\nredis = \"0.0.0.0:6379\"", &["advertise.redis"]),
    ("[listen]\napi = \"0.0.0.0:7101\"\n[advertise]\napi = \"10.0.0.1:7101\"", &["listen.api", "insecure"]),
    ("[redis]\npassword_file = \"no-such-file\"", &["no-such-file"]),
];

#[test]
fn a_bad_configuration_is_told_by_name() {
    suite::beside("config_check", async {
        let directory = tempfile::tempdir()?;
        let cli = Cli::new(&[]);
        let file = directory.path().join("node.toml");
        let path = file.to_str().expect("a temporary directory has a plain name");
        std::fs::write(&file, GOOD)?;
        let good = cli.run(&["config", "check", path]).await?;
        ensure!(good.code == 0 && good.stdout.contains("ok"), "{good:?}");
        for (more, names) in BAD {
            std::fs::write(&file, format!("{GOOD}{more}"))?;
            let bad = cli.run_json(&["config", "check", path]).await?;
            ensure!(bad.code == 1 && bad.stdout.is_empty(), "{more}: {bad:?}");
            let message = bad.error()?["message"].as_str().unwrap_or_default().to_owned();
            for name in names.iter().chain([&"node.toml"]) {
                // A secret's file is named instead of the file that refers to it.
                let other_file = more.contains("password_file") && *name == "node.toml";
                ensure!(other_file || message.contains(name), "{more}: {name} is not named in {message}");
            }
        }
        let missing = cli.run_json(&["config", "check", "no-such-file.toml"]).await?;
        ensure!(
            missing.code == 1 && missing.error()?["message"].to_string().contains("no-such-file.toml"),
            "{missing:?}"
        );
        Ok(())
    });
}
