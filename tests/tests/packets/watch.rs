//! What is copied to the daemon, and who has a connection.

use std::{collections::BTreeSet, net::SocketAddrV4};

use anyhow::Result;
use failover_common::{
    key::{EndpointKey, UDP, mapped},
    watch::{Copied, SNAP},
};
use failover_user::dataplane::{Connection, Copies};

use crate::{
    bench::{Bench, with_bench},
    frame::{Raw, tcp_data, tcp_reset, tcp_syn, tcp_syn_ack, udp},
    network::*,
    shapes::{in_vlans, pieces},
};

/// What sending `packet` copies: of `PARIS`, and the packet as it was.
fn copied(bench: &mut Bench, copies: &mut Copies, packet: &Raw) -> Result<Vec<u32>> {
    let (paris, ingress) = (bench.id_of(PARIS), bench.devices[&packet.ingress]);
    bench.send(packet)?;
    let mut ways = Vec::new();
    while copies.next(|head, frame| {
        assert_eq!((head.target, head.ingress, head.length as usize), (paris, ingress, frame.len()));
        assert!(head.time_ns > 0 && frame == packet.bytes);
        ways.push(head.way);
    }) {}
    Ok(ways)
}

#[test]
fn what_clients_and_a_serving_primary_say_is_copied_as_it_came() {
    with_bench(|bench| {
        let mut copies = bench.dataplane.copies()?;
        bench.serve(&[(PARIS, 0)])?;
        let large = |from, to| udp(from, to).payload(&[b'x'; 3000]);
        let [first, second] = pieces(&large(PHONE, PARIS), 1480);
        let [answer, rest] = pieces(&large(PARIS, PHONE), 1480);
        let to = vec![Copied::TO_PRIMARY];
        let from = vec![Copied::FROM_PRIMARY];
        for (packet, expected) in [
            (udp(PHONE, PARIS).into(), to.clone()),
            (in_vlans(&udp(PHONE, PARIS), &[7]), to.clone()),
            (large(PHONE, PARIS).into(), to.clone()),
            (second.clone(), vec![]),
            (first, to),
            (second, vec![Copied::FRAGMENT]),
            (udp(PARIS, PHONE).into(), from.clone()),
            (in_vlans(&udp(PARIS, PHONE), &[7]), from.clone()),
            (answer, from.clone()),
            (rest, vec![]),
            // What it says to a backup, and to a client that is another target's server.
            (udp(PARIS, PARIS_BACKUP).into(), from.clone()),
            (udp(PARIS, PHONE_AMONG_BACKUPS).into(), from),
        ] {
            assert_eq!(copied(bench, &mut copies, &packet)?, expected, "{packet:?}");
        }
        assert_eq!(copies.lost()?, 0);
        Ok(())
    });
}

#[test]
fn nothing_else_is_copied() {
    with_bench(|bench| {
        let mut copies = bench.dataplane.copies()?;
        bench.serve(&[(PARIS, 0)])?;
        bench.dataplane.exempt(&EndpointKey::new(mapped(PROBE.ip().octets()), PROBE.port(), UDP), true)?;
        let while_it_serves = [
            tcp_data(PHONE, PARIS).into(),
            tcp_data(PARIS, PHONE).into(),
            udp(PHONE, port(PARIS, 5070)).into(),
            udp(port(PARIS, 5070), PHONE).into(),
            udp(PHONE, OTHER_PHONE).into(),
            // RAS is no SIP.
            udp(PHONE, port(PARIS, 1719)).into(),
            udp(port(PARIS, 1719), PHONE).into(),
            // The daemon hears it itself.
            udp(PARIS, PROBE).into(),
            // No frame that anybody would send again.
            udp(PHONE, PARIS).payload(&vec![b'x'; SNAP]).into(),
        ];
        for packet in while_it_serves {
            assert_eq!(copied(bench, &mut copies, &packet)?, Vec::<u32>::new(), "{packet:?}");
        }
        bench.serve(&[])?;
        let packet = udp(PHONE, PARIS).into();
        assert_eq!(copied(bench, &mut copies, &packet)?, Vec::<u32>::new(), "a backup serves");
        Ok(())
    });
}

#[test]
fn what_an_older_daemon_left_is_thrown_away() {
    with_bench(|bench| {
        bench.serve(&[(PARIS, 0)])?;
        for _ in 0..1000 {
            bench.send(&udp(PHONE, PARIS).into())?;
        }
        let mut copies = bench.dataplane.copies()?;
        copies.clear();
        assert_eq!(copied(bench, &mut copies, &udp(PHONE, PARIS).into())?, [Copied::TO_PRIMARY]);
        Ok(())
    });
}

#[test]
fn what_there_is_no_room_for_is_counted() {
    with_bench(|bench| {
        bench.serve(&[(PARIS, 0)])?;
        let mut copies = bench.dataplane.copies()?;
        let (packet, sent) = (Raw::from(udp(PHONE, PARIS).payload(&[b'x'; 9000])), 1000);
        for _ in 0..sent {
            bench.send(&packet)?;
        }
        let mut found = 0;
        while copies.next(|_, _| found += 1) {}
        assert!(found > 100, "{found}");
        assert_eq!(copies.lost()?, sent - found);
        Ok(())
    });
}

#[test]
fn connections_are_known_from_their_beginning_to_their_end() {
    let of = |target, client: SocketAddrV4, asked: SocketAddrV4| Connection {
        target,
        client: client.into(),
        asked: asked.into(),
    };
    with_bench(|bench| {
        bench.serve(&[(PARIS, 0), (LYON, 0)])?;
        let mut connections = bench.dataplane.connections()?;
        let phones = [PHONE, OTHER_PHONE, FAR_PHONE];
        for phone in phones {
            // Who only asks, or is asked, has no connection.
            bench.send(&tcp_syn(phone, PARIS).into())?;
            bench.send(&tcp_syn(PARIS, phone).into())?;
            bench.send(&tcp_data(PARIS, phone).into())?;
        }
        let (paris, lyon) = (bench.id_of(PARIS), bench.id_of(LYON));
        let only = |target| BTreeSet::from([target]);
        assert_eq!(connections.take(&only(paris))?, []);
        for phone in phones {
            bench.send(&tcp_syn_ack(PARIS, phone).into())?;
        }
        bench.send(&tcp_syn_ack(LYON, PHONE).into())?;
        bench.send(&tcp_syn_ack(port(PARIS, 5070), PHONE).into())?;
        bench.send(&tcp_reset(PARIS, FAR_PHONE).into())?;
        bench.send(&tcp_data(PARIS, OTHER_PHONE).into())?;
        let mut found = connections.take(&only(paris))?;
        found.sort();
        assert_eq!(found, [PHONE, OTHER_PHONE].map(|phone| of(paris, phone, PARIS)));
        assert_eq!(
            connections.take(&BTreeSet::from([paris, lyon]))?,
            [of(lyon, PHONE, LYON)],
            "they are told once"
        );
        Ok(())
    });
}
