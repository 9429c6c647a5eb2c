//! Numbers with a fraction as Redis reckons with them: the `long double` of its usual machine, 64 bits and their place,
//! here in whole numbers, so that every node and every machine says the same.
//!
//! `INCRBYFLOAT` and `HINCRBYFLOAT` read two, add them, and write the sum with 17 digits behind the point.

use std::cmp::Ordering;

use num_bigint::BigUint;

/// Digits behind the point: Redis's own figure.
const FRACTION_DIGITS: usize = 17;

/// The longest text that Redis reads as one: its own figure.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// Of the places of the lowest and, one beyond, the highest bit that a number can have.
const PLACE_MIN: i64 = -16_445;
const PLACE_END: i64 = 16_384;

/// Powers of ten beyond which no number is one, with room.
const TENS_MAX: i64 = 5_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LongDouble {
    is_negative: bool,
    size: Size,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// So many of two to this power.
    Finite(u64, i64),
    Infinite,
}

impl LongDouble {
    pub(crate) const ZERO: Self = Self { is_negative: false, size: Size::Finite(0, 0) };

    /// A number in decimal, or an infinity, and nothing around it. What is too large or too small to be one is none.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (is_negative, text) = sign(text);
        let is_infinite = [&b"inf"[..], b"infinity"].iter().any(|word| text.eq_ignore_ascii_case(word));
        let size = if is_infinite { Size::Infinite } else { Decimal::read(text)?.size()? };
        Some(Self { is_negative, size })
    }

    pub(crate) fn is_finite(self) -> bool {
        self.size != Size::Infinite
    }

    /// `None`: it is no finite number.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let (Size::Finite(mine, my_place), Size::Finite(its, its_place)) = (self.size, other.size) else {
            return None;
        };
        let place = my_place.min(its_place);
        let (mine, its) =
            (BigUint::from(mine) << (my_place - place), BigUint::from(its) << (its_place - place));
        let (is_negative, sum) = match (self.is_negative == other.is_negative, mine < its) {
            (true, _) => (self.is_negative, mine + its),
            (false, true) => (other.is_negative, its - mine),
            (false, false) => (self.is_negative, mine - its),
        };
        let sum = Self { is_negative, size: rounded(&sum, place, false) };
        sum.is_finite().then_some(sum)
    }

    /// As Redis writes it for people: no exponent, and no zeros at the end.
    pub(crate) fn text(self) -> String {
        let Size::Finite(bits, place) = self.size else {
            return if self.is_negative { "-inf" } else { "inf" }.to_owned();
        };
        let text = match place {
            ..0 => fraction(bits, place.unsigned_abs()),
            0.. => (BigUint::from(bits) << place).to_string(),
        };
        if self.is_negative && text != "0" { format!("-{text}") } else { text }
    }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', text @ ..] => (true, text),
        [b'+', text @ ..] => (false, text),
        text => (false, text),
    }
}

/// So many of two to the power of minus `below`; half a last digit goes to the even one.
fn fraction(bits: u64, below: u64) -> String {
    let scaled = u128::from(bits) * 10_u128.pow(FRACTION_DIGITS as u32);
    let (whole, rest) = match u32::try_from(below).ok().and_then(|below| 1_u128.checked_shl(below)) {
        Some(one) => (scaled >> below, (scaled & (one - 1)).cmp(&(one >> 1))),
        None => (0, Ordering::Less),
    };
    let rounded =
        whole + u128::from(rest == Ordering::Greater || (rest == Ordering::Equal && whole % 2 == 1));
    let digits = format!("{rounded:0width$}", width = FRACTION_DIGITS + 1);
    let (whole, fraction) = digits.split_at(digits.len() - FRACTION_DIGITS);
    format!("{whole}.{fraction}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number as it is written: digits, and the power of ten of the last.
struct Decimal {
    digits: Vec<u8>,
    tens: i64,
}

impl Decimal {
    fn read(text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
        let (mantissa, exponent) = (parts.next()?, parts.next());
        let mut parts = mantissa.splitn(2, |byte| *byte == b'.');
        let (whole, behind) = (parts.next()?, parts.next().unwrap_or_default());
        let digits = [whole, behind].concat();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let tens = exponent.map_or(Some(0), power)?.saturating_sub(behind.len() as i64);
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        Some(Self { digits: digits[zeros..].to_vec(), tens })
    }

    /// The nearest that there is; of two, the even one.
    fn size(&self) -> Option<Size> {
        let Self { digits, tens } = self;
        if digits.is_empty() {
            return Some(Size::Finite(0, 0));
        }
        if tens.saturating_add(digits.len() as i64).abs() > TENS_MAX {
            return None;
        }
        let power = |tens: i64| BigUint::from(10_u8).pow(tens.unsigned_abs() as u32);
        let above = BigUint::parse_bytes(digits, 10)? * power((*tens).max(0));
        let below = power((*tens).min(0));
        match divided(&above, &below) {
            Size::Finite(0, _) | Size::Infinite => None,
            size => Some(size),
        }
    }
}

/// An exponent; one that nothing can make up for is as good as any such.
fn power(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let far = i64::from(i32::MAX);
    let power = digits.iter().fold(0, |power: i64, digit| (10 * power + i64::from(digit - b'0')).min(far));
    Some(if is_negative { -power } else { power })
}

/// The nearest to `above / below`; of two, the even one.
fn divided(above: &BigUint, below: &BigUint) -> Size {
    // Two bits more than are kept.
    let shift = (66 + bits(below) - bits(above)).max(0);
    let above = above << shift;
    rounded(&(&above / below), -shift, &above % below != BigUint::ZERO)
}

/// In 64 bits: so many of two to the power of `place`, and if it `is_cut` a little more.
fn rounded(whole: &BigUint, place: i64, is_cut: bool) -> Size {
    let drop = (bits(whole) - 64).max(PLACE_MIN - place).max(0);
    let kept = u64::try_from(whole >> drop).expect("no more than 64 bits are left");
    let is_up = match rest(whole, drop.unsigned_abs()) {
        Ordering::Less => false,
        Ordering::Equal => is_cut || kept % 2 == 1,
        Ordering::Greater => true,
    };
    let (kept, place) = match kept.checked_add(is_up.into()) {
        Some(kept) => (kept, place + drop),
        None => (1 << 63, place + drop + 1),
    };
    let end = place + i64::from(64 - kept.leading_zeros());
    if kept > 0 && end > PLACE_END { Size::Infinite } else { Size::Finite(kept, place) }
}

/// How the lowest bits, so many, compare with half of the one above them.
fn rest(whole: &BigUint, drop: u64) -> Ordering {
    match drop.checked_sub(1) {
        Some(half) if whole.bit(half) => match whole.trailing_zeros() == Some(half) {
            true => Ordering::Equal,
            false => Ordering::Greater,
        },
        _ => Ordering::Less,
    }
}

fn bits(whole: &BigUint) -> i64 {
    whole.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What redis-server 7.0.15 makes of these.
    const SUMS: &str = include_str!("long_double.txt");

    #[test]
    fn sums_are_those_of_redis() {
        for line in SUMS.lines().filter(|line| !line.starts_with('#')) {
            let [one, other, expected] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let read = |text: &str| LongDouble::read(text.as_bytes());
            let sum = match (read(one), read(other)) {
                (Some(one), Some(other)) => one.plus(other).map_or("infinite".to_owned(), LongDouble::text),
                _ => "none".to_owned(),
            };
            assert_eq!(sum, expected, "{one} {other}");
        }
    }
}
