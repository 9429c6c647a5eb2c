//! Quantities and prices: decimals, read from their digits and reckoned exactly.
//!
//! No binary fraction ever stands between what a bot asked for and what a venue is told. A number keeps the zeros at its
//! end, because what was sent is kept as it was; in every comparison, and in the digest, `1.0` and `1.00` are the same.

use std::fmt;
use std::str::FromStr;

use crate::digest::Feed;
use crate::limits::{DECIMAL_DIGITS_MAX, DECIMAL_SCALE_MAX};

/// A decimal of at most [`DECIMAL_DIGITS_MAX`] digits when it comes in; sums and products have up to 28.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(rust_decimal::Decimal);

/// Why a text is no number here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotADecimal {
    /// Anything but digits with at most one point among them, and a minus before.
    Grammar,
    /// More than [`DECIMAL_DIGITS_MAX`] digits, or more than [`DECIMAL_SCALE_MAX`] behind the point.
    TooLong,
}

impl fmt::Display for NotADecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grammar => f.write_str("not a decimal such as 0.015: digits, at most one point among them"),
            Self::TooLong => write!(
                f,
                "more than {DECIMAL_DIGITS_MAX} digits, or more than {DECIMAL_SCALE_MAX} of them behind the point"
            ),
        }
    }
}

impl std::error::Error for NotADecimal {}

impl Decimal {
    pub const ZERO: Self = Self(rust_decimal::Decimal::ZERO);
    pub const ONE: Self = Self(rust_decimal::Decimal::ONE);

    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    pub fn is_positive(self) -> bool {
        self > Self::ZERO
    }

    /// What its `Display` writes, also of a sum or a product, which has more digits than may come in.
    ///
    /// [`NotADecimal::TooLong`] beyond what 96 bits hold.
    pub fn exact(text: &str) -> Result<Self, NotADecimal> {
        digits(text)?;
        rust_decimal::Decimal::from_str_exact(text).map(Self).map_err(|_| NotADecimal::TooLong)
    }

    /// `None` beyond what 96 bits hold.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// `None` beyond what 96 bits hold.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// `None` beyond what 96 bits hold before the point. Digits behind the point that do not fit are rounded, half to even.
    pub fn times(self, other: Self) -> Option<Self> {
        self.0.checked_mul(other.0).map(Self)
    }

    /// The end of what 96 bits hold, instead of anything beyond it.
    #[must_use]
    pub fn saturating_plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The end of what 96 bits hold, instead of anything beyond it.
    #[must_use]
    pub fn saturating_minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `None` by zero, and beyond what 96 bits hold. Digits behind the point that do not fit are rounded, half to even.
    pub fn divided_by(self, other: Self) -> Option<Self> {
        self.0.checked_div(other.0).map(Self)
    }

    #[must_use]
    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    #[must_use]
    pub fn absolute(self) -> Self {
        Self(self.0.abs())
    }

    /// Whether it is a whole number of steps; of no other step than a positive one.
    pub fn is_multiple_of(self, step: Self) -> bool {
        step.is_positive() && self.0.checked_rem(step.0).is_some_and(|rest| rest.is_zero())
    }

    /// So many hundredths of a percent of it, without zeros at its end. `None` beyond what 96 bits hold.
    pub(crate) fn basis_points(self, bps: u64) -> Option<Self> {
        let part = self.times(Self(rust_decimal::Decimal::from_i128_with_scale(bps.into(), 4)))?;
        Some(Self(part.0.normalize()))
    }

    /// The whole below it, and what is above that in units of the last of [`DECIMAL_SCALE_MAX`] digits, rounded up.
    pub(crate) fn split(self) -> (i128, u64) {
        let (mantissa, scale) = (self.0.mantissa(), self.0.scale());
        let one = 10_i128.pow(scale);
        let (whole, rest) = (mantissa.div_euclid(one), mantissa.rem_euclid(one));
        let digits = DECIMAL_SCALE_MAX as u32;
        let fraction = match digits.checked_sub(scale) {
            Some(more) => rest * 10_i128.pow(more),
            None => (rest + 10_i128.pow(scale - digits) - 1) / 10_i128.pow(scale - digits),
        };
        let units = 10_i128.pow(digits);
        // Rounded up it may be a whole.
        (whole + fraction / units, (fraction % units) as u64)
    }

    /// The inverse of [`Decimal::split`], as near as there is one: beyond 96 bits, the last that they hold.
    pub(crate) fn join(whole: i128, fraction: u64) -> Self {
        let most = if whole < 0 { rust_decimal::Decimal::MIN } else { rust_decimal::Decimal::MAX };
        let fraction = rust_decimal::Decimal::from_i128_with_scale(fraction.into(), DECIMAL_SCALE_MAX as u32);
        let whole = rust_decimal::Decimal::try_from_i128_with_scale(whole, 0);
        let sum = whole.ok().and_then(|whole| whole.checked_add(fraction));
        Self(sum.unwrap_or(most).normalize())
    }

    /// One form for one number: `1.00` is `1`.
    pub(crate) fn shortest(self) -> Self {
        Self(self.0.normalize())
    }

    pub(crate) fn feed_option(number: Option<Self>, feed: &mut Feed) {
        feed.u64(number.is_some().into());
        number.unwrap_or_default().feed(feed);
    }

    pub(crate) fn feed(self, feed: &mut Feed) {
        // One number has one form here, and zero has no sign.
        let number = self.shortest().0;
        feed.u128(number.mantissa().cast_unsigned()).u64(number.scale().into());
    }
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (whole, scale) = digits(text)?;
        if whole + scale > DECIMAL_DIGITS_MAX || scale > DECIMAL_SCALE_MAX {
            return Err(NotADecimal::TooLong);
        }
        Self::exact(text)
    }
}

/// How many digits there are before the point, and how many behind it.
fn digits(text: &str) -> Result<(usize, usize), NotADecimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits(whole) && fraction.is_none_or(is_digits) {
        Ok((whole.len(), fraction.map_or(0, str::len)))
    } else {
        Err(NotADecimal::Grammar)
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self(number.into())
    }
}

/// As it was written.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn fed(number: Decimal) -> u128 {
        let mut feed = Feed::new("decimal");
        number.feed(&mut feed);
        feed.finish()
    }

    #[test]
    fn what_was_reckoned_is_read_back_though_it_is_too_long_to_come_in() {
        let long = decimal("99999999999999999999").times(decimal("99999999.9")).unwrap();
        for number in [long, long.negated(), decimal("1").divided_by(decimal("3")).unwrap()] {
            let text = number.to_string();
            assert_eq!(text.parse::<Decimal>(), Err(NotADecimal::TooLong), "{text}");
            assert_eq!(Decimal::exact(&text).map(|it| it.to_string()), Ok(text));
        }
        for text in [&"9".repeat(30), &format!("0.{}", "1".repeat(29))] {
            assert_eq!(Decimal::exact(text), Err(NotADecimal::TooLong), "{text}");
        }
        for text in ["", "+1", "1e3", "1_000", ".5", "1."] {
            assert_eq!(Decimal::exact(text), Err(NotADecimal::Grammar), "{text}");
        }
    }

    #[test]
    fn what_was_written_is_kept_and_compared_by_its_worth() {
        assert_eq!(decimal("1.00").to_string(), "1.00");
        assert_eq!(decimal("1.00"), decimal("1.0"));
        assert_eq!(fed(decimal("1.00")), fed(decimal("1")));
        assert_eq!(fed(decimal("-0.0")), fed(Decimal::ZERO));
        assert_ne!(fed(decimal("10")), fed(decimal("1")));
        assert_ne!(fed(decimal("-1")), fed(decimal("1")));
        assert_eq!(decimal("0.1").plus(decimal("0.2")), Some(decimal("0.3")));
    }

    #[test]
    fn what_is_no_number_says_why() {
        for text in ["", "-", ".", "1.", ".5", "+1", "1e3", "1,5", " 1", "1.2.3", "NaN", "٣"] {
            assert_eq!(text.parse::<Decimal>(), Err(NotADecimal::Grammar), "{text}");
        }
        for text in ["123456789012345678901", "0.1234567890123456789"] {
            assert_eq!(text.parse::<Decimal>(), Err(NotADecimal::TooLong), "{text}");
        }
        assert_eq!(decimal("99999999999999999999").to_string(), "99999999999999999999");
    }

    #[test]
    fn arithmetic_ends_where_the_bits_do() {
        let most = decimal("99999999999999999999");
        assert_eq!(most.times(most), None);
        assert!(most.plus(most).is_some());
        let mut sum = most;
        while let Some(more) = sum.plus(sum) {
            sum = more;
        }
        assert_eq!(sum.minus(sum.negated()), None);
        let end = sum.saturating_plus(sum);
        assert_eq!(end.saturating_plus(Decimal::ONE), end);
        assert_eq!(end.negated().saturating_minus(Decimal::ONE), end.negated());
        assert_eq!(decimal("1").divided_by(decimal("8")), Some(decimal("0.125")));
        assert_eq!(Decimal::ONE.divided_by(Decimal::ZERO), None);
    }

    #[test]
    fn a_number_comes_apart_and_together_again() {
        for text in
            ["0", "1.5", "-1.5", "-0.000000000000000001", "99999999999999999999", "12.345678901234567891"]
        {
            let (whole, fraction) = decimal(text).split();
            assert_eq!(Decimal::join(whole, fraction), decimal(text), "{text}");
        }
        assert_eq!(decimal("-1.5").split(), (-2, 500_000_000_000_000_000));
        let least = decimal("0.000000000000000001");
        assert_eq!(least.times(least).unwrap().split(), (0, 0), "a product has no more than 28 digits");
        let tenth = least.times(decimal("0.1")).unwrap();
        assert_eq!((tenth.split(), tenth.negated().split()), ((0, 1), (0, 0)), "rounded up");
        assert!(Decimal::join(i128::MAX, 0) > decimal("99999999999999999999"));
        assert!(Decimal::join(i128::MIN, 0) < decimal("-99999999999999999999"));
    }

    #[test]
    fn basis_points_of_a_number() {
        assert_eq!(decimal("100").basis_points(10_050), Some(decimal("100.5")));
        let long = decimal("12.345678901234567891");
        assert_eq!(long.basis_points(10_000), Some(long), "exactly");
    }

    #[test]
    fn steps() {
        assert!(decimal("0.015").is_multiple_of(decimal("0.001")));
        assert!(decimal("0.0150").is_multiple_of(decimal("0.005")));
        assert!(!decimal("0.0151").is_multiple_of(decimal("0.001")));
        assert!(!decimal("1").is_multiple_of(Decimal::ZERO));
    }
}
