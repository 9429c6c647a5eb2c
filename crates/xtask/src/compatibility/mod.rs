//! `docs/redis-compatibility.md`, made of the table of commands, of Redis's own, and of what `cargo xtask clients` found.
//!
//! `cargo xtask check` compares it with what these give now, `cargo xtask compatibility` and `fix` write it.

mod redis;

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::redis::GROUPS;
use crate::run::root;

const PAGE: &str = "docs/redis-compatibility.md";

/// What `cargo xtask clients` writes.
pub(crate) const RESULTS: &str = "docs/redis-compatibility.json";

const TABLE: &str = "crates/redis/src/command/table.rs";

/// Fewer means that the table is written in another way than [`commands`] reads.
const COMMANDS_MIN: usize = 60;

const TOP: &str = "\
**The three nodes are one endpoint and not three Redlock masters**: they hold the same keys, so a Redlock client that is given
all of them never gets its majority. Give it one address, or several for the same server.

This page is written by `cargo xtask compatibility`. Its commands are those of the table that the nodes use; its clients are those that
`cargo xtask clients` ran, and only what it saw is here.
";

const CLIENTS: &str = "
## Clients and locks

Each library as it comes, without a change, three clients of it at the same time, one at each node. *Steps* were done at each
node with two clients. Then all contend for one lock, which is handed over again and again; six times the leader
is killed (SIGKILL) while one node's client holds: each node in turn, when it is itself the leader and when it is
not. *Held through*: kills during which the holder kept its lock and renewed it afterwards. No two clients ever
believed to hold at the same time, by one clock, and after each kill every client had the lock again. *Errors*
are what the library told its user meanwhile, most of them of a node that was down; the user tried again.

| library | version | steps | handed over | held through | errors |
|---|---|---|---|---|---|
";

const REMARKS: &str = "
aioredlock and rslock give a lock up when they cannot renew it. aioredlock is told here to try longer than a node takes to start;
rslock waits half a second for an answer and no longer, which is less than a failover may take, and then releases the lock and says
so. redlock-py cannot renew; with it a look takes the place of a renewal.

redis-py and ioredis send a `SET NX` again by themselves when the connection breaks. If the first was done, the
second is refused, and nobody holds the lock until its end. This is so with any Redis; a node that is stopped in order
answers first what it has read.
";

const COMMANDS: &str = "
## Commands

By the groups of Redis 7.0. What is refused is answered as Redis answers a command that it does not know, those of
clusters as it answers them without one.

| group | served | refused |
|---|---|---|
";

/// Whether the page says what is true now.
pub(crate) fn is_current() -> Result<bool> {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let is_current = page == write_page()?;
    if !is_current {
        eprintln!(
            "error: {PAGE} is not what {TABLE} and {RESULTS} give; `cargo xtask compatibility` writes it"
        );
    }
    Ok(is_current)
}

pub(crate) fn fix() -> Result<bool> {
    std::fs::write(root().join(PAGE), write_page()?)?;
    Ok(true)
}

/// The commands that are served.
pub(crate) fn served() -> Result<BTreeSet<String>> {
    commands(&std::fs::read_to_string(root().join(TABLE)).context(TABLE)?)
}

/// Redis's group of a command.
pub(crate) fn group(command: &str) -> Option<&'static str> {
    GROUPS.iter().find(|(_, commands)| commands.contains(&command)).map(|(group, _)| *group)
}

fn write_page() -> Result<String> {
    let served = served()?;
    let results = std::fs::read_to_string(root().join(RESULTS)).context(RESULTS)?;
    let results: Value = serde_json::from_str(&results).context(RESULTS)?;
    let mut page = format!("# Redis compatibility\n\n{TOP}{CLIENTS}");
    for result in results.as_array().context("results are a list")? {
        page.push_str(&client(result)?);
    }
    page.push_str(REMARKS);
    page.push_str(COMMANDS);
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for (group, names) in GROUPS {
        let (here, not_here): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| served.contains(**name));
        writeln!(page, "| {group} | {} | {} |", listed(&here), listed(&not_here))?;
        known.extend(names);
    }
    let more: Vec<&str> = served.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
    writeln!(page, "| beyond Redis 7.0 | {} | |", listed(&more))?;
    Ok(page)
}

fn client(result: &Value) -> Result<String> {
    let text = |what: &str| result[what].as_str().with_context(|| format!("{what} of {result}"));
    let count = |what: &str| result[what].as_u64().with_context(|| format!("{what} of {result}"));
    let did = result["did"].as_array().with_context(|| format!("did of {result}"))?;
    let did: Vec<&str> = did.iter().filter_map(Value::as_str).collect();
    let (library, version, did) = (text("library")?, text("version")?, did.join(", "));
    let (kept, kills) = (count("kept_through")?, count("kills")?);
    let (hand_overs, errors) = (count("hand_overs")?, count("errors")?);
    Ok(format!(
        "| {library} | {version} | {did} | {hand_overs} times | {kept} of {kills} kills | {errors} |\n"
    ))
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{}`", name.to_ascii_uppercase())).collect::<Vec<_>>().join(" ")
}

/// The names in the table: the first text of each line of it. What only says that there is no cluster is refused.
fn commands(table: &str) -> Result<BTreeSet<String>> {
    let (_, rest) = table.split_once("static COMMANDS").context("the table of commands has its name")?;
    let (lines, _) = rest.split_once("\n]").context("the table of commands has an end")?;
    let served = lines.lines().filter(|line| !line.contains("cluster_disabled"));
    let names = served.filter_map(|line| Some(line.split_once("(\"")?.1.split_once('"')?.0.to_owned()));
    let names: BTreeSet<String> = names.collect();
    ensure!(names.len() >= COMMANDS_MIN, "{TABLE} is not read: {names:?}");
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() -> Result<()> {
        let rows: String =
            (0..COMMANDS_MIN).map(|row| format!("    read(\"c{row:02}\", 2, X, y),\n")).collect();
        let last =
            "    Spec { z: 1, ..open(\"quit\", -1, q) },\n    server(\"asking\", 1, cluster_disabled),\n";
        let names =
            commands(&format!("x(\"not\", y)\nstatic COMMANDS: &[Spec] = &[\n{rows}{last}];\nx(\"nor\")"))?;
        assert_eq!(names.len(), COMMANDS_MIN + 1);
        assert!(names.contains("quit") && !names.contains("not") && !names.contains("nor"));
        Ok(())
    }

    #[test]
    fn a_table_that_cannot_be_read_is_an_error() {
        assert!(commands("static COMMANDS: &[Spec] = &[\n];\n").is_err());
        assert!(commands("").is_err());
    }
}
