//! One run leaves nothing to the next, though they share a machine.

use bytes::Bytes;
use lua::{Inputs, Limits, Script, Value};

use crate::{Echo, PATIENCE, engine, run};

fn patient() -> Limits {
    Limits { time: PATIENCE, ..Limits::default() }
}

#[test]
fn two_runs_do_not_see_each_other() {
    let mut engine = engine(patient());
    for leak in [
        "x = 1",
        "rawset(_G, 'x', 1)",
        "string.x = 1",
        "getmetatable('').x = 1",
        "getmetatable('').__index = { x = 1 }",
        "getmetatable(_G).__index = function() return 1 end",
        "setmetatable(_G, nil)",
        "setmetatable(string, { __index = { x = 1 } })",
        "redis.call = function() return 1 end",
        "loadstring('x = 1')()",
        "table.insert(_G, 1)",
        "table.sort(redis)",
        "KEYS = {}",
    ] {
        assert!(run(&mut engine, leak).is_err(), "{leak}");
    }
    assert_eq!(
        run(&mut engine, "return { rawget(_G, 'x'), string.x, ('').x, table.x }").unwrap(),
        Value::Array(vec![])
    );
    assert_eq!(run(&mut engine, "return redis.call('ping')[1]").unwrap(), Value::bulk("ping"));
}

#[test]
fn keys_and_arguments_are_those_of_the_run() {
    let mut engine = engine(patient());
    let script =
        Script::new("KEYS[2] = 'mine' ARGV.x = 1 return { #KEYS, KEYS[1], #ARGV, ARGV[1] }".into()).unwrap();
    let inputs = Inputs { keys: vec!["k".into()], arguments: vec![Bytes::from_static(b"\0\xff")], seed: 0 };
    let first = engine.run(&script, &inputs, &mut Echo).unwrap();
    let told =
        [Value::Integer(2), Value::bulk("k"), Value::Integer(1), Value::Bulk(Bytes::from_static(b"\0\xff"))];
    assert_eq!(first, Value::Array(told.into()));
    assert_eq!(
        run(&mut engine, "return { #KEYS, #ARGV, ARGV.x }").unwrap(),
        Value::Array(vec![Value::Integer(0); 2])
    );
}

#[test]
fn what_a_run_sets_ends_with_it() {
    let mut engine = engine(patient());
    run(&mut engine, "redis.setresp(3) cjson.encode_sparse_array(true) math.randomseed(9)").unwrap();
    assert_eq!(run(&mut engine, "return true").unwrap(), Value::Integer(1));
    assert!(run(&mut engine, "return cjson.encode({ [50] = 1 })").is_err());
    let drawn = run(&mut engine, "return math.random(1000000)").unwrap();
    assert_eq!(run(&mut engine, "return math.random(1000000)").unwrap(), drawn);
    let script = Script::new("return math.random(1000000)".into()).unwrap();
    let inputs = Inputs { seed: 7, ..Inputs::default() };
    assert_ne!(engine.run(&script, &inputs, &mut Echo).unwrap(), drawn);
}

#[test]
fn many_scripts_and_much_garbage_do_not_fill_the_machine() {
    let mut engine = engine(patient());
    for n in 0..150 {
        let source = format!("local t = {{}} for i = 1, 500 do t[i] = i .. ':{n}' end return #t + {n}");
        assert_eq!(run(&mut engine, &source).unwrap(), Value::Integer(500 + n));
    }
}

#[test]
fn an_engine_can_move_between_threads() {
    let mut engine = engine(patient());
    run(&mut engine, "return 1").unwrap();
    let moved = std::thread::spawn(move || run(&mut engine, "return 2").unwrap()).join().unwrap();
    assert_eq!(moved, Value::Integer(2));
}
