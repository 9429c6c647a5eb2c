//! Runs the scripts of Redis clients within limits. It knows nothing of keys, of state or of the protocol: a script's
//! commands go to whoever implements [`Commands`], its result comes back as a [`Value`].
//!
//! What a script can see and what it is answered follow redis-server 7.0.15, word by word; `tests/corpus` was recorded
//! from it. What a script can do is bounded: it has no files, no clock and no chance but what it is given, it cannot
//! change what the next script sees, and [`limits`] bound its time and its memory. A run that meets a limit ends, even
//! one that catches its errors, and takes its machine with it.
//!
//! The language is Luau, a Lua 5.1 made to run the code of strangers, behind the crate `mlua`; no other crate knows it.
//! [`Engine`] is built once for each thread that runs scripts:
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use bytes::Bytes;
//! use lua::{Commands, Engine, Inputs, Limits, Script, Value};
//!
//! struct Nothing;
//!
//! impl Commands for Nothing {
//!     fn call(&mut self, request: Vec<Bytes>, resp3: bool) -> Value {
//!         Value::Nil
//!     }
//! }
//!
//! # let started = std::time::Instant::now();
//! let mut engine = Engine::new(Arc::new(move || started.elapsed()), Limits::default());
//! let script = Script::new("if redis.call('get', KEYS[1]) == ARGV[1] then return 1 end return 0".into())?;
//! let inputs = Inputs { keys: vec!["key".into()], arguments: vec!["token".into()], seed: 0 };
//! assert_eq!(engine.run(&script, &inputs, &mut Nothing)?, Value::Integer(0));
//! # Ok::<_, lua::Error>(())
//! ```
//!
//! # What differs from Redis
//!
//! - An error of Lua itself says what was wrong, not the name of the variable: `attempt to index a nil value` without
//!   `local 'x'`. Of the compiler's errors only the commonest have the words of Lua 5.1. The codes, the place and the
//!   SHA are Redis's.
//!   An argument that is missing altogether is sometimes told as `nil` or without the function's name.
//! - The libraries `struct` and `cmsgpack` are missing: a script that names them meets a nonexistent global.
//! - Luau keeps no tail calls: a recursion ends after 20,000 levels, also as a plain error. A `%` by infinity is the
//!   number and not NaN. `for … in t` walks a table without `pairs`, and Luau's keywords are keywords.
//! - `arg` does not exist in a function with `...`; `string.dump` refuses; `collectgarbage` collects nothing; a `%` at the
//!   very end of a replacement of `gsub` is an error.
//! - The order of `pairs` is another one, as it is with every Lua.
//! - `cjson`'s settings and `math.random` begin anew in each run; JSON nests 128 levels.
//! - `error({})` is an error line; it ends Redis.
//! - What meets a limit of ours where Redis has none, or another, is refused; [`limits`] has them all.
//!
//! # How it is built
//!
//! Read in this order: [`limits`]; `script`, `value`, `commands`, `error` (what goes in and out); `engine` (a run) and
//! `watch` (whether it may go on); `machine` and `prelude.lua` (what a script sees); `dialect` and `wording` (Lua 5.1 of
//! Luau); `convert`, `number`, `arguments`; `json`, `bits`, `random` (libraries).
//!
//! Luau raises errors as C++ exceptions, and one that crosses a frame of Rust ends a process that is built with
//! `panic = "abort"`, as ours is. `.cargo/config.toml` therefore builds it to jump instead, as every other Lua does and
//! as `mlua` is made for. A build without that line passes all tests, whose panics unwind, and ends at the first script
//! that meets a limit: `cargo run --release -p lua --example limits` tells.

mod arguments;
mod bits;
mod commands;
mod convert;
mod dialect;
mod engine;
mod error;
mod json;
pub mod limits;
mod machine;
mod number;
mod random;
mod script;
mod value;
mod watch;
mod wording;

pub use commands::{Commands, Level};
pub use engine::{Engine, Inputs};
pub use error::{Error, Limit};
pub use limits::Limits;
pub use number::number_text;
pub use script::{Flags, Script, sha_of};
pub use value::Value;
pub use watch::Clock;
