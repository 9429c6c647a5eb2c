// ioredis and node-redis as they come: connect, take a key with SET NX PX, read it, and leave by the documented script.
//
// usage: NODE_PATH=…/node_modules node handshake.js ioredis|node-redis PORT
//
// One line of JSON at the end; the exit code is 0 only if every answer was the one that Redis gives.

"use strict";

const assert = require("node:assert");

const RELEASE = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end';

async function ioredis(port) {
  const Redis = require("ioredis");
  const client = new Redis(port, "127.0.0.1");
  client.defineCommand("release", { numberOfKeys: 1, lua: RELEASE });
  assert.strictEqual(await client.ping(), "PONG");
  assert.strictEqual(await client.set("from-ioredis", "me", "PX", 60000, "NX"), "OK");
  assert.strictEqual(await client.set("from-ioredis", "other", "PX", 60000, "NX"), null);
  assert.strictEqual(await client.get("from-ioredis"), "me");
  assert.ok((await client.call("LEASE.TOKEN", "from-ioredis", "me")) > 0);
  const answers = await client.pipeline().incr("counted-by-ioredis").incr("counted-by-ioredis").exec();
  assert.deepStrictEqual(answers, [[null, 1], [null, 2]]);
  assert.strictEqual(await client.release("from-ioredis", "other"), 0);
  assert.strictEqual(await client.release("from-ioredis", "me"), 1);
  assert.strictEqual(await client.get("from-ioredis"), null);
  await client.quit();
  return require("ioredis/package.json").version;
}

async function nodeRedis(port) {
  const { createClient } = require("redis");
  for (const RESP of [2, 3]) {
    const key = `from-node-redis-${RESP}`;
    const client = createClient({ RESP, url: `redis://127.0.0.1:${port}` });
    client.on("error", (error) => { throw error; });
    await client.connect();
    assert.strictEqual(await client.ping(), "PONG");
    assert.strictEqual(await client.set(key, "me", { PX: 60000, NX: true }), "OK");
    assert.strictEqual(await client.set(key, "other", { PX: 60000, NX: true }), null);
    assert.strictEqual(await client.get(key), "me");
    assert.ok(Number(await client.sendCommand(["LEASE.TOKEN", key, "me"])) > 0);
    assert.deepStrictEqual(await Promise.all([client.incr(`${key}:n`), client.incr(`${key}:n`)]), [1, 2]);
    assert.strictEqual(await client.eval(RELEASE, { keys: [key], arguments: ["other"] }), 0);
    assert.strictEqual(await client.eval(RELEASE, { keys: [key], arguments: ["me"] }), 1);
    assert.strictEqual(await client.get(key), null);
    await client.close();
  }
  return require("redis/package.json").version;
}

async function main() {
  const [, , library, port] = process.argv;
  const version = await (library === "ioredis" ? ioredis : nodeRedis)(Number(port));
  console.log(JSON.stringify({ library, version }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
