//! What the engine refuses, with the codes and the texts of futures.

use rust_decimal::Decimal;

use crate::engine::{Breach, Rejection};
use crate::refusal::Refusal;

/// A new order that the engine, or a filter before it, does not take.
pub(super) fn of_order(rejection: Rejection) -> Refusal {
    let (code, msg) = match rejection {
        Rejection::NoSuchSymbol => return Refusal::bad_symbol(),
        Rejection::Filter(filter, breach) => of_filter(filter, breach),
        Rejection::MarketClosed => (-4141, "Symbol is closed.".into()),
        Rejection::DuplicateOrder => (-4116, "ClientOrderId is duplicated.".into()),
        Rejection::InsufficientMargin | Rejection::InsufficientBalance => {
            (-2019, "Margin is insufficient.".into())
        }
        Rejection::NothingToReduce => (-2022, "ReduceOnly Order is rejected.".into()),
        Rejection::WouldTriggerImmediately => (-2021, "Order would immediately trigger.".into()),
        Rejection::WouldMatchImmediately => (
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected. The order \
             will not be recorded in the order history"
                .into(),
        ),
        Rejection::LiquidityTooLow | Rejection::UnknownOrder | Rejection::CancelRestricted => {
            (-2010, rejection.to_string())
        }
    };
    Refusal::new(400, code, msg)
}

fn of_filter(filter: &str, breach: Breach) -> (i64, String) {
    let plain = |amount: Decimal| amount.normalize();
    match (filter, breach) {
        ("PRICE_FILTER", Breach::Below(_)) => (-4013, "Price less than min price.".into()),
        ("PRICE_FILTER", Breach::Above(_)) => (-4002, "Price greater than max price.".into()),
        ("PRICE_FILTER", Breach::OffStep) => (-4014, "Price not increased by tick size.".into()),
        ("LOT_SIZE" | "MARKET_LOT_SIZE", Breach::Below(_)) => {
            (-4004, "Quantity less than min quantity.".into())
        }
        ("LOT_SIZE" | "MARKET_LOT_SIZE", Breach::Above(_)) => {
            (-4005, "Quantity greater than max quantity.".into())
        }
        ("LOT_SIZE" | "MARKET_LOT_SIZE", Breach::OffStep) => {
            (-1111, "Precision is over the maximum defined for this asset.".into())
        }
        ("PERCENT_PRICE_BY_SIDE", Breach::Below(least)) => {
            (-4024, format!("Limit price can't be lower than {}.", plain(least)))
        }
        ("PERCENT_PRICE_BY_SIDE", Breach::Above(most)) => {
            (-4016, format!("Limit price can't be higher than {}.", plain(most)))
        }
        ("NOTIONAL", Breach::Below(least)) => {
            let least = plain(least);
            (
                -4164,
                format!("Order's notional must be no smaller than {least} (unless you choose reduce only)."),
            )
        }
        ("MAX_NUM_ORDERS", _) => (-2025, "Reach max open order limit.".into()),
        ("MAX_NUM_ALGO_ORDERS", _) => (-4045, "Reach max stop order limit.".into()),
        _ => (-1013, format!("Filter failure: {filter}")),
    }
}
