//! `math.random` as Redis has it: the generator of POSIX `lrand48`, so that a seed gives the same numbers on every machine.
//! Redis goes on from script to script; here the caller gives each run its seed.

use mlua::{MultiValue, Value as LuaValue};

use crate::arguments::{Arguments, Refused};

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
/// What POSIX puts under a seed.
const LOW: u64 = 0x330E;

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u32) -> Self {
        Self(u64::from(seed) << 16 | LOW)
    }

    /// From 0 to below 1.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        let drawn = self.0 >> 17;
        let range = u64::from(u32::MAX >> 1);
        (drawn % range) as f64 / range as f64
    }

    /// `math.random([m [, n]])`.
    pub(crate) fn call(&mut self, values: MultiValue) -> Result<LuaValue, Refused> {
        let mut arguments = Arguments::new("random", values);
        let fraction = self.fraction();
        let (low, high, place) = match arguments.count() {
            0 => return Ok(LuaValue::Number(fraction)),
            1 => (1, arguments.integer()?, 1),
            2 => (arguments.integer()?, arguments.integer()?, 2),
            _ => return Err(Refused::new("wrong number of arguments")),
        };
        if low > high {
            return Err(arguments.wrong(place, "interval is empty"));
        }
        let width = (i64::from(high) - i64::from(low) + 1) as f64;
        Ok(LuaValue::Number((fraction * width).floor() + f64::from(low)))
    }

    /// `math.randomseed(x)`.
    pub(crate) fn seed(&mut self, values: MultiValue) -> Result<(), Refused> {
        let seed = Arguments::new("randomseed", values).integer()?;
        *self = Self::new(seed.cast_unsigned());
        Ok(())
    }
}
