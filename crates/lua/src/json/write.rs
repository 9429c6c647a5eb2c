//! A value as JSON.

use mlua::{Table, Value as LuaValue};

use super::{Flaw, Settings};
use crate::arguments::{Refused, type_name};
use crate::error::Limit;
use crate::limits::{MEMORY_BYTES_MAX, VALUES_PER_LOOK};
use crate::number::format;
use crate::watch::Watch;

pub(super) fn document(value: &LuaValue, settings: Settings, watch: &Watch) -> Result<Vec<u8>, Flaw> {
    let mut writer = Writer { json: Vec::new(), settings, watch, values: 0 };
    writer.value(value, 0)?;
    Ok(writer.json)
}

struct Writer<'a> {
    json: Vec<u8>,
    settings: Settings,
    watch: &'a Watch,
    values: usize,
}

/// What a table is, by its keys.
enum Shape {
    Array { length: usize },
    Object,
}

impl Writer<'_> {
    fn value(&mut self, value: &LuaValue, depth: usize) -> Result<(), Flaw> {
        self.count()?;
        match value {
            LuaValue::Nil => self.json.extend_from_slice(b"null"),
            LuaValue::LightUserData(pointer) if pointer.0.is_null() => self.json.extend_from_slice(b"null"),
            LuaValue::Boolean(true) => self.json.extend_from_slice(b"true"),
            LuaValue::Boolean(false) => self.json.extend_from_slice(b"false"),
            LuaValue::Integer(integer) => self.number(*integer as f64)?,
            LuaValue::Number(number) => self.number(*number)?,
            LuaValue::String(text) => self.text(&text.as_bytes()),
            LuaValue::Table(table) => self.table(table, depth + 1)?,
            other => return Err(cannot(type_name(other), "type not supported")),
        }
        Ok(())
    }

    /// The same table can stand in a table many times, so that neither size nor time has a bound of its own.
    fn count(&mut self) -> Result<(), Flaw> {
        self.values += 1;
        if self.json.len() > MEMORY_BYTES_MAX {
            self.watch.end(Limit::Memory);
        }
        let is_over = self.values.is_multiple_of(VALUES_PER_LOOK) && self.watch.look().is_some();
        if is_over || self.watch.over().is_some() {
            return Err(Refused::new("the run is over").into());
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), Flaw> {
        if !number.is_finite() && !self.settings.encode_invalid {
            return Err(cannot("number", "must not be NaN or Inf"));
        }
        self.json.extend_from_slice(format(number, self.settings.digits).as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.json.push(b'"');
        for byte in text {
            match byte {
                b'"' => self.json.extend_from_slice(b"\\\""),
                b'\\' => self.json.extend_from_slice(b"\\\\"),
                b'/' => self.json.extend_from_slice(b"\\/"),
                b'\n' => self.json.extend_from_slice(b"\\n"),
                b'\r' => self.json.extend_from_slice(b"\\r"),
                b'\t' => self.json.extend_from_slice(b"\\t"),
                0x08 => self.json.extend_from_slice(b"\\b"),
                0x0c => self.json.extend_from_slice(b"\\f"),
                0..0x20 | 0x7f => self.json.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                // Anything else as it is, UTF-8 or not.
                _ => self.json.push(*byte),
            }
        }
        self.json.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), Flaw> {
        if depth > self.settings.encode_depth {
            return Err(Refused(format!("Cannot serialise, excessive nesting ({depth})")).into());
        }
        match self.shape(table)? {
            Shape::Array { length } => self.array(table, length, depth),
            Shape::Object => self.object(table, depth),
        }
    }

    fn shape(&mut self, table: &Table) -> Result<Shape, Flaw> {
        let (mut length, mut items) = (0, 0);
        for pair in table.pairs::<LuaValue, LuaValue>() {
            self.count()?;
            match pair?.0 {
                LuaValue::Integer(place) if place > 0 => {
                    length = length.max(usize::try_from(place).unwrap_or(usize::MAX));
                    items += 1;
                }
                _ => return Ok(Shape::Object),
            }
        }
        let Settings { convert_sparse, sparse_ratio, sparse_safe, .. } = self.settings;
        if sparse_ratio > 0 && length > items * sparse_ratio && length > sparse_safe {
            if !convert_sparse {
                return Err(cannot("table", "excessively sparse array"));
            }
            return Ok(Shape::Object);
        }
        Ok(if length == 0 { Shape::Object } else { Shape::Array { length } })
    }

    fn array(&mut self, table: &Table, length: usize, depth: usize) -> Result<(), Flaw> {
        self.json.push(b'[');
        for place in 1..=length {
            if place > 1 {
                self.json.push(b',');
            }
            self.value(&table.raw_get(place)?, depth)?;
        }
        self.json.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: usize) -> Result<(), Flaw> {
        self.json.push(b'{');
        let mut is_first = true;
        for pair in table.pairs::<LuaValue, LuaValue>() {
            let (key, value) = pair?;
            if !std::mem::take(&mut is_first) {
                self.json.push(b',');
            }
            match &key {
                LuaValue::String(text) => self.text(&text.as_bytes()),
                LuaValue::Integer(_) | LuaValue::Number(_) => {
                    self.json.push(b'"');
                    self.value(&key, depth)?;
                    self.json.push(b'"');
                }
                other => return Err(cannot(type_name(other), "table key must be a number or string")),
            }
            self.json.push(b':');
            self.value(&value, depth)?;
        }
        self.json.push(b'}');
        Ok(())
    }
}

fn cannot(kind: &str, why: &str) -> Flaw {
    Refused(format!("Cannot serialise {kind}: {why}")).into()
}
