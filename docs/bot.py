import hashlib, hmac, http.client, itertools, json, os, random, sys, time, urllib.parse
from redis import Sentinel, backoff, retry

base, me, again = int(sys.argv[1]), f"bot-{os.getpid()}-{time.time_ns()}", retry.Retry(backoff.ConstantBackoff(0.3), 9)
redis = Sentinel([("127.0.0.1", base + n) for n in (169, 269, 369)], socket_timeout=1, retry=again).master_for("mymaster")

def ask(port, method, path, body=None, **headers):
    try:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        answer = link.request(method, path, body, {"content-type": "application/json", **headers}) or link.getresponse()
        return answer.status, json.load(answer)
    except (OSError, ValueError, http.client.HTTPException): return 500, None  # nobody knows what was done

def tenure(verb, **body):
    for node in itertools.cycle((180, 280, 380)):  # any of them; asked again under its key, an order is the same one
        time.sleep(0.1)
        status, said = ask(base + node, "POST", f"/api/v1/orders/{verb}", json.dumps(body))
        if status < 500: return said if status == 200 else sys.exit(f"{me} stops: {said['reason']}: {said['message']}")

keys = ask(base + 901, "GET", "/identity")[1]
while not (token := redis.execute_command("LEASE.TOKEN", "desk", me)):
    redis.set("desk", me, nx=True, px=3000) or time.sleep(0.5)
while redis.execute_command("LEASE.RENEW", "desk", me, "PX", 3000)[0] or sys.exit(f"{me} stops: the lease is lost"):
    order = tenure("authorize", key=f"{time.time_ns() // 10**6}-{me}", lease="desk", token=token, account="sim", strategy="mm",
        algorithm="coin", trader="ann", symbol="BTCUSDT", side=random.choice(["BUY", "SELL"]), type="MARKET", quantity="0.001")
    query = urllib.parse.urlencode({name: order[name] for name in ("symbol", "side", "type", "quantity")} | {
        "newClientOrderId": order["client_order_id"], "timestamp": order["timestamp_ms"], "recvWindow": order["window_ms"]})
    signature = hmac.new(keys["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
    status, said = ask(base + 900, "POST", f"/api/v3/order?{query}&signature={signature}", **{"x-mbx-apikey": keys["api_key"]})
    if status == 200:
        told = {"ended": said["status"], "cumulative_quantity": said["executedQty"], "venue_order_id": said["orderId"],
                "fills": [{"trade_id": one["tradeId"], "quantity": one["qty"], "price": one["price"]} for one in said["fills"]]}
    else: told = {"unknown": "TIMEOUT"} if status >= 500 else {"ended": "REJECTED", "code": said["code"], "reason": said["msg"]}
    print(order["client_order_id"], tenure("report", reports=[told | {"order_id": order["order_id"]}])[0]["order"]["status"])
