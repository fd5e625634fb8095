//! What remembering a phone takes, by the kernel's own account of the maps.

use std::{
    fs,
    net::SocketAddrV4,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, MapData};
use etherparse::PacketBuilder;
use failover_common::{key::FlowKey, names, value::Flow};

use crate::{
    bench::{Bench, with_bench},
    frame::Raw,
    network::{BREST, LYON, PHONE, SHARED, SHARED_FOR_BREST, mac, router_mac, six, subnet},
};

/// Who was not answered, and who was.
const TABLES: [&str; 2] = [names::UNANSWERED, names::ANSWERED];
/// The most bytes that one flow may take over IPv4, and over IPv6.
const MOST: [f64; 2] = [210.0, 260.0];

/// A conversation of one phone.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    pub six: bool,
    pub tcp: bool,
    /// Whether other targets share the backup's endpoint.
    pub shared: bool,
}

impl Talk {
    /// One packet of it.
    pub fn frame(self, from: SocketAddrV4, to: SocketAddrV4) -> Raw {
        let ingress = subnet(*from.ip());
        let link = PacketBuilder::ethernet2(mac(*from.ip()), router_mac(ingress));
        let ip = if self.six {
            link.ipv6(six(from).ip().octets(), six(to).ip().octets(), 64)
        } else {
            link.ipv4(from.ip().octets(), to.ip().octets(), 64)
        };
        let mut bytes = Vec::new();
        let written = if self.tcp {
            ip.tcp(from.port(), to.port(), 7, 64_240).ack(8).write(&mut bytes, b"OPTIONS")
        } else {
            ip.udp(from.port(), to.port()).write(&mut bytes, b"OPTIONS")
        };
        written.unwrap();
        Raw { bytes, ingress }
    }

    /// Bytes that are taken while the phone has asked, and once it was answered; an entry of each table takes so many.
    fn takes(self, bench: &mut Bench, entry: [f64; 2]) -> Result<[f64; 2]> {
        let (target, backup) = if self.shared { (LYON, SHARED) } else { (BREST, SHARED_FOR_BREST) };
        bench.forget()?;
        bench.send(&self.frame(PHONE, target))?;
        let asked = taken(bench, entry)?;
        bench.send(&self.frame(backup, PHONE))?;
        Ok([asked, taken(bench, entry)?])
    }
}

fn taken(bench: &Bench, entry: [f64; 2]) -> Result<f64> {
    let mut bytes = 0.0;
    for (name, entry) in TABLES.into_iter().zip(entry) {
        let map: HashMap<MapData, FlowKey, Flow> = HashMap::try_from(bench.pinned(name)?)?;
        bytes += f64::from(u32::try_from(map.keys().count())?) * entry;
    }
    Ok(bytes)
}

/// What the kernel says that a map takes, and the entries that it has room for.
fn room(bench: &Bench, name: &str) -> Result<(f64, f64)> {
    let map = MapData::from_pin(bench.pin(name))?;
    let path = format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd());
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let number = |word: &str| -> Result<f64> {
        let number = text.lines().find_map(|line| line.strip_prefix(word));
        Ok(number.with_context(|| format!("no {word} in {path}"))?.trim().parse()?)
    };
    Ok((number("memlock:")?, number("max_entries:")?))
}

#[test]
fn a_flow_takes_no_more_memory_than_it_may() {
    let failures = with_bench(|bench| {
        let mut entry = [0.0; 2];
        for (name, entry) in TABLES.into_iter().zip(&mut entry) {
            let (bytes, entries) = room(bench, name)?;
            *entry = bytes / entries;
            println!("{name}: {bytes} bytes, room for {entries} entries, {entry:.1} bytes each");
        }
        let mut failures = Vec::new();
        for n in 0..8 {
            let talk = Talk { six: n & 1 != 0, tcp: n & 2 != 0, shared: n & 4 != 0 };
            let [asked, answered] = talk.takes(bench, entry)?;
            println!("{talk:?}: {asked:.1} bytes until it is answered, then {answered:.1}");
            let possible = 1.0..=MOST[usize::from(talk.six)];
            if !possible.contains(&asked) || !possible.contains(&answered) {
                failures.push(format!("{talk:?}: {asked:.1} bytes, then {answered:.1}"));
            }
        }
        Ok(failures)
    });
    assert!(failures.is_empty(), "{failures:#?}");
}
