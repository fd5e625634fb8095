//! Why a packet went where it went. The numbers are ABI: never renumber, retire instead. Counters, events, JSON
//! and metrics all use the one name.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// The verdict on one packet and its cause.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[doc = $doc])+ $name = $number,)+ }

        impl Reason {
            /// Every reason there is, in order of number.
            pub const ALL: &[Reason] = &[$(Reason::$name,)+];

            /// The name in counters, events, JSON and metrics.
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$name => $text,)+ }
            }
        }

        impl TryFrom<u32> for Reason {
            type Error = u32;

            fn try_from(number: u32) -> Result<Self, u32> {
                match number { $($number => Ok(Reason::$name),)+ other => Err(other) }
            }
        }
    };
}

reasons! {
    /// Passed: shorter than its own headers say, or than they must be; or they are not all in the frame's first buffer.
    Truncated = 1, "truncated";
    /// Passed: not IP (another EtherType, or more than two VLAN tags).
    NotIp = 2, "not-ip";
    /// Passed: an IP header that contradicts itself.
    MalformedIp = 3, "malformed-ip";
    /// Passed: IPv4 options, an IPv6 routing header that is not at its end, or more extension headers than are read.
    IpOptions = 4, "ip-options";
    /// Passed: a fragment, not the first, whose first was not steered, or came later.
    Fragment = 5, "fragment";
    /// Passed: neither UDP nor TCP, nor an ICMP error about such.
    NotUdpTcp = 6, "not-udp-tcp";
    /// Passed: a UDP or TCP header that contradicts itself.
    MalformedL4 = 7, "malformed-l4";
    /// Passed: neither port is a signalling port.
    NotSignalling = 8, "not-signalling";
    /// Passed: a signalling port, but neither to a service nor from a backup.
    NotOurs = 9, "not-ours";
    /// Passed: to one of the daemon's own probe sockets, or what the kernel says for one that is closed already.
    OwnProbe = 10, "own-probe";
    /// Passed: IP in an Ethernet broadcast or multicast, which every router on the wire receives and none may
    /// forward as unicast (RFC 1812 §5.3.4).
    LinkBroadcast = 11, "link-broadcast";
    /// Passed: PPPoE, whose inner packets are not looked at.
    Pppoe = 12, "pppoe";

    /// Passed: the primary serves.
    PrimaryServes = 16, "primary-serves";
    /// Rewritten to the backup and redirected.
    Steered = 17, "steered";
    /// Rewritten to the backup and handed to the kernel to route.
    SteeredByKernel = 18, "steered-by-kernel";
    /// Rewritten to come from the target, and redirected.
    Returned = 19, "returned";
    /// Rewritten to come from the target, and handed to the kernel to route.
    ReturnedByKernel = 20, "returned-by-kernel";
    /// Passed: from one of the target's own servers to another (replication, the backup's own probes).
    BetweenServers = 21, "between-servers";
    /// Passed: from a backup to a client that was never steered there.
    NoReturn = 22, "no-return";
    /// Passed: from a shared backup to a client that was steered there for two services; it cannot be told which.
    AmbiguousReturn = 23, "ambiguous-return";
    /// Passed: the availability map names a backup that has no endpoint for this service.
    NoEndpoint = 24, "no-endpoint";
    /// Passed: the TTL ends here; the kernel says so to the sender.
    TtlExpired = 25, "ttl-expired";
    /// Passed: the router has no usable route to where the packet should go, or may forward nothing from its source.
    NoRoute = 26, "no-route";
    /// Dropped: nobody may serve (`all_down = "drop"`).
    NobodyServes = 27, "nobody-serves";
    /// Dropped: a write, or the redirect, failed after the first write had been made.
    HalfWritten = 28, "half-written";
    /// Passed: from a server that is a target itself, to a client that asked it as such.
    OwnService = 29, "own-service";
    /// Passed: the way back could not be remembered.
    FlowTableFull = 30, "flow-table-full";
    /// Rewritten: an ICMP error, and the packet that it quotes, turned back into its receiver's words.
    IcmpTranslated = 31, "icmp-translated";
    /// Passed: larger than the way to where it should go can carry. Of a backup's packet, the kernel says so to the backup;
    /// of one that the router made itself, nobody does; nor, under `l2` and `ipip`, of a later fragment or an error, or of
    /// one whose sender's way is unknown.
    TooBig = 32, "too-big";
    /// Passed: it is rewritten where it leaves the router, because its checksum is not worked out yet (a container or a
    /// virtual machine left that to a device), or because it is the kernel that forwards (`forward = "kernel"`).
    LeftToEgress = 33, "left-to-egress";
    /// Passed: under `l2` a backup must be a direct neighbour, and this one is behind another router.
    NotOnLink = 34, "not-on-link";
    /// Passed: under `l2` and `ipip` the kernel cannot forward in our place, and the neighbour's MAC address is not known,
    /// its device takes no redirected frames, or VLAN tags would change on the way; or the router itself made the packet,
    /// or it asks for any gatekeeper, which only `nat` can answer.
    NotRedirectable = 35, "not-redirectable";
    /// Answered: under `l2` and `ipip`, larger than the way to the backup can carry; it was turned into the ICMP error that
    /// tells its sender.
    SenderTold = 36, "sender-told";
}

impl Reason {
    /// Whether packets of this reason were sent to a backup.
    pub const fn is_steered(self) -> bool {
        matches!(self, Reason::Steered | Reason::SteeredByKernel)
    }

    /// Whether packets of this reason came from a backup and got the target's address.
    pub const fn is_returned(self) -> bool {
        matches!(self, Reason::Returned | Reason::ReturnedByKernel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_distinct_fit_the_counters_and_come_back() {
        for pair in Reason::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for &reason in Reason::ALL {
            assert!((reason as u32) < crate::names::REASON_SLOTS);
            assert_eq!(Reason::try_from(reason as u32), Ok(reason));
        }
        assert_eq!(Reason::try_from(0), Err(0));
    }
}
