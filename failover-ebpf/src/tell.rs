//! The ICMP error about a packet that is too large for its way to a backup, made of that very packet.
//!
//! Under `l2` and `ipip` the kernel cannot tell the sender, because it knows the way to the primary, and no envelope.
//! It is told also of an IPv4 packet that allows to be cut: nobody on this way could, and most senders then cut it
//! themselves (RFC 1191 §3 keeps nobody from listening). The error comes from the address that was asked, as the answers
//! do, so that it goes wherever they go.

use aya_ebpf::{bindings::xdp_md, programs::XdpContext};
use failover_common::{checksum::fold, key, reason::Reason};

use crate::{
    encap::{Header, addresses, as_header, envelope, link_layer},
    forward::{self, Hop, Question},
    found::Found,
    hop::NextHop,
    maps, observe,
    packet::{OutOfBounds, Packet},
    parse::{
        Family, eth, icmp,
        ip::{Fragment, Ip},
        ipv4, ipv6,
    },
    plan::End,
};

/// What is quoted of the packet: RFC 1812 §4.3.2.3 has 576 bytes in all, RFC 4443 §2.4 the least MTU of IPv6.
const QUOTED_V4: usize = 576 - ipv4::LEN - ICMP_LEN;
const QUOTED_V6: usize = LEAST_MTU_V6 - ipv6::LEN - ICMP_LEN;
const LEAST_MTU_V4: usize = 68;
const LEAST_MTU_V6: usize = 1280;
const ICMP_LEN: usize = 8;
/// The TOS of what keeps the network together (RFC 1812 §4.3.2.5).
const INTERNETWORK_CONTROL: u32 = 0xc0;
/// The helper sums this many bytes at a time.
const CHUNK: usize = 512;

/// Turns the packet, which the FIB has just found too large by the envelope that it would have got, into the error.
#[inline(always)]
pub fn too_big(packet: &mut Packet) -> End {
    End::from_bits(xdp_too_big(packet.context().cast()))
}

/// As [`too_big`], and one of those that the verifier goes through by themselves ([`crate::apart`]).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xdp_too_big(ctx: *mut xdp_md) -> u64 {
    tell(&mut Packet::new(&XdpContext::new(ctx))).bits()
}

#[inline(always)]
fn tell(packet: &mut Packet) -> End {
    let Ok(found) = Found::here() else { return Reason::NotOurs.into() };
    // SAFETY: a packet that is delivered has both.
    let (ip, wish) = unsafe { (found.ip(), found.wish()) };
    match answer(packet, ip, wish.target, envelope(wish)) {
        Ok(true) => End::redirect(Reason::SenderTold, wish.target),
        Ok(false) => End::pass(Reason::SenderTold, wish.target),
        Err(Reason::HalfWritten) => End::drop(Reason::HalfWritten, wish.target),
        Err(reason) => End::pass(reason, wish.target),
    }
}

/// Whether it can be redirected; else the kernel routes it.
#[inline(always)]
fn answer(packet: &mut Packet, ip: &'static Ip, target: u32, envelope: usize) -> Result<bool, Reason> {
    // RFC 1122 §3.2.2, RFC 4443 §2.4: never about an error, nor a later fragment.
    let error = ip.protocol == key::ICMP || ip.protocol == key::ICMPV6;
    if error || matches!(ip.fragment, Fragment::Following(_)) {
        return Err(Reason::TooBig);
    }
    let carries = usize::from(maps::fib().ok_or(Reason::TooBig)?.mtu());
    let mtu = carries.saturating_sub(envelope);
    let (least, quoted, header) = match ip.family {
        Family::V4 => (LEAST_MTU_V4, QUOTED_V4, ipv4::LEN),
        Family::V6 => (LEAST_MTU_V6, QUOTED_V6, ipv6::LEN),
    };
    if mtu < least || ip.total_len < quoted {
        return Err(Reason::TooBig);
    }
    let (flow, protocol) = match ip.family {
        Family::V4 => (INTERNETWORK_CONTROL, key::ICMP),
        Family::V6 => (u32::from_ne_bytes([0x60, 0, 0, 0]), key::ICMPV6),
    };
    let (from, to, total_len) = (ip.destination, ip.source, header + ICMP_LEN + quoted);
    let question = Question { from: Some(from), to, flow, protocol, total_len };
    let hop = match forward::find(packet, ip, &question) {
        Hop::Redirect(hop) => Some(hop),
        Hop::Kernel => None,
        Hop::TooNarrow | Hop::Nowhere => return Err(Reason::TooBig),
    };
    observe::before(packet, target, || hop.map_or(0, |hop| hop.egress));
    packet.grow(header + ICMP_LEN).map_err(|OutOfBounds| Reason::TooBig)?;
    write(packet, ip, &question, mtu as u16, hop).map_err(|OutOfBounds| Reason::HalfWritten)?;
    Ok(hop.is_some())
}

#[inline(always)]
fn write(
    packet: &mut Packet,
    ip: &Ip,
    question: &Question,
    mtu: u16,
    hop: Option<&NextHop>,
) -> Result<(), OutOfBounds> {
    packet.truncate(ip.offset + question.total_len)?;
    let header = if let Family::V4 = ip.family { ipv4::LEN } else { ipv6::LEN };
    link_layer(packet, ip.offset, header + ICMP_LEN, ip.family)?;
    if let Some(hop) = hop {
        addresses(packet, hop)?;
    } else {
        for at in [eth::DESTINATION, eth::SOURCE] {
            let mac: [u16; 3] = packet.read(at + header + ICMP_LEN)?;
            packet.write(at, mac)?;
        }
    }
    let (source, destination) = (as_header(ip.destination), as_header(ip.source));
    let (flow, length, protocol) = (question.flow, question.total_len, question.protocol);
    Header { flow, length, protocol, source, destination }.write(packet, ip.offset, ip.family)?;
    let at = ip.offset + header;
    let quote = at + ICMP_LEN;
    // Type and code, and what is summed beside the message itself.
    let (kind, mut sum) = match ip.family {
        Family::V4 => ([3, 4], rest::<{ QUOTED_V4 - CHUNK }>(packet, quote + CHUNK)?),
        Family::V6 => {
            let rest = rest::<{ QUOTED_V6 - 2 * CHUNK }>(packet, quote + 2 * CHUNK)?;
            let second = u64::from(packet.sum::<CHUNK>(quote + CHUNK)?);
            let length = ((ICMP_LEN + QUOTED_V6) as u32).to_be();
            let mut pseudo = u64::from(length) + u64::from(u32::from(protocol).to_be());
            for word in 0..4 {
                pseudo += u64::from(source[word]) + u64::from(destination[word]);
            }
            ([2, 0], rest + second + pseudo)
        }
    };
    let kind = u16::from_ne_bytes(kind);
    sum += u64::from(packet.sum::<CHUNK>(quote)?) + u64::from(kind) + u64::from(mtu.to_be());
    packet.write(at, [kind, 0, 0, mtu.to_be()])?;
    packet.write(at + icmp::CHECKSUM, [!fold(sum)])
}

#[inline(always)]
fn rest<const N: usize>(packet: &Packet, at: usize) -> Result<u64, OutOfBounds> {
    packet.sum::<N>(at).map(u64::from)
}
