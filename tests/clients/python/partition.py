"""A bot of `cargo xtask demo partition`: it asks Sentinels for its master, wants to lead, and while it leads it writes.

usage: partition.py lead NAME SENTINELS            until standard input ends
       partition.py read SENTINELS [NAME COUNT]…   which of the orders 1 to COUNT of each bot are there

The election is the one of the Redis documentation: SET key value NX PX, renewed by a script that compares and extends,
ended by one that compares and deletes. A bot believes to lead until a lock's length after it sent the last request that
took or renewed the lock. While it does, it writes its orders, each once, under a key of its own. Each of them and of the
things below is one line of JSON; times are of CLOCK_MONOTONIC, in seconds, and but for `until` those of the answer.

| line | means |
|---|---|
| `{"bot", "redis_py"}` | the first one |
| `{"took": t, "until": u}` | it leads, by its own belief until u |
| `{"renewed": t, "until": u}` | and now until u |
| `{"refused": t}` | another leads |
| `{"lost": t}` | a renewal was refused: another may lead |
| `{"wrote": number, "at": t}` | the order is acknowledged |
| `{"error": text, "at": t}` | no answer, or that of a server that is none now: what was asked may be done or not |
| `{"left": t}` | it led, and leads no more; t before the release was sent |
| `{"found": [number, …], "of": bot}` | of `read` |
"""

import json
import sys
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from election import RELEASE, RENEW

NAME = "mymaster"
KEY = "leader"
LOCK_MS = 10_000
RENEWS_EVERY = LOCK_MS / 1000 / 3
# Clocks of servers may run faster than this one.
SAFE = 0.999

ASKS_EVERY, WRITES_EVERY = 0.1, 0.002
ANSWERS_WITHIN = 0.5

# Orders that one request reads.
READS = 500

now = time.monotonic


def say(**what):
    print(json.dumps(what), flush=True)


def find_master(sentinels):
    # Each try is one: whether and when there is another is to be seen in what is printed.
    options = {"socket_connect_timeout": ANSWERS_WITHIN, "socket_timeout": ANSWERS_WITHIN, "retry": Retry(NoBackoff(), 0)}
    addresses = [(host, 26379) for host in sentinels.split(",")]
    return Sentinel(addresses, sentinel_kwargs=options, decode_responses=True, **options).master_for(NAME)


class Bot:
    def __init__(self, name, master):
        self.name, self.master = name, master
        self.renew_script = master.register_script(RENEW)
        self.release_script = master.register_script(RELEASE)
        self.until = self.renews_at = 0
        self.orders = 0

    def step(self):
        """One request, and how long to wait after it."""
        sent = now()
        if sent >= self.until:
            return self.take(sent)
        if sent >= self.renews_at:
            return self.renew(sent)
        return self.write()

    def take(self, sent):
        if self.master.set(KEY, self.name, nx=True, px=LOCK_MS):
            self.leads(sent)
            say(took=now(), until=self.until)
            return 0
        say(refused=now())
        return ASKS_EVERY

    def renew(self, sent):
        if self.renew_script(keys=[KEY], args=[self.name, LOCK_MS]):
            self.leads(sent)
            say(renewed=now(), until=self.until)
        else:
            self.until = 0
            say(lost=now())
        return 0

    def write(self):
        # Counted before it is sent: a number whose fate is not known is not used again.
        self.orders += 1
        self.master.set(order(self.name, self.orders), self.orders)
        say(wrote=self.orders, at=now())
        return WRITES_EVERY

    def leave(self):
        if now() < self.until:
            say(left=now())
            self.release_script(keys=[KEY], args=[self.name])

    def leads(self, sent):
        self.until, self.renews_at = sent + LOCK_MS / 1000 * SAFE, sent + RENEWS_EVERY


def order(name, number):
    return f"order:{name}:{number}"


def lead(name, sentinels):
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    say(bot=name, redis_py=redis.__version__)
    bot = Bot(name, find_master(sentinels))
    wait = 0
    while not ended.wait(wait):
        try:
            wait = bot.step()
        except redis.RedisError as error:
            say(error=f"{type(error).__name__}: {error}"[:300], at=now())
            wait = ASKS_EVERY
    bot.leave()


def read(sentinels, *counts):
    master = find_master(sentinels)
    for name, count in zip(counts[::2], map(int, counts[1::2])):
        for first in range(1, count + 1, READS):
            numbers = range(first, min(first + READS, count + 1))
            values = master.mget([order(name, number) for number in numbers])
            say(found=[number for number, value in zip(numbers, values) if value == str(number)], of=name)


if __name__ == "__main__":
    {"lead": lead, "read": read}[sys.argv[1]](*sys.argv[2:])
