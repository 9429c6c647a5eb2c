//! Placing, cancelling and the countdown: answered by the engine.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::query::find;
use super::super::trading::{symbol, which};
use super::refusal::of_order;
use super::wire::{self, BOTH};
use crate::engine::{
    Command, NewOrder, Order, OrderType, Rejection, SelfTradePrevention, Side, Terms, TimeInForce, Which,
    WorkingType,
};
use crate::limits::{BATCH_MAX, COUNTDOWN_MS_MAX};
use crate::params::Params;
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

pub(super) fn place(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let order = new_order(venue, visitor)?;
    let tells_result = match visitor.params.text("newOrderRespType")? {
        None | Some("ACK") => false,
        Some("RESULT") => true,
        Some(_) => return Err(Refusal::invalid("newOrderRespType")),
    };
    venue.count_order(visitor)?;
    let outcome = venue.command(visitor.product, Command::Place(order)).map_err(of_order)?;
    let order = &outcome.orders[0];
    Ok(if tells_result { wire::changed(order) } else { wire::accepted(order) })
}

pub(super) fn test(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let order = new_order(venue, visitor)?;
    venue.examine(visitor.product, &order).map_err(of_order)?;
    Ok(wire::changed(&Order::new(0, order, venue.now_ms())))
}

/// Each on its own: what of them is refused says so in its place.
pub(super) fn place_batch(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let wrong = || Refusal::new(400, -4082, "Invalid number of batch place orders.");
    let list = visitor.params.need("batchOrders")?;
    let orders: Vec<Value> = serde_json::from_str(list).map_err(|_| Refusal::bad_json())?;
    if orders.is_empty() || orders.len() > BATCH_MAX {
        return Err(wrong());
    }
    let place_one = |order: &Value| {
        let params = Params::from_json(Some(order))?;
        place(venue, &Visitor { params: &params, ..*visitor })
    };
    Ok(orders.iter().map(place_one).map(or_refusal).collect())
}

pub(super) fn cancel(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let which = which(visitor.params, "orderId", "origClientOrderId")?;
    cancel_one(venue, visitor, symbol, which)
}

fn cancel_one(
    venue: &mut Venue,
    visitor: &Visitor<'_>,
    symbol: String,
    which: Which,
) -> Result<Value, Refusal> {
    let command = Command::Cancel {
        account: visitor.account().into(),
        symbol,
        which,
        cancel_id: String::new(),
        restriction: None,
    };
    let outcome = venue.command(visitor.product, command).map_err(Refusal::of_cancel)?;
    Ok(wire::changed(&outcome.orders[0]))
}

/// Each on its own, as with placing.
pub(super) fn cancel_batch(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let params = visitor.params;
    let by_id = list(params, "orderIdList", |value| {
        let id = value.as_u64()?;
        Some(Which { order_id: Some(id), client_order_id: None })
    })?;
    let by_client_id = list(params, "origClientOrderIdList", |value| {
        let id = value.as_str()?.to_owned();
        Some(Which { order_id: None, client_order_id: Some(id) })
    })?;
    let wanted = [by_id, by_client_id].concat();
    if wanted.is_empty() || wanted.len() > BATCH_MAX * 2 {
        return Err(Refusal::new(400, -4083, "Invalid number of batch cancel orders."));
    }
    let cancel = |which: Which| or_refusal(cancel_one(venue, visitor, symbol.clone(), which));
    Ok(wanted.into_iter().map(cancel).collect())
}

fn list<T>(params: &Params, name: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, Refusal> {
    let Some(text) = params.text(name)? else { return Ok(Vec::new()) };
    let values: Vec<Value> = serde_json::from_str(text).map_err(|_| Refusal::invalid(name))?;
    values.iter().map(read).collect::<Option<Vec<T>>>().ok_or_else(|| Refusal::invalid(name))
}

fn or_refusal(answer: Result<Value, Refusal>) -> Value {
    answer.unwrap_or_else(|refusal| refusal.body())
}

/// It is done also where there is nothing to cancel.
pub(super) fn cancel_all(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let account = visitor.account().into();
    let command = Command::CancelAll { account, symbol, cancel_id: String::new() };
    match venue.command(visitor.product, command) {
        Ok(_) | Err(Rejection::UnknownOrder) => {
            Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}))
        }
        Err(rejection) => Err(Refusal::of_cancel(rejection)),
    }
}

/// All orders of the account on the symbol end so much later, unless it says so again; with 0 they do not.
pub(super) fn countdown(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let wanted = visitor.params.number("countdownTime")?.ok_or_else(|| Refusal::missing("countdownTime"))?;
    if wanted > COUNTDOWN_MS_MAX {
        return Err(Refusal::too_great("countdownTime", COUNTDOWN_MS_MAX.unsigned_abs()));
    }
    let until_ms = (wanted > 0).then(|| venue.now_ms() + wanted);
    let account = visitor.account().into();
    let command = Command::Countdown { account, symbol: symbol.clone(), until_ms };
    venue.command(visitor.product, command).map_err(of_order)?;
    Ok(json!({"symbol": symbol, "countdownTime": wanted.to_string()}))
}

pub(super) fn open_order(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let which = which(visitor.params, "orderId", "origClientOrderId")?;
    let found = find(venue.memory(visitor.product), visitor.account(), &symbol, &which);
    let open = found.filter(|order| order.status.is_open());
    open.map(wire::order).ok_or_else(Refusal::no_such_order)
}

/// Reads a new order; which parameters it must and must not have depends on its type.
fn new_order(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<NewOrder, Refusal> {
    let params = visitor.params;
    let symbol = symbol(venue, visitor)?;
    let side = Side::parse(params.need("side")?).ok_or_else(Refusal::bad_side)?;
    let order_type = wire::order_type(params.need("type")?).ok_or_else(Refusal::bad_order_type)?;
    refuse_unsupported(params)?;
    let terms = terms(params, order_type)?;
    Ok(NewOrder {
        account: visitor.account().into(),
        symbol,
        client_order_id: params
            .client_order_id("newClientOrderId")?
            .unwrap_or_else(|| venue.draw_client_order_id()),
        side,
        order_type,
        time_in_force: time_in_force(params, order_type)?,
        price: amount(params, "price", order_type.has_price(), (-4001, "Price less than 0."))?,
        quantity: amount(
            params,
            "quantity",
            !terms.close_position,
            (-4003, "Quantity less than or equal to zero."),
        )?,
        quote_quantity: Decimal::ZERO,
        stop_price: amount(
            params,
            "stopPrice",
            order_type.has_stop(),
            (-4006, "Stop price less than zero."),
        )?,
        self_trade_prevention: self_trade_prevention(params)?,
        strategy_id: None,
        strategy_type: None,
        terms,
    })
}

fn refuse_unsupported(params: &Params) -> Result<(), Refusal> {
    if params.raw("positionSide").is_some_and(|side| side != BOTH) {
        let msg = "Order's position side does not match user's setting.";
        return Err(Refusal::new(400, -4061, msg));
    }
    if params.raw("priceMatch").is_some_and(|mode| mode != "NONE") {
        return Err(Refusal::invalid("priceMatch"));
    }
    let unsupported = ["activationPrice", "callbackRate", "goodTillDate"];
    match unsupported.into_iter().find(|name| params.raw(name).is_some()) {
        Some(name) => Err(Refusal::not_required(name)),
        None => Ok(()),
    }
}

fn terms(params: &Params, order_type: OrderType) -> Result<Terms, Refusal> {
    let reduce_only = params.flag("reduceOnly")?.unwrap_or(false);
    let close_position = params.flag("closePosition")?.unwrap_or(false);
    if close_position {
        if !order_type.has_stop() || order_type.has_price() {
            let of_type = wire::word(order_type);
            let msg = format!("Target strategy invalid for orderType {of_type},closePosition true");
            return Err(Refusal::new(400, -4136, msg));
        }
        if params.raw("quantity").is_some() {
            return Err(Refusal::new(400, -4137, "Quantity must be zero with closePosition equals true"));
        }
        if params.raw("reduceOnly").is_some() {
            return Err(Refusal::not_required("reduceOnly"));
        }
    }
    let working_type = match params.text("workingType")? {
        None => WorkingType::ContractPrice,
        Some(word) => WorkingType::parse(word).ok_or_else(|| Refusal::invalid("workingType"))?,
    };
    Ok(Terms {
        reduce_only,
        close_position,
        working_type,
        price_protect: params.flag("priceProtect")?.unwrap_or(false),
    })
}

/// A limit order says it, one at the market must not, a stop may.
fn time_in_force(params: &Params, order_type: OrderType) -> Result<TimeInForce, Refusal> {
    let word = match (params.text("timeInForce")?, order_type) {
        (Some(_), OrderType::Market) => return Err(Refusal::not_required("timeInForce")),
        (None, OrderType::Limit) => return Err(Refusal::missing("timeInForce")),
        (None, _) => return Ok(TimeInForce::Gtc),
        (Some(word), _) => word,
    };
    let known = TimeInForce::parse(word).ok_or_else(Refusal::bad_time_in_force)?;
    Ok(if order_type.has_price() { known } else { TimeInForce::Gtc })
}

/// An amount that must be there, or must not; `zero` is what is said of nothing.
fn amount(params: &Params, name: &str, is_wanted: bool, zero: (i64, &str)) -> Result<Decimal, Refusal> {
    match (params.amount(name)?, is_wanted) {
        (Some(amount), true) if amount.is_zero() => Err(Refusal::new(400, zero.0, zero.1)),
        (Some(amount), true) => Ok(amount),
        (None, true) => Err(Refusal::missing(name)),
        (Some(_), false) => Err(Refusal::not_required(name)),
        (None, false) => Ok(Decimal::ZERO),
    }
}

fn self_trade_prevention(params: &Params) -> Result<SelfTradePrevention, Refusal> {
    match params.text("selfTradePreventionMode")? {
        None => Ok(SelfTradePrevention::ExpireMaker),
        Some(word) => {
            SelfTradePrevention::parse(word).ok_or_else(|| Refusal::invalid("selfTradePreventionMode"))
        }
    }
}
