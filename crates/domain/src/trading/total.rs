//! Sums that do not depend on their order.

use std::fmt;
use std::str::FromStr;

use crate::Decimal;
use crate::decimal::NotADecimal;
use crate::digest::Feed;
use crate::limits::DECIMAL_SCALE_MAX;

const UNITS: u64 = 10_u64.pow(DECIMAL_SCALE_MAX as u32);

/// A sum of decimals. What came in with [`DECIMAL_SCALE_MAX`] digits behind the point or fewer is added and taken away exactly,
/// in any order, where a sum of floating scale would have rounded; 10^18 of the largest numbers fit. Beyond that, it stays at
/// the greatest or the least.
///
/// Invariant: `fraction` is less than one. So the order of the fields is that of the numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Total {
    /// Rounded down.
    whole: i128,
    /// In units of the last digit.
    fraction: u64,
}

impl Total {
    pub const ZERO: Self = Self { whole: 0, fraction: 0 };

    /// What a product counts for that is too large to be told: more than any limit, and little enough to be summed.
    pub const BEYOND: Self = Self { whole: 10_i128.pow(29), fraction: 0 };

    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let fraction = self.fraction + other.fraction;
        let whole = self.whole.saturating_add(other.whole).saturating_add((fraction / UNITS).into());
        Self { whole, fraction: fraction % UNITS }
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    #[must_use]
    pub fn negated(self) -> Self {
        match self.fraction {
            0 => Self { whole: self.whole.saturating_neg(), fraction: 0 },
            // -(w + f) = (-w - 1) + (1 - f)
            fraction => Self { whole: !self.whole, fraction: UNITS - fraction },
        }
    }

    /// For people, and for answers: beyond what a decimal holds, the last that it does.
    pub fn decimal(self) -> Decimal {
        Decimal::join(self.whole, self.fraction)
    }

    pub(crate) fn feed(self, feed: &mut Feed) {
        feed.u128(self.whole.cast_unsigned()).u64(self.fraction);
    }
}

/// Exactly, or up to the last digit that a sum has.
impl From<Decimal> for Total {
    fn from(number: Decimal) -> Self {
        let (whole, fraction) = number.split();
        Self { whole, fraction }
    }
}

/// All digits that there are, and none that are nothing: what is read back is the same.
impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_negative = self.whole < 0;
        let size = if is_negative { self.negated() } else { *self };
        let sign = if is_negative { "-" } else { "" };
        write!(f, "{sign}{}", size.whole)?;
        if size.fraction == 0 {
            return Ok(());
        }
        let digits = format!("{:0width$}", size.fraction, width = DECIMAL_SCALE_MAX);
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Debug for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What its `Display` writes.
impl FromStr for Total {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(NotADecimal::Grammar);
        }
        if fraction.len() > DECIMAL_SCALE_MAX {
            return Err(NotADecimal::TooLong);
        }
        let padded = format!("{fraction:0<width$}", width = DECIMAL_SCALE_MAX);
        let whole = whole.parse().map_err(|_| NotADecimal::TooLong)?;
        let size = Self { whole, fraction: padded.parse().map_err(|_| NotADecimal::TooLong)? };
        Ok(if digits.len() < text.len() { size.negated() } else { size })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(text: &str) -> Total {
        text.parse().unwrap()
    }

    #[test]
    fn a_sum_is_written_and_read() {
        for text in ["0", "1.5", "-1.5", "-0.000000000000000001", "-7", "123456789012345678901234567890.25"] {
            assert_eq!(total(text).to_string(), text);
        }
        for text in ["", "-", "1.", ".5", "--1", "1.0000000000000000001"] {
            assert!(text.parse::<Total>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_ends_at_the_greatest_and_never_turns_over() {
        let greatest = Total { whole: i128::MAX, fraction: UNITS - 1 };
        assert!(greatest.plus(greatest) > Total::BEYOND);
        assert!(greatest.negated().minus(greatest) < Total::BEYOND.negated());
        assert_eq!(greatest.negated().negated(), greatest);
        assert!(greatest.decimal() > "99999999999999999999".parse().unwrap());
    }

    proptest! {
        #[test]
        fn no_order_gives_another_sum(
            numbers in prop::collection::vec((any::<i64>(), 0_usize..=DECIMAL_SCALE_MAX), 1..20),
            seed in any::<usize>(),
        ) {
            let texts = numbers.iter().map(|(digits, scale)| {
                let sign = if *digits < 0 { "-" } else { "" };
                let size = format!("{:019}", digits.unsigned_abs());
                let (whole, fraction) = size.split_at(size.len() - scale);
                format!("{sign}{whole}.{fraction}0")
            });
            let totals: Vec<Total> = texts.map(|text| total(text.trim_end_matches('0').trim_end_matches('.'))).collect();
            let sum = totals.iter().fold(Total::ZERO, |sum, it| sum.plus(*it));
            let mut turned = totals.clone();
            turned.rotate_left(seed % totals.len());
            turned.reverse();
            prop_assert_eq!(turned.iter().fold(Total::ZERO, |sum, it| sum.plus(*it)), sum);
            prop_assert_eq!(totals.iter().fold(sum, |sum, it| sum.minus(*it)), Total::ZERO);
            prop_assert_eq!(sum.to_string().parse(), Ok(sum));
        }
    }
}
