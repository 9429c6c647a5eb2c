//! Orders as the log holds them: what is asked of them ([`request`]), what is said of them ([`report`]), and what is kept ([`row`]).

pub mod answer;
pub mod reason;
pub mod report;
pub mod request;
pub mod row;

use std::str::FromStr;

use domain::orders::id::{OrderId, Tag};
use domain::{Decimal, LeaseName, Serial};

use crate::DecodeError;

/// A closed list of the domain and its protobuf, which also has a zero that stands for nothing.
macro_rules! alike {
    ($($domain:ident as $log:ident { $($variant:ident),+ })+) => {
        $(impl From<$domain> for crate::log::$log {
            fn from(value: $domain) -> Self {
                match value {
                    $($domain::$variant => Self::$variant,)+
                }
            }
        }

        impl TryFrom<crate::log::$log> for $domain {
            type Error = crate::DecodeError;

            fn try_from(value: crate::log::$log) -> Result<Self, crate::DecodeError> {
                match value {
                    crate::log::$log::Unspecified => {
                        Err(crate::DecodeError::new(stringify!($log), "unspecified"))
                    }
                    $(crate::log::$log::$variant => Ok(Self::$variant),)+
                }
            }
        })+
    };
}
pub(crate) use alike;

/// A name or a number that was one when it was written.
pub(crate) fn parsed<T: FromStr<Err: ToString>>(what: &'static str, text: &str) -> Result<T, DecodeError> {
    text.parse().map_err(|error: T::Err| DecodeError::new(what, error.to_string()))
}

pub(crate) fn parsed_option<T: FromStr<Err: ToString>>(
    what: &'static str,
    text: Option<String>,
) -> Result<Option<T>, DecodeError> {
    text.map(|text| parsed(what, &text)).transpose()
}

pub(crate) fn decimal_text(number: &Decimal) -> String {
    number.to_string()
}

/// Also one that was reckoned, and has more digits than may come in.
pub(crate) fn decimal_of(what: &'static str, text: &str) -> Result<Decimal, DecodeError> {
    Decimal::exact(text).map_err(|error| DecodeError::new(what, error.to_string()))
}

pub(crate) fn decimal_option_of(
    what: &'static str,
    text: Option<String>,
) -> Result<Option<Decimal>, DecodeError> {
    text.map(|text| decimal_of(what, &text)).transpose()
}

pub(crate) fn lease_name_of(what: &'static str, name: &str) -> Result<LeaseName, DecodeError> {
    LeaseName::new(name).ok_or_else(|| DecodeError::new(what, format!("{} bytes", name.len())))
}

pub(crate) fn tag_of(what: &'static str, tag: &str) -> Result<Tag, DecodeError> {
    Tag::parse(tag).ok_or_else(|| DecodeError::new(what, "not four characters [a-z0-9]"))
}

pub(crate) fn order_of(order: u64) -> OrderId {
    OrderId(Serial(order))
}
