//! JSON as a value.

use mlua::{Lua, Value as LuaValue};

use super::{Flaw, Settings};
use crate::arguments::Refused;
use crate::limits::VALUES_PER_LOOK;
use crate::watch::Watch;

pub(super) fn document(lua: &Lua, json: &[u8], settings: Settings, watch: &Watch) -> Result<LuaValue, Flaw> {
    let mut reader = Reader { lua, json, at: 0, settings, watch, values: 0 };
    let token = reader.next();
    let value = reader.value(token, 0)?;
    match reader.next() {
        Token { kind: Kind::End, .. } => Ok(value),
        token => Err(expected("the end", &token)),
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    json: &'a [u8],
    at: usize,
    settings: Settings,
    watch: &'a Watch,
    values: usize,
}

/// A token and where it begins.
struct Token {
    kind: Kind,
    at: usize,
}

enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    Text(Vec<u8>),
    Number(f64),
    Bool(bool),
    Null,
    End,
    /// What it is not.
    Invalid(&'static str),
}

impl Reader<'_> {
    fn value(&mut self, token: Token, depth: usize) -> Result<LuaValue, Flaw> {
        self.values += 1;
        if self.values.is_multiple_of(VALUES_PER_LOOK) && self.watch.look().is_some() {
            return Err(Refused::new("the run is over").into());
        }
        match token.kind {
            Kind::Text(text) => Ok(LuaValue::String(self.lua.create_string(text)?)),
            Kind::Number(number) => Ok(LuaValue::Number(number)),
            Kind::Bool(flag) => Ok(LuaValue::Boolean(flag)),
            Kind::Null => Ok(LuaValue::NULL),
            Kind::ObjectBegin => self.object(self.descend(depth)?),
            Kind::ArrayBegin => self.array(self.descend(depth)?),
            _ => Err(expected("value", &token)),
        }
    }

    fn descend(&self, depth: usize) -> Result<usize, Flaw> {
        if depth >= self.settings.decode_depth {
            let (depth, at) = (depth + 1, self.at);
            let words = format!("Found too many nested data structures ({depth}) at character {at}");
            return Err(Refused(words).into());
        }
        Ok(depth + 1)
    }

    fn object(&mut self, depth: usize) -> Result<LuaValue, Flaw> {
        let table = self.lua.create_table()?;
        let mut token = self.next();
        if matches!(token.kind, Kind::ObjectEnd) {
            return Ok(LuaValue::Table(table));
        }
        loop {
            let Kind::Text(key) = token.kind else { return Err(expected("object key string", &token)) };
            let colon = self.next();
            if !matches!(colon.kind, Kind::Colon) {
                return Err(expected("colon", &colon));
            }
            let token_of_value = self.next();
            let value = self.value(token_of_value, depth)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            let next = self.next();
            match next.kind {
                Kind::ObjectEnd => return Ok(LuaValue::Table(table)),
                Kind::Comma => token = self.next(),
                _ => return Err(expected("comma or object end", &next)),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<LuaValue, Flaw> {
        let table = self.lua.create_table()?;
        let mut token = self.next();
        if matches!(token.kind, Kind::ArrayEnd) {
            return Ok(LuaValue::Table(table));
        }
        let mut place = 0;
        loop {
            place += 1;
            table.raw_set(place, self.value(token, depth)?)?;
            let next = self.next();
            match next.kind {
                Kind::ArrayEnd => return Ok(LuaValue::Table(table)),
                Kind::Comma => token = self.next(),
                _ => return Err(expected("comma or array end", &next)),
            }
        }
    }
}

// Tokens.
impl Reader<'_> {
    fn next(&mut self) -> Token {
        while matches!(self.json.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let at = self.at;
        let Some(byte) = self.json.get(at) else { return Token { kind: Kind::End, at } };
        let single = match byte {
            b'{' => Some(Kind::ObjectBegin),
            b'}' => Some(Kind::ObjectEnd),
            b'[' => Some(Kind::ArrayBegin),
            b']' => Some(Kind::ArrayEnd),
            b':' => Some(Kind::Colon),
            b',' => Some(Kind::Comma),
            _ => None,
        };
        if let Some(kind) = single {
            self.at += 1;
            return Token { kind, at };
        }
        if *byte == b'"' {
            return self.text();
        }
        Token { kind: self.word(), at }
    }

    /// A number or one of the three names.
    fn word(&mut self) -> Kind {
        let rest = &self.json[self.at..];
        for (name, kind) in [("true", Kind::Bool(true)), ("false", Kind::Bool(false)), ("null", Kind::Null)] {
            if rest.starts_with(name.as_bytes()) {
                self.at += name.len();
                return kind;
            }
        }
        let begins = rest.iter().copied().find(|byte| !matches!(byte, b'-' | b'+')).unwrap_or_default();
        let is_number = rest[0].is_ascii_digit() || matches!(rest[0], b'-' | b'+');
        let is_name = matches!(begins.to_ascii_lowercase(), b'i' | b'n');
        if !(is_number || is_name && self.settings.decode_invalid) {
            return Kind::Invalid("invalid token");
        }
        match number(rest, self.settings.decode_invalid) {
            Some((number, length)) => {
                self.at += length;
                Kind::Number(number)
            }
            None if is_number => Kind::Invalid("invalid number"),
            None => Kind::Invalid("invalid token"),
        }
    }

    fn text(&mut self) -> Token {
        let begin = self.at;
        let mut text = Vec::new();
        self.at += 1;
        loop {
            let at = self.at;
            match self.json.get(at) {
                None => return Token { kind: Kind::Invalid("unexpected end of string"), at },
                Some(b'"') => {
                    self.at += 1;
                    return Token { kind: Kind::Text(text), at: begin };
                }
                Some(b'\\') => match self.escaped(&mut text) {
                    Ok(()) => {}
                    Err(why) => return Token { kind: Kind::Invalid(why), at },
                },
                Some(byte) => {
                    text.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escaped(&mut self, text: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = match self.json.get(self.at + 1) {
            Some(b'u') => return self.code_point(text),
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            _ => return Err("invalid escape code"),
        };
        text.push(byte);
        self.at += 2;
        Ok(())
    }

    fn code_point(&mut self, text: &mut Vec<u8>) -> Result<(), &'static str> {
        const WRONG: &str = "invalid unicode escape code";
        let first = self.unit(self.at).ok_or(WRONG)?;
        self.at += 6;
        let point = if (0xd800..0xdc00).contains(&first) {
            let second = self.unit(self.at).filter(|unit| (0xdc00..0xe000).contains(unit)).ok_or(WRONG)?;
            self.at += 6;
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        let character = char::from_u32(point).ok_or(WRONG)?;
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// `\uXXXX`.
    fn unit(&self, at: usize) -> Option<u32> {
        let escape = self.json.get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u").filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

/// A number as C's `strtod` reads it, and its length: the library leaves it to that, so that more is read than JSON has.
fn number(rest: &[u8], invalid: bool) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
    let negative = rest.first() == Some(&b'-');
    let signed = |number: f64| if negative { -number } else { number };
    let body = &rest[sign..];
    let begins =
        |name: &str| body.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    if invalid {
        for (name, number) in [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)] {
            if begins(name) {
                return Some((signed(number), sign + name.len()));
            }
        }
        if begins("0x") {
            let digits = body[2..].iter().take_while(|byte| byte.is_ascii_hexdigit());
            let number = digits.clone().fold(0.0, |number, byte| number * 16.0 + f64::from(digit(*byte)));
            return Some((signed(number), sign + 2 + digits.count()));
        }
    }
    let length = decimal_length(body)?;
    let text = std::str::from_utf8(&body[..length]).ok()?;
    Some((signed(text.parse().ok()?), sign + length))
}

fn digit(byte: u8) -> u32 {
    char::from(byte).to_digit(16).unwrap_or_default()
}

fn decimal_length(body: &[u8]) -> Option<usize> {
    let digits_from = |from: usize| body[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits_from(0);
    if end == 0 {
        return None;
    }
    if body.get(end) == Some(&b'.') {
        end += 1 + digits_from(end + 1);
    }
    if matches!(body.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(body.get(end + 1), Some(b'-' | b'+')));
        let digits = body.get(end + 1 + sign..).map_or(0, |_| digits_from(end + 1 + sign));
        if digits > 0 {
            end += 1 + sign + digits;
        }
    }
    Some(end)
}

fn expected(what: &str, token: &Token) -> Flaw {
    let found = match &token.kind {
        Kind::ObjectBegin => "T_OBJ_BEGIN",
        Kind::ObjectEnd => "T_OBJ_END",
        Kind::ArrayBegin => "T_ARR_BEGIN",
        Kind::ArrayEnd => "T_ARR_END",
        Kind::Colon => "T_COLON",
        Kind::Comma => "T_COMMA",
        Kind::Text(_) => "T_STRING",
        Kind::Number(_) => "T_NUMBER",
        Kind::Bool(_) => "T_BOOLEAN",
        Kind::Null => "T_NULL",
        Kind::End => "T_END",
        Kind::Invalid(why) => why,
    };
    Refused(format!("Expected {what} but found {found} at character {}", token.at + 1)).into()
}
