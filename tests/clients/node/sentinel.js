// A lock that is kept by ioredis or node-redis in Sentinel mode, whatever happens to the nodes underneath.
//
// usage: NODE_PATH=…/node_modules node sentinel.js ioredis|node-redis SENTINEL_PORTS
//
// It is taken with SET NX PX and renewed by the documented script until standard input ends. After each renewal one line
// `held COUNT PORT` says how often and where. One line of JSON at the end says what was seen; the exit code is 0 only if the
// lock was never lost.

"use strict";

const NAME = "mymaster";
const KEY = "kept-through-sentinel";
// Longer than any failover here, on a machine that does other things too.
const TTL_MS = 15000;
const PAUSE_MS = 100;
const RENEW = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("pexpire", KEYS[1], ARGV[2]) else return 0 end';

async function ioredis(ports) {
  const Redis = require("ioredis");
  const sentinels = ports.map((port) => ({ host: "127.0.0.1", port }));
  const client = new Redis({ sentinels, name: NAME, failoverDetector: true });
  client.on("error", () => {});
  return {
    version: require("ioredis/package.json").version,
    take: () => client.set(KEY, "me", "PX", TTL_MS, "NX"),
    renew: () => client.eval(RENEW, 1, KEY, "me", TTL_MS),
    port: () => client.stream.remotePort,
    end: () => client.quit(),
  };
}

async function nodeRedis(ports) {
  const { createSentinel } = require("redis");
  const sentinelRootNodes = ports.map((port) => ({ host: "127.0.0.1", port }));
  const client = createSentinel({ name: NAME, sentinelRootNodes, scanInterval: 1000 });
  let port = null;
  client.on("error", () => {});
  client.on("topology-change", (event) => {
    if (event.type === "MASTER_CHANGE") port = event.node.port;
  });
  await client.connect();
  return {
    version: require("redis/package.json").version,
    take: () => client.set(KEY, "me", { PX: TTL_MS, NX: true }),
    renew: () => client.eval(RENEW, { keys: [KEY], arguments: ["me", String(TTL_MS)] }),
    port: () => port,
    end: () => client.close(),
  };
}

async function main() {
  const [, , library, list] = process.argv;
  const ports = list.split(",").map(Number);
  const client = await (library === "ioredis" ? ioredis : nodeRedis)(ports);
  const seen = { library, version: client.version, renewals: 0, broken: 0, ports: [], wrong: [] };
  let ended = false;
  process.stdin.on("end", () => { ended = true; }).resume();
  if ((await client.take()) !== "OK") seen.wrong.push("it is not to be had");
  while (!ended && seen.wrong.length === 0) {
    try {
      if ((await client.renew()) === 1) {
        seen.renewals += 1;
        const port = client.port();
        if (!seen.ports.includes(port)) seen.ports.push(port);
        console.log("held", seen.renewals, port);
      } else {
        seen.wrong.push(`lost after ${seen.renewals} renewals`);
      }
    } catch (error) {
      seen.broken += 1;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await client.end();
  console.log(JSON.stringify(seen));
  process.exit(seen.wrong.length);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
