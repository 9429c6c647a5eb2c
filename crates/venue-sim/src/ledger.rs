//! What really happened to requests for orders: written down as they arrive, whatever the caller is told.

use std::collections::VecDeque;

use serde::Serialize;

use crate::limits::HISTORY_ROWS_MAX;

/// A request to place or to cancel.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub(crate) struct RequestRow {
    /// Counts requests for orders from 1 on.
    pub(crate) number: u64,
    pub(crate) arrived_ms: i64,
    /// Where it came from, without a port.
    pub(crate) address: String,
    /// `POST /api/v3/order`, or a method of the WebSocket API.
    pub(crate) door: String,
    pub(crate) symbol: Option<String>,
    /// `newClientOrderId` of a new order, `origClientOrderId` of a cancel.
    pub(crate) client_order_id: Option<String>,
    pub(crate) order_id: Option<String>,
    pub(crate) side: Option<String>,
    pub(crate) order_type: Option<String>,
    pub(crate) quantity: Option<String>,
    pub(crate) price: Option<String>,
    pub(crate) timestamp: Option<String>,
    pub(crate) receive_window: Option<String>,
    /// The fault that met it.
    pub(crate) fault: Option<String>,
    /// When it was carried out, or refused by the rules; null if a fault kept it from both.
    pub(crate) executed_ms: Option<i64>,
    /// What the rules answered, which a fault may have kept from the caller.
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<i64>,
}

/// Requests for orders, in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    requests: VecDeque<RequestRow>,
    numbers: u64,
}

impl Ledger {
    /// Writes down an arrival; its number is set here.
    pub(crate) fn arrived(&mut self, row: RequestRow) -> u64 {
        self.numbers += 1;
        self.requests.push_back(RequestRow { number: self.numbers, ..row });
        if self.requests.len() > HISTORY_ROWS_MAX {
            self.requests.pop_front();
        }
        self.numbers
    }

    /// What became of a request.
    pub(crate) fn executed(&mut self, number: u64, at_ms: i64, status: u16, code: Option<i64>) {
        let forgotten = self.forgotten();
        let place = number.checked_sub(forgotten + 1).and_then(|place| usize::try_from(place).ok());
        if let Some(row) = place.and_then(|place| self.requests.get_mut(place)) {
            row.executed_ms = Some(at_ms);
            row.status = Some(status);
            row.code = code;
        }
    }

    pub(crate) fn requests(&self) -> &VecDeque<RequestRow> {
        &self.requests
    }

    /// How many of the oldest are not kept any longer.
    pub(crate) fn forgotten(&self) -> u64 {
        self.numbers - self.requests.len() as u64
    }
}
