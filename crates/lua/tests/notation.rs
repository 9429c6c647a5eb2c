//! Replies as the corpus writes them: `"a text"`, `7`, `nil`, `status "OK"`, `error "ERR …"`, `[a, b]`, `{a: b}`, `set[a]`,
//! `double 1.5`, `true`, `big 123`, `verbatim txt "…"`.

use bytes::Bytes;
use lua::Value;

pub(crate) struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(line: &'a str) -> Self {
        Self { rest: line }
    }

    pub(crate) fn take(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest.trim_start_matches(' ');
                true
            }
            None => false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Words up to the end, quoted or not.
    pub(crate) fn words(&mut self) -> Vec<Bytes> {
        let mut words = Vec::new();
        while !self.rest.is_empty() && !self.take("=> ") {
            words.push(if self.rest.starts_with('"') { self.text() } else { self.bare() });
        }
        words
    }

    fn bare(&mut self) -> Bytes {
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        self.rest = rest.trim_start_matches(' ');
        Bytes::from(word.to_owned())
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find([' ', ',', ']', '}', ':']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start_matches(' ');
        word
    }

    fn text(&mut self) -> Bytes {
        let mut bytes = Vec::new();
        let mut rest = self.rest.strip_prefix('"').expect("a text begins with a quote").as_bytes();
        loop {
            let (byte, taken) = match rest {
                [b'"', ..] => break,
                [b'\\', b'x', high, low, ..] => (
                    u8::from_str_radix(std::str::from_utf8(&[*high, *low]).expect("hexadecimal"), 16)
                        .expect("hexadecimal"),
                    4,
                ),
                [b'\\', b'n', ..] => (b'\n', 2),
                [b'\\', b'r', ..] => (b'\r', 2),
                [b'\\', byte, ..] => (*byte, 2),
                [byte, ..] => (*byte, 1),
                [] => panic!("a text without its end: {}", self.rest),
            };
            bytes.push(byte);
            rest = &rest[taken..];
        }
        self.rest = std::str::from_utf8(&rest[1..]).expect("the corpus is UTF-8").trim_start_matches(' ');
        bytes.into()
    }

    pub(crate) fn value(&mut self) -> Value {
        if self.rest.starts_with('"') {
            return Value::Bulk(self.text());
        }
        if self.take("[") {
            return Value::Array(self.list("]"));
        }
        if self.take("set[") {
            return Value::Set(self.list("]"));
        }
        if self.take("{") {
            let mut pairs = Vec::new();
            while !self.take("}") {
                let key = self.value();
                assert!(self.take(":"));
                pairs.push((key, self.value()));
                self.take(",");
            }
            return Value::Map(pairs);
        }
        match self.word() {
            "nil" => Value::Nil,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "status" => Value::Status(self.text()),
            "error" => Value::Error(self.text()),
            "double" => Value::Double(self.word().parse().expect("a number")),
            "big" => Value::BigNumber(Bytes::from(self.word().to_owned())),
            "verbatim" => Value::Verbatim { format: Bytes::from(self.word().to_owned()), text: self.text() },
            number => Value::Integer(number.parse().unwrap_or_else(|_| panic!("no reply: {number}"))),
        }
    }

    fn list(&mut self, end: &str) -> Vec<Value> {
        let mut values = Vec::new();
        while !self.take(end) {
            values.push(self.value());
            self.take(",");
        }
        values
    }
}
