//! `cargo xtask suites …`: tests that nobody here wrote, fetched and run from the build directory, against three nodes of
//! `tenure dev`. Nothing of them is kept in the repository.
//!
//! What a suite asks of a server that Tenure is not, as a save to disk or a replica, is left out as the suite itself lets
//! one leave it out. Whoever changes the Redis protocol runs them before and after.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cases::Cases;
use crate::compatibility;
use crate::run::{cargo, quietly, succeeds, target};

/// Of the nodes' ports.
const BASE_PORT: u16 = 9300;

/// The version whose source holds the tests, as `tests/clients/python/requirements.txt` has it.
const REDIS_PY: &str = "redis==8.1.0";

/// Debian's source package of Redis 7.0.15.
const REDIS: &str = "redis";

/// What the Tcl suite passes, less than a dozen whose hashes, drawn by chance, are or are not longer than a value may be;
/// fewer is a step back.
const TCL_PASSES_MIN: usize = 380;

/// Where resp-compatibility has its cases.
const CASES: &str = "cts.json";

const TCL_UNITS: [&str; 10] = [
    "unit/type/string",
    "unit/type/incr",
    "unit/expire",
    "unit/keyspace",
    "unit/scripting",
    "unit/multi",
    "unit/pubsub",
    "unit/protocol",
    "unit/quit",
    "unit/type/hash",
];

const TCL_TAGS: &str =
    "-needs:debug -needs:repl -needs:config-maxmemory -needs:config-resetstat -needs:reset -needs:save -slow";

/// Tests of commands that are refused or beyond the limits, and those that then leave the harness's connection between
/// MULTI and EXEC, or the server busy.
const TCL_SKIP: &str = "/COPY
/SORT
/XADD
/XRANGE
/stream
/ACL
/script timeout
/SAVE
/SHUTDOWN
/MEMORY
/cmsgpack
/LCS
/Timedout
/Very big payload
/test large number of args
/MULTI where commands alter argc
/Script return recursive object
";

/// A unit that hangs has met a command that is missing.
const TCL_UNIT_SECONDS: &str = "300";

pub(crate) fn all() -> Result<bool> {
    Ok(redis_py()? & tcl()?)
}

/// redis-py's own tests of its lock, both protocols, at each node.
pub(crate) fn redis_py() -> Result<bool> {
    let directory = directory("redis-py")?;
    let tests = directory.join("source/tests");
    let python = directory.join("venv/bin/python");
    if !tests.is_dir() {
        eprintln!("fetching the tests of redis-py …");
        venv(&directory, &[REDIS_PY, "pytest", "pytest-asyncio", "pytest-timeout"])?;
        let download = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", REDIS_PY];
        quietly(Command::new(&python).args(download).current_dir(&directory))?;
        unpack(&directory, "redis-", &directory.join("source"))?;
    }
    let nodes = Nodes::start()?;
    let mut is_well = true;
    for protocol in ["2", "3"] {
        for node in 1..=3 {
            let mut pytest = Command::new(&python);
            pytest.current_dir(directory.join("source")).args(["-m", "pytest", "--quiet", "--timeout", "60"]);
            pytest.args(["-p", "no:cacheprovider", "-W", "ignore", "--protocol", protocol]);
            pytest.args(["--redis-url", &format!("redis://127.0.0.1:{}/0", nodes.redis(node))]);
            println!("redis-py's lock, RESP{protocol}, node {node}:");
            is_well &= succeeds(pytest.args(["tests/test_lock.py", "tests/test_asyncio/test_lock.py"]))?;
        }
    }
    Ok(is_well)
}

/// Redis's own suite, by its mode for a server that it did not start.
pub(crate) fn tcl() -> Result<bool> {
    let directory = directory("tcl")?;
    let source = directory.join("source");
    if !source.is_dir() {
        eprintln!("fetching the tests of Redis …");
        apt_source(&directory, REDIS)?;
        unpack(&directory, "redis_", &source)?;
        soften(&source)?;
    }
    std::fs::write(directory.join("skip"), TCL_SKIP)?;
    let nodes = Nodes::start()?;
    let mut passes = 0;
    let mut failures = Vec::new();
    for unit in TCL_UNITS {
        let mut run = Command::new("timeout");
        run.current_dir(&source).args([TCL_UNIT_SECONDS, "./runtest", "--host", "127.0.0.1", "--singledb"]);
        run.args([
            "--port",
            &nodes.redis(1).to_string(),
            "--ignore-encoding",
            "--ignore-digest",
            "--durable",
        ]);
        run.args(["--tags", TCL_TAGS, "--skipfile", "../skip", "--single", unit]);
        let said = run.output().context("timeout cannot be run")?;
        let said = plain(&String::from_utf8_lossy(&said.stdout));
        let (passed, failed) = tcl_results(&said);
        println!("{unit}: {passed} passed, {} failed", failed.len());
        passes += passed;
        failures.extend(failed);
        std::fs::write(directory.join(format!("{}.log", unit.replace('/', "-"))), said)?;
    }
    for failure in &failures {
        println!("{failure}");
    }
    println!("Redis's suite: {passes} passed, {} failed; logs in {}", failures.len(), directory.display());
    Ok(passes >= TCL_PASSES_MIN)
}

/// The cases of resp-compatibility for Redis 6.2, of a clone that is somewhere. All that ask for served commands alone must
/// pass.
pub(crate) fn resp_compatibility(clone: &str) -> Result<bool> {
    let clone = std::fs::canonicalize(clone).with_context(|| clone.to_owned())?;
    let directory = directory("resp-compatibility")?;
    let python = directory.join("venv/bin/python");
    if quietly(Command::new(&python).args(["-c", "import redis, yaml"])).is_err() {
        // It hangs with later ones.
        venv(&directory, &["redis==5.0.8", "pyyaml"])?;
    }
    let cases = Cases::read(&std::fs::read_to_string(clone.join(CASES)).context(CASES)?)?;
    let nodes = Nodes::start()?;
    let mut run = Command::new(&python);
    run.current_dir(&clone).args(["resp_compatibility.py", "--testfile", CASES, "--show-failed"]);
    run.args(["--host", "127.0.0.1", "--port", &nodes.redis(1).to_string(), "--specific-version", "6.2.0"]);
    let said = run.output().context("resp-compatibility cannot be run")?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8_lossy(&said.stdout);
    std::fs::write(directory.join("log"), &*said)?;
    let results = cases.results(&said, &compatibility::served()?)?;
    println!("{results}\nlog in {}", directory.display());
    Ok(results.are_well())
}

/// Three nodes, until this is dropped.
struct Nodes(Child);

impl Nodes {
    fn start() -> Result<Self> {
        if !succeeds(cargo().args(["build", "--release", "--package", "tenure"]))? {
            bail!("it does not compile");
        }
        let mut dev = Command::new(target().join("release/tenure"));
        dev.args(["dev", "--base-port", &BASE_PORT.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut nodes = Self(dev.spawn().context("`tenure dev` cannot be run")?);
        let said = nodes.0.stdout.take().context("standard output was asked for")?;
        for line in BufReader::new(said).lines() {
            if line?.starts_with("ready") {
                return Ok(nodes);
            }
        }
        bail!("`tenure dev` ended before it was ready");
    }

    fn redis(&self, node: u16) -> u16 {
        BASE_PORT + 100 * node + 79
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        // Its nodes and its data end with it; by SIGTERM also the temporary directory goes.
        let pid = self.0.id().to_string();
        let is_told = Command::new("kill").arg(&pid).status().is_ok_and(|status| status.success());
        if !is_told {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

fn directory(name: &str) -> Result<PathBuf> {
    let directory = target().join("suites").join(name);
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn venv(directory: &Path, packages: &[&str]) -> Result<()> {
    let venv = directory.join("venv");
    quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    quietly(Command::new(venv.join("bin/python")).args(install).args(packages))
}

/// Downloads a source package, whether or not apt is told of sources: by lists of its own.
fn apt_source(directory: &Path, package: &str) -> Result<()> {
    let (lists, cache, parts) = (directory.join("lists"), directory.join("cache"), directory.join("parts"));
    for path in [&lists, &cache, &parts] {
        std::fs::create_dir_all(path)?;
    }
    let mut found = vec![PathBuf::from("/etc/apt/sources.list")];
    found.extend(std::fs::read_dir("/etc/apt/sources.list.d")?.flatten().map(|entry| entry.path()));
    for file in found {
        let (Ok(text), Some(name)) = (std::fs::read_to_string(&file), file.file_name()) else { continue };
        let sources = text.lines().map(|line| match line.strip_prefix("deb ") {
            Some(rest) => format!("deb-src {rest}\n"),
            None => line.replace("Types: deb", "Types: deb-src") + "\n",
        });
        std::fs::write(parts.join(name), sources.collect::<String>())?;
    }
    let option = |name: &str, path: &Path| format!("{name}={}", path.display());
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.current_dir(directory).arg("-o").arg("Dir::Etc::SourceList=/dev/null");
        apt.arg("-o").arg(option("Dir::Etc::SourceParts", &parts));
        apt.arg("-o").arg(option("Dir::State::Lists", &lists)).arg("-o").arg(option("Dir::Cache", &cache));
        quietly(apt.args(arguments))
    };
    // Whoever else's packages apt knows may have no sources; what is missing is told by the next line.
    let _ = apt(&["update"]);
    apt(&["source", "--download-only", package])
}

/// The archive whose name begins so, and is not Debian's own part.
fn unpack(directory: &Path, name: &str, to: &Path) -> Result<()> {
    let mut archives = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if file.starts_with(name) && file.ends_with(".tar.gz") {
            archives.push(entry.path());
        }
    }
    let archive =
        archives.first().with_context(|| format!("no archive of {name} in {}", directory.display()))?;
    std::fs::create_dir_all(to)?;
    let extract = ["--strip-components", "1", "--directory"];
    quietly(Command::new("tar").arg("--extract").args(extract).arg(to).arg("--file").arg(archive))
}

/// What the harness does before each file and cannot be done here: functions are flushed, encodings are set. And the half
/// of the scripting tests that runs everything once more as functions.
fn soften(source: &Path) -> Result<()> {
    let changes = [
        ("tests/support/server.tcl", "\n    r function flush\n", "\n    catch {r function flush}\n"),
        (
            "tests/support/server.tcl",
            "\n        r config set $param $val\n\n        # If we enable appendonly",
            "\n        catch {r config set $param $val}\n\n        # If we enable appendonly",
        ),
        ("tests/unit/scripting.tcl", "foreach is_eval {0 1} {", "foreach is_eval {1} {"),
    ];
    for (file, before, after) in changes {
        let path = source.join(file);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        ensure!(text.matches(before).count() == 1, "{file} does not have once: {before}");
        std::fs::write(&path, text.replace(before, after))?;
    }
    // Between the tests: how Redis keeps what is small, and what that takes, cannot be set or asked here.
    let path = source.join("tests/unit/type/hash.tcl");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let between = ["r config set ", "config_set ", "assert_morethan [memory_usage "];
    let softened =
        text.lines().map(|line| match between.iter().any(|what| line.trim_start().starts_with(what)) {
            true => format!("catch {{{line}}}\n"),
            false => format!("{line}\n"),
        });
    Ok(std::fs::write(&path, softened.collect::<String>())?)
}

/// Without colours.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (number, part) in text.split('\u{1b}').enumerate() {
        let is_coloured = number > 0 && part.starts_with('[');
        plain.push_str(if is_coloured { part.split_once('m').map_or("", |(_, rest)| rest) } else { part });
    }
    plain
}

/// How many passed, and what is said of those that did not.
fn tcl_results(said: &str) -> (usize, Vec<String>) {
    let passed = said.lines().filter(|line| line.starts_with("[ok]")).count();
    let mut failed: Vec<String> = Vec::new();
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("[err]") || line.starts_with("[exception]") {
            failed.push(format!("{line}: {}", lines.next().unwrap_or_default()));
        }
    }
    (passed, failed)
}

/// What a suite is called, and how it runs.
pub(crate) fn one(name: &str) -> Result<bool> {
    match name {
        "redis-py" => redis_py(),
        "tcl" => tcl(),
        _ => bail!(
            "there is no suite {name}; redis-py and tcl are, and resp-compatibility with the path of a clone"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_without_their_colours() {
        let said = plain(
            "[\u{1b}[0;32;49mok\u{1b}[0m]: GET (1 ms)\n[\u{1b}[0;31;49merr\u{1b}[0m]: SET in x\nERR no\n",
        );
        assert_eq!(said, "[ok]: GET (1 ms)\n[err]: SET in x\nERR no\n");
        assert_eq!(tcl_results(&said), (1, vec!["[err]: SET in x: ERR no".to_owned()]));
    }
}
