"""Money moved between accounts by WATCH, MULTI and EXEC, through redis-py, while the leader is killed underneath.

usage: transactions.py PORTS ACCOUNTS TELLERS SEED, until standard input ends

Each teller is a thread with a connection to one of the nodes. It watches two accounts, reads them, and in one
transaction writes both and counts itself. Every other turn the amounts are read inside the transaction, where they must
be what has just been written. An auditor reads all accounts in one transaction, again and again.

One line of JSON at the end says what was seen; the exit code is 0 only if all of this held:
- the auditor never sees another sum than the one at the beginning;
- each teller's count is at least what it was told, and at most that and what nobody knows;
- what is read inside a transaction is what it has written before.
"""

import json
import random
import sys
import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

FUNDS = 1000


def client(port):
    # No attempt of its own: what is not known must be told.
    return redis.Redis(port=port, retry=Retry(NoBackoff(), 0), socket_timeout=15, decode_responses=True)


def account(number):
    return f"account:{number}"


class Teller(threading.Thread):
    def __init__(self, number, port, accounts, seed, over):
        super().__init__()
        self.key = f"teller:{number}"
        self.client = client(port)
        self.accounts, self.over = accounts, over
        self.random = random.Random(seed)
        self.done = self.conflicts = self.unknown = self.refused = 0
        self.sent = False
        self.wrong = []

    def run(self):
        while not self.over.is_set():
            giver, taker = self.random.sample(range(self.accounts), 2)
            try:
                self.move(account(giver), account(taker), self.random.randint(1, 9))
                self.done += 1
            except redis.WatchError as error:
                # redis-py says the same when the connection breaks, whatever has become of the EXEC.
                if "Watched variable changed" in str(error):
                    self.conflicts += 1
                else:
                    self.unknown += 1
                    self.over.wait(0.05)
            except (redis.BusyLoadingError, redis.exceptions.TryAgainError):
                self.refused += 1
            except redis.ConnectionError:
                # Only what was sent as a whole may have been done.
                self.unknown += self.sent
                self.refused += not self.sent
                self.over.wait(0.05)
            except redis.RedisError as error:
                if str(error).startswith("TIMEOUT"):
                    self.unknown += 1
                else:
                    self.wrong.append(f"{type(error).__name__}: {error}")
                    return

    def move(self, giver, taker, amount):
        self.sent = False
        with self.client.pipeline() as pipe:
            pipe.watch(giver, taker)
            given, taken = int(pipe.get(giver)) - amount, int(pipe.get(taker)) + amount
            pipe.multi()
            pipe.set(giver, given)
            pipe.set(taker, taken)
            pipe.incr(self.key)
            reads = self.random.random() < 0.5
            if reads:
                pipe.get(giver)
                pipe.mget(giver, taker)
            self.sent = True
            replies = pipe.execute()
            if reads and replies[3:] != [str(given), [str(given), str(taken)]]:
                self.wrong.append(f"read {replies[3:]} after writing {given} and {taken}")


class Auditor(threading.Thread):
    def __init__(self, ports, accounts, over):
        super().__init__()
        self.clients = [client(port) for port in ports]
        self.accounts, self.over = accounts, over
        self.looks = 0
        self.wrong = []

    def run(self):
        while not self.over.is_set():
            teller = self.clients[self.looks % len(self.clients)]
            try:
                with teller.pipeline(transaction=True) as pipe:
                    for number in range(self.accounts):
                        pipe.get(account(number))
                    found = sum(map(int, pipe.execute()))
            except redis.RedisError:
                self.looks += 1
                continue
            self.looks += 1
            if found != self.accounts * FUNDS:
                self.wrong.append(f"{found} in all accounts")
                return


def main():
    ports = [int(port) for port in sys.argv[1].split(",")]
    accounts, tellers, seed = map(int, sys.argv[2:])
    client(ports[0]).mset({account(number): FUNDS for number in range(accounts)})
    over = threading.Event()
    workers = [Teller(n, ports[n % len(ports)], accounts, seed + n, over) for n in range(tellers)]
    auditor = Auditor(ports, accounts, over)
    for thread in [*workers, auditor]:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in [*workers, auditor]:
        thread.join()
    wrong = auditor.wrong + [what for worker in workers for what in worker.wrong]
    reader = client(ports[0])
    for worker in workers:
        count = int(reader.get(worker.key) or 0)
        if not worker.done <= count <= worker.done + worker.unknown:
            wrong.append(f"{worker.key} counts {count}, was told {worker.done}, does not know {worker.unknown}")
    total = sum(int(reader.get(account(number))) for number in range(accounts))
    if total != accounts * FUNDS:
        wrong.append(f"{total} in all accounts at the end")
    print(json.dumps({
        "moves": sum(worker.done for worker in workers),
        "conflicts": sum(worker.conflicts for worker in workers),
        "refused": sum(worker.refused for worker in workers),
        "unknown": sum(worker.unknown for worker in workers),
        "audits": auditor.looks,
        "seed": seed,
        "wrong": wrong,
    }))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
