//! A redis-server, unmodified: what replies and clients are compared with.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::net::UnixStream;

use crate::wait;

const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// It listens on a socket in a directory of its own, keeps nothing, and ends with this.
pub struct RedisServer {
    child: Child,
    directory: TempDir,
}

impl RedisServer {
    /// `cli`: where redis-cli is. Debian's package has the server beside it, under another name: what it is called by
    /// makes it a server.
    pub async fn start(cli: &Path) -> Result<Self> {
        Self::start_at(cli, 0, &[]).await
    }

    /// Also on a port, and with options of its own.
    pub async fn start_at(cli: &Path, port: u16, options: &[&str]) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("tenure-redis-").tempdir()?;
        let mut command = Command::new(cli.with_file_name("redis-check-rdb"));
        command.arg0("redis-server").args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--port").arg(port.to_string()).args(options);
        command.arg("--unixsocket").arg(directory.path().join("socket"));
        command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let server = Self { child: command.spawn().context("redis-server cannot be started")?, directory };
        wait::until(STARTS_WITHIN, "the redis-server", || async { Ok(server.connect().await.ok()) }).await?;
        Ok(server)
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    pub async fn connect(&self) -> Result<UnixStream> {
        Ok(UnixStream::connect(self.socket()).await?)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
