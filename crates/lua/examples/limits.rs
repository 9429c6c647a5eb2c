//! Shows that scripts which would not end do end, in a build whose panics end the process, and what a run takes:
//!
//!     cargo run --release -p lua --example limits

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lua::{Commands, Engine, Inputs, Limits, Script, Value};

/// A compare-and-delete, as most lock libraries have it.
const RELEASE: &str =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

const ENDLESS: [&str; 9] = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "return string.rep('x', 1e9)",
    "pcall(string.rep, 'x', 1e9) return 'went on'",
    "local t = {} while true do t[#t + 1] = {} end",
    "local s = string.rep('a', 3e5) return string.find(s, '.-.-.-.-b')",
    "local t = {1} for i = 1, 40 do t = { t, t } end return cjson.encode(t)",
    "for i = 1, 1e9 do redis.call('get', string.rep('k', 100)) end",
    "local t = {} for i = 1, 1e9 do t[i] = redis.call('get', 'key') .. i end",
];

const RUNS: u32 = 200_000;

/// Always the same answers.
struct Held;

impl Commands for Held {
    fn call(&mut self, request: Vec<Bytes>, _: bool) -> Value {
        if request[0] == "get" { Value::bulk("token") } else { Value::Integer(1) }
    }
}

fn main() -> Result<(), lua::Error> {
    let started = Instant::now();
    let mut engine = Engine::new(Arc::new(move || started.elapsed()), Limits::default());
    for source in ENDLESS {
        let began = Instant::now();
        let script = Script::new(source.into())?;
        let ended = engine.run(&script, &Inputs::default(), &mut Held);
        println!("{:>6.1} ms  {source}\n           {ended:?}", began.elapsed().as_secs_f64() * 1e3);
    }
    let inputs = Inputs { keys: vec!["lock".into()], arguments: vec!["token".into()], seed: 0 };
    let script = Script::new(RELEASE.into())?;
    engine.run(&script, &inputs, &mut Held)?;
    let began = Instant::now();
    for _ in 0..RUNS {
        engine.run(&script, &inputs, &mut Held)?;
    }
    println!("a compare-and-delete: {:.2} µs", began.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS));
    let began = Instant::now();
    for n in 0..1000 {
        engine.check(&Script::new(format!("{RELEASE} -- {n}").into())?)?;
    }
    println!("to compile one: {:.1} µs", began.elapsed().as_secs_f64() * 1e3);
    let began = Instant::now();
    for _ in 0..100 {
        let clock = Arc::new(move || started.elapsed());
        Engine::new(clock, Limits::default()).run(&script, &inputs, &mut Held)?;
    }
    println!("a new machine and its first run: {:.0} µs", began.elapsed().as_secs_f64() * 1e4);
    Ok(())
}
