//! ICMP errors, and what they quote.
//!
//! Anybody can send an ICMP error that names two addresses and ports. One that also quotes the random token of a question
//! which was just sent comes from somebody who saw that: the server's own host, or a router on the way. The kernel keeps the
//! quotes in the socket's error queue (ip(7), IP_RECVERR), where they cost nothing until they are read.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd as _,
};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
    sockopt::{Ipv4RecvErr, Ipv6RecvErr},
};
use tokio::net::UdpSocket;

/// Errors that are looked at, at a time: a flood of forged ones is left for the next probes.
const AT_A_TIME: usize = 64;
/// The most of a quote that is read. A token stands within the first hundred bytes.
const QUOTE: usize = 576;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` of linux/errqueue.h.
const ICMP: u8 = 2;
const ICMP6: u8 = 3;

/// Has the kernel keep them, for a socket that will ask `server`.
pub(super) fn keep_quotes(socket: &UdpSocket, server: SocketAddr) -> io::Result<()> {
    match server {
        SocketAddr::V4(_) => setsockopt(socket, Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, Ipv6RecvErr, &true)?,
    }
    Ok(())
}

/// Takes what is there, and tells whether any of it says "unreachable" about a datagram with `token` in it.
pub(super) fn quotes(socket: &UdpSocket, token: &[u8]) -> bool {
    let mut found = false;
    for _ in 0..AT_A_TIME {
        match next(socket, token) {
            Some(hit) => found |= hit,
            None => break,
        }
    }
    found
}

/// One error, and whether it is one of those; none: there is no more.
fn next(socket: &UdpSocket, token: &[u8]) -> Option<bool> {
    let mut quote = [0; QUOTE];
    let mut parts = [IoSliceMut::new(&mut quote)];
    let mut control = nix::cmsg_space!([u8; 64]);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
    let length = message.bytes;
    let unreachable = message.cmsgs().is_ok_and(|mut all| all.any(|one| is_unreachable(&one)));
    let quote = quote.get(..length).unwrap_or_default();
    Some(unreachable && quote.windows(token.len().max(1)).any(|window| window == token))
}

/// Destination unreachable of either ICMP, but for what is about the size of packets.
fn is_unreachable(message: &ControlMessageOwned) -> bool {
    const FRAGMENTATION_NEEDED: u8 = 4;
    match message {
        ControlMessageOwned::Ipv4RecvErr(error, _) => {
            error.ee_origin == ICMP && error.ee_type == 3 && error.ee_code != FRAGMENTATION_NEEDED
        }
        ControlMessageOwned::Ipv6RecvErr(error, _) => error.ee_origin == ICMP6 && error.ee_type == 1,
        _ => false,
    }
}
