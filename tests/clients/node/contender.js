// What every contender in Node does with a library's lock; `../README.md` says what its lines mean.
//
// A library is an object with `open`, `take`, `renew`, `release` and `close`, in the library's own words and nothing else:
// `take` gives what it holds or null, `renew` and `release` say whether it was this contender's.

"use strict";

const assert = require("node:assert");
const readline = require("node:readline");
const { setTimeout: pause } = require("node:timers/promises");

// How long it holds, and how long it waits before it asks again.
const HOLDS = 0.15, RENEWS_EVERY = 0.1, ASKS_EVERY = 0.06;

// How long a lock lasts.
const SECONDS = 20;

// A renewal that failed is tried again up to so long before the end of what was promised.
const SAFE = 1;

const TRIES = 5;

// CLOCK_MONOTONIC, in seconds.
const now = () => Number(process.hrtime.bigint()) / 1e9;

const around = (seconds) => pause((0.5 + Math.random()) * seconds * 1000);

let isKeeping = false, isOver = false;

class Contender {
  constructor(name, library, port) {
    Object.assign(this, { name, library, port });
  }

  say(what) {
    console.log(JSON.stringify({ library: this.name, ...what }));
  }

  async run() {
    try {
      this.say({ version: this.library.version(), did: await this.did() });
      await this.contend();
    } catch (error) {
      this.say({ wrong: String(error.stack || error) });
    }
  }

  // What cannot be done because of the world's ways is begun again.
  async did() {
    for (let number = 0; number < TRIES; number++) {
      try {
        return await this.basics(`basics:${this.name}:${this.port}:${number}`);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        await this.error("basics", error);
      }
    }
    throw new Error(`nothing went well ${TRIES} times`);
  }

  // Everything once, two clients, one key of this endpoint.
  async basics(key) {
    const { library } = this;
    const one = await library.open(this.port), two = await library.open(this.port);
    let held = await library.take(one, key);
    assert.ok(held, "a free lock was refused");
    assert.ok(!(await library.take(two, key)), "a lock was given twice");
    const first = held;
    held = await library.renew(one, held);
    assert.ok(held, "a renewal was refused");
    assert.ok(await library.release(one, held), "a release was refused");
    const again = await library.take(two, key);
    assert.ok(again, "a lock that was released was refused");
    assert.ok(!(await library.release(one, first)), "a lock of another was released");
    assert.ok(await library.release(two, again), "a release was refused");
    await library.close(one);
    await library.close(two);
    return ["acquire", "refuse", "renew", "release", "refuse another's release"];
  }

  async contend() {
    const { library } = this;
    const client = await library.open(this.port), key = `contended:${this.name}`;
    while (!isOver) {
      const sent = now();
      let held;
      try {
        held = await library.take(client, key);
      } catch (error) {
        await this.error("acquire", error);
        continue;
      }
      if (!held) {
        await around(ASKS_EVERY);
        continue;
      }
      const begun = now();
      this.say({ took: begun });
      const of = { held, until: sent + SECONDS };
      await this.hold(client, of, begun);
      const left = now();
      this.say({ held: [begun, Math.min(left, of.until)] });
      try {
        if (!(await library.release(client, of.held)) && left < of.until) {
          this.say({ wrong: "it was no longer the holder when it left" });
        }
      } catch (error) {
        await this.error("release", error);
      }
    }
    await library.close(client);
  }

  // Keeps `of.until`: until when it was promised to be the holder.
  async hold(client, of, begun) {
    while (now() < of.until && !isOver) {
      await pause(RENEWS_EVERY * 1000);
      const sent = now();
      let kept;
      try {
        kept = await this.library.renew(client, of.held);
      } catch (error) {
        await this.error("renew", error);
        if (now() > of.until - SAFE) return;
        continue;
      }
      if (!kept) {
        if (sent < of.until) this.say({ wrong: "it was no longer the holder before its time was over" });
        of.until = sent;
        return;
      }
      of.held = kept;
      of.until = sent + SECONDS;
      this.say({ kept: sent });
      if (!isKeeping && now() > begun + HOLDS) return;
    }
  }

  // An outcome that is not known, or certainly not done: both are the world's ways.
  async error(when, error) {
    this.say({ error: `${when}: ${error}`.slice(0, 300) });
    await around(ASKS_EVERY);
  }
}

// usage: PROGRAM PORT LIBRARY…, until standard input ends.
async function main(libraries) {
  const [, , port, ...names] = process.argv;
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => { isKeeping = line.trim() === "keep"; });
  lines.on("close", () => { isOver = true; });
  await Promise.all(names.map((name) => new Contender(name, libraries[name], Number(port)).run()));
  process.exit(0);
}

module.exports = { main, SECONDS };
