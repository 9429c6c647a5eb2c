"""The election that the Redis documentation describes, through redis-py, judged by the resource it protects.

A leader is whoever set the key with `SET key value NX PX`; it renews by comparing and extending, and leaves by
comparing and deleting, both as scripts. Beside what the documentation has, a leader asks for its fencing token and
shows it to the resource at each use.

usage: election.py sync|asyncio PORTS TURNS SEED

Each contender is a process of its own, so that one can be frozen (SIGSTOP) beyond its lease, woken, and go on as if
nothing had happened: then the resource must refuse it. The contenders of one run are half of each kind of client;
the first argument says which kind the first one is. One line of JSON at the end says what was seen; the exit code is
0 only if the election held.

The judge needs no clock but CLOCK_MONOTONIC, which all processes of one machine share:
- the time from the reply to an acquisition to the sending of the last good renewal + T x 0.999 overlaps no other's;
- tokens grow from one leader to the next;
- the resource, which remembers the highest token it saw, refuses the stale ones.
"""

import asyncio
import json
import multiprocessing
import multiprocessing.connection
import os
import random
import signal
import sys
import time

import redis
import redis.asyncio

KEY = "election"
TTL = 0.4
RENEW_EVERY = TTL / 4
# A renewal that was sent within this part of the lease may still be acted upon.
SAFE = 0.999
NAP = 0.005
LIMIT = 20.0

RENEW = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("pexpire", KEYS[1], ARGV[2])
else
    return 0
end
"""
RELEASE = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("del", KEYS[1])
else
    return 0
end
"""


class Sync:
    """The synchronous client behind the same face as the other."""

    def __init__(self, port):
        self.client = redis.Redis(port=port, decode_responses=True)
        self.renew_script = self.client.register_script(RENEW)
        self.release_script = self.client.register_script(RELEASE)

    async def acquire(self, me):
        return self.client.set(KEY, me, nx=True, px=int(TTL * 1000))

    async def token(self, me):
        return self.client.execute_command("LEASE.TOKEN", KEY, me)

    async def renew(self, me):
        return self.renew_script(keys=[KEY], args=[me, int(TTL * 1000)])

    async def release(self, me):
        return self.release_script(keys=[KEY], args=[me])


class Asyncio:
    """The asynchronous client."""

    def __init__(self, port):
        self.client = redis.asyncio.Redis(port=port, decode_responses=True)
        self.renew_script = self.client.register_script(RENEW)
        self.release_script = self.client.register_script(RELEASE)

    async def acquire(self, me):
        return await self.client.set(KEY, me, nx=True, px=int(TTL * 1000))

    async def token(self, me):
        return await self.client.execute_command("LEASE.TOKEN", KEY, me)

    async def renew(self, me):
        return await self.renew_script(keys=[KEY], args=[me, int(TTL * 1000)])

    async def release(self, me):
        return await self.release_script(keys=[KEY], args=[me])


def now():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


async def contend(client, index, pipe, resign_after):
    """One contender, until it is ended. Tells the judge each step, in order, before it takes the next."""
    turn = 0
    while True:
        turn += 1
        me = f"{index}-{os.getpid()}-{turn}"
        asked = now()
        if not await client.acquire(me):
            await asyncio.sleep(NAP)
            continue
        begun = now()
        token = await client.token(me)
        if token is None:
            # It ended before the token was read: no leader ever acted on it.
            continue
        pipe.send(("begin", me, begun, asked, token))
        # Its own idea of how long it may act, which a frozen process learns too late.
        until, renew_at, uses = asked + TTL * SAFE, begun + RENEW_EVERY, 0
        while now() < until:
            uses += 1
            # Checked, then used: what a pause between the two lets through is for the resource to refuse.
            pipe.send(("use", me, now(), token))
            if resign_after and uses >= resign_after:
                pipe.send(("release", me, now()))
                await client.release(me)
                break
            if now() >= renew_at:
                sent = now()
                if not await client.renew(me):
                    break
                until, renew_at = sent + TTL * SAFE, now() + RENEW_EVERY
                pipe.send(("renew", me, sent))
            await asyncio.sleep(NAP)
        else:
            # Its lease is over by its own clock. It may have been paused in between, after it had checked and before
            # it acted: that act comes now.
            pipe.send(("use", me, now(), token))


def contender(kind, port, index, pipe, resign_after):
    client = Sync(port) if kind == "sync" else Asyncio(port)
    asyncio.run(contend(client, index, pipe, resign_after))


class Judge:
    """The resource, and the account of who led when."""

    def __init__(self):
        self.reigns = {}
        self.uses = []
        self.order = []
        self.wrong = []

    def hear(self, message):
        what, me, *rest = message
        if what == "begin":
            begun, asked, token = rest
            self.reigns[me] = {"begun": begun, "until": asked + TTL * SAFE, "token": token}
            self.order.append(me)
        elif what == "renew":
            (sent,) = rest
            self.reigns[me]["until"] = sent + TTL * SAFE
        elif what == "release":
            (sent,) = rest
            self.reigns[me]["until"] = min(self.reigns[me]["until"], sent)
        elif what == "use":
            self.uses.append(tuple(rest))

    def refused(self):
        """How many uses the resource refused: it takes them in the order they were made, whatever pipe they came
        through, and remembers the highest token."""
        highest = refused = 0
        for _, token in sorted(self.uses):
            refused += token < highest
            highest = max(highest, token)
        return refused

    def judge(self):
        reigns = sorted(self.reigns.values(), key=lambda reign: reign["begun"])
        for one, other in zip(reigns, reigns[1:]):
            if other["begun"] < one["until"]:
                overlap = (one["until"] - other["begun"]) * 1000
                self.wrong.append(f"two led for {overlap:.3f} ms: {one} and {other}")
            if other["token"] <= one["token"]:
                self.wrong.append(f"a token did not grow: {one} then {other}")
        return reigns


def run(first_kind, ports, turns, by_freezing, draw):
    """Hand-overs by release or by freezing the leader beyond its lease."""
    kinds = ["sync", "asyncio"] if first_kind == "sync" else ["asyncio", "sync"]
    judge, pipes, processes = Judge(), [], []
    for index in range(6):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        resign_after = None if by_freezing else draw.randint(1, 5)
        arguments = (kinds[index % 2], ports[index % len(ports)], index, theirs, resign_after)
        process = multiprocessing.Process(target=contender, args=arguments, daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)

    def listen(seconds):
        for pipe in multiprocessing.connection.wait(pipes, timeout=seconds):
            while pipe.poll():
                judge.hear(pipe.recv())

    try:
        done, deadline = 0, now() + LIMIT
        while done < turns:
            seen = len(judge.order)
            listen(0.05)
            if now() > deadline:
                judge.wrong.append(f"no new leader for {LIMIT} s after {done} hand-overs")
                break
            if not by_freezing:
                done += len(judge.order) - seen
                deadline = now() + LIMIT if len(judge.order) > seen else deadline
                continue
            if not judge.order:
                continue
            deadline = now() + LIMIT
            # Freeze whoever leads now, wait for its successor, and wake it: it goes on where it was.
            leader = judge.order[-1]
            process = processes[int(leader.split("-")[0])]
            time.sleep(draw.uniform(0, RENEW_EVERY))
            os.kill(process.pid, signal.SIGSTOP)
            while judge.order[-1] == leader and now() < deadline:
                listen(0.02)
            # Let the successor use its token before the old one wakes.
            listen(0.02)
            os.kill(process.pid, signal.SIGCONT)
            done += 1
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
    reigns = judge.judge()
    return judge, {"hand_overs": done, "reigns": len(reigns), "stale_refused": judge.refused()}


def main():
    kind, ports, turns, seed = sys.argv[1], [int(p) for p in sys.argv[2].split(",")], int(sys.argv[3]), int(sys.argv[4])
    draw = random.Random(seed)
    multiprocessing.set_start_method("spawn")
    released, by_release = run(kind, ports, turns, False, draw)
    frozen, by_freezing = run(kind, ports, turns, True, draw)
    wrong = released.wrong + frozen.wrong
    if by_freezing["stale_refused"] < turns // 2:
        wrong.append(f"inconclusive: only {by_freezing['stale_refused']} stale tokens were refused")
    print(json.dumps({
        "kind": kind, "seed": seed, "redis_py": redis.__version__, "ttl_ms": TTL * 1000,
        "by_release": by_release, "by_freezing": by_freezing, "wrong": wrong,
    }))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
