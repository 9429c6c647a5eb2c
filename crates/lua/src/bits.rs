//! The library `bit`: numbers as signed integers of 32 bits, with the answers of LuaBitOp that Redis carries.

use mlua::{Lua, MultiValue, Table, Value as LuaValue};

use crate::arguments::{Arguments, Refused};
use crate::machine::answer;

type Fold = fn(i32, i32) -> i32;
type Shift = fn(i32, u32) -> i32;

const FOLDS: [(&str, Fold); 3] = [("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];

/// Of the distance, only five bits count.
const SHIFTS: [(&str, Shift); 5] = [
    ("lshift", |number, by| number << by),
    ("rshift", |number, by| (number.cast_unsigned() >> by).cast_signed()),
    ("arshift", |number, by| number >> by),
    ("rol", i32::rotate_left),
    ("ror", i32::rotate_right),
];

type Single = fn(i32) -> i32;
const SINGLES: [(&str, Single); 3] =
    [("tobit", |number| number), ("bnot", |number| !number), ("bswap", i32::swap_bytes)];

/// The functions by their names; each answers whether it could and what.
pub(crate) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    for (name, fold) in FOLDS {
        library.raw_set(
            name,
            lua.create_function(move |lua, values| answer(lua, folded(name, fold, values)))?,
        )?;
    }
    for (name, shift) in SHIFTS {
        library.raw_set(
            name,
            lua.create_function(move |lua, values| answer(lua, shifted(name, shift, values)))?,
        )?;
    }
    for (name, single) in SINGLES {
        let function = move |lua: &Lua, values| {
            answer(lua, bits(&mut Arguments::new(name, values)).map(|number| integer(single(number))))
        };
        library.raw_set(name, lua.create_function(function)?)?;
    }
    library.raw_set("tohex", lua.create_function(|lua, values| answer(lua, hexadecimal(lua, values)))?)?;
    Ok(library)
}

fn folded(name: &'static str, fold: Fold, values: MultiValue) -> Result<LuaValue, Refused> {
    let mut arguments = Arguments::new(name, values);
    let mut number = bits(&mut arguments)?;
    while arguments.count() > 0 {
        number = fold(number, bits(&mut arguments)?);
    }
    Ok(integer(number))
}

fn shifted(name: &'static str, shift: Shift, values: MultiValue) -> Result<LuaValue, Refused> {
    let mut arguments = Arguments::new(name, values);
    let number = bits(&mut arguments)?;
    let by = bits(&mut arguments)?.cast_unsigned() & 31;
    Ok(integer(shift(number, by)))
}

/// `bit.tohex(x [, digits])`; a negative count asks for capitals.
fn hexadecimal(lua: &Lua, values: MultiValue) -> Result<LuaValue, Refused> {
    let mut arguments = Arguments::new("tohex", values);
    let number = bits(&mut arguments)?.cast_unsigned();
    let count = if arguments.count() > 0 { bits(&mut arguments)? } else { 8 };
    let digits = if count < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    let skipped =
        digits.len() - digits.len().min(usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX));
    let text = lua.create_string(&digits[skipped..]);
    text.map(LuaValue::String).map_err(|error| Refused::new(error.to_string()))
}

/// Rounded to the nearest, halves to even, and cut to its low 32 bits: the sum leaves them at the end of the mantissa.
fn bits(arguments: &mut Arguments) -> Result<i32, Refused> {
    const SHIFTED_POINT: f64 = 6_755_399_441_055_744.0;
    Ok((arguments.number()? + SHIFTED_POINT).to_bits() as i32)
}

fn integer(number: i32) -> LuaValue {
    LuaValue::Integer(number.into())
}
