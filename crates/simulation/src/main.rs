//! One run of the simulation: `simulation --seed S`; with `--planted NAME` one of a cluster that has this bug, in a
//! build with the feature `planted`. Ends with 0 if all promises were kept, 1 if one was broken, 3 if too little happened
//! to say, 2 if it cannot be run like that.

use std::process::ExitCode;

use simulation::plan::Plan;
use simulation::run;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (seed, bug) = match arguments[..] {
        ["--seed", seed] => (seed.parse().ok(), None),
        ["--seed", seed, "--planted", bug] => (seed.parse().ok(), Some(bug)),
        _ => (None, None),
    };
    let Some(seed) = seed else {
        eprintln!("simulation --seed S [--planted NAME]");
        return ExitCode::from(2);
    };
    if let Some(Err(error)) = bug.map(plant) {
        eprintln!("{error:#}");
        return ExitCode::from(2);
    }
    log();
    match run::run(Plan::of(seed)) {
        Ok(report) => {
            println!("{}", report.summary);
            for violation in &report.violations {
                eprintln!("{violation}");
            }
            match (report.violations.is_empty(), report.is_conclusive) {
                (false, _) => ExitCode::from(1),
                (true, true) => ExitCode::SUCCESS,
                (true, false) => ExitCode::from(3),
            }
        }
        Err(error) => {
            eprintln!("seed {seed}: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// Set up in a thread of its own: the order of hash maps is drawn a thread, and a run that tells what it does is to be
/// the same run.
fn log() {
    let Ok(filter) = std::env::var("SIMULATION_LOG") else { return };
    let init = move || {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .without_time()
            .with_ansi(false)
            .with_writer(std::io::stderr)
            .init();
    };
    std::thread::spawn(init).join().expect("no other subscriber is set");
}

#[cfg(feature = "planted")]
fn plant(bug: &str) -> anyhow::Result<()> {
    planted::plant(bug.parse()?);
    Ok(())
}

#[cfg(not(feature = "planted"))]
fn plant(_: &str) -> anyhow::Result<()> {
    anyhow::bail!("this build holds no planted bugs: build it with `--features planted`")
}
