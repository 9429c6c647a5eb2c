//! One flipped bit in a file of each kind, under a node that is down: it comes back whole, or it refuses and names the
//! file. The state store is a cache: it is made anew, at the second start at the latest.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use tests::chance::Chance;
use tests::{resp, wait};

use super::cuts::names;
use super::site::{NODES, Site};
use crate::beside::status::digests_agree;

/// From the start to a refusal or to an answer.
const DECIDES_WITHIN: Duration = Duration::from_secs(20);

/// What a file is to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Log,
    Snapshot,
    History,
    Identity,
    State,
}

const KINDS: [Kind; 5] = [Kind::Log, Kind::Snapshot, Kind::History, Kind::Identity, Kind::State];

/// A bit that is the other one now.
struct Flip {
    file: PathBuf,
    offset: u64,
    was: u8,
    is: u8,
}

/// Flips one bit of each kind and gives what came of it.
pub(super) async fn flip(site: &mut Site, chance: &mut Chance) -> Result<Value> {
    let mut figures = Map::new();
    for kind in KINDS {
        let node = 1 + chance.below(NODES.len() as u64);
        site.ready().await?;
        site.stop(node).await?;
        let flip = Flip::of(kind, &site.data(node), chance).with_context(|| format!("{kind:?}"))?;
        let name = flip.file.strip_prefix(site.data(node))?.display().to_string();
        let what =
            format!("{name} of node {node}, byte {}: {:#04x} for {:#04x}", flip.offset, flip.is, flip.was);
        let became = start(site, node, kind, &flip).await.with_context(|| what.clone())?;
        eprintln!("{what}: {became}");
        flip.put_back()?;
        if became == "refused" {
            site.start(&[node]).await?;
        }
        site.ready().await?;
        figures.insert(format!("{kind:?}").to_lowercase(), json!({ "file": name, "became": became }));
    }
    Ok(figures.into())
}

async fn start(site: &mut Site, node: u64, kind: Kind, flip: &Flip) -> Result<&'static str> {
    let said_before = site.log(node)?.len();
    site.launch(node)?;
    if runs(site, node).await? {
        // Each byte of these is under a checksum that a start reads.
        ensure!(!matches!(kind, Kind::Log | Kind::Identity), "the damage was not seen");
        whole(site).await?;
        return Ok("whole");
    }
    site.stop(node).await?;
    if kind == Kind::State {
        site.start(&[node]).await.context("the second start")?;
        whole(site).await?;
        return Ok("whole at the second start");
    }
    let log = site.log(node)?;
    let said = &log[said_before..];
    ensure!(said.contains(&flip.file.display().to_string()), "it refused without naming the file: {said}");
    Ok("refused")
}

/// Whether it has come back; otherwise it has ended.
async fn runs(site: &mut Site, node: u64) -> Result<bool> {
    let deadline = tokio::time::Instant::now() + DECIDES_WITHIN;
    while tokio::time::Instant::now() < deadline {
        if site.has_ended(node)? {
            return Ok(false);
        }
        if site.status(node).await.is_ok() {
            return Ok(true);
        }
    }
    bail!("neither an answer nor an end within {DECIDES_WITHIN:?}")
}

/// Its state is that of the others, at a place of the log that comes after its return.
async fn whole(site: &Site) -> Result<()> {
    let applied = site.ready().await?.nodes.iter().filter_map(|node| node.applied).max().context("a node")?;
    wait::until(Duration::from_secs(60), "a common digest after its return", || async {
        // A checkpoint comes some time after something has happened.
        resp::ask(site.redis_port(1), &["INCR", "flips"]).await?;
        let agreed = digests_agree(&site.cli()).await?;
        Ok((agreed > applied).then_some(()))
    })
    .await
}

impl Flip {
    /// Of the bytes that are not zero: most of a log is room for what comes.
    fn of(kind: Kind, data: &Path, chance: &mut Chance) -> Result<Self> {
        let file = match kind {
            // Not the last one, which may be empty.
            Kind::Log => in_order(data, "wal")?.into_iter().rev().nth(1),
            Kind::Snapshot => in_order(data, "snap")?.pop(),
            Kind::History => in_order(data, "history")?.pop(),
            Kind::Identity => Some(data.join("IDENTITY")),
            Kind::State => Some(data.join("sled/db")),
        };
        let file = file.context("no such file")?;
        let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        ensure!(!written.is_empty(), "{} is empty", file.display());
        let at = written[usize::try_from(chance.below(written.len() as u64))?];
        let (was, is) = (bytes[at], bytes[at] ^ (1 << chance.below(8)));
        let flip = Self { file, offset: at as u64, was, is };
        flip.write(flip.is)?;
        Ok(flip)
    }

    /// Unless the node has written the file anew.
    fn put_back(&self) -> Result<()> {
        let Ok(bytes) = std::fs::read(&self.file) else { return Ok(()) };
        if bytes.get(usize::try_from(self.offset)?) == Some(&self.is) {
            self.write(self.was)?;
        }
        Ok(())
    }

    fn write(&self, byte: u8) -> Result<()> {
        let file = std::fs::File::options().write(true).open(&self.file)?;
        file.write_all_at(&[byte], self.offset)?;
        Ok(file.sync_all()?)
    }
}

/// Files of a directory in the order of the numbers in their names.
fn in_order(data: &Path, directory: &str) -> Result<Vec<PathBuf>> {
    let directory = data.join(directory);
    let mut names = names(&directory)?;
    names.sort_by_cached_key(|name| {
        let numbers = name.split(|letter: char| !letter.is_ascii_digit());
        numbers.filter_map(|number| number.parse().ok()).collect::<Vec<u128>>()
    });
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}
