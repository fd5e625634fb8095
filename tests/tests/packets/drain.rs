//! Packets to a target that drains: what began somewhere goes on there, and what is new goes elsewhere.

use std::net::SocketAddrV4;

use failover_common::reason::Reason;

use crate::{
    fixture::{Fixture, Way::*, expect, leave, steer},
    frame::{Frame, tcp_data, tcp_reset, tcp_syn, tcp_syn_ack, udp},
    network::*,
};

pub fn fixtures() -> Vec<Fixture> {
    [back_to_the_primary(), away_from_it()].concat()
}

fn go_on(
    name: &str,
    frame: fn(SocketAddrV4, SocketAddrV4) -> Frame,
    target: SocketAddrV4,
    backup: SocketAddrV4,
) -> Fixture {
    steer(name, frame(PHONE, target), expect(Redirect, frame(PHONE, backup)))
}

fn at_primary(name: &str, frame: Frame) -> Fixture {
    let target = frame.to;
    leave(name, frame, Reason::PrimaryServes).about(target)
}

fn back_to_the_primary() -> Vec<Fixture> {
    let data = |name: &str| at_primary(name, tcp_data(PHONE, PARIS));
    vec![
        go_on("a connection that began at the backup", tcp_data, PARIS, PARIS_BACKUP)
            .after(tcp_syn(PHONE, PARIS))
            .then_back_from(PARIS, 1),
        go_on("its end", tcp_reset, PARIS, PARIS_BACKUP)
            .after(tcp_syn(PHONE, PARIS))
            .then_back_from(PARIS, 1),
        go_on("at a shared backup", tcp_data, LYON, SHARED)
            .after(tcp_syn(PHONE, LYON))
            .after(tcp_syn_ack(SHARED, PHONE))
            .then_back_from(LYON, 1),
        go_on("one that was answered", tcp_data, PARIS, PARIS_BACKUP)
            .after(tcp_syn(PHONE, PARIS))
            .after(tcp_data(PARIS_BACKUP, PHONE))
            .then_back_from(PARIS, 1),
        go_on("at the second backup", tcp_data, PARIS, PARIS_SECOND)
            .then_served_by(PARIS, 2)
            .after(tcp_syn(PHONE, PARIS))
            .then_back_from(PARIS, 2),
        data("a connection that nobody knows").then_back_from(PARIS, 1),
        data("a connection of a backup before").after(tcp_syn(PHONE, PARIS)).then_back_from(PARIS, 2),
        data("a connection after draining").after(tcp_syn(PHONE, PARIS)).then_served_by(PARIS, 0),
        at_primary("a new connection", tcp_syn(PHONE, PARIS))
            .after(tcp_syn(PHONE, PARIS))
            .then_back_from(PARIS, 1),
        at_primary("a connection where failback is immediate", tcp_data(PHONE, METZ))
            .after(tcp_syn(PHONE, METZ))
            .then_back_from(METZ, 1),
        at_primary("a datagram", udp(PHONE, PARIS)).after(udp(PHONE, PARIS)).then_back_from(PARIS, 1),
    ]
}

fn away_from_it() -> Vec<Fixture> {
    vec![
        go_on("a new connection goes to the backup", tcp_syn, PARIS, PARIS_BACKUP).then_drained_to(PARIS, 1),
        go_on("and goes on there", tcp_data, PARIS, PARIS_BACKUP)
            .then_drained_to(PARIS, 1)
            .after(tcp_syn(PHONE, PARIS)),
        go_on("where failback is immediate", tcp_data, METZ, METZ_BACKUP_TCP)
            .then_drained_to(METZ, 1)
            .after(tcp_syn(PHONE, METZ)),
        at_primary("an old connection stays", tcp_data(PHONE, PARIS)).then_drained_to(PARIS, 1),
        at_primary("the answer to a connection of the primary", tcp_syn_ack(PHONE, PARIS))
            .then_drained_to(PARIS, 1),
        at_primary("a datagram while the primary is drained", udp(PHONE, PARIS)).then_drained_to(PARIS, 1),
    ]
}
