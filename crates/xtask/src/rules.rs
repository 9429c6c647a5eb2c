//! The direction of dependencies, as `ARCHITECTURE.md` has it: which of our crates a crate may use, and which crates
//! may know an outside library directly.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::{cargo, output};

/// A crate and ours that it may use. Crates of the same level are never in each other's row.
const OURS: [(&str, &[&str]); 15] = [
    // Below all others: nothing of it stays in the product.
    ("planted", &[]),
    ("domain", &["planted"]),
    ("wire", &["domain"]),
    ("store", &["planted"]),
    ("consensus", &["domain", "wire", "store", "planted"]),
    // Pure mechanism: it knows nothing of ours.
    ("lua", &[]),
    // Another party's system: it knows nothing of ours either.
    ("venue-sim", &[]),
    ("redis", &["domain", "consensus", "lua"]),
    ("api", &["domain", "wire", "consensus"]),
    ("http", &["domain", "wire", "consensus"]),
    ("tenure", &["domain", "wire", "store", "consensus", "redis", "api", "http", "venue-sim", "planted"]),
    ("simulation", &["domain", "wire", "store", "consensus", "redis", "api", "venue-sim", "planted"]),
    ("xtask", &["planted"]),
    // The harness is a client: it knows what clients see and nothing behind it.
    ("tests", &["wire"]),
    ("bench", &["tests", "wire"]),
];

/// An outside library, by a prefix of its name, and who may know it directly.
const THEIRS: [(&str, &[&str]); 13] = [
    ("openraft", &["consensus"]),
    ("sled", &["store"]),
    ("zstd", &["store"]),
    // On disk, and on every stream between peers.
    ("crc32c", &["store", "consensus"]),
    // A machine for the code of strangers: nothing of it leaves the crate that puts walls around it.
    ("mlua", &["lua"]),
    ("axum", &["http", "venue-sim"]),
    ("clap", &["tenure"]),
    ("opentelemetry", &["tenure"]),
    ("prometheus", &["tenure"]),
    ("tracing-subscriber", &["tenure", "simulation"]),
    ("prost", &["wire", "consensus", "bench"]),
    ("tonic", &["wire", "consensus", "api", "http", "tenure", "tests", "bench", "simulation"]),
    ("anyhow", &["tenure", "tests", "bench", "xtask", "simulation"]),
];

/// What breaks a rule.
pub(crate) fn broken() -> Result<Vec<String>> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("metadata lists packages")?;
    let mut crates = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().context("a package has a name")?;
        crates.insert(name.to_owned(), dependencies(package)?);
    }
    Ok(find(&crates))
}

/// Direct dependencies that are part of what is built; a test may use more.
fn dependencies(package: &Value) -> Result<Vec<String>> {
    let dependencies = package["dependencies"].as_array().context("a package lists dependencies")?;
    let built = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
    Ok(built.filter_map(|dependency| dependency["name"].as_str().map(str::to_owned)).collect())
}

fn find(crates: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, dependencies) in crates {
        let Some((_, allowed)) = OURS.iter().find(|(ours, _)| ours == name) else {
            broken.push(format!("crate {name} is in no row of crates/xtask/src/rules.rs; give it one"));
            continue;
        };
        for dependency in dependencies {
            let ours = crates.contains_key(dependency);
            if ours && !allowed.contains(&dependency.as_str()) {
                broken.push(format!("{name} may not use {dependency} (crates/xtask/src/rules.rs)"));
            }
            let known_by = THEIRS.iter().find(|(library, _)| is_of(dependency, library));
            if let Some((library, knowers)) = known_by
                && !knowers.contains(&name.as_str())
            {
                let knowers = knowers.join(", ");
                broken
                    .push(format!("{name} may not know {dependency}; {library} is known by {knowers} only"));
            }
        }
    }
    broken
}

/// A library or one of its companions, as `tonic-types` of `tonic`.
fn is_of(dependency: &str, library: &str) -> bool {
    dependency.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_by(name: &str, dependency: &str) -> usize {
        let ours = OURS.iter().map(|(name, _)| ((*name).to_owned(), Vec::new()));
        let mut crates: BTreeMap<String, Vec<String>> = ours.collect();
        crates.insert(name.into(), vec![dependency.into()]);
        find(&crates).len()
    }

    #[test]
    fn what_breaks_a_rule_is_found() {
        assert_eq!(broken_by("domain", "consensus"), 1);
        assert_eq!(broken_by("redis", "api"), 1);
        assert_eq!(broken_by("api", "openraft"), 1);
        assert_eq!(broken_by("redis", "mlua"), 1);
        assert_eq!(broken_by("domain", "openraft-macros"), 1);
        assert_eq!(broken_by("newcomer", "bytes"), 1);
    }

    #[test]
    fn what_breaks_none_is_not() {
        assert_eq!(broken_by("consensus", "openraft"), 0);
        assert_eq!(broken_by("api", "tonic-types"), 0);
        assert_eq!(broken_by("redis", "consensus"), 0);
        assert_eq!(broken_by("redis", "lua"), 0);
        assert_eq!(broken_by("store", "bytes"), 0);
    }
}
