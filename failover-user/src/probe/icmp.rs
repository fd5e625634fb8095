//! ICMP errors, and what they quote.
//!
//! Anybody can send an ICMP error that names two addresses and ports. One that also quotes the random token of a question
//! which was just sent comes from somebody who saw that: the server's own host, or a router on the way. The kernel keeps the
//! quotes in the socket's error queue (ip(7), IP_RECVERR).
//!
//! There they take the room that answers need, until they are read. So whatever is found of them is read to the last one, and in a
//! flood no more are kept: the question then ends with an answer, or with its time.

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

/// More than any honest network has to say about the questions to one server: the rest is a flood. So many have room beside an answer.
const AT_A_TIME: usize = 64;
/// The most of a quote that is read. A token stands within the first hundred bytes.
const QUOTE: usize = 576;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` of linux/errqueue.h.
const ICMP: u8 = 2;
const ICMP6: u8 = 3;

/// Has the kernel keep them, for a socket that asks `server`; or no longer, and throw away what it has kept.
pub(super) fn keep_quotes(socket: &UdpSocket, server: SocketAddr, keep: bool) -> io::Result<()> {
    match server {
        SocketAddr::V4(_) => setsockopt(socket, Ipv4RecvErr, &keep)?,
        SocketAddr::V6(_) => setsockopt(socket, Ipv6RecvErr, &keep)?,
    }
    Ok(())
}

/// What was in a socket's error queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Quotes {
    /// Some of it says "unreachable" about a datagram with the token in it.
    pub(super) of_question: bool,
    /// There may be more of it.
    pub(super) are_flood: bool,
}

/// Takes what is there, and looks for `token` in it.
pub(super) fn take_quotes(socket: &UdpSocket, token: &[u8]) -> Quotes {
    let mut of_question = false;
    for _ in 0..AT_A_TIME {
        match next(socket, token) {
            Some(hit) => of_question |= hit,
            None => return Quotes { of_question, are_flood: false },
        }
    }
    Quotes { of_question, are_flood: true }
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
