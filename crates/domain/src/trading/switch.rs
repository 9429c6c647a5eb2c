//! What people have switched: kill switches, modes, and breakers forced open.
//!
//! A switch holds until somebody takes it back, through every change of leadership and restart. It names what it covers, who
//! engaged it, and why.

use std::collections::BTreeMap;

use crate::digest::Feed;
use crate::limits::{OTHER_SWITCHES_MAX, TRADER_SWITCHES_MAX};
use crate::orders::reason::Mode;
use crate::trading::scope::Subject;
use crate::{Serial, VenueId};

/// Who switched, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub actor: String,
    pub reason: String,
    /// Of the command.
    pub serial: Serial,
    /// For people only.
    pub wall_ms: i64,
}

/// What became of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    Changed,
    /// It stood so already, and keeps the note of whoever set it.
    Unchanged,
    /// There are [`TRADER_SWITCHES_MAX`] others of traders, or [`OTHER_SWITCHES_MAX`] of what is configured.
    Full,
}

/// All switches that are not as they are by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Kill switches that are engaged: no orders.
    pub kills: BTreeMap<Subject, Note>,
    /// None of them is [`Mode::Normal`].
    pub modes: BTreeMap<Subject, (Mode, Note)>,
    /// Breakers that are forced open: no orders at the venue, and cancels as ever.
    pub breakers: BTreeMap<VenueId, Note>,
}

impl Switches {
    /// The switch of [`Subject::All`] is never refused.
    pub fn engage(&mut self, subject: Subject, note: Note) -> Switched {
        if self.kills.contains_key(&subject) {
            return Switched::Unchanged;
        }
        if is_full(&self.kills, &subject) {
            return Switched::Full;
        }
        self.kills.insert(subject, note);
        Switched::Changed
    }

    pub fn release(&mut self, subject: &Subject) -> Switched {
        changed(self.kills.remove(subject).is_some())
    }

    /// [`Subject::All`] is never refused.
    pub fn set_mode(&mut self, subject: Subject, mode: Mode, note: Note) -> Switched {
        if self.mode(&subject) == mode {
            return Switched::Unchanged;
        }
        if mode == Mode::Normal {
            return changed(self.modes.remove(&subject).is_some());
        }
        let is_new = !self.modes.contains_key(&subject);
        if is_new && is_full(&self.modes, &subject) {
            return Switched::Full;
        }
        self.modes.insert(subject, (mode, note));
        Switched::Changed
    }

    pub fn force_open(&mut self, venue: VenueId, note: Note) -> Switched {
        if self.breakers.contains_key(&venue) {
            return Switched::Unchanged;
        }
        if self.breakers.len() >= OTHER_SWITCHES_MAX {
            return Switched::Full;
        }
        self.breakers.insert(venue, note);
        Switched::Changed
    }

    pub fn close(&mut self, venue: &VenueId) -> Switched {
        changed(self.breakers.remove(venue).is_some())
    }

    pub fn mode(&self, subject: &Subject) -> Mode {
        self.modes.get(subject).map_or(Mode::Normal, |(mode, _)| *mode)
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { kills, modes, breakers } = self;
        for len in [kills.len(), modes.len(), breakers.len()] {
            feed.u64(len as u64);
        }
        for (subject, note) in kills {
            subject.feed(feed);
            note.feed(feed);
        }
        for (subject, (mode, note)) in modes {
            subject.feed(feed);
            feed.u64(*mode as u64);
            note.feed(feed);
        }
        for (venue, note) in breakers {
            feed.bytes(venue.as_str().as_bytes());
            note.feed(feed);
        }
    }
}

/// Whether there is no room for one more of this kind. Traders, who are not configured, take none from what is.
fn is_full<T>(switched: &BTreeMap<Subject, T>, subject: &Subject) -> bool {
    let traders = switched.keys().filter(|it| matches!(it, Subject::Trader(_))).count();
    match subject {
        Subject::All => false,
        Subject::Trader(_) => traders >= TRADER_SWITCHES_MAX,
        _ => switched.len() - traders >= OTHER_SWITCHES_MAX,
    }
}

fn changed(is_changed: bool) -> Switched {
    if is_changed { Switched::Changed } else { Switched::Unchanged }
}

impl Note {
    fn feed(&self, feed: &mut Feed) {
        let Self { actor, reason, serial, wall_ms } = self;
        feed.bytes(actor.as_bytes()).bytes(reason.as_bytes()).u64(serial.0).i64(*wall_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(actor: &str) -> Note {
        Note { actor: actor.into(), reason: "test".into(), serial: Serial(1), wall_ms: 0 }
    }

    #[test]
    fn who_switched_first_is_named() {
        let mut switches = Switches::default();
        assert_eq!(switches.engage(Subject::All, note("ann")), Switched::Changed);
        assert_eq!(switches.engage(Subject::All, note("bob")), Switched::Unchanged);
        assert_eq!(switches.kills[&Subject::All].actor, "ann");
        assert_eq!(switches.release(&Subject::All), Switched::Changed);
        assert_eq!(switches.release(&Subject::All), Switched::Unchanged);
        let venue: VenueId = "sim".parse().unwrap();
        assert_eq!(switches.force_open(venue.clone(), note("ann")), Switched::Changed);
        assert_eq!(switches.force_open(venue.clone(), note("bob")), Switched::Unchanged);
        assert_eq!(switches.breakers[&venue].actor, "ann");
        assert_eq!(switches.close(&venue), Switched::Changed);
        assert_eq!(switches, Switches::default());
    }

    #[test]
    fn a_normal_mode_leaves_nothing() {
        let mut switches = Switches::default();
        let mut set = |mode, actor| switches.set_mode(Subject::All, mode, note(actor));
        assert_eq!(set(Mode::Normal, "ann"), Switched::Unchanged);
        assert_eq!(set(Mode::ReduceOnly, "ann"), Switched::Changed);
        assert_eq!(set(Mode::ReduceOnly, "bob"), Switched::Unchanged);
        assert_eq!(set(Mode::Halted, "bob"), Switched::Changed);
        assert_eq!(set(Mode::Normal, "ann"), Switched::Changed);
        assert_eq!(switches, Switches::default());
    }

    #[test]
    fn there_is_always_room_to_stop_everything() {
        let mut switches = Switches::default();
        let trader = |n: usize| Subject::Trader(format!("t{n}").parse().unwrap());
        for n in 0..TRADER_SWITCHES_MAX {
            assert_eq!(switches.engage(trader(n), note("ann")), Switched::Changed);
            assert_eq!(switches.set_mode(trader(n), Mode::Halted, note("ann")), Switched::Changed);
        }
        let venue = |n: usize| format!("v{n}").parse::<VenueId>().unwrap();
        for n in 0..OTHER_SWITCHES_MAX {
            let venue_of = Subject::Venue(venue(n));
            assert_eq!(switches.engage(venue_of.clone(), note("ann")), Switched::Changed, "beside traders");
            assert_eq!(switches.set_mode(venue_of, Mode::Halted, note("ann")), Switched::Changed);
            assert_eq!(switches.force_open(venue(n), note("ann")), Switched::Changed);
        }
        assert_eq!(switches.force_open(venue(OTHER_SWITCHES_MAX), note("ann")), Switched::Full);
        let gone = Subject::Venue(venue(OTHER_SWITCHES_MAX));
        assert_eq!(switches.engage(gone, note("ann")), Switched::Full);
        let one_more = trader(TRADER_SWITCHES_MAX);
        assert_eq!(switches.engage(one_more.clone(), note("ann")), Switched::Full);
        assert_eq!(switches.set_mode(one_more, Mode::Halted, note("ann")), Switched::Full);
        assert_eq!(switches.set_mode(trader(0), Mode::CancelOnly, note("ann")), Switched::Changed);
        assert_eq!(switches.engage(Subject::All, note("ann")), Switched::Changed);
        assert_eq!(switches.set_mode(Subject::All, Mode::Halted, note("ann")), Switched::Changed);
    }
}
