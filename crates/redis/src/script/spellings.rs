//! The spellings of lock libraries, each held to what it means, and near misses that must be refused.
//!
//! Written from the descriptions of the libraries' protocols; what matters is the shape, not the text.

use proptest::prelude::*;

use crate::options::Options;
use crate::testing::Bench;

fn meaning(script: &str) -> Result<super::Meaning, super::Unsupported> {
    let script = lua::Script::new(bytes::Bytes::copy_from_slice(script.as_bytes())).unwrap();
    super::Meaning::read(&script)
}

fn inputs(keys: &[&str], arguments: &[&str]) -> super::Inputs {
    let words =
        |words: &[&str]| words.iter().map(|word| bytes::Bytes::copy_from_slice(word.as_bytes())).collect();
    super::Inputs { keys: words(keys), arguments: words(arguments) }
}

/// A bench on which `ours` and `theirs` are held with an end, `ours_forever` without one, and `free` not at all.
fn bench() -> Bench {
    let mut bench = Bench::new(Options::default());
    for line in
        ["SET ours me PX 1000", "SET theirs you PX 1000", "SET ours_forever me", "SET theirs_forever you"]
    {
        assert_eq!(bench.say(line), r"+OK\r\n");
    }
    bench
}

fn integer(number: i64) -> String {
    format!(r":{number}\r\n")
}

const DELETES: &[(&str, &str)] = &[
    (
        "one line",
        "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end",
    ),
    (
        "double quotes",
        "if redis.call(\"GET\", KEYS[1]) == ARGV[1] then return redis.call(\"DEL\", KEYS[1]) else return 0 end",
    ),
    ("unlink", "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('unlink',KEYS[1]) end return 0"),
    (
        "a local, negated, three returns",
        "local token = redis.call('get', KEYS[1])\nif not token or token ~= ARGV[1] then\n  return 0\nend\nredis.call('del', KEYS[1])\nreturn 1\n",
    ),
    (
        "swapped sides",
        "if ARGV[1] == redis.call('get', KEYS[1]) then redis.call('del', KEYS[1]); return 1 else return 0 end",
    ),
    (
        "a loop with a count",
        "-- remove only ours\nlocal count = 0\nfor i, key in ipairs(KEYS) do\n  if redis.call(\"get\", key) == ARGV[1] then\n    redis.pcall(\"del\", key)\n    count = count + 1\n  end\nend\nreturn count",
    ),
    (
        "a result variable",
        "local result = 0 if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) result = 1 end return result",
    ),
    ("and/or", "return redis.call('get',KEYS[1]) == ARGV[1] and redis.call('del',KEYS[1]) or 0"),
    (
        "both as locals",
        "local k, v = KEYS[1], ARGV[1]; if redis.call('get', k) == v then return redis.call('del', k) else return 0 end",
    ),
    (
        "exists first",
        "if redis.call('exists', KEYS[1]) == 1 and redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
    ),
    (
        "an expiry in the past",
        "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('pexpire',KEYS[1],-1) else return 0 end",
    ),
    (
        "long comment and brackets",
        "--[[ release\n]] if (redis.call([[get]], KEYS[1]) == ARGV[1]) then return (redis.call('del', KEYS[1])) else return 0 end;",
    ),
];

#[test]
fn every_spelling_of_compare_and_delete() {
    for (name, script) in DELETES {
        let mut bench = bench();
        assert_eq!(bench.eval(script, &["theirs"], &["me"]), integer(0), "{name}: another holds it");
        assert_eq!(bench.eval(script, &["free"], &["me"]), integer(0), "{name}: nobody holds it");
        assert_eq!(bench.say("EXISTS theirs"), integer(1), "{name}");
        assert_eq!(bench.eval(script, &["ours"], &["me"]), integer(1), "{name}: we hold it");
        assert_eq!(bench.eval(script, &["ours_forever"], &["me"]), integer(1), "{name}: for ever");
        assert_eq!(bench.say("EXISTS ours ours_forever"), integer(0), "{name}");
    }
}

const EXTENDS: &[(&str, &str)] = &[
    (
        "pexpire",
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end",
    ),
    (
        "expire",
        "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('expire', KEYS[1], tonumber(ARGV[2]) / 1000) else return 0 end",
    ),
    (
        "reacquire",
        "local token = redis.call('get', KEYS[1])\nif not token or token ~= ARGV[1] then return 0 end\nredis.call('pexpire', KEYS[1], ARGV[2])\nreturn 1",
    ),
    (
        "writes the same value again",
        "for i, key in ipairs(KEYS) do\n  if redis.call(\"get\", key) ~= ARGV[1] then return 0 end\nend\nfor i, key in ipairs(KEYS) do\n  redis.call(\"set\", key, ARGV[1], \"PX\", ARGV[2])\nend\nreturn #KEYS",
    ),
    (
        "a numeric loop",
        "for i = 1, #KEYS do if redis.call('get', KEYS[i]) ~= ARGV[1] then return 0 end redis.call('pexpire', KEYS[i], ARGV[2]) end return 1",
    ),
];

#[test]
fn every_spelling_of_compare_and_expire() {
    for (name, script) in EXTENDS {
        let mut bench = bench();
        assert_eq!(bench.eval(script, &["theirs"], &["me", "9000"]), integer(0), "{name}");
        assert_eq!(bench.eval(script, &["free"], &["me", "9000"]), integer(0), "{name}");
        assert_eq!(bench.say("PTTL theirs"), integer(1000), "{name}");
        for key in ["ours", "ours_forever"] {
            assert_eq!(bench.eval(script, &[key], &["me", "9000"]), integer(1), "{name}");
            assert_eq!(bench.say(&format!("PTTL {key}")), integer(9000), "{name}");
        }
    }
}

/// Of redis-py's kind: only what has an end is extended; the third argument says whether to add.
const EXTEND_BY: &str = "local token = redis.call('get', KEYS[1])\nif not token or token ~= ARGV[1] then return 0 end\n\
    local expiration = redis.call('pttl', KEYS[1])\nif not expiration then expiration = 0 end\n\
    if expiration < 0 then return 0 end\nlocal newttl = ARGV[2]\n\
    if ARGV[3] == \"0\" then newttl = ARGV[2] + expiration end\nredis.call('pexpire', KEYS[1], newttl)\nreturn 1";

#[test]
fn extending_adds_to_what_is_left() {
    let mut bench = bench();
    bench.model.advance(400);
    assert_eq!(bench.eval(EXTEND_BY, &["ours"], &["me", "5000", "0"]), integer(1));
    assert_eq!(bench.say("PTTL ours"), integer(5600));
    assert_eq!(bench.eval(EXTEND_BY, &["ours"], &["me", "5000", "1"]), integer(1));
    assert_eq!(bench.say("PTTL ours"), integer(5000));
    for key in ["ours_forever", "theirs", "free"] {
        assert_eq!(bench.eval(EXTEND_BY, &[key], &["me", "5000", "0"]), integer(0), "{key}");
    }
    assert_eq!(bench.say("PTTL ours_forever"), integer(-1));
    assert_eq!(bench.say("PTTL theirs"), integer(600));
    let said = bench.eval(EXTEND_BY, &["ours"], &["me", "1000.5", "0"]);
    assert!(said.starts_with("-ERR value is not an integer or out of range script: "), "{said}");
}

#[test]
fn a_reply_that_tells_free_from_taken() {
    let script = "local val = redis.call(\"GET\", KEYS[1])\nif val == ARGV[1] then return redis.call(\"DEL\", KEYS[1])\n\
                  elseif val == false then return -1 else return 0 end";
    let mut bench = bench();
    assert_eq!(bench.eval(script, &["free"], &["me"]), integer(-1));
    assert_eq!(bench.eval(script, &["theirs"], &["me"]), integer(0));
    assert_eq!(bench.eval(script, &["ours"], &["me"]), integer(1));
    assert_eq!(bench.say("EXISTS ours theirs"), integer(1));

    let script = "local id = redis.call('get', KEYS[1]) if not id then return redis.status_reply(\"OK\") \
                  elseif id == ARGV[1] then return redis.call(\"del\", KEYS[1]) else return redis.error_reply('ERROR') end";
    assert_eq!(bench.eval(script, &["free"], &["me"]), r"+OK\r\n");
    assert_eq!(bench.eval(script, &["theirs"], &["me"]), r"-ERR ERROR\r\n");
    assert_eq!(bench.eval(script, &["ours_forever"], &["me"]), integer(1));
}

#[test]
fn taking_what_is_free() {
    for script in [
        "for i, key in ipairs(KEYS) do if redis.call('exists', key) == 1 then return 0 end end \
         for i, key in ipairs(KEYS) do redis.call('set', key, ARGV[1], 'PX', ARGV[2]) end return #KEYS",
        "if redis.call('setnx', KEYS[1], ARGV[1]) == 1 then redis.call('pexpire', KEYS[1], ARGV[2]) return 1 else return 0 end",
        "if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 else return 0 end",
        "return redis.call('exists', KEYS[1]) < 1 and redis.call('psetex', KEYS[1], ARGV[2], ARGV[1]) and 1 or 0",
    ] {
        let mut bench = bench();
        assert_eq!(bench.eval(script, &["ours"], &["me", "700"]), integer(0), "{script}");
        assert_eq!(bench.eval(script, &["free"], &["me", "700"]), integer(1), "{script}");
        assert_eq!(bench.say("PTTL free"), integer(700), "{script}");
        assert_eq!(bench.say("GET free"), r"$2\r\nme\r\n", "{script}");
    }
}

#[test]
fn taking_what_is_free_or_extending_what_is_ours() {
    for script in [
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) \
         elseif redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return 1 else return 0 end",
        "local id = redis.call('get', KEYS[1]) if not id or id == ARGV[1] then \
         redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 else return 0 end",
        "if (redis.call('exists', KEYS[1]) == 0 and ARGV[3] == 'yes') or redis.call('get', KEYS[1]) == ARGV[1] then \
         redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2]) return true end return 0",
    ] {
        let mut bench = bench();
        let token = bench.say("LEASE.TOKEN ours me");
        assert_eq!(bench.eval(script, &["theirs"], &["me", "700", "yes"]), integer(0), "{script}");
        assert_eq!(bench.eval(script, &["free"], &["me", "700", "yes"]), integer(1), "{script}");
        assert_eq!(bench.eval(script, &["ours"], &["me", "700", "yes"]), integer(1), "{script}");
        assert_eq!(bench.say("PTTL free"), integer(700), "{script}");
        assert_eq!(bench.say("PTTL ours"), integer(700), "{script}");
        assert_eq!(bench.say("LEASE.TOKEN ours me"), token, "{script}: an extension keeps the token");
        assert_eq!(bench.say("GET theirs"), r"$3\r\nyou\r\n", "{script}");
    }
}

#[test]
fn other_changes_of_what_is_ours() {
    let mut bench = bench();
    let swap = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('set', KEYS[1], ARGV[2], 'KEEPTTL') return 1 end return 0";
    assert_eq!(bench.eval(swap, &["theirs"], &["me", "them"]), integer(0));
    assert_eq!(bench.eval(swap, &["ours"], &["me", "them"]), integer(1));
    assert_eq!(bench.say("GET ours"), r"$4\r\nthem\r\n");
    assert_eq!(bench.say("PTTL ours"), integer(1000));
    let persist =
        "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('persist', KEYS[1]) end return 0";
    assert_eq!(bench.eval(persist, &["ours"], &["me"]), integer(0));
    assert_eq!(bench.eval(persist, &["ours"], &["them"]), integer(1));
    assert_eq!(bench.eval(persist, &["ours"], &["them"]), integer(0));
    assert_eq!(bench.say("PTTL ours"), integer(-1));
}

#[test]
fn unconditional_changes() {
    let mut bench = bench();
    assert_eq!(bench.eval("return redis.call('del', KEYS[1])", &["theirs"], &[]), integer(1));
    assert_eq!(bench.eval("return redis.call('del', KEYS[1])", &["theirs"], &[]), integer(0));
    assert_eq!(
        bench.eval("return redis.call('pexpire', KEYS[1], ARGV[1] + 5)", &["ours"], &["70"]),
        integer(1)
    );
    assert_eq!(bench.say("PTTL ours"), integer(75));
    assert_eq!(bench.eval("return redis.call('set', KEYS[1], 7)", &["free"], &[]), r"+OK\r\n");
    assert_eq!(bench.say("GET free"), r"$1\r\n7\r\n");
}

#[test]
fn reading_scripts_see_the_key_as_it_is() {
    let mut bench = bench();
    assert_eq!(
        bench.eval("return {redis.call('get', KEYS[1]), redis.call('pttl', KEYS[1])}", &["ours"], &[]),
        r"*2\r\n$2\r\nme\r\n:1000\r\n"
    );
    let left = "if redis.call('get', KEYS[1]) == ARGV[1] then local pttl = redis.call('pttl', KEYS[1]) return (pttl > 0) and pttl or 0 else return 0 end";
    assert_eq!(bench.eval(left, &["ours"], &["me"]), integer(1000));
    assert_eq!(bench.eval(left, &["ours_forever"], &["me"]), integer(0));
    assert_eq!(bench.eval(left, &["theirs"], &["me"]), integer(0));
    assert_eq!(bench.eval("return redis.call('ttl', KEYS[1])", &["ours"], &[]), integer(1));
}

/// Each is one step away from a script that is a single action, and none may be taken for one.
#[test]
fn near_misses_are_recognised_as_such() {
    let cases = [
        (
            "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[2]) else return 0 end",
            "more than one key",
        ),
        (
            "if redis.call('get',KEYS[1])~=ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end",
            "none of the supported changes",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] or redis.call('get',KEYS[1])==ARGV[2] then return redis.call('del',KEYS[1]) else return 0 end",
            "more than one text",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] then redis.call('del',KEYS[1]) return redis.call('incr',KEYS[1]) else return 0 end",
            "calls 'incr'",
        ),
        (
            "if redis.call('get',KEYS[1])<ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end",
            "values of different types",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] and redis.call('pttl',KEYS[1])<500 then return redis.call('pexpire',KEYS[1],ARGV[2]) else return 0 end",
            "how much time is left",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('pexpire',KEYS[1],redis.call('pttl',KEYS[1])*2) else return 0 end",
            "than a number",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] then redis.call('del',KEYS[1]) return redis.call('pttl',KEYS[2]) else return 0 end",
            "more than one key",
        ),
        (
            "local v = redis.call('get',KEYS[1]) if v==ARGV[1] then redis.call('del',KEYS[1]) end return v",
            "none of the supported changes",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] then if redis.call('pttl',KEYS[1])==-1 then return redis.call('del',KEYS[1]) end end return 0",
            "none of the supported changes",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return redis.call('pexpire',KEYS[1],ARGV[2]) end",
            "none of the supported changes",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] then if redis.call('pttl',KEYS[1])<0 then return 2 end redis.call('pexpire',KEYS[1],ARGV[2]) return 0 else return 1 end",
            "none of the supported changes",
        ),
        (
            "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1],KEYS[2]) else return 0 end",
            "Wrong number of args",
        ),
        ("return tonumber(redis.call('get',KEYS[1])) + 1", "something else than a number"),
        ("local f = redis.call return f('del', KEYS[1])", "the global 'redis'"),
        ("result = 1 return result", "assigns to the global 'result'"),
        ("return os.clock()", "calls a function other than"),
        ("for i = 1, 1000000 do local x = i end return 1", "too many steps"),
    ];
    for (script, reason) in cases {
        let site = super::Site { command: "eval", database: 0, read_only: false };
        let planned = meaning(script).map(std::sync::Arc::new).map_err(|unsupported| unsupported.0).and_then(
            |meaning| match super::plan(&meaning, inputs(&["ours", "theirs"], &["me", "9000"]), site) {
                Err(error) => Err(error.to_string()),
                Ok(_) => Ok(()),
            },
        );
        let why = planned.expect_err(script);
        assert!(why.contains(reason), "{script} was refused with: {why}");
    }
}

const CONDITIONS: &[&str] = &[
    "redis.call('get', KEYS[1]) == ARGV[1]",
    "redis.call('get', KEYS[1]) ~= ARGV[1]",
    "not redis.call('get', KEYS[1])",
    "redis.call('exists', KEYS[1]) == 1",
    "redis.call('exists', KEYS[1]) == 0 or redis.call('get', KEYS[1]) == ARGV[1]",
    "redis.call('pttl', KEYS[1]) < 0",
    "redis.call('pttl', KEYS[1]) == -1",
    "redis.call('ttl', KEYS[1]) >= 0 and redis.call('get', KEYS[1]) == ARGV[1]",
];

const ACTS: &[&str] = &[
    "redis.call('del', KEYS[1])",
    "redis.call('pexpire', KEYS[1], ARGV[2])",
    "redis.call('pexpire', KEYS[1], -5)",
    "redis.call('pexpire', KEYS[1], redis.call('pttl', KEYS[1]) + ARGV[2])",
    "redis.call('expire', KEYS[1], 3)",
    "redis.call('persist', KEYS[1])",
    "redis.call('set', KEYS[1], ARGV[1])",
    "redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])",
    "redis.call('set', KEYS[1], 'x', 'PX', 50, 'NX')",
    "redis.call('set', KEYS[1], 'y', 'KEEPTTL', 'XX')",
    "redis.call('setnx', KEYS[1], ARGV[1])",
    "redis.call('get', KEYS[1])",
    "redis.call('pttl', KEYS[1])",
    "0",
    "7",
    "nil",
];

/// A statement: an act whose result is dropped, an act that is returned, or a condition over two others.
fn statement() -> impl Strategy<Value = String> {
    let act = prop::sample::select(ACTS);
    let leaf = prop_oneof![
        act.clone().prop_map(|act| format!("local _ = {act}")),
        act.prop_map(|act| format!("do return {act} end")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (prop::sample::select(CONDITIONS), two.clone())
                .prop_map(|(condition, (a, b))| format!("if {condition} then {a} else {b} end")),
            (prop::sample::select(CONDITIONS), inner)
                .prop_map(|(condition, a)| format!("if {condition} then {a} end")),
            two.prop_map(|(a, b)| format!("{a} {b}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever script is recognised does what walking through it with the real key would do, and one that is not, and is
    /// run, does the same: nothing is approximated.
    #[test]
    fn a_script_is_never_taken_for_another(script in statement()) {
        for key in ["ours", "ours_forever", "theirs", "theirs_forever", "free"] {
            let mut bench = bench();
            let walked = walk(&script, key);
            let said = bench.eval(&script, &[key], &["me", "9000"]);
            let Ok((reply, after)) = walked else { continue };
            prop_assert_eq!(&said, &reply, "{} on {}", script, key);
            let found = (bench.say(&format!("GET {key}")), bench.say(&format!("PTTL {key}")));
            prop_assert_eq!(&found, &after, "{} on {}", script, key);
        }
    }
}

/// The reply of a script walked through with the key as it is on the bench, and what `GET` and `PTTL` say after.
fn walk(script: &str, key: &str) -> Result<(String, (String, String)), super::world::Stop> {
    use super::world::{Case, World};
    let inputs = inputs(&[key], &["me", "9000"]);
    let value = |text: &'static str| bytes::Bytes::from_static(text.as_bytes());
    let case = match key {
        "ours" => Case::Actual { value: Some(value("me")), remaining_ms: Some(1000) },
        "ours_forever" => Case::Actual { value: Some(value("me")), remaining_ms: None },
        "theirs" => Case::Actual { value: Some(value("you")), remaining_ms: Some(1000) },
        "theirs_forever" => Case::Actual { value: Some(value("you")), remaining_ms: None },
        _ => Case::Absent,
    };
    let read = meaning(script).unwrap();
    let mut world = World::new(case);
    let reply = super::evaluate::run(&read.body, &inputs, &mut world)?.reply().unwrap();
    let said = |reply: &crate::Reply| {
        let mut out = bytes::BytesMut::new();
        crate::codec::encode::encode(reply, crate::Protocol::Resp2, &mut out);
        out.escape_ascii().to_string()
    };
    let get =
        world.call(&[super::value::Value::text("get"), super::value::Value::Text(inputs.keys[0].clone())])?;
    let pttl = world
        .call(&[super::value::Value::text("pttl"), super::value::Value::Text(inputs.keys[0].clone())])?;
    Ok((said(&reply), (said(&get.reply().unwrap()), said(&pttl.reply().unwrap()))))
}
