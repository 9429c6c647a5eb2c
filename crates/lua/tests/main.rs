//! The engine as its callers use it: what redis-server said to hundreds of scripts, and scripts that would not end.

mod corpus;
mod isolation;
mod limits;
mod notation;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lua::{Clock, Commands, Engine, Error, Inputs, Limits, Script, Value};

/// Far above the time that a run may take, for a machine that does other things; far below for ever.
const PATIENCE: Duration = Duration::from_secs(20);

fn clock() -> Clock {
    let started = Instant::now();
    Arc::new(move || started.elapsed())
}

fn engine(limits: Limits) -> Engine {
    Engine::new(clock(), limits)
}

/// Answers each command with its own arguments.
struct Echo;

impl Commands for Echo {
    fn call(&mut self, request: Vec<Bytes>, _: bool) -> Value {
        Value::Array(request.into_iter().map(Value::Bulk).collect())
    }
}

fn run(engine: &mut Engine, source: &str) -> Result<Value, Error> {
    let script = Script::new(Bytes::copy_from_slice(source.as_bytes()))?;
    engine.run(&script, &Inputs::default(), &mut Echo)
}
