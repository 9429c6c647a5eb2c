//! Bots: processes of the script that README.md shows, unchanged, which want one lease. Each is started again when it ends,
//! as a supervisor would.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::sleep;

pub const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bot.py");

/// Between the end of one and its next start.
const RESTART_AFTER: Duration = Duration::from_millis(300);

/// What each process said last, by its id.
type LastWords = Arc<Mutex<BTreeMap<u32, String>>>;

/// They run until this is stopped or dropped.
pub struct Bots {
    keepers: JoinSet<Result<()>>,
    last_words: LastWords,
}

/// Where one of them runs again and again.
struct Place {
    python: OsString,
    base_port: u16,
    /// What each process says, numbered.
    log: PathBuf,
}

impl Bots {
    /// So many of them, for the nodes and the exchange of a `tenure dev`; what they say goes to files in `directory`.
    pub fn start(python: &OsStr, base_port: u16, count: usize, directory: &Path) -> Result<Self> {
        let last_words = LastWords::default();
        let mut keepers = JoinSet::new();
        for number in 1..=count {
            let log = directory.join(format!("bot{number}"));
            let place = Place { python: python.to_owned(), base_port, log };
            let first = place.launch(0)?;
            keepers.spawn(place.keep(first, last_words.clone()));
        }
        Ok(Self { keepers, last_words })
    }

    /// Kills them all, and starts none again.
    pub async fn stop(&mut self) {
        self.keepers.shutdown().await;
    }

    /// What a process said last, if it has ended.
    pub fn last_words(&self, pid: u32) -> Option<String> {
        self.last_words.lock().unwrap_or_else(PoisonError::into_inner).get(&pid).cloned()
    }

    /// How many have ended with these words.
    pub fn ended_with(&self, words: &str) -> usize {
        let ended = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        ended.values().filter(|said| said.contains(words)).count()
    }
}

impl Place {
    async fn keep(self, mut bot: Child, last_words: LastWords) -> Result<()> {
        for number in 1.. {
            let pid = bot.id().context("it was just started")?;
            bot.wait().await?;
            let said = std::fs::read_to_string(self.log_of(number - 1))?;
            let last = said.lines().last().unwrap_or_default().to_owned();
            last_words.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, last);
            sleep(RESTART_AFTER).await;
            bot = self.launch(number)?;
        }
        Ok(())
    }

    fn launch(&self, number: usize) -> Result<Child> {
        let log = std::fs::File::create(self.log_of(number))?;
        let mut command = Command::new(&self.python);
        // Into a file, where nobody sees the end of a buffer: what it says last must be last there.
        command.env("PYTHONUNBUFFERED", "1").arg(SCRIPT).arg(self.base_port.to_string());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        command.spawn().with_context(|| format!("{command:?} cannot be run"))
    }

    fn log_of(&self, number: usize) -> PathBuf {
        self.log.with_extension(format!("{number}.log"))
    }
}
