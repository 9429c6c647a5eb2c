"""Messages through redis-py and every node, while the leader is killed underneath.

usage: messages.py PORTS SEED, until standard input ends

At each node there is a listener, which subscribes again when its connection has ended, and a speaker, whose messages are
numbered. A message is published by itself, in a transaction or from a script; the latter two set a key of the speaker's to
its number before.

One line of JSON at the end says what was seen; the exit code is 0 only if all of this held of every life of a listener,
which is the time from one acknowledgement to the end of its connection:
- no message came twice, and those of a speaker in the order of their numbers;
- two lives that heard the same two messages heard the same between them, in the same order;
- what was certainly not published was not heard;
- a life that went on to the end heard everything that was known to be published and begun after its acknowledgement;
- when a message of a transaction or a script was heard, the key read at that node was set already.
"""

import json
import random
import sys
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

CHANNEL = "messages"
END = "end"
# Long after the last kill every node is well again.
ENDS_WITHIN = 30

SCRIPT = "redis.call('set', KEYS[1], ARGV[1]) return redis.call('publish', ARGV[2], ARGV[3])"


def client(port):
    # No attempt of its own: what is not known must be told.
    return redis.Redis(port=port, retry=Retry(NoBackoff(), 0), socket_timeout=15, decode_responses=True)


class Life:
    """What a listener heard in one connection."""

    def __init__(self):
        self.since = time.monotonic()
        self.heard = []
        self.to_the_end = False


class Listener(threading.Thread):
    def __init__(self, port):
        super().__init__()
        self.port = port
        self.reader = client(port)
        self.lives = []
        self.wrong = []
        self.looks = 0
        self.given_up = threading.Event()

    def run(self):
        while not self.given_up.is_set():
            pubsub = client(self.port).pubsub()
            try:
                pubsub.subscribe(CHANNEL)
                if self.listen(pubsub):
                    return
            except redis.RedisError:
                time.sleep(0.05)
            finally:
                pubsub.close()

    def listen(self, pubsub):
        life = None
        while not self.given_up.is_set():
            said = pubsub.get_message(timeout=1)
            if said is None:
                continue
            if said["type"] == "subscribe":
                # Also when redis-py has connected anew by itself.
                life = Life()
                self.lives.append(life)
            elif said["data"] == END:
                life.to_the_end = True
                return True
            else:
                life.heard.append(said["data"])
                self.look(said["data"])
        return False

    def look(self, message):
        how, speaker, number = message.split(":")
        if how == "alone" or random.random() > 0.1:
            return
        try:
            found = int(self.reader.get(f"speaker:{speaker}") or 0)
        except redis.RedisError:
            return
        self.looks += 1
        if found < int(number):
            self.wrong.append(f"{message} came before its key, which was {found}")


class Speaker(threading.Thread):
    def __init__(self, name, port, seed, over):
        super().__init__()
        self.name, self.over = name, over
        self.client = client(port)
        self.random = random.Random(seed)
        self.published = {}
        self.refused = set()
        self.unknown = 0

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            how = self.random.choice(["alone", "transaction", "script"])
            message = f"{how}:{self.name}:{number}"
            begun = time.monotonic()
            try:
                self.publish(how, number, message)
                self.published[message] = begun
            except (redis.BusyLoadingError, redis.exceptions.TryAgainError):
                self.refused.add(message)
                time.sleep(0.02)
            except redis.RedisError as error:
                if str(error).startswith("LOADING"):
                    self.refused.add(message)
                else:
                    self.unknown += 1
                time.sleep(0.05)

    def publish(self, how, number, message):
        key = f"speaker:{self.name}"
        if how == "alone":
            self.client.publish(CHANNEL, message)
        elif how == "transaction":
            self.client.pipeline().set(key, number).publish(CHANNEL, message).execute()
        else:
            self.client.eval(SCRIPT, 1, key, number, CHANNEL, message)


def judge(listeners, speakers):
    wrong = [what for listener in listeners for what in listener.wrong]
    published = {message: begun for speaker in speakers for message, begun in speaker.published.items()}
    refused = {message for speaker in speakers for message in speaker.refused}
    lives = [life for listener in listeners for life in listener.lives]
    for life in lives:
        if len(set(life.heard)) < len(life.heard):
            wrong.append("a message came twice")
        if refused & set(life.heard):
            wrong.append(f"heard what was refused: {sorted(refused & set(life.heard))[:3]}")
        last = {}
        for message in life.heard:
            _, speaker, number = message.split(":")
            if last.get(speaker, 0) >= int(number):
                wrong.append(f"{message} came after number {last[speaker]}")
            last[speaker] = int(number)
        if life.to_the_end:
            missed = {m for m, begun in published.items() if begun > life.since} - set(life.heard)
            if missed:
                wrong.append(f"{len(missed)} were missed, as {sorted(missed)[:3]}")
    for one in lives:
        places = {message: place for place, message in enumerate(one.heard)}
        for other in lives:
            common = [message for message in other.heard if message in places]
            if not common:
                continue
            mine = one.heard[places[common[0]] : places[common[-1]] + 1]
            theirs = other.heard[other.heard.index(common[0]) : other.heard.index(common[-1]) + 1]
            if mine != theirs:
                wrong.append(f"two heard different things between {common[0]} and {common[-1]}")
    return wrong


def main():
    ports = [int(port) for port in sys.argv[1].split(",")]
    seed = int(sys.argv[2])
    over = threading.Event()
    listeners = [Listener(port) for port in ports]
    speakers = [Speaker(f"s{n}", port, seed + n, over) for n, port in enumerate(ports)]
    for thread in [*listeners, *speakers]:
        thread.start()
    sys.stdin.read()
    over.set()
    for speaker in speakers:
        speaker.join()
    deadline = time.monotonic() + ENDS_WITHIN
    while any(listener.is_alive() for listener in listeners) and time.monotonic() < deadline:
        try:
            client(ports[0]).publish(CHANNEL, END)
        except redis.RedisError:
            pass
        time.sleep(0.5)
    wrong = []
    for listener in listeners:
        if listener.is_alive():
            wrong.append(f"the listener at {listener.port} did not hear of the end")
            listener.given_up.set()
        listener.join()
    wrong += judge(listeners, speakers)
    print(json.dumps({
        "published": sum(len(speaker.published) for speaker in speakers),
        "refused": sum(len(speaker.refused) for speaker in speakers),
        "unknown": sum(speaker.unknown for speaker in speakers),
        "heard": sum(len(life.heard) for listener in listeners for life in listener.lives),
        "lives": sum(len(listener.lives) for listener in listeners),
        "looks": sum(listener.looks for listener in listeners),
        "seed": seed,
        "wrong": wrong,
    }))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
