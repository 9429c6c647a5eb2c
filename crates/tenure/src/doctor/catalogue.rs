//! What is known of clients and lock libraries: a text each, read at the start, and their scripts.

const CLIENTS: &str = include_str!("catalogue/clients.txt");
const LOCKS: &str = include_str!("catalogue/locks.txt");

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        /// The scripts, by name, as they are sent. Where they come from is in `scripts/README.md`.
        pub const SCRIPTS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("scripts/", $name, ".lua")))),*];
    };
}

scripts! {
    "aioredlock-set", "aioredlock-ttl", "aioredlock-unset",
    "ioredis-lock-extend", "ioredis-lock-release",
    "own-compare-and-delete", "own-compare-and-pexpire", "own-hash-lock", "own-hash-renew", "own-hash-unlock",
    "own-obtain-several", "own-refresh-several", "own-release-several", "own-take-or-renew",
    "pottery-acquired", "pottery-extend", "pottery-release",
    "python-redis-lock-extend", "python-redis-lock-unlock",
    "redbeat-extend-to",
    "redis-py-extend", "redis-py-reacquire", "redis-py-release",
    "redis-semaphore-refresh", "redis-semaphore-release",
    "redlock-4-extend", "redlock-4-lock", "redlock-4-unlock",
    "redlock-5-acquire", "redlock-5-extend", "redlock-5-release",
    "redlock-py-unlock",
    "rslock-extend", "rslock-unlock",
    "sherlock-acquire", "sherlock-release", "sherlock-renew",
}

/// A client or a lock library of one version.
pub struct Library {
    pub name: &'static str,
    pub version: &'static str,
    pub kind: Kind,
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Connects,
    Locks {
        /// Its client speaks that.
        resp3: bool,
    },
}

/// One request and the answers that it may have.
pub struct Step {
    pub name: &'static str,
    /// On a connection beside the first, as those have that wait.
    pub second: bool,
    pub request: Vec<&'static str>,
    pub wants: Vec<Want>,
}

/// What an answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// The library goes on with anything.
    Any,
    Simple(&'static str),
    /// Begins so.
    Error(&'static str),
    Integer(i64),
    Positive,
    Text,
    /// The text, once names are put in.
    Is(&'static str),
    Contains(&'static str),
    Null,
    Array,
    /// In RESP2 an array.
    Map,
}

impl Library {
    /// Whether everything is asked in the library's own bytes.
    pub fn as_sent(&self) -> bool {
        !self.steps.iter().flat_map(|step| &step.request).any(|argument| argument.starts_with("@own-"))
    }
}

/// The catalogue.
pub fn all() -> Vec<Library> {
    [CLIENTS, LOCKS].into_iter().flat_map(|text| read(text).expect("a test reads the same text")).collect()
}

/// The script of this name.
pub fn script(name: &str) -> Option<&'static str> {
    SCRIPTS.iter().find(|(known, _)| *known == name).map(|(_, source)| *source)
}

fn read(text: &'static str) -> Result<Vec<Library>, String> {
    let mut libraries: Vec<Library> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || format!("line {}: {line}", number + 1);
        if let Some(head) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            libraries.push(head_of(head).ok_or_else(wrong)?);
        } else {
            let library = libraries.last_mut().ok_or_else(wrong)?;
            library.steps.push(step(line).ok_or_else(wrong)?);
        }
    }
    Ok(libraries)
}

fn head_of(head: &'static str) -> Option<Library> {
    let mut parts = head.split(" | ");
    let (name, version) = (parts.next()?, parts.next()?);
    let kind = match parts.next()? {
        "connects" => Kind::Connects,
        "locks" => Kind::Locks { resp3: false },
        "locks in RESP3" => Kind::Locks { resp3: true },
        _ => return None,
    };
    Some(Library { name, version, kind, steps: Vec::new() })
}

fn step(line: &'static str) -> Option<Step> {
    let (name, rest) = line.split_once(": ")?;
    let (request, wants) = rest.split_once(" => ")?;
    let second = name.strip_prefix("second, ");
    Some(Step {
        name: second.unwrap_or(name),
        second: second.is_some(),
        request: request.split(' ').collect(),
        wants: wants.split(" | ").map(want).collect(),
    })
}

fn want(text: &'static str) -> Want {
    let after = |sign: char| text.strip_prefix(sign);
    match text {
        "any" => Want::Any,
        "positive" => Want::Positive,
        "text" => Want::Text,
        "null" => Want::Null,
        "array" => Want::Array,
        "map" => Want::Map,
        _ => match (after('+'), after('-'), after('~'), after(':').and_then(|number| number.parse().ok())) {
            (Some(line), ..) => Want::Simple(line),
            (_, Some(line), ..) => Want::Error(line),
            (_, _, Some(part), _) => Want::Contains(part),
            (_, _, _, Some(number)) => Want::Integer(number),
            _ => Want::Is(text),
        },
    }
}

impl std::fmt::Display for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Simple(line) => write!(f, "+{line}"),
            Self::Error(line) => write!(f, "an error that begins with {line:?}"),
            Self::Integer(number) => write!(f, ":{number}"),
            Self::Positive => f.write_str("a positive integer"),
            Self::Text => f.write_str("a text"),
            Self::Is(text) => write!(f, "{text:?}"),
            Self::Contains(part) => write!(f, "a text with {part:?}"),
            Self::Null => f.write_str("null"),
            Self::Array => f.write_str("an array"),
            Self::Map => f.write_str("a map"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::doctor::examination::sha;

    #[test]
    fn the_catalogue_is_read() {
        let all = all();
        assert!(all.len() > 35, "{}", all.len());
        let named: BTreeSet<_> =
            all.iter().map(|of| (of.name, of.version, of.kind == Kind::Connects)).collect();
        assert_eq!(named.len(), all.len(), "none is there twice");
        for library in &all {
            assert!(!library.steps.is_empty(), "{}", library.name);
            for step in &library.steps {
                let is_known = |want: &Want| !matches!(want, Want::Is(text) if !text.starts_with('{'));
                assert!(step.wants.iter().all(is_known), "{}: {}: {:?}", library.name, step.name, step.wants);
            }
        }
        assert!(read("[x | 1 | sings]").is_err());
        assert!(read("acquire: PING => +PONG").is_err());
    }

    #[test]
    fn every_script_is_used_and_every_one_used_is_there() {
        let all = all();
        let arguments = all.iter().flat_map(|library| &library.steps).flat_map(|step| &step.request);
        let used: BTreeSet<_> = arguments
            .filter_map(|argument| argument.strip_prefix('@'))
            .filter(|name| *name != "heard")
            .collect();
        assert_eq!(used, SCRIPTS.iter().map(|(name, _)| *name).collect());
    }

    /// What a proxy between the library and redis-server has seen.
    #[test]
    fn scripts_are_those_seen_on_the_wire() {
        for (name, start) in [
            ("redis-py-extend", "a4e87838"),
            ("redis-py-reacquire", "1cac5148"),
            ("redis-py-release", "c3f8721c"),
            ("python-redis-lock-extend", "fed16109"),
            ("python-redis-lock-unlock", "90da9187"),
            ("redbeat-extend-to", "411b7c15"),
            ("redlock-4-lock", "e5a322e2"),
            ("redlock-4-extend", "ce46f809"),
            ("redlock-4-unlock", "0f0f23b9"),
            ("redlock-5-acquire", "96da70f7"),
            ("redlock-5-extend", "aed6f382"),
            ("redlock-5-release", "e4612211"),
            ("redis-semaphore-refresh", "594683e4"),
        ] {
            assert!(sha(script(name).unwrap()).starts_with(start), "{name}");
        }
    }
}
