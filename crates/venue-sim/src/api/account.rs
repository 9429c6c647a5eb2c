//! What an account has, pays and has used.

use serde_json::{Value, json};

use super::trading::symbol;
use crate::amount::show;
use crate::engine::Product;
use crate::rate::OrderInterval;
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

/// The number of the account. Any will do.
const UID: u64 = 354_937_868;

pub(crate) fn status(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let omits_zero = visitor.params.flag("omitZeroBalances")?.unwrap_or(false);
    let rates = venue.engine(visitor.product).commission();
    let basis_points = |rate: rust_decimal::Decimal| {
        let points = crate::amount::mul(rate, rust_decimal::Decimal::from(10_000)).round();
        i64::try_from(points).unwrap_or_default()
    };
    let holdings = venue.memory(visitor.product).holdings(visitor.account()).cloned().unwrap_or_default();
    let kept = holdings
        .balances
        .iter()
        .filter(|(_, balance)| !(omits_zero && balance.free.is_zero() && balance.locked.is_zero()));
    let balances: Vec<Value> = kept
        .map(|(asset, balance)| {
            json!({"asset": asset, "free": show(balance.free), "locked": show(balance.locked)})
        })
        .collect();
    Ok(json!({
        "makerCommission": basis_points(rates.maker),
        "takerCommission": basis_points(rates.taker),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": show(rates.maker),
            "taker": show(rates.taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": true,
        "canWithdraw": true,
        "canDeposit": true,
        "brokered": false,
        "requireSelfTradePrevention": false,
        "preventSor": false,
        "updateTime": holdings.updated_ms,
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": UID,
    }))
}

pub(crate) fn order_count(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    Ok(Value::Array(order_limits(venue, visitor.product, visitor.account())))
}

/// How many orders each interval allows and has had.
pub(crate) fn order_limits(venue: &mut Venue, product: Product, account: &str) -> Vec<Value> {
    let counts = venue.order_counts(product, account);
    let limits = venue.allowance(product).orders();
    let row = |((interval, limit), count): (&(OrderInterval, u32), u32)| {
        json!({
            "rateLimitType": "ORDERS",
            "interval": interval.unit,
            "intervalNum": interval.number,
            "limit": limit,
            "count": count,
        })
    };
    limits.iter().zip(counts).map(row).collect()
}

pub(crate) fn commission(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let rates = venue.engine(visitor.product).commission();
    let none = "0.00000000";
    let nothing = json!({"maker": none, "taker": none, "buyer": none, "seller": none});
    Ok(json!({
        "symbol": symbol,
        "standardCommission": {
            "maker": show(rates.maker),
            "taker": show(rates.taker),
            "buyer": none,
            "seller": none,
        },
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": no_discount(),
    }))
}

pub(crate) fn no_discount() -> Value {
    json!({
        "enabledForAccount": false,
        "enabledForSymbol": false,
        "discountAsset": "BNB",
        "discount": "0.00000000",
    })
}
