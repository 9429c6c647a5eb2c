//! Futures: what is behind each door, in Binance's words for USD-M contracts.

mod account;
mod market;
mod refusal;
mod rules;
mod settings;
mod trading;
mod wire;

pub(crate) use wire::{aggregate_message, depth_message, event, fill, order, quote_message, trade_message};

use serde_json::{Value, json};

use super::query;
use crate::params::Params;
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

/// What is done behind a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    OldTrades,
    AggregateTrades,
    Candles,
    TickerPrice,
    TickerBook,
    TickerDay,
    MarkPrice,
    PlaceOrder,
    TestOrder,
    PlaceBatch,
    CancelOrder,
    CancelBatch,
    CancelOpenOrders,
    Countdown,
    QueryOrder,
    QueryOpenOrder,
    OpenOrders,
    AllOrders,
    UserTrades,
    AccountV2,
    AccountV3,
    BalanceV2,
    BalanceV3,
    PositionRiskV2,
    PositionRiskV3,
    SetLeverage,
    SetMarginType,
    PositionMode,
    SetPositionMode,
    AssetsMode,
    AccountConfig,
    SymbolConfig,
    Brackets,
    Commission,
    OrderCount,
    StartStream,
    KeepStream,
    EndStream,
}

impl Act {
    /// See [`super::Operation::is_of_orders`].
    pub(crate) fn is_of_orders(self) -> bool {
        matches!(
            self,
            Act::PlaceOrder
                | Act::PlaceBatch
                | Act::CancelOrder
                | Act::CancelBatch
                | Act::CancelOpenOrders
                | Act::Countdown
        )
    }

    /// What a request weighs, where that depends on its parameters.
    pub(crate) fn weight(self, params: &Params) -> Option<u32> {
        let has_symbol = params.raw("symbol").is_some();
        match self {
            Act::OpenOrders | Act::TickerDay if !has_symbol => Some(40),
            Act::TickerPrice if !has_symbol => Some(2),
            Act::TickerBook if !has_symbol => Some(5),
            Act::MarkPrice if !has_symbol => Some(10),
            Act::Depth => match params.raw("limit").and_then(|limit| limit.parse().ok()) {
                Some(0..=50_u64) => Some(2),
                Some(51..=100) => Some(5),
                None | Some(101..=500) => Some(10),
                Some(_) => Some(20),
            },
            _ => None,
        }
    }
}

/// Carries out a request that was let in.
pub(super) fn run(venue: &mut Venue, act: Act, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    match act {
        Act::Ping => Ok(json!({})),
        Act::Time => Ok(json!({"serverTime": venue.now_ms()})),
        Act::ExchangeInfo => Ok(rules::exchange_info(venue)),
        Act::Depth => market::depth(venue, visitor),
        Act::Trades => market::trades(venue, visitor),
        Act::OldTrades => market::old_trades(venue, visitor),
        Act::AggregateTrades => market::aggregate_trades(venue, visitor),
        Act::Candles => super::candles::candles(venue, visitor),
        Act::TickerPrice => market::ticker_price(venue, visitor),
        Act::TickerBook => market::ticker_book(venue, visitor),
        Act::TickerDay => market::ticker_day(venue, visitor),
        Act::MarkPrice => market::mark_price(venue, visitor),
        Act::PlaceOrder => trading::place(venue, visitor),
        Act::TestOrder => trading::test(venue, visitor),
        Act::PlaceBatch => trading::place_batch(venue, visitor),
        Act::CancelOrder => trading::cancel(venue, visitor),
        Act::CancelBatch => trading::cancel_batch(venue, visitor),
        Act::CancelOpenOrders => trading::cancel_all(venue, visitor),
        Act::Countdown => trading::countdown(venue, visitor),
        Act::QueryOrder => query::order(venue, visitor, order),
        Act::QueryOpenOrder => trading::open_order(venue, visitor),
        Act::OpenOrders => query::open_orders(venue, visitor, order),
        Act::AllOrders => query::all_orders(venue, visitor, wire::order_of_listing),
        Act::UserTrades => query::my_trades(venue, visitor, fill),
        Act::AccountV2 => Ok(account::account_v2(venue, visitor)),
        Act::AccountV3 => Ok(account::account_v3(venue, visitor)),
        Act::BalanceV2 => Ok(account::balance(venue, visitor)),
        Act::BalanceV3 => Ok(account::balance(venue, visitor)),
        Act::PositionRiskV2 => account::position_risk_v2(venue, visitor),
        Act::PositionRiskV3 => account::position_risk_v3(venue, visitor),
        Act::SetLeverage => settings::set_leverage(venue, visitor),
        Act::SetMarginType => settings::set_margin_type(venue, visitor),
        Act::PositionMode => Ok(json!({"dualSidePosition": false})),
        Act::SetPositionMode => settings::set_position_mode(visitor),
        Act::AssetsMode => Ok(json!({"multiAssetsMargin": false})),
        Act::AccountConfig => Ok(settings::account_config()),
        Act::SymbolConfig => settings::symbol_config(venue, visitor),
        Act::Brackets => settings::brackets(venue, visitor),
        Act::Commission => settings::commission(venue, visitor),
        Act::OrderCount => super::account::order_count(venue, visitor),
        Act::StartStream => settings::start_stream(venue, visitor),
        Act::KeepStream => settings::keep_stream(venue, visitor),
        Act::EndStream => settings::end_stream(venue, visitor),
    }
}
