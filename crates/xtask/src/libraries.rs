//! Redis libraries of other languages, and clients of exchanges, as `tests/clients` pins them: Python's and Node's below `target/tools`, those that
//! are Debian's packages through apt, the programs in C and Rust compiled below `target/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, quietly, root, target};
use crate::tools::{apt_install, is_root};

/// A Python with the libraries of `python/requirements.txt`.
pub(crate) fn python(tools: &Path) -> Result<PathBuf> {
    environment(&tools.join("venv"), &clients().join("python/requirements.txt"))
}

/// A Python with the clients of exchanges of `venue/requirements.txt`.
pub(crate) fn venue_python(tools: &Path) -> Result<PathBuf> {
    environment(&tools.join("venue-venv"), &clients().join("venue/requirements.txt"))
}

/// A Python in `venv` with what the file `wanted` lists.
fn environment(venv: &Path, wanted: &Path) -> Result<PathBuf> {
    let python = venv.join("bin/python");
    unless_done(venv, &[wanted], || {
        eprintln!("installing {} …", wanted.display());
        if quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv)).is_err() {
            // Debian has it in a package of its own.
            if !is_root() {
                bail!("python3 -m venv does not work; install python3-venv");
            }
            apt_install(&["python3-venv"])?;
            quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
        }
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        quietly(Command::new(&python).args(install).arg(wanted))
    })?;
    Ok(python)
}

/// The directory that holds the libraries of `node/package-lock.json`.
pub(crate) fn node_modules(tools: &Path) -> Result<PathBuf> {
    let directory = tools.join("node");
    let wanted = ["package.json", "package-lock.json"].map(|name| clients().join("node").join(name));
    unless_done(&directory, &[&wanted[0], &wanted[1]], || {
        eprintln!("installing Redis libraries of Node …");
        if quietly(Command::new("node").arg("--version")).is_err() && is_root() {
            apt_install(&["nodejs", "npm"])?;
        }
        std::fs::create_dir_all(&directory)?;
        for file in &wanted {
            std::fs::copy(file, directory.join(file.file_name().context("it is a file")?))?;
        }
        // Two of them do not know yet that they work with the present ioredis.
        let install = ["ci", "--silent", "--no-audit", "--no-fund", "--legacy-peer-deps"];
        quietly(Command::new("npm").args(install).current_dir(&directory))
    })?;
    Ok(directory.join("node_modules"))
}

/// PHP with phpredis, Predis and Symfony's lock.
pub(crate) fn php() -> Result<PathBuf> {
    let packages = ["php-cli", "php-redis", "php-nrk-predis", "php-symfony-lock"];
    let works = "exit(class_exists('Redis') && (include 'Predis/autoload.php') \
                 && (include 'Symfony/Component/Lock/autoload.php') ? 0 : 1);";
    debian("/usr/bin/php", &["-r", works], &packages)
}

/// Ruby with redis-rb.
pub(crate) fn ruby() -> Result<PathBuf> {
    debian("/usr/bin/ruby", &["-r", "redis", "-e", ""], &["ruby", "ruby-redis"])
}

/// The contender in C, with hiredis.
pub(crate) fn hiredis(tools: &Path) -> Result<PathBuf> {
    let (source, program) = (clients().join("c/locks.c"), tools.join("hiredis"));
    let compile =
        || quietly(Command::new("cc").args(["-O1", "-o"]).args([&program, &source]).arg("-lhiredis"));
    if compile().is_err() {
        if !is_root() {
            bail!("hiredis is not there; install libhiredis-dev");
        }
        apt_install(&["libhiredis-dev"])?;
        compile()?;
    }
    Ok(program)
}

/// The contenders in Rust: a workspace of their own, so that nothing of Tenure is built with their dependencies.
pub(crate) fn rust() -> Result<PathBuf> {
    let (source, built) = (clients().join("rust"), target().join("tools/rust"));
    eprintln!("building Redis libraries of Rust …");
    let mut build = cargo();
    build.current_dir(&source).args(["build", "--quiet", "--locked"]).env("CARGO_TARGET_DIR", &built);
    output(&mut build)?;
    Ok(built.join("debug/contender"))
}

fn clients() -> PathBuf {
    root().join("tests/clients")
}

/// A program of Debian's that does something only when all its packages are there.
fn debian(program: &str, works: &[&str], packages: &[&str]) -> Result<PathBuf> {
    let check = || quietly(Command::new(program).args(works));
    if check().is_err() {
        if !is_root() {
            bail!("install {}", packages.join(" "));
        }
        eprintln!("installing {} …", packages.join(", "));
        apt_install(packages)?;
        check()?;
    }
    Ok(program.into())
}

/// Installs into a directory, unless it was done for the same list: a copy of the list there says so, written last.
fn unless_done(directory: &Path, wanted: &[&Path], install: impl Fn() -> Result<()>) -> Result<()> {
    let wanted: Vec<String> = wanted.iter().map(std::fs::read_to_string).collect::<Result<_, _>>()?;
    let (wanted, mark) = (wanted.concat(), directory.join("installed"));
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    install()?;
    Ok(std::fs::write(mark, wanted)?)
}
