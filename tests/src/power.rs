//! Disks whose power can be cut: an ext4 each, in a file on a loop device, shut down by its own ioctl.
//!
//! From the cut on every call that touches the disk fails and nothing more reaches the file: no page that nobody synced,
//! no journal that was not committed. Mounting it again replays the journal, as a machine does that gets its power back.
//! What the kernel had written before the cut stays, of its own accord or past the page cache, asked to be durable or not;
//! that a real disk may forget this, too, is what `store`'s own `FaultyDisk` is for.
//!
//! Invariants: a disk is unmounted with its end, and with it its loop device goes; what an earlier run left mounted when
//! it was killed is cleared away by the next one. Needs root.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::{suite, wait};

/// Begins the name of a place, followed by the id of the process that it belongs to.
const PREFIX: &str = "tenure-power-";

/// In a place that is in use. One that was kept after a failure has none and is left alone.
const IN_USE: &str = "in-use";

/// `mount`, `umount` and `mkfs.ext4` take a tenth of a second each.
const COMMAND_WITHIN: Duration = Duration::from_secs(20);

/// The kernel lets go of a disk only after the last thread of a process that was killed, and of its loop device a moment
/// after that.
const FREE_WITHIN: Duration = Duration::from_secs(10);

/// EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH (fs/ext4/ext4.h). A system call of our own would need `unsafe`,
/// which the workspace forbids; and this process is there already when the moment comes.
const SWITCH: &str = r#"
import fcntl, os, struct, sys
for line in sys.stdin:
    disks = [os.open(path, os.O_RDONLY) for path in line.rstrip("\n").split("\t")]
    for disk in disks:
        fcntl.ioctl(disk, 0x8004587D, struct.pack("I", 2))
    for disk in disks:
        os.close(disk)
    print("off", flush=True)
"#;

/// A directory for disks and logs. It stays after a failure of the test, as [`suite::used`] has it.
pub struct Place(Option<TempDir>);

/// One file system, mounted but for the time between two of its lives.
pub struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

/// What cuts the power, of several disks in the same moment.
pub struct Switch {
    process: Child,
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Place {
    /// A new one, after clearing away what killed runs have left mounted.
    pub fn claim() -> Result<Self> {
        clear_leftovers()?;
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let place = Self(Some(tempfile::Builder::new().prefix(&prefix).tempdir()?));
        std::fs::write(place.path().join(IN_USE), [])?;
        Ok(place)
    }

    pub fn path(&self) -> &Path {
        self.0.as_ref().map(TempDir::path).expect("it is taken only at the end")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(directory) = self.0.take() {
            // If this fails, the next run takes it for one that was killed.
            let _ = std::fs::remove_file(directory.path().join(IN_USE));
            suite::used(directory);
        }
    }
}

impl Disk {
    /// Makes and mounts an empty disk.
    pub async fn make(place: &Place, name: &str, bytes: u64) -> Result<Self> {
        let image = place.path().join(format!("{name}.img"));
        let mount = place.path().join(name);
        std::fs::File::create_new(&image)?.set_len(bytes)?;
        std::fs::create_dir(&mount)?;
        run(Command::new("mkfs.ext4").arg("-q").arg("-F").arg(&image)).await?;
        let disk = Self { image, mount };
        disk.mount().await?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Gives it power again after a cut, which replays its journal. Whoever used it must have ended.
    pub async fn restore(&self) -> Result<()> {
        wait::until(FREE_WITHIN, "a disk that nobody uses", || async {
            run(Command::new("umount").arg(&self.mount)).await.map(Some)
        })
        .await?;
        self.mount().await
    }

    async fn mount(&self) -> Result<()> {
        // The loop device goes by itself with the mount. Nothing but the test is to write: not the initialisation of
        // inode tables that a new ext4 puts off.
        let options = "loop,nodev,nosuid,noinit_itable";
        wait::until(FREE_WITHIN, "a mounted disk", || async {
            run(Command::new("mount").args(["-o", options]).arg(&self.image).arg(&self.mount)).await.map(Some)
        })
        .await
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let deadline = Instant::now() + FREE_WITHIN;
        while is_mounted(&self.mount) && !umount(&[], &self.mount) {
            if Instant::now() > deadline {
                eprintln!("{} is still in use; it is unmounted when that ends", self.mount.display());
                umount(&["-l"], &self.mount);
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Switch {
    pub fn new() -> Result<Self> {
        let mut python = Command::new("python3");
        python.args(["-c", SWITCH]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = python.spawn().context("python3 cannot be started")?;
        let stdin = process.stdin.take().context("standard input was asked for")?;
        let stdout = process.stdout.take().context("standard output was asked for")?;
        Ok(Self { process, stdin, answers: BufReader::new(stdout).lines() })
    }

    /// Cuts the power of these disks.
    pub async fn cut(&mut self, disks: &[&Disk]) -> Result<()> {
        let paths: Vec<_> = disks.iter().map(|disk| disk.path().display().to_string()).collect();
        self.stdin.write_all(format!("{}\n", paths.join("\t")).as_bytes()).await?;
        let answer = timeout(COMMAND_WITHIN, self.answers.next_line()).await;
        let answer = answer.context("the power is not cut")??;
        ensure!(answer.is_some(), "the power cannot be cut: {:?}", self.process.wait().await);
        Ok(())
    }
}

/// Unmounts and removes what runs have left that were killed, each told by the process id in its name.
fn clear_leftovers() -> Result<()> {
    for entry in std::fs::read_dir(std::env::temp_dir())? {
        let place = entry?.path();
        let Some(owner) = owner(&place).filter(|_| place.join(IN_USE).exists()) else { continue };
        if owner == std::process::id() {
            continue;
        }
        if Path::new("/proc").join(owner.to_string()).exists() {
            bail!("process {owner} uses {}; another run is going on", place.display());
        }
        eprintln!("{} was left by a run that was killed; it is cleared away", place.display());
        for mount in mounts().iter().filter(|mount| mount.starts_with(&place)) {
            ensure!(umount(&["-l"], mount), "{} cannot be unmounted", mount.display());
        }
        std::fs::remove_dir_all(&place)?;
    }
    Ok(())
}

/// The process that a place belongs to, by its name.
fn owner(place: &Path) -> Option<u32> {
    let name = place.file_name()?.to_str()?;
    let (owner, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    owner.parse().ok()
}

fn mounts() -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from).collect()
}

fn is_mounted(mount: &Path) -> bool {
    mounts().iter().any(|other| other == mount)
}

/// For where nobody can await.
fn umount(options: &[&str], mount: &Path) -> bool {
    let mut command = std::process::Command::new("umount");
    let output = command.args(options).arg(mount).output();
    output.is_ok_and(|output| output.status.success())
}

async fn run(command: &mut Command) -> Result<()> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = timeout(COMMAND_WITHIN, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    let output = output.with_context(|| format!("{program} hangs"))?;
    let output = output.with_context(|| format!("{program} cannot be run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} ended with {}: {}", output.status, said.trim());
    Ok(())
}
