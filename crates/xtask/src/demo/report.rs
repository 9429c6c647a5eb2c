//! What came of it in words and figures, for the terminal and for the picture.

use std::fmt::Write;

use super::judge::{Side, Verdict, length};
use super::trial::Trial;

/// One row of the report: what it is about, and what it says of a system.
type Row = (&'static str, fn(&Verdict) -> String);

const ROWS: [Row; 5] = [
    ("two holders of one lock", two_holders),
    ("acknowledged writes", |verdict| thousands(verdict.acknowledged)),
    ("  of them lost", |verdict| thousands(verdict.lost.len())),
    ("time without service, cut off", |verdict| no_service(&verdict.cut_off)),
    ("time without service, other side", |verdict| no_service(&verdict.others)),
];

/// A table with a column for each system.
pub(super) fn table(trials: &[Trial]) -> String {
    let mut table = String::new();
    let mut row = |what: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:<30}")).collect();
        let _ = writeln!(table, "{}", format!("{what:<36}{cells}").trim_end());
    };
    row("", trials.iter().map(|trial| trial.system.clone()).collect());
    for (what, say) in ROWS {
        row(what, trials.iter().map(|trial| say(&trial.verdict)).collect());
    }
    table
}

/// The one line that a reader takes away.
pub(super) fn headline(verdict: &Verdict) -> String {
    let holders = match verdict.two_led.is_empty() {
        true => "one holder at a time".to_owned(),
        false => format!("two holders for {}", two_holders(verdict)),
    };
    let (lost, acknowledged) = (thousands(verdict.lost.len()), thousands(verdict.acknowledged));
    format!("{holders}; {lost} of {acknowledged} acknowledged writes lost")
}

fn two_holders(verdict: &Verdict) -> String {
    match verdict.two_led.is_empty() {
        true => "never".into(),
        false => seconds(length(&verdict.two_led)),
    }
}

fn no_service(side: &Side) -> String {
    match side.silences.is_empty() {
        true => "none".into(),
        false => seconds(length(&side.silences)),
    }
}

pub(super) fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::super::picture::tests::trials;
    use super::*;

    #[test]
    fn figures_are_read_at_a_glance() {
        assert_eq!(
            [0, 12, 999, 1000, 12_345, 1_234_567].map(thousands),
            ["0", "12", "999", "1,000", "12,345", "1,234,567"]
        );
        let [redis, tenure] = trials();
        assert_eq!(headline(&redis.verdict), "two holders for 19.5 s; 3 of 4 acknowledged writes lost");
        assert_eq!(headline(&tenure.verdict), "one holder at a time; 0 of 4 acknowledged writes lost");
        let table = table(&[redis, tenure]);
        assert!(
            table.contains("two holders of one lock             19.5 s                        never\n"),
            "{table}"
        );
    }
}
