//! `notify-keyspace-events`: which events of keys become messages, and under which channels.
//!
//! It is a setting of the node, as in Redis: of its file, and of `CONFIG SET` until it ends.

use domain::{Classes, Interest, Key, KeyEvent, Published};

/// Every letter that Redis knows. Those without a class are of values and events that there are not here.
const CLASSES: [(char, Classes); 11] = [
    ('g', Classes::GENERIC),
    ('$', Classes::STRING),
    ('l', Classes::LIST),
    ('s', Classes::SET),
    ('h', Classes::HASH),
    ('z', Classes::SORTED_SET),
    ('x', Classes::EXPIRED),
    ('e', Classes::NONE),
    ('t', Classes::NONE),
    ('d', Classes::NONE),
    ('n', Classes::NEW),
];

/// What `A` stands for.
const ALL: &str = "g$lshzxetd";

/// Not of a class.
const KEYSPACE: char = 'K';
const KEYEVENT: char = 'E';
/// A read of a key that is not there; reads are not in the log.
const MISS: char = 'm';

/// Whether these are letters for `notify-keyspace-events`.
pub fn knows_events(letters: &str) -> bool {
    Notify::parse(letters).is_some()
}

/// The letters that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notify {
    /// As `CONFIG GET` tells them.
    text: String,
    keyspace: bool,
    keyevent: bool,
    classes: Classes,
}

impl Notify {
    /// `None`: there is no such letter.
    pub(crate) fn parse(letters: &str) -> Option<Self> {
        let known = |letter: char| {
            letter == 'A'
                || [KEYSPACE, KEYEVENT, MISS].contains(&letter)
                || CLASSES.iter().any(|(known, _)| *known == letter)
        };
        if !letters.chars().all(known) {
            return None;
        }
        let is_set =
            |letter: char| letters.contains(letter) || (letters.contains('A') && ALL.contains(letter));
        let is_all = ALL.chars().all(is_set);
        let mut text = String::new();
        if is_all {
            text.push('A');
        } else {
            text.extend(CLASSES.iter().map(|(letter, _)| *letter).filter(|letter| is_set(*letter)));
        }
        text.extend([KEYSPACE, KEYEVENT, MISS].into_iter().filter(|letter| is_set(*letter)));
        let mut classes = Classes::NONE;
        CLASSES.iter().filter(|(letter, _)| is_set(*letter)).for_each(|(_, class)| classes |= *class);
        Some(Self { text, keyspace: is_set(KEYSPACE), keyevent: is_set(KEYEVENT), classes })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What must be listened to for this.
    pub(crate) fn interest(&self) -> Interest {
        let keys = if self.keyspace || self.keyevent { self.classes } else { Classes::NONE };
        Interest { messages: false, keys }
    }

    /// The messages that tell of an event, in Redis's order.
    pub(crate) fn messages(&self, key: &Key, what: KeyEvent) -> impl Iterator<Item = Published> {
        let is_told = self.classes.holds(what.class());
        let channel = |kind: &str, of: &[u8]| {
            let mut channel = format!("__{kind}@{}__:", key.database).into_bytes();
            channel.extend_from_slice(of);
            channel.into()
        };
        let keyspace = (is_told && self.keyspace).then(|| Published {
            channel: channel("keyspace", &key.name),
            message: what.word().as_bytes().into(),
            sharded: false,
        });
        let keyevent = (is_told && self.keyevent).then(|| Published {
            channel: channel("keyevent", what.word().as_bytes()),
            message: key.name.clone(),
            sharded: false,
        });
        keyspace.into_iter().chain(keyevent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-server 7.0.15 tells them again.
    #[test]
    fn letters_are_told_in_redis_order() {
        let told = [
            ("", ""),
            ("KEA", "AKE"),
            ("KE$g", "g$KE"),
            ("g$lshzxetdnmKE", "AKEm"),
            ("AKEmn", "AKEm"),
            ("A", "A"),
            ("nxe", "xen"),
            ("xEx", "xE"),
        ];
        for (letters, text) in told {
            assert_eq!(Notify::parse(letters).unwrap().text(), text, "{letters}");
        }
        assert_eq!(Notify::parse("foo"), None);
        assert_eq!(Notify::parse("é"), None);
    }

    #[test]
    fn what_nobody_can_hear_of_is_not_listened_to() {
        let interest = |letters| Notify::parse(letters).unwrap().interest();
        assert!(interest("").is_none());
        assert!(interest("A").is_none());
        assert!(interest("KE").is_none());
        assert!(interest("Ee").is_none());
        assert_eq!(interest("Ex").keys, Classes::EXPIRED);
        assert_eq!(interest("Kg$").keys, Classes::GENERIC | Classes::STRING);
    }

    #[test]
    fn an_event_becomes_two_messages_at_most() {
        let told = |letters, what| {
            let notify = Notify::parse(letters).unwrap();
            let key = Key::new(3, *b"k");
            let messages = notify.messages(&key, what);
            let words = |Published { channel, message, .. }: Published| {
                format!("{} {}", channel.escape_ascii(), message.escape_ascii())
            };
            messages.map(words).collect::<Vec<_>>()
        };
        assert_eq!(told("KEA", KeyEvent::Set), ["__keyspace@3__:k set", "__keyevent@3__:set k"]);
        assert_eq!(told("Ex", KeyEvent::Expired), ["__keyevent@3__:expired k"]);
        assert!(told("Ex", KeyEvent::Set).is_empty());
        assert!(told("KEA", KeyEvent::New).is_empty());
    }
}
