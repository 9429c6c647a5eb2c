//! The library `cjson`: JSON as Redis's copy of lua-cjson reads and writes it. A table whose keys are positive integers
//! is an array, with `null` in its holes, unless it is mostly holes; an empty one is an object; a number has 14 digits.

mod read;
mod write;

use std::sync::Arc;

use mlua::{Lua, MultiValue, Table, Value as LuaValue};
use parking_lot::Mutex;

use crate::arguments::{Arguments, Refused};
use crate::limits::JSON_DEPTH_MAX;
use crate::machine::answer;
use crate::number::TEXT_DIGITS;
use crate::watch::Watch;

/// What a script may set. Unlike with Redis, it holds for the run that set it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Whether a table with too many holes becomes an object; otherwise it is refused.
    convert_sparse: bool,
    /// A table has too many holes if it is this many times as long as its items are many …
    sparse_ratio: usize,
    /// … and longer than this.
    sparse_safe: usize,
    encode_depth: usize,
    decode_depth: usize,
    digits: usize,
    keep_buffer: bool,
    encode_invalid: bool,
    decode_invalid: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            convert_sparse: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: JSON_DEPTH_MAX,
            decode_depth: JSON_DEPTH_MAX,
            digits: TEXT_DIGITS,
            keep_buffer: true,
            encode_invalid: false,
            decode_invalid: true,
        }
    }
}

/// Why a document is none.
enum Flaw {
    Refused(Refused),
    /// Of the machine: mostly its memory.
    Lua(mlua::Error),
}

impl From<Refused> for Flaw {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<mlua::Error> for Flaw {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

/// The functions by their names; each answers whether it could and what.
pub(crate) fn library(lua: &Lua, watch: &Arc<Watch>, settings: &Arc<Mutex<Settings>>) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let (watching, settled) = (watch.clone(), settings.clone());
    let encode = move |lua: &Lua, values: MultiValue| {
        let settings = *settled.lock();
        told(
            lua,
            encode(values, settings, &watching)
                .and_then(|json| Ok(LuaValue::String(lua.create_string(json)?))),
        )
    };
    library.raw_set("encode", lua.create_function(encode)?)?;
    let (watching, settled) = (watch.clone(), settings.clone());
    let decode = move |lua: &Lua, values: MultiValue| {
        let settings = *settled.lock();
        told(lua, decode(lua, values, settings, &watching))
    };
    library.raw_set("decode", lua.create_function(decode)?)?;
    for (name, set) in SETTERS {
        let settings = settings.clone();
        let function = move |lua: &Lua, values: MultiValue| {
            let mut arguments = Arguments::new(name, values);
            match set(&mut settings.lock(), &mut arguments) {
                Ok(values) => {
                    Ok(std::iter::once(LuaValue::Boolean(true)).chain(values).collect::<MultiValue>())
                }
                Err(refused) => answer(lua, Err(refused)),
            }
        };
        library.raw_set(name, lua.create_function(function)?)?;
    }
    Ok(library)
}

fn told(lua: &Lua, result: Result<LuaValue, Flaw>) -> mlua::Result<MultiValue> {
    match result {
        Ok(value) => answer(lua, Ok(value)),
        Err(Flaw::Refused(refused)) => answer(lua, Err(refused)),
        Err(Flaw::Lua(error)) => Err(error),
    }
}

fn encode(values: MultiValue, settings: Settings, watch: &Watch) -> Result<Vec<u8>, Flaw> {
    let mut arguments = Arguments::new("encode", values);
    if arguments.count() != 1 {
        return Err(arguments.wrong(1, "expected 1 argument").into());
    }
    write::document(&arguments.value().unwrap_or(LuaValue::Nil), settings, watch)
}

fn decode(lua: &Lua, values: MultiValue, settings: Settings, watch: &Watch) -> Result<LuaValue, Flaw> {
    let mut arguments = Arguments::new("decode", values);
    if arguments.count() != 1 {
        return Err(arguments.wrong(1, "expected 1 argument").into());
    }
    read::document(lua, &arguments.text()?, settings, watch)
}

type Setter = fn(&mut Settings, &mut Arguments) -> Result<Vec<LuaValue>, Refused>;

/// Each sets what it is given and answers how it is.
const SETTERS: [(&str, Setter); 7] = [
    ("encode_sparse_array", |settings, arguments| {
        flag(&mut settings.convert_sparse, arguments)?;
        size(&mut settings.sparse_ratio, arguments, 2, 0, i32::MAX as usize)?;
        size(&mut settings.sparse_safe, arguments, 3, 0, i32::MAX as usize)?;
        let Settings { convert_sparse, sparse_ratio, sparse_safe, .. } = *settings;
        Ok(vec![LuaValue::Boolean(convert_sparse), count(sparse_ratio), count(sparse_safe)])
    }),
    ("encode_max_depth", |settings, arguments| depth(&mut settings.encode_depth, arguments)),
    ("decode_max_depth", |settings, arguments| depth(&mut settings.decode_depth, arguments)),
    ("encode_number_precision", |settings, arguments| {
        size(&mut settings.digits, arguments, 1, 1, TEXT_DIGITS)?;
        Ok(vec![count(settings.digits)])
    }),
    ("encode_keep_buffer", |settings, arguments| {
        flag(&mut settings.keep_buffer, arguments)?;
        Ok(vec![LuaValue::Boolean(settings.keep_buffer)])
    }),
    ("encode_invalid_numbers", |settings, arguments| {
        flag(&mut settings.encode_invalid, arguments)?;
        Ok(vec![LuaValue::Boolean(settings.encode_invalid)])
    }),
    ("decode_invalid_numbers", |settings, arguments| {
        flag(&mut settings.decode_invalid, arguments)?;
        Ok(vec![LuaValue::Boolean(settings.decode_invalid)])
    }),
];

/// Deeper than our own figure is not allowed, whatever is asked: reading and writing recurse.
fn depth(depth: &mut usize, arguments: &mut Arguments) -> Result<Vec<LuaValue>, Refused> {
    let mut asked = *depth;
    size(&mut asked, arguments, 1, 1, i32::MAX as usize)?;
    *depth = asked.min(JSON_DEPTH_MAX);
    Ok(vec![count(*depth)])
}

fn flag(flag: &mut bool, arguments: &mut Arguments) -> Result<(), Refused> {
    match arguments.value() {
        None | Some(LuaValue::Nil) => Ok(()),
        Some(LuaValue::Boolean(asked)) => {
            *flag = asked;
            Ok(())
        }
        Some(_) => Err(arguments.wrong(1, "invalid option")),
    }
}

fn size(
    size: &mut usize,
    arguments: &mut Arguments,
    place: usize,
    min: usize,
    max: usize,
) -> Result<(), Refused> {
    if arguments.count() == 0 {
        return Ok(());
    }
    let asked = usize::try_from(arguments.integer()?).ok().filter(|asked| (min..=max).contains(asked));
    let why = format!("expected integer between {min} and {max}");
    *size = asked.ok_or_else(|| arguments.wrong(place, &why))?;
    Ok(())
}

fn count(count: usize) -> LuaValue {
    LuaValue::Number(count as f64)
}
