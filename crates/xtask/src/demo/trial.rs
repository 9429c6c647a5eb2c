//! One system, three bots, one cut.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::zip;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::judge::{self, Bot, Verdict};
use super::network::{MACHINES, address};
use super::site::{Process, Site, asked, now, until};

/// On each machine one; the first of them holds the lock first.
const BOTS: [&str; 3] = ["A", "B", "C"];

/// The machine of the first bot, and of the leader.
const CUT_OFF: u8 = 1;

/// All is well for so long, then it is cut off for, and then watched for.
const BEFORE: Duration = Duration::from_secs(5);
pub(super) const CUT: Duration = Duration::from_secs(20);
const AFTER: Duration = Duration::from_secs(15);

const LEADS_WITHIN: Duration = Duration::from_secs(15);
const LEAVES_WITHIN: Duration = Duration::from_secs(10);
const READS_WITHIN: Duration = Duration::from_secs(20);

/// What is tried.
pub(super) struct System {
    /// With its version.
    pub(super) name: String,
    pub(super) settings: &'static str,
    /// Its own.
    pub(super) directory: PathBuf,
    pub(super) processes: Vec<Process>,
}

/// What came of it.
pub(super) struct Trial {
    pub(super) system: String,
    pub(super) settings: &'static str,
    pub(super) redis_py: String,
    pub(super) verdict: Verdict,
}

pub(super) fn run(site: &Site, start: fn(&Site) -> Result<System>) -> Result<Trial> {
    let System { name, settings, directory, processes } = start(site)?;
    let printed = |bot: &str| directory.join(format!("{bot}.jsonl"));
    let mut bots = Vec::new();
    for (machine, bot) in zip(MACHINES, BOTS) {
        bots.push(lead(site, machine, bot, &printed(bot))?);
        has_printed(&printed(bot), if machine == CUT_OFF { "took" } else { "refused" })?;
    }
    eprintln!("{name}: bot A holds the lock; {BEFORE:?} until the cut");
    thread::sleep(BEFORE);
    let leader = asked(site.redis_cli(2, "26379").args(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]));
    ensure!(leader.lines().next() == Some(&address(CUT_OFF)), "another leads before the cut: {leader}");
    let cut = now();
    site.network.cut(CUT_OFF)?;
    eprintln!("{name}: machine 1 is cut off for {CUT:?}");
    thread::sleep(CUT);
    site.network.heal(CUT_OFF)?;
    let healed = now();
    eprintln!("{name}: machine 1 is back; {AFTER:?} more");
    thread::sleep(AFTER);
    let ended = now();
    bots.into_iter().try_for_each(|bot| bot.finish(LEAVES_WITHIN))?;
    let read: Vec<Bot> = BOTS.iter().map(|bot| read_bot(&printed(bot), cut)).collect::<Result<_>>()?;
    let found = read_back(site, &read, &directory.join("found.jsonl"))?;
    drop(processes);
    Ok(Trial {
        system: name,
        settings,
        redis_py: read[0].redis_py.clone(),
        verdict: judge::judge(&read, &found, healed - cut, ended - cut),
    })
}

fn lead(site: &Site, machine: u8, name: &str, printed: &Path) -> Result<Process> {
    let mut bot = site.network.on(machine, &site.programs.python);
    bot.arg(&site.programs.script).args(["lead", name, &sentinels()]);
    Process::start(&mut bot, printed)
}

/// Which of the orders that the bots may have written are there, as a bot on the second machine reads them.
fn read_back(site: &Site, bots: &[Bot], printed: &Path) -> Result<BTreeMap<String, BTreeSet<u64>>> {
    let mut reader = site.network.on(2, &site.programs.python);
    reader.arg(&site.programs.script).args(["read", &sentinels()]);
    for bot in bots {
        let last = bot.orders.iter().map(|order| order.number).max().unwrap_or(0);
        reader.args([bot.name.clone(), last.to_string()]);
    }
    Process::start(&mut reader, printed)?.finish(READS_WITHIN)?;
    judge::read_found(&std::fs::read_to_string(printed)?)
}

fn read_bot(printed: &Path, cut: f64) -> Result<Bot> {
    let text = std::fs::read_to_string(printed)?;
    judge::read_bot(&text, cut).with_context(|| printed.display().to_string())
}

fn has_printed(file: &Path, what: &str) -> Result<()> {
    let what = format!("{{\"{what}\"");
    until(LEADS_WITHIN, &format!("{what} in {}", file.display()), || {
        Ok(std::fs::read_to_string(file)?.contains(&what))
    })
}

fn sentinels() -> String {
    MACHINES.map(address).join(",")
}
