"""python-binance at the simulated exchange: places, queries, cancels, sees balances, and hears of it on its user data
stream; the same of futures.

Arguments: the address of the exchange and of its control, as 127.0.0.1:7900 127.0.0.1:7901. Prints a line of JSON,
{"library", "version", "did": [...]}, and ends with an error at whatever is not as it must be.
"""

import asyncio
import sys
from importlib.metadata import version

from binance import AsyncClient, BinanceSocketManager, Client
from binance.base_client import BaseClient
from binance.exceptions import BinanceAPIException

from simulated import API_KEY, SECRET, Deeds

exchange, _control = sys.argv[1:3]


# The one place where the library has its addresses.
BaseClient.API_URL = f"http://{exchange}/api"
BaseClient.MARGIN_API_URL = f"http://{exchange}/sapi"
BaseClient.WS_API_URL = f"ws://{exchange}/ws-api/v3"
BaseClient.FUTURES_URL = f"http://{exchange}/fapi"
BinanceSocketManager.FSTREAM_URL = f"ws://{exchange}/fstream/"


def refused(code, call, **params):
    try:
        call(**params)
    except BinanceAPIException as error:
        assert error.code == code, error
        return
    raise AssertionError(f"not refused with {code}")


def by_rest(deeds):
    client = Client(API_KEY, SECRET)
    deeds.did("system_status", client.get_system_status()["status"] == 0)
    deeds.did("symbol", client.get_symbol_info("BTCUSDT")["status"] == "TRADING")
    ticker = client.get_orderbook_ticker(symbol="BTCUSDT")
    bid, ask = float(ticker["bidPrice"]), float(ticker["askPrice"])
    deeds.did("book", 0 < bid < ask)
    price = f"{bid * 0.9:.2f}"
    order = client.order_limit_buy(symbol="BTCUSDT", quantity="0.01000", price=price, newClientOrderId="pb-1")
    deeds.did("placed", order["status"] == "NEW" and order["clientOrderId"] == "pb-1")
    refused(-2010, client.order_limit_buy, symbol="BTCUSDT", quantity="0.01", price=price, newClientOrderId="pb-1")
    deeds.did("duplicate_refused", True)
    seen = client.get_order(symbol="BTCUSDT", origClientOrderId="pb-1")
    deeds.did("queried", seen["orderId"] == order["orderId"])
    deeds.did("open", [o["orderId"] for o in client.get_open_orders(symbol="BTCUSDT")] == [order["orderId"]])
    locked = float(client.get_asset_balance("USDT")["locked"])
    deeds.did("balances", abs(locked - float(price) * 0.01) < 1e-6)
    gone = client.cancel_order(symbol="BTCUSDT", origClientOrderId="pb-1")
    deeds.did("canceled", gone["status"] == "CANCELED" and gone["origClientOrderId"] == "pb-1")
    refused(-2011, client.cancel_order, symbol="BTCUSDT", origClientOrderId="pb-1")
    refused(-2013, client.get_order, symbol="BTCUSDT", origClientOrderId="nobody")
    filled = client.order_market_buy(symbol="BTCUSDT", quantity="0.001")
    deeds.did("filled", filled["status"] == "FILLED" and len(filled["fills"]) >= 1)
    trades = client.get_my_trades(symbol="BTCUSDT", orderId=filled["orderId"])
    deeds.did("trades", sum(float(t["qty"]) for t in trades) == 0.001)
    statuses = {o["orderId"]: o["status"] for o in client.get_all_orders(symbol="BTCUSDT")}
    deeds.did("all_orders", statuses[order["orderId"]] == "CANCELED" and statuses[filled["orderId"]] == "FILLED")
    client.create_test_order(symbol="ETHUSDT", side="BUY", type="MARKET", quoteOrderQty=100)
    deeds.did("rate_limit", len(client.get_current_order_count()) == 2)


async def by_stream(deeds):
    client = AsyncClient(API_KEY, SECRET)
    manager = BinanceSocketManager(client)
    async with manager.user_socket() as stream:
        await asyncio.sleep(0)
        order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.001", newClientOrderId="pb-2")
        heard = []
        while len(heard) < 3:
            message = await asyncio.wait_for(stream.recv(), 5)
            event = message.get("event", message)
            heard.append((event["e"], event.get("x")))
        deeds.did("heard", heard[0] == ("executionReport", "NEW") and heard[1] == ("executionReport", "TRADE"))
        deeds.did("heard_of_it", order["clientOrderId"] == "pb-2")
    placed = await client.ws_order_limit_buy(symbol="ETHUSDT", quantity="0.1", price="2500", newClientOrderId="pb-3")
    deeds.did("placed_by_websocket", placed["status"] == "NEW")
    gone = await client.ws_cancel_order(symbol="ETHUSDT", origClientOrderId="pb-3")
    deeds.did("canceled_by_websocket", gone["status"] == "CANCELED")
    await client.close_connection()


def of_futures(deeds):
    client = Client(API_KEY, SECRET)
    market = dict(symbol="BTCUSDT", type="MARKET", newOrderRespType="RESULT")
    limit = dict(symbol="BTCUSDT", type="LIMIT", timeInForce="GTC")
    price = f"{float(client.futures_symbol_ticker(symbol='BTCUSDT')['price']) * 0.97:.1f}"
    deeds.did("futures_symbols", [s["symbol"] for s in client.futures_exchange_info()["symbols"]] == ["BTCUSDT", "ETHUSDT"])
    deeds.did("leverage", client.futures_change_leverage(symbol="BTCUSDT", leverage=10)["leverage"] == 10)
    opened = client.futures_create_order(side="BUY", quantity="0.010", **market)
    deeds.did("futures_filled", opened["status"] == "FILLED" and float(opened["avgPrice"]) > 0)
    (position,) = client.futures_position_information(symbol="BTCUSDT")
    deeds.did("position", float(position["positionAmt"]) == 0.01 and float(position["entryPrice"]) == float(opened["avgPrice"]))
    refused(-2022, client.futures_create_order, side="BUY", quantity="0.010", reduceOnly="true", **market)
    deeds.did("reduce_only_refused", True)
    order = client.futures_create_order(side="BUY", quantity="0.010", price=price, newClientOrderId="pbf-1", **limit)
    deeds.did("futures_open", [o["orderId"] for o in client.futures_get_open_orders(symbol="BTCUSDT")] == [order["orderId"]])
    gone = client.futures_cancel_order(symbol="BTCUSDT", origClientOrderId="pbf-1")
    deeds.did("futures_canceled", gone["status"] == "CANCELED")
    refused(-2011, client.futures_cancel_order, symbol="BTCUSDT", origClientOrderId="pbf-1")
    armed = client.futures_countdown_cancel_all(symbol="BTCUSDT", countdownTime=60000)
    deeds.did("countdown", armed == {"symbol": "BTCUSDT", "countdownTime": "60000"})
    closed = client.futures_create_order(side="SELL", quantity="5", reduceOnly="true", **market)
    deeds.did("closed", closed["executedQty"] == "0.01" and client.futures_position_information(symbol="BTCUSDT") == [])
    trades = client.futures_account_trades(symbol="BTCUSDT", orderId=closed["orderId"])
    deeds.did("realized", all(trade["commissionAsset"] == "USDT" and "realizedPnl" in trade for trade in trades))
    (balance,) = client.futures_account_balance()
    deeds.did("futures_balance", 999_000 < float(balance["balance"]) < 1_001_000)


async def of_futures_by_stream(deeds):
    client = AsyncClient(API_KEY, SECRET)
    async with BinanceSocketManager(client).futures_user_socket() as stream:
        await client.futures_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010")
        heard = []
        while len(heard) < 3:
            message = await asyncio.wait_for(stream.recv(), 5)
            heard.append((message["e"], message.get("o", {}).get("x")))
        told = {("ORDER_TRADE_UPDATE", "NEW"), ("ORDER_TRADE_UPDATE", "TRADE"), ("ACCOUNT_UPDATE", None)}
        deeds.did("futures_heard", told <= set(heard))
    await client.close_connection()


deeds = Deeds("python-binance", version("python-binance"))
by_rest(deeds)
asyncio.run(by_stream(deeds))
of_futures(deeds)
asyncio.run(of_futures_by_stream(deeds))
deeds.print()
