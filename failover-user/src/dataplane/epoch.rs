//! How long next hops that packets have found may be kept: until anything changes that the FIB looks at.
//!
//! The data plane keeps a next hop for each host, whoever sends there by the same device. So where rules choose a route by
//! more than that, none is kept, and the epoch is 0. Each change of routes, rules, addresses, devices and neighbours
//! begins another epoch; what is only confirmed about a neighbour changes nothing.

use std::{collections::HashMap, io, net::IpAddr};

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::StreamExt as _;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::{
    Handle, IpVersion, MulticastGroup,
    packet_route::{
        RouteNetlinkMessage,
        neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
        rule::{RuleAction, RuleAttribute, RuleMessage},
    },
    sys::SocketAddr,
};
use tokio::sync::watch;

use super::error::Error;

/// The epoch, as a value that changes; see [`failover_common::names::EPOCH`].
pub type Epoch = watch::Receiver<u32>;

/// Everything that an answer of the FIB comes from.
const GROUPS: [MulticastGroup; 11] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv6Rule,
    MulticastGroup::Ipv4Netconf,
    MulticastGroup::Ipv6Netconf,
    MulticastGroup::Nexthop,
];
/// Neighbours whose addresses are known; what is heard of others begins an epoch.
const MOST_NEIGHBOURS: usize = 65_536;

/// Hears of changes in a task that ends with the runtime.
pub async fn watch_network() -> Result<Epoch, Error> {
    let (connection, handle, mut changes) = rtnetlink::new_multicast_connection(&GROUPS).map_err(fails)?;
    tokio::spawn(connection);
    let mut network = Network { neighbours: HashMap::new(), epoch: 1 };
    network.meet_neighbours(&handle).await?;
    let (sender, receiver) = watch::channel(network.epoch_under(&handle).await);
    tokio::spawn(async move {
        while let Some((first, _)) = changes.next().await {
            let heard = network.hear_all(&first, &mut changes);
            if heard.anything {
                network.epoch = network.epoch.checked_add(1).unwrap_or(1);
                // At once; the rules are asked about after it, because that takes its time.
                sender.send_if_modified(|known| {
                    let keeps = *known != 0;
                    *known = if keeps { network.epoch } else { 0 };
                    keeps
                });
            }
            if heard.rules {
                sender.send_replace(network.epoch_under(&handle).await);
            }
            if sender.is_closed() {
                return;
            }
        }
    });
    Ok(receiver)
}

type Changes = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

/// What a burst of messages says.
#[derive(Clone, Copy, Default)]
struct Heard {
    anything: bool,
    rules: bool,
}

struct Network {
    neighbours: HashMap<(u32, IpAddr), Vec<u8>>,
    epoch: u32,
}

impl Network {
    /// A message, and all that wait behind it.
    fn hear_all(&mut self, first: &NetlinkMessage<RouteNetlinkMessage>, rest: &mut Changes) -> Heard {
        let mut changed = Heard::default();
        self.hear(first, &mut changed);
        while let Ok((message, _)) = rest.try_recv() {
            self.hear(&message, &mut changed);
        }
        changed
    }

    fn hear(&mut self, message: &NetlinkMessage<RouteNetlinkMessage>, changed: &mut Heard) {
        match &message.payload {
            NetlinkPayload::InnerMessage(
                RouteNetlinkMessage::NewNeighbour(neighbour) | RouteNetlinkMessage::DelNeighbour(neighbour),
            ) => {
                let gone = matches!(
                    message.payload,
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelNeighbour(_))
                );
                changed.anything |= self.is_news(neighbour, gone);
            }
            NetlinkPayload::InnerMessage(
                RouteNetlinkMessage::NewRule(_) | RouteNetlinkMessage::DelRule(_),
            ) => *changed = Heard { anything: true, rules: true },
            // Whatever was lost when messages came faster than they were read may have been a rule.
            NetlinkPayload::Overrun(_) => {
                self.neighbours.clear();
                *changed = Heard { anything: true, rules: true };
            }
            _ => changed.anything = true,
        }
    }

    /// Whether packets to a neighbour must now go elsewhere.
    fn is_news(&mut self, neighbour: &NeighbourMessage, gone: bool) -> bool {
        let Some(key) = host(neighbour) else { return false };
        let mac = neighbour.attributes.iter().find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(mac) => Some(mac.clone()),
            _ => None,
        });
        let unusable = matches!(
            neighbour.header.state,
            NeighbourState::Incomplete | NeighbourState::Failed | NeighbourState::None
        );
        match mac.filter(|_| !gone && !unusable) {
            Some(mac) if self.neighbours.len() < MOST_NEIGHBOURS || self.neighbours.contains_key(&key) => {
                // A neighbour that nobody knew has no next hop that is kept.
                self.neighbours.insert(key, mac.clone()).is_some_and(|before| before != mac)
            }
            Some(_) => true,
            None => self.neighbours.remove(&key).is_some() || self.neighbours.len() >= MOST_NEIGHBOURS,
        }
    }

    async fn meet_neighbours(&mut self, handle: &Handle) -> Result<(), Error> {
        let mut neighbours = handle.neighbours().get().execute();
        while let Some(neighbour) = neighbours.next().await {
            let neighbour = neighbour.map_err(|error| fails(io::Error::other(error.to_string())))?;
            self.is_news(&neighbour, false);
        }
        Ok(())
    }

    /// The epoch, if the rules allow for one.
    async fn epoch_under(&self, handle: &Handle) -> u32 {
        for (family, without) in [(IpVersion::V4, 0), (IpVersion::V6, self.epoch)] {
            let mut rules = handle.rule().get(family).execute();
            while let Some(rule) = rules.next().await {
                match rule {
                    Ok(rule) if is_plain(&rule) => {}
                    Ok(_) => {
                        tracing::info!(
                            "routing rules choose by more than the destination: no next hop is kept"
                        );
                        return 0;
                    }
                    // A kernel without IPv6 has no rules of it.
                    Err(error) => {
                        tracing::debug!(%error, "routing rules could not be read");
                        return without;
                    }
                }
            }
        }
        self.epoch
    }
}

fn host(neighbour: &NeighbourMessage) -> Option<(u32, IpAddr)> {
    let address = neighbour.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => Some(IpAddr::V4(*v4)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => Some(IpAddr::V6(*v6)),
        _ => None,
    })?;
    Some((neighbour.header.ifindex, address))
}

/// Whether a rule holds for every packet.
fn is_plain(rule: &RuleMessage) -> bool {
    let header = &rule.header;
    let says_no_more = |attribute: &RuleAttribute| {
        matches!(
            attribute,
            RuleAttribute::Priority(_)
                | RuleAttribute::Table(_)
                | RuleAttribute::Protocol(_)
                | RuleAttribute::SuppressPrefixLen(u32::MAX)
                | RuleAttribute::SuppressIfGroup(u32::MAX)
        )
    };
    let whole = (header.src_len, header.dst_len, header.tos) == (0, 0, 0);
    whole && header.action == RuleAction::ToTable && rule.attributes.iter().all(says_no_more)
}

fn fails(source: io::Error) -> Error {
    Error::io("watch the routes", source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(last: u8, mac: Option<u8>, state: NeighbourState) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        (message.header.ifindex, message.header.state) = (3, state);
        let address = NeighbourAddress::Inet([192, 0, 2, last].into());
        message.attributes.push(NeighbourAttribute::Destination(address));
        message
            .attributes
            .extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, mac])));
        message
    }

    #[test]
    fn a_neighbour_is_news_when_packets_must_go_elsewhere() {
        use NeighbourState::{Failed, Probe, Reachable, Stale};
        let mut network = Network { neighbours: HashMap::new(), epoch: 1 };
        let mut hear = |last, mac, state, gone| network.is_news(&neighbour(last, mac, state), gone);
        assert!(!hear(1, Some(1), Reachable, false), "nobody sent there before");
        assert!(!hear(1, Some(1), Stale, false));
        assert!(!hear(1, Some(1), Probe, false));
        assert!(hear(1, Some(2), Reachable, false), "another machine has the address");
        assert!(hear(1, None, Failed, false));
        assert!(!hear(1, None, Failed, false));
        assert!(!hear(1, Some(2), Reachable, false));
        assert!(hear(1, Some(2), Stale, true), "gone");
        assert!(!hear(2, None, Failed, true), "of no interest");
    }

    #[test]
    fn a_rule_that_looks_at_the_source_keeps_next_hops_from_being_kept() {
        let mut rule = RuleMessage::default();
        rule.header.action = RuleAction::ToTable;
        rule.attributes = vec![RuleAttribute::Priority(32_766), RuleAttribute::SuppressPrefixLen(u32::MAX)];
        assert!(is_plain(&rule));
        for more in
            [RuleAttribute::FwMark(1), RuleAttribute::L3MDev(true), RuleAttribute::Iifname("lan0".into())]
        {
            let mut rule = rule.clone();
            rule.attributes.push(more);
            assert!(!is_plain(&rule));
        }
        let mut of_a_network = rule.clone();
        of_a_network.header.src_len = 24;
        assert!(!is_plain(&of_a_network));
        let mut tos = rule;
        tos.header.tos = 0x10;
        assert!(!is_plain(&tos));
    }
}
