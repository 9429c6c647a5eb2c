//! Numbers that only grow: serials, epochs, and the fencing tokens made of both.

use std::fmt;

/// Counts every command that `State` has applied, and every expiry. One log entry may hold many commands, so a
/// log index could not tell two grants apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(pub u64);

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Raised by every restore and every recovery without a majority, so that tokens issued before never come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u16);

impl Epoch {
    /// Nine bits: with 44 bits of serial a token stays below 2^53, which Lua and JavaScript hold exactly.
    pub const MAX: Self = Self((1 << 9) - 1);

    /// `None` above [`Epoch::MAX`].
    pub const fn new(epoch: u16) -> Option<Self> {
        if epoch <= Self::MAX.0 { Some(Self(epoch)) } else { None }
    }

    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A fencing token: whoever is handed two of them obeys the greater. Epoch in the upper 9 bits, serial in the
/// lower 44.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(u64);

impl Token {
    const SERIAL_BITS: u32 = 44;
    const SERIAL_MAX: u64 = (1 << Self::SERIAL_BITS) - 1;

    /// At a million commands a second 44 bits of serial last half a year of full load per epoch; a cluster that
    /// came there must not hand out a token twice, so this is our own bug to assert, not a refusal.
    pub fn new(epoch: Epoch, serial: Serial) -> Self {
        assert!(
            serial.0 <= Self::SERIAL_MAX,
            "serial {serial} does not fit a token: the epoch must be raised"
        );
        Self((u64::from(epoch.0) << Self::SERIAL_BITS) | serial.0)
    }

    /// A token as a client sent it; `None` if no token can have this value.
    pub const fn from_u64(token: u64) -> Option<Self> {
        if token < 1 << 53 { Some(Self(token)) } else { None }
    }

    /// The serial of the command that granted it.
    pub const fn serial(self) -> Serial {
        Serial(self.0 & Self::SERIAL_MAX)
    }

    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A member of the group. Members named at init are 1 to N; a later id is the serial of the command that
/// reserved it, and none is ever used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_order_by_epoch_then_serial_and_stay_below_2_to_the_53() {
        let low = Token::new(Epoch::new(1).unwrap(), Serial(Token::SERIAL_MAX));
        let high = Token::new(Epoch::new(2).unwrap(), Serial(0));
        assert!(low < high);
        let top = Token::new(Epoch::MAX, Serial(Token::SERIAL_MAX));
        assert_eq!(top.as_u64(), (1 << 53) - 1);
        assert_eq!(Token::from_u64(top.as_u64()), Some(top));
        assert_eq!(Token::from_u64(1 << 53), None);
        assert_eq!(Epoch::new(512), None);
    }
}
