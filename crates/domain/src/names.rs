//! What venues, accounts, strategies and the rest are called: short names of a few characters, checked where they come in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Key;
use crate::limits::{KEY_BYTES_MAX, NAME_BYTES_MAX};

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAName;

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a name: 1 to {NAME_BYTES_MAX} letters, digits and any of . _ : / -")
    }
}

impl std::error::Error for NotAName {}

macro_rules! names {
    ($($(#[$doc:meta])+ $name:ident;)+) => {
        $($(#[$doc])+
        ///
        /// 1 to [`NAME_BYTES_MAX`] letters, digits and any of `.`, `_`, `:`, `/`, `-`.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAName;

            fn from_str(text: &str) -> Result<Self, NotAName> {
                if is_name(text) { Ok(Self(text.into())) } else { Err(NotAName) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        })+
    };
}

names! {
    /// An exchange, as the desk calls it.
    VenueId;
    /// An account at one venue.
    AccountId;
    /// What trades: the unit that keys, limits and positions belong to.
    StrategyId;
    /// The algorithm that decided on an order; rules ask which one was responsible for it.
    AlgorithmId;
    /// The person who answers for an order; rules ask for it.
    TraderId;
    /// What is traded, as its venue spells it.
    Symbol;
    /// What a symbol is made of: a currency, a coin, a contract.
    Asset;
    /// What speaks to a venue.
    VenueKind;
    /// A venue's own name of an order.
    VenueOrderId;
    /// A venue's name of a trade.
    TradeId;
    /// The bot's own name of an order, unique in its strategy: submitted again, it is the same order.
    OrderKey;
}

fn is_name(text: &str) -> bool {
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
    fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte))
}

impl OrderKey {
    /// When it was made, in milliseconds since 1970, if it says so: a UUID of version 7, or one that begins with thirteen
    /// digits and a `-`.
    pub fn made_ms(&self) -> Option<i64> {
        let bytes = self.0.as_bytes();
        let is_digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
        if bytes.get(13) == Some(&b'-') && is_digits(&bytes[..13]) {
            return self.0[..13].parse().ok();
        }
        let is_uuid = bytes.len() == 36
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                14 => *byte == b'7',
                _ => byte.is_ascii_hexdigit(),
            });
        is_uuid.then(|| i64::from_str_radix(&format!("{}{}", &self.0[..8], &self.0[9..13]), 16).ok())?
    }
}

/// The name of a lease that is text: a key of database 0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseName(Arc<str>);

impl LeaseName {
    /// `None`: empty, or longer than a key may be.
    pub fn new(text: &str) -> Option<Self> {
        (1..=KEY_BYTES_MAX).contains(&text.len()).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self) -> Key {
        Key::new(0, self.0.as_bytes())
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["BTCUSDT", "BTC-PERP", "BTC/USDT", "desk:1.a_b", &"x".repeat(NAME_BYTES_MAX)] {
            assert_eq!(name.parse::<Symbol>().unwrap().as_str(), name);
        }
        for text in ["", " ", "a b", "é", "a\n", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(text.parse::<Symbol>(), Err(NotAName), "{text:?}");
        }
    }

    #[test]
    fn a_key_may_say_when_it_was_made() {
        let made = |key: &str| key.parse::<OrderKey>().unwrap().made_ms();
        assert_eq!(made("1764534000123-7"), Some(1_764_534_000_123));
        // The example of RFC 9562.
        assert_eq!(made("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), Some(1_645_557_742_000));
        for key in ["k1", "1764534000123", "176453400012-77", "017F22E2-79B0-4CC3-98C4-DC0C0C07398F"] {
            assert_eq!(made(key), None, "{key}");
        }
    }
}
