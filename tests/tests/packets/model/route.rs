//! Where a packet leaves.

use std::net::IpAddr;

use failover_common::reason::Reason;

use super::parse::Parsed;
use crate::network::{self, Hop};

/// Bytes in the first buffer of a frame in a test run: a page without its head room and the kernel's own notes.
const FIRST_BUFFER: usize = 4096 - 256 - 320;

/// By whom a rewritten packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the program: the next hop's MAC address, and the device's.
    Redirect { to: [u8; 6], from: [u8; 6] },
    /// By the kernel.
    Kernel,
}

/// The way to `destination` of a packet that came in by `ingress`, `back` from a backup or towards one.
pub fn route(parsed: &Parsed, ingress: u8, destination: IpAddr, back: bool) -> Result<Way, Reason> {
    if parsed.hops <= 1 {
        return Err(Reason::TtlExpired);
    }
    if !network::forwards(ingress, destination) || !is_forwarded(parsed.source) {
        return Err(Reason::NoRoute);
    }
    let (egress, mac) = match network::hop(destination) {
        Hop::Forbidden => return Err(Reason::NoRoute),
        Hop::Unknown => return Ok(Way::Kernel),
        Hop::Link { subnet, mac } => (subnet, mac),
    };
    if parsed.total() > network::mtu(egress) {
        return if back && !parsed.may_be_cut { Err(Reason::TooBig) } else { Ok(Way::Kernel) };
    }
    let retagged = parsed.tagged && egress != ingress;
    Ok(match mac {
        Some(to) if !retagged && !parsed.hop_by_hop && takes(parsed, egress) => {
            Way::Redirect { to, from: network::router_mac(egress) }
        }
        _ => Way::Kernel,
    })
}

/// Whether the device of `egress` takes the frame when it is redirected.
pub fn takes(parsed: &Parsed, egress: u8) -> bool {
    if parsed.end > FIRST_BUFFER {
        network::scatterable().any(|subnet| subnet == egress)
    } else {
        network::redirectable().any(|subnet| subnet == egress)
    }
}

/// RFC 1812 §5.3.7; RFC 4291 §2.5.2, §2.5.3, §2.5.6, §2.7.
pub fn is_forwarded(source: IpAddr) -> bool {
    match source {
        IpAddr::V4(v4) => v4.octets()[0] != 0 && !v4.is_loopback() && v4.octets()[0] < 224,
        IpAddr::V6(v6) => {
            let kept = v6.is_unspecified() || v6.is_loopback() || v6.is_multicast();
            !kept && !v6.is_unicast_link_local()
        }
    }
}
