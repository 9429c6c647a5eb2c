//! `exchangeInfo`: which contracts there are, and by which rules.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::symbols::rate_limits;
use super::wire::plain;
use crate::engine::{Product, Range, Symbol, SymbolStatus};
use crate::venue::Venue;

/// A perpetual contract is delivered then, that is, never.
const NEVER_MS: i64 = 4_133_404_800_000;

pub(super) fn exchange_info(venue: &Venue) -> Value {
    let symbols = venue.engine(Product::Futures).symbols();
    let symbols: Vec<Value> =
        symbols.map(|(symbol, status)| rules(symbol, status, venue.begun_ms())).collect();
    json!({
        "timezone": "UTC",
        "serverTime": venue.now_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits(venue, Product::Futures),
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": true, "autoAssetExchange": "0"}],
        "symbols": symbols,
    })
}

fn rules(symbol: &Symbol, status: SymbolStatus, begun_ms: i64) -> Value {
    json!({
        "symbol": symbol.name,
        "pair": symbol.name,
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER_MS,
        "onboardDate": begun_ms,
        "status": status.as_str(),
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": symbol.base,
        "quoteAsset": symbol.quote,
        "marginAsset": symbol.quote,
        "pricePrecision": symbol.price.step.scale(),
        "quantityPrecision": symbol.lot.step.scale(),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "filters": filters(symbol),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "liquidationFee": "0.000000",
        "marketTakeBound": "0.05",
    })
}

fn filters(symbol: &Symbol) -> Value {
    let lot = |filter: &str, range: &Range| {
        json!({
            "filterType": filter,
            "minQty": plain(range.min),
            "maxQty": plain(range.max),
            "stepSize": plain(range.step),
        })
    };
    let factor = |factor: Decimal| format!("{factor:.4}");
    json!([
        {
            "filterType": "PRICE_FILTER",
            "minPrice": plain(symbol.price.min),
            "maxPrice": plain(symbol.price.max),
            "tickSize": plain(symbol.price.step),
        },
        lot("LOT_SIZE", &symbol.lot),
        lot("MARKET_LOT_SIZE", &symbol.market_lot),
        {"filterType": "MAX_NUM_ORDERS", "limit": symbol.orders_max},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": symbol.algo_orders_max},
        {"filterType": "MIN_NOTIONAL", "notional": plain(symbol.notional_min)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": factor(symbol.percent.bid_up),
            "multiplierDown": factor(symbol.percent.bid_down),
            "multiplierDecimal": "4",
        },
    ])
}
