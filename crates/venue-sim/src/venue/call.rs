//! One request: who may come in, and what is answered.

use serde_json::{Value, json};

use super::Venue;
use crate::api::{Door, FUTURES_PATH, Operation, Security, by_method, by_path, is_path, run};
use crate::engine::Product;
use crate::fault::{Answer, RequestAct, RequestFacts};
use crate::identity::{ACCOUNT, API_KEY, ED25519_API_KEY, ED25519_PUBLIC_KEY, SECRET};
use crate::ledger::RequestRow;
use crate::limits::{AHEAD_MS_MAX, RECEIVE_WINDOW_MS_DEFAULT, RECEIVE_WINDOW_MS_MAX};
use crate::params::Params;
use crate::refusal::Refusal;
pub(crate) use crate::signature::Scheme;
use crate::signature::payload;

/// An API key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) api_key: &'static str,
    pub(crate) account: &'static str,
    pub(crate) scheme: Scheme,
}

static KEYS: [Key; 2] = [
    Key { api_key: API_KEY, account: ACCOUNT, scheme: Scheme::Hmac(SECRET) },
    Key { api_key: ED25519_API_KEY, account: ACCOUNT, scheme: Scheme::Ed25519(ED25519_PUBLIC_KEY) },
];

impl Key {
    /// The key of the operator, who needs none.
    pub(crate) fn of_operator() -> &'static Key {
        &KEYS[0]
    }
}

/// Who was let in, with what.
pub(crate) struct Visitor<'a> {
    pub(crate) product: Product,
    pub(crate) params: &'a Params,
    /// Of a signed request.
    pub(crate) key: Option<&'static Key>,
    /// Of a WebSocket.
    pub(crate) session: Option<u64>,
}

impl Visitor<'_> {
    pub(crate) fn account(&self) -> &'static str {
        self.key.expect("a signed door lets in only who has a key").account
    }
}

/// A request as it came.
#[derive(Debug)]
pub struct Call {
    product: Product,
    address: String,
    /// Method and path, or a method of the WebSocket API.
    name: String,
    method: Option<String>,
    path: Option<String>,
    ws_method: Option<String>,
    door: Option<&'static Door>,
    params: Result<Params, Refusal>,
    api_key: Option<String>,
    payload: String,
    session: Option<u64>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.operation)
    }
}

impl Call {
    /// By REST. `query` and `body` are as they came, encoded.
    pub fn rest(
        address: &str,
        method: &str,
        path: &str,
        query: &str,
        body: &str,
        api_key: Option<&str>,
    ) -> Call {
        let is_futures = path.starts_with(FUTURES_PATH);
        Call {
            product: if is_futures { Product::Futures } else { Product::Spot },
            address: address.into(),
            name: format!("{method} {path}"),
            method: Some(method.into()),
            path: Some(path.into()),
            ws_method: None,
            door: by_path(method, path),
            params: Params::from_form(query, body),
            api_key: api_key.map(str::to_owned),
            payload: payload(query, body),
            session: None,
        }
    }

    /// By the WebSocket API.
    pub fn ws(address: &str, session: u64, method: &str, params: Option<&Value>) -> Call {
        let params = Params::from_json(params);
        let sent = params.as_ref().ok();
        Call {
            product: Product::Spot,
            address: address.into(),
            name: method.into(),
            method: None,
            path: None,
            ws_method: Some(method.into()),
            door: by_method(method),
            api_key: sent.and_then(|params| params.raw("apiKey")).map(str::to_owned),
            payload: sent.map(Params::payload).unwrap_or_default(),
            params,
            session: Some(session),
        }
    }

    fn raw(&self, names: &[&str]) -> Option<&str> {
        let params = self.params.as_ref().ok()?;
        names.iter().find_map(|name| params.raw(name))
    }

    fn facts(&self) -> RequestFacts<'_> {
        RequestFacts {
            method: self.method.as_deref(),
            path: self.path.as_deref(),
            ws_method: self.ws_method.as_deref(),
            symbol: self.raw(&["symbol"]),
            client_order_id: self.raw(&["origClientOrderId", "newClientOrderId"]),
            address: &self.address,
        }
    }

    fn row(&self, arrived_ms: i64, fault: Option<String>) -> RequestRow {
        let text = |names: &[&str]| self.raw(names).map(str::to_owned);
        RequestRow {
            number: 0,
            arrived_ms,
            address: self.address.clone(),
            door: self.name.clone(),
            symbol: text(&["symbol"]),
            client_order_id: text(&["origClientOrderId", "newClientOrderId"]),
            order_id: text(&["orderId", "cancelOrderId"]),
            side: text(&["side"]),
            order_type: text(&["type"]),
            quantity: text(&["quantity", "quoteOrderQty"]),
            price: text(&["price"]),
            timestamp: text(&["timestamp"]),
            receive_window: text(&["recvWindow"]),
            fault,
            executed_ms: None,
            status: None,
            code: None,
        }
    }
}

/// A request that was written down.
#[derive(Clone, Debug)]
pub struct Arrival {
    arrived_ms: i64,
    /// In the ledger.
    number: Option<u64>,
    /// What a fault does to it.
    pub act: Option<RequestAct>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// As of HTTP.
    pub status: u16,
    /// Of HTTP; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or what a machine before the exchange says.
    pub body: Body,
}

/// See [`Reply::body`].
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Json(Value),
    Html(String),
}

impl Reply {
    /// What a fault answers in place of the truth.
    pub fn forged(answer: &Answer) -> Reply {
        let meaning = answer.signal.map(crate::fault::Signal::meaning);
        let status = meaning.as_ref().map(|meaning| meaning.status).or(answer.status).unwrap_or(500);
        let error = meaning.as_ref().and_then(|meaning| meaning.error);
        let code = answer.code.or(error.map(|(code, _)| code));
        let msg = answer.msg.as_deref().or(error.map(|(_, msg)| msg)).unwrap_or_default();
        let body = match code {
            Some(code) => Body::Json(json!({"code": code, "msg": msg})),
            None => Body::Html(format!("<html><body><h1>{status}</h1>{msg}</body></html>\n")),
        };
        let retry_after = answer.retry_after_s.map(|seconds| ("retry-after", seconds.to_string()));
        Reply { status, headers: retry_after.into_iter().collect(), body }
    }
}

impl Venue {
    /// Writes a request down and looks for a fault that meets it.
    pub fn arrive(&mut self, now_ms: i64, call: &Call) -> Arrival {
        self.advance(now_ms);
        let met = self.faults.meet_request(&call.facts());
        let (name, act) = met.map_or((None, None), |(name, act)| (Some(name), Some(act)));
        let is_of_orders = call.door.is_some_and(|door| door.operation.is_of_orders());
        let number = is_of_orders.then(|| self.ledger.arrived(call.row(self.now_ms, name)));
        Arrival { arrived_ms: self.now_ms, number, act }
    }

    /// Lets a request in, carries it out, and answers as over HTTP.
    pub fn execute(&mut self, now_ms: i64, arrival: &Arrival, call: &Call) -> Reply {
        let result = self.carry_out(now_ms, arrival, call);
        let mut headers = self.headers(call);
        let reply = |status, headers, body| Reply { status, headers, body: Body::Json(body) };
        match result {
            Ok(body) => reply(200, headers, body),
            Err(refusal) => {
                if let Some(retry_at_ms) = refusal.retry_at_ms {
                    let wait_s = (retry_at_ms - self.now_ms + 999).max(0) / 1000;
                    headers.push(("retry-after", wait_s.to_string()));
                }
                reply(refusal.status, headers, refusal.body())
            }
        }
    }

    /// The same, in the envelope of the WebSocket API.
    pub fn execute_ws(&mut self, now_ms: i64, arrival: &Arrival, call: &Call, id: &Value) -> Value {
        let result = self.carry_out(now_ms, arrival, call);
        let mut envelope = match result {
            Ok(result) => json!({"id": id, "status": 200, "result": result}),
            Err(refusal) => {
                if refusal.status == 418 {
                    self.sessions.close_address(&call.address);
                }
                let mut error = refusal.body();
                if let Some(retry_at_ms) = refusal.retry_at_ms {
                    error["data"] = json!({"serverTime": self.now_ms, "retryAfter": retry_at_ms});
                }
                json!({"id": id, "status": refusal.status, "error": error})
            }
        };
        if self.returns_rate_limits(call) {
            envelope["rateLimits"] = self.rate_limits(call);
        }
        envelope
    }

    fn carry_out(&mut self, now_ms: i64, arrival: &Arrival, call: &Call) -> Result<Value, Refusal> {
        self.advance(now_ms);
        let result = self.let_in(arrival, call);
        if let Some(number) = arrival.number {
            let (status, code) = match &result {
                Ok(_) => (200, None),
                Err(refusal) => (refusal.status, Some(refusal.code)),
            };
            self.ledger.executed(number, self.now_ms, status, code);
        }
        result
    }

    fn let_in(&mut self, arrival: &Arrival, call: &Call) -> Result<Value, Refusal> {
        let weight = match (call.door, &call.params) {
            (Some(door), Ok(params)) => door.weight(params),
            _ => 1,
        };
        let now_ms = self.now_ms;
        self.segment_mut(call.product).usage.charge(&call.address, now_ms, weight)?;
        let door = call.door.ok_or_else(|| no_such_door(call))?;
        if self.in_maintenance && !door.operation.is_of_status() {
            return Err(Refusal::shutting_down());
        }
        let params = call.params.as_ref().map_err(Clone::clone)?;
        let key = match door.security {
            Security::Anybody | Security::Session => None,
            Security::Keyed => Some(key_of(call)?),
            Security::Signed => Some(self.authenticate(arrival.arrived_ms, call, door, params)?),
        };
        let sent = params.names().count();
        let read = params.names().filter(|name| door.reads(name)).count();
        if read < sent {
            return Err(Refusal::unread(read, sent));
        }
        let visitor = Visitor { product: call.product, params, key, session: call.session };
        run(self, door.operation, &visitor)
    }

    /// Whose key it is. The timestamp is looked at as of the arrival, and again as of now, right before the engine.
    fn authenticate(
        &self,
        arrived_ms: i64,
        call: &Call,
        door: &Door,
        params: &Params,
    ) -> Result<&'static Key, Refusal> {
        let by_logon = self.logged_on(call, params).filter(|_| door.operation != Operation::Logon);
        let key = match by_logon {
            Some(key) => key,
            None => key_of(call)?,
        };
        let timestamp_ms = params.time_ms("timestamp")?.ok_or_else(|| Refusal::missing("timestamp"))?;
        let window_ms = receive_window_ms(params)?;
        if timestamp_ms >= arrived_ms + AHEAD_MS_MAX {
            return Err(Refusal::ahead_of_time());
        }
        if arrived_ms - timestamp_ms > window_ms || self.now_ms - timestamp_ms > window_ms {
            return Err(Refusal::outside_window());
        }
        if by_logon.is_none() && !key.scheme.verify(&call.payload, params.need("signature")?) {
            return Err(Refusal::bad_signature());
        }
        Ok(key)
    }

    /// The key of a session that has logged on, if the request itself has none.
    fn logged_on(&self, call: &Call, params: &Params) -> Option<&'static Key> {
        if params.raw("apiKey").is_some() || params.raw("signature").is_some() {
            return None;
        }
        let logon = self.sessions.get(call.session?)?.logon.as_ref()?;
        KEYS.iter().find(|key| key.api_key == logon.api_key)
    }

    fn headers(&mut self, call: &Call) -> Vec<(&'static str, String)> {
        let now_ms = self.now_ms;
        let used = self.segment_mut(call.product).usage.weight(&call.address, now_ms).to_string();
        let mut headers = vec![("x-mbx-used-weight", used.clone()), ("x-mbx-used-weight-1m", used)];
        let counts = matches!(call.door, Some(door) if door.operation.counts_orders());
        if counts && let Ok(key) = key_of(call) {
            let limits = self.allowance(call.product).orders();
            let counts = self.order_counts(call.product, key.account);
            let told = limits.iter().zip(counts);
            headers.extend(told.map(|((interval, _), count)| (interval.header, count.to_string())));
        }
        headers
    }

    fn returns_rate_limits(&self, call: &Call) -> bool {
        match call.raw(&["returnRateLimits"]) {
            Some(text) => text == "true",
            None => call
                .session
                .and_then(|session| self.sessions.get(session))
                .is_none_or(|session| session.returns_rate_limits),
        }
    }

    fn rate_limits(&mut self, call: &Call) -> Value {
        let counts = matches!(call.door, Some(door) if door.operation.counts_orders());
        let mut rows =
            if counts { crate::api::order_limits(self, call.product, ACCOUNT) } else { Vec::new() };
        let (limit, now_ms) = (self.allowance(call.product).weight_per_minute, self.now_ms);
        rows.push(json!({
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limit,
            "count": self.segment_mut(call.product).usage.weight(&call.address, now_ms),
        }));
        Value::Array(rows)
    }
}

fn key_of(call: &Call) -> Result<&'static Key, Refusal> {
    let api_key = match (&call.api_key, call.session) {
        (Some(api_key), _) => api_key,
        (None, Some(_)) => return Err(Refusal::missing("apiKey")),
        (None, None) => return Err(Refusal::bad_api_key()),
    };
    if api_key.is_empty() || !api_key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::bad_api_key());
    }
    KEYS.iter().find(|key| key.api_key == api_key).ok_or_else(Refusal::unknown_api_key)
}

/// In milliseconds; parts of one are dropped.
fn receive_window_ms(params: &Params) -> Result<i64, Refusal> {
    let window = params.amount("recvWindow")?.unwrap_or_else(|| RECEIVE_WINDOW_MS_DEFAULT.into());
    if window > RECEIVE_WINDOW_MS_MAX.into() {
        return Err(Refusal::too_great("recvWindow", RECEIVE_WINDOW_MS_MAX));
    }
    Ok(i64::try_from(window.trunc()).expect("no more than a minute"))
}

fn no_such_door(call: &Call) -> Refusal {
    match &call.path {
        None => Refusal::new(400, -1020, "This operation is not supported."),
        Some(path) if is_path(path) => Refusal::new(405, -1020, "This operation is not supported."),
        Some(_) => Refusal::new(404, -1020, "This operation is not supported."),
    }
}
