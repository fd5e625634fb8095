//! Whose a packet is, and what has to be done with it.

use std::net::{IpAddr, SocketAddr};

use failover_common::{
    names::MOST_DISCOVERIES,
    reason::Reason,
    value::{Availability, Hosts},
};
use failover_user::config::model::{Failback, Family, ServiceKind, Steer, Target};

use super::{
    Answer, Endpoint, Model, Stop,
    parse::{self, Glance, Parsed, Part, Quoted},
    rewrite::{Rewritten, Side, is_unfinished},
    route::{Way, route},
};
use crate::{fixture::Action, frame::Raw, network};

/// The TTL of a question that is no longer for its neighbourhood alone.
const FRESH: u8 = 64;
/// Bytes of UDP's header.
const UDP_LEN: usize = 8;

/// What a segment says.
pub(super) struct Said<'a> {
    /// Of TCP; else 0.
    pub(super) flags: u8,
    /// Of a datagram, what is in it.
    pub(super) message: &'a [u8],
}

/// What is wanted: another end.
pub(super) struct Wish {
    pub(super) target: usize,
    side: Side,
    pub(super) end: SocketAddr,
    /// Whether it is another end at all.
    pub(super) steer: Steer,
    /// The endpoint for which the way back is remembered.
    remember: Option<Endpoint>,
}

impl Model {
    pub(super) fn visit(&mut self, packet: &Raw) -> Result<Answer, Stop> {
        if let Some(glance) = parse::glance(&packet.bytes) {
            self.look(&glance)?;
        }
        let parsed = parse::parse(&packet.bytes)?;
        if parsed.to_group {
            return self.discover(packet, &parsed);
        }
        match parsed.part {
            Part::Later(id) => self.follow(packet, &parsed, id),
            _ if parsed.is_icmp() => self.translate(packet, &parsed),
            Part::Whole => self.segment(packet, &parsed).map(|(answer, _)| answer),
            Part::First(id) => {
                let done = self.segment(packet, &parsed);
                let rewritten =
                    done.as_ref().ok().filter(|(answer, _)| answer.reason != Reason::SenderTold).map(
                        |(_, wish)| (wish.target, wish.side == Side::Destination, wish.end.ip(), wish.steer),
                    );
                self.memory.first(&parsed, id, rewritten);
                done.map(|(answer, _)| answer)
            }
        }
    }

    /// What is for nobody, or for a primary that serves, passes at a glance; whose hosts those may be is told by a filter that
    /// may take others for them.
    fn look(&self, glance: &Glance) -> Result<(), Stop> {
        let (source, destination) = (glance.source, glance.destination);
        let (to, from) = self.signalling(glance.protocol, destination.port(), source.port())?;
        if !glance.unicast {
            return Ok(());
        }
        let from = from && may_be(source.ip(), &mut self.backups.keys());
        let to = to && may_be(destination.ip(), &mut self.services.keys());
        if !to && !from {
            return Err(Reason::NotOurs.into());
        }
        let at_home = |n: usize| (self.serving[n], self.keeper[n]) == (0, 0);
        let mut away = self.services.iter().filter(|(_, n)| !at_home(**n)).map(|(end, _)| end);
        if from || may_be(destination.ip(), &mut away) || !glance.proper {
            return Ok(());
        }
        let asked = (destination, glance.protocol);
        match self.services.get(&asked) {
            Some(&n) if !self.backups.contains_key(&asked) && at_home(n) => {
                Err(Stop { reason: Reason::PrimaryServes, target: Some(n) })
            }
            _ => Ok(()),
        }
    }

    fn segment(&mut self, packet: &Raw, parsed: &Parsed) -> Result<(Answer, Wish), Stop> {
        let (source, destination) = parse::ports(&packet.bytes, parsed)?;
        let said = if parsed.protocol == parse::TCP {
            Said { flags: packet.bytes[parsed.payload + 13], message: &[] }
        } else {
            Said { flags: 0, message: &packet.bytes[parsed.payload + UDP_LEN..parsed.end] }
        };
        let wish = self.classify(parsed.protocol, source, destination, &said)?;
        if wish.steer != Steer::Nat {
            return Ok((self.deliver(packet, parsed, &wish)?, wish));
        }
        if parsed.part == Part::Whole && is_unfinished(&packet.bytes, parsed) {
            return Err(Stop { reason: Reason::LeftToEgress, target: Some(wish.target) });
        }
        let way = way(packet, parsed, &wish)?;
        if wish.side == Side::Destination {
            let protocol = parsed.protocol;
            self.note_call(wish.target, (destination, protocol), (wish.end, protocol), said.message);
        }
        if let Some(endpoint) = wish.remember {
            self.memory.remember(source, endpoint, wish.target, destination);
        }
        let mut new = Rewritten::new(&packet.bytes);
        new.address(parsed.ip, wish.side, wish.end.ip());
        new.port(parsed.payload, wish.side, wish.end.port());
        let v4 = parsed.source.is_ipv4();
        new.segment_sum(parsed.ip, parsed.payload, parsed.end, parsed.protocol, v4);
        new.hop(parsed, way);
        let reason = reason(wish.side, way);
        Ok((self.answer(new, reason, wish.target, way), wish))
    }

    /// A phone asks for any gatekeeper.
    fn discover(&mut self, packet: &Raw, parsed: &Parsed) -> Result<Answer, Stop> {
        let asked = SocketAddr::V4(network::DISCOVERY);
        let whole_udp = parsed.part == Part::Whole && parsed.protocol == parse::UDP;
        if parsed.destination != asked.ip() || !whole_udp {
            return Err(Reason::LinkBroadcast.into());
        }
        let (source, destination) = parse::ports(&packet.bytes, parsed)?;
        if destination != asked {
            return Err(Reason::LinkBroadcast.into());
        }
        let gatekeepers = self.gatekeepers();
        let unserved = |n: usize| !matches!(self.serving[n], 0 | Availability::NOBODY);
        let Some((n, origin)) = gatekeepers.iter().copied().find(|(n, _)| unserved(*n)) else {
            let first = gatekeepers.first().ok_or(Reason::LinkBroadcast)?;
            return Err(Stop { reason: Reason::PrimaryServes, target: Some(first.0) });
        };
        let (end, shared) = self.server(
            n,
            (origin, parse::UDP),
            source,
            source.ip(),
            Some(&Said { flags: 0, message: &[] }),
        )?;
        let steer = self.targets[n].steer;
        if steer != Steer::Nat {
            return Err(Stop { reason: Reason::NotRedirectable, target: Some(n) });
        }
        if is_unfinished(&packet.bytes, parsed) {
            return Err(Stop { reason: Reason::LeftToEgress, target: Some(n) });
        }
        let parsed = Parsed { hops: FRESH, ..parsed.clone() };
        let wish = Wish { target: n, side: Side::Destination, end, remember: None, steer };
        let way = way(packet, &parsed, &wish)?;
        if shared {
            self.memory.remember(source, (end, parse::UDP), n, origin);
        }
        let mut new = Rewritten::new(&packet.bytes);
        new.freshen(parsed.ip, FRESH, network::router_mac(packet.ingress));
        new.address(parsed.ip, wish.side, end.ip());
        new.port(parsed.payload, wish.side, end.port());
        new.segment_sum(parsed.ip, parsed.payload, parsed.end, parsed.protocol, true);
        new.hop(&parsed, way);
        Ok(self.answer(new, reason(wish.side, way), n, way))
    }

    /// The targets that have RAS over IPv4, and where, as many as are found by a question to all.
    fn gatekeepers(&self) -> Vec<(usize, SocketAddr)> {
        let ras = |(n, target): (usize, &Target)| {
            let service = target.services.iter().find(|service| service.kind == ServiceKind::Ras)?;
            Some((n, SocketAddr::new(target.addresses.of(Family::V4)?, service.port)))
        };
        self.targets.iter().enumerate().filter_map(ras).take(MOST_DISCOVERIES as usize).collect()
    }

    fn follow(&mut self, packet: &Raw, parsed: &Parsed, id: u32) -> Result<Answer, Stop> {
        let first = self.memory.follow(parsed, id)?;
        let side = if first.towards { Side::Destination } else { Side::Source };
        let end = SocketAddr::new(first.address, 0);
        let wish = Wish { target: first.target, side, end, remember: None, steer: first.steer };
        if wish.steer != Steer::Nat {
            return self.deliver(packet, parsed, &wish);
        }
        let way = way(packet, parsed, &wish)?;
        let mut new = Rewritten::new(&packet.bytes);
        new.address(parsed.ip, side, first.address);
        new.hop(parsed, way);
        Ok(self.answer(new, reason(side, way), first.target, way))
    }

    fn translate(&mut self, packet: &Raw, parsed: &Parsed) -> Result<Answer, Stop> {
        let quoted = parse::quoted(&packet.bytes, parsed)?;
        let wish = self.turn_back(parsed, &quoted)?;
        if wish.steer != Steer::Nat {
            return self.deliver(packet, parsed, &wish);
        }
        let way = way(packet, parsed, &wish)?;
        let mut new = Rewritten::new(&packet.bytes);
        // A router on the way back to the client speaks for itself.
        if wish.side == Side::Destination || parsed.source == quoted.destination.ip() {
            new.address(parsed.ip, wish.side, wish.end.ip());
        }
        new.address(quoted.ip, wish.side.other(), wish.end.ip());
        new.port(quoted.l4, wish.side.other(), wish.end.port());
        new.quoted_sum(&quoted, parsed.end);
        new.icmp_sum(parsed);
        new.hop(parsed, way);
        Ok(self.answer(new, Reason::IcmpTranslated, wish.target, way))
    }

    pub(super) fn answer(&self, new: Rewritten<'_>, reason: Reason, target: usize, way: Way) -> Answer {
        let action = if way == Way::Kernel { Action::Pass } else { Action::Redirect };
        Answer { action, reason, target: Some(self.name(target)), bytes: new.bytes, loose: new.loose }
    }

    fn signalling(&self, protocol: u8, a: u16, b: u16) -> Result<(bool, bool), Reason> {
        let is = |port| self.ports.contains(&(port, protocol));
        if is(a) || is(b) { Ok((is(a), is(b))) } else { Err(Reason::NotSignalling) }
    }

    fn classify(
        &mut self,
        protocol: u8,
        source: SocketAddr,
        destination: SocketAddr,
        said: &Said<'_>,
    ) -> Result<Wish, Stop> {
        let (_, from) = self.signalling(protocol, destination.port(), source.port())?;
        let mut stop = Stop::from(Reason::NotOurs);
        if let Some(&target) = self.services.get(&(destination, protocol)) {
            let asked = (destination, protocol);
            match self.server(target, asked, source, source.ip(), Some(said)) {
                Ok((end, shared)) => {
                    let drains = self.targets[target].failback == Failback::Drain || self.keeper[target] != 0;
                    let pinned = drains && protocol == parse::TCP;
                    let steer = self.targets[target].steer;
                    let remembered = steer == Steer::Nat && (shared || pinned);
                    let remember = remembered.then_some((end, protocol));
                    return Ok(Wish { target, side: Side::Destination, end, remember, steer });
                }
                Err(passed) if passed.reason == Reason::PrimaryServes => {
                    if self.backups.contains_key(&asked) {
                        self.memory.remember(source, asked, target, destination);
                    }
                    if !from {
                        return Err(passed);
                    }
                    // A target may be another one's client.
                    stop = passed;
                }
                Err(other) => return Err(other),
            }
        }
        let backup = (source, protocol);
        let Some(dedicated) = self.backups.get(&backup).copied() else { return Err(stop) };
        let wish = self.backup_says(backup, dedicated, (destination, protocol), destination.ip(), true)?;
        self.note_call_of(wish.target, backup, said.message);
        Ok(wish)
    }

    /// Where a packet of `client` goes that `source` sends to the service, and whether that is a shared backup; `said` is
    /// the segment, if it is one.
    fn server(
        &self,
        target: usize,
        asked: Endpoint,
        client: SocketAddr,
        source: IpAddr,
        said: Option<&Said<'_>>,
    ) -> Result<(SocketAddr, bool), Stop> {
        let about = |reason| Stop { reason, target: Some(target) };
        let serving = match self.serving(target, asked, client, said) {
            0 => return Err(about(Reason::PrimaryServes)),
            Availability::NOBODY => return Err(about(Reason::NobodyServes)),
            serving => serving,
        };
        if self.is_own_host(target, source) {
            return Err(about(Reason::BetweenServers));
        }
        let (end, _) = self.endpoint(target, asked, serving).ok_or(about(Reason::NoEndpoint))?;
        Ok((end, !self.targets[target].backups[usize::from(serving) - 1].dedicated))
    }

    /// What `backup` says to `client`, as a segment or in a quote.
    fn backup_says(
        &self,
        backup: Endpoint,
        dedicated: Option<(usize, SocketAddr)>,
        client: Endpoint,
        receiver: IpAddr,
        by_host: bool,
    ) -> Result<Wish, Stop> {
        if self.probes.contains(&client) {
            return Err(Reason::OwnProbe.into());
        }
        let (target, end) = match dedicated {
            Some(origin) => origin,
            None => self.memory.recall(client.0, backup, by_host || self.keeps_hosts_alone(backup))?,
        };
        let about = |reason| Stop { reason, target: Some(target) };
        if self.is_own_host(target, receiver) {
            return Err(about(Reason::BetweenServers));
        }
        if end.ip() == backup.0.ip() {
            return Err(about(Reason::OwnService));
        }
        Ok(Wish { target, side: Side::Source, end, remember: None, steer: Steer::Nat })
    }

    /// Whoever is told of an error sent the packet, or the program did in its name.
    fn turn_back(&self, parsed: &Parsed, quoted: &Quoted) -> Result<Wish, Stop> {
        let (source, destination) = ((quoted.source, quoted.protocol), (quoted.destination, quoted.protocol));
        self.signalling(quoted.protocol, quoted.destination.port(), quoted.source.port())?;
        if parsed.destination != quoted.source.ip() {
            return Err(Reason::NotOurs.into());
        }
        let mut stop = Stop::from(Reason::NotOurs);
        if let Some(&target) = self.services.get(&source) {
            if self.probes.contains(&destination) {
                return Err(Reason::OwnProbe.into());
            }
            match self.server(target, source, quoted.destination, parsed.source, None) {
                Ok((end, _)) => {
                    let steer = self.targets[target].steer;
                    return Ok(Wish { target, side: Side::Destination, end, remember: None, steer });
                }
                // A target may be another one's client.
                Err(waits) if waits.reason == Reason::PrimaryServes => stop = waits,
                Err(other) => return Err(other),
            }
        }
        let Some(dedicated) = self.backups.get(&destination).copied() else { return Err(stop) };
        self.backup_says(destination, dedicated, source, parsed.destination, false)
    }
}

/// Whether a filter takes it for one of these.
fn may_be(host: IpAddr, of: &mut dyn Iterator<Item = &Endpoint>) -> bool {
    of.fold(Hosts::default(), |hosts, end| hosts.and(in_words(end.0.ip()))).may_hold(in_words(host))
}

/// An address as maps have it, in words of memory.
fn in_words(address: IpAddr) -> [u32; 4] {
    let six = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let words = six.octets();
    std::array::from_fn(|n| u32::from_ne_bytes(words[4 * n..4 * n + 4].try_into().expect("four bytes")))
}

fn way(packet: &Raw, parsed: &Parsed, wish: &Wish) -> Result<Way, Stop> {
    let destination = if wish.side == Side::Destination { wish.end.ip() } else { parsed.destination };
    route(parsed, packet.ingress, destination, wish.side == Side::Source)
        .map_err(|reason| Stop { reason, target: Some(wish.target) })
}

fn reason(side: Side, way: Way) -> Reason {
    match (side, way) {
        (Side::Destination, Way::Redirect { .. }) => Reason::Steered,
        (Side::Destination, Way::Kernel) => Reason::SteeredByKernel,
        (Side::Source, Way::Redirect { .. }) => Reason::Returned,
        (Side::Source, Way::Kernel) => Reason::ReturnedByKernel,
    }
}
