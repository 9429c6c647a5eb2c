//! What no compiler sees: files that grew too long, tests that are skipped or sleep, traces of one machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::{output, root};

/// Lines of a file, without the tests at its end.
const LINES_MAX: usize = 450;

/// Lines of `ARCHITECTURE.md`.
const ARCHITECTURE_LINES_MAX: usize = 250;

/// Text that no file may hold, and why. Put together here, so that this file does not hold it.
fn never() -> [(String, &'static str); 6] {
    [
        (["/ho", "me/"].concat(), "a path of one machine"),
        (["/ro", "ot/"].concat(), "a path of one machine"),
        (["/wo", "rk/"].concat(), "a path of one machine"),
        (["todo", "!("].concat(), "something that is not done"),
        (["unimple", "mented!("].concat(), "something that is not done"),
        (["#[ig", "nore"].concat(), "a test that is not run"),
    ]
}

/// A pause as a way to wait for something; a condition with a deadline is the other one.
fn sleeps() -> [String; 2] {
    [["thread::", "sleep("].concat(), ["time::", "sleep("].concat()]
}

/// What is not tidy.
pub(crate) fn untidy() -> Result<Vec<String>> {
    let root = root();
    let mut git = std::process::Command::new("git");
    // What is tracked, and what will be.
    let listed = git.current_dir(&root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let mut findings = Vec::new();
    for name in output(listed)?.lines() {
        let path = root.join(name);
        // Deleted, or not a text.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        findings.extend(look(name, &text));
    }
    findings.extend(manifests(&root)?);
    Ok(findings)
}

fn look(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (what, why) in never().iter().filter(|(what, _)| line.contains(what)) {
            findings.push(format!("{name}:{}: {what} is {why}", number + 1));
        }
    }
    if name.ends_with(".rs") {
        findings.extend(look_at_source(name, text));
    }
    let lines = text.lines().count();
    if name == "ARCHITECTURE.md" && lines > ARCHITECTURE_LINES_MAX {
        findings.push(format!("{name}: {lines} lines; at most {ARCHITECTURE_LINES_MAX}"));
    }
    findings
}

fn look_at_source(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let is_test = name.split('/').any(|part| part == "tests" || part == "testing.rs");
    let own_lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
    if !is_test && own_lines > LINES_MAX {
        findings.push(format!("{name}: {own_lines} lines before its tests; at most {LINES_MAX}"));
    }
    if !is_test && !text.starts_with("//!") && !text.starts_with("#!") {
        findings.push(format!("{name}: it does not begin with what it is (`//!`)"));
    }
    // In a loop that looks, with a deadline, a pause is no way to wait but a way not to spin.
    let mut recent: [&str; 12] = [""; 12];
    for (number, line) in text.lines().enumerate() {
        let in_test =
            name.starts_with("tests/tests/") || (number >= own_lines && name.starts_with("crates/"));
        let looks = recent.iter().any(|before| before.contains("loop {") || before.contains("while "));
        if in_test && !looks && sleeps().iter().any(|sleep| line.contains(sleep)) {
            findings.push(format!("{name}:{}: a sleep in a test; wait for the condition", number + 1));
        }
        recent[number % recent.len()] = line;
    }
    findings
}

/// Every crate takes the lints of the workspace and is not published.
fn manifests(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let mut manifests: Vec<PathBuf> = vec![root.join("tests/Cargo.toml")];
    for entry in std::fs::read_dir(root.join("crates"))? {
        manifests.push(entry?.path().join("Cargo.toml"));
    }
    manifests.sort();
    for manifest in manifests {
        let text = std::fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
        for line in ["[lints]\nworkspace = true", "publish.workspace = true", "description = "] {
            if !text.contains(line) {
                let name = manifest.strip_prefix(root).unwrap_or(&manifest).display();
                findings.push(format!("{name}: without {line:?}"));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_tidy_is_found() {
        for (what, _) in never() {
            assert_eq!(look("crates/x/y.toml", &format!("a\n{what}\n")).len(), 1, "{what}");
        }
        for sleep in sleeps() {
            let body = format!("//! Test.\nfn test() {{\n    {sleep}SECOND);\n}}\n");
            assert_eq!(look("tests/tests/e2e/x.rs", &body).len(), 1, "{sleep}");
            assert_eq!(look("crates/x/src/y.rs", &body).len(), 0, "not in a test: {sleep}");
        }
        assert_eq!(look("crates/x/src/lib.rs", "fn x() {}\n").len(), 1);
        assert_eq!(look("crates/x/src/lib.rs", &format!("//! X.\n{}", "\n".repeat(LINES_MAX))).len(), 1);
    }

    #[test]
    fn what_is_tidy_is_not() {
        for sleep in sleeps() {
            let looks =
                format!("//! Test.\nfn test() {{\n    loop {{\n        {sleep}SECOND);\n    }}\n}}\n");
            assert_eq!(look("tests/tests/e2e/x.rs", &looks), Vec::<String>::new());
        }
        let tests = format!("//! X.\n#[cfg(test)]\n{}", "\n".repeat(LINES_MAX));
        assert_eq!(look("crates/x/src/lib.rs", &tests), Vec::<String>::new());
    }
}
