"""The locks of Python's Redis libraries, each as its documentation uses it. `contender.py` says what is done with them."""

import asyncio
import importlib.metadata
import os
import subprocess
import types
import uuid

import redis
import redis.asyncio

import contender

SECONDS = contender.Library.seconds


def version(package):
    return importlib.metadata.version(package)


class RedisPy(contender.Library):
    protocol = 3

    def open(self):
        self.client = redis.Redis(port=self.port, protocol=self.protocol)

    def take(self, key):
        lock = self.client.lock(key, timeout=self.seconds, blocking=False, thread_local=False)
        return lock if lock.acquire() else None

    def renew(self, lock):
        try:
            return lock.extend(self.seconds, replace_ttl=True)
        except redis.exceptions.LockNotOwnedError:
            return False

    def release(self, lock):
        try:
            lock.release()
            return True
        except redis.exceptions.LockError:
            return False

    def close(self):
        self.client.close()


class RedisPy2(RedisPy):
    protocol = 2


class RedisPyAsync(contender.Library):
    protocol = 3

    def open(self):
        self.runner = asyncio.Runner()
        self.client = redis.asyncio.Redis(port=self.port, protocol=self.protocol)

    def take(self, key):
        lock = self.client.lock(key, timeout=self.seconds, blocking=False, thread_local=False)
        return lock if self.runner.run(lock.acquire()) else None

    def renew(self, lock):
        try:
            return self.runner.run(lock.extend(self.seconds, replace_ttl=True))
        except redis.exceptions.LockNotOwnedError:
            return False

    def release(self, lock):
        try:
            self.runner.run(lock.release())
            return True
        except redis.exceptions.LockError:
            return False

    def close(self):
        self.runner.run(self.client.aclose())
        self.runner.close()


class RedisPyAsync2(RedisPyAsync):
    protocol = 2


class PythonRedisLock(contender.Library):
    """`acquire` waits in BLPOP; `release` wakes it by LPUSH."""

    waits = True

    def open(self):
        import redis_lock
        self.module, self.client = redis_lock, redis.Redis(port=self.port)

    def take(self, key):
        lock = self.module.Lock(self.client, key, expire=self.seconds)
        return lock if lock.acquire(timeout=15) else None

    def renew(self, lock):
        try:
            lock.extend()
            return True
        except self.module.NotAcquired:
            return False

    def release(self, lock):
        try:
            lock.release()
            return True
        except self.module.NotAcquired:
            return False


class RedlockPy(contender.Library):
    """It cannot lengthen a lock, and does not tell whether it released its own: both are looked at."""

    # Longer than it is held, whatever happens meanwhile.
    seconds = 90
    renews = False

    def open(self):
        import redlock
        self.redlock = redlock.Redlock([{"host": "127.0.0.1", "port": self.port}], retry_count=1, retry_delay=0.05)
        self.client = redis.Redis(port=self.port)

    def take(self, key):
        return self.redlock.lock(key, self.seconds * 1000) or None

    def renew(self, lock):
        return self.client.get(lock.resource) == lock.key

    def release(self, lock):
        is_mine = self.renew(lock)
        self.redlock.unlock(lock)
        return is_mine


class Aioredlock(contender.Library):
    gives_up = True

    def open(self):
        import aioredlock
        self.module, self.runner = aioredlock, asyncio.Runner()
        # A renewal that fails for good gives the lock up: it is to outlast a failover.
        self.asking = aioredlock.Aioredlock([("127.0.0.1", self.port)], retry_count=1)
        self.holding = aioredlock.Aioredlock([("127.0.0.1", self.port)], retry_count=60)

    def take(self, key):
        try:
            return self.runner.run(self.asking.lock(key, lock_timeout=self.seconds))
        except self.module.LockError:
            return None

    def renew(self, lock):
        try:
            self.runner.run(self.holding.extend(lock, self.seconds))
            return True
        except self.module.LockAcquiringError:
            return False

    def release(self, lock):
        try:
            self.runner.run(self.holding.unlock(lock))
            return True
        except self.module.LockError:
            return False

    def close(self):
        self.runner.run(self.asking.destroy())
        self.runner.run(self.holding.destroy())
        self.runner.close()


class Pottery(contender.Library):
    def open(self):
        import pottery
        self.module, self.client = pottery, redis.Redis(port=self.port)

    def take(self, key):
        lock = self.module.Redlock(key=key, masters={self.client}, auto_release_time=self.seconds,
                                   raise_on_redis_errors=True, num_extensions=10**6)
        return lock if lock.acquire(blocking=False) else None

    def renew(self, lock):
        try:
            lock.extend()
            return True
        except self.module.ExtendUnlockedLock:
            return False

    def release(self, lock):
        try:
            lock.release()
            return True
        except self.module.ReleaseUnlockedLock:
            return False


class RedBeat(contender.Library):
    """What `celery beat` does at its start, at every tick and at its end, without the schedule."""

    waits = True
    knows_its_own = False

    def open(self):
        import celery
        from redbeat import schedulers
        self.schedulers = schedulers
        self.app = celery.Celery(set_as_current=False)
        self.app.conf.update(redbeat_redis_url=f"redis://127.0.0.1:{self.port}/0", beat_max_loop_interval=0.05)

    def take(self, key):
        scheduler = self.schedulers.RedBeatScheduler(
            self.app, lock_key=key, lock_timeout=self.seconds, max_interval=contender.ASKS_EVERY, lazy=True)
        self.schedulers.acquire_distributed_beat_lock(types.SimpleNamespace(scheduler=scheduler))
        return scheduler

    def renew(self, scheduler):
        try:
            return scheduler.lock.extend(int(scheduler.lock_timeout))
        except redis.exceptions.LockNotOwnedError:
            return False

    def release(self, scheduler):
        lock, scheduler.lock = scheduler.lock, None
        is_mine = lock.owned()
        if is_mine:
            lock.release()
        return is_mine


class Huey(contender.Library):
    """A field of a hash, without an end and without an owner."""

    seconds = None
    renews = False
    knows_its_own = False

    def open(self):
        import huey
        from huey.exceptions import TaskLockedException
        self.locked = TaskLockedException
        self.huey = huey.RedisHuey("contended", port=self.port)

    def take(self, key):
        lock = self.huey.lock_task(key)
        try:
            lock.acquire()
            return lock
        except self.locked:
            return None

    def renew(self, lock):
        return lock.is_locked()

    def release(self, lock):
        return bool(lock.clear())


class Sherlock(contender.Library):
    def open(self):
        import sherlock
        self.module, self.client = sherlock, redis.Redis(port=self.port)

    def take(self, key):
        lock = self.module.RedisLock(key, client=self.client, expire=self.seconds)
        return lock if lock.acquire(blocking=False) else None

    def renew(self, lock):
        return lock.renew()

    def release(self, lock):
        try:
            lock.release()
            return True
        except self.module.LockException:
            return False


class Rq(contender.Library):
    """The lock of rq's scheduler: an interval and a minute."""

    seconds = 61
    knows_its_own = False

    def open(self):
        from rq.scheduler import RQScheduler
        self.scheduler, self.client = RQScheduler, redis.Redis(port=self.port)

    def take(self, key):
        scheduler = self.scheduler([key], connection=self.client, interval=1, logging_level="ERROR")
        return scheduler if scheduler.acquire_locks() else None

    def renew(self, scheduler):
        return bool(scheduler.acquire_locks())

    def release(self, scheduler):
        scheduler.release_locks()
        return True


class RedisCli(contender.Library):
    """The commands of Redis's own page on locks, a process each."""

    IF_MINE = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call(%s) else return 0 end"
    RENEW = IF_MINE % "'pexpire',KEYS[1],ARGV[2]"
    RELEASE = IF_MINE % "'del',KEYS[1]"

    def ask(self, *words):
        command = [os.environ.get("TENURE_REDIS_CLI", "redis-cli"), "-e", "-p", str(self.port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if done.returncode:
            raise RuntimeError((done.stderr or done.stdout).strip())
        return done.stdout.strip()

    def take(self, key):
        mine = uuid.uuid4().hex
        return (key, mine) if self.ask("SET", key, mine, "NX", "PX", str(self.seconds * 1000)) == "OK" else None

    def renew(self, held):
        return self.ask("EVAL", self.RENEW, "1", *held, str(self.seconds * 1000)) == "1"

    def release(self, held):
        return self.ask("EVAL", self.RELEASE, "1", *held) == "1"


def redis_cli():
    cli = os.environ.get("TENURE_REDIS_CLI", "redis-cli")
    return subprocess.run([cli, "--version"], capture_output=True, text=True).stdout.split()[1]


LIBRARIES = {
    "redis-py": lambda: (RedisPy, version("redis")),
    "redis-py RESP2": lambda: (RedisPy2, version("redis")),
    "redis-py asyncio": lambda: (RedisPyAsync, version("redis")),
    "redis-py asyncio RESP2": lambda: (RedisPyAsync2, version("redis")),
    "python-redis-lock": lambda: (PythonRedisLock, version("python-redis-lock")),
    "redlock-py": lambda: (RedlockPy, version("redlock-py")),
    "aioredlock": lambda: (Aioredlock, version("aioredlock")),
    "pottery": lambda: (Pottery, version("pottery")),
    "celery-redbeat": lambda: (RedBeat, version("celery-redbeat")),
    "huey": lambda: (Huey, version("huey")),
    "sherlock": lambda: (Sherlock, version("sherlock")),
    "rq": lambda: (Rq, version("rq")),
    "redis-cli": lambda: (RedisCli, redis_cli()),
}

if __name__ == "__main__":
    contender.main(LIBRARIES)
