//! The guard: starts the program when it is told that the lease is held, and ends it in time, whatever becomes of the
//! keeper. It asks no node and waits for nothing but its line, its clock and the program.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};
use tokio::signal::unix::{SignalKind, signal};

use super::custody::{Custody, Deed};
use super::line::{Ended, Line, Order, hand_over, take_over};
use super::moment::{Alarm, Moment};
use super::stops::Stops;
use super::{Guard, family};
use crate::failure::{Exit, Failure};
use crate::output::Format;
use crate::world;

/// This very binary, also after another was put in its place while it waited for the lease.
const SELF: &str = "/proc/self/exe";

/// The hidden subcommand.
const VERB: &str = "lease-guard";

/// Starts a guard, and returns the line to it. What the keeper reads as standard input is the program's.
pub fn start(command: &[OsString], format: Format, environment: &[(&str, String)]) -> io::Result<Line> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut guard = Command::new(SELF);
    guard.arg0("tenure").args(["--output", if format.is_json() { "json" } else { "table" }]).arg(VERB);
    guard.arg("--").args(command).envs(environment.iter().map(|(name, value)| (name, value)));
    // In a group of its own: what a terminal sends to the keeper is the keeper's to judge.
    guard.stdin(OwnedFd::from(theirs)).process_group(0);
    guard.spawn()?;
    // Our copy of its end would keep the line open after its death.
    drop(guard);
    let stdin = io::stdin();
    if stdin.is_terminal() {
        // A program in the background that reads from a terminal is stopped by the kernel.
        hand_over(&ours, std::fs::File::open("/dev/null")?.as_fd())?;
    } else {
        hand_over(&ours, stdin.as_fd())?;
    }
    Line::over(ours)
}

pub fn run(guard: &Guard, format: Format) -> Result<ExitCode> {
    if let Some(parent) = guard.end_with {
        world::end_with_parent(parent)?;
        return Err(become_program(&guard.command).into());
    }
    // Not the name of the link that it was started by.
    rustix::thread::set_name(c"tenure")?;
    // One thread: the program ends with the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(&guard.command, format))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns only if that cannot be done.
fn become_program(command: &[OsString]) -> Failure {
    let program = &command[0];
    let error = Command::new(program).args(&command[1..]).exec();
    let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NoSuchProgram } else { Exit::CannotBeRun };
    let message = format!("{} cannot be run: {error}", program.to_string_lossy());
    Failure::new(exit, "COMMAND", message, "give the program's path: tenure lease exec NAME -- /path/to/bot")
}

async fn watch(command: &[OsString], format: Format) -> Result<()> {
    // A service manager signals every process of a service; which of them means the program, the keeper decides. They are
    // caught, not ignored: a program would inherit that.
    let _deaf = Stops::listen()?;
    let mut ended = signal(SignalKind::child())?;
    family::adopt_orphans()?;
    let alarm = Alarm::new()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let stdin = take_over(&socket).context("only `tenure lease exec` starts this")?;
    let mut line = Line::over(socket)?;

    // A keeper that is gone by now, or that was stopped for too long, has nothing started.
    let Some(Order::Hold(leash)) = line.next().await else { return Ok(()) };
    let mut custody = Custody::under(leash);
    if custody.due(Moment::now()).is_some() {
        return Ok(line.tell(&Ended { code: 0, overdue: true })?);
    }
    let program = spawn(command, stdin, format)?;
    let mut overdue = false;
    let mut has_keeper = true;
    loop {
        if let Some(at) = custody.wakes_at() {
            alarm.set(at)?;
        }
        let deed = tokio::select! {
            biased;
            rang = alarm.rings() => {
                rang?;
                let deed = custody.due(Moment::now());
                overdue |= deed.is_some();
                deed
            }
            _ = ended.recv() => {
                if family::has_ended(program)? {
                    break;
                }
                family::bury_adopted(program)?;
                None
            }
            order = line.next(), if has_keeper => match order {
                Some(Order::Hold(leash)) => {
                    custody.renewed(leash);
                    None
                }
                Some(Order::Signal(number)) => {
                    if let Some(signal) = Signal::from_named_raw(number) {
                        family::signal_group(program, signal)?;
                    }
                    None
                }
                Some(Order::Stop) => custody.stop(Moment::now()),
                Some(Order::Kill) => custody.kill(),
                None => {
                    has_keeper = false;
                    custody.stop(Moment::now())
                }
            },
        };
        match deed {
            None => {}
            Some(Deed::Stop) => {
                family::signal_group(program, Signal::TERM)?;
                // One that was stopped would not notice.
                family::signal_group(program, Signal::CONT)?;
            }
            Some(Deed::Kill) => break,
        }
    }
    let status = family::end_all(Some(program))?.context("the program was waited for by another")?;
    if has_keeper {
        // It may be gone by now.
        let _ = line.tell(&Ended { code: family::code_of(status), overdue });
    }
    Ok(())
}

/// Starts the program in a group of its own, through a process that sees to it that it ends with this one.
fn spawn(command: &[OsString], stdin: OwnedFd, format: Format) -> Result<Pid> {
    let mut program = Command::new(SELF);
    program.arg0("tenure").args(["--output", if format.is_json() { "json" } else { "table" }]).arg(VERB);
    program.args(["--end-with", &std::process::id().to_string()]).arg("--").args(command);
    let child = program.stdin(Stdio::from(stdin)).process_group(0).spawn()?;
    Pid::from_raw(i32::try_from(child.id())?).context("no process has the id 0")
}
