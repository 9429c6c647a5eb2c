//! Numbers with a fraction as Redis reckons with them: the `long double` of its usual machine, 64 bits and their place,
//! here in whole numbers, so that every node and every machine says the same.
//!
//! `INCRBYFLOAT` and `HINCRBYFLOAT` read two, add them, and write the sum with 17 digits behind the point.

use std::cmp::Ordering;

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
        let whole = |bits: u64, above: i64| Whole::from(u128::from(bits)).raised(above.unsigned_abs());
        let (mine, its) = (whole(mine, my_place - place), whole(its, its_place - place));
        let (is_negative, sum) = match (self.is_negative == other.is_negative, mine.compare(&its)) {
            (true, _) => (self.is_negative, mine.plus(&its)),
            (false, Ordering::Less) => (other.is_negative, its.minus(&mine)),
            (false, _) => (self.is_negative, mine.minus(&its)),
        };
        let sum = Self { is_negative, size: sum.rounded(place, false) };
        sum.is_finite().then_some(sum)
    }

    /// As Redis writes it for people: no exponent, and no zeros at the end.
    pub(crate) fn text(self) -> String {
        let Size::Finite(bits, place) = self.size else {
            return if self.is_negative { "-inf" } else { "inf" }.to_owned();
        };
        let text = match place {
            ..0 => fraction(bits, place.unsigned_abs()),
            0.. => Whole::from(u128::from(bits)).raised(place.unsigned_abs()).text(),
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
        let above = Whole::read(digits).tenfold((*tens).max(0).unsigned_abs());
        let below = Whole::from(1).tenfold((*tens).min(0).unsigned_abs());
        match above.divided(&below) {
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

/// A whole number of any size, the lowest 32 bits first, without zeros at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whole(Vec<u32>);

/// What fits into one word, for speed.
const DIGITS_AT_A_TIME: usize = 9;
const TENFOLD: u32 = 10_u32.pow(DIGITS_AT_A_TIME as u32);

impl Whole {
    fn read(digits: &[u8]) -> Self {
        digits.chunks(DIGITS_AT_A_TIME).fold(Self(Vec::new()), |read, digits| {
            let more = digits.iter().fold(0, |more, digit| 10 * more + u32::from(digit - b'0'));
            read.times(10_u32.pow(digits.len() as u32), more)
        })
    }

    fn tenfold(self, tens: u64) -> Self {
        let at_a_time = DIGITS_AT_A_TIME as u64;
        let most = (0..tens / at_a_time).fold(self, |whole, _| whole.times(TENFOLD, 0));
        most.times(10_u32.pow((tens % at_a_time) as u32), 0)
    }

    fn text(mut self) -> String {
        let mut parts = Vec::new();
        while !self.0.is_empty() {
            parts.push(self.take_digits());
        }
        let first = parts.pop().unwrap_or_default().to_string();
        parts.iter().rev().fold(first, |text, part| text + &format!("{part:0DIGITS_AT_A_TIME$}"))
    }

    /// The last few, which are gone then.
    fn take_digits(&mut self) -> u32 {
        let mut left = 0;
        for word in self.0.iter_mut().rev() {
            let wide = left << 32 | u64::from(*word);
            *word = (wide / u64::from(TENFOLD)) as u32;
            left = wide % u64::from(TENFOLD);
        }
        self.trim();
        left as u32
    }

    /// This, so many times, and more.
    fn times(mut self, factor: u32, more: u32) -> Self {
        let mut carried = u64::from(more);
        for word in &mut self.0 {
            let wide = u64::from(*word) * u64::from(factor) + carried;
            *word = wide as u32;
            carried = wide >> 32;
        }
        self.0.push(carried as u32);
        self.trim();
        self
    }

    /// Times two to this power.
    fn raised(&self, by: u64) -> Self {
        let (words, bits) = (usize::try_from(by / 32).unwrap_or_default(), by % 32);
        let mut raised = vec![0; words];
        let mut carried = 0;
        for word in self.0.iter().chain(&[0]) {
            let wide = u64::from(*word) << bits | carried;
            raised.push(wide as u32);
            carried = wide >> 32;
        }
        let mut raised = Self(raised);
        raised.trim();
        raised
    }

    fn plus(&self, other: &Self) -> Self {
        self.with(other, |one, other| one + other)
    }

    /// `other` is not the larger one.
    fn minus(&self, other: &Self) -> Self {
        self.with(other, |one, other| one - other)
    }

    fn with(&self, other: &Self, what: impl Fn(i64, i64) -> i64) -> Self {
        let word = |of: &Self, place: usize| i64::from(of.0.get(place).copied().unwrap_or_default());
        let mut carried = 0;
        let words = (0..=self.0.len().max(other.0.len())).map(|place| {
            let wide = what(word(self, place), word(other, place)) + carried;
            carried = wide >> 32;
            wide as u32
        });
        let mut with = Self(words.collect());
        with.trim();
        with
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Bit by bit, two more than are kept.
    fn divided(&self, by: &Self) -> Size {
        const BITS: i64 = 66;
        let (mine, its) = (self.bits() as i64, by.bits() as i64);
        let by = by.raised((mine - its).max(0).unsigned_abs());
        let mut left = self.raised((its - mine).max(0).unsigned_abs());
        let mut quotient = 0_u128;
        for _ in 0..=BITS {
            quotient <<= 1;
            if left.compare(&by).is_ge() {
                left = left.minus(&by);
                quotient |= 1;
            }
            left = left.raised(1);
        }
        Self::from(quotient).rounded(mine - its - BITS, !left.0.is_empty())
    }

    /// In 64 bits: so many of two to the power of `place`, and if it `is_cut` a little more.
    fn rounded(&self, place: i64, is_cut: bool) -> Size {
        let drop = (self.bits() as i64 - 64).max(PLACE_MIN - place).max(0);
        let (kept, rest) = self.split(drop.unsigned_abs() as usize);
        let is_up = match rest {
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

    /// What is left without the lowest bits, and how these compare with half of its lowest.
    fn split(&self, drop: usize) -> (u64, Ordering) {
        let bit = |place: usize| self.0.get(place / 32).is_some_and(|word| word >> (place % 32) & 1 == 1);
        let kept = (drop..self.bits()).rev().fold(0, |kept, place| kept << 1 | u64::from(bit(place)));
        let rest = match drop.checked_sub(1) {
            Some(half) if bit(half) && (0..half).any(bit) => Ordering::Greater,
            Some(half) if bit(half) => Ordering::Equal,
            _ => Ordering::Less,
        };
        (kept, rest)
    }

    fn bits(&self) -> usize {
        self.0.last().map_or(0, |last| 32 * self.0.len() - last.leading_zeros() as usize)
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

impl From<u128> for Whole {
    fn from(number: u128) -> Self {
        let mut whole = Self((0..4).map(|word| (number >> (32 * word)) as u32).collect());
        whole.trim();
        whole
    }
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
