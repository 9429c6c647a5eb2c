//! How an account trades, what it pays, and by which key it is listened to.

use serde_json::{Value, json};

use super::super::symbols::named;
use super::super::trading::symbol;
use crate::amount::show;
use crate::engine::{Command, LEVERAGE_MAX, Position, Rejection, Symbol};
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

/// What a position may be worth at most: more than any lot here is.
pub(super) const NOTIONAL_MAX: &str = "1000000000";

pub(super) fn set_leverage(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let wanted = visitor.params.number("leverage")?.ok_or_else(|| Refusal::missing("leverage"))?;
    let known = u32::try_from(wanted).ok().filter(|leverage| (1..=LEVERAGE_MAX).contains(leverage));
    let not_valid = || Refusal::new(400, -4028, format!("Leverage {wanted} is not valid"));
    let leverage = known.ok_or_else(not_valid)?;
    let account = visitor.account().into();
    let command = Command::SetLeverage { account, symbol: symbol.clone(), leverage };
    venue.command(visitor.product, command).map_err(|rejection| match rejection {
        Rejection::InsufficientMargin => {
            Refusal::new(400, -2028, "Leverage is smaller than permitted: insufficient margin balance.")
        }
        _ => super::refusal::of_order(rejection),
    })?;
    Ok(json!({"symbol": symbol, "leverage": leverage, "maxNotionalValue": NOTIONAL_MAX}))
}

/// Margin is shared by all positions, and by no other way.
pub(super) fn set_margin_type(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    symbol(venue, visitor)?;
    match visitor.params.need("marginType")? {
        "CROSSED" => Err(Refusal::new(400, -4046, "No need to change margin type.")),
        "ISOLATED" => Err(not_allowed()),
        _ => Err(Refusal::invalid("marginType")),
    }
}

/// One-way mode, and no other.
pub(super) fn set_position_mode(visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let wanted = visitor.params.flag("dualSidePosition")?;
    match wanted.ok_or_else(|| Refusal::missing("dualSidePosition"))? {
        false => Err(Refusal::new(400, -4059, "No need to change position side.")),
        true => Err(not_allowed()),
    }
}

fn not_allowed() -> Refusal {
    Refusal::new(400, -4084, "Method is not allowed currently. Coming soon.")
}

pub(super) fn account_config() -> Value {
    json!({
        "feeTier": 0,
        "canTrade": true,
        "canDeposit": true,
        "canWithdraw": true,
        "dualSidePosition": false,
        "updateTime": 0,
        "multiAssetsMargin": false,
        "tradeGroupId": -1,
    })
}

pub(super) fn symbol_config(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    each(venue, visitor, |symbol, position| {
        json!({
            "symbol": symbol.name,
            "marginType": "CROSSED",
            "isAutoAddMargin": false,
            "leverage": position.leverage,
            "maxNotionalValue": NOTIONAL_MAX,
        })
    })
}

/// One bracket for whatever a position is worth.
pub(super) fn brackets(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    each(venue, visitor, |symbol, _| {
        json!({
            "symbol": symbol.name,
            "brackets": [{
                "bracket": 1,
                "initialLeverage": LEVERAGE_MAX,
                "notionalCap": 1_000_000_000,
                "notionalFloor": 0,
                "maintMarginRatio": 0.004,
                "cum": 0.0,
            }],
        })
    })
}

/// A row of each symbol, or of the one that is named.
fn each(
    venue: &mut Venue,
    visitor: &Visitor<'_>,
    row: impl Fn(&Symbol, &Position) -> Value,
) -> Result<Value, Refusal> {
    let wanted = named(venue, visitor)?;
    let held = venue.memory(visitor.product).holdings(visitor.account()).cloned().unwrap_or_default();
    let symbols = venue.engine(visitor.product).symbols().map(|(symbol, _)| symbol);
    let symbols = symbols.filter(|symbol| wanted.as_ref().is_none_or(|names| names.contains(&symbol.name)));
    Ok(symbols
        .map(|symbol| row(symbol, &held.positions.get(&symbol.name).copied().unwrap_or_default()))
        .collect())
}

pub(super) fn commission(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let rates = venue.engine(visitor.product).commission();
    Ok(json!({
        "symbol": symbol,
        "makerCommissionRate": rates.maker.to_string(),
        "takerCommissionRate": rates.taker.to_string(),
        "rpiCommissionRate": show(rates.maker),
    }))
}

pub(super) fn start_stream(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let now_ms = venue.now_ms();
    Ok(json!({"listenKey": venue.listen_keys().start(visitor.account(), now_ms)}))
}

pub(super) fn keep_stream(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let now_ms = venue.now_ms();
    let kept = venue.listen_keys().keep(visitor.account(), now_ms);
    let key = kept.ok_or_else(|| Refusal::new(400, -1125, "This listenKey does not exist."))?;
    Ok(json!({"listenKey": key}))
}

pub(super) fn end_stream(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    venue.listen_keys().end(visitor.account());
    Ok(json!({}))
}
