//! Scripts that would not end, or would take all memory: each ends with an error, soon, and the next one runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lua::{Engine, Error, Limit, Limits, Value};

use crate::{PATIENCE, engine, run};

fn ends(source: &str, expected: &[Limit]) {
    let mut engine = engine(Limits::default());
    let started = Instant::now();
    let ended = run(&mut engine, source);
    let took = started.elapsed();
    let Err(Error::Ended { limit, .. }) = ended else { panic!("{source}\n  said {ended:?} after {took:?}") };
    assert!(expected.contains(&limit) || limit == Limit::Time, "{source}\n  ended by {limit:?}");
    assert!(took < PATIENCE, "{source}\n  took {took:?}");
    let mut next = run(&mut engine, "return 1");
    while matches!(next, Err(Error::Ended { limit: Limit::Time, .. })) && started.elapsed() < PATIENCE {
        // The machine does other things; only that it ran is asked.
        next = run(&mut engine, "return 1");
    }
    assert_eq!(next, Ok(Value::Integer(1)), "after {source}");
}

// A busy machine may find the time over first, whatever else a script would have met.
const TIME: &[Limit] = &[Limit::Time];
const MEMORY: &[Limit] = &[Limit::Memory];
/// What allocates in a loop meets the one or the other, by how fast the machine is.
const EITHER: &[Limit] = &[Limit::Time, Limit::Memory];

#[test]
fn a_loop_ends() {
    ends("while true do end", TIME);
    ends("repeat until false", TIME);
    ends("for i = 1, 1e300 do end", TIME);
    ends("local function f() return f() end while true do pcall(f) end", EITHER);
    ends("while true do redis.log(0, 'x') end", TIME);
    ends(
        "local function f() coroutine.yield() return f() end local c = coroutine.wrap(f) while true do pcall(c) end",
        TIME,
    );
}

#[test]
fn a_loop_that_catches_its_end_ends() {
    ends("while true do pcall(function() while true do end end) end", TIME);
    ends("pcall(function() while true do end end) return 'went on'", TIME);
    ends("xpcall(function() while true do end end, function() return 1 end) return 'went on'", TIME);
    ends("xpcall(function() while true do end end, function() while true do end end) return 1", TIME);
    ends("coroutine.resume(coroutine.create(function() while true do end end)) return 'went on'", TIME);
    ends("pcall(coroutine.wrap(function() while true do end end)) return 'went on'", TIME);
    ends("local function f() pcall(f) while true do pcall(f) end end f()", EITHER);
    ends(
        "setmetatable({}, { __index = function() while true do end end }).x = nil pcall(function() return setmetatable({}, { __index = function() while true do end end }).x end) return 1",
        TIME,
    );
    ends("pcall(table.sort, { 1, 2, 3 }, function() while true do end end) return 'went on'", TIME);
    ends("pcall(string.gsub, 'aaa', 'a', function() while true do end end) return 'went on'", TIME);
}

#[test]
fn memory_ends() {
    ends("return string.rep('x', 1e9)", MEMORY);
    ends("local s = 'x' while true do s = s .. s end", EITHER);
    ends("local t = {} while true do t[#t + 1] = {} end", EITHER);
    ends("local t = {} for i = 1, 1e9 do t[i] = i end", EITHER);
    ends("local t = {} for i = 1, 1e9 do t['k' .. i] = i end", EITHER);
    ends("return table.concat({ string.rep('x', 9e6), string.rep('x', 9e6) })", MEMORY);
    ends("return ('x'):rep(15e6):upper()", MEMORY);
    ends("local s = string.rep('x', 8e6) return (string.gsub(s, 'x', 'yyyy'))", EITHER);
    ends("local s = string.rep('x', 4e6) return cjson.encode({ s, s, s, s, s })", MEMORY);
    ends("local s = string.rep('[1],', 1e6) return cjson.decode('[' .. s .. '1]')", EITHER);
    ends(
        "local c = {} while true do c[#c + 1] = coroutine.create(function() coroutine.yield() end) coroutine.resume(c[#c]) end",
        EITHER,
    );
    ends("return string.format('%s%s', string.rep('x', 9e6), string.rep('x', 9e6))", MEMORY);
}

#[test]
fn memory_that_is_caught_ends() {
    ends("pcall(string.rep, 'x', 1e9) return 'went on'", MEMORY);
    ends("while true do pcall(string.rep, 'x', 1e9) end", MEMORY);
    ends(
        "xpcall(function() return string.rep('x', 1e9) end, function(e) return e end) return 'went on'",
        MEMORY,
    );
    ends(
        "coroutine.resume(coroutine.create(function() return string.rep('x', 1e9) end)) return 'went on'",
        MEMORY,
    );
    ends("pcall(function() local s = 'x' while true do s = s .. s end end) return 'went on'", EITHER);
    ends(
        "pcall(function() local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end end) return 'went on'",
        EITHER,
    );
}

#[test]
fn patterns_that_multiply_end() {
    let text = "local s = string.rep('a', 3e5)";
    ends(&format!("{text} return string.find(s, '.-.-.-.-.-.-b')"), TIME);
    ends(&format!("{text} return string.match(s, 'a*a*a*a*a*a*a*a*b')"), TIME);
    ends(&format!("{text} return string.gsub(s, '(a*)(a*)(a*)b', '')"), TIME);
    ends(&format!("{text} for w in string.gmatch(s, '.*.*.*b') do end"), TIME);
    ends(&format!("{text} pcall(string.find, s, '.-.-.-.-.-.-b') return 'went on'"), TIME);
}

#[test]
fn a_plain_search_does_not_multiply() {
    let started = Instant::now();
    let source = "local s = string.rep('a', 4e6) return { string.find(s, string.rep('a', 1e6) .. 'b', 1, true), \
                  string.find(s .. 'b', string.rep('a', 1e6) .. 'b') }";
    let mut engine = engine(Limits { time: PATIENCE, ..Limits::default() });
    let Value::Array(found) = run(&mut engine, source).unwrap() else { panic!() };
    assert!(found.is_empty() && started.elapsed() < PATIENCE);
    let source = "local s = string.rep('a', 2e6) local n = string.rep('a', 10) .. 'b' \
                  return { string.find(s .. 'b' .. s, n, 1, true) }";
    assert_eq!(
        run(&mut engine, source).unwrap(),
        Value::Array([1_999_991, 2_000_001].map(Value::Integer).into())
    );
}

#[test]
fn comparing_long_texts_ends() {
    let source = "local s = string.rep('x', 3e6) local a, b = s .. 'a', s .. 'b' local t = {} \
                  for i = 1, 4e4 do t[i] = i % 2 == 0 and a or b end table.sort(t) return #t";
    ends(source, TIME);
}

#[test]
fn recursion_is_a_plain_error() {
    let mut engine = engine(Limits { time: PATIENCE, ..Limits::default() });
    for source in [
        "local function f(n) return 1 + f(n + 1) end return f(1)",
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x",
        "local function f() return pcall(f) and error('x') end return f() and 1 or error('deep')",
        "local function f(...) return f(1, ...) end return f()",
        "return (string.gsub('a', 'a', function() local function g() return (string.gsub('a', 'a', g)) end return g() end))",
        "return string.rep('(', 500) and loadstring('return ' .. string.rep('(', 30000))() ",
        "return loadstring('return ' .. string.rep('{', 30000))()",
        "return loadstring(string.rep('do ', 15000))()",
        "local c c = function() return coroutine.wrap(c)() end return c()",
    ] {
        let said = run(&mut engine, source);
        assert!(matches!(said, Err(Error::Raised(_) | Error::Ended { .. })), "{source}\n  said {said:?}");
        assert_eq!(run(&mut engine, "return 1").unwrap(), Value::Integer(1), "after {source}");
    }
}

#[test]
fn results_have_a_size_and_a_depth() {
    ends("local t = {} t[1] = t return t", &[Limit::ResultDepth]);
    ends("local t = {} t.map = t return t", &[Limit::ResultDepth]);
    ends(
        "local s, t = string.rep('x', 1e6), {} for i = 1, 10 do t[i] = s end return t",
        &[Limit::ResultSize],
    );
    let doubled = "local t = {1} for i = 1, 40 do t = { t, t } end";
    ends(&format!("{doubled} return t"), &[Limit::ResultSize]);
    ends(&format!("{doubled} return cjson.encode(t)"), EITHER);
    ends(&format!("{doubled} pcall(cjson.encode, t) return 'went on'"), EITHER);
}

#[test]
fn commands_have_a_number_and_a_size() {
    let limits = Limits { time: PATIENCE, requests: 1000, ..Limits::default() };
    let ended = run(&mut engine(limits), "while true do pcall(redis.call, 'ping') end");
    assert!(matches!(ended, Err(Error::Ended { limit: Limit::Requests, .. })), "{ended:?}");
    let source =
        "local s = string.rep('x', 1e6) for i = 1, 17 do redis.pcall('set', 'k', s) end return 'went on'";
    let ended = run(&mut engine(Limits { time: PATIENCE, ..Limits::default() }), source);
    assert!(matches!(ended, Err(Error::Ended { limit: Limit::Requests | Limit::Memory, .. })), "{ended:?}");
}

#[test]
fn a_clock_that_stands_still_does_not_keep_a_script() {
    let mut engine = Engine::new(Arc::new(|| Duration::ZERO), Limits { steps: 100_000, ..Limits::default() });
    let ended = run(&mut engine, "while true do end");
    assert!(matches!(ended, Err(Error::Ended { limit: Limit::Steps, .. })), "{ended:?}");
}

#[test]
fn what_stays_within_the_limits_is_left_alone() {
    let mut engine = engine(Limits { time: PATIENCE, ..Limits::default() });
    let source =
        "local t = {} for i = 1, 20000 do t[i] = tostring(i) end table.sort(t) return #table.concat(t, ',')";
    assert_eq!(run(&mut engine, source).unwrap(), Value::Integer(108_893));
    assert_eq!(run(&mut engine, "return #string.rep('x', 8e6)").unwrap(), Value::Integer(8_000_000));
}
