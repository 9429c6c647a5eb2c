//! What the checkers found, told so that a person can follow it.

use std::fmt;

use super::history::{History, Operation, Outcome};
use super::{leases, search, witness, writes};

/// The judgement of one history by all checkers.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub violations: Vec<Violation>,
    /// Keys for which a checker gave up at its limit: neither right nor wrong, and never passed over in silence.
    pub undecided: u64,
    pub operations: u64,
    pub acknowledged: u64,
    pub refused: u64,
    pub unknown: u64,
    pub keys: u64,
    /// Keys of which every command told its place in the order of all, so that both checkers judged them.
    pub keys_witnessed: u64,
    /// Steps of the model.
    pub steps: u64,
}

/// What one checker found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub violations: Vec<Violation>,
    pub undecided: u64,
    pub keys: u64,
    pub steps: u64,
}

/// A promise that was broken, and the operations that show it.
#[derive(Clone, Debug)]
pub struct Violation {
    pub rule: Rule,
    pub key: String,
    /// Places in the history.
    pub operations: Vec<usize>,
    pub detail: String,
    /// The operations, and what overlapped them on this key.
    pub table: String,
}

/// What may be broken. Of one fault several checkers may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// search: no order of the operations of a key explains its answers.
    NotLinearizable,
    /// witness: in the order of the log an answer does not follow from what came before.
    WrongAnswer,
    /// witness: an answer without a place in the log fits at no moment between call and return.
    FitsNowhere,
    /// order: an operation that began after another had returned has a smaller place in the log.
    OrderAgainstTime,
    /// order: two commands at one place of the log.
    SerialTwice,
    /// order: the log index runs against the serial.
    IndexAgainstSerial,
    /// order: the token of a grant is not made of its serial.
    TokenNotOfSerial,
    /// witness: a token that no call can have been granted.
    GrantUnasked,
    /// leases: one token for two holders, two keys or two grants.
    TokenTwice,
    /// leases: a later look at a lease shows an older token.
    TokenBack,
    /// leases: a success under a token after a newer one had been shown.
    FencedServed,
    /// leases: two who both had reason to believe that they hold it.
    TwoHolders,
    /// leases: granted to another before the length was over.
    EarlyHandOver,
    /// writes: an acknowledged write is not seen, and nothing can have undone it.
    WriteLost,
    /// writes: a read shows what had been overwritten before it began.
    StaleRead,
    /// writes: two increments with one result.
    IncrementTwice,
    /// writes: fewer than were acknowledged.
    IncrementLost,
    /// writes: more than were asked for.
    IncrementDoubled,
}

/// The judgement of all checkers.
pub fn judge(history: &History) -> Verdict {
    let searched = search::examine(history);
    let witnessed = witness::examine(history);
    let mut verdict = Verdict {
        operations: history.operations.len() as u64,
        undecided: searched.undecided + witnessed.undecided,
        keys: searched.keys,
        keys_witnessed: witnessed.keys,
        steps: searched.steps + witnessed.steps,
        ..Verdict::default()
    };
    for operation in &history.operations {
        match operation.outcome {
            Outcome::Returned { .. } => verdict.acknowledged += 1,
            Outcome::Refused { .. } => verdict.refused += 1,
            Outcome::Unknown => verdict.unknown += 1,
        }
    }
    for findings in [leases::examine(history), writes::examine(history), witnessed, searched] {
        verdict.violations.extend(findings.violations);
    }
    verdict
}

impl Verdict {
    /// Every promise was seen to be kept, and every key was decided.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.undecided == 0
    }

    /// What was broken, in order and once each.
    pub fn broken(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self.violations.iter().map(|violation| violation.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Self::NotLinearizable => "not linearizable",
            Self::WrongAnswer => "wrong answer",
            Self::FitsNowhere => "fits nowhere",
            Self::OrderAgainstTime => "order against time",
            Self::SerialTwice => "serial twice",
            Self::IndexAgainstSerial => "index against serial",
            Self::TokenNotOfSerial => "token not of serial",
            Self::GrantUnasked => "grant unasked",
            Self::TokenTwice => "token twice",
            Self::TokenBack => "token back",
            Self::FencedServed => "fenced served",
            Self::TwoHolders => "two holders",
            Self::EarlyHandOver => "early hand-over",
            Self::WriteLost => "write lost",
            Self::StaleRead => "stale read",
            Self::IncrementTwice => "increment twice",
            Self::IncrementLost => "increment lost",
            Self::IncrementDoubled => "increment doubled",
        }
    }
}

/// Operations around those that are concerned; more would hide them.
const AROUND_MAX: usize = 12;

impl Violation {
    pub(crate) fn new(
        rule: Rule,
        history: &History,
        key: &str,
        operations: &[usize],
        detail: String,
    ) -> Self {
        let table = table(history, key, operations);
        Self { rule, key: key.to_owned(), operations: operations.to_vec(), detail, table }
    }
}

/// The concerned, marked, with the operations on the same key that overlapped them or came last before.
fn table(history: &History, key: &str, concerned: &[usize]) -> String {
    let all = &history.operations;
    let until_ns = concerned.iter().map(|place| all[*place].last_ns()).max().unwrap_or(0);
    let mut around: Vec<usize> = (0..all.len())
        .filter(|place| all[*place].key == key && all[*place].invoked_ns <= until_ns)
        .filter(|place| !concerned.contains(place))
        .collect();
    // The latest to end are nearest to what went wrong.
    around.sort_by_key(|place| (all[*place].last_ns(), *place));
    let left_out = around.len().saturating_sub(AROUND_MAX);
    let mut shown: Vec<usize> = around.split_off(left_out);
    shown.extend(concerned);
    shown.sort_by_key(|place| (all[*place].invoked_ns, *place));
    let head = ["", "client", "node", "from ms", "to ms", "serial", "call", "outcome"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(shown.iter().map(|place| row(&all[*place], concerned.contains(place))));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    if left_out > 0 {
        text.push_str(&format!("  and {left_out} before\n"));
    }
    text
}

fn row(operation: &Operation, concerned: bool) -> [String; 8] {
    let (until_ns, outcome) = match &operation.outcome {
        Outcome::Returned { at_ns, reply, repeated, .. } => {
            (Some(*at_ns), format!("{reply}{}", if *repeated { " (repeated)" } else { "" }))
        }
        Outcome::Refused { at_ns } => (Some(*at_ns), "refused".to_owned()),
        Outcome::Unknown => (None, "unknown".to_owned()),
    };
    [
        if concerned { ">".to_owned() } else { String::new() },
        operation.client.to_string(),
        operation.node.to_string(),
        milliseconds(operation.invoked_ns),
        until_ns.map_or_else(|| "?".to_owned(), milliseconds),
        operation.serial().map_or_else(String::new, |serial| serial.to_string()),
        operation.call.to_string(),
        outcome,
    ]
}

fn milliseconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000)
}

impl Operation {
    /// The last instant known of it.
    fn last_ns(&self) -> u64 {
        match self.outcome {
            Outcome::Returned { at_ns, .. } | Outcome::Refused { at_ns } => at_ns,
            Outcome::Unknown => self.invoked_ns,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, key {}: {}", self.rule, self.key, self.detail)?;
        f.write_str(&self.table)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} operations on {} keys ({} witnessed): {} acknowledged, {} refused, {} unknown; {} undecided, {} \
             violations",
            self.operations,
            self.keys,
            self.keys_witnessed,
            self.acknowledged,
            self.refused,
            self.unknown,
            self.undecided,
            self.violations.len(),
        )?;
        for violation in &self.violations {
            write!(f, "\n{violation}")?;
        }
        Ok(())
    }
}
