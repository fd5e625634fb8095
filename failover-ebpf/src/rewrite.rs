//! The writes. Addresses and ports never change without their checksums: the difference is gathered first, and the
//! sums of both layers are patched with it (RFC 1624).

use failover_common::{checksum::Difference, key};

use crate::{
    packet::{OutOfBounds, Packet},
    parse::{eth, ip, l4},
    plan::{Plan, Route, Side},
};

/// Carries out `plan`. An error after the first write means that the packet must not leave.
#[inline(always)]
pub fn apply(packet: &mut Packet, plan: &Plan) -> Result<(), OutOfBounds> {
    let (address, port) = match plan.change.side {
        Side::Destination => (ip::DESTINATION, l4::DESTINATION),
        Side::Source => (ip::SOURCE, l4::SOURCE),
    };
    let old_address = match plan.change.side {
        Side::Destination => plan.ip.destination,
        Side::Source => plan.ip.source,
    };
    let old_port = match plan.change.side {
        Side::Destination => plan.l4.destination,
        Side::Source => plan.l4.source,
    };
    let addresses = Difference::none().address(old_address, plan.change.address);
    let ports = addresses.word(old_port, u16::from_be_bytes(plan.change.port));

    packet.write(plan.ip.offset + address, plan.change.address)?;
    packet.write(plan.l4.offset + port, plan.change.port)?;
    patch(packet, plan.l4.checksum, |sum| {
        if plan.ip.protocol == key::UDP { ports.apply_udp(sum) } else { ports.apply(sum) }
    })?;
    let Route::Redirect { source, destination, .. } = plan.route else {
        // The kernel takes one off the TTL when it forwards.
        return patch(packet, plan.ip.offset + ip::CHECKSUM, |sum| addresses.apply(sum));
    };
    let (old, new) = ([plan.ip.ttl, plan.ip.protocol], [plan.ip.ttl - 1, plan.ip.protocol]);
    packet.write(plan.ip.offset + ip::TTL, new)?;
    let header = addresses.word(u16::from_be_bytes(old), u16::from_be_bytes(new));
    patch(packet, plan.ip.offset + ip::CHECKSUM, |sum| header.apply(sum))?;
    packet.write(eth::DESTINATION, destination)?;
    packet.write(eth::SOURCE, source)
}

#[inline(always)]
fn patch(packet: &mut Packet, at: usize, change: impl FnOnce(u16) -> u16) -> Result<(), OutOfBounds> {
    let sum = u16::from_be_bytes(packet.read(at)?);
    packet.write(at, change(sum).to_be_bytes())
}
