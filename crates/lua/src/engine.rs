//! [`Engine`]: runs scripts, one at a time.

use std::cell::RefCell;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use mlua::{Lua, MultiValue, Value as LuaValue};

use crate::arguments::bytes_of;
use crate::commands::Level;
use crate::convert::{Results, Unfit, into_lua, one_line};
use crate::error::{Error, Limit};
use crate::machine::{Machine, cause};
use crate::number::{ARGUMENT_DIGITS, format};
use crate::watch::{Clock, Watch};
use crate::{Commands, Limits, Script, Value};

/// What a script is given.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub keys: Vec<Bytes>,
    pub arguments: Vec<Bytes>,
    /// Where `math.random` begins. A caller that wants other numbers in each run gives other seeds.
    pub seed: u32,
}

/// One machine and the scripts that it has compiled. It is kept from run to run, because to make one costs a hundred
/// times what a lock script costs; a run that meets a limit takes it along, and the next one makes another.
///
/// It can be sent between threads and is used by one at a time.
pub struct Engine {
    clock: Clock,
    limits: Limits,
    machine: Option<Machine>,
}

impl Engine {
    pub fn new(clock: Clock, limits: Limits) -> Self {
        Self { clock, limits, machine: None }
    }

    /// Whether the script is Lua, without running it.
    pub fn check(&mut self, script: &Script) -> Result<(), Error> {
        self.machine()?.compile(script)?;
        Ok(())
    }

    /// Runs a script to its end. Its result may be a [`Value::Error`]: that is what it returned.
    pub fn run(
        &mut self,
        script: &Script,
        inputs: &Inputs,
        commands: &mut dyn Commands,
    ) -> Result<Value, Error> {
        let limits = self.limits;
        let machine = self.machine()?;
        let chunk = machine.compile(script)?;
        machine.watch.start(&limits);
        let ran = run(machine, &chunk, inputs, &limits, commands);
        if let Err(Unfit::Limit(limit)) = ran {
            machine.watch.end(limit);
        }
        let over = machine.watch.over();
        let ran = ran.map_err(|unfit| told(&unfit));
        if let Some(limit) = over {
            self.machine = None;
            return Err(Error::Ended { limit, sha: script.sha().to_owned() });
        }
        match ran {
            Ok(Ran::Result(value)) => Ok(value),
            Ok(Ran::Raised(raised)) => Err(Error::Raised(raised.line(script.sha()))),
            Err(words) => {
                // Nobody knows what state it is in.
                self.machine = None;
                Err(Error::Internal(words))
            }
        }
    }

    fn machine(&mut self) -> Result<&mut Machine, Error> {
        let machine = match self.machine.take() {
            Some(machine) => machine,
            None => Machine::new(Watch::new(self.clock.clone()))
                .map_err(|error| Error::Internal(error.to_string()))?,
        };
        Ok(self.machine.insert(machine))
    }
}

fn told(unfit: &Unfit) -> String {
    match unfit {
        Unfit::Limit(limit) => limit.to_string(),
        Unfit::Lua(error) => error.to_string(),
    }
}

enum Ran {
    Result(Value),
    Raised(Raised),
}

/// What met the limit of memory is told as that, wherever it did.
fn run(
    machine: &mut Machine,
    chunk: &mlua::Function,
    inputs: &Inputs,
    limits: &Limits,
    commands: &mut dyn Commands,
) -> Result<Ran, Unfit> {
    run_within(machine, chunk, inputs, limits, commands).map_err(|unfit| match unfit {
        Unfit::Lua(error) if matches!(cause(&error), mlua::Error::MemoryError(_)) => {
            Unfit::Limit(Limit::Memory)
        }
        other => other,
    })
}

fn run_within(
    machine: &mut Machine,
    chunk: &mlua::Function,
    inputs: &Inputs,
    limits: &Limits,
    commands: &mut dyn Commands,
) -> Result<Ran, Unfit> {
    machine.prepare(limits.memory_bytes, inputs.seed)?;
    machine.give("KEYS", &inputs.keys)?;
    machine.give("ARGV", &inputs.arguments)?;
    let world = World { machine, commands: RefCell::new(commands), spent: RefCell::new(Spent::new(limits)) };
    let (ok, value) = machine.lua.scope(|scope| {
        let asked = scope.create_function(|lua, values| world.ask(lua, values))?;
        machine.host.raw_set("world", asked)?;
        machine.run.call::<(bool, LuaValue)>(chunk)
    })?;
    if machine.watch.look().is_some() {
        return Ok(Ran::Result(Value::Nil));
    }
    if !ok {
        return Ok(Ran::Raised(Raised::read(&value)?));
    }
    let resp3 = machine.resp3.load(Relaxed);
    let mut results = Results { watch: &machine.watch, resp3, bytes_left: limits.result_bytes };
    Ok(Ran::Result(results.take(value)?))
}

/// What a script asks of the world, by the first argument of `host.world`. The prelude has the same numbers.
const CALL: i64 = 0;
const LOG: i64 = 1;
const MAY: i64 = 2;

/// The one door out of the machine, open while a script runs.
struct World<'a> {
    machine: &'a Machine,
    commands: RefCell<&'a mut dyn Commands>,
    spent: RefCell<Spent>,
}

/// What the run may still send.
struct Spent {
    requests_left: usize,
    bytes_left: usize,
}

impl Spent {
    fn new(limits: &Limits) -> Self {
        Self { requests_left: limits.requests, bytes_left: limits.request_bytes }
    }

    fn spend(&mut self, request: &[Bytes]) -> Option<()> {
        self.requests_left = self.requests_left.checked_sub(1)?;
        let bytes: usize = request.iter().map(Bytes::len).sum();
        self.bytes_left = self.bytes_left.checked_sub(bytes)?;
        Some(())
    }
}

impl World<'_> {
    /// A value; or nil and what it was refused with.
    fn ask(&self, lua: &Lua, mut values: MultiValue) -> mlua::Result<(LuaValue, LuaValue)> {
        if let Some(limit) = self.machine.watch.look() {
            return Err(mlua::Error::runtime(limit));
        }
        match values.pop_front() {
            Some(LuaValue::Integer(CALL)) => self.call(lua, values),
            Some(LuaValue::Integer(LOG)) => self.log(values),
            Some(LuaValue::Integer(MAY)) => self.may(lua, values),
            _ => Err(mlua::Error::runtime("the prelude asks for what is not there")),
        }
    }

    fn call(&self, lua: &Lua, values: MultiValue) -> mlua::Result<(LuaValue, LuaValue)> {
        let request = match request(&values) {
            Ok(request) => request,
            Err(words) => return refused(lua, words.as_bytes()),
        };
        if self.spent.borrow_mut().spend(&request).is_none() {
            self.machine.watch.end(Limit::Requests);
            return Err(mlua::Error::runtime(Limit::Requests));
        }
        let resp3 = self.machine.resp3.load(Relaxed);
        match self.commands.borrow_mut().call(request, resp3) {
            Value::Error(line) => refused(lua, &line),
            reply => Ok((into_lua(lua, reply, resp3)?, LuaValue::Nil)),
        }
    }

    fn log(&self, values: MultiValue) -> mlua::Result<(LuaValue, LuaValue)> {
        let mut values = values.into_iter();
        if let (Some(level), Some(LuaValue::String(line))) = (values.next(), values.next()) {
            let level = match level {
                LuaValue::Integer(0) => Level::Debug,
                LuaValue::Integer(1) => Level::Verbose,
                LuaValue::Integer(2) => Level::Notice,
                _ => Level::Warning,
            };
            self.commands.borrow_mut().log(level, &line.as_bytes());
        }
        Ok((LuaValue::Nil, LuaValue::Nil))
    }

    fn may(&self, lua: &Lua, values: MultiValue) -> mlua::Result<(LuaValue, LuaValue)> {
        let words = match request(&values) {
            Err(words) => words,
            Ok(request) => match self.commands.borrow_mut().may(&request) {
                Some(may) => return Ok((LuaValue::Boolean(may), LuaValue::Nil)),
                None => "ERR Invalid command passed to redis.acl_check_cmd()",
            },
        };
        Ok((LuaValue::Nil, LuaValue::String(lua.create_string(words)?)))
    }
}

/// The arguments of a command. A number keeps all its digits, unlike where it becomes a text.
fn request(values: &MultiValue) -> Result<Vec<Bytes>, &'static str> {
    if values.is_empty() {
        return Err("ERR Please specify at least one argument for this redis lib call");
    }
    let argument = |value: &LuaValue| match value {
        LuaValue::String(text) => Some(bytes_of(text)),
        LuaValue::Integer(integer) => Some(format(*integer as f64, ARGUMENT_DIGITS).into()),
        LuaValue::Number(number) => Some(format(*number, ARGUMENT_DIGITS).into()),
        _ => None,
    };
    let request: Option<Vec<Bytes>> = values.iter().map(argument).collect();
    request.ok_or("ERR Lua redis lib command arguments must be strings or integers")
}

fn refused(lua: &Lua, line: &[u8]) -> mlua::Result<(LuaValue, LuaValue)> {
    let refusal = lua.create_table()?;
    refusal.raw_set("err", lua.create_string(line)?)?;
    // Redis's note to itself, which scripts can see.
    refusal.raw_set("ignore_error_stats_update", true)?;
    Ok((LuaValue::Nil, LuaValue::Table(refusal)))
}

/// An error that nobody caught, as the prelude leaves it.
struct Raised {
    text: String,
    place: Option<(String, i64)>,
}

impl Raised {
    fn read(value: &LuaValue) -> mlua::Result<Self> {
        let LuaValue::Table(table) = value else {
            // Not even the handler could run.
            let text = value.to_string().unwrap_or_default();
            return Ok(Self { text: format!("ERR {text}"), place: None });
        };
        let text = match table.raw_get("err")? {
            LuaValue::String(text) => String::from_utf8_lossy(&one_line(&text.as_bytes())).into_owned(),
            LuaValue::Integer(integer) => integer.to_string(),
            // Redis ends here, and its server with it.
            _ => "ERR unknown error".to_owned(),
        };
        let source: Option<mlua::LuaString> = table.raw_get("source").unwrap_or_default();
        let line: Option<i64> = table.raw_get("line").unwrap_or_default();
        let source = source.map(|source| source.to_string_lossy());
        Ok(Self { text, place: source.zip(line) })
    }

    fn line(&self, sha: &str) -> String {
        let text = &self.text;
        match &self.place {
            Some((source, line)) => format!("{text} script: {sha}, on {source}:{line}."),
            None => format!("{text} script: {sha}."),
        }
    }
}
