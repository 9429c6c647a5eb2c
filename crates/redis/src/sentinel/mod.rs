//! Sentinel, as far as clients talk to one: a door beside that of the keys, where they ask which address to use.
//!
//! Clients that are told "Sentinel" instead of an address find their node here unchanged, and leave a node that died. What
//! is behind it is not what Redis has there. All nodes are masters: any of them takes any request, a follower hands writes
//! to the leader, and no read is answered before a quorum has proved it new enough. So the address given is the leader's
//! only because that spares a hop, an old answer is as right as a new one, and there are no replicas: whoever looked for
//! one, to read from, would be given a node that calls itself a master, and clients that check that (ioredis, .NET's)
//! would never use it.
//!
//! A Sentinel here watches nobody and decides nothing; it says what its node knows of the group, as long as that can prove
//! that it belongs to a majority. Nothing can be set.
//!
//! Read in this order: [`monitored`] (what is known), [`vigil`] (whether it still holds), [`subcommands`] (what is asked),
//! [`news`] (what is told unasked).

mod monitored;
mod news;
mod subcommands;
pub(crate) mod vigil;

pub(crate) use monitored::Monitored;
pub(crate) use news::News;
pub(crate) use vigil::Vigil;

use crate::command::table::{Table, container, listener, open, server, session, subscription};
use crate::command::{Call, Spec, client, connection, info, introspection, pubsub};
use crate::plan::Plan;
use crate::{Error, Reply};

/// What Redis's Sentinel has, without what would change it.
pub(crate) static COMMANDS: Table = Table(&[
    session(open("auth", -2, connection::auth)),
    session(container("client", client::SUBCOMMANDS)),
    Spec { subcommands: introspection::SUBCOMMANDS, ..server("command", -1, introspection::command) },
    session(open("hello", -1, connection::hello)),
    server("info", -1, info::info),
    listener(server("ping", -1, connection::ping)),
    subscription("psubscribe", -2, pubsub::psubscribe),
    server("publish", 3, publish),
    subscription("punsubscribe", -1, pubsub::punsubscribe),
    server("role", 1, subcommands::role),
    container("sentinel", subcommands::SUBCOMMANDS),
    subscription("subscribe", -2, pubsub::subscribe),
    subscription("unsubscribe", -1, pubsub::unsubscribe),
]);

/// Sentinels of Redis greet each other on this channel; one that was led here by mistake is not listened to.
fn publish(call: &mut Call<'_>) -> Result<Plan, Error> {
    if *call.arguments.take()? != *b"__sentinel__:hello" {
        return Err(Error::OnlyHello);
    }
    Ok(Plan::Local(Reply::Integer(1)))
}

#[cfg(test)]
mod tests {
    use crate::options::{Options, Purpose};
    use crate::testing::Bench;

    fn options() -> Options {
        let purpose = Purpose::Sentinel { master: "mymaster".into() };
        Options { purpose, ..Options::default() }
    }

    #[test]
    fn a_node_without_a_group_knows_no_master() {
        let mut bench = Bench::new(options());
        bench.model.unfound();
        assert_eq!(bench.say("SENTINEL MASTERS"), r"*0\r\n");
        assert_eq!(bench.say("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster"), r"*-1\r\n");
        assert_eq!(bench.say("SENTINEL MASTER mymaster"), r"-ERR No such master with that name\r\n");
        assert_eq!(bench.say("SENTINEL MYID"), r"$-1\r\n");
        assert_eq!(bench.say("ROLE"), r"*2\r\n$8\r\nsentinel\r\n*0\r\n");
    }

    #[test]
    fn the_sentinel_of_an_older_member_is_looked_for_beside_its_keys() {
        let mut bench = Bench::new(options());
        bench.model.forget_sentinels();
        assert!(bench.say("SENTINEL SENTINELS mymaster").contains(r"10.0.0.3\r\n$4\r\nport\r\n$4\r\n6379"));
    }
}
