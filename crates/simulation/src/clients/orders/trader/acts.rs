//! What a trader asks of the log.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rust_decimal::Decimal;
use tokio::time::sleep;
use wire::v1;
use wire::v1::order_service_client::OrderServiceClient;

use super::{STALL_MS, Trader};
use crate::clients::orders::exchange::Signing;
use crate::clients::orders::words::{self, ACCOUNT, GATEWAY, new_order};
use crate::clock::now_ns;
use crate::judge::orders::record::{Asked, CancelAsked, Got, Order, Shown, Wanted};

/// How long an order may wait for a switch.
const HOLD_MS: u64 = 5_000;

impl Trader {
    /// A new order, and then it is sent.
    pub(super) async fn trade(&mut self, token: u64) {
        let wanted = self.want(ACCOUNT, token);
        let hold_ms = if self.random.random_ratio(1, 8) { HOLD_MS } else { 0 };
        self.ask(wanted, hold_ms).await;
    }

    /// The same order by its key, under the lease of now; first of all those of which it has heard nothing.
    pub(super) async fn ask_again(&mut self, token: u64) {
        if let Some(wanted) = self.doubtful.pop() {
            return self.settle_doubt(Wanted { token, ..wanted }).await;
        }
        let Some(wanted) = self.wanted.choose(&mut self.random).cloned() else { return };
        if wanted.account == ACCOUNT {
            self.ask(Wanted { token, ..wanted }, 0).await;
        }
    }

    /// Another order by a key that is taken.
    pub(super) async fn ask_for_another(&mut self, token: u64) {
        let Some(wanted) = self.wanted.choose(&mut self.random).cloned() else { return };
        if wanted.account == ACCOUNT {
            let quantity = wanted.quantity + Decimal::new(1, 3);
            self.ask(Wanted { token, quantity, ..wanted }, 0).await;
        }
    }

    /// Under a token that was its own, or under another's lease.
    pub(super) async fn ask_wrongly(&mut self, token: u64) {
        let mut wanted = self.want(ACCOUNT, self.old.unwrap_or(token));
        if self.random.random_ratio(1, 4) {
            wanted.lease = "desk-0".to_owned();
        }
        self.ask(wanted, 0).await;
    }

    async fn ask(&mut self, wanted: Wanted, hold_ms: u64) {
        match self.authorize(wanted.clone(), hold_ms).await {
            Got::Answer { value: Order { shown, existing: false }, .. }
                if shown.authorized_serial.is_some() =>
            {
                self.stall_at_times().await;
                self.send_at_times(&shown).await;
            }
            Got::Unknown => self.doubtful.push(wanted),
            _ => {}
        }
    }

    /// It was certainly never sent: nobody was told that it is authorised.
    async fn settle_doubt(&mut self, wanted: Wanted) {
        match self.authorize(wanted.clone(), 0).await {
            Got::Answer { value: Order { shown, .. }, .. } if shown.authorized_serial.is_some() => {
                let report = words::report_of(&shown.client_order_id);
                self.tell(v1::OrderReport { not_sent: true, ..report }).await;
            }
            Got::Unknown => self.doubtful.push(wanted),
            _ => {}
        }
    }

    async fn authorize(&mut self, wanted: Wanted, hold_ms: u64) -> Got<Order> {
        let (order, request_id) = (Some(new_order(&wanted, hold_ms)), self.caller.request_id());
        let request = v1::AuthorizeRequest { order, request_id: request_id.into() };
        let invoked_ns = now_ns();
        let authorize = async |channel| OrderServiceClient::new(channel).authorize(request.clone()).await;
        let (node, got) = self.caller.call(authorize).await;
        let got = got.map(|response| answered(response.order, response.existing));
        self.note(Asked { node, invoked_ns, wanted, replaces: false, got: got.clone() });
        got
    }

    fn note(&mut self, asked: Asked) {
        tracing::debug!(?asked, "asked");
        if let Got::Refused { reasons, .. } = &asked.got
            && reasons.iter().any(|reason| matches!(reason.as_str(), "FENCED" | "EXPIRED"))
        {
            let is_of_now = self.held.is_some_and(|held| held.token == asked.wanted.token);
            if is_of_now && asked.wanted.lease == self.lease {
                self.held = None;
            }
        }
        self.desk.record.lock().asked.push(asked);
    }

    /// Several at once, of an account whose orders nobody here sends.
    pub(super) async fn batch(&mut self, token: u64) {
        let count = self.random.random_range(2..=4);
        let wanted: Vec<Wanted> = (0..count).map(|_| self.want(GATEWAY, token)).collect();
        let orders = wanted.iter().map(|wanted| new_order(wanted, 0)).collect();
        let request = v1::SubmitBatchRequest { orders, request_id: self.caller.request_id().into() };
        let invoked_ns = now_ns();
        let submit = async |channel| OrderServiceClient::new(channel).submit_batch(request.clone()).await;
        let (node, got) = self.caller.call(submit).await;
        for (at, wanted) in wanted.into_iter().enumerate() {
            let got = match &got {
                Got::Answer { at_ns, value } => match &value.results[at] {
                    v1::OrderResult { order: Some(order), existing, .. } => {
                        Got::Answer { at_ns: *at_ns, value: answered(Some(order.clone()), *existing) }
                    }
                    v1::OrderResult { denials, .. } => {
                        let reasons = denials.iter().map(|denial| denial.reason.clone()).collect();
                        Got::Refused { at_ns: *at_ns, reasons }
                    }
                },
                Got::Refused { at_ns, reasons } => Got::Refused { at_ns: *at_ns, reasons: reasons.clone() },
                Got::NotRun => Got::NotRun,
                Got::Unknown => Got::Unknown,
            };
            self.note(Asked { node, invoked_ns, wanted, replaces: false, got });
        }
    }

    /// An order of the strategy, whoever sent it.
    pub(super) async fn cancel(&mut self, token: u64) {
        let Some(alive) = self.an_order_alive() else { return };
        let invoked_ns = now_ns();
        let request = v1::CancelRequest {
            which: Some(v1::cancel_request::Which::ClientOrderId(alive.client_order_id.clone())),
            lease: self.lease.clone(),
            token,
            request_id: self.caller.request_id().into(),
        };
        let cancel = async |channel| OrderServiceClient::new(channel).cancel(request.clone()).await;
        let (node, got) = self.caller.call(cancel).await;
        let signing = got.answer().map(|response| Signing {
            timestamp_ms: response.timestamp_ms.unwrap_or_default(),
            window_ms: response.window_ms.unwrap_or_default(),
        });
        let got = got.map(|response| response.header.unwrap_or_default().serial);
        let client_order_id = alive.client_order_id.clone();
        let lease = self.lease.clone();
        let asked = CancelAsked { node, invoked_ns, client_order_id, lease, token, got };
        tracing::debug!(?asked, "cancel");
        self.desk.record.lock().cancels.push(asked);
        if let Some(signing) = signing {
            self.stall_at_times().await;
            self.send_cancel(&alive, signing).await;
        }
    }

    /// One order in the place of another.
    pub(super) async fn replace(&mut self, token: u64) {
        let Some(alive) = self.an_order_alive() else { return };
        let mut wanted = self.want(ACCOUNT, token);
        if wanted.symbol != alive.symbol {
            // What the other symbol costs it does not.
            (wanted.symbol, wanted.order_type) = (alive.symbol.clone(), "MARKET".to_owned());
            (wanted.time_in_force, wanted.price) = (String::new(), None);
            self.wanted.pop();
            self.wanted.push(wanted.clone());
        }
        let request = v1::ReplaceRequest {
            which: Some(v1::replace_request::Which::ClientOrderId(alive.client_order_id.clone())),
            order: Some(new_order(&wanted, 0)),
            request_id: self.caller.request_id().into(),
        };
        let invoked_ns = now_ns();
        let replace = async |channel| OrderServiceClient::new(channel).replace(request.clone()).await;
        let (node, got) = self.caller.call(replace).await;
        let got = got.map(|response| answered(response.order, response.existing));
        self.note(Asked { node, invoked_ns, wanted: wanted.clone(), replaces: true, got: got.clone() });
        match got {
            Got::Answer { value: Order { shown, existing: false }, .. } => {
                let Shown { timestamp_ms, window_ms, .. } = shown;
                self.send_cancel(&alive, Signing { timestamp_ms, window_ms }).await;
                self.send_at_times(&shown).await;
            }
            Got::Unknown => self.doubtful.push(wanted),
            _ => {}
        }
    }

    pub(super) async fn stall_at_times(&mut self) {
        if self.random.random_ratio(1, 12) {
            sleep(std::time::Duration::from_millis(self.random.random_range(STALL_MS))).await;
        }
    }
}

fn answered(order: Option<v1::Order>, existing: bool) -> Order {
    Order { shown: words::shown(order.unwrap_or_default()), existing }
}
