//! `l2` and `ipip` steering: the backup carries the target's address itself, so nothing is rewritten, and nothing that it
//! answers needs us. Under `l2` the packet goes to the backup's MAC address, under `ipip` in an envelope:
//!
//! ```text
//!  l2    [MAC of the backup] phone → target
//!  ipip  [MAC of the next hop] router → backup [phone → target]        IPv4 in IPv4, IPv6 in IPv6, IPv4 in IPv6
//! ```
//!
//! The kernel cannot forward in our place: the one it would route to the primary, and of the other, which seems to come
//! from its own address, it would not believe that it came in from outside. So what cannot be redirected passes, counted.
//!
//! The envelope's source is the router's own address on that way: reverse-path filters let it through, ICMP errors about
//! it come home, and the far side can tell it from a stranger's. An outer IPv6 header has a flow label for each flow
//! (RFC 6438), by which networks and receivers spread them; IPv4 has no place for one. There, the operator may give the
//! router a prefix, of which each flow has an address as its source ([`Sources`]).

use core::ptr;

use aya_ebpf::{
    bindings::xdp_md,
    programs::{TcContext, XdpContext},
};
use failover_common::{
    checksum::{Difference, fold},
    entropy::{self, Sources},
    key,
    reason::Reason,
    value::Server,
};

use crate::{
    forward::{self, Hop, Question},
    found::Found,
    fragment, hook,
    hop::NextHop,
    maps, observe,
    packet::{OutOfBounds, Packet},
    parse::{
        Family, eth,
        ip::{Address, Fragment, Ip},
        ipv4, ipv6,
    },
    plan::{End, Wish},
    record,
    rewrite::halves,
    tell, trace,
};

/// Of every packet that this program makes (RFC 1812 §5.3.1).
pub const TTL: u8 = 64;
const DONT_FRAGMENT: u16 = 0x4000;
/// The upper bits of a TOS: what is copied. ECN is not, because not every far side puts it together again (RFC 6040
/// §4.3).
const DSCP: u8 = 0xfc;

/// Set by the loader, before the verifier looks at it.
#[unsafe(no_mangle)]
static ENVELOPE_SOURCES: Sources = Sources::ROUTER;

/// Delivers the packet whose visit came to [`End::DELIVER`].
#[inline(always)]
pub fn deliver(packet: &mut Packet) -> End {
    let end = End::from_bits(xdp_deliver(packet.context().cast()));
    // Said here, where the stage has given its stack back.
    if end.reason() == Reason::TooBig as u32 { tell::too_big(packet) } else { end }
}

/// As [`deliver`], and one of those that the verifier goes through by themselves ([`crate::apart`]).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xdp_deliver(ctx: *mut xdp_md) -> u64 {
    announced(&mut Packet::new(&XdpContext::new(ctx))).bits()
}

#[inline(always)]
fn announced(packet: &mut Packet) -> End {
    let Ok(found) = Found::here() else { return Reason::NotOurs.into() };
    // SAFETY: the visit has parsed one, and a stage of it has kept the other, or it would not have ended so.
    let (ip, wish) = unsafe { (found.ip(), found.wish()) };
    let ports = ports(packet, ip);
    let end = End::of(send(packet, ip, wish, ports));
    let steered = end.reason() == Reason::Steered as u32;
    match ip.fragment {
        Fragment::First(identification) if !steered => {
            fragment::passes::<XdpContext>(found, ip, identification, end);
        }
        Fragment::Whole | Fragment::First(_) if steered && is_segment(ip.protocol) => {
            record::announce(ip, u16::from_be(ports[0]), wish.target, wish.generation);
        }
        _ => {}
    }
    end
}

/// In place of [`deliver`] where a packet leaves: there, the kernel has chosen the device, and asks for the target's
/// neighbour.
#[inline(always)]
pub fn give_up(_: &mut Packet<TcContext>) -> End {
    let Ok(found) = Found::here() else { return Reason::NotOurs.into() };
    // SAFETY: as in `deliver`.
    let (ip, wish) = unsafe { (found.ip(), found.wish()) };
    let stop = End::pass(Reason::NotRedirectable, wish.target);
    if let Fragment::First(identification) = ip.fragment {
        fragment::passes::<TcContext>(found, ip, identification, stop);
    }
    stop
}

/// UDP or TCP.
#[inline(always)]
const fn is_segment(protocol: u8) -> bool {
    protocol == key::UDP || protocol == key::TCP
}

/// As they stand in memory; of a later fragment or an ICMP message, any bytes.
#[inline(always)]
fn ports(packet: &Packet, ip: &Ip) -> [u16; 2] {
    packet.read::<[u16; 2]>(ip.payload).unwrap_or_default()
}

#[inline(always)]
fn send(packet: &mut Packet, ip: &'static Ip, wish: &'static Wish, ports: [u16; 2]) -> Result<End, End> {
    let pass = |reason| End::pass(reason, wish.target);
    trace::unrewritten(wish);
    if ip.hop_limit <= 1 {
        return Err(pass(Reason::TtlExpired));
    }
    if !forward::leaves_its_link(ip.family, ip.source) {
        return Err(pass(Reason::NoRoute));
    }
    if hook::kernel_forwards() {
        return Err(pass(Reason::NotRedirectable));
    }
    let (to, l2, envelope) = (wish.change.address, is_l2(wish), envelope(wish));
    let question = Question {
        from: if l2 { Some(ip.source) } else { source(ip, ports, to.is_v4()) },
        to,
        flow: if l2 { ip.flow } else { flow(ip, ports, to.is_v4()) },
        protocol: if l2 { ip.protocol } else { inside(ip.family) },
        // The length of an IP packet has 16 bits.
        total_len: (ip.total_len + envelope).min(usize::from(u16::MAX)),
    };
    let hop = match forward::find(packet, ip, &question) {
        Hop::Nowhere => return Err(pass(Reason::NoRoute)),
        Hop::TooNarrow => return Err(pass(Reason::TooBig)),
        Hop::Redirect(hop) if l2 && !hop.is_on_link() => return Err(pass(Reason::NotOnLink)),
        Hop::Redirect(hop) => hop,
        Hop::Kernel if l2 && !maps::fib().is_some_and(|fib| forward::on_link(fib, to)) => {
            return Err(pass(Reason::NotOnLink));
        }
        Hop::Kernel => return Err(pass(Reason::NotRedirectable)),
    };
    observe::before(packet, wish.target, || hop.egress);
    let written = if l2 {
        addresses(packet, hop).and_then(|()| hop_further(packet, ip, ip.offset))
    } else {
        packet.grow(envelope).map_err(|OutOfBounds| pass(Reason::NotRedirectable))?;
        wrap(packet, ip, &question, envelope, hop)
    };
    written.map_err(|OutOfBounds| End::drop(Reason::HalfWritten, wish.target))?;
    Ok(End::redirect(Reason::Steered, wish.target))
}

#[inline(always)]
const fn is_l2(wish: &Wish) -> bool {
    wish.steer == Server::L2 as u32
}

/// Bytes that are added for what is wanted.
#[inline(always)]
pub const fn envelope(wish: &Wish) -> usize {
    match (is_l2(wish), wish.change.address.is_v4()) {
        (true, _) => 0,
        (_, true) => ipv4::LEN,
        (_, false) => ipv6::LEN,
    }
}

/// The number of a packet inside of another one.
#[inline(always)]
const fn inside(family: Family) -> u8 {
    match family {
        Family::V4 => key::IPIP,
        Family::V6 => key::IPV6,
    }
}

/// The envelope's TOS, or the first word of its IPv6 header, in network order.
#[inline(always)]
fn flow(ip: &Ip, ports: [u16; 2], v4: bool) -> u32 {
    let [a, b, ..] = ip.flow.to_ne_bytes();
    let class = DSCP & if let Family::V4 = ip.family { a } else { a << 4 | b >> 4 };
    if v4 {
        return u32::from(class);
    }
    let [_, high, middle, low] = label(ip, ports).to_be_bytes();
    u32::from_ne_bytes([0x60 | class >> 4, class << 4 | high, middle, low])
}

/// Where an envelope of the flow comes from; `None`: from the router's own address on its way.
#[inline(always)]
fn source(ip: &Ip, ports: [u16; 2], v4: bool) -> Option<Address> {
    // SAFETY: a live static; the load is volatile because it is the loader that gives it its value.
    let sources = unsafe { ptr::read_volatile(&raw const ENVELOPE_SOURCES) };
    if sources.hosts == 0 || !v4 {
        return None;
    }
    Some(Address::v4(sources.of(label(ip, ports))))
}

/// The flow's label. All fragments of a datagram have one, so none of them has ports in it.
#[inline(always)]
fn label(ip: &Ip, ports: [u16; 2]) -> u32 {
    let ports = if let Fragment::Whole = ip.fragment { ports } else { [0; 2] };
    let ports = u32::from(ports[0]) << 16 | u32::from(ports[1]);
    let [a, b, c, d] = ip.source.0;
    entropy::flow_label(&[a ^ b, c, d, ip.destination.0[3], ports, u32::from(ip.protocol)])
}

/// Writes everything before the inner packet, which has `envelope` bytes before it by now, and its TTL.
#[inline(always)]
fn wrap(
    packet: &mut Packet,
    ip: &Ip,
    question: &Question,
    envelope: usize,
    hop: &NextHop,
) -> Result<(), OutOfBounds> {
    hop_further(packet, ip, ip.offset + envelope)?;
    let family = if question.to.is_v4() { Family::V4 } else { Family::V6 };
    link_layer(packet, ip.offset, envelope, family)?;
    addresses(packet, hop)?;
    let header = Header {
        flow: question.flow,
        length: question.total_len,
        protocol: question.protocol,
        source: question.from.map_or(hop.source, as_header),
        destination: as_header(question.to),
    };
    header.write(packet, ip.offset, family)
}

/// An IP header of this program's own.
pub struct Header {
    /// TOS, or the first word of an IPv6 header.
    pub flow: u32,
    /// From this header on.
    pub length: usize,
    /// Of what it carries.
    pub protocol: u8,
    /// As the FIB takes it: IPv4 in the first word.
    pub source: [u32; 4],
    /// The same.
    pub destination: [u32; 4],
}

impl Header {
    /// Writes it at `at`.
    #[inline(always)]
    pub fn write(&self, packet: &mut Packet, at: usize, family: Family) -> Result<(), OutOfBounds> {
        match family {
            Family::V4 => packet.write(at, self.v4()),
            Family::V6 => {
                let length = (self.length - ipv6::LEN) as u16;
                let [a, b] = halves(self.flow);
                packet.write(at, [a, b, length.to_be(), u16::from_ne_bytes([self.protocol, TTL])])?;
                packet.write(at + ipv6::SOURCE, self.source.map(halves))?;
                packet.write(at + ipv6::DESTINATION, self.destination.map(halves))
            }
        }
    }

    #[inline(always)]
    fn v4(&self) -> [u16; 10] {
        let ([a, b], [c, d]) = (halves(self.source[0]), halves(self.destination[0]));
        let first = u16::from_ne_bytes([0x45, self.flow as u8]);
        let (length, flags) = ((self.length as u16).to_be(), DONT_FRAGMENT.to_be());
        let fifth = u16::from_ne_bytes([TTL, self.protocol]);
        // One that no router cuts needs no identification (RFC 6864).
        let words = [first, length, flags, fifth, a, b, c, d];
        let mut sum = 0;
        for word in words {
            sum += u64::from(word);
        }
        [first, length, 0, flags, fifth, !fold(sum), a, b, c, d]
    }
}

/// Moves the tags of the link layer, which ends at `end`, `grown` bytes to the front, before a packet of `family`. Its
/// addresses are still to be written.
#[inline(always)]
pub fn link_layer(packet: &mut Packet, end: usize, grown: usize, family: Family) -> Result<(), OutOfBounds> {
    const FIRST: usize = eth::ETHERTYPE;
    const SECOND: usize = FIRST + eth::TAG_LEN;
    const THIRD: usize = SECOND + eth::TAG_LEN;
    let ethertype = if let Family::V4 = family { eth::IPV4 } else { eth::IPV6 }.to_be();
    // Places that the compiler knows: Linux 6.18 has another "offset is outside of the packet".
    if end < SECOND + 2 {
        return packet.write(FIRST, [ethertype]);
    }
    let tag: [u16; 2] = packet.read(grown + FIRST)?;
    packet.write(FIRST, tag)?;
    if end < THIRD + 2 {
        return packet.write(SECOND, [ethertype]);
    }
    let tag: [u16; 2] = packet.read(grown + SECOND)?;
    packet.write(SECOND, tag)?;
    packet.write(THIRD, [ethertype])
}

/// The MAC addresses of the way to the next hop.
#[inline(always)]
pub fn addresses(packet: &mut Packet, hop: &NextHop) -> Result<(), OutOfBounds> {
    packet.write(eth::DESTINATION, hop.destination_mac)?;
    packet.write(eth::SOURCE, hop.source_mac)
}

/// One hop further, of the packet whose header is at `at` by now.
#[inline(always)]
fn hop_further(packet: &mut Packet, ip: &Ip, at: usize) -> Result<(), OutOfBounds> {
    // From its start on: else Linux 6.18 sees that a field is in the frame, and of the next one, "min value is negative".
    packet.read::<[u8; 2]>(at)?;
    if let Family::V6 = ip.family {
        let [next, _]: [u8; 2] = packet.read(at + ipv6::NEXT_HEADER)?;
        return packet.write(at + ipv6::NEXT_HEADER, [next, ip.hop_limit - 1]);
    }
    let (old, new) = ([ip.hop_limit, ip.protocol], [ip.hop_limit - 1, ip.protocol]);
    packet.write(at + ipv4::TTL, new)?;
    let [sum] = packet.read::<[u16; 1]>(at + ipv4::CHECKSUM)?;
    let aged = Difference::none().word(u16::from_ne_bytes(old), u16::from_ne_bytes(new));
    packet.write(at + ipv4::CHECKSUM, [aged.apply(sum)])
}

/// An address as the FIB takes it, and [`Header`].
#[inline(always)]
pub fn as_header(address: Address) -> [u32; 4] {
    let [.., word] = address.0;
    if address.is_v4() { [word, 0, 0, 0] } else { address.0 }
}
