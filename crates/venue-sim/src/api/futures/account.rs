//! What an account of futures has, holds and may still use: as memory knows it, at the price of now.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::symbols::named;
use super::settings::NOTIONAL_MAX;
use super::wire::{BOTH, plain};
use crate::amount::{add, mul, show, sub};
use crate::engine::{Margin, Order, Position};
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

/// The money of all contracts.
const ASSET: &str = "USDT";

/// An account at an instant.
struct Statement {
    updated_ms: i64,
    wallet: Decimal,
    holdings: Vec<Holding>,
    total: Margin,
}

/// One contract of an account.
struct Holding {
    symbol: String,
    position: Position,
    mark: Decimal,
    margin: Margin,
    /// What open orders of each side are worth.
    bids: Decimal,
    asks: Decimal,
    has_orders: bool,
}

impl Statement {
    fn of(venue: &mut Venue, visitor: &Visitor<'_>) -> Statement {
        let account = visitor.account();
        let engine = venue.engine(visitor.product);
        let marks: Vec<(String, Decimal)> = engine
            .symbols()
            .map(|(symbol, _)| (symbol.name.clone(), engine.last_price(&symbol.name).unwrap_or_default()))
            .collect();
        let memory = venue.memory(visitor.product);
        let held = memory.holdings(account).cloned().unwrap_or_default();
        let holding = |(symbol, mark): (String, Decimal)| {
            let own = |order: &&Order| order.account == account && order.symbol == symbol;
            let orders: Vec<&Order> = memory.open_orders().filter(own).collect();
            let position = held.positions.get(&symbol).copied().unwrap_or_default();
            let (bids, asks) = Margin::worth_of(orders.iter().copied());
            let margin = Margin::of(&position, mark, bids, asks);
            Holding { position, mark, margin, bids, asks, has_orders: !orders.is_empty(), symbol }
        };
        let holdings: Vec<Holding> = marks.into_iter().map(holding).collect();
        let total = holdings.iter().fold(Margin::default(), |sum, holding| sum.and(&holding.margin));
        let wallet = held.balances.get(ASSET).map(|balance| balance.free).unwrap_or_default();
        Statement { updated_ms: held.updated_ms, wallet, holdings, total }
    }

    fn margin_balance(&self) -> Decimal {
        add(self.wallet, self.total.unrealized)
    }

    fn available(&self) -> Decimal {
        sub(self.margin_balance(), self.total.initial()).max(Decimal::ZERO)
    }

    /// What both versions of the account begin with.
    fn totals(&self) -> Value {
        json!({
            "totalInitialMargin": show(self.total.initial()),
            "totalMaintMargin": show(self.total.maintenance),
            "totalWalletBalance": show(self.wallet),
            "totalUnrealizedProfit": show(self.total.unrealized),
            "totalMarginBalance": show(self.margin_balance()),
            "totalPositionInitialMargin": show(self.total.of_positions),
            "totalOpenOrderInitialMargin": show(self.total.of_orders),
            "totalCrossWalletBalance": show(self.wallet),
            "totalCrossUnPnl": show(self.total.unrealized),
            "availableBalance": show(self.available()),
            "maxWithdrawAmount": show(self.available()),
        })
    }

    fn asset(&self) -> Value {
        json!({
            "asset": ASSET,
            "walletBalance": show(self.wallet),
            "unrealizedProfit": show(self.total.unrealized),
            "marginBalance": show(self.margin_balance()),
            "maintMargin": show(self.total.maintenance),
            "initialMargin": show(self.total.initial()),
            "positionInitialMargin": show(self.total.of_positions),
            "openOrderInitialMargin": show(self.total.of_orders),
            "crossWalletBalance": show(self.wallet),
            "crossUnPnl": show(self.total.unrealized),
            "availableBalance": show(self.available()),
            "maxWithdrawAmount": show(self.available()),
            "updateTime": self.updated_ms,
        })
    }
}

impl Holding {
    fn notional(&self) -> Decimal {
        mul(self.position.quantity, self.mark)
    }

    /// It is listed only then by what lists what there is.
    fn is_there(&self) -> bool {
        !self.position.quantity.is_zero() || self.has_orders
    }
}

pub(super) fn account_v2(venue: &mut Venue, visitor: &Visitor<'_>) -> Value {
    let statement = Statement::of(venue, visitor);
    let mut value = json!({
        "feeTier": 0,
        "feeBurn": false,
        "canTrade": true,
        "canDeposit": true,
        "canWithdraw": true,
        "updateTime": 0,
        "multiAssetsMargin": false,
        "tradeGroupId": -1,
    });
    super::super::extend(&mut value, statement.totals());
    let mut asset = statement.asset();
    asset["marginAvailable"] = json!(true);
    value["assets"] = json!([asset]);
    value["positions"] = statement.holdings.iter().map(position_of_account_v2).collect();
    value
}

fn position_of_account_v2(holding: &Holding) -> Value {
    let Holding { symbol, position, margin, .. } = holding;
    json!({
        "symbol": symbol,
        "initialMargin": show(margin.initial()),
        "maintMargin": show(margin.maintenance),
        "unrealizedProfit": show(margin.unrealized),
        "positionInitialMargin": show(margin.of_positions),
        "openOrderInitialMargin": show(margin.of_orders),
        "leverage": position.leverage.to_string(),
        "isolated": false,
        "entryPrice": plain(position.entry_price()),
        "maxNotional": NOTIONAL_MAX,
        "bidNotional": plain(holding.bids),
        "askNotional": plain(holding.asks),
        "positionSide": BOTH,
        "positionAmt": plain(position.quantity),
        "updateTime": position.updated_ms,
    })
}

/// With those contracts that there are positions or orders of.
pub(super) fn account_v3(venue: &mut Venue, visitor: &Visitor<'_>) -> Value {
    let statement = Statement::of(venue, visitor);
    let mut value = statement.totals();
    value["assets"] = json!([statement.asset()]);
    let there = statement.holdings.iter().filter(|holding| holding.is_there());
    value["positions"] = there.map(position_of_account_v3).collect();
    value
}

fn position_of_account_v3(holding: &Holding) -> Value {
    let Holding { symbol, position, margin, .. } = holding;
    json!({
        "symbol": symbol,
        "positionSide": BOTH,
        "positionAmt": plain(position.quantity),
        "unrealizedProfit": show(margin.unrealized),
        "isolatedMargin": "0.00000000",
        "notional": show(holding.notional()),
        "isolatedWallet": "0",
        "initialMargin": show(margin.initial()),
        "maintMargin": show(margin.maintenance),
        "updateTime": position.updated_ms,
    })
}

pub(super) fn balance(venue: &mut Venue, visitor: &Visitor<'_>) -> Value {
    let statement = Statement::of(venue, visitor);
    json!([{
        "accountAlias": "SimU",
        "asset": ASSET,
        "balance": show(statement.wallet),
        "crossWalletBalance": show(statement.wallet),
        "crossUnPnl": show(statement.total.unrealized),
        "availableBalance": show(statement.available()),
        "maxWithdrawAmount": show(statement.available()),
        "marginAvailable": true,
        "updateTime": statement.updated_ms,
    }])
}

/// Of every contract, or of the one that is named.
pub(super) fn position_risk_v2(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    risks(venue, visitor, |holding| {
        let position = &holding.position;
        Some(json!({
            "symbol": holding.symbol,
            "positionAmt": plain(position.quantity),
            "entryPrice": plain(position.entry_price()),
            "breakEvenPrice": plain(position.entry_price()),
            "markPrice": show(holding.mark),
            "unRealizedProfit": show(holding.margin.unrealized),
            "liquidationPrice": "0",
            "leverage": position.leverage.to_string(),
            "maxNotionalValue": NOTIONAL_MAX,
            "marginType": "cross",
            "isolatedMargin": "0.00000000",
            "isAutoAddMargin": "false",
            "positionSide": BOTH,
            "notional": show(holding.notional()),
            "isolatedWallet": "0",
            "updateTime": position.updated_ms,
        }))
    })
}

/// Of those that there are positions or orders of.
pub(super) fn position_risk_v3(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    risks(venue, visitor, |holding| {
        let (position, margin) = (&holding.position, &holding.margin);
        let value = json!({
            "symbol": holding.symbol,
            "positionSide": BOTH,
            "positionAmt": plain(position.quantity),
            "entryPrice": plain(position.entry_price()),
            "breakEvenPrice": plain(position.entry_price()),
            "markPrice": show(holding.mark),
            "unRealizedProfit": show(margin.unrealized),
            "liquidationPrice": "0",
            "isolatedMargin": "0",
            "notional": show(holding.notional()),
            "marginAsset": ASSET,
            "isolatedWallet": "0",
            "initialMargin": show(margin.initial()),
            "maintMargin": show(margin.maintenance),
            "positionInitialMargin": show(margin.of_positions),
            "openOrderInitialMargin": show(margin.of_orders),
            "adl": 0,
            "bidNotional": plain(holding.bids),
            "askNotional": plain(holding.asks),
            "updateTime": position.updated_ms,
        });
        holding.is_there().then_some(value)
    })
}

fn risks(
    venue: &mut Venue,
    visitor: &Visitor<'_>,
    row: impl Fn(&Holding) -> Option<Value>,
) -> Result<Value, Refusal> {
    let wanted = named(venue, visitor)?;
    let statement = Statement::of(venue, visitor);
    let named = |holding: &&Holding| wanted.as_ref().is_none_or(|names| names.contains(&holding.symbol));
    Ok(statement.holdings.iter().filter(named).filter_map(row).collect())
}
