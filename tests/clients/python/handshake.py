"""redis-py as it comes, in both protocols: connect, take a key with SET NX PX, and redis-py's own Lock.

usage: handshake.py PORT

One line of JSON at the end; the exit code is 0 only if every answer was the one that Redis gives.
"""

import json
import sys

import redis
import redis.exceptions


def talk(port, protocol):
    client = redis.Redis(port=port, protocol=protocol, decode_responses=True, client_name="handshake")
    key = f"from-redis-py-{protocol}"
    assert client.ping() is True
    assert client.set(key, "me", nx=True, px=60000) is True
    assert client.set(key, "other", nx=True, px=60000) is None
    assert client.get(key) == "me"
    assert client.execute_command("LEASE.TOKEN", key, "me") > 0
    with client.pipeline(transaction=False) as pipeline:
        assert pipeline.incr(f"{key}:n").incr(f"{key}:n").pttl(key).execute()[:2] == [1, 2]
    lock = client.lock(f"{key}:lock", timeout=10, blocking=False)
    assert lock.acquire() is True
    assert client.lock(f"{key}:lock", timeout=10, blocking=False).acquire() is False
    assert lock.extend(20, replace_ttl=True) is True
    assert lock.reacquire() is True
    assert lock.owned() is True
    lock.release()
    try:
        lock.release()
    except redis.exceptions.LockError:
        pass
    else:
        raise AssertionError("a lock was released twice")
    try:
        client.execute_command("SET", key, "x", "NONSENSE")
    except redis.exceptions.ResponseError as error:
        assert "syntax error" in str(error)
    else:
        raise AssertionError("an unknown option was taken")
    assert client.delete(key) == 1
    client.close()


def main():
    port = int(sys.argv[1])
    for protocol in (2, 3):
        talk(port, protocol)
    print(json.dumps({"library": "redis-py", "version": redis.__version__}))


if __name__ == "__main__":
    main()
