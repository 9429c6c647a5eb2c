//! All that is wrong with the form of a request, said at once.

use std::fmt::Display;
use std::str::FromStr;

use tonic::Status;

use crate::refusal::Reason;

/// Collects what is wrong, and goes on reading.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Of which part of the request, as in `orders[3].`.
    at: String,
    found: Vec<String>,
}

impl Faults {
    /// What comes is of this part of the request, as in `orders[3]`.
    pub(crate) fn enter(&mut self, at: impl Display) {
        self.at = format!("{at}.");
    }

    pub(crate) fn say(&mut self, field: &str, why: impl Display) {
        self.found.push(format!("{}{field}: {why}", self.at));
    }

    /// What names its field by itself.
    pub(crate) fn add(&mut self, fault: impl Display) {
        self.found.push(format!("{}{fault}", self.at));
    }

    /// A number of a closed list that this version does not know is not taken for none.
    pub(crate) fn known<E: TryFrom<i32>>(&mut self, field: &str, number: i32) {
        if E::try_from(number).is_err() {
            self.say(field, format!("{number} is not known here"));
        }
    }

    pub(crate) fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.is_empty() {
            self.say(field, "missing");
            return None;
        }
        text.parse().map_err(|error| self.say(field, error)).ok()
    }

    pub(crate) fn optional<T: FromStr<Err: Display>>(
        &mut self,
        field: &str,
        text: Option<&String>,
    ) -> Option<T> {
        self.parse(field, text?)
    }

    /// Of which nothing is asked if it is empty.
    pub(crate) fn filter<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.is_empty() { None } else { self.parse(field, text) }
    }

    /// All that was found, as this.
    pub(crate) fn none(self, reason: Reason) -> Result<(), Status> {
        if self.found.is_empty() { Ok(()) } else { Err(reason.status_of_all(&self.found)) }
    }
}
