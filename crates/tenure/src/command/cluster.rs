//! `tenure init`, `member`, `leader` and `drain`: the group and its changes.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use wire::v1;

use super::{confirmed, reason};
use crate::args::{Leader, Member, Why};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Table};

#[derive(Serialize)]
struct MemberView {
    id: u64,
    name: String,
    voter: bool,
    api: String,
    peer: String,
    redis: String,
    sentinel: String,
    http: String,
}

#[derive(Serialize)]
struct Done {
    done: &'static str,
    node: u64,
}

fn print(format: Format, done: &'static str, node: u64) -> Result<()> {
    Ok(format.one(&Done { done, node }, |done| {
        let mut table = Table::default();
        table.row([format!("{}: node {}", done.done, done.node)]);
        table
    })?)
}

/// Founds the group of all nodes at the endpoints; every one must answer.
pub async fn init(client: &Client, format: Format) -> Result<()> {
    let mut found = Vec::new();
    for (address, status) in client.statuses(Duration::ZERO).await {
        match status {
            Ok(status) => found.push(status),
            Err(status) => {
                let message = format!("{address} does not answer: {}", status.message());
                return Err(Failure::new(
                    Exit::NoQuorum,
                    "UNREACHABLE",
                    message,
                    "start every founder, then tenure init",
                )
                .into());
            }
        }
    }
    client.init(&found.iter().collect::<Vec<_>>()).await?;
    print(format, "founded, nodes", found.len() as u64)
}

pub async fn member(client: &Client, member: Member, format: Format) -> Result<()> {
    match member {
        Member::List => list(client, format).await,
        Member::Add { peer, api, redis, sentinel, http, name, why } => {
            let member = v1::Member { id: 0, name, api, peer, redis, sentinel, http, voter: false };
            let request = v1::AddMemberRequest { member: Some(member), reason: Some(reason(why)) };
            let response =
                client.call(|c| async { Client::cluster(c).add_member(request.clone()).await }).await?;
            print(format, "added; put this id in the file of the new", response.id)
        }
        Member::Promote { id, why } => {
            let request = v1::PromoteMemberRequest { id, reason: Some(reason(why)) };
            client.call(|c| async { Client::cluster(c).promote_member(request.clone()).await }).await?;
            print(format, "promoted", id)
        }
        Member::Remove { id, why } => {
            let reason = confirmed(why, &format!("Remove node {id}? Its id can never be used again."))?;
            let request = v1::RemoveMemberRequest { id, reason: Some(reason) };
            client.call(|c| async { Client::cluster(c).remove_member(request.clone()).await }).await?;
            print(format, "removed", id)
        }
    }
}

async fn list(client: &Client, format: Format) -> Result<()> {
    let response = client.call(|c| async { Client::cluster(c).members(v1::MembersRequest {}).await }).await?;
    let view = |member: v1::Member| {
        let v1::Member { id, name, api, peer, redis, sentinel, http, voter } = member;
        MemberView { id, name, voter, api, peer, redis, sentinel, http }
    };
    let members: Vec<MemberView> = response.members.into_iter().map(view).collect();
    Ok(format.many(&members, |members| {
        let mut table =
            Table::with_head(&["id", "name", "voter", "api", "peer", "redis", "sentinel", "http"]);
        for member in members {
            let MemberView { id, name, voter, api, peer, redis, sentinel, http } = member;
            let voter = if *voter { "yes" } else { "no" };
            table.row([&id.to_string(), name, voter, api, peer, redis, sentinel, http]);
        }
        table
    })?)
}

pub async fn leader(client: &Client, leader: Leader, format: Format) -> Result<()> {
    match leader {
        Leader::Show => {
            let cluster = super::status::look(client).await?;
            match cluster.leader {
                Some(node) => print(format, "leader", node),
                None => Err(Failure::new(Exit::NoQuorum, "NO_QUORUM", "no leader", "tenure status").into()),
            }
        }
        Leader::Transfer { to, why } => {
            let reason = confirmed(why, "Hand leadership over?")?;
            let request = v1::TransferLeaderRequest { to, reason: Some(reason) };
            let response =
                client.call(|c| async { Client::cluster(c).transfer_leader(request.clone()).await }).await?;
            print(format, "leader", response.leader)
        }
    }
}

pub async fn drain(client: &Client, node: u64, undo: bool, why: Why, format: Format) -> Result<()> {
    let reason = if undo { reason(why) } else { confirmed(why, &format!("Drain node {node}?"))? };
    let request = v1::DrainRequest { node, undo, reason: Some(reason) };
    client.call(|c| async { Client::cluster(c).drain(request.clone()).await }).await?;
    print(format, if undo { "no longer draining" } else { "draining" }, node)
}
