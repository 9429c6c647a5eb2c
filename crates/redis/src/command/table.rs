//! Every command, in the order of their names: name, arity, kind, place of the keys, handler.

use super::{Arity, Handler, Keys, Kind, Spec, Subcommand};
use super::{
    client, config, connection, elements, expiry, hashes, info, introspection, keys, leases, listing, lists,
    pubsub, ranges, scripts, server, sets, sorted_sets, strings, transactions,
};

/// The commands of one door, sorted by name, so that they may be found by halving.
#[derive(Clone, Copy)]
pub(crate) struct Table(pub(crate) &'static [Spec]);

impl Table {
    /// The place of a command, in whatever case it was written.
    pub(crate) fn find(self, name: &[u8]) -> Option<usize> {
        let lower = |byte: &u8| byte.to_ascii_lowercase();
        self.0.binary_search_by(|spec| spec.name.bytes().cmp(name.iter().map(lower))).ok()
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|spec| spec.name)).finish()
    }
}

const NO_KEYS: Keys = Keys { first: 0, last: 0, step: 0 };
const ONE_KEY: Keys = Keys { first: 1, last: 1, step: 1 };
const TWO_KEYS: Keys = Keys { first: 1, last: 2, step: 1 };
const SECOND: Keys = Keys { first: 2, last: 2, step: 1 };
const ALL_KEYS: Keys = Keys { first: 1, last: -1, step: 1 };
const ALL_BUT_ONE: Keys = Keys { first: 1, last: -2, step: 1 };
const PAIRS: Keys = Keys { first: 1, last: -1, step: 2 };

const fn spec(name: &'static str, arity: i32, kind: Kind, keys: Keys, handler: Handler) -> Spec {
    let arity = Arity(arity);
    Spec {
        name,
        arity,
        kind,
        keys,
        open_to_strangers: false,
        is_never_queued: false,
        changes_session: false,
        is_for_scripts: true,
        is_for_listeners: false,
        handler,
        subcommands: &[],
    }
}

const fn read(name: &'static str, arity: i32, keys: Keys, handler: Handler) -> Spec {
    spec(name, arity, Kind::Read, keys, handler)
}

const fn write(name: &'static str, arity: i32, keys: Keys, handler: Handler) -> Spec {
    spec(name, arity, Kind::Write, keys, handler)
}

pub(crate) const fn server(name: &'static str, arity: i32, handler: Handler) -> Spec {
    spec(name, arity, Kind::Server, NO_KEYS, handler)
}

/// Its first argument says what is to be done.
pub(crate) const fn container(name: &'static str, subcommands: &'static [Subcommand]) -> Spec {
    Spec { subcommands, ..server(name, -2, |call| call.subcommand()) }
}

const fn script(name: &'static str, arity: i32, handler: Handler) -> Spec {
    not_for_scripts(spec(name, arity, Kind::Script, NO_KEYS, handler))
}

/// Whether it is queued or ends the queue, it has to do with transactions.
const fn transaction(name: &'static str, arity: i32, handler: Handler) -> Spec {
    Spec { is_never_queued: true, ..not_for_scripts(server(name, arity, handler)) }
}

const fn listing(name: &'static str, arity: i32, handler: Handler) -> Spec {
    spec(name, arity, Kind::Listing, NO_KEYS, handler)
}

/// Of the connection or the node itself.
pub(crate) const fn session(spec: Spec) -> Spec {
    Spec { changes_session: true, ..not_for_scripts(spec) }
}

/// As in Redis.
const fn not_for_scripts(spec: Spec) -> Spec {
    Spec { is_for_scripts: false, ..spec }
}

/// Also for those who have subscribed to something.
pub(crate) const fn listener(spec: Spec) -> Spec {
    Spec { is_for_listeners: true, ..spec }
}

pub(crate) const fn subscription(name: &'static str, arity: i32, handler: Handler) -> Spec {
    listener(session(server(name, arity, handler)))
}

/// Also before authentication.
pub(crate) const fn open(name: &'static str, arity: i32, handler: Handler) -> Spec {
    Spec { open_to_strangers: true, ..server(name, arity, handler) }
}

/// Where clients find leases and keys.
pub(crate) static COMMANDS: Table = Table(&[
    write("append", 3, ONE_KEY, ranges::append),
    server("asking", 1, server::cluster_disabled),
    session(open("auth", -2, connection::auth)),
    not_for_scripts(write("blpop", -3, ALL_BUT_ONE, lists::blpop)),
    not_for_scripts(write("brpop", -3, ALL_BUT_ONE, lists::brpop)),
    session(container("client", client::SUBCOMMANDS)),
    server("cluster", -2, server::cluster_disabled),
    Spec { subcommands: introspection::SUBCOMMANDS, ..server("command", -1, introspection::command) },
    session(container("config", config::SUBCOMMANDS)),
    write("copy", -3, TWO_KEYS, keys::copy),
    listing("dbsize", 1, listing::dbsize),
    write("decr", 2, ONE_KEY, strings::decr),
    write("decrby", 3, ONE_KEY, strings::decrby),
    write("del", -2, ALL_KEYS, keys::del),
    write("delex", -2, ONE_KEY, keys::delex),
    transaction("discard", 1, transactions::discard),
    server("echo", 2, connection::echo),
    script("eval", -3, scripts::eval),
    script("eval_ro", -3, scripts::eval_ro),
    script("evalsha", -3, scripts::evalsha),
    script("evalsha_ro", -3, scripts::evalsha_ro),
    transaction("exec", 1, transactions::exec),
    read("exists", -2, ALL_KEYS, keys::exists),
    write("expire", -3, ONE_KEY, expiry::expire),
    write("expireat", -3, ONE_KEY, expiry::expireat),
    read("expiretime", 2, ONE_KEY, expiry::expiretime),
    write("flushall", -1, NO_KEYS, keys::flushall),
    write("flushdb", -1, NO_KEYS, keys::flushdb),
    read("get", 2, ONE_KEY, strings::get),
    read("getbit", 3, ONE_KEY, ranges::getbit),
    write("getdel", 2, ONE_KEY, strings::getdel),
    write("getex", -2, ONE_KEY, strings::getex),
    read("getrange", 4, ONE_KEY, ranges::getrange),
    write("getset", 3, ONE_KEY, strings::getset),
    write("hdel", -3, ONE_KEY, hashes::hdel),
    session(open("hello", -1, connection::hello)),
    read("hexists", 3, ONE_KEY, hashes::hexists),
    read("hget", 3, ONE_KEY, hashes::hget),
    read("hgetall", 2, ONE_KEY, hashes::hgetall),
    write("hincrby", 4, ONE_KEY, hashes::hincrby),
    write("hincrbyfloat", 4, ONE_KEY, hashes::hincrbyfloat),
    read("hkeys", 2, ONE_KEY, hashes::hkeys),
    read("hlen", 2, ONE_KEY, hashes::hlen),
    read("hmget", -3, ONE_KEY, hashes::hmget),
    write("hmset", -4, ONE_KEY, hashes::hmset),
    read("hrandfield", -2, ONE_KEY, elements::hrandfield),
    read("hscan", -3, ONE_KEY, elements::hscan),
    write("hset", -4, ONE_KEY, hashes::hset),
    write("hsetnx", 4, ONE_KEY, hashes::hsetnx),
    read("hstrlen", 3, ONE_KEY, hashes::hstrlen),
    read("hvals", 2, ONE_KEY, hashes::hvals),
    write("incr", 2, ONE_KEY, strings::incr),
    write("incrby", 3, ONE_KEY, strings::incrby),
    write("incrbyfloat", 3, ONE_KEY, ranges::incrbyfloat),
    server("info", -1, info::info),
    listing("keys", 2, listing::keys),
    write("lease.acquire", 5, ONE_KEY, leases::acquire),
    read("lease.info", 2, ONE_KEY, leases::info),
    read("lease.leader", 1, NO_KEYS, leases::leader),
    write("lease.release", 3, ONE_KEY, leases::release),
    write("lease.renew", 5, ONE_KEY, leases::renew),
    read("lease.token", 3, ONE_KEY, leases::token),
    read("lindex", 3, ONE_KEY, lists::lindex),
    read("llen", 2, ONE_KEY, lists::llen),
    write("lpop", -2, ONE_KEY, lists::lpop),
    write("lpush", -3, ONE_KEY, lists::lpush),
    write("lpushx", -3, ONE_KEY, lists::lpushx),
    read("lrange", 4, ONE_KEY, lists::lrange),
    write("lrem", 4, ONE_KEY, lists::lrem),
    write("lset", 4, ONE_KEY, lists::lset),
    write("ltrim", 4, ONE_KEY, lists::ltrim),
    read("mget", -2, ALL_KEYS, strings::mget),
    write("mset", -3, PAIRS, strings::mset),
    write("msetnx", -3, PAIRS, strings::msetnx),
    transaction("multi", 1, transactions::multi),
    Spec { kind: Kind::Read, keys: SECOND, ..container("object", keys::SUBCOMMANDS_OF_OBJECT) },
    write("persist", 2, ONE_KEY, expiry::persist),
    write("pexpire", -3, ONE_KEY, expiry::pexpire),
    write("pexpireat", -3, ONE_KEY, expiry::pexpireat),
    read("pexpiretime", 2, ONE_KEY, expiry::pexpiretime),
    listener(server("ping", -1, connection::ping)),
    write("psetex", 4, ONE_KEY, strings::psetex),
    subscription("psubscribe", -2, pubsub::psubscribe),
    read("pttl", 2, ONE_KEY, expiry::pttl),
    write("publish", 3, NO_KEYS, pubsub::publish),
    container("pubsub", pubsub::SUBCOMMANDS),
    subscription("punsubscribe", -1, pubsub::punsubscribe),
    listener(Spec { is_never_queued: true, ..not_for_scripts(open("quit", -1, connection::quit)) }),
    listing("randomkey", 1, listing::randomkey),
    server("readonly", 1, server::cluster_disabled),
    server("readwrite", 1, server::cluster_disabled),
    write("rename", 3, TWO_KEYS, keys::rename),
    write("renamenx", 3, TWO_KEYS, keys::renamenx),
    listener(Spec { is_never_queued: true, ..not_for_scripts(open("reset", 1, connection::reset)) }),
    server("role", 1, server::role),
    write("rpop", -2, ONE_KEY, lists::rpop),
    write("rpush", -3, ONE_KEY, lists::rpush),
    write("rpushx", -3, ONE_KEY, lists::rpushx),
    write("sadd", -3, ONE_KEY, sets::sadd),
    listing("scan", -2, listing::scan),
    read("scard", 2, ONE_KEY, sets::scard),
    not_for_scripts(container("script", scripts::SUBCOMMANDS)),
    Spec { is_for_scripts: true, ..session(server("select", 2, connection::select)) },
    write("set", -3, ONE_KEY, strings::set),
    write("setbit", 4, ONE_KEY, ranges::setbit),
    write("setex", 4, ONE_KEY, strings::setex),
    write("setnx", 3, ONE_KEY, strings::setnx),
    write("setrange", 4, ONE_KEY, ranges::setrange),
    read("sismember", 3, ONE_KEY, sets::sismember),
    read("smembers", 2, ONE_KEY, sets::smembers),
    read("smismember", -3, ONE_KEY, sets::smismember),
    write("spop", -2, ONE_KEY, elements::spop),
    write("spublish", 3, NO_KEYS, pubsub::spublish),
    read("srandmember", -2, ONE_KEY, elements::srandmember),
    write("srem", -3, ONE_KEY, sets::srem),
    read("sscan", -3, ONE_KEY, elements::sscan),
    subscription("ssubscribe", -2, pubsub::ssubscribe),
    read("strlen", 2, ONE_KEY, strings::strlen),
    subscription("subscribe", -2, pubsub::subscribe),
    read("substr", 4, ONE_KEY, ranges::getrange),
    subscription("sunsubscribe", -1, pubsub::sunsubscribe),
    server("time", 1, server::time),
    read("touch", -2, ALL_KEYS, keys::exists),
    read("ttl", 2, ONE_KEY, expiry::ttl),
    read("type", 2, ONE_KEY, keys::type_of),
    write("unlink", -2, ALL_KEYS, keys::del),
    subscription("unsubscribe", -1, pubsub::unsubscribe),
    not_for_scripts(server("unwatch", 1, transactions::unwatch)),
    not_for_scripts(server("wait", 3, server::wait)),
    Spec { kind: Kind::Read, keys: ALL_KEYS, ..transaction("watch", -2, transactions::watch) },
    write("zadd", -4, ONE_KEY, sorted_sets::zadd),
    read("zcard", 2, ONE_KEY, sorted_sets::zcard),
    read("zcount", 4, ONE_KEY, sorted_sets::zcount),
    write("zincrby", 4, ONE_KEY, sorted_sets::zincrby),
    read("zmscore", -3, ONE_KEY, sorted_sets::zmscore),
    write("zpopmax", -2, ONE_KEY, sorted_sets::zpopmax),
    write("zpopmin", -2, ONE_KEY, sorted_sets::zpopmin),
    read("zrange", -4, ONE_KEY, sorted_sets::zrange),
    read("zrangebyscore", -4, ONE_KEY, sorted_sets::zrangebyscore),
    read("zrank", 3, ONE_KEY, sorted_sets::zrank),
    write("zrem", -3, ONE_KEY, sorted_sets::zrem),
    write("zremrangebyrank", 4, ONE_KEY, sorted_sets::zremrangebyrank),
    write("zremrangebyscore", 4, ONE_KEY, sorted_sets::zremrangebyscore),
    read("zrevrange", -4, ONE_KEY, sorted_sets::zrevrange),
    read("zrevrangebyscore", -4, ONE_KEY, sorted_sets::zrevrangebyscore),
    read("zrevrank", 3, ONE_KEY, sorted_sets::zrevrank),
    read("zscan", -3, ONE_KEY, elements::zscan),
    read("zscore", 3, ONE_KEY, sorted_sets::zscore),
]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel;

    #[test]
    fn a_table_is_sorted_and_found_in_any_case() {
        for table in [COMMANDS, sentinel::COMMANDS] {
            assert!(table.0.is_sorted_by(|a, b| a.name < b.name));
            for (place, spec) in table.0.iter().enumerate() {
                assert_eq!(table.find(spec.name.as_bytes()), Some(place));
                assert_eq!(table.find(spec.name.to_ascii_uppercase().as_bytes()), Some(place));
            }
            assert_eq!(table.find(b""), None);
            assert_eq!(table.find(b"gett"), None);
        }
    }
}
