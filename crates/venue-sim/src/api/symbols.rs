//! `exchangeInfo`: what is traded, and by which rules.

use serde_json::{Value, json};

use crate::amount::show;
use crate::engine::{OrderType, Product, Range, Symbol, SymbolStatus};
use crate::limits::AVERAGE_MINUTES;
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

const ORDER_TYPES: [OrderType; 7] = [
    OrderType::Limit,
    OrderType::LimitMaker,
    OrderType::Market,
    OrderType::StopLoss,
    OrderType::StopLossLimit,
    OrderType::TakeProfit,
    OrderType::TakeProfitLimit,
];

pub(crate) fn exchange_info(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let wanted = named(venue, visitor)?;
    let status = match visitor.params.text("symbolStatus")? {
        Some(word) => {
            let no_such = || Refusal::new(400, -1122, "Invalid symbolStatus.");
            Some(SymbolStatus::parse(word).ok_or_else(no_such)?)
        }
        None => None,
    };
    if status.is_some() && wanted.is_some() {
        return Err(Refusal::bad_combination());
    }
    let symbols = venue.engine(visitor.product).symbols().filter(|(symbol, of_symbol)| {
        let is_named = wanted.as_ref().is_none_or(|names| names.contains(&symbol.name));
        is_named && status.is_none_or(|status| status == *of_symbol)
    });
    let symbols: Vec<Value> = symbols.map(|(symbol, status)| rules(symbol, status)).collect();
    Ok(json!({
        "timezone": "UTC",
        "serverTime": venue.now_ms(),
        "rateLimits": rate_limits(venue, visitor.product),
        "exchangeFilters": [],
        "symbols": symbols,
    }))
}

/// The symbols that `symbol` or `symbols` name, each of which must be there; nothing if neither was sent.
pub(crate) fn named(venue: &Venue, visitor: &Visitor<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let names: Vec<String> = match (visitor.params.text("symbol")?, visitor.params.text("symbols")?) {
        (Some(_), Some(_)) => return Err(Refusal::bad_combination()),
        (None, None) => return Ok(None),
        (Some(name), None) => vec![name.into()],
        (None, Some(list)) => serde_json::from_str(list).map_err(|_| {
            Refusal::illegal("symbols", r#"^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$"#)
        })?,
    };
    if names.iter().any(|name| venue.engine(visitor.product).symbol(name).is_none()) {
        return Err(Refusal::bad_symbol());
    }
    Ok(Some(names))
}

pub(crate) fn rate_limits(venue: &Venue, product: Product) -> Vec<Value> {
    let limits = venue.allowance(product);
    let mut rows = vec![json!({
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": limits.weight_per_minute,
    })];
    rows.extend(limits.orders().iter().map(|(interval, limit)| {
        json!({
            "rateLimitType": "ORDERS",
            "interval": interval.unit,
            "intervalNum": interval.number,
            "limit": limit,
        })
    }));
    rows
}

fn rules(symbol: &Symbol, status: SymbolStatus) -> Value {
    json!({
        "symbol": symbol.name,
        "status": status.as_str(),
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES.map(OrderType::as_str),
        "icebergAllowed": false,
        "ocoAllowed": false,
        "otoAllowed": false,
        "opoAllowed": false,
        "quoteOrderQtyMarketAllowed": true,
        "allowTrailingStop": false,
        "cancelReplaceAllowed": true,
        "amendAllowed": false,
        "pegInstructionsAllowed": false,
        "isSpotTradingAllowed": true,
        "isMarginTradingAllowed": false,
        "filters": filters(symbol),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    })
}

fn filters(symbol: &Symbol) -> Value {
    let lot = |filter: &str, range: &Range| {
        json!({
            "filterType": filter,
            "minQty": show(range.min),
            "maxQty": show(range.max),
            "stepSize": show(range.step),
        })
    };
    let percent = &symbol.percent;
    json!([
        {
            "filterType": "PRICE_FILTER",
            "minPrice": show(symbol.price.min),
            "maxPrice": show(symbol.price.max),
            "tickSize": show(symbol.price.step),
        },
        lot("LOT_SIZE", &symbol.lot),
        lot("MARKET_LOT_SIZE", &symbol.market_lot),
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": percent.bid_up.to_string(),
            "bidMultiplierDown": percent.bid_down.to_string(),
            "askMultiplierUp": percent.ask_up.to_string(),
            "askMultiplierDown": percent.ask_down.to_string(),
            "avgPriceMins": AVERAGE_MINUTES,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": show(symbol.notional_min),
            "applyMinToMarket": true,
            "maxNotional": show(symbol.notional_max),
            "applyMaxToMarket": false,
            "avgPriceMins": AVERAGE_MINUTES,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": symbol.orders_max},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": symbol.algo_orders_max},
    ])
}
