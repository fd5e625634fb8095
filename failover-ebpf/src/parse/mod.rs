//! Headers, from the outside in. Each parser checks what it returns, and says why it gives up.

pub mod eth;
pub mod glance;
pub mod icmp;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod l4;
pub mod sip;

/// The version of IP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}
