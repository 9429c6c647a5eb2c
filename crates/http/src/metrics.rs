//! Counts of this crate, in a plain struct; whoever exports metrics reads it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::http::StatusCode;

/// The first digit of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    Success,
    ClientError,
    ServerError,
}

impl StatusClass {
    pub const ALL: [Self; 3] = [Self::Success, Self::ClientError, Self::ServerError];

    /// As dashboards write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }
}

impl From<StatusCode> for StatusClass {
    fn from(status: StatusCode) -> Self {
        match status.as_u16() {
            500.. => Self::ServerError,
            400.. => Self::ClientError,
            _ => Self::Success,
        }
    }
}

#[derive(Debug, Default)]
pub struct Metrics {
    requests: [AtomicU64; StatusClass::ALL.len()],
    pub connections_open: AtomicU64,
    /// Closed at once because there were too many.
    pub connections_refused: AtomicU64,
}

impl Metrics {
    /// Requests that were answered so.
    pub fn requests(&self, class: StatusClass) -> u64 {
        self.requests[class as usize].load(Relaxed)
    }

    pub(crate) fn count(&self, status: StatusCode) {
        self.requests[StatusClass::from(status) as usize].fetch_add(1, Relaxed);
    }
}
