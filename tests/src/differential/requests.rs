//! What is asked: a stream of requests from a table and from chance.

use std::sync::LazyLock;

use super::frame::Rule;
use crate::chance::Chance;

/// A request, and how the replies to it are compared.
#[derive(Clone, Debug)]
pub struct Request {
    pub words: Vec<Vec<u8>>,
    pub rule: Rule,
}

impl Request {
    pub fn of(words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| word.as_bytes().to_vec()).collect(), rule: Rule::Same }
    }

    /// As it is sent.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("*{}\r\n", self.words.len()).as_bytes());
        for word in &self.words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// As one reads it.
    pub fn shown(&self) -> String {
        let words = self.words.iter().map(|word| word.escape_ascii().to_string());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The scripts that are asked for, each by itself or by its hash.
pub fn scripts() -> impl Iterator<Item = &'static str> {
    include_str!("scripts.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// One line of the table.
struct Kind {
    weight: i64,
    rule: Rule,
    /// Nothing in it may be got wrong.
    is_kept: bool,
    words: Vec<&'static str>,
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let lines =
        include_str!("requests.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(kind).collect()
});

fn kind(line: &'static str) -> Kind {
    let (head, words) = line.split_once(' ').expect("a weight and a request");
    let is_kept = head.ends_with('=');
    let head = head.trim_end_matches('=');
    let number = |text: &str| text.parse().expect("a number");
    let (weight, rule) = if head == "%" {
        (1, Rule::AnyOrder)
    } else if head == "&" {
        (1, Rule::Each(vec![Rule::Same, Rule::AnyOrder]))
    } else if let Some(near) = head.strip_prefix('~') {
        (2, Rule::Near(number(near)))
    } else if let Some(weight) = head.strip_suffix('!') {
        (number(weight), Rule::OwnWords)
    } else {
        (number(head), Rule::Same)
    };
    Kind { weight, rule, is_kept, words: words.split(' ').collect() }
}

const KEYS: u64 = 8;

const VALUES: [&[u8]; 14] = [
    b"",
    b"0",
    b"7",
    b"-3",
    b"10",
    b"010",
    b"3.5",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"abc",
    b"a b\r\nc",
    b"\x01\x7f\xc3\xa9",
    b"k1",
    b"a value of some length, longer than what is kept together with its header",
];

/// Requests that depend on nothing but the seed and the hashes of the scripts.
pub struct Stream {
    chance: Chance,
    hashes: Vec<Vec<u8>>,
    /// What is asked next, before anything new.
    ahead: std::collections::VecDeque<Request>,
}

impl Stream {
    pub fn new(seed: u64, hashes: Vec<Vec<u8>>) -> Self {
        Self { chance: Chance::new(seed), hashes, ahead: std::collections::VecDeque::new() }
    }

    pub fn take(&mut self) -> Request {
        if let Some(next) = self.ahead.pop_front() {
            return next;
        }
        if self.chance.one_in(25) {
            self.transaction();
            return self.ahead.pop_front().expect("it has a beginning");
        }
        self.one()
    }

    /// How many are sent together.
    pub fn together(&mut self) -> u64 {
        1 + self.chance.below(64)
    }

    /// `WATCH` looks at keys that are there: of one that is not, it may say for nothing that it has changed.
    fn transaction(&mut self) {
        if self.chance.one_in(3) {
            let key = self.key();
            let key = String::from_utf8_lossy(&key).into_owned();
            self.ahead.extend([Request::of(&["SET", &key, "7"]), Request::of(&["WATCH", &key])]);
            for _ in 0..self.chance.below(2) {
                let between = self.one();
                self.ahead.push_back(between);
            }
        }
        self.ahead.push_back(Request::of(&["MULTI"]));
        let mut rules = Vec::new();
        for _ in 0..self.chance.below(6) {
            let queued = self.one();
            rules.push(queued.rule.clone());
            self.ahead.push_back(Request { rule: Rule::Same, ..queued });
        }
        let end = if self.chance.one_in(10) { "DISCARD" } else { "EXEC" };
        self.ahead.push_back(Request { rule: Rule::Each(rules), ..Request::of(&[end]) });
    }

    fn one(&mut self) -> Request {
        let all: i64 = KINDS.iter().map(|kind| kind.weight).sum();
        let mut place = i64::try_from(self.chance.below(all.unsigned_abs())).expect("below the sum");
        let kind = KINDS.iter().find(|kind| {
            place -= kind.weight;
            place < 0
        });
        let kind = kind.expect("the place is below the sum");
        let words = kind.words.iter().filter_map(|word| self.word(word)).collect();
        let mut request = Request { words, rule: kind.rule.clone() };
        if self.chance.one_in(40) && !kind.is_kept {
            self.spoil(&mut request);
        }
        request
    }

    fn word(&mut self, word: &str) -> Option<Vec<u8>> {
        let Some(inner) = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) else {
            return Some(word.into());
        };
        Some(match inner {
            "k" => self.key(),
            "v" => VALUES[self.place(VALUES.len())].to_vec(),
            "i" => VALUES[1 + self.place(8)].to_vec(),
            "o" => (i64::try_from(self.chance.below(24)).expect("few") - 6).to_string().into(),
            "t" => (1_000_000 + self.chance.below(400_000_000)).to_string().into(),
            "z" => ["0", "-1", "-1000"][self.place(3)].into(),
            "s" => {
                let place = self.place(self.hashes.len());
                scripts().nth(place)?.into()
            }
            "sha" => {
                let place = self.place(self.hashes.len());
                self.hashes[place].clone()
            }
            words => {
                let words: Vec<&str> = words.split('|').collect();
                let word = words[self.place(words.len())];
                return (!word.is_empty()).then(|| word.into());
            }
        })
    }

    /// What people get wrong.
    fn spoil(&mut self, request: &mut Request) {
        let place = self.place(request.words.len());
        match self.chance.below(4) {
            0 => drop(request.words.pop().filter(|_| request.words.len() > 1)),
            1 => request.words.push(request.words[place].clone()),
            2 => request.words[place].make_ascii_lowercase(),
            // What stands for a time may be none that passes while both are asked.
            _ if place > 0 && !is_number(&request.words[place]) => {
                request.words[place] = VALUES[self.place(VALUES.len())].to_vec()
            }
            _ => request.words[0].make_ascii_lowercase(),
        }
        if request.words.is_empty() {
            request.words.push(b"PING".into());
        }
    }

    fn key(&mut self) -> Vec<u8> {
        format!("k{}", self.chance.below(KEYS)).into()
    }

    fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.chance.below(count as u64)).expect("it is below a length")
    }
}

fn is_number(word: &[u8]) -> bool {
    str::from_utf8(word).is_ok_and(|text| text.parse::<i64>().is_ok())
}
