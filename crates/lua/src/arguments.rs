//! [`Arguments`]: what a function of Rust was called with, read as a function of C reads it: a number may come as a text,
//! and what is wrong is told in Lua's words.

use mlua::{LuaString, MultiValue, Value as LuaValue};

use crate::number::{TEXT_DIGITS, format};

/// An error for the script. The prelude raises it, with the place of the script that called.
pub(crate) struct Refused(pub(crate) String);

impl Refused {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

pub(crate) struct Arguments {
    function: &'static str,
    values: MultiValue,
    taken: usize,
}

impl Arguments {
    pub(crate) fn new(function: &'static str, values: MultiValue) -> Self {
        Self { function, values, taken: 0 }
    }

    /// Those that are left.
    pub(crate) fn count(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn value(&mut self) -> Option<LuaValue> {
        self.taken += 1;
        self.values.pop_front()
    }

    pub(crate) fn number(&mut self) -> Result<f64, Refused> {
        let value = self.value();
        let number = match &value {
            Some(LuaValue::Integer(integer)) => Some(*integer as f64),
            Some(LuaValue::Number(number)) => Some(*number),
            Some(LuaValue::String(text)) => parse(&text.as_bytes()),
            _ => None,
        };
        number.ok_or_else(|| self.expected("number", value.as_ref()))
    }

    /// Cut to 32 bits, as C does it.
    pub(crate) fn integer(&mut self) -> Result<i32, Refused> {
        Ok(self.number()? as i64 as i32)
    }

    pub(crate) fn text(&mut self) -> Result<Vec<u8>, Refused> {
        let value = self.value();
        match &value {
            Some(LuaValue::String(text)) => Ok(text.as_bytes().to_vec()),
            Some(LuaValue::Integer(integer)) => Ok(format(*integer as f64, TEXT_DIGITS).into()),
            Some(LuaValue::Number(number)) => Ok(format(*number, TEXT_DIGITS).into()),
            _ => Err(self.expected("string", value.as_ref())),
        }
    }

    /// The argument at `place` is not as it must be.
    pub(crate) fn wrong(&self, place: usize, why: &str) -> Refused {
        Refused(format!("bad argument #{place} to '{}' ({why})", self.function))
    }

    fn expected(&self, kind: &str, value: Option<&LuaValue>) -> Refused {
        let got = value.map_or("no value", type_name);
        self.wrong(self.taken, &format!("{kind} expected, got {got}"))
    }
}

/// The name of a value's type as a script sees it.
pub(crate) fn type_name(value: &LuaValue) -> &'static str {
    match value {
        LuaValue::Integer(_) => "number",
        LuaValue::LightUserData(_) | LuaValue::Error(_) => "userdata",
        other => other.type_name(),
    }
}

/// A number as Lua reads it from a text, with spaces around it.
fn parse(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => (-1.0, &text[1..]),
        [b'+', ..] => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return u64::from_str_radix(hexadecimal, 16).ok().map(|number| sign * number as f64);
    }
    // Rust reads what C reads; `-` was taken, so that a second sign is none.
    digits.parse().ok().filter(|_| !digits.starts_with(['-', '+'])).map(|number: f64| sign * number)
}

/// The bytes of a text that a script gave where only a text can be.
pub(crate) fn bytes_of(text: &LuaString) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&text.as_bytes())
}
