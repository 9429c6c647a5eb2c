//! What a transaction relies on, and what is left of changes that leave no row.

use std::collections::BTreeMap;

use domain::{Guard, Serial};

use crate::ascending::ascending_map;
use crate::error::required;
use crate::key::database_of;
use crate::log::guard::Scope;
use crate::{DecodeError, log};

impl From<&Guard> for log::Guard {
    fn from(guard: &Guard) -> Self {
        let (scope, as_of) = match guard {
            Guard::Key { key, as_of } => (Scope::Key(key.into()), as_of),
            Guard::Database { database, as_of } => (Scope::Database((*database).into()), as_of),
        };
        Self { scope: Some(scope), as_of: as_of.0 }
    }
}

impl TryFrom<log::Guard> for Guard {
    type Error = DecodeError;

    fn try_from(guard: log::Guard) -> Result<Self, DecodeError> {
        let as_of = Serial(guard.as_of);
        Ok(match required("Guard.scope", guard.scope)? {
            Scope::Key(key) => Self::Key { key: key.try_into()?, as_of },
            Scope::Database(database) => {
                Self::Database { database: database_of("Guard.database", database)?, as_of }
            }
        })
    }
}

impl From<&domain::Traces> for log::Traces {
    fn from(traces: &domain::Traces) -> Self {
        let domain::Traces { since, removals, databases } = traces;
        Self { since: since.0, removals: encoded(removals), databases: encoded(databases) }
    }
}

impl TryFrom<log::Traces> for domain::Traces {
    type Error = DecodeError;

    fn try_from(traces: log::Traces) -> Result<Self, DecodeError> {
        let log::Traces { since, removals, databases } = traces;
        Ok(Self {
            since: Serial(since),
            removals: decoded("Traces.removals", removals)?,
            databases: decoded("Traces.databases", databases)?,
        })
    }
}

fn encoded<P: Copy + Into<u32>>(traces: &BTreeMap<P, Serial>) -> Vec<log::Trace> {
    let trace = |(place, serial): (&P, &Serial)| log::Trace { place: (*place).into(), serial: serial.0 };
    traces.iter().map(trace).collect()
}

fn decoded<P: Ord + TryFrom<u32>>(
    what: &'static str,
    traces: Vec<log::Trace>,
) -> Result<BTreeMap<P, Serial>, DecodeError> {
    let rows = traces.into_iter().map(|log::Trace { place, serial }| {
        let place =
            P::try_from(place).map_err(|_| DecodeError::new(what, format!("{place} is out of range")))?;
        Ok((place, Serial(serial)))
    });
    ascending_map(what, rows)
}
