//! What was published and what was heard of it: in the order of the log, once, and nothing missed by who stayed connected.
//!
//! The log tells nobody the place of a message, so listeners are compared with each other, and with the times of those who
//! spoke.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A message, and what its speaker was told.
#[derive(Clone, Debug)]
pub struct Said {
    pub text: String,
    pub invoked_ns: u64,
    pub told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Published {
        at_ns: u64,
    },
    /// It certainly was not.
    Refused,
    Unknown,
}

/// What one connection heard, from the moment at which its subscription was acknowledged.
#[derive(Clone, Debug)]
pub struct Heard {
    pub node: u64,
    pub since_ns: u64,
    pub texts: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Talk {
    pub said: Vec<Said>,
    pub heard: Vec<Heard>,
}

/// What must not be. Connections are places in [`Talk::heard`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Nobody said it, or who did was told that it was not published.
    Unsaid {
        connection: usize,
        text: String,
    },
    Twice {
        connection: usize,
        text: String,
    },
    /// The first was published before the second was asked for.
    AgainstTime {
        connection: usize,
        later: String,
        earlier: String,
    },
    /// It was published after the subscription, and before something that was heard.
    Missed {
        connection: usize,
        text: String,
        heard: String,
    },
    /// Between the same two messages one connection heard what the other did not, or they heard them in another order.
    Different {
        connections: [usize; 2],
        after: String,
    },
}

/// Examines everything that was said and heard.
pub fn examine(talk: &Talk) -> Vec<Wrong> {
    let said: BTreeMap<&str, &Said> = talk.said.iter().map(|said| (said.text.as_str(), said)).collect();
    let mut wrong = Vec::new();
    for (connection, heard) in talk.heard.iter().enumerate() {
        wrong.extend(alone(connection, heard, &said));
        wrong.extend(missed(connection, heard, talk, &said));
        let others = talk.heard.iter().enumerate().skip(connection + 1);
        wrong.extend(others.filter_map(|(place, other)| {
            let after = parted(heard, other)?;
            Some(Wrong::Different { connections: [connection, place], after: after.to_owned() })
        }));
    }
    wrong
}

fn alone(connection: usize, heard: &Heard, said: &BTreeMap<&str, &Said>) -> Vec<Wrong> {
    let (mut wrong, mut before, mut newest) = (Vec::new(), BTreeSet::new(), None::<&Said>);
    for text in &heard.texts {
        if !before.insert(text) {
            wrong.push(Wrong::Twice { connection, text: text.clone() });
        }
        let Some(said) = said.get(text.as_str()).filter(|said| said.told != Told::Refused) else {
            wrong.push(Wrong::Unsaid { connection, text: text.clone() });
            continue;
        };
        match (newest, said.told) {
            (Some(newest), Told::Published { at_ns }) if at_ns < newest.invoked_ns => {
                let (later, earlier) = (newest.text.clone(), text.clone());
                wrong.push(Wrong::AgainstTime { connection, later, earlier });
            }
            _ => {}
        }
        if newest.is_none_or(|newest| newest.invoked_ns < said.invoked_ns) {
            newest = Some(said);
        }
    }
    wrong
}

fn missed(connection: usize, heard: &Heard, talk: &Talk, said: &BTreeMap<&str, &Said>) -> Option<Wrong> {
    let times = heard.texts.iter().filter_map(|text| said.get(text.as_str()));
    let last = times.max_by_key(|said| said.invoked_ns)?;
    let texts: BTreeSet<&str> = heard.texts.iter().map(String::as_str).collect();
    let must = |said: &&Said| match said.told {
        Told::Published { at_ns } => said.invoked_ns > heard.since_ns && at_ns < last.invoked_ns,
        Told::Refused | Told::Unknown => false,
    };
    let missed = talk.said.iter().filter(must).find(|said| !texts.contains(said.text.as_str()))?;
    Some(Wrong::Missed { connection, text: missed.text.clone(), heard: last.text.clone() })
}

/// The last message after which both heard the same, if they did not from the first to the last that both heard.
fn parted<'h>(one: &'h Heard, other: &'h Heard) -> Option<&'h str> {
    let common = |heard: &'h Heard, of: &'h Heard| {
        let of: BTreeSet<&str> = of.texts.iter().map(String::as_str).collect();
        let is_common = |text: &String| of.contains(text.as_str());
        let (first, last) =
            (heard.texts.iter().position(is_common)?, heard.texts.iter().rposition(is_common)?);
        Some(&heard.texts[first..=last])
    };
    let (mine, its) = (common(one, other)?, common(other, one)?);
    let same = mine.iter().zip(its).take_while(|(mine, its)| mine == its).count();
    (same < mine.len().max(its.len())).then(|| mine[same.saturating_sub(1).min(mine.len() - 1)].as_str())
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid { connection, text } => {
                write!(f, "message unsaid: connection {connection} heard {text}")
            }
            Self::Twice { connection, text } => {
                write!(f, "message twice: connection {connection} heard {text} again")
            }
            Self::AgainstTime { connection, later, earlier } => write!(
                f,
                "messages against time: connection {connection} heard {earlier} after {later}, which was not asked for yet when it \
                 had been published"
            ),
            Self::Missed { connection, text, heard } => write!(
                f,
                "message missed: connection {connection} heard {heard} and not {text}, which was published before it and after the \
                 subscription"
            ),
            Self::Different { connections: [one, other], after } => {
                write!(f, "messages differ: connections {one} and {other} heard not the same after {after}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name:invoked:published`, or `name:invoked:?` and `name:invoked:!` for what is unknown and refused.
    fn talk(said: &str, heard: &[(u64, &str)]) -> Talk {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let say = |word: String| {
            let parts: Vec<&str> = word.split(':').collect();
            let told = match parts[2] {
                "?" => Told::Unknown,
                "!" => Told::Refused,
                at => Told::Published { at_ns: at.parse().unwrap() },
            };
            Said { text: parts[0].into(), invoked_ns: parts[1].parse().unwrap(), told }
        };
        let hear =
            |(since_ns, texts): &(u64, &str)| Heard { node: 1, since_ns: *since_ns, texts: words(texts) };
        Talk { said: words(said).into_iter().map(say).collect(), heard: heard.iter().map(hear).collect() }
    }

    fn wrong(said: &str, heard: &[(u64, &str)]) -> Vec<Wrong> {
        examine(&talk(said, heard))
    }

    #[test]
    fn what_is_right_is_not_blamed() {
        // b and c overlap; d is unknown and came late; e was refused; f came before the subscription or after the last.
        let said = "a:10:20 b:30:60 c:40:50 d:45:? e:70:! f:80:90 g:100:110";
        assert_eq!(wrong(said, &[(0, "a c b d f"), (0, "a c b d f g"), (75, "f g"), (5, ""), (95, "g")]), []);
        assert_eq!(wrong(said, &[(0, "a b c f d"), (0, "a b c f d")]), [], "d ran after f");
        assert_eq!(
            wrong(said, &[(0, "a b"), (0, "f g")]),
            [Wrong::Missed { connection: 1, text: "a".into(), heard: "g".into() }]
        );
    }

    #[test]
    fn what_nobody_said_or_was_refused_is_not_heard() {
        assert!(matches!(&wrong("a:1:2", &[(0, "a x")])[..], [Wrong::Unsaid { text, .. }] if text == "x"));
        assert!(
            matches!(&wrong("a:1:2 e:3:!", &[(0, "a e")])[..], [Wrong::Unsaid { text, .. }] if text == "e")
        );
    }

    #[test]
    fn each_is_heard_once_and_in_its_time() {
        assert!(matches!(
            &wrong("a:1:2 b:3:4", &[(0, "a b a")])[..],
            [Wrong::Twice { .. }, Wrong::AgainstTime { .. }]
        ));
        assert!(matches!(&wrong("a:1:2 b:3:4", &[(0, "b a")])[..], [Wrong::AgainstTime { .. }]));
    }

    #[test]
    fn what_lies_between_is_heard() {
        assert!(matches!(&wrong("a:1:2 b:3:4 c:5:6", &[(0, "a c")])[..], [Wrong::Missed { .. }]));
        // Nobody knows when b was published, but somebody heard it.
        let found = wrong("a:1:2 b:3:? c:5:6", &[(0, "a c"), (0, "a b c")]);
        assert_eq!(found, [Wrong::Different { connections: [0, 1], after: "a".into() }]);
        assert_eq!(
            wrong("a:1:2 b:3:? c:4:?", &[(0, "a b c"), (0, "a c b")]),
            [Wrong::Different { connections: [0, 1], after: "a".into() }]
        );
    }
}
