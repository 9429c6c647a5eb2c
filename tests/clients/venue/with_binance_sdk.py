"""Binance's own SDK at the simulated exchange: REST, then the WebSocket API with a session that is logged on by an
Ed25519 key, its user data stream, and market streams.

Arguments: the address of the exchange and of its control, as 127.0.0.1:7900 127.0.0.1:7901. Prints a line of JSON,
{"library", "version", "did": [...]}, and ends with an error at whatever is not as it must be.
"""

import asyncio
import sys
from importlib.metadata import version

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError
from binance_sdk_spot.spot import Spot

from simulated import API_KEY, ED25519_API_KEY, ED25519_PRIVATE_KEY, SECRET, Deeds

exchange, _control = sys.argv[1:3]


def by_rest(deeds):
    client = Spot(
        config_rest_api=ConfigurationRestAPI(api_key=API_KEY, api_secret=SECRET, base_path=f"http://{exchange}")
    ).rest_api
    info = client.exchange_info(symbol="BTCUSDT").data()
    deeds.did("symbol", info.symbols[0].symbol == "BTCUSDT" and len(info.symbols[0].filters) == 7)
    book = client.depth("BTCUSDT", limit=5).data()
    price = round(float(book.bids[0][0]) * 0.9, 2)
    order = dict(symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=price)
    placed = client.new_order(**order, new_client_order_id="sdk-1").data()
    deeds.did("placed", placed.status == "NEW" and placed.client_order_id == "sdk-1")
    try:
        client.new_order(**order, new_client_order_id="sdk-1")
        raise AssertionError("a duplicate was not refused")
    except BadRequestError as error:
        deeds.did("duplicate_refused", "Duplicate order sent." in str(error))
    deeds.did("queried", client.get_order("BTCUSDT", orig_client_order_id="sdk-1").data().order_id == placed.order_id)
    deeds.did("open", [o.order_id for o in client.get_open_orders("BTCUSDT").data()] == [placed.order_id])
    balances = {row.asset: row for row in client.get_account(omit_zero_balances=True).data().balances}
    deeds.did("balances", abs(float(balances["USDT"].locked) - price * 0.01) < 1e-6)
    deeds.did("canceled", client.delete_order("BTCUSDT", order_id=placed.order_id).data().status == "CANCELED")
    filled = client.new_order(symbol="BTCUSDT", side="SELL", type="MARKET", quantity=0.001).data()
    deeds.did("filled", filled.status == "FILLED" and len(filled.fills) >= 1)
    trades = client.my_trades("BTCUSDT", order_id=filled.order_id).data()
    deeds.did("trades", sum(float(trade.qty) for trade in trades) == 0.001)
    deeds.did("commission", client.account_commission("BTCUSDT").data().standard_commission.taker == "0.00100000")


async def by_websocket(deeds):
    client = Spot(
        config_ws_api=ConfigurationWebSocketAPI(
            api_key=ED25519_API_KEY,
            private_key=ED25519_PRIVATE_KEY,
            stream_url=f"ws://{exchange}/ws-api/v3",
        )
    )
    connection = await client.websocket_api.create_connection()
    heard = asyncio.Queue()
    await connection.session_logon()
    status = (await connection.session_status()).data().result
    deeds.did("logged_on", status.api_key == ED25519_API_KEY)
    stream = await connection.user_data_stream_subscribe()
    stream.stream.on("message", heard.put_nowait)
    placed = await connection.order_place(
        symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.001, new_client_order_id="sdk-2"
    )
    deeds.did("placed_by_websocket", placed.data().result.status == "FILLED")
    event = await asyncio.wait_for(heard.get(), 5)
    deeds.did("heard", event.actual_instance.c == "sdk-2" if hasattr(event, "actual_instance") else "sdk-2" in str(event))
    await connection.close_connection(close_session=True)


async def by_streams(deeds):
    client = Spot(config_ws_streams=ConfigurationWebSocketStreams(stream_url=f"ws://{exchange}"))
    connection = await client.websocket_streams.create_connection()
    heard = asyncio.Queue()
    stream = await connection.book_ticker(symbol="btcusdt")
    stream.on("message", heard.put_nowait)
    quote = await asyncio.wait_for(heard.get(), 5)
    deeds.did("quotes", float(quote.b) < float(quote.a))
    await connection.close_connection(close_session=True)


deeds = Deeds("binance-sdk-spot", version("binance-sdk-spot"))
by_rest(deeds)
asyncio.run(by_websocket(deeds))
asyncio.run(by_streams(deeds))
deeds.print()
