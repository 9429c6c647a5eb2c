//! Prices, quantities and sums of money: exact decimals, and how they stand on the wire.
//!
//! The filters of a symbol bound price and quantity, and [`crate::limits`] what may be paid in, so that no sum or
//! product here leaves the range of a [`Decimal`]: what overflows is a bug of ours.

use rust_decimal::{Decimal, RoundingStrategy};

/// Places after the point of every amount on the wire, and the smallest part of every asset.
pub const PLACES: u32 = 8;

const BOUNDED: &str = "amounts are bounded by the filters of their symbol";

/// Reads `[0-9]{1,20}(\.[0-9]{1,20})?`, as the exchange does; nothing else is an amount.
pub fn parse(text: &str) -> Option<Decimal> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    Decimal::from_str_exact(text).ok()
}

/// With eight places, as `"0.00100000"`.
pub fn show(amount: Decimal) -> String {
    let mut amount = amount.round_dp_with_strategy(PLACES, RoundingStrategy::ToZero);
    amount.rescale(PLACES);
    amount.to_string()
}

pub(crate) fn add(a: Decimal, b: Decimal) -> Decimal {
    a.checked_add(b).expect(BOUNDED)
}

pub(crate) fn sub(a: Decimal, b: Decimal) -> Decimal {
    a.checked_sub(b).expect(BOUNDED)
}

pub(crate) fn mul(a: Decimal, b: Decimal) -> Decimal {
    a.checked_mul(b).expect(BOUNDED)
}

/// The divisor is not zero: the caller has looked.
pub(crate) fn div(a: Decimal, b: Decimal) -> Decimal {
    a.checked_div(b).expect(BOUNDED)
}

/// A part of an amount, rounded to what the asset can be divided into, down.
pub(crate) fn share(amount: Decimal, rate: Decimal) -> Decimal {
    mul(amount, rate).round_dp_with_strategy(PLACES, RoundingStrategy::ToZero)
}

/// The largest multiple of `step` that is not above `amount / price`.
pub(crate) fn lots(amount: Decimal, price: Decimal, step: Decimal) -> Decimal {
    mul(div(amount, mul(price, step)).floor(), step)
}

/// Whether `amount` is a whole number of `step`s; a step of zero allows everything.
pub(crate) fn is_multiple(amount: Decimal, step: Decimal) -> bool {
    step.is_zero() || amount.checked_rem(step).expect(BOUNDED).is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_strictly() {
        for text in ["", ".5", "5.", "-1", "+1", "1e3", "1,0", " 1", "NaN", "123456789012345678901"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse("0.00100000").map(show), Some("0.00100000".into()));
        assert_eq!(parse("12").map(show), Some("12.00000000".into()));
    }

    #[test]
    fn shares_and_lots_are_rounded_down() {
        let amount = |text| parse(text).unwrap();
        assert_eq!(show(share(amount("0.00001"), amount("0.001"))), "0.00000001");
        assert_eq!(show(share(amount("0.000019"), amount("0.001"))), "0.00000001");
        assert_eq!(show(lots(amount("100"), amount("30000"), amount("0.00001"))), "0.00333000");
    }
}
