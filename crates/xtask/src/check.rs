//! `cargo xtask check`, which only reads, and `cargo xtask fix`, which writes.

use anyhow::Result;

use crate::run::{cargo, succeeds};
use crate::{compatibility, rules, tidy};

/// Everything that a machine can see is right. Says all that is wrong, not only the first.
pub(crate) fn check() -> Result<bool> {
    let mut wrong = Vec::new();
    let mut step = |name: &'static str, is_right: bool| {
        if !is_right {
            wrong.push(name);
        }
    };
    step("format", succeeds(cargo().args(["fmt", "--all", "--check"]))?);
    let lints = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    step("lints", succeeds(cargo().args(lints))?);
    let documents = ["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"];
    // The map of a crate, in its first lines, leads to its private rooms too.
    let flags = "--deny warnings --allow rustdoc::private-intra-doc-links";
    step("documents", succeeds(cargo().args(documents).env("RUSTDOCFLAGS", flags))?);
    step("dependency rules", say(rules::broken()?));
    step("tidiness", say(tidy::untidy()?));
    step("compatibility page", compatibility::is_current()?);
    if wrong.is_empty() {
        println!("check: all is well");
    } else {
        println!("check: wrong: {}", wrong.join(", "));
    }
    Ok(wrong.is_empty())
}

fn say(findings: Vec<String>) -> bool {
    for finding in &findings {
        eprintln!("error: {finding}");
    }
    findings.is_empty()
}

pub(crate) fn fix() -> Result<bool> {
    let lints =
        ["clippy", "--quiet", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"];
    Ok(compatibility::fix()? & succeeds(cargo().args(lints))? & succeeds(cargo().args(["fmt", "--all"]))?)
}
