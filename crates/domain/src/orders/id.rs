//! What an order is called: here, and at its venue.

use std::fmt;

use crate::{Epoch, Serial};

/// The serial under which its intent was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderId(pub Serial);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Four characters `[a-z0-9]` that tell the orders of one cluster from those of any other at the same venue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag([u8; 4]);

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const EPOCH_DIGITS: usize = 2;
const SERIAL_DIGITS: usize = 9;

impl Tag {
    /// From any random number, as the cluster's id is one.
    pub fn of(random: u128) -> Self {
        let mut tag = [0; 4];
        write(&mut tag, (random % 36_u128.pow(4)) as u64);
        Self(tag)
    }

    /// `None` of anything but four characters `[a-z0-9]`.
    pub fn parse(text: &str) -> Option<Self> {
        let tag: [u8; 4] = text.as_bytes().try_into().ok()?;
        tag.iter().all(|digit| DIGITS.contains(digit)).then_some(Self(tag))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("its characters are ASCII")
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an order is called at its venue: `q`, the cluster's tag, two digits of epoch and nine of serial in base 36, sixteen
/// characters that every venue takes. It cannot be before the intent is committed, and never comes twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientOrderId {
    pub tag: Tag,
    pub epoch: Epoch,
    pub order: OrderId,
}

impl ClientOrderId {
    /// `None`: not one of ours, of whatever cluster.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('q').filter(|_| text.is_ascii() && text.len() == 16)?;
        let (tag, numbers) = digits.split_at(4);
        let (epoch, serial) = numbers.split_at(EPOCH_DIGITS);
        let epoch = Epoch::new(u16::try_from(read(epoch)?).ok()?)?;
        Some(Self { tag: Tag::parse(tag)?, epoch, order: OrderId(Serial(read(serial)?)) })
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut epoch, mut serial) = ([0; EPOCH_DIGITS], [0; SERIAL_DIGITS]);
        write(&mut epoch, self.epoch.get().into());
        write(&mut serial, self.order.0.0);
        let text = |digits| std::str::from_utf8(digits).expect("its characters are ASCII");
        write!(f, "q{}{}{}", self.tag, text(&epoch), text(&serial))
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn write(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 36) as usize];
        number /= 36;
    }
    assert_eq!(number, 0, "a serial has 44 bits, an epoch nine");
}

fn read(digits: &str) -> Option<u64> {
    digits.bytes().try_fold(0, |number, digit| {
        let digit = DIGITS.iter().position(|it| *it == digit)?;
        Some(number * 36 + digit as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_and_read() {
        let greatest = Serial((1 << 44) - 1);
        for (epoch, serial, text) in [
            (0, Serial(0), "qtag000000000000"),
            (1, Serial(36), "qtag001000000010"),
            (511, greatest, "qtag0e768hqlcqv3"),
        ] {
            let id = ClientOrderId {
                tag: Tag::parse("tag0").unwrap(),
                epoch: Epoch::new(epoch).unwrap(),
                order: OrderId(serial),
            };
            assert_eq!(id.to_string(), text);
            assert_eq!(ClientOrderId::parse(text), Some(id));
        }
        for foreign in
            ["", "q", "web_1234567890ab", "qTAG001000000010", "qtag0zz000000010", "xtag001000000010"]
        {
            assert_eq!(ClientOrderId::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_tag_is_four_characters_of_anything() {
        assert_eq!(Tag::of(0).as_str(), "0000");
        assert_eq!(Tag::of(u128::MAX).as_str().len(), 4);
        assert_eq!(Tag::parse("abc"), None);
        assert_eq!(Tag::parse("abcD"), None);
    }
}
