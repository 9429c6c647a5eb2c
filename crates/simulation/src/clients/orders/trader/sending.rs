//! What a trader sends to the exchange, and what it reports of the answers: at once or late, once or again, itself or through
//! another.
//!
//! What was lost is asked for before it is sent again: a name is free at the exchange as soon as its order is filled.

use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::Value;
use wire::v1;
use wire::v1::order_service_client::OrderServiceClient;

use super::Trader;
use crate::clients::orders::exchange::{Heard, Signing, ask};
use crate::clients::orders::words::{self, report_of, report_of_shown};
use crate::clients::orders::{Alive, words::name};
use crate::clock::now_ns;
use crate::judge::orders::record::{Got, Shown, Told};

/// Reports in one call: each says four things at most, and a call 32.
const REPORTS_AT_ONCE: usize = 6;

/// How often something is tried that the exchange does not answer.
const TRIES: usize = 6;

/// Orders that are remembered as alive.
const ALIVE_MAX: usize = 60;

impl Trader {
    pub(super) fn an_order_alive(&mut self) -> Option<Alive> {
        let alive = self.desk.alive.lock();
        let own: Vec<&Alive> = alive.iter().filter(|alive| alive.strategy == self.strategy).collect();
        own.choose(&mut self.random).map(|alive| (*alive).clone())
    }

    /// At times it thinks better of it.
    pub(super) async fn send_at_times(&mut self, shown: &Shown) {
        if self.random.random_ratio(1, 20) {
            let report = v1::OrderReport { not_sent: true, ..report_of(&shown.client_order_id) };
            return self.tell(report).await;
        }
        self.send(shown).await;
    }

    /// Until it is certain what became of it.
    async fn send(&mut self, shown: &Shown) {
        let id = shown.client_order_id.as_str();
        let (quantity, price) = (shown.quantity.to_string(), shown.price.map(|price| price.to_string()));
        let mut params = vec![
            ("symbol", shown.symbol.as_str()),
            ("side", if shown.is_buy { "BUY" } else { "SELL" }),
            ("type", shown.order_type.as_str()),
            ("quantity", quantity.as_str()),
            ("newClientOrderId", id),
            ("newOrderRespType", "FULL"),
        ];
        params.extend(price.as_deref().map(|price| ("price", price)));
        if !shown.time_in_force.is_empty() {
            params.push(("timeInForce", shown.time_in_force.as_str()));
        }
        let signing = Signing { timestamp_ms: shown.timestamp_ms, window_ms: shown.window_ms };
        for _ in 0..TRIES {
            match ask("POST", "/api/v3/order", &params, signing).await {
                Heard::Answer(order) => {
                    let trades = order["fills"].as_array().cloned().unwrap_or_default();
                    return self.learn(&shown.strategy, &shown.symbol, id, &order, &trades).await;
                }
                Heard::Refused(code, reason) => {
                    let (ended, code) = (v1::OrderStatus::Rejected.into(), code.to_string());
                    return self.tell(v1::OrderReport { ended, code, reason, ..report_of(id) }).await;
                }
                Heard::Lost => {}
            }
            let unknown = v1::UnknownCause::Reset.into();
            self.tell(v1::OrderReport { unknown, ..report_of(id) }).await;
            match self.query(&shown.symbol, id).await {
                Heard::Answer(order) => {
                    return self.learn_all(&shown.strategy, &shown.symbol, id, &order).await;
                }
                // It was never there, and what was lost does not come later here.
                Heard::Refused(..) => {}
                Heard::Lost => return,
            }
        }
    }

    pub(super) async fn send_cancel(&mut self, alive: &Alive, signing: Signing) {
        let Alive { strategy, symbol, client_order_id: id } = alive;
        let params = [("symbol", symbol.as_str()), ("origClientOrderId", id.as_str())];
        let cancel = match ask("DELETE", "/api/v3/order", &params, signing).await {
            Heard::Answer(_) => v1::CancelOutcome::Done,
            Heard::Refused(..) => v1::CancelOutcome::Refused,
            Heard::Lost => v1::CancelOutcome::Unknown,
        };
        self.tell(v1::OrderReport { cancel: cancel.into(), ..report_of(id) }).await;
        if let Heard::Answer(order) = self.query(symbol, id).await {
            self.learn_all(strategy, symbol, id, &order).await;
        }
    }

    /// What became of an order since.
    pub(super) async fn look(&mut self) {
        let Some(Alive { strategy, symbol, client_order_id: id }) = self.an_order_alive() else { return };
        if let Heard::Answer(order) = self.query(&symbol, &id).await {
            self.learn_all(&strategy, &symbol, &id, &order).await;
        }
    }

    async fn query(&mut self, symbol: &str, id: &str) -> Heard {
        let params = [("symbol", symbol), ("origClientOrderId", id)];
        for _ in 0..TRIES {
            match ask("GET", "/api/v3/order", &params, Signing::now()).await {
                Heard::Lost => {}
                heard => return heard,
            }
        }
        Heard::Lost
    }

    /// An order that the exchange shows, with all its trades; at times without.
    async fn learn_all(&mut self, strategy: &str, symbol: &str, id: &str, order: &Value) {
        let order_id = order["orderId"].to_string();
        let trades = match self.random.random_ratio(1, 6) {
            true => Heard::Lost,
            false => {
                let params = [("symbol", symbol), ("orderId", order_id.as_str())];
                ask("GET", "/api/v3/myTrades", &params, Signing::now()).await
            }
        };
        let trades = match trades {
            Heard::Answer(trades) => trades.as_array().cloned().unwrap_or_default(),
            Heard::Refused(..) | Heard::Lost => Vec::new(),
        };
        self.learn(strategy, symbol, id, order, &trades).await;
    }

    async fn learn(&mut self, strategy: &str, symbol: &str, id: &str, order: &Value, trades: &[Value]) {
        let is_alive = matches!(order["status"].as_str(), Some("NEW" | "PARTIALLY_FILLED"));
        {
            let mut all = self.desk.alive.lock();
            all.retain(|alive| alive.client_order_id != id);
            if is_alive && all.len() < ALIVE_MAX {
                let (strategy, symbol) = (strategy.to_owned(), symbol.to_owned());
                all.push(Alive { strategy, symbol, client_order_id: id.to_owned() });
            }
        }
        self.tell(report_of_shown(id, order, trades)).await;
    }

    pub(super) async fn tell(&mut self, report: v1::OrderReport) {
        if self.random.random_ratio(1, 6) {
            self.desk.outbox.lock().push(report.clone());
        }
        if self.random.random_ratio(3, 4) {
            self.report(vec![report]).await;
        } else {
            self.desk.outbox.lock().push(report);
        }
    }

    /// What somebody has left to tell, in any order.
    pub(super) async fn tell_some(&mut self) {
        let mut reports = Vec::new();
        {
            let mut outbox = self.desk.outbox.lock();
            while !outbox.is_empty() && reports.len() < REPORTS_AT_ONCE {
                let at = self.random.random_range(0..outbox.len());
                reports.push(outbox.swap_remove(at));
            }
        }
        if !reports.is_empty() {
            self.report(reports).await;
        }
    }

    async fn report(&mut self, reports: Vec<v1::OrderReport>) {
        let request_id = self.caller.request_id();
        let request = v1::ReportRequest { reports: reports.clone(), request_id: request_id.into() };
        let invoked_ns = now_ns();
        let report = async |channel| OrderServiceClient::new(channel).report(request.clone()).await;
        let (_, got) = self.caller.call(report).await;
        for (at, report) in reports.into_iter().enumerate() {
            let got = match &got {
                Got::Answer { at_ns, value } if value.results[at].order.is_some() => {
                    Got::Answer { at_ns: *at_ns, value: value.header.clone().unwrap_or_default().serial }
                }
                Got::Answer { at_ns, .. } | Got::Refused { at_ns, .. } => {
                    Got::Refused { at_ns: *at_ns, reasons: Vec::new() }
                }
                Got::NotRun => Got::NotRun,
                Got::Unknown => Got::Unknown,
            };
            if matches!(got, Got::NotRun | Got::Unknown) {
                self.desk.outbox.lock().push(report.clone());
            }
            let client_order_id = name(&report).unwrap_or_default().to_owned();
            let told = Told { client_order_id, invoked_ns, got, said: words::said(&report) };
            tracing::debug!(?told, "told");
            self.desk.record.lock().told.push(told);
        }
    }
}
