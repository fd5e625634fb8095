//! Envelopes of IPv4 whose sources tell flows apart: `envelope_source`.

use std::{collections::BTreeSet, net::Ipv4Addr};

use failover_common::key::{TCP, UDP};
use failover_user::config::model::Prefix;

use crate::{
    fixture::{Fixture, rewritten},
    frame::{Frame, Raw, tcp_syn, udp},
    network::*,
    shapes::{in_vlans, pieces},
    unrewritten::{by_mac, four_in_six, in_envelope_from, label, six_in_six, towards},
};

/// 198.18.7.16 to 198.18.7.31.
pub fn source() -> Prefix {
    "198.18.7.16/28".parse().unwrap()
}

/// The one of a flow: the prefix and the last four bits of its label.
fn of_label(label: u32) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, 7, 16 + (label & 15) as u8)
}

fn enveloped(sent: &Frame, protocol: u8) -> Vec<u8> {
    let source = of_label(label(sent.from, sent.to, protocol));
    in_envelope_from(source, &towards(sent, DIJON_BACKUP).bytes(), DIJON_BACKUP, 0)
}

pub fn fixtures() -> Vec<Fixture> {
    [flows(), fragments(), elsewhere(), by_mac()].concat()
}

fn flows() -> Vec<Fixture> {
    let spread = |name: &str, sent: Frame, protocol| {
        let after = enveloped(&sent, protocol);
        rewritten(name, sent.into(), after).about(DIJON)
    };
    let other = udp(port(PHONE, 5064), DIJON);
    let neighbour = udp(PHONE_AMONG_BACKUPS, DIJON);
    let mut far = in_envelope_from(
        of_label(label(PHONE, DIJON, UDP)),
        &towards(&udp(PHONE, DIJON), DIJON_FAR).bytes(),
        DIJON_FAR,
        0,
    );
    far[..6].copy_from_slice(&mac(*DIJON_FAR.ip()));
    vec![
        spread("an INVITE from the flow's source", udp(PHONE, DIJON), UDP),
        spread("a SYN from the flow's source", tcp_syn(PHONE, DIJON), TCP),
        spread("from another port", other.clone(), UDP),
        spread("from another phone", udp(OTHER_PHONE, DIJON), UDP),
        spread("another flow by a way that is kept", other, UDP).after(udp(PHONE, DIJON)),
        spread("a flow by a way that an answer has found", neighbour, UDP)
            .after(udp(port(DIJON_BACKUP, 5080), LYON))
            .after(udp(SHARED, port(DIJON_BACKUP, 5080))),
        rewritten("to a backup behind another router, from the flow's source", udp(PHONE, DIJON).into(), far)
            .about(DIJON)
            .while_serving(DIJON, 2),
    ]
}

/// All of a datagram come from one address, which is that of no port.
fn fragments() -> Vec<Fixture> {
    let whole = udp(PHONE, DIJON).payload(&[b'x'; 600]);
    let source = of_label(label(port(PHONE, 0), port(DIJON, 0), UDP));
    let [first, second] = pieces(&whole, 400);
    let [first_after, second_after] = pieces(&towards(&whole, DIJON_BACKUP), 400)
        .map(|raw: Raw| in_envelope_from(source, &raw.bytes, DIJON_BACKUP, 0));
    vec![
        rewritten("a first fragment from its datagram's source", first.clone(), first_after).about(DIJON),
        rewritten("a fragment from its datagram's source", second, second_after).after(first).about(DIJON),
    ]
}

/// Where nothing is another: IPv6 has its label, and tags stay before the envelope.
fn elsewhere() -> Vec<Fixture> {
    let trunk = udp(PHONE_AMONG_BACKUPS, DIJON);
    let tagged = in_vlans(&towards(&trunk, DIJON_BACKUP), &[100]).bytes;
    let inside = enveloped(&trunk, UDP);
    vec![
        four_in_six("an envelope of IPv6 from the router's own address", udp(PHONE, DIJON)),
        six_in_six(),
        rewritten(
            "from the flow's source in a trunk",
            in_vlans(&trunk, &[100]),
            [&tagged[..crate::frame::IP + 4], &inside[crate::frame::IP..]].concat(),
        )
        .about(DIJON),
    ]
}

#[test]
fn flows_have_more_than_one_source() {
    let of = |number| of_label(label(port(PHONE, number), DIJON, UDP));
    let sources: BTreeSet<Ipv4Addr> = (5060..5260).map(of).collect();
    assert_eq!(sources, source().addresses().collect());
}
