//! What the cases of resp-compatibility come to: by the groups of Redis's commands, and by whether Tenure serves what a case
//! asks for. A case fails if it asks for served commands alone and does not pass; what asks for another is beyond.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::compatibility;

/// How one case ended, and of which group it is.
struct Ended<'a> {
    case: &'a Case,
    end: End,
}

enum End {
    Passed,
    /// What was said of it.
    Failed(String),
    /// It asks for a command that is not served.
    Beyond(String),
}

struct Case {
    name: String,
    commands: Vec<String>,
}

pub(crate) struct Results<'a>(Vec<Ended<'a>>);

#[derive(Default)]
pub(crate) struct Cases(Vec<Case>);

impl Cases {
    /// Those of `cts.json`.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let cases: Value = serde_json::from_str(text)?;
        let case = |case: &Value| {
            let name = case["name"].as_str()?.to_owned();
            let lines = case["command"].as_array()?.iter().filter_map(Value::as_str);
            let commands = lines.filter_map(|line| line.split(' ').next()).map(str::to_ascii_lowercase);
            Some(Case { name, commands: commands.collect() })
        };
        let cases: Option<Vec<Case>> =
            cases.as_array().context("cases are a list")?.iter().map(case).collect();
        Ok(Self(cases.context("a case has a name and commands")?))
    }

    /// What the program said: a line for each case, and behind them why those failed that did.
    pub(crate) fn results(&self, said: &str, served: &BTreeSet<String>) -> Result<Results<'_>> {
        let mut reasons: Vec<&str> = said.lines().filter(|line| line.starts_with("FailedTest(")).collect();
        let lines: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("test: ")).collect();
        ensure!(lines.len() == self.0.len(), "{} cases and {} lines about them", self.0.len(), lines.len());
        let mut results = Vec::new();
        for (case, line) in self.0.iter().zip(lines) {
            let missing = case.commands.iter().find(|command| !served.contains(*command));
            let end = match (line.strip_prefix(&case.name).map(str::trim), missing) {
                (Some("passed"), _) => End::Passed,
                (Some("failed"), Some(missing)) => End::Beyond(missing.clone()),
                (Some("failed"), None) => {
                    let is_of_it =
                        |reason: &&str| reason.contains(&format!("name={:?}", case.name).replace('"', "'"));
                    let reason = reasons.iter().position(is_of_it).map(|place| reasons.remove(place));
                    End::Failed(reason.unwrap_or_default().to_owned())
                }
                (Some("skipped" | "tags skipped" | "version skipped"), _) => continue,
                _ => anyhow::bail!("of the case {:?} it says: {line}", case.name),
            };
            results.push(Ended { case, end });
        }
        ensure!(!results.is_empty(), "no case was run");
        Ok(Results(results))
    }
}

impl Case {
    /// That of the command which it is named for, or else of the last that it asks for.
    fn group(&self) -> &'static str {
        let named = self.name.split(' ').next().unwrap_or_default();
        let last = self.commands.last().map(String::as_str).unwrap_or_default();
        let group = compatibility::group(&named.to_ascii_lowercase());
        group.or_else(|| compatibility::group(last)).unwrap_or("other")
    }
}

impl Results<'_> {
    pub(crate) fn are_well(&self) -> bool {
        !self.0.iter().any(|one| matches!(one.end, End::Failed(_)))
    }
}

impl fmt::Display for Results<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
        for Ended { case, end } in &self.0 {
            let place = match end {
                End::Passed => 0,
                End::Failed(_) => 1,
                End::Beyond(_) => 2,
            };
            for group in [case.group(), "together"] {
                groups.entry(group).or_default()[place] += 1;
            }
            match end {
                End::Passed => {}
                End::Failed(reason) => writeln!(f, "failed: {reason}")?,
                End::Beyond(command) => *missing.entry(command).or_default() += 1,
            }
        }
        writeln!(f, "{:<14}{:>7}{:>7}{:>7}", "GROUP", "PASSED", "FAILED", "BEYOND")?;
        let together = groups.remove("together").map(|together| ("together", together));
        for (group, [passed, failed, beyond]) in groups.into_iter().chain(together) {
            writeln!(f, "{group:<14}{passed:>7}{failed:>7}{beyond:>7}")?;
        }
        let missing = missing.iter().map(|(command, cases)| format!("{command} {cases}"));
        write!(f, "beyond are cases that ask for: {}", missing.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str = r#"[
        {"name": "get command", "command": ["set k v", "GET k"], "result": []},
        {"name": "get command", "command": ["get k"], "result": []},
        {"name": "hset command", "command": ["hset h f v"], "result": []},
        {"name": "xadd command", "command": ["xadd s"], "result": []},
        {"name": "old", "command": ["get k"], "result": []}
    ]"#;

    #[test]
    fn a_case_of_served_commands_must_pass() -> Result<()> {
        let served = ["get", "set", "hset"].map(str::to_owned).into();
        let cases = Cases::read(CASES)?;
        let said = |second: &str| {
            format!(
                "connecting\ntest: get command passed\ntest: get command {second}\ntest: hset command passed\n\
                 test: xadd command failed\ntest: old version skipped\nThis is failed tests:\n\
                 FailedTest(name='get command', reason=1)\nFailedTest(name='xadd command', reason=2)\n"
            )
        };
        let results = cases.results(&said("failed"), &served)?;
        assert!(!results.are_well());
        assert_eq!(
            results.to_string(),
            "failed: FailedTest(name='get command', reason=1)\n\
             GROUP          PASSED FAILED BEYOND\n\
             hash                1      0      0\n\
             stream              0      0      1\n\
             string              1      1      0\n\
             together            2      1      1\n\
             beyond are cases that ask for: xadd 1"
        );
        assert!(cases.results(&said("passed"), &served)?.are_well());
        assert!(cases.results(&said("gone"), &served).is_err());
        assert!(cases.results("test: get command passed\n", &served).is_err());
        Ok(())
    }
}
