//! Scores, and ranges of members, as clients write them.

use std::ops::Range;

use domain::{Score, ScoreBound, ScoreRange, Scored};

use crate::Error;

/// One number, and nothing around it. What is beyond the range of numbers is none, as in Redis.
pub(super) fn score(text: &[u8]) -> Result<Score, Error> {
    let number = number(text).filter(|number| !lost(text, *number));
    number.and_then(Score::new).ok_or(Error::NotAFloat)
}

/// From one score to another: `1.5`, `(1.5` without itself, `-inf`, `+inf`.
pub(super) fn range(min: &[u8], max: &[u8]) -> Result<ScoreRange, Error> {
    Ok(ScoreRange { min: bound(min)?, max: bound(max)? })
}

fn bound(text: &[u8]) -> Result<ScoreBound, Error> {
    let (excluded, text) = text.strip_prefix(b"(").map_or((false, text), |rest| (true, rest));
    // Here Redis takes what C does: spaces before a number, and nothing at all as zero.
    let text = text.trim_ascii_start();
    let number = if text.is_empty() { Some(0.0) } else { number(text) };
    let score = number.and_then(Score::new).ok_or(Error::NotAScoreRange)?;
    Ok(ScoreBound { score, excluded })
}

/// From one member to another, where all have one score.
pub(super) struct NameRange {
    min: NameBound,
    max: NameBound,
}

enum NameBound {
    /// `-`
    BeforeAll,
    /// `[name`, or `(name` without itself.
    At { name: Vec<u8>, excluded: bool },
    /// `+`
    BehindAll,
}

pub(super) fn names(min: &[u8], max: &[u8]) -> Result<NameRange, Error> {
    let bound = |text: &[u8]| match text {
        b"-" => Ok(NameBound::BeforeAll),
        b"+" => Ok(NameBound::BehindAll),
        [kind @ (b'[' | b'('), name @ ..] => {
            Ok(NameBound::At { name: name.to_vec(), excluded: *kind == b'(' })
        }
        _ => Err(Error::NotANameRange),
    };
    Ok(NameRange { min: bound(min)?, max: bound(max)? })
}

impl NameRange {
    /// The places of the members that are in it.
    pub(super) fn within(&self, members: &[Scored]) -> Range<usize> {
        let is_above = |member: &[u8]| match &self.min {
            NameBound::BeforeAll => true,
            NameBound::At { name, excluded: false } => member >= &name[..],
            NameBound::At { name, excluded: true } => member > &name[..],
            NameBound::BehindAll => false,
        };
        let is_below = |member: &[u8]| match &self.max {
            NameBound::BeforeAll => false,
            NameBound::At { name, excluded: false } => member <= &name[..],
            NameBound::At { name, excluded: true } => member < &name[..],
            NameBound::BehindAll => true,
        };
        let start = members.iter().take_while(|(_, member)| !is_above(member)).count();
        start..start + members[start..].iter().take_while(|(_, member)| is_below(member)).count()
    }
}

fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether a number that is written in digits has become infinite or zero.
fn lost(text: &[u8], number: f64) -> bool {
    let mantissa = text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let is_written = mantissa.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    is_written && (number.is_infinite() || number == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_a_number_in_range() {
        let cases: [(&str, f64); 10] = [
            ("1", 1.0),
            ("-1.5", -1.5),
            ("+2", 2.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0e999", 0.0),
            ("1e-320", 1e-320),
        ];
        for (text, expected) in cases {
            assert_eq!(score(text.as_bytes()).unwrap().get(), expected, "{text}");
        }
        for text in ["", "nan", "-nan", "a", "1a", " 1", "1 ", "1e400", "-1e400", "1e-400", "1,5"] {
            assert_eq!(score(text.as_bytes()), Err(Error::NotAFloat), "{text}");
        }
    }

    #[test]
    fn a_range_may_leave_out_its_ends() {
        let bounds = |min: &str, max: &str| {
            let ScoreRange { min, max } = range(min.as_bytes(), max.as_bytes()).unwrap();
            ((min.score.get(), min.excluded), (max.score.get(), max.excluded))
        };
        assert_eq!(bounds("(1", "2"), ((1.0, true), (2.0, false)));
        assert_eq!(bounds("-inf", "(+inf"), ((f64::NEG_INFINITY, false), (f64::INFINITY, true)));
        assert_eq!(bounds(" 1", "("), ((1.0, false), (0.0, true)));
        for (min, max) in [("a", "1"), ("1", "1a"), ("nan", "1"), ("((1", "1"), ("[1", "1")] {
            assert_eq!(range(min.as_bytes(), max.as_bytes()), Err(Error::NotAScoreRange), "{min} {max}");
        }
    }
}
