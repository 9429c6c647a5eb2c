// The locks of Node's Redis libraries, each as its documentation uses it. `contender.js` says what is done with them.

"use strict";

const { randomUUID } = require("node:crypto");
const { existsSync } = require("node:fs");

const { main, SECONDS } = require("./contender.js");

const MS = SECONDS * 1000;

const IF_MINE = (call) => `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call(${call}) else return 0 end`;
const RENEW = IF_MINE('"pexpire", KEYS[1], ARGV[2]');
const RELEASE = IF_MINE('"del", KEYS[1]');

// By its file: not every package lets its manifest be required.
const version = (name) => {
  const manifests = require.resolve.paths(name).map((place) => `${place}/${name}/package.json`);
  return require(manifests.find(existsSync)).version.replace(/^v/, "");
};

// What a client cannot do now it keeps to itself: its calls tell.
function openIoredis(port) {
  const Redis = require("ioredis");
  const client = new Redis(port, "127.0.0.1");
  client.on("error", () => {});
  return client;
}

const ioredis = {
  version: () => version("ioredis"),
  open(port) {
    const client = openIoredis(port);
    client.defineCommand("renewLock", { numberOfKeys: 1, lua: RENEW });
    client.defineCommand("releaseLock", { numberOfKeys: 1, lua: RELEASE });
    return client;
  },
  async take(client, key) {
    const mine = randomUUID();
    return (await client.set(key, mine, "PX", MS, "NX")) === "OK" ? { key, mine } : null;
  },
  renew: async (client, held) => ((await client.renewLock(held.key, held.mine, MS)) ? held : null),
  release: async (client, held) => (await client.releaseLock(held.key, held.mine)) === 1,
  close: (client) => client.quit(),
};

const nodeRedis = (RESP) => ({
  version: () => version("redis"),
  async open(port) {
    const { createClient } = require("redis");
    const client = createClient({ RESP, url: `redis://127.0.0.1:${port}` });
    client.on("error", () => {});
    return client.connect();
  },
  async take(client, key) {
    const mine = randomUUID();
    return (await client.set(key, mine, { PX: MS, NX: true })) === "OK" ? { key, mine } : null;
  },
  renew: async (client, { key, mine }) =>
    (await client.eval(RENEW, { keys: [key], arguments: [mine, String(MS)] })) ? { key, mine } : null,
  release: async (client, { key, mine }) =>
    (await client.eval(RELEASE, { keys: [key], arguments: [mine] })) === 1,
  close: (client) => client.close(),
});

// One endpoint is one master to it, whatever stands behind. Version 4 says "LockError" of all that went wrong; what a
// client said of the server is told beside it.
const redlock4 = {
  version: () => version("redlock4"),
  open(port) {
    const Redlock = require("redlock4");
    const client = openIoredis(port), redlock = new Redlock([client], { retryCount: 0 });
    const opened = { client, redlock, failed: null };
    redlock.on("clientError", (error) => { opened.failed = error; });
    return opened;
  },
  take: (opened, key) => certain(opened, () => opened.redlock.lock(key, MS)),
  renew: (opened, lock) => certain(opened, () => lock.extend(MS)),
  release: async (opened, lock) => (await certain(opened, () => lock.unlock().then(() => true))) === true,
  close: ({ client }) => client.quit(),
};

async function certain(opened, call) {
  opened.failed = null;
  try {
    return await call();
  } catch (error) {
    if (error.name !== "LockError" || opened.failed) throw opened.failed || error;
    return null;
  }
}

const redlock5 = {
  version: () => version("redlock"),
  open(port) {
    const { default: Redlock } = require("redlock");
    const client = openIoredis(port);
    const redlock = new Redlock([client], { retryCount: 0 });
    redlock.on("error", () => {});
    return { client, redlock };
  },
  take: ({ redlock }, key) => redlock.acquire([key], MS).catch(locked),
  renew: (_, lock) => lock.extend(MS).catch(locked),
  release: async (_, lock) => (await lock.release().catch(locked)) !== null,
  close: ({ client }) => client.quit(),
};

// Version 5 keeps the errors of each attempt; only "the resource is locked" means another's.
async function locked(error) {
  if (error.name !== "ExecutionError") throw error;
  for (const attempt of error.attempts) {
    for (const vote of (await attempt).votesAgainst.values()) {
      if (vote.name !== "ResourceLockedError") throw vote;
    }
  }
  return null;
}

const ioredisLock = {
  version: () => version("@microfleet/ioredis-lock"),
  open: openIoredis,
  take(client, key) {
    const { createLock } = require("@microfleet/ioredis-lock");
    return createLock(client, { timeout: MS, retries: 0, delay: 0 }).acquire(key).catch(others);
  },
  renew: (_, lock) => lock.extend(MS).catch(others),
  release: async (_, lock) => (await lock.release().catch(others)) !== null,
  close: (client) => client.quit(),
};

// Its errors are of its own kinds, also those that repeat what the server said.
function others(error) {
  if (!/^(Could not acquire lock on|Lock on .* had expired|Lock has not been acquired)/.test(error.message)) throw error;
  return null;
}

const semaphore = {
  version: () => version("redis-semaphore"),
  open: openIoredis,
  async take(client, key) {
    const mutex = mutexOf(client, key);
    return (await mutex.tryAcquire()) ? { key, mutex } : null;
  },
  // The documentation's way to lengthen a lock that is held: another of the same identifier.
  async renew(client, { key, mutex }) {
    const same = mutexOf(client, key, { identifier: mutex.identifier, acquiredExternally: true });
    return (await same.tryAcquire()) ? { key, mutex: same } : null;
  },
  // It does not say whether the lock was its own; that is looked at.
  async release(client, { key, mutex }) {
    const isMine = (await client.get(`mutex:${key}`)) === mutex.identifier;
    await mutex.release();
    return isMine;
  },
  close: (client) => client.quit(),
};

function mutexOf(client, key, more) {
  const { Mutex } = require("redis-semaphore");
  return new Mutex(client, key, { lockTimeout: MS, refreshInterval: 0, acquireAttemptsLimit: 1, ...more });
}

main({
  "ioredis": ioredis,
  "node-redis RESP2": nodeRedis(2),
  "node-redis": nodeRedis(3),
  "redlock 4": redlock4,
  "redlock 5": redlock5,
  "@microfleet/ioredis-lock": ioredisLock,
  "redis-semaphore": semaphore,
});
