//! Where both systems run: the machines, the programs, and a directory that each run begins anew.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::time::{ClockId, clock_gettime};

use super::network::{Network, address};
use crate::run::{root, target};
use crate::{libraries, tools};

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Programs {
    pub(super) tenure: PathBuf,
    pub(super) redis_server: PathBuf,
    pub(super) redis_cli: PathBuf,
    pub(super) python: PathBuf,
    /// What the bots run.
    pub(super) script: PathBuf,
}

pub(super) struct Site {
    pub(super) network: Network,
    pub(super) programs: Programs,
    directory: PathBuf,
}

/// A process of a server or a bot, which ends with this.
pub(super) struct Process {
    child: Child,
    complaints: PathBuf,
    /// Kept for who ends when it is closed.
    stdin: Option<ChildStdin>,
}

impl Programs {
    /// Installs what is not there; the binary must be.
    pub(super) fn install() -> Result<Self> {
        let tools = target().join("tools");
        std::fs::create_dir_all(&tools)?;
        let redis_cli = tools::redis_cli(&tools)?;
        Ok(Self {
            tenure: target().join("release/tenure"),
            redis_server: redis_server(&tools, &redis_cli)?,
            redis_cli,
            python: libraries::python(&tools)?,
            script: root().join("tests/clients/python/partition.py"),
        })
    }
}

/// Debian's redis-tools has the server under another name: what it is called by makes it a server.
fn redis_server(tools: &Path, redis_cli: &Path) -> Result<PathBuf> {
    let server = tools.join("redis-server");
    // It may lead to where redis-tools was.
    let _ = std::fs::remove_file(&server);
    symlink(redis_cli.with_file_name("redis-check-rdb"), &server)?;
    Ok(server)
}

impl Site {
    /// On the machines of a process that is [`super::network::apart`].
    pub(super) fn new() -> Result<Self> {
        let (network, directory) = (Network::lay()?, target().join("demo"));
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        Ok(Self { network, programs: Programs::install()?, directory })
    }

    /// A new directory.
    pub(super) fn directory(&self, name: &str) -> Result<PathBuf> {
        let directory = self.directory.join(name);
        std::fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// Ready to ask a server or a Sentinel of a machine, from there.
    pub(super) fn redis_cli(&self, machine: u8, port: &str) -> Command {
        let mut cli = self.network.on(machine, &self.programs.redis_cli);
        cli.args(["-h", &address(machine), "-p", port]);
        cli
    }
}

impl Process {
    /// Starts it; what it prints goes into `printed`, what it complains of into a file beside that.
    pub(super) fn start(command: &mut Command, printed: &Path) -> Result<Self> {
        let complaints = printed.with_extension("err");
        command.stdin(Stdio::piped()).stdout(File::create(printed)?).stderr(File::create(&complaints)?);
        let mut child =
            command.spawn().with_context(|| format!("{:?} cannot be run", command.get_program()))?;
        let stdin = child.stdin.take();
        Ok(Self { child, complaints, stdin })
    }

    /// Closes its standard input and waits for its end.
    pub(super) fn finish(mut self, within: Duration) -> Result<()> {
        self.stdin = None;
        until(within, "its end", || match self.child.try_wait()? {
            Some(status) if !status.success() => bail!("it ended with {status}"),
            ended => Ok(ended.is_some()),
        })
        .with_context(|| self.complaints.display().to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds of CLOCK_MONOTONIC, as the bots tell time.
pub(super) fn now() -> f64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Waits until it is so.
pub(super) fn until(within: Duration, what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + within;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "no sign of {what} within {within:?}");
        thread::sleep(LOOK);
    }
    Ok(())
}

/// What a program printed, or nothing if it failed: something is waited for that may not be there yet.
pub(super) fn asked(command: &mut Command) -> String {
    let asked = command.output().ok().filter(|asked| asked.status.success());
    asked.map(|asked| String::from_utf8_lossy(&asked.stdout).into_owned()).unwrap_or_default()
}
