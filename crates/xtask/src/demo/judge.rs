//! Who believed to lead when, and what became of the orders: from what the bots printed and from what is there in the end.
//! Pure. Times are seconds since the cut.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

/// Without an answer for longer than this there is no service: five times as long as a bot waits before it asks again.
const SILENCE: f64 = 0.5;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) from: f64,
    pub(super) until: f64,
}

/// What one bot printed.
#[derive(Debug, Default)]
pub(super) struct Bot {
    pub(super) name: String,
    pub(super) redis_py: String,
    /// When it believed to lead: from an answer to the end that it knew of.
    pub(super) reigns: Vec<Span>,
    /// When it was answered, whatever the answer.
    pub(super) answers: Vec<f64>,
    /// Acknowledged.
    pub(super) orders: Vec<Order>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) number: u64,
    /// When it was acknowledged.
    pub(super) at: f64,
}

/// What is to be said of a system.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) cut_off: Side,
    pub(super) others: Side,
    /// When two or more believed to lead.
    pub(super) two_led: Vec<Span>,
    /// Orders.
    pub(super) acknowledged: usize,
    /// When those orders were acknowledged that are not there.
    pub(super) lost: Vec<f64>,
    pub(super) cut: Span,
    pub(super) ended: f64,
}

/// The bots of one side of the cut.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) reigns: Vec<(String, Span)>,
    /// When none of them was answered, from the cut on.
    pub(super) silences: Vec<Span>,
}

impl Span {
    pub(super) fn length(&self) -> f64 {
        self.until - self.from
    }
}

/// The length of all together.
pub(super) fn length(spans: &[Span]) -> f64 {
    spans.iter().map(Span::length).sum()
}

impl Verdict {
    /// Never two that led, and nothing lost.
    pub(super) fn is_clean(&self) -> bool {
        self.two_led.is_empty() && self.lost.is_empty()
    }

    /// Whether there was something to see: the other side has taken over during the cut.
    pub(super) fn is_conclusive(&self) -> bool {
        self.others.reigns.iter().any(|(_, reign)| reign.from > 0.0 && reign.from < self.cut.until)
    }

    /// From the first order that was acknowledged and is not there to the last.
    pub(super) fn lost_during(&self) -> Option<Span> {
        let lost = || self.lost.iter().copied();
        Some(Span { from: lost().reduce(f64::min)?, until: lost().reduce(f64::max)? })
    }
}

/// `printed`: lines of `tests/clients/python/partition.py`.
pub(super) fn read_bot(printed: &str, cut: f64) -> Result<Bot> {
    let mut bot = Bot::default();
    for line in printed.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let time = |what: &str| line[what].as_f64().map(|time| time - cut);
        if let Some(name) = line["bot"].as_str() {
            bot.name = name.into();
            bot.redis_py = line["redis_py"].as_str().context("a bot names its library")?.into();
        }
        if let Some(taken) = time("took").or(time("renewed")) {
            bot.leads(taken, time("until").context("a reign has an end")?);
        }
        if let Some(over) = time("lost").or(time("left")) {
            bot.leads_no_more(over);
        }
        if let (Some(number), Some(at)) = (line["wrote"].as_u64(), time("at")) {
            bot.orders.push(Order { number, at });
            bot.answers.push(at);
        }
        bot.answers.extend(["took", "renewed", "refused", "lost"].iter().find_map(|what| time(what)));
    }
    Ok(bot)
}

impl Bot {
    fn leads(&mut self, from: f64, until: f64) {
        match self.reigns.last_mut() {
            Some(reign) if from <= reign.until => reign.until = until,
            _ => self.reigns.push(Span { from, until }),
        }
    }

    fn leads_no_more(&mut self, at: f64) {
        if let Some(reign) = self.reigns.last_mut() {
            reign.until = reign.until.min(at);
        }
    }
}

/// The numbers of each bot's orders that are there.
pub(super) fn read_found(printed: &str) -> Result<BTreeMap<String, BTreeSet<u64>>> {
    let mut found: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for line in printed.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let (Some(bot), Some(numbers)) = (line["of"].as_str(), line["found"].as_array()) else { continue };
        found.entry(bot.to_owned()).or_default().extend(numbers.iter().filter_map(Value::as_u64));
    }
    Ok(found)
}

/// Of the bots the first was cut off; `healed`: when that was over.
pub(super) fn judge(
    bots: &[Bot],
    found: &BTreeMap<String, BTreeSet<u64>>,
    healed: f64,
    ended: f64,
) -> Verdict {
    let (cut_off, others) = bots.split_at(1);
    let is_there =
        |bot: &Bot, order: &Order| found.get(&bot.name).is_some_and(|there| there.contains(&order.number));
    let lost = bots.iter().flat_map(|bot| bot.orders.iter().filter(|order| !is_there(bot, order)));
    Verdict {
        cut_off: side(cut_off, ended),
        others: side(others, ended),
        two_led: two_led(bots, ended),
        acknowledged: bots.iter().map(|bot| bot.orders.len()).sum(),
        lost: lost.map(|order| order.at).collect(),
        cut: Span { from: 0.0, until: healed },
        ended,
    }
}

fn side(bots: &[Bot], ended: f64) -> Side {
    let reigns = bots.iter().flat_map(|bot| bot.reigns.iter().map(|reign| (bot.name.clone(), *reign)));
    let mut reigns: Vec<(String, Span)> = reigns.collect();
    reigns.retain(|(_, reign)| reign.from < ended);
    for (_, reign) in &mut reigns {
        reign.until = reign.until.min(ended);
    }
    let mut answers: Vec<f64> = bots.iter().flat_map(|bot| bot.answers.iter().copied()).collect();
    answers.push(ended);
    answers.retain(|at| *at <= ended);
    answers.sort_by(f64::total_cmp);
    let silences = answers.windows(2).map(|pair| Span { from: pair[0].max(0.0), until: pair[1] });
    Side { reigns, silences: silences.filter(|silence| silence.length() > SILENCE).collect() }
}

/// Cuts time where any reign begins or ends, and looks who led in each piece.
fn two_led(bots: &[Bot], ended: f64) -> Vec<Span> {
    let reigns = || bots.iter().flat_map(|bot| &bot.reigns);
    let mut ends: Vec<f64> = reigns().flat_map(|reign| [reign.from, reign.until]).collect();
    ends.push(ended);
    ends.retain(|end| *end <= ended);
    ends.sort_by(f64::total_cmp);
    let mut spans: Vec<Span> = Vec::new();
    for pair in ends.windows(2) {
        let (from, until) = (pair[0], pair[1]);
        // Reigns of one bot do not overlap.
        let led = reigns().filter(|reign| reign.from <= from && reign.until >= until).count();
        if led < 2 || from == until {
            continue;
        }
        match spans.last_mut() {
            Some(last) if last.until == from => last.until = until,
            _ => spans.push(Span { from, until }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADS: &str = r#"{"bot": "A", "redis_py": "8.1.0"}
{"took": 95.0, "until": 105.0}
{"wrote": 1, "at": 96.0}
{"renewed": 99.0, "until": 109.0}
{"wrote": 2, "at": 99.5}
{"wrote": 4, "at": 101.0}
{"error": "TimeoutError", "at": 102.0}
"#;

    const FOLLOWS: &str = r#"{"bot": "B", "redis_py": "8.1.0"}
{"refused": 96.0}
{"refused": 99.9}
{"refused": 106.0}
{"took": 107.0, "until": 117.0}
{"wrote": 1, "at": 107.2}
"#;

    fn verdict(a: &str, b: &str, found: &str) -> Verdict {
        let bots = [a, b].map(|printed| read_bot(printed, 100.0).unwrap());
        judge(&bots, &read_found(found).unwrap(), 10.0, 12.0)
    }

    const ALL_FOUND: &str = "{\"found\": [1, 2, 4], \"of\": \"A\"}\n{\"found\": [1], \"of\": \"B\"}\n";

    #[test]
    fn two_that_led_and_what_was_lost_are_found() {
        let found = "{\"found\": [1], \"of\": \"A\"}\n{\"found\": [1], \"of\": \"B\"}\n";
        let verdict = verdict(LEADS, FOLLOWS, found);
        assert_eq!(verdict.two_led, [Span { from: 7.0, until: 9.0 }]);
        assert_eq!((verdict.acknowledged, verdict.lost.as_slice()), (4, [-0.5, 1.0].as_slice()));
        assert!(verdict.is_conclusive() && !verdict.is_clean());
    }

    #[test]
    fn one_after_the_other_is_as_it_should_be() {
        let later = FOLLOWS.replace("107.0, \"until\": 117.0", "109.0, \"until\": 119.0");
        let verdict = verdict(LEADS, &later.replace("107.2", "109.2"), ALL_FOUND);
        assert_eq!(verdict.two_led, []);
        assert!(verdict.is_conclusive() && verdict.is_clean());
    }

    #[test]
    fn a_reign_ends_when_its_bot_is_told() {
        for told in ["{\"lost\": 107.5}\n", "{\"left\": 107.5}\n"] {
            let verdict = verdict(&format!("{LEADS}{told}"), FOLLOWS, ALL_FOUND);
            assert_eq!(verdict.two_led, [Span { from: 7.0, until: 7.5 }]);
        }
    }

    #[test]
    fn a_renewal_that_was_late_begins_a_reign() {
        let late = format!("{LEADS}{}\n", r#"{"renewed": 110.0, "until": 120.0}"#);
        let verdict = verdict(&late, "{\"bot\": \"B\", \"redis_py\": \"8.1.0\"}\n", ALL_FOUND);
        let reigns: Vec<Span> = verdict.cut_off.reigns.iter().map(|(_, reign)| *reign).collect();
        assert_eq!(reigns, [Span { from: -5.0, until: 9.0 }, Span { from: 10.0, until: 12.0 }]);
        assert!(!verdict.is_conclusive());
    }

    #[test]
    fn silence_is_told_from_the_cut_on() {
        let verdict = verdict(LEADS, FOLLOWS, ALL_FOUND);
        assert_eq!(
            verdict.cut_off.silences,
            [Span { from: 0.0, until: 1.0 }, Span { from: 1.0, until: 12.0 }]
        );
        assert!((length(&verdict.others.silences) - 11.8).abs() < 1e-9, "{:?}", verdict.others.silences);
    }

    #[test]
    fn what_no_bot_prints_is_refused() {
        assert!(read_bot("Traceback", 0.0).is_err());
        assert!(read_bot("{\"took\": 1.0}", 0.0).is_err());
    }
}
