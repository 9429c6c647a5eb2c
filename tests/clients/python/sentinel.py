"""A lock that is kept by a client which knows nothing but Sentinels, whatever happens to the nodes underneath.

usage: sentinel.py PROTOCOL SENTINEL_PORTS

redis-py's own Sentinel class finds the node, redis-py's own Lock takes the lock and renews it until standard input ends. A
rival, which finds its node the same way, wants it all the time. After each renewal one line `held COUNT PORT` says how
often and where. One line of JSON at the end says what was seen; the exit code is 0 only if the lock was never lost.
"""

import json
import sys
import threading

import redis
import redis.exceptions
import redis.sentinel

NAME = "mymaster"
KEY = "kept-through-sentinel"
# Longer than any failover here, on a machine that does other things too.
TTL = 15.0
PAUSE = 0.1
BROKEN = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.BusyLoadingError)


def sentinel(protocol, ports):
    return redis.sentinel.Sentinel(
        [("127.0.0.1", port) for port in ports],
        sentinel_kwargs={"protocol": protocol, "socket_timeout": 5},
        protocol=protocol,
        socket_timeout=5,
        decode_responses=True,
    )


def look(sentinel, ports):
    """What the Sentinels say of the group while all is well."""
    masters = sentinel.sentinels[0].sentinel_masters()
    assert list(masters) == [NAME], masters
    master = masters[NAME]
    assert master["is_master"] and not master["is_sdown"] and not master["is_odown"], master
    assert (master["num-other-sentinels"], master["quorum"], master["num-slaves"]) == (2, 2, 0), master
    others = sentinel.sentinels[0].sentinel_sentinels(NAME)
    assert sorted(other["port"] for other in others) == sorted(ports[1:]), others
    assert sentinel.sentinels[0].sentinel_slaves(NAME) == []
    # Its own method takes no answer of Redis's for a yes.
    said = sentinel.sentinels[0].execute_command("SENTINEL", "CKQUORUM", NAME)
    assert said.startswith(b"OK 2 usable Sentinels."), said
    try:
        sentinel.discover_master("nobody")
    except redis.sentinel.MasterNotFoundError:
        pass
    else:
        raise AssertionError("a master that there is not was found")
    # Who reads from replicas reads from the only one that there is.
    assert sentinel.slave_for(NAME).ping() is True


def want(protocol, ports, stop, seen):
    """The rival, until it is stopped or has it."""
    client = sentinel(protocol, ports).master_for(NAME)
    while not stop.is_set():
        try:
            seen["rival_attempts"] += 1
            if client.set(KEY, "rival", nx=True, px=60000):
                seen["wrong"].append("the rival has it")
                return
        except BROKEN:
            seen["rival_broken"] += 1
        stop.wait(PAUSE)


def keep(client, lock, ended, seen):
    while not ended.is_set():
        try:
            lock.reacquire()
            seen["renewals"] += 1
            _, port = client.connection_pool.master_address
            if port not in seen["ports"]:
                seen["ports"].append(port)
            print("held", seen["renewals"], port, flush=True)
        except redis.exceptions.LockError as error:
            seen["wrong"].append(f"lost after {seen['renewals']} renewals: {error}")
            return
        except BROKEN:
            seen["broken"] += 1
        ended.wait(PAUSE)


def main():
    protocol, ports = int(sys.argv[1]), [int(port) for port in sys.argv[2].split(",")]
    manager = sentinel(protocol, ports)
    look(manager, ports)
    client = manager.master_for(NAME)
    lock = client.lock(KEY, timeout=TTL, blocking=False)
    assert lock.acquire() is True
    token = client.execute_command("LEASE.TOKEN", KEY, lock.local.token)
    seen = {"library": "redis-py", "version": redis.__version__, "protocol": protocol, "renewals": 0, "broken": 0}
    seen |= {"ports": [], "rival_attempts": 0, "rival_broken": 0, "wrong": []}
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    rival = threading.Thread(target=want, args=(5 - protocol, ports, ended, seen))
    rival.start()
    keep(client, lock, ended, seen)
    ended.set()
    rival.join()
    if not seen["wrong"]:
        if client.execute_command("LEASE.TOKEN", KEY, lock.local.token) != token:
            seen["wrong"].append("another grant has come between")
        lock.release()
    print(json.dumps(seen))
    sys.exit(bool(seen["wrong"]))


if __name__ == "__main__":
    main()
