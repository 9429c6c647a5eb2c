//! What a Sentinel knows: the one master that it speaks of, which is the group.

use domain::NodeId;

use crate::group::{Addresses, Standing};
use crate::node::Node;
use crate::options::Purpose;

/// The group under its name, as it looks now.
pub(crate) struct Monitored {
    pub(crate) name: String,
    standing: Standing,
    cluster_id: [u8; 16],
    /// Port of this Sentinel.
    port: u16,
    /// It is down, as far as can be told from here.
    pub(crate) down: bool,
}

/// Where one can connect to. A name stays a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: String,
}

impl Monitored {
    /// `None`: this is no Sentinel, or its node belongs to no group yet.
    pub(crate) fn of(node: &Node) -> Option<Self> {
        let Purpose::Sentinel { master } = &node.options.purpose else { return None };
        let standing = node.standing();
        let cluster_id = standing.cluster_id?;
        let has_hope = node.vigil.has_hope((node.monotonic)());
        let down = !has_hope || (leader(&standing).is_none() && !standing.serves);
        Some(Self { name: master.clone(), cluster_id, standing, port: node.options.port, down })
    }

    /// Where to send requests: to the leader, or for want of one to this node, which waits for the next.
    pub(crate) fn address(&self) -> Option<Address> {
        if self.down { None } else { self.last_address() }
    }

    /// The same whether or not it would help.
    pub(crate) fn last_address(&self) -> Option<Address> {
        let own = || address(&self.standing, self.standing.node);
        leader(&self.standing).or_else(own)
    }

    /// The node that the address is of.
    pub(crate) fn node(&self) -> NodeId {
        self.standing.leader.unwrap_or(self.standing.node)
    }

    pub(crate) fn me(&self) -> String {
        self.id(self.standing.node)
    }

    /// Forty hexadecimal digits, as Redis names instances: the same for a node whichever one is asked, and for as long as
    /// it lives.
    pub(crate) fn id(&self, node: NodeId) -> String {
        let cluster = u128::from_be_bytes(self.cluster_id) >> 32;
        format!("{cluster:024x}{:016x}", node.0)
    }

    pub(crate) fn term(&self) -> u64 {
        self.standing.term
    }

    /// How many voters agree on anything.
    pub(crate) fn quorum(&self) -> usize {
        self.standing.voters / 2 + 1
    }

    pub(crate) fn sentinels(&self) -> usize {
        self.standing.addresses.len()
    }

    /// The other Sentinels. Of a member of before there were any the log has no address; its Sentinel is looked for beside
    /// its keys, at the port that this one has.
    pub(crate) fn others(&self) -> Vec<(NodeId, Address)> {
        let own = self.standing.node;
        let at = |(id, at): &(NodeId, Addresses)| {
            let beside = || {
                let host = Address::of(&at.redis)?.host;
                Some(Address { host, port: self.port.to_string() })
            };
            Some((*id, Address::of(&at.sentinel).or_else(beside)?))
        };
        self.standing.addresses.iter().filter(|(id, _)| *id != own).filter_map(at).collect()
    }

    /// In the words of `INFO`.
    pub(crate) fn line(&self) -> String {
        let status = if self.down { "odown" } else { "ok" };
        let address = self.last_address().map_or_else(|| ":0".into(), |at| at.to_string());
        let Self { name, .. } = self;
        format!("name={name},status={status},address={address},slaves=0,sentinels={}", self.sentinels())
    }
}

/// Where the leader is, if one is known.
fn leader(standing: &Standing) -> Option<Address> {
    address(standing, standing.leader?)
}

/// Where a node serves keys, if that is known.
pub(super) fn address(standing: &Standing, node: NodeId) -> Option<Address> {
    Address::of(standing.address(node)?)
}

impl Address {
    /// `None` where there is none, or it is not HOST:PORT.
    fn of(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        // Redis tells hosts without the brackets of the sixth protocol.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self { host: host.into(), port: port.into() })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        let of = |text| Address::of(text).map(|at| (at.host, at.port));
        assert_eq!(of("10.0.0.1:6379"), Some(("10.0.0.1".into(), "6379".into())));
        assert_eq!(of("[::1]:6379"), Some(("::1".into(), "6379".into())));
        assert_eq!(of("tenure1.desk.example:6379"), Some(("tenure1.desk.example".into(), "6379".into())));
        assert_eq!(of(""), None);
    }
}
