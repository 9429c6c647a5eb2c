//! What the wallet's API says, as far as trading clients ask.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::symbols::named;
use crate::amount::show;
use crate::engine::{Product, Symbol};
use crate::identity::ACCOUNT;
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

pub(crate) fn system_status(venue: &Venue) -> Value {
    if venue.is_in_maintenance() {
        json!({"status": 1, "msg": "system maintenance"})
    } else {
        json!({"status": 0, "msg": "normal"})
    }
}

/// Every asset, without networks: nothing goes out of here.
pub(crate) fn coins(venue: &mut Venue) -> Value {
    let symbols = venue.engine(Product::Spot).symbols();
    let assets: BTreeSet<String> =
        symbols.flat_map(|(symbol, _)| [symbol.base.clone(), symbol.quote.clone()]).collect();
    let holdings = venue.memory(Product::Spot).holdings(ACCOUNT).cloned().unwrap_or_default();
    let coin = |asset: &String| {
        let balance = holdings.balances.get(asset).copied().unwrap_or_default();
        json!({
            "coin": asset,
            "name": asset,
            "depositAllEnable": false,
            "withdrawAllEnable": false,
            "free": show(balance.free),
            "locked": show(balance.locked),
            "freeze": "0",
            "ipoable": "0",
            "ipoing": "0",
            "storage": "0",
            "withdrawing": "0",
            "isLegalMoney": false,
            "trading": true,
            "networkList": [],
        })
    };
    assets.iter().map(coin).collect()
}

/// What trades cost on each symbol, or on the one that is named.
pub(crate) fn trade_fees(venue: &Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let wanted = named(venue, visitor)?;
    let rates = venue.engine(Product::Spot).commission();
    let fees = |symbol: &Symbol| {
        json!({
            "symbol": symbol.name,
            "makerCommission": show(rates.maker),
            "takerCommission": show(rates.taker),
        })
    };
    let symbols = venue.engine(Product::Spot).symbols().map(|(symbol, _)| symbol);
    Ok(symbols
        .filter(|symbol| wanted.as_ref().is_none_or(|names| names.contains(&symbol.name)))
        .map(fees)
        .collect())
}
