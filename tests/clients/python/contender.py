"""What every contender in Python does with a library's lock; `../README.md` says what its lines mean.

A library is a class with `open`, `take`, `renew`, `release` and `close`, in the library's own words and nothing else:
`take` gives what it holds or None, `renew` and `release` say whether it was this contender's.
"""

import json
import random
import sys
import threading
import time

# How long it holds, and how long it waits before it asks again.
HOLDS, RENEWS_EVERY, ASKS_EVERY = 0.15, 0.1, 0.06

# A renewal that failed is tried again up to so long before the end of what was promised.
SAFE = 1.0

TRIES = 5

now = time.monotonic


class Library:
    """`seconds`: how long a lock lasts; None: without an end."""

    seconds = 20
    # Whether `take` waits until the lock is free.
    waits = False
    # Whether the library can lengthen a lock; without that, `renew` only looks.
    renews = True
    # Whether a renewal that fails for whatever reason ends the lock.
    gives_up = False
    # Whether a lock that another holds can be told from one's own when it is released.
    knows_its_own = True

    def __init__(self, port):
        self.port = port
        self.open()

    def open(self):
        pass

    def close(self):
        pass


class Contender:
    def __init__(self, name, kind, version, port, say):
        self.name, self.kind, self.version, self.port = name, kind, version, port
        self.out = say
        self.is_keeping = threading.Event()
        self.is_over = threading.Event()

    def say(self, **what):
        self.out({"library": self.name, **what})

    def run(self):
        try:
            self.say(version=self.version, did=self.did())
            self.contend()
        except Exception as error:
            self.say(wrong=f"{type(error).__name__}: {error}")

    def did(self):
        """What cannot be done because of the world's ways is begun again."""
        for number in range(TRIES):
            try:
                return self.basics(f"basics:{self.name}:{self.port}:{number}")
            except AssertionError:
                raise
            except Exception as error:
                self.error("basics", error)
        raise AssertionError(f"nothing went well {TRIES} times")

    def basics(self, key):
        """Everything once, two clients, one key of this endpoint."""
        one, two = self.kind(self.port), self.kind(self.port)
        did = ["acquire"]
        held = one.take(key)
        assert held is not None, "a free lock was refused"
        if one.waits:
            # A thread's own: such a lock may know who took it.
            taken, given_back = [], []

            def wait_for_it():
                taken.append(two.take(key))
                given_back.append(two.release(taken[0]))

            waiter = threading.Thread(target=wait_for_it, daemon=True)
            waiter.start()
            waiter.join(0.3)
            assert not taken, "a lock was given twice"
        else:
            assert two.take(key) is None, "a lock was given twice"
        did.append("wait" if one.waits else "refuse")
        if one.renews:
            assert one.renew(held), "a renewal was refused"
            did.append("renew")
        assert one.release(held), "a release was refused"
        did.append("release")
        if one.waits:
            waiter.join(20)
            assert given_back == [True], "a lock that was released was not given to who waits"
            return did
        again = two.take(key)
        assert again is not None, "a lock that was released was refused"
        if one.knows_its_own:
            assert not one.release(held), "a lock of another was released"
            did.append("refuse another's release")
        assert two.release(again), "a release was refused"
        one.close()
        two.close()
        return did

    def contend(self):
        library, key = self.kind(self.port), f"contended:{self.name}"
        while not self.is_over.is_set():
            sent = now()
            try:
                held = library.take(key)
            except Exception as error:
                self.error("acquire", error)
                continue
            if held is None:
                time.sleep(random.uniform(0.5, 1.5) * ASKS_EVERY)
                continue
            begun = now()
            self.say(took=begun)
            until = self.hold(library, held, begun, self.end(library, sent))
            left = now()
            self.say(held=[begun, min(left, until)])
            try:
                if not library.release(held) and left < until:
                    self.say(wrong="it was no longer the holder when it left")
            except Exception as error:
                self.error("release", error)

    def hold(self, library, held, begun, until):
        """Until when it was promised to be the holder."""
        while now() < until and not self.is_over.is_set():
            time.sleep(RENEWS_EVERY)
            sent = now()
            try:
                kept = library.renew(held)
            except Exception as error:
                self.error("renew", error)
                if now() > until - SAFE:
                    break
                continue
            if not kept:
                if library.gives_up:
                    self.say(error="renew: given up")
                elif sent < until:
                    self.say(wrong="it was no longer the holder before its time was over")
                return sent
            self.say(kept=sent)
            if library.renews:
                until = self.end(library, sent)
            if not self.is_keeping.is_set() and now() > begun + HOLDS:
                break
        return until

    @staticmethod
    def end(library, sent):
        return sent + library.seconds if library.seconds else float("inf")

    def error(self, when, error):
        """An outcome that is not known, or certainly not done: both are the world's ways."""
        self.say(error=f"{when}: {type(error).__name__}: {error}"[:300])
        time.sleep(random.uniform(0.5, 1.5) * ASKS_EVERY)


def main(libraries):
    """usage: PROGRAM PORT LIBRARY…, until standard input ends."""
    port, names = int(sys.argv[1]), sys.argv[2:]
    lock = threading.Lock()

    def say(what):
        with lock:
            print(json.dumps(what), flush=True)

    contenders = [Contender(name, *libraries[name](), port, say) for name in names]
    threads = [threading.Thread(target=contender.run, daemon=True) for contender in contenders]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        for contender in contenders:
            contender.is_keeping.set() if line.strip() == "keep" else contender.is_keeping.clear()
    for contender in contenders:
        contender.is_over.set()
    deadline = now() + 10
    for contender, thread in zip(contenders, threads):
        # Who waits for a lock in its library cannot be told to stop.
        thread.join(max(0, deadline - now()) if not contender.kind.waits else 0.2)
    sys.stdout.flush()
