//! Placing and cancelling: answered by the engine.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::wire::{self, Telling};
use crate::engine::{
    CancelRestriction, Command, NewOrder, OrderType, Outcome, SelfTradePrevention, Side, Terms, TimeInForce,
    Which,
};
use crate::params::Params;
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

/// Strategy types below this are the exchange's own.
const STRATEGY_TYPE_MIN: i64 = 1_000_000;

pub(crate) fn place(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let order = new_order(venue, visitor)?;
    let telling = telling(visitor.params, order.order_type)?;
    venue.count_order(visitor)?;
    let outcome = venue.command(visitor.product, Command::Place(order)).map_err(Refusal::of_order)?;
    Ok(answer(&outcome, telling))
}

pub(crate) fn test(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let order = new_order(venue, visitor)?;
    telling(visitor.params, order.order_type)?;
    venue.examine(visitor.product, &order).map_err(Refusal::of_order)?;
    if visitor.params.flag("computeCommissionRates")? != Some(true) {
        return Ok(json!({}));
    }
    let rates = venue.engine(visitor.product).commission();
    let (maker, taker) = (crate::amount::show(rates.maker), crate::amount::show(rates.taker));
    let none = json!({"maker": "0.00000000", "taker": "0.00000000"});
    Ok(json!({
        "standardCommissionForOrder": {"maker": maker, "taker": taker},
        "specialCommissionForOrder": none,
        "taxCommissionForOrder": none,
        "discount": super::account::no_discount(),
    }))
}

pub(crate) fn cancel(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let params = visitor.params;
    let symbol = symbol(venue, visitor)?;
    let which = which(params, "orderId", "origClientOrderId")?;
    let restriction = restriction(params)?;
    let cancel_id =
        params.client_order_id("newClientOrderId")?.unwrap_or_else(|| venue.draw_client_order_id());
    let command = Command::Cancel {
        account: visitor.account().into(),
        symbol,
        which,
        cancel_id: cancel_id.clone(),
        restriction,
    };
    let outcome = venue.command(visitor.product, command).map_err(Refusal::of_cancel)?;
    Ok(wire::canceled(&outcome.orders[0], &cancel_id))
}

pub(crate) fn cancel_all(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let cancel_id = venue.draw_client_order_id();
    let account = visitor.account().into();
    let command = Command::CancelAll { account, symbol, cancel_id: cancel_id.clone() };
    let outcome = venue.command(visitor.product, command).map_err(Refusal::of_cancel)?;
    Ok(outcome.orders.iter().map(|order| wire::canceled(order, &cancel_id)).collect())
}

/// Cancels one order, then places another; what of the two was done is in the answer.
pub(crate) fn cancel_replace(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let params = visitor.params;
    let goes_on = match params.need("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => false,
        "ALLOW_FAILURE" => true,
        _ => return Err(Refusal::invalid("cancelReplaceMode")),
    };
    let cancels_beyond_limit = match params.text("orderRateLimitExceededMode")? {
        None | Some("DO_NOTHING") => false,
        Some("CANCEL_ONLY") => true,
        Some(_) => return Err(Refusal::invalid("orderRateLimitExceededMode")),
    };
    let order = new_order(venue, visitor)?;
    let telling = telling(params, order.order_type)?;
    let which = which(params, "cancelOrderId", "cancelOrigClientOrderId")?;
    let restriction = restriction(params)?;
    venue.examine(visitor.product, &order).map_err(Refusal::of_order)?;
    let beyond_limit = venue.count_order(visitor).err();
    if let Some(refusal) = &beyond_limit
        && !cancels_beyond_limit
    {
        return Err(refusal.clone());
    }
    let cancel_id =
        params.client_order_id("cancelNewClientOrderId")?.unwrap_or_else(|| venue.draw_client_order_id());
    let command = Command::Cancel {
        account: visitor.account().into(),
        symbol: order.symbol.clone(),
        which,
        cancel_id: cancel_id.clone(),
        restriction,
    };
    let canceled = venue.command(visitor.product, command).map_err(Refusal::of_cancel);
    let canceled = canceled.map(|outcome| wire::canceled(&outcome.orders[0], &cancel_id));
    let placed = match (&canceled, beyond_limit) {
        (Err(_), _) if !goes_on => None,
        (Err(_), Some(_)) => None,
        (_, Some(refusal)) => Some(Err(refusal)),
        _ => Some(venue.command(visitor.product, Command::Place(order)).map_err(Refusal::of_order)),
    };
    both(canceled, placed.map(|placed| placed.map(|outcome| answer(&outcome, telling))))
}

/// One answer of two. A new order that was not tried is none.
fn both(canceled: Result<Value, Refusal>, placed: Option<Result<Value, Refusal>>) -> Result<Value, Refusal> {
    let word = |is_ok: bool| if is_ok { "SUCCESS" } else { "FAILURE" };
    let (is_canceled, is_placed) = (canceled.is_ok(), matches!(placed, Some(Ok(_))));
    let status = match &placed {
        Some(Err(refusal)) if refusal.status == 429 => 429,
        _ if is_canceled != is_placed => 409,
        _ => 400,
    };
    let retry_at_ms = placed.as_ref().and_then(|placed| placed.as_ref().err()?.retry_at_ms);
    let body = json!({
        "cancelResult": word(is_canceled),
        "newOrderResult": placed.as_ref().map_or("NOT_ATTEMPTED", |placed| word(placed.is_ok())),
        "cancelResponse": canceled.unwrap_or_else(|refusal| refusal.body()),
        "newOrderResponse": placed.map(|placed| placed.unwrap_or_else(|refusal| refusal.body())),
    });
    if is_canceled && is_placed {
        return Ok(body);
    }
    let (code, msg) = if is_canceled != is_placed {
        (-2021, "Order cancel-replace partially failed.")
    } else {
        (-2022, "Order cancel-replace failed.")
    };
    Err(Refusal { data: Some(body), retry_at_ms, ..Refusal::new(status, code, msg) })
}

fn answer(outcome: &Outcome, telling: Telling) -> Value {
    wire::placed(&outcome.orders[0], &outcome.fills, telling)
}

/// A symbol that there is.
pub(crate) fn symbol(venue: &Venue, visitor: &Visitor<'_>) -> Result<String, Refusal> {
    let symbol = venue.engine(visitor.product).symbol(visitor.params.need("symbol")?);
    symbol.map(|symbol| symbol.name.clone()).ok_or_else(Refusal::bad_symbol)
}

pub(crate) fn which(params: &Params, id: &str, client_order_id: &str) -> Result<Which, Refusal> {
    let which =
        Which { order_id: params.id(id)?, client_order_id: params.text(client_order_id)?.map(str::to_owned) };
    if which.order_id.is_none() && which.client_order_id.is_none() {
        return Err(Refusal::missing_either(client_order_id, id));
    }
    Ok(which)
}

fn restriction(params: &Params) -> Result<Option<CancelRestriction>, Refusal> {
    let Some(word) = params.text("cancelRestrictions")? else { return Ok(None) };
    CancelRestriction::parse(word).map(Some).ok_or_else(Refusal::bad_cancel_restrictions)
}

fn telling(params: &Params, order_type: OrderType) -> Result<Telling, Refusal> {
    match params.text("newOrderRespType")? {
        Some("ACK") => Ok(Telling::Ack),
        Some("RESULT") => Ok(Telling::Result),
        Some("FULL") => Ok(Telling::Full),
        Some(_) => Err(Refusal::invalid("newOrderRespType")),
        None if matches!(order_type, OrderType::Limit | OrderType::Market) => Ok(Telling::Full),
        None => Ok(Telling::Ack),
    }
}

/// Reads a new order; which parameters it must and must not have depends on its type.
fn new_order(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<NewOrder, Refusal> {
    let params = visitor.params;
    let symbol = symbol(venue, visitor)?;
    let side = Side::parse(params.need("side")?).ok_or_else(Refusal::bad_side)?;
    let order_type = OrderType::parse(params.need("type")?).ok_or_else(Refusal::bad_order_type)?;
    refuse_unsupported(params)?;
    let (quantity, quote_quantity) = quantities(params, order_type)?;
    Ok(NewOrder {
        account: visitor.account().into(),
        symbol,
        client_order_id: params
            .client_order_id("newClientOrderId")?
            .unwrap_or_else(|| venue.draw_client_order_id()),
        side,
        order_type,
        time_in_force: time_in_force(params, order_type)?,
        price: if_wanted(params, "price", order_type.has_price())?,
        quantity,
        quote_quantity,
        stop_price: if_wanted(params, "stopPrice", order_type.has_stop())?,
        self_trade_prevention: self_trade_prevention(params)?,
        strategy_id: params.number("strategyId")?,
        strategy_type: strategy_type(params)?,
        terms: Terms::default(),
    })
}

fn refuse_unsupported(params: &Params) -> Result<(), Refusal> {
    for (name, msg) in [
        ("icebergQty", "Iceberg orders are not supported for this symbol."),
        ("trailingDelta", "Trailing stop orders are not supported for this symbol."),
        ("pegPriceType", "Pegged orders are not supported for this symbol."),
        ("pegOffsetType", "Pegged orders are not supported for this symbol."),
        ("pegOffsetValue", "Pegged orders are not supported for this symbol."),
    ] {
        if params.raw(name).is_some() {
            return Err(Refusal::new(400, -2010, msg));
        }
    }
    Ok(())
}

fn time_in_force(params: &Params, order_type: OrderType) -> Result<TimeInForce, Refusal> {
    if !order_type.has_time_in_force() {
        return match params.raw("timeInForce") {
            Some(_) => Err(Refusal::not_required("timeInForce")),
            None => Ok(TimeInForce::Gtc),
        };
    }
    let known = TimeInForce::parse(params.need("timeInForce")?);
    known.filter(|known| *known != TimeInForce::Gtx).ok_or_else(Refusal::bad_time_in_force)
}

/// An amount that must be there, or must not.
fn if_wanted(params: &Params, name: &str, is_wanted: bool) -> Result<Decimal, Refusal> {
    match (params.amount(name)?, is_wanted) {
        (Some(amount), true) if amount.is_zero() => Err(Refusal::message(format!("Invalid {name}."))),
        (Some(amount), true) => Ok(amount),
        (None, true) => Err(Refusal::missing(name)),
        (Some(_), false) => Err(Refusal::not_required(name)),
        (None, false) => Ok(Decimal::ZERO),
    }
}

/// What to trade, in the base asset or, of a market order, in the quote asset.
fn quantities(params: &Params, order_type: OrderType) -> Result<(Decimal, Decimal), Refusal> {
    let by_quote = params.raw("quoteOrderQty").is_some();
    let by_base = params.raw("quantity").is_some();
    if order_type != OrderType::Market {
        if_wanted(params, "quoteOrderQty", false)?;
        return Ok((if_wanted(params, "quantity", true)?, Decimal::ZERO));
    }
    match (by_base, by_quote) {
        (true, true) => Err(Refusal::bad_combination()),
        (false, false) => Err(Refusal::missing_either("quantity", "quoteOrderQty")),
        (true, false) => Ok((if_wanted(params, "quantity", true)?, Decimal::ZERO)),
        (false, true) => Ok((Decimal::ZERO, if_wanted(params, "quoteOrderQty", true)?)),
    }
}

fn self_trade_prevention(params: &Params) -> Result<SelfTradePrevention, Refusal> {
    match params.text("selfTradePreventionMode")? {
        None => Ok(SelfTradePrevention::None),
        Some("DECREMENT" | "TRANSFER") => {
            Err(Refusal::message("This symbol does not allow the specified self-trade prevention mode."))
        }
        Some(word) => {
            SelfTradePrevention::parse(word).ok_or_else(|| Refusal::invalid("selfTradePreventionMode"))
        }
    }
}

fn strategy_type(params: &Params) -> Result<Option<i64>, Refusal> {
    let strategy_type = params.number("strategyType")?;
    if strategy_type.is_some_and(|strategy_type| strategy_type < STRATEGY_TYPE_MIN) {
        return Err(Refusal::new(400, -1134, "`strategyType` was less than 1000000."));
    }
    Ok(strategy_type)
}
