//! [`Commands`]: what a script can do to the world. Everything else that it does stays within its own machine.

use bytes::Bytes;

use crate::Value;

/// Called by a script while it runs, on the thread that runs it.
pub trait Commands {
    /// One `redis.call` or `redis.pcall`: the command's name and its arguments, at least one. `resp3` is what the script
    /// chose by `redis.setresp`; a reply is understood in either form.
    ///
    /// A refusal is a [`Value::Error`], with Redis's words for what a script may not do: a call of `redis.call` that is
    /// answered by one ends the script unless it catches it.
    fn call(&mut self, request: Vec<Bytes>, resp3: bool) -> Value;

    /// A line of `redis.log`. A script of a client is no reason to fill a log, so that by default it goes nowhere.
    fn log(&mut self, level: Level, line: &[u8]) {
        let _ = (level, line);
    }

    /// Whether the client may send this command, for `redis.acl_check_cmd`; `None` if there is no such command.
    fn may(&mut self, request: &[Bytes]) -> Option<bool> {
        let _ = request;
        Some(true)
    }
}

/// How much a line of `redis.log` matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
}
