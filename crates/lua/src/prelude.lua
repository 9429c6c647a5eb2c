-- The environment of a script, built once for each machine. `host` holds what is done in Rust; nothing of it and nothing
-- of this file is reachable by a script but what stands in `env`. Functions of Luau are taken as they are wherever they
-- answer as those of Lua 5.1 do, and wrapped where they do not or where nothing else would end them.
local host = ...

local debug_info, pcall, xpcall, error = debug.info, pcall, xpcall, error
local type, tostring, tonumber, select, unpack = type, tostring, tonumber, select, unpack
local find, match, gsub, gmatch, format = string.find, string.match, string.gsub, string.gmatch, string.format
local create, resume = coroutine.create, coroutine.resume
local text_of_number, is_over, reword = host.text_of_number, host.is_over, host.reword

local env, redis = {}, {}

-- Errors ---------------------------------------------------------------------------------------------------------------

-- Where the script is: the innermost function that is neither Rust's nor of this file.
local function place()
  local level = 1
  while true do
    local source, line = debug_info(level, 'sl')
    if not source then return nil end
    if source ~= '[C]' and source ~= 'prelude' then return source, line end
    level += 1
  end
end

-- An error as the script sees it. Called where it was raised, so that `place` finds the place.
local function seen(raised)
  is_over(raised)
  local kind = type(raised)
  if kind == 'string' then
    local text = match(raised, '^prelude:%d+: (.*)$')
    if text then
      local source, line = place()
      raised = source and (source .. ':' .. line .. ': ' .. text) or text
    end
    return reword(raised)
  end
  if kind == 'userdata' and raised ~= host.null then return reword(raised) end
  return raised
end

-- What Redis makes of an error that nobody caught.
local function uncaught(raised)
  raised = seen(raised)
  if type(raised) ~= 'table' then raised = { err = 'ERR ' .. tostring(raised) } end
  local source, line = place()
  if source then
    rawset(raised, 'source', match(source, '^%[string "(.*)"%]$') or ('@' .. source))
    rawset(raised, 'line', line)
  end
  return raised
end

-- A run that met a limit has ended, whatever it catches.
local function settled(ok, ...)
  if not ok and is_over((...)) then error((...), 0) end
  return ok, ...
end

-- As Redis does it, an error of a command is caught as its text.
local function caught(ok, ...)
  if ok then return ok, ... end
  local raised = (...)
  if is_over(raised) then error(raised, 0) end
  if type(raised) == 'table' then
    local text = raised.err
    if type(text) == 'string' or type(text) == 'number' then return false, text end
  end
  return false, raised
end

function env.pcall(f, ...) return caught(xpcall(f, seen, ...)) end

function env.xpcall(...)
  if select('#', ...) < 2 then error("bad argument #2 to 'xpcall' (value expected)", 2) end
  local f, handler = ...
  return settled(xpcall(f, function(raised) return handler(seen(raised)) end))
end

env.error, env.assert = error, assert
env.__redis__err__handler = uncaught

-- Numbers as texts -----------------------------------------------------------------------------------------------------

-- Whether Luau prints it as Lua 5.1 does; most numbers are such.
local function is_short(number) return number % 1 == 0 and number > -1e14 and number < 1e14 end

local function text(value)
  if type(value) ~= 'number' or is_short(value) then return value end
  return text_of_number(value)
end

function env.tostring(...)
  if select('#', ...) == 0 then error("bad argument #1 to 'tostring' (value expected)", 2) end
  local value = ...
  if value == host.null then return 'userdata: (nil)' end
  return tostring(text(value))
end

function env.tonumber(...)
  if select('#', ...) == 0 then error("bad argument #1 to 'tonumber' (value expected)", 2) end
  local value, base = ...
  if base == nil and type(value) == 'string' and find(value, '^%s*[-+]?0[bB]') then return nil end
  return tonumber(...)
end

-- `a .. b` is compiled as `a .. JOIN .. b`: what stands beside it is turned into a text in 14 digits, as Luau itself would
-- not do it. It is evaluated from the right, so that JOIN first takes what is right of it.
local function operand(value)
  local kind = type(value)
  if kind == 'string' then return value end
  if kind == 'number' then return tostring(text(value)) end
end

local joined = {}
local join = newproxy(true)
local join_metatable = getmetatable(join)

function join_metatable.__concat(left, right)
  local waiting = setmetatable({ right }, joined)
  if rawequal(left, join) then return waiting end
  return left .. waiting
end

function joined.__concat(left, waiting)
  local right = waiting[1]
  local a, b = operand(left), operand(right)
  if a and b then return a .. b end
  -- One of them may have a metamethod of its own.
  for _, value in { left, right } do
    local metatable = type(value) == 'table' and getmetatable(value)
    local own = type(metatable) == 'table' and rawget(metatable, '__concat')
    if own then return (own(left, right)) end
  end
  local at_fault = left
  if a then at_fault = right end
  error('attempt to concatenate a ' .. type(at_fault) .. ' value', 2)
end

env.__redis__join = join

-- Texts ----------------------------------------------------------------------------------------------------------------

env.string = { byte = 1, char = 1, len = 1, lower = 1, reverse = 1, sub = 1, upper = 1, rep = 1 }
for name in env.string do
  local native = string[name]
  env.string[name] = function(value, ...) return native(text(value), ...) end
end
-- These take no text, or none at all.
env.string.char = string.char
function env.string.len(...) return string.len(text((...))) end

function env.string.dump() error('unable to dump given function', 2) end

function env.string.find(value, pattern, init, plain)
  value, pattern = text(value), text(pattern)
  if type(value) == 'string' and type(pattern) == 'string' and #value * #pattern > host.search_product_max then
    if plain or host.is_plain(pattern) then return host.find(value, pattern, tonumber(init) or 1) end
  end
  return find(value, pattern, init, plain)
end

function env.string.match(value, pattern, init) return match(text(value), text(pattern), init) end

function env.string.gmatch(value, pattern) return gmatch(text(value), text(pattern)) end

env.string.gfind = env.string.gmatch

-- In Lua 5.1 a `%` before anything but a digit stands for what follows it.
local function unescaped(escaped)
  if find(escaped, '[%d%%]') then return nil end
  return escaped
end

function env.string.gsub(value, pattern, replacement, ...)
  replacement = text(replacement)
  if type(replacement) == 'string' and find(replacement, '%', 1, true) then
    replacement = gsub(replacement, '%%(.)', unescaped)
  end
  return gsub(text(value), text(pattern), replacement, ...)
end

function env.string.format(...)
  local form = text((...))
  if type(form) ~= 'string' or not find(form, '%%[^%a%%]*[sq]') then return format(...) end
  local values, count = { select(2, ...) }, 0
  for directive in gmatch(form, '%%[-+ #%d%.]*(.)') do
    if directive ~= '%' then
      count += 1
      if directive == 's' or directive == 'q' then values[count] = text(values[count]) end
    end
  end
  return format(form, unpack(values, 1, select('#', ...) - 1))
end

-- Tables and numbers ---------------------------------------------------------------------------------------------------

env.table = {
  foreach = table.foreach, foreachi = table.foreachi, getn = table.getn, insert = table.insert, maxn = table.maxn,
  remove = table.remove,
}

function env.table.concat(list, separator, first, last)
  if type(list) ~= 'table' then return table.concat(list, separator, first, last) end
  local copy
  for index = first or 1, last or #list do
    local value = rawget(list, index)
    if type(value) == 'number' and not is_short(value) then
      copy = copy or table.clone(list)
      copy[index] = text_of_number(value)
    end
  end
  return table.concat(copy or list, text(separator), first, last)
end

-- Through a function of Lua, so that comparing many long texts can be ended.
local function is_less(a, b) return a < b end

function env.table.sort(list, ...) return table.sort(list, (...) or is_less) end

function env.table.setn() error("'setn' is obsolete", 2) end

env.math = {}
for name in { abs = 1, acos = 1, asin = 1, atan = 1, atan2 = 1, ceil = 1, cos = 1, cosh = 1, deg = 1, exp = 1, floor = 1,
  fmod = 1, frexp = 1, huge = 1, ldexp = 1, log10 = 1, max = 1, min = 1, modf = 1, pi = 1, pow = 1, rad = 1, sin = 1,
  sinh = 1, sqrt = 1, tan = 1, tanh = 1 } do
  env.math[name] = math[name]
end
env.math.mod = math.fmod
function env.math.log(...) return math.log((...)) end

-- Rust answers whether it could and what; an error is told with the place of the script that called.
local function answered(ok, ...)
  if ok then return ... end
  error((...), 3)
end

function env.math.random(...) return answered(host.random(...)) end

function env.math.randomseed(...) return answered(host.seed(...)) end

local function forwarded(library, functions)
  for name, native in functions do
    library[name] = function(...) return answered(native(...)) end
  end
  return library
end

env.bit = forwarded({}, host.bit)
env.cjson = forwarded({ _NAME = 'cjson', _VERSION = '2.1.0', null = host.null }, host.json)
function env.cjson.new() return env.cjson end

-- Coroutines and chunks ------------------------------------------------------------------------------------------------

env.coroutine = {
  create = create, running = coroutine.running, status = coroutine.status, yield = coroutine.yield,
}

local function resumed(ok, ...)
  if ok then return ok, ... end
  local raised = seen((...))
  if is_over(raised) then error(raised, 0) end
  return false, raised
end

function env.coroutine.resume(...) return resumed(resume(...)) end

function env.coroutine.wrap(f)
  local thread = create(f)
  local function unwrapped(ok, ...)
    if ok then return ... end
    error((...), 3)
  end
  return function(...) return unwrapped(resumed(resume(thread, ...))) end
end

function env.loadstring(source, name)
  if type(source) ~= 'string' then
    error("bad argument #1 to 'loadstring' (string expected, got " .. type(source) .. ')', 2)
  end
  return host.compile(source, name or source, env)
end

function env.load(reader, name)
  if type(reader) ~= 'function' then
    error("bad argument #1 to 'load' (function expected, got " .. type(reader) .. ')', 2)
  end
  local pieces, size = {}, 0
  while true do
    local piece = reader()
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
    size += #piece
    pieces[#pieces + 1] = piece
  end
  return host.compile(table.concat(pieces), name or '=(load)', env)
end

-- A script does not rule the collector; the options answer as if it did.
local collector = { collect = 0, stop = 0, restart = 0, setpause = 200, setstepmul = 200, step = false }

function env.collectgarbage(option)
  option = option or 'collect'
  if option == 'count' then return gcinfo() end
  local answer = collector[option]
  if answer == nil then
    error("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(option) .. "')", 2)
  end
  return answer
end

env.gcinfo = gcinfo
env.getmetatable, env.setmetatable, env.rawequal, env.rawget, env.rawset = getmetatable, setmetatable, rawequal, rawget, rawset
env.ipairs, env.next, env.pairs, env.select, env.type, env.unpack = ipairs, next, pairs, select, type, unpack
env._VERSION = 'Lua 5.1'
env._G = env

-- Redis ----------------------------------------------------------------------------------------------------------------

-- What a script asks of the world, as `engine.rs` names it.
local CALL, LOG, MAY = 0, 1, 2

-- An error table, as one that a command made.
local function refuse(words) error({ err = words }, 0) end

function redis.call(...)
  local answer, refusal = host.world(CALL, ...)
  if refusal ~= nil then error(refusal, 0) end
  return answer
end

function redis.pcall(...)
  local answer, refusal = host.world(CALL, ...)
  if refusal ~= nil then return refusal end
  return answer
end

-- An error without a code of its own gets one.
local function error_line(words)
  if string.sub(words, 1, 1) == '-' then words = string.sub(words, 2) end
  words = gsub(words, '[\r\n]+$', '')
  if find(words, ' ', 1, true) then return words end
  return 'ERR ' .. words
end

function redis.error_reply(...)
  local words = ...
  if select('#', ...) ~= 1 or type(words) ~= 'string' then return { err = 'ERR wrong number or type of arguments' } end
  return { err = error_line(words) }
end

function redis.status_reply(...)
  local words = ...
  if select('#', ...) ~= 1 or type(words) ~= 'string' then return { err = 'ERR wrong number or type of arguments' } end
  return { ok = words }
end

function redis.sha1hex(...)
  if select('#', ...) ~= 1 then refuse('ERR wrong number of arguments') end
  local value = text((...))
  return host.sha1hex((type(value) == 'string' or type(value) == 'number') and tostring(value) or '')
end

function redis.log(...)
  if select('#', ...) < 2 then refuse('ERR redis.log() requires two arguments or more.') end
  local level = tonumber((...))
  if type((...)) ~= 'number' then refuse('ERR First argument must be a number (log level).') end
  if level < 0 or level > 3 then refuse('ERR Invalid debug level.') end
  local words = {}
  for index = 2, select('#', ...) do
    local word = text((select(index, ...)))
    if type(word) == 'string' or type(word) == 'number' then words[#words + 1] = word end
  end
  host.world(LOG, level, table.concat(words, ' '))
end

function redis.setresp(...)
  if select('#', ...) ~= 1 then refuse('ERR redis.setresp() requires one argument.') end
  local version = tonumber((...))
  if version ~= 2 and version ~= 3 then refuse('ERR RESP version must be 2 or 3.') end
  host.set_resp3(version == 3)
end

function redis.set_repl(...)
  if select('#', ...) ~= 1 then refuse('ERR redis.set_repl() requires two arguments.') end
  local flags = tonumber((...)) or 0
  if flags < 0 or flags > 3 then
    refuse('ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
  end
end

function redis.acl_check_cmd(...)
  local may, refusal = host.world(MAY, ...)
  if refusal then refuse(refusal) end
  return may
end

function redis.replicate_commands() return true end

function redis.breakpoint() return false end

function redis.debug() end

redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3
redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = '7.0.15', 458767
env.redis = redis

-- The walls ------------------------------------------------------------------------------------------------------------

local walls = {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
}
setmetatable(env, walls)
getmetatable('').__index = env.string
for _, shared in { walls, getmetatable(''), env.string, env.table, env.math, env.bit, env.cjson, env.coroutine, redis } do
  table.freeze(shared)
end

-- One run: the chunk's first value, or false and what Redis makes of the error.
local function run(chunk) return xpcall(chunk, uncaught) end

return env, run
