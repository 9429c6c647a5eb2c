//! Replies as they are on the wire, in RESP2 and RESP3, and what it means that two of them are the same.

/// What may differ between two replies to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Same,
    /// Integers, by so much: times that pass.
    Near(i64),
    /// The order of the elements.
    AnyOrder,
    /// What a script's engine says of an error, between its place and the script's name.
    OwnWords,
    /// Of an array, for each element what this says.
    Each(Vec<Rule>),
}

impl Rule {
    /// Whether these replies are the same but for what may differ.
    pub fn holds(&self, one: &[u8], other: &[u8]) -> bool {
        if one == other {
            return true;
        }
        match self {
            Self::Same => false,
            Self::Near(by) => match (integer(one), integer(other)) {
                // What is negative is no time but an answer.
                (Some(one @ 0..), Some(other @ 0..)) => one.abs_diff(other) <= by.unsigned_abs(),
                _ => false,
            },
            Self::OwnWords => match (engine_error(one), engine_error(other)) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            },
            Self::AnyOrder => {
                let (mut one, mut other) = (elements(one), elements(other));
                one.sort_unstable();
                other.sort_unstable();
                one == other
            }
            Self::Each(rules) => {
                let (one, other) = (elements(one), elements(other));
                let pairs = one.iter().zip(&other);
                one.len() == rules.len()
                    && other.len() == rules.len()
                    && rules.iter().zip(pairs).all(|(rule, (one, other))| rule.holds(one, other))
            }
        }
    }
}

/// The length of the first reply in these bytes, if it is there whole.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let line = line(bytes)?;
    let head = line + 2;
    let (kind, count) = (bytes[0], number(&bytes[1..line]));
    match (kind, count) {
        (b'$' | b'=' | b'!', Some(count @ 0..)) => {
            let end = head + usize::try_from(count).ok()? + 2;
            (bytes.len() >= end).then_some(end)
        }
        (b'*' | b'~' | b'>', Some(count @ 0..)) => children(bytes, head, count),
        (b'%', Some(count @ 0..)) => children(bytes, head, count * 2),
        _ => Some(head),
    }
}

fn children(bytes: &[u8], head: usize, count: i64) -> Option<usize> {
    (0..count).try_fold(head, |start, _| Some(start + length(&bytes[start..])?))
}

/// The elements of an aggregate; of anything else, itself.
fn elements(reply: &[u8]) -> Vec<&[u8]> {
    let head = line(reply).map_or(0, |line| line + 2);
    if !matches!(reply.first(), Some(b'*' | b'~' | b'>' | b'%')) {
        return vec![reply];
    }
    let mut elements = Vec::new();
    let mut rest = &reply[head..];
    while let Some(length) = length(rest) {
        let (element, more) = rest.split_at(length);
        elements.push(element);
        rest = more;
    }
    elements
}

/// Where a script failed, and which.
fn engine_error(reply: &[u8]) -> Option<(&str, &str)> {
    let reply = str::from_utf8(reply).ok()?;
    if reply.starts_with("-ERR Error compiling script (new function): ") {
        return Some(("compiled", ""));
    }
    let reply = reply.strip_prefix("-ERR user_script:")?;
    let (line, words) = reply.split_once(':')?;
    Some((line, words.rsplit_once(" script: ")?.1))
}

fn line(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|two| two == b"\r\n")
}

fn integer(reply: &[u8]) -> Option<i64> {
    number(reply.strip_prefix(b":")?.strip_suffix(b"\r\n")?)
}

fn number(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}
