//! Foreign programs that the end-to-end tests talk to, installed once: Debian's through apt as root, otherwise
//! unpacked below `target/tools`; Python's and Node's below `target/tools` always ([`crate::libraries`]).
//!
//! Nothing that is missing stops the tests, except in CI: a suite that cannot run is a failure there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::libraries;
use crate::run::{quietly, target};

/// Where the tests find each tool.
const PYTHON: &str = "TENURE_PYTHON";
const VENUE_PYTHON: &str = "TENURE_VENUE_PYTHON";
const NODE_MODULES: &str = "TENURE_NODE_MODULES";
const REDIS_CLI: &str = "TENURE_REDIS_CLI";
const FAKETIME: &str = "TENURE_FAKETIME";
const PHP: &str = "TENURE_PHP";
const RUBY: &str = "TENURE_RUBY";
const HIREDIS: &str = "TENURE_HIREDIS";

/// Installs what is missing, and gives the environment that tells the tests where it is.
pub(crate) fn install() -> Result<Vec<(&'static str, PathBuf)>> {
    let tools = target().join("tools");
    std::fs::create_dir_all(&tools)?;
    let installed = [
        (FAKETIME, faketime(&tools)),
        (REDIS_CLI, redis_cli(&tools)),
        (PYTHON, libraries::python(&tools)),
        (VENUE_PYTHON, libraries::venue_python(&tools)),
        (NODE_MODULES, libraries::node_modules(&tools)),
        (PHP, libraries::php()),
        (RUBY, libraries::ruby()),
        (HIREDIS, libraries::hiredis(&tools)),
    ];
    let mut environment = Vec::new();
    for (variable, path) in installed {
        match path {
            Ok(path) => environment.push((variable, path)),
            Err(error) if is_ci() => return Err(error.context(format!("{variable} is needed in CI"))),
            Err(error) => eprintln!("WARNING: tests that need {variable} are skipped: {error:#}"),
        }
    }
    Ok(environment)
}

pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|ci| ci == "true")
}

fn faketime(tools: &Path) -> Result<PathBuf> {
    debian(tools, "libfaketime", || find(tools, "libfaketime.so.1"))
}

pub(crate) fn redis_cli(tools: &Path) -> Result<PathBuf> {
    debian(tools, "redis-tools", || find(tools, "redis-cli"))
}

/// Unpacked only, also as root: installed, it would be started as a service, beside whatever is measured.
pub(crate) fn etcd() -> Result<PathBuf> {
    let tools = target().join("tools");
    if let Some(path) = find(&tools, "etcd") {
        return Ok(path);
    }
    eprintln!("unpacking etcd-server …");
    let unpacked = unpack(&tools, "etcd-server").or_else(|error| {
        if !is_root() {
            return Err(error);
        }
        // The list of packages may be old or missing.
        apt(&["update"]).and_then(|()| unpack(&tools, "etcd-server"))
    });
    let hint = "etcd is not there; install it (Debian: apt-get install etcd-server)";
    unpacked.context(hint)?;
    find(&tools, "etcd").context(hint)
}

/// A file of a Debian package, installed or unpacked.
fn debian(tools: &Path, package: &str, find: impl Fn() -> Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = find() {
        return Ok(path);
    }
    eprintln!("installing {package} …");
    if is_root() {
        apt_install(&[package])?;
    } else {
        unpack(tools, package)?;
    }
    find().with_context(|| format!("{package} does not hold what it should"))
}

pub(crate) fn is_root() -> bool {
    // No need for a library: the kernel says whose process this is.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_ascii_whitespace().nth(2) == Some("0"))
}

fn apt(arguments: &[&str]) -> Result<()> {
    quietly(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// As root.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    let install = || apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat());
    // The list of packages may be old or missing.
    install().or_else(|_| apt(&["update"]).and_then(|()| install()))
}

/// Without root: the package and what it depends on that is not installed, below `target/tools/debian`.
fn unpack(tools: &Path, package: &str) -> Result<()> {
    let directory = tools.join("debian");
    std::fs::create_dir_all(&directory)?;
    quietly(Command::new("apt-get").args(["download", package]).current_dir(&directory))?;
    for entry in std::fs::read_dir(&directory)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            quietly(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&directory))?;
            std::fs::remove_file(&file)?;
        }
    }
    Ok(())
}

/// A file of this name in the system's places or below `target/tools/debian`.
fn find(tools: &Path, name: &str) -> Option<PathBuf> {
    let unpacked = tools.join("debian");
    let mut places = vec![PathBuf::from("/usr/bin"), unpacked.join("usr/bin")];
    for root in [PathBuf::from("/usr/lib"), unpacked.join("usr/lib")] {
        let Ok(entries) = std::fs::read_dir(&root) else { continue };
        places.extend(entries.flatten().map(|entry| entry.path().join("faketime")));
        places.push(root.join("faketime"));
    }
    places.into_iter().map(|place| place.join(name)).find(|path| path.is_file())
}
