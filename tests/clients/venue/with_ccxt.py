"""ccxt at the simulated exchange: loads markets, places, queries, cancels, sees balances and trades, and is told why an
order is refused; the same of futures, with positions.

Arguments: the address of the exchange and of its control, as 127.0.0.1:7900 127.0.0.1:7901. Prints a line of JSON,
{"library", "version", "did": [...]}, and ends with an error at whatever is not as it must be.
"""

import sys

import ccxt

from simulated import API_KEY, SECRET, Deeds

exchange, _control = sys.argv[1:3]


def refused(kind, call, *arguments):
    try:
        call(*arguments)
    except kind:
        return True
    return False


client = ccxt.binance({"apiKey": API_KEY, "secret": SECRET, "options": {"fetchMarkets": {"types": ["spot"]}}})
for name, url in client.urls["api"].items():
    if "binance.com/" in url and name in ("public", "private", "v1", "sapi", "sapiV2", "sapiV3", "sapiV4"):
        client.urls["api"][name] = f"http://{exchange}/" + url.split("binance.com/")[1]

deeds = Deeds("ccxt", ccxt.__version__)
markets = client.load_markets()
deeds.did("markets", set(markets) == {"BTC/USDT", "ETH/USDT"})
deeds.did("precision", markets["BTC/USDT"]["precision"] == {"amount": 1e-05, "price": 0.01, "base": 1e-08, "quote": 1e-08})
deeds.did("status", client.fetch_status()["status"] == "ok")
ticker = client.fetch_ticker("BTC/USDT")
book = client.fetch_order_book("BTC/USDT", 5)
deeds.did("book", book["bids"][0][0] < book["asks"][0][0] and ticker["last"] > 0)
price = round(book["bids"][0][0] * 0.9, 2)
order = client.create_order("BTC/USDT", "limit", "buy", 0.01, price, {"clientOrderId": "ccxt-1"})
deeds.did("placed", order["status"] == "open" and order["clientOrderId"] == "ccxt-1")
duplicate = ("BTC/USDT", "limit", "buy", 0.01, price, {"clientOrderId": "ccxt-1"})
deeds.did("duplicate_refused", refused(ccxt.InvalidOrder, client.create_order, *duplicate))
deeds.did("queried", client.fetch_order(order["id"], "BTC/USDT")["status"] == "open")
deeds.did("open", [o["id"] for o in client.fetch_open_orders("BTC/USDT")] == [order["id"]])
deeds.did("balances", abs(client.fetch_balance()["USDT"]["used"] - price * 0.01) < 1e-6)
deeds.did("canceled", client.cancel_order(order["id"], "BTC/USDT")["status"] == "canceled")
deeds.did("unknown_refused", refused(ccxt.OrderNotFound, client.cancel_order, order["id"], "BTC/USDT"))
maker = ("BTC/USDT", "limit", "buy", 0.01, round(book["asks"][0][0] * 1.1, 2), {"postOnly": True})
deeds.did("post_only_refused", refused(ccxt.OrderImmediatelyFillable, client.create_order, *maker))
deeds.did("too_small_refused", refused(ccxt.BadRequest, client.create_order, "BTC/USDT", "market", "buy", 0.00001))
filled = client.create_order("BTC/USDT", "market", "buy", 0.002)
deeds.did("filled", filled["status"] == "closed" and filled["filled"] == 0.002)
trades = [trade for trade in client.fetch_my_trades("BTC/USDT") if trade["order"] == filled["id"]]
deeds.did("trades", abs(sum(trade["amount"] for trade in trades) - 0.002) < 1e-9)
deeds.did("fee", trades[0]["fee"]["currency"] == "BTC")
spent = client.create_market_buy_order_with_cost("ETH/USDT", 100)
deeds.did("bought_by_cost", 0 < spent["cost"] <= 100)
stop = client.create_order("BTC/USDT", "limit", "sell", 0.001, round(price * 0.9, 2), {"stopLossPrice": price})
deeds.did("stop_waits", stop["status"] == "open" and client.cancel_order(stop["id"], "BTC/USDT")["status"] == "canceled")
edited = client.create_order("BTC/USDT", "limit", "buy", 0.01, price)
edited = client.edit_order(edited["id"], "BTC/USDT", "limit", "buy", 0.02, price)
deeds.did("replaced", edited["amount"] == 0.02 and len(client.cancel_all_orders("BTC/USDT")) == 1)

futures = ccxt.binanceusdm({"apiKey": API_KEY, "secret": SECRET})
futures.options["fetchMarkets"] = {"types": ["linear"]}
futures.options["fetchCurrencies"] = False
for name, url in futures.urls["api"].items():
    if name.startswith("fapi"):
        futures.urls["api"][name] = f"http://{exchange}/" + url.split("binance.com/")[1]
btc = "BTC/USDT:USDT"
deeds.did("futures_markets", set(futures.load_markets()) == {btc, "ETH/USDT:USDT"})
opened = futures.create_order(btc, "market", "buy", 0.02)
deeds.did("futures_filled", opened["status"] == "closed" and opened["filled"] == 0.02 and opened["average"] > 0)
(position,) = futures.fetch_positions([btc])
deeds.did("position", position["side"] == "long" and position["contracts"] == 0.02)
deeds.did("entry_price", abs(position["entryPrice"] - opened["average"]) < 0.1)
nothing = (btc, "market", "buy", 0.02, None, {"reduceOnly": True})
deeds.did("reduce_only_refused", refused(ccxt.ExchangeError, futures.create_order, *nothing))
too_much = (btc, "limit", "buy", 900, round(opened["average"] * 0.97, 1))
deeds.did("margin_refused", refused(ccxt.ExchangeError, futures.create_order, *too_much))
resting = futures.create_order(btc, "limit", "buy", 0.01, round(opened["average"] * 0.97, 1), {"clientOrderId": "ccxtf-1"})
deeds.did("futures_open", [o["id"] for o in futures.fetch_open_orders(btc)] == [resting["id"]])
deeds.did("futures_canceled", futures.cancel_order(resting["id"], btc)["status"] == "canceled")
closed = futures.create_order(btc, "market", "sell", 0.02, None, {"reduceOnly": True})
deeds.did("closed", closed["filled"] == 0.02 and futures.fetch_positions([btc]) == [])
trades = [trade for trade in futures.fetch_my_trades(btc) if trade["order"] == closed["id"]]
deeds.did("futures_fee", trades[0]["fee"]["currency"] == "USDT")
deeds.did("futures_balance", 999_000 < futures.fetch_balance()["USDT"]["total"] < 1_001_000)
deeds.print()
