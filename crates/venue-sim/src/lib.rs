//! A simulated exchange that speaks the wire format of Binance, Spot and USD-M futures, on REST and WebSocket, so that
//! adapters and foreign clients use it unchanged, and that tells the truth about itself to whoever tests them.
//!
//! In reading order:
//! * [`limits`]: every limit and why; [`amount`]: exact decimals; [`identity`]: the fixed account and its keys;
//! * [`engine`]: orders, balances, positions and trades, pure; `house`: who one trades with;
//! * `view`: queries that lag behind the engine; `candle`; `rate`: weights, limits, bans; `signature`, `params`, `refusal`;
//! * `api`: the table of doors, and what is behind each; `venue`: the whole without a socket ([`Venue`]);
//! * [`fault`]: scripts of faults; `ledger`: what really happened;
//! * `server`: [`serve`], the whole on connections that are handed in.
//!
//! Architecture invariant: the same options, the same seed, the same clock and the same requests give the same answers.
//! This crate makes no thread, no runtime and no socket, reads no clock and draws no random number.
//!
//! # Doors
//! REST as in Binance's `rest-api.md`: the general, market data, trading and account endpoints of a plain account, and
//! of the wallet what clients ask on their way. Order lists, icebergs, trailing stops, pegged orders and amendments are
//! refused in Binance's words, as on a symbol that does not allow them. The WebSocket API is at `/ws-api/v3`, market
//! streams (`@trade`, `@bookTicker`, `@depth`) at `/ws` and `/stream`.
//!
//! Where Binance's documentation leaves something open: a client order id is free again as soon as its order is closed,
//! in whichever way; a stop at the market sets a seller's quantity aside at once, and a buyer's money when it is
//! reached; an address is banned at the eleventh request beyond its weight within a minute; a halted symbol takes
//! neither orders nor cancels.
//!
//! Futures are another segment with accounts, prices and limits of their own, behind the paths that begin with `/fapi/`.
//! Streams of markets and, by listen keys, of accounts are at `/fstream/ws` and `/fstream/stream`, also with `public`,
//! `market` or `private` after `/fstream`. Positions are in one-way mode with shared margin; the mark price is the last
//! price. An order needs a part of its notional by the leverage (20 unless set), in so far as it makes the worse of a
//! position's two sides worse; it is refused with -2019 where wallet and unrealized profit do not reach that far. Nobody
//! is liquidated, and there is no funding. An order that only reduces is cut down to what there is to reduce beside
//! others of its kind, refused with -2022 where that is nothing, and ends when the position becomes smaller than what
//! they ask for, the newest first. Stops are taken by `/fapi/v1/order`; hedge mode and isolated margin are refused with
//! -4084. A countdown fires by the exchange's own clock, and on a halted symbol as soon as it opens again.
//!
//! # The operator's API
//! On a listener of its own; JSON in and out. What is wrong with a request is said with 400 and `{"error": TEXT}`. Unknown
//! fields are refused; those with `?` may be left out.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /identity` | | the account, its keys, the symbols |
//! | `GET /ledger` | | `now_ms`, `seed`, `requests` for orders as they arrived (with `fault`, `executed_ms`, `status` and `code` as the rules had it, whatever the caller was told), all `orders`, all `trades`, how many of each were `…_forgotten`, `balances`, `faults`; `futures` with its own orders, trades, balances and `positions` |
//! | `POST /faults` | `{"faults": [FAULT, …]}`, all or none | `{"ids": […]}` |
//! | `GET /faults` | | `{"faults": […]}`, each with `seen` (how many matched) and `met` |
//! | `DELETE /faults[?name=N]` | | `{"forgotten": n}` |
//! | `POST /fill` | `{"product"?, "symbol", "order_id"?, "client_order_id"?, "quantity"?}`: a resting order trades with the house at its own price, by default all of it | the order |
//! | `POST /orders` | `{"product"?, …}` with the parameters of `POST /api/v3/order` or `/fapi/v1/order`: an order of the account that no caller gave | as there |
//! | `POST /deposit` | `{"product"?, "asset", "amount"}`, below zero to take out | `{"balances"}` |
//! | `POST /halt` | `{"product"?, "symbol"?, "status"?}`, by default all and `HALT`; or `TRADING`, `BREAK`, `CANCEL_ONLY` | `{"symbols", "futures_symbols"}` |
//! | `POST /maintenance` | `{"on", "expire_orders"?, "close_connections"?}`: only the status is told; orders end; WebSockets end | `{"maintenance"}` |
//! | `POST /settings` | any of `memory_lag_ms`, `database_lag_ms`, `clock_skew_ms`, `quoting`, `weight_per_minute`, `orders_per_10_seconds`, `orders_per_day`, `futures_weight_per_minute`, `futures_orders_per_10_seconds`, `futures_orders_per_minute` | all of them |
//!
//! `product` is `spot`, which is the default, or `futures`.
//!
//! # Faults
//! ```json
//! {"name": "lost answer", "on": "request", "match": {"method": "POST", "path": "/api/v3/order"}, "nth": 2, "count": 1,
//!  "chance": "0.5", "do": "drop_response"}
//! ```
//! `on` is `request` or `event` (of the user data stream). `match` names what must be so: `method` and `path`, or
//! `ws_method`; `symbol`, `client_order_id`, `address`; of an event `event`, `execution`, `symbol`, `client_order_id`. Of
//! those that match, the `nth` (1) and the following are met, `count` (1, or null for all) of them, each with `chance`.
//! The first fault in the list that meets something has it alone. What it does:
//!
//! | `do` of a request | carried out | what the caller sees |
//! |---|---|---|
//! | `"drop_request"` | no | the connection closes |
//! | `"drop_response"` | yes | the connection closes |
//! | `{"hang": {"ms", "executed"}}` | as said | nothing, then the connection closes |
//! | `{"cut_body": {"after_bytes"}}` | yes | the head, part of the body, then the connection closes |
//! | `{"delay": {"before_ms"?, "after_ms"?}}` | after the first, if its timestamp still allows | the answer, late |
//! | `{"answer": {"executed", "signal"?, "status"?, "code"?, "msg"?, "retry_after_s"?}}` | as said | an answer by name ([`fault::Signal`]) or as written; without a code, HTML |
//! | `"close"` | yes | the answer, then the connection closes |
//! | `{"redirect": {"status", "location"}}` | no | a redirect |
//!
//! Of an event: `"lose"`, `"duplicate"`, `"reorder"` (after the next one), `{"delay": {"ms"}}`, `"close_stream"`.

pub mod amount;
mod api;
mod candle;
mod chance;
pub mod engine;
pub mod fault;
mod house;
pub mod identity;
mod ledger;
pub mod limits;
mod params;
mod rate;
mod refusal;
mod server;
mod signature;
mod venue;
mod view;
mod word;

pub use house::Quoting;
pub use rate::Allowance;
pub use server::{Clock, Connection, Socket, serve};
pub use venue::{Arrival, Body, Call, Frame, Listing, Options, Reply, Venue};
