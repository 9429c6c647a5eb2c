//! `cargo xtask demo partition`: Redis with Sentinel and Tenure under the same cut, with the same clients, into
//! `docs/partition.svg`.
//!
//! It runs twice: once as it was called, which builds and installs, and then as the first process of namespaces of its own,
//! where the machines are ([`network`]).

mod judge;
mod network;
mod picture;
mod redis;
mod report;
mod site;
mod tenure;
mod trial;

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use self::site::{Programs, Site};
use self::trial::Trial;
use crate::run::{cargo, output, root, succeeds, target};

const PICTURE: &str = "docs/partition.svg";

/// What calls it the second time.
pub(crate) const INSIDE: &str = "--inside";

/// Twice as long as it takes. Whatever hangs, the machines are gone after that.
const TAKES_MAX: Duration = Duration::from_secs(240);

pub(crate) fn partition() -> Result<bool> {
    network::check()?;
    ensure!(succeeds(cargo().args(["build", "--release", "--package", "tenure"]))?, "it does not compile");
    Programs::install()?;
    succeeds(network::apart(&std::env::current_exe()?).args(["demo", "partition", INSIDE]))
}

/// On machines of its own.
pub(crate) fn inside() -> Result<bool> {
    thread::spawn(|| {
        thread::sleep(TAKES_MAX);
        eprintln!("xtask: not done after {TAKES_MAX:?}");
        std::process::exit(1);
    });
    let site = Site::new()?;
    let trials = [trial::run(&site, redis::start)?, trial::run(&site, tenure::start)?];
    tell(&trials)?;
    let [_, tenure] = &trials;
    Ok(tenure.verdict.is_clean() && tenure.verdict.is_conclusive())
}

/// In words and as the picture.
fn tell(trials: &[Trial]) -> Result<()> {
    let seconds = trial::CUT.as_secs();
    let title = format!(
        "One lock, three machines. For {seconds} s machine 1 is cut off, and with it the leader and bot A"
    );
    let date = output(Command::new("date").args(["-u", "+%F"]))?;
    let mut below =
        vec![format!("cargo xtask demo partition, {}, redis-py {}", date.trim(), trials[0].redis_py)];
    below.extend(trials.iter().map(|trial| format!("{}: {}", trial.system, trial.settings)));
    println!("\n{title}\n\n{}\n{}", report::table(trials), below.join("\n"));
    for trial in trials.iter().filter(|trial| !trial.verdict.is_conclusive()) {
        println!("{}: inconclusive, because no bot of the other side took over in time", trial.system);
    }
    let printed = target().join("demo");
    let picture = match trials.iter().all(|trial| trial.verdict.is_conclusive()) {
        true => root().join(PICTURE),
        false => printed.join("inconclusive.svg"),
    };
    std::fs::write(&picture, picture::draw(trials, &title, &below)?)?;
    println!("{} shows it; what the bots and servers printed is in {}", picture.display(), printed.display());
    Ok(())
}
