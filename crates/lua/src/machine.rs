//! [`Machine`]: one Luau, with the environment that scripts see. Nothing that a script can reach can be changed by it,
//! so that one run leaves nothing to the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use memchr::memmem;
use mlua::chunk::ChunkMode;
use mlua::{
    Function, IntoLua, Lua, LuaOptions, LuaString, MultiValue, StdLib, Table, Value as LuaValue, VmState,
};
use parking_lot::Mutex;

use crate::arguments::{Refused, bytes_of};
use crate::error::Limit;
use crate::json::{self, Settings};
use crate::limits::{
    COMPILED_MAX, GARBAGE_BYTES_MAX, MEMORY_BYTES_MARGIN, SEARCH_PRODUCT_MAX, SOURCE_BYTES_MAX,
};
use crate::number::{TEXT_DIGITS, format};
use crate::random::Random;
use crate::script::sha_of;
use crate::watch::Watch;
use crate::{Error, Script, bits, dialect, wording};

/// The name under which errors tell a script's lines.
const NAME: &str = "@user_script";

const LIBRARIES: [StdLib; 5] =
    [StdLib::TABLE, StdLib::STRING, StdLib::MATH, StdLib::COROUTINE, StdLib::DEBUG];

pub(crate) struct Machine {
    pub(crate) lua: Lua,
    pub(crate) watch: Arc<Watch>,
    /// What `redis.setresp` chose.
    pub(crate) resp3: Arc<AtomicBool>,
    /// `env, run` of the prelude.
    env: Table,
    pub(crate) run: Function,
    /// What the prelude calls in Rust; what depends on the run is put here for its time.
    pub(crate) host: Table,
    random: Arc<Mutex<Random>>,
    json: Arc<Mutex<Settings>>,
    compiled: BTreeMap<String, Function>,
    /// What the machine holds between two runs.
    base_bytes: usize,
}

impl Machine {
    pub(crate) fn new(watch: Watch) -> mlua::Result<Self> {
        let libraries = LIBRARIES.into_iter().fold(StdLib::NONE, |all, library| all | library);
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        let watch = Arc::new(watch);
        let resp3 = Arc::new(AtomicBool::new(false));
        let random = Arc::new(Mutex::new(Random::new(0)));
        let json = Arc::new(Mutex::new(Settings::default()));
        let host = host(&lua, &watch, &resp3, &random, &json)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
        let (env, run) = prelude.call::<(Table, Function)>(&host)?;
        env.set_readonly(true);
        let watching = watch.clone();
        lua.set_interrupt(move |_| match watching.look() {
            None => Ok(VmState::Continue),
            Some(limit) => Err(mlua::Error::runtime(limit)),
        });
        lua.gc_collect()?;
        let (base_bytes, compiled) = (lua.used_memory(), BTreeMap::new());
        Ok(Self { lua, watch, resp3, env, run, host, random, json, compiled, base_bytes })
    }

    pub(crate) fn compile(&mut self, script: &Script) -> Result<Function, Error> {
        if let Some(chunk) = self.compiled.get(script.sha()) {
            return Ok(chunk.clone());
        }
        let chunk = compile(&self.lua, script.body(), NAME, &self.env).map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => Error::Compile(wording::of_compiler(&message)),
            other => Error::Internal(other.to_string()),
        })?;
        if self.compiled.len() >= COMPILED_MAX {
            self.compiled.clear();
        }
        self.compiled.insert(script.sha().to_owned(), chunk.clone());
        Ok(chunk)
    }

    /// Makes everything as it is for every run: what an earlier one set, and what it left to be collected.
    pub(crate) fn prepare(&mut self, memory_bytes: usize, seed: u32) -> mlua::Result<()> {
        self.lua.set_memory_limit(0)?;
        if self.lua.used_memory() > self.base_bytes + GARBAGE_BYTES_MAX {
            self.lua.gc_collect()?;
            if self.lua.used_memory() > self.base_bytes + GARBAGE_BYTES_MAX {
                self.compiled.clear();
                self.lua.gc_collect()?;
            }
        }
        self.resp3.store(false, Relaxed);
        *self.random.lock() = Random::new(seed);
        *self.json.lock() = Settings::default();
        self.lua.set_memory_limit(self.lua.used_memory() + memory_bytes)?;
        Ok(())
    }

    /// `KEYS` and `ARGV`.
    pub(crate) fn give(&self, name: &str, values: &[bytes::Bytes]) -> mlua::Result<()> {
        let list = self.lua.create_table_with_capacity(values.len(), 0)?;
        for value in values {
            list.raw_push(self.lua.create_string(value)?)?;
        }
        self.env.set_readonly(false);
        let given = self.env.raw_set(name, list);
        self.env.set_readonly(true);
        given
    }
}

fn compile(lua: &Lua, source: &[u8], name: &str, env: &Table) -> mlua::Result<Function> {
    let syntax = |message: String| mlua::Error::SyntaxError { message, incomplete_input: false };
    if source.len() > SOURCE_BYTES_MAX {
        return Err(syntax(format!("the source is longer than the limit of {SOURCE_BYTES_MAX} bytes")));
    }
    let source = dialect::translate(source).map_err(|mistake| syntax(mistake.tell(name)))?;
    let chunk = lua.load(&source[..]).set_name(name).set_mode(ChunkMode::Text);
    chunk.set_environment(env.clone()).into_function()
}

/// What a function of the host answers to the prelude: whether it could, and what, or why not.
pub(crate) fn answer(lua: &Lua, result: Result<LuaValue, Refused>) -> mlua::Result<MultiValue> {
    let (could, value) = match result {
        Ok(value) => (true, value),
        Err(Refused(words)) => (false, words.into_lua(lua)?),
    };
    Ok([LuaValue::Boolean(could), value].into_iter().collect())
}

fn host(
    lua: &Lua,
    watch: &Arc<Watch>,
    resp3: &Arc<AtomicBool>,
    random: &Arc<Mutex<Random>>,
    json: &Arc<Mutex<Settings>>,
) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    host.raw_set("null", LuaValue::NULL)?;
    host.raw_set("search_product_max", SEARCH_PRODUCT_MAX)?;
    host.raw_set("text_of_number", lua.create_function(|_, number| Ok(format(number, TEXT_DIGITS)))?)?;
    let watching = watch.clone();
    host.raw_set("is_over", lua.create_function(move |lua, raised| Ok(is_over(lua, &watching, &raised)))?)?;
    host.raw_set("reword", lua.create_function(reword)?)?;
    host.raw_set("compile", lua.create_function(compile_for_script)?)?;
    host.raw_set("find", lua.create_function(find)?)?;
    host.raw_set("is_plain", lua.create_function(is_plain)?)?;
    let sha1hex = |_: &Lua, text: LuaString| Ok(sha_of(&text.as_bytes()));
    host.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    let chosen = resp3.clone();
    let set_resp3 = lua.create_function(move |_, resp3| {
        chosen.store(resp3, Relaxed);
        Ok(())
    })?;
    host.raw_set("set_resp3", set_resp3)?;
    let drawn = random.clone();
    let draw = lua.create_function(move |lua, values| answer(lua, drawn.lock().call(values)))?;
    host.raw_set("random", draw)?;
    let seeded = random.clone();
    let seed = move |lua: &Lua, values| answer(lua, seeded.lock().seed(values).map(|()| LuaValue::Nil));
    host.raw_set("seed", lua.create_function(seed)?)?;
    host.raw_set("bit", bits::library(lua)?)?;
    host.raw_set("json", json::library(lua, watch, json)?)?;
    Ok(host)
}

/// Whether the error that a script caught is the end of its run. Of memory nothing else tells.
fn is_over(lua: &Lua, watch: &Watch, raised: &LuaValue) -> bool {
    let is_memory = match raised {
        LuaValue::String(text) => text.as_bytes() == b"not enough memory".as_slice(),
        LuaValue::Error(error) => matches!(cause(error), mlua::Error::MemoryError(_)),
        _ => false,
    };
    let limit = lua.set_memory_limit(0).unwrap_or_default();
    let is_near = limit > 0 && lua.used_memory() + MEMORY_BYTES_MARGIN > limit;
    let _ = lua.set_memory_limit(limit);
    if is_memory || is_near {
        watch.end(Limit::Memory);
    }
    watch.over().is_some()
}

/// What a function of Rust failed with, under what mlua put around it.
pub(crate) fn cause(error: &mlua::Error) -> &mlua::Error {
    match error {
        mlua::Error::CallbackError { cause: inner, .. } => cause(inner),
        other => other,
    }
}

fn reword(_: &Lua, raised: LuaValue) -> mlua::Result<LuaValueOr> {
    Ok(match raised {
        LuaValue::String(text) => match text.to_str() {
            Ok(words) => LuaValueOr::Text(wording::of_run(&words)),
            // Not ours: what Luau says is ASCII.
            Err(_) => LuaValueOr::Same(LuaValue::String(text.clone())),
        },
        LuaValue::Error(error) => LuaValueOr::Text(cause(&error).to_string()),
        other => LuaValueOr::Same(other),
    })
}

enum LuaValueOr {
    Same(LuaValue),
    Text(String),
}

impl IntoLua for LuaValueOr {
    fn into_lua(self, lua: &Lua) -> mlua::Result<LuaValue> {
        match self {
            Self::Same(value) => Ok(value),
            Self::Text(text) => text.into_lua(lua),
        }
    }
}

/// `loadstring`: a function, or nil and the mistake.
fn compile_for_script(
    lua: &Lua,
    (source, name, env): (LuaString, LuaString, Table),
) -> mlua::Result<(Option<Function>, Option<String>)> {
    // A name is made for people; an end of text in it would be none for Luau.
    let name = name.to_string_lossy().replace('\0', " ");
    match compile(lua, &source.as_bytes(), &name, &env) {
        Ok(chunk) => Ok((Some(chunk), None)),
        Err(mlua::Error::SyntaxError { message, .. }) => Ok((None, Some(wording::of_compiler(&message)))),
        Err(other) => Err(other),
    }
}

/// Whether a pattern stands for nothing but itself.
fn is_plain(_: &Lua, pattern: LuaString) -> mlua::Result<bool> {
    Ok(!pattern.as_bytes().iter().any(|byte| b"^$*+?.([%-".contains(byte)))
}

/// `string.find` for a plain text: the places of its first and last byte. The search is linear in both lengths.
fn find(
    _: &Lua,
    (text, sought, init): (LuaString, LuaString, f64),
) -> mlua::Result<(Option<usize>, Option<usize>)> {
    let (text, sought) = (bytes_of(&text), bytes_of(&sought));
    // As Lua counts: from 1, or from the end.
    let skipped = if init < 0.0 { (text.len() as f64 + init).max(0.0) } else { (init - 1.0).max(0.0) };
    let Some(rest) = text.get(skipped as usize..) else { return Ok((None, None)) };
    let found = memmem::find(rest, &sought).map(|at| skipped as usize + at);
    Ok((found.map(|at| at + 1), found.map(|at| at + sought.len())))
}
