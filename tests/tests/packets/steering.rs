//! Packets to a target: where they go while a backup serves, and when they do not.

use std::net::SocketAddrV4;

use failover_common::{reason::Reason, value::Availability};

use crate::{
    fixture::{Fixture, Way::*, expect, leave, refuse, steer},
    frame::{Frame, UDP_PAYLOAD, tcp_data, tcp_reset, tcp_syn, udp},
    network::*,
};

pub fn fixtures() -> Vec<Fixture> {
    [
        to_the_backup(),
        from_anyone(),
        of_any_shape(),
        by_the_kernel(),
        checksums(),
        nobody_to_go_to(),
        none_of_ours(),
        no_way(),
    ]
    .concat()
}

fn to_the_backup() -> Vec<Fixture> {
    let syn = tcp_syn(PHONE, PARIS);
    vec![
        steer("INVITE to a dead primary", udp(PHONE, PARIS), expect(Redirect, udp(PHONE, PARIS_BACKUP))),
        steer("SYN to a dead primary", syn, expect(Redirect, tcp_syn(PHONE, PARIS_BACKUP))),
        steer(
            "data of a connection to a dead primary",
            tcp_data(PHONE, PARIS),
            expect(Redirect, tcp_data(PHONE, PARIS_BACKUP)),
        ),
        steer(
            "RST to a dead primary",
            tcp_reset(PHONE, PARIS),
            expect(Redirect, tcp_reset(PHONE, PARIS_BACKUP)),
        ),
        steer("the second backup serves", udp(PHONE, PARIS), expect(Redirect, udp(PHONE, PARIS_SECOND)))
            .while_serving(PARIS, 2),
        steer("a shared backup", udp(PHONE, LYON), expect(Redirect, udp(PHONE, SHARED))),
        steer(
            "a backup that serves UDP on another port",
            udp(PHONE, METZ),
            expect(Redirect, udp(PHONE, METZ_BACKUP_UDP)),
        ),
        steer(
            "a backup that serves TCP on another port",
            tcp_syn(PHONE, METZ),
            expect(Redirect, tcp_syn(PHONE, METZ_BACKUP_TCP)),
        ),
        steer("a backup that is a target itself", udp(PHONE, CAEN), expect(Redirect, udp(PHONE, ROUEN))),
    ]
}

fn from_anyone() -> Vec<Fixture> {
    vec![
        steer(
            "a phone behind another router",
            udp(FAR_PHONE, PARIS),
            expect(Redirect, udp(FAR_PHONE, PARIS_BACKUP)),
        ),
        steer(
            "out of the device that it came in by",
            udp(PHONE_AMONG_BACKUPS, PARIS),
            expect(Redirect, udp(PHONE_AMONG_BACKUPS, PARIS_BACKUP)),
        ),
        steer(
            "another target's server calls: it is a client like any other",
            udp(LYON, PARIS),
            expect(Redirect, udp(LYON, PARIS_BACKUP)),
        ),
    ]
}

fn of_any_shape() -> Vec<Fixture> {
    vec![
        steer(
            "DSCP and ECN stay",
            udp(PHONE, PARIS).tos(0xbb),
            expect(Redirect, udp(PHONE, PARIS_BACKUP).tos(0xbb)),
        ),
        steer(
            "the TTL allows one more hop",
            udp(PHONE, PARIS).ttl(2),
            expect(Redirect, udp(PHONE, PARIS_BACKUP)),
        ),
        steer("the highest TTL", udp(PHONE, PARIS).ttl(255), expect(Redirect, udp(PHONE, PARIS_BACKUP))),
        steer(
            "a large INVITE",
            udp(PHONE, PARIS).payload(&[b'x'; 1472]),
            expect(Redirect, udp(PHONE, PARIS_BACKUP).payload(&[b'x'; 1472])),
        ),
        steer(
            "an odd number of bytes",
            udp(PHONE, PARIS).payload(b"odd"),
            expect(Redirect, udp(PHONE, PARIS_BACKUP).payload(b"odd")),
        ),
        steer(
            "an empty datagram, padded to the least frame",
            udp(PHONE, PARIS).payload(b"").padded(60 - UDP_PAYLOAD),
            expect(Redirect, udp(PHONE, PARIS_BACKUP).payload(b"").padded(60 - UDP_PAYLOAD)),
        ),
        steer(
            "RST, padded to the least frame",
            tcp_reset(PHONE, PARIS).padded(6),
            expect(Redirect, tcp_reset(PHONE, PARIS_BACKUP).padded(6)),
        ),
    ]
}

fn by_the_kernel() -> Vec<Fixture> {
    let largest = NARROW_MTU - 28;
    vec![
        steer(
            "the backup's device takes no redirected frames",
            udp(PHONE, TO_PLAIN),
            expect(Kernel, udp(PHONE, PLAIN_BACKUP)),
        ),
        steer(
            "TCP, and the backup's device takes no redirected frames",
            tcp_syn(PHONE, TO_PLAIN),
            expect(Kernel, tcp_syn(PHONE, PLAIN_BACKUP)),
        ),
        steer(
            "the backup's MAC address is not known yet",
            udp(PHONE, TO_UNRESOLVED),
            expect(Kernel, udp(PHONE, UNRESOLVED_BACKUP)),
        ),
        steer(
            "the backup is on the router itself",
            udp(PHONE, TO_ROUTER),
            expect(Kernel, udp(PHONE, ROUTER_ITSELF)),
        ),
        steer(
            "no route to the backup, which the FIB does not tell from an address of the router",
            udp(PHONE, TO_NOWHERE),
            expect(Kernel, udp(PHONE, NOWHERE_BACKUP)),
        ),
        steer(
            "just small enough for the backup's device",
            udp(PHONE, TO_NARROW).payload(&vec![b'x'; largest]),
            expect(Redirect, udp(PHONE, NARROW_BACKUP).payload(&vec![b'x'; largest])),
        ),
        steer(
            "one byte too large for the backup's device",
            udp(PHONE, TO_NARROW).payload(&vec![b'x'; largest + 1]),
            expect(Kernel, udp(PHONE, NARROW_BACKUP).payload(&vec![b'x'; largest + 1])),
        ),
    ]
}

fn checksums() -> Vec<Fixture> {
    // Each of these sums is the end of the number line in one's complement, before or after.
    let becomes = |wanted| {
        udp(PHONE, PARIS).tuned(wanted, |frame| frame.clone().between(PHONE, PARIS_BACKUP).l4_checksum())
    };
    let (zero, was_zero) = (becomes(0xffff), udp(PHONE, PARIS).tuned(0xffff, Frame::l4_checksum));
    let (one, tcp) = (
        becomes(1),
        tcp_data(PHONE, PARIS).tuned(0, |frame| frame.clone().between(PHONE, PARIS_BACKUP).l4_checksum()),
    );
    let to_backup = |frame: &Frame| frame.clone().between(PHONE, PARIS_BACKUP);
    vec![
        steer(
            "UDP without a checksum stays without",
            udp(PHONE, PARIS).without_checksum(),
            expect(Redirect, udp(PHONE, PARIS_BACKUP).without_checksum()),
        ),
        steer(
            "a UDP sum that becomes zero is sent as 0xffff",
            zero.clone(),
            expect(Redirect, to_backup(&zero)),
        ),
        steer(
            "a UDP sum that was zero, sent as 0xffff",
            was_zero.clone(),
            expect(Redirect, to_backup(&was_zero)),
        ),
        steer("a UDP sum that becomes one", one.clone(), expect(Redirect, to_backup(&one))),
        steer("a TCP sum that becomes zero is zero", tcp.clone(), expect(Redirect, to_backup(&tcp))),
    ]
}

fn nobody_to_go_to() -> Vec<Fixture> {
    vec![
        leave("the primary serves", udp(PHONE, PARIS), Reason::PrimaryServes)
            .about(PARIS)
            .while_serving(PARIS, 0),
        leave("the primary serves TCP", tcp_syn(PHONE, PARIS), Reason::PrimaryServes)
            .about(PARIS)
            .while_serving(PARIS, 0),
        refuse("nobody may serve", udp(PHONE, PARIS), Reason::NobodyServes)
            .about(PARIS)
            .while_serving(PARIS, Availability::NOBODY),
        refuse("nobody may serve TCP", tcp_data(PHONE, PARIS), Reason::NobodyServes)
            .about(PARIS)
            .while_serving(PARIS, Availability::NOBODY),
        leave("a backup serves that there is not", udp(PHONE, PARIS), Reason::NoEndpoint)
            .about(PARIS)
            .while_serving(PARIS, 3),
        leave("a backup serves that there cannot be", udp(PHONE, PARIS), Reason::NoEndpoint)
            .about(PARIS)
            .while_serving(PARIS, 254),
    ]
}

fn none_of_ours() -> Vec<Fixture> {
    vec![
        leave("the backup looks after its primary", udp(PARIS_BACKUP, PARIS), Reason::BetweenServers)
            .about(PARIS),
        leave("the backup looks after its primary, from any port", udp(port(PARIS_BACKUP, 40_000), PARIS), {
            Reason::BetweenServers
        })
        .about(PARIS),
        leave(
            "the other backup looks after the primary",
            tcp_syn(PARIS_SECOND, PARIS),
            Reason::BetweenServers,
        )
        .about(PARIS),
        leave("the primary calls itself through the router", udp(PARIS, PARIS), Reason::BetweenServers)
            .about(PARIS),
        leave("the TTL ends here", udp(PHONE, PARIS).ttl(1), Reason::TtlExpired).about(PARIS),
        leave("the TTL has ended", tcp_syn(PHONE, PARIS).ttl(0), Reason::TtlExpired).about(PARIS),
        leave("a port where nobody signals", udp(PHONE, port(PARIS, 16_384)), Reason::NotSignalling),
        leave("a web page", tcp_syn(PHONE, port(PARIS, 80)), Reason::NotSignalling),
        leave("UDP to a port of TCP alone", udp(PHONE, port(METZ, 15_061)), Reason::NotSignalling),
        leave("signalling of somebody else", udp(PHONE, OTHER_PHONE), Reason::NotOurs),
        leave("a phone asks the backup by its own name", udp(PHONE, PARIS_BACKUP), Reason::NotOurs),
        leave("the target's address, a backup's port", udp(PHONE, port(METZ, 15_060)), Reason::NotOurs),
    ]
}

fn no_way() -> Vec<Fixture> {
    let from = |address: [u8; 4]| SocketAddrV4::new(address.into(), 5060);
    vec![
        leave("a blackhole for the backup", udp(PHONE, TO_BLACKHOLE), Reason::NoRoute).about(TO_BLACKHOLE),
        leave("an unreachable route to the backup", tcp_syn(PHONE, TO_UNREACHABLE), Reason::NoRoute)
            .about(TO_UNREACHABLE),
        leave("a prohibited route to the backup", udp(PHONE, TO_PROHIBITED), Reason::NoRoute)
            .about(TO_PROHIBITED),
        leave("a phone with a loopback's address", udp(from([127, 0, 0, 1]), PARIS), Reason::NoRoute)
            .about(PARIS),
        leave("a phone with a group's address", udp(from([224, 0, 1, 75]), PARIS), Reason::NoRoute)
            .about(PARIS),
        leave("the phone's device does not forward", udp(DEAF_PHONE, PARIS), Reason::NoRoute).about(PARIS),
    ]
}
