//! What the program tells the daemon of packets.

use std::net::SocketAddrV4;

use anyhow::Result;
use aya::maps::Array;
use failover_common::{
    event::{Event, Kind},
    key::{EndpointKey, TCP, UDP, mapped},
    names,
};

use crate::{
    bench::{Bench, with_bench},
    frame::{Raw, tcp_data, tcp_reset, tcp_syn, udp},
    network::*,
    shapes::error,
};

const PORT_UNREACHABLE: (u8, u8) = (3, 3);

/// Everything that was told.
fn told(bench: &mut Bench) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(bytes) = bench.events.next() {
        assert_eq!(bytes.len(), size_of::<Event>());
        // SAFETY: as many bytes as an event has, and any bytes are one (`aya::Pod`).
        events.push(unsafe { bytes.as_ptr().cast::<Event>().read_unaligned() });
    }
    events
}

fn is_about(event: &Event, phone: SocketAddrV4, protocol: u8) {
    assert_eq!((event.protocol, event.reserved), (protocol, 0));
    assert_eq!(event.client, mapped(phone.ip().octets()));
    assert_eq!(u16::from_be_bytes(event.client_port), phone.port());
}

#[test]
fn the_first_steered_packet_of_a_generation_is_announced() {
    let (id, events) = with_bench(|bench| {
        bench.serve(&[(PARIS, 0)])?;
        bench.send(&udp(PHONE, PARIS).into())?;
        bench.serve(&[])?;
        for packet in [udp(PHONE, PARIS), udp(OTHER_PHONE, PARIS), tcp_syn(PHONE, PARIS)] {
            bench.send(&packet.into())?;
        }
        bench.serve(&[(PARIS, 2)])?;
        bench.send(&udp(OTHER_PHONE, PARIS).into())?;
        Ok((bench.id_of(PARIS), told(bench)))
    });
    let [first, second] = events[..] else { panic!("{events:?}") };
    assert_eq!(second.generation, first.generation + 1);
    assert!(0 < first.time_ns && first.time_ns <= second.time_ns);
    for (event, phone) in [(first, PHONE), (second, OTHER_PHONE)] {
        assert_eq!((event.kind, event.target), (Kind::SteeringBegan as u32, id));
        is_about(&event, phone, UDP);
    }
}

/// What the program says of these packets, each by itself.
fn suspicions(bench: &mut Bench, packets: &[Raw]) -> Result<Vec<Event>> {
    let mut suspected: Array<_, u32> = Array::try_from(bench.pinned(names::SUSPECTED)?)?;
    let mut events = Vec::new();
    for packet in packets {
        for target in 0..suspected.len() {
            suspected.set(target, 0, 0)?;
        }
        bench.send(packet)?;
        events.extend(told(bench));
    }
    Ok(events)
}

#[test]
fn what_is_said_in_a_primarys_name_as_nobody_says_of_one_that_lives_is_a_suspicion() {
    let (id, events) = with_bench(|bench| {
        bench.serve(&[(PARIS, 0)])?;
        let unreachable = error(*PARIS.ip(), PRIMARIES, PORT_UNREACHABLE, &udp(PHONE, PARIS), 28);
        let events = suspicions(bench, &[unreachable, tcp_reset(PARIS, PHONE).into()])?;
        Ok((bench.id_of(PARIS), events))
    });
    let [unreachable, reset] = events[..] else { panic!("{events:?}") };
    for (event, protocol) in [(unreachable, UDP), (reset, TCP)] {
        assert_eq!((event.kind, event.target, event.generation), (Kind::Suspicion as u32, id, 0));
        is_about(&event, PHONE, protocol);
    }
}

#[test]
fn nothing_else_is() {
    let events = with_bench(|bench| {
        let unreachable = |from, about| error(from, PRIMARIES, PORT_UNREACHABLE, &about, 28);
        bench.serve(&[(PARIS, 0)])?;
        for protocol in [TCP, UDP] {
            let socket = EndpointKey::new(mapped(PROBE.ip().octets()), PROBE.port(), protocol);
            bench.dataplane.exempt(&socket, true)?;
        }
        let while_it_serves = [
            tcp_data(PARIS, PHONE).into(),
            udp(PARIS, PHONE).into(),
            // Of a port at which it has no service, and of somebody else.
            tcp_reset(port(PARIS, 5070), PHONE).into(),
            unreachable(*PARIS.ip(), udp(PHONE, port(PARIS, 5070))),
            tcp_reset(PHONE, OTHER_PHONE).into(),
            // The daemon hears it itself.
            tcp_reset(PARIS, PROBE).into(),
            unreachable(*PARIS.ip(), udp(PROBE, PARIS)),
        ];
        let mut events = suspicions(bench, &while_it_serves)?;
        bench.serve(&[])?;
        let known_to_be_away = [tcp_reset(PARIS, PHONE).into(), unreachable(*PARIS.ip(), udp(PHONE, PARIS))];
        events.extend(suspicions(bench, &known_to_be_away)?);
        Ok(events)
    });
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn a_flood_of_suspicions_is_told_once_in_a_while() {
    let events = with_bench(|bench| {
        bench.serve(&[(PARIS, 0)])?;
        for _ in 0..1000 {
            bench.send(&tcp_reset(PARIS, PHONE).into())?;
        }
        Ok(told(bench))
    });
    let span = events.last().unwrap().time_ns - events[0].time_ns;
    // One at each end of the span, and no two in one tick of 2²⁴ ns.
    assert!(events.len() as u64 <= 2 + (span >> 24), "{} in {span} ns", events.len());
}
