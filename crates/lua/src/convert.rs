//! Replies into Lua and results out of it, as Redis converts them.
//!
//! | reply | in Lua | after `redis.setresp(3)` |
//! |---|---|---|
//! | nil | `false` | `nil` |
//! | status, error | `{ok=…}`, `{err=…}` | the same |
//! | map, set | a flat array | `{map={…}}`, `{set={member=true, …}}` |
//! | double, bool | a text, 1 or 0 | `{double=…}`, a boolean |
//!
//! Out of Lua a number is cut to an integer, `true` is 1, `false` is nil, an array ends before its first `nil`; the
//! tables above are understood whatever `redis.setresp` said. A function or anything else is nil.

use bytes::Bytes;
use mlua::{Lua, Table, Value as LuaValue};

use crate::Value;
use crate::error::Limit;
use crate::limits::RESULT_DEPTH_MAX;
use crate::number::{ARGUMENT_DIGITS, format, to_integer};
use crate::watch::Watch;

/// What a command answered, for a script.
pub(crate) fn into_lua(lua: &Lua, value: Value, resp3: bool) -> mlua::Result<LuaValue> {
    let text = |bytes: Bytes| lua.create_string(&bytes).map(LuaValue::String);
    let list = |values: Vec<Value>| {
        let table = lua.create_table_with_capacity(values.len(), 0)?;
        for value in values {
            table.raw_push(into_lua(lua, value, resp3)?)?;
        }
        Ok(LuaValue::Table(table))
    };
    match value {
        Value::Nil if resp3 => Ok(LuaValue::Nil),
        Value::Nil => Ok(LuaValue::Boolean(false)),
        Value::Bool(flag) if resp3 => Ok(LuaValue::Boolean(flag)),
        Value::Bool(flag) => Ok(LuaValue::Integer(flag.into())),
        // As Redis does it: beyond two to the 53rd, digits are lost.
        Value::Integer(integer) => Ok(LuaValue::Number(integer as f64)),
        Value::Double(number) if resp3 => tagged(lua, "double", LuaValue::Number(number)),
        Value::Double(number) => text(format(number, ARGUMENT_DIGITS).into()),
        Value::BigNumber(digits) if resp3 => tagged(lua, "big_number", text(digits)?),
        Value::BigNumber(digits) => text(digits),
        Value::Bulk(bytes) => text(bytes),
        Value::Verbatim { format, text: words } if resp3 => {
            let inner = lua.create_table()?;
            inner.raw_set("format", text(format)?)?;
            inner.raw_set("string", text(words)?)?;
            tagged(lua, "verbatim_string", LuaValue::Table(inner))
        }
        Value::Verbatim { text: words, .. } => text(words),
        Value::Status(line) => tagged(lua, "ok", text(line)?),
        Value::Error(line) => tagged(lua, "err", text(line)?),
        Value::Array(values) => list(values),
        Value::Map(pairs) if resp3 => {
            let inner = lua.create_table()?;
            for (key, value) in pairs {
                inner.raw_set(into_lua(lua, key, resp3)?, into_lua(lua, value, resp3)?)?;
            }
            tagged(lua, "map", LuaValue::Table(inner))
        }
        Value::Map(pairs) => list(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
        Value::Set(members) if resp3 => {
            let inner = lua.create_table()?;
            for member in members {
                inner.raw_set(into_lua(lua, member, resp3)?, true)?;
            }
            tagged(lua, "set", LuaValue::Table(inner))
        }
        Value::Set(members) => list(members),
    }
}

fn tagged(lua: &Lua, tag: &str, value: LuaValue) -> mlua::Result<LuaValue> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(tag, value)?;
    Ok(LuaValue::Table(table))
}

/// Why a result is none.
pub(crate) enum Unfit {
    Limit(Limit),
    Lua(mlua::Error),
}

impl From<mlua::Error> for Unfit {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

/// Takes a result out of Lua. No code of the script runs on the way: metamethods are not asked.
pub(crate) struct Results<'a> {
    pub(crate) watch: &'a Watch,
    /// A script that chose it returns booleans as such.
    pub(crate) resp3: bool,
    pub(crate) bytes_left: usize,
}

impl Results<'_> {
    pub(crate) fn take(&mut self, value: LuaValue) -> Result<Value, Unfit> {
        self.within(value, 0)
    }

    fn within(&mut self, value: LuaValue, depth: usize) -> Result<Value, Unfit> {
        if depth > RESULT_DEPTH_MAX {
            return Err(Unfit::Limit(Limit::ResultDepth));
        }
        self.spend(size_of::<Value>())?;
        Ok(match value {
            LuaValue::Boolean(flag) if self.resp3 => Value::Bool(flag),
            LuaValue::Boolean(true) => Value::Integer(1),
            LuaValue::Integer(integer) => Value::Integer(integer),
            LuaValue::Number(number) => Value::Integer(to_integer(number)),
            LuaValue::String(text) => Value::Bulk(self.text(&text)?),
            LuaValue::Table(table) => self.table(&table, depth)?,
            _ => Value::Nil,
        })
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<Value, Unfit> {
        // Each is asked for a dozen fields, and the same one can stand in the result many times.
        if let Some(limit) = self.watch.look() {
            return Err(Unfit::Limit(limit));
        }
        if let Some(line) = self.line(table, "err")? {
            return Ok(Value::Error(line));
        }
        if let Some(line) = self.line(table, "ok")? {
            return Ok(Value::Status(line));
        }
        match table.raw_get("double")? {
            LuaValue::Number(number) => return Ok(Value::Double(number)),
            LuaValue::Integer(integer) => return Ok(Value::Double(integer as f64)),
            _ => {}
        }
        if let LuaValue::Table(pairs) = table.raw_get("map")? {
            return self.pairs(&pairs, depth);
        }
        if let LuaValue::Table(members) = table.raw_get("set")? {
            return self.members(&members, depth);
        }
        if let Some(digits) = self.line(table, "big_number")? {
            return Ok(Value::BigNumber(digits));
        }
        if let LuaValue::Table(verbatim) = table.raw_get("verbatim_string")?
            && let LuaValue::String(format) = verbatim.raw_get("format")?
            && let LuaValue::String(text) = verbatim.raw_get("string")?
        {
            return Ok(Value::Verbatim { format: self.text(&format)?, text: self.text(&text)? });
        }
        self.array(table, depth)
    }

    fn array(&mut self, table: &Table, depth: usize) -> Result<Value, Unfit> {
        let mut values = Vec::new();
        loop {
            match table.raw_get(values.len() + 1)? {
                LuaValue::Nil => return Ok(Value::Array(values)),
                value => values.push(self.within(value, depth + 1)?),
            }
        }
    }

    fn pairs(&mut self, table: &Table, depth: usize) -> Result<Value, Unfit> {
        let mut pairs = Vec::new();
        for pair in table.pairs::<LuaValue, LuaValue>() {
            let (key, value) = pair?;
            pairs.push((self.within(key, depth + 1)?, self.within(value, depth + 1)?));
        }
        Ok(Value::Map(pairs))
    }

    fn members(&mut self, table: &Table, depth: usize) -> Result<Value, Unfit> {
        let mut members = Vec::new();
        for pair in table.pairs::<LuaValue, LuaValue>() {
            members.push(self.within(pair?.0, depth + 1)?);
        }
        Ok(Value::Set(members))
    }

    /// A field that becomes one line of the protocol.
    fn line(&mut self, table: &Table, field: &str) -> Result<Option<Bytes>, Unfit> {
        let LuaValue::String(text) = table.raw_get(field)? else { return Ok(None) };
        Ok(Some(one_line(&self.text(&text)?)))
    }

    fn text(&mut self, text: &mlua::LuaString) -> Result<Bytes, Unfit> {
        let text = text.as_bytes();
        self.spend(text.len())?;
        Ok(Bytes::copy_from_slice(&text))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(Unfit::Limit(Limit::ResultSize))?;
        Ok(())
    }
}

/// A line of the protocol ends at its end, so that no other end may stand in it.
pub(crate) fn one_line(text: &[u8]) -> Bytes {
    text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}
