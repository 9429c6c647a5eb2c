//! The parameters of a request, from a query and a form or from JSON, read as strictly as the exchange does.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::amount::{self, PLACES};
use crate::limits::AMOUNT_MAX;
use crate::refusal::Refusal;

const AMOUNT_RANGE: &str = r"^([0-9]{1,20})(\.[0-9]{1,20})?$";
const NUMBER_RANGE: &str = "^[0-9]{1,20}$";
const CLIENT_ID_RANGE: &str = "^[a-zA-Z0-9-_]{1,36}$";

/// Names and values. Each name is there once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// From a query string and a form. What is in both counts as in the query; what is twice in one is refused.
    pub(crate) fn from_form(query: &str, body: &str) -> Result<Params, Refusal> {
        let mut params = Params(pairs(body)?);
        params.0.extend(pairs(query)?);
        Ok(params)
    }

    /// From the `params` of the WebSocket API: strings, numbers and booleans; lists as their JSON.
    pub(crate) fn from_json(params: Option<&Value>) -> Result<Params, Refusal> {
        let object = match params {
            None | Some(Value::Null) => return Ok(Params::default()),
            Some(Value::Object(object)) => object,
            Some(_) => return Err(Refusal::bad_json()),
        };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let present = object.iter().filter(|(_, value)| !value.is_null());
        Ok(Params(present.map(|(name, value)| (name.clone(), text(value))).collect()))
    }

    /// As the WebSocket API has it signed: in the order of the names, not encoded.
    pub(crate) fn payload(&self) -> String {
        let signed = self.0.iter().filter(|(name, _)| *name != "signature");
        signed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// As it was sent, or nothing; for what must not be refused.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.raw(name) {
            Some("") => Err(Refusal::empty(name)),
            text => Ok(text),
        }
    }

    pub(crate) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.raw(name).filter(|text| !text.is_empty()).ok_or_else(|| Refusal::missing(name))
    }

    /// A price or a quantity.
    pub(crate) fn amount(&self, name: &str) -> Result<Option<Decimal>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let amount = amount::parse(text).ok_or_else(|| Refusal::illegal(name, AMOUNT_RANGE))?.normalize();
        if amount.scale() > PLACES {
            return Err(Refusal::too_precise(name));
        }
        if amount > Decimal::from(AMOUNT_MAX) {
            return Err(Refusal::overflowed(name));
        }
        Ok(Some(amount))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::illegal(name, NUMBER_RANGE));
        }
        text.parse().map(Some).map_err(|_| Refusal::overflowed(name))
    }

    pub(crate) fn id(&self, name: &str) -> Result<Option<u64>, Refusal> {
        Ok(self.number(name)?.map(i64::unsigned_abs))
    }

    /// An instant in milliseconds, sent in milliseconds or in microseconds.
    pub(crate) fn time_ms(&self, name: &str) -> Result<Option<i64>, Refusal> {
        const FIRST_IN_MICROSECONDS: i64 = 100_000_000_000_000;
        let in_ms = |time: i64| if time >= FIRST_IN_MICROSECONDS { time / 1000 } else { time };
        Ok(self.number(name)?.map(in_ms))
    }

    pub(crate) fn client_order_id(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.len() > 36 || !text.bytes().all(legal) {
            return Err(Refusal::illegal(name, CLIENT_ID_RANGE));
        }
        Ok(Some(text.to_owned()))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.text(name)? {
            None => Ok(None),
            Some("true" | "TRUE" | "True") => Ok(Some(true)),
            Some("false" | "FALSE" | "False") => Ok(Some(false)),
            Some(_) => Err(Refusal::invalid(name)),
        }
    }

    /// How many rows are wanted.
    pub(crate) fn limit(&self, default: usize, most: usize) -> Result<usize, Refusal> {
        let wanted = self.id("limit")?.map_or(default as u64, |wanted| wanted.max(1));
        Ok(usize::try_from(wanted).unwrap_or(most).min(most))
    }
}

fn pairs(text: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let mut pairs = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if pairs.insert(decoded(name)?, decoded(value)?).is_some() {
            return Err(Refusal::duplicate_parameter());
        }
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    Ok(decoded
        .map_err(|_| Refusal::new(400, -1100, "Illegal characters found in a parameter."))?
        .into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_goes_before_a_form() {
        let params = Params::from_form("a=1&b=%2F%2B", "a=2&c=x+y").unwrap();
        assert_eq!((params.raw("a"), params.raw("b"), params.raw("c")), (Some("1"), Some("/+"), Some("x y")));
        assert_eq!(Params::from_form("a=1&a=2", "").unwrap_err().code, -1101);
    }

    #[test]
    fn amounts_and_numbers_are_held_to_their_form() {
        let code = |query: &str| {
            let params = Params::from_form(query, "").unwrap();
            params.amount("a").err().or_else(|| params.number("n").err()).map(|refusal| refusal.code)
        };
        assert_eq!(code("a=1.50000000"), None);
        assert_eq!(code("a=1e5"), Some(-1100));
        assert_eq!(code("a="), Some(-1105));
        assert_eq!(code("a=0.123456789"), Some(-1111));
        assert_eq!(code("a=9999999999999"), Some(-1108));
        assert_eq!(code("n=-1"), Some(-1100));
        assert_eq!(code("n=99999999999999999999"), Some(-1108));
    }

    #[test]
    fn what_is_signed_is_in_the_order_of_names() {
        let params = serde_json::json!({"b": 100, "a": "x", "signature": "s", "c": true, "d": null});
        assert_eq!(Params::from_json(Some(&params)).unwrap().payload(), "a=x&b=100&c=true");
    }
}
