//! What a WebSocket session may do with itself.

use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::venue::{Logon, Scheme, Subscription, Venue, Visitor};

/// Subscriptions that a session may have at a time.
const SUBSCRIPTIONS_MAX: usize = 1000;
/// Subscriptions that a session may have had.
const SUBSCRIPTIONS_EVER_MAX: u64 = 65_535;

pub(crate) fn logon(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let key = visitor.key.ok_or_else(Refusal::unknown_api_key)?;
    if !matches!(key.scheme, Scheme::Ed25519(_)) {
        return Err(Refusal::new(400, -4056, "HMAC_SHA256 API key is not supported."));
    }
    let since_ms = venue.now_ms();
    let logon = Logon { api_key: key.api_key, account: key.account, since_ms };
    venue.session_mut(visitor)?.logon = Some(logon);
    status(venue, visitor)
}

pub(crate) fn logout(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let session = venue.session_mut(visitor)?;
    session.logon = None;
    let by_logon: Vec<u64> = session
        .subscriptions
        .iter()
        .filter(|(_, subscription)| subscription.by_logon)
        .map(|(id, _)| *id)
        .collect();
    for id in by_logon {
        venue.end_subscription(visitor, id)?;
    }
    status(venue, visitor)
}

pub(crate) fn status(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let now_ms = venue.now_ms();
    let session = venue.session_mut(visitor)?;
    let logon = session.logon.as_ref();
    Ok(json!({
        "apiKey": logon.map(|logon| logon.api_key),
        "authorizedSince": logon.map(|logon| logon.since_ms),
        "connectedSince": session.connected_ms,
        "returnRateLimits": session.returns_rate_limits,
        "serverTime": now_ms,
        "userDataStream": !session.subscriptions.is_empty(),
    }))
}

pub(crate) fn subscriptions(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let session = venue.session_mut(visitor)?;
    Ok(session.subscriptions.keys().map(|id| json!({"subscriptionId": id})).collect())
}

pub(crate) fn subscribe(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let logon = venue.session_mut(visitor)?.logon.clone();
    let logon = logon.ok_or_else(Refusal::unknown_api_key)?;
    begin(venue, visitor, Subscription { account: logon.account, by_logon: true })
}

pub(crate) fn subscribe_by_signature(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let key = visitor.key.ok_or_else(Refusal::unknown_api_key)?;
    begin(venue, visitor, Subscription { account: key.account, by_logon: false })
}

fn begin(venue: &mut Venue, visitor: &Visitor<'_>, subscription: Subscription) -> Result<Value, Refusal> {
    let session = venue.session_mut(visitor)?;
    let is_same = |other: &Subscription| other.account == subscription.account;
    if session.subscriptions.values().any(is_same) {
        return Err(Refusal::new(400, -2035, "User Data Stream subscription already active."));
    }
    if session.subscriptions.len() >= SUBSCRIPTIONS_MAX || session.subscribed >= SUBSCRIPTIONS_EVER_MAX {
        return Err(Refusal::new(400, -2042, "Maximum subscription ID reached for this connection."));
    }
    let id = session.subscribed;
    session.subscribed += 1;
    session.subscriptions.insert(id, subscription);
    Ok(json!({"subscriptionId": id}))
}

pub(crate) fn unsubscribe(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let wanted = visitor.params.id("subscriptionId")?;
    let session = venue.session_mut(visitor)?;
    let ended: Vec<u64> = session
        .subscriptions
        .keys()
        .copied()
        .filter(|id| wanted.is_none_or(|wanted| wanted == *id))
        .collect();
    if ended.is_empty() {
        return Err(Refusal::new(400, -2036, "User Data Stream subscription not active."));
    }
    for id in ended {
        venue.end_subscription(visitor, id)?;
    }
    Ok(json!({}))
}
