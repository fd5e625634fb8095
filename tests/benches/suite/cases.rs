//! What is measured of the data path: the rows, the frames of each, and what must become of them.

use std::net::SocketAddrV4;

use anyhow::Result;
use failover_common::reason::Reason;

use super::{
    network::{
        FLOOR, Family, OTHER, PHONE, SERVING, SHARED, SHARING, SOLE, STEERED, STEERED_ALONE, STEERED_BY_CALL,
        STEERED_IPIP, STEERED_L2, WATCHED,
    },
    packets::{Frame, Transport},
    programs::Action,
    report::{Asked, Row},
    router::FLOWS,
};

/// Bytes of the frame; one of TCP over IPv6 has the same ten bytes of data.
pub const LENGTHS: [(Transport, usize); 2] = [(Transport::Udp, 522), (Transport::Tcp, 64)];
const TCP_V6: usize = 84;
/// G.711, 20 ms.
const RTP: [usize; 2] = [214, 234];
/// As many phones as there are addresses for: by the time that one comes again it is long forgotten.
const NEW: u32 = 4_000_000;

/// A row, and how it is measured.
pub struct Case {
    /// What comes of it.
    pub row: Row,
    /// What is sent.
    pub frame: Frame,
    /// Who gets it.
    pub under: Under,
    /// In what each run must end.
    pub action: Action,
    /// How many times less often than the others.
    pub fewer: u32,
}

/// The program under test.
#[derive(Clone, Copy)]
pub enum Under {
    /// One of the benches' own.
    Floor(&'static str),
    /// The router's, which must count every packet so.
    Router(Option<SocketAddrV4>, Reason),
}

/// Every row with one flow.
pub fn one_flow() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for family in [Family::V4, Family::V6] {
        cases.extend(floors(family)?);
        cases.extend(passed(family)?);
        cases.extend(steered(family, 1, &LENGTHS)?);
        cases.extend(unremembered(family)?);
        cases.push(by_call(family)?);
    }
    Ok(cases)
}

/// The rows with as many flows, over these transports.
pub fn many_flows(flows: u32, lengths: &[(Transport, usize)]) -> Result<Vec<Case>> {
    let [four, six] = [Family::V4, Family::V6].map(|family| steered(family, flows, lengths));
    Ok([four?, six?].into_iter().flatten().collect())
}

/// Every packet is the first of its flow, and another flow is forgotten for it.
pub fn new_flows() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for family in [Family::V4, Family::V6] {
        for &(transport, length) in &LENGTHS {
            let under = Under::Router(Some(STEERED), Reason::Steered);
            let frame = frame(family, transport, PHONE, STEERED, length)?;
            let mut case = Case::new("steer_nat_new_flow", frame, under, Action::Redirect);
            (case.row.flows, case.fewer) = (NEW, 5);
            cases.push(case.asked("floor_forward", Asked::Nanoseconds(1000.0)));
        }
    }
    Ok(cases)
}

/// What the parts cost by themselves.
fn floors(family: Family) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (transport, length) in LENGTHS {
        for name in ["floor_pass", "floor_wrap", "floor_envelope", "floor_parse", "floor_forward"] {
            let frame = frame(family, transport, PHONE, FLOOR, length)?;
            let action = if name == "floor_forward" { Action::Redirect } else { Action::Pass };
            cases.push(Case::new(name, frame, Under::Floor(name), action));
        }
    }
    Ok(cases)
}

/// What is not steered.
fn passed(family: Family) -> Result<Vec<Case>> {
    let other = |port| SocketAddrV4::new(*OTHER.ip(), port);
    let phone = |port| SocketAddrV4::new(*PHONE.ip(), port);
    let pass = |name, transport, from, to, length, under, most| -> Result<Case> {
        let case = Case::new(name, frame(family, transport, from, to, length)?, under, Action::Pass);
        Ok(case.asked("floor_pass", Asked::Ratio(most)))
    };
    let mut cases = Vec::new();
    let not_ours = Under::Router(None, Reason::NotSignalling);
    for (transport, length) in LENGTHS {
        cases.push(pass("pass_other", transport, phone(40_000), other(443), length, not_ours, 1.5)?);
        let serving = Under::Router(Some(SERVING), Reason::PrimaryServes);
        cases.push(pass("pass_primary", transport, PHONE, SERVING, length, serving, 4.0)?);
    }
    let (transport, length) = LENGTHS[0];
    let frame = Frame::new(transport, family.of(PHONE), family.of(WATCHED), length)?;
    let watched = Under::Router(Some(WATCHED), Reason::PrimaryServes);
    let case = Case::new("pass_primary_watched", frame, watched, Action::Pass);
    cases.push(case.asked("floor_pass", Asked::More(300.0)));
    let (from, to, length) = (phone(16_384), other(20_000), RTP[usize::from(family == Family::V6)]);
    cases.push(pass("pass_media", Transport::Udp, from, to, length, not_ours, 1.5)?);
    Ok(cases)
}

/// There and back, by way of a backup of one target, or of several. The way there is the first: the way back needs what it
/// remembers.
fn steered(family: Family, flows: u32, lengths: &[(Transport, usize)]) -> Result<Vec<Case>> {
    let most = if flows == 1 { Some(1.15) } else { (flows <= FLOWS).then_some(2.5) };
    let mut cases = Vec::new();
    for &(transport, length) in lengths {
        for (name, from, to, target, reason) in [
            ("steer_nat", PHONE, STEERED, STEERED, Reason::Steered),
            ("return_nat", SOLE, PHONE, STEERED, Reason::Returned),
            ("steer_shared", PHONE, SHARING, SHARING, Reason::Steered),
            ("return_shared", SHARED, PHONE, SHARING, Reason::Returned),
        ] {
            if flows > 1 && target == SHARING {
                continue;
            }
            let under = Under::Router(Some(target), reason);
            let frame = frame(family, transport, from, to, length)?;
            let mut case = Case::new(name, frame, under, Action::Redirect);
            (case.row.flows, case.row.ratio_to) = (flows, Some("floor_forward"));
            case.row.asked = most.filter(|_| target == STEERED).map(Asked::Ratio);
            cases.push(case);
        }
    }
    Ok(cases)
}

/// A request whose Call-ID is read, and remembered.
fn by_call(family: Family) -> Result<Case> {
    let invite = "INVITE sip:1001@10.88.2.90 SIP/2.0\r\nVia: SIP/2.0/UDP 100.64.0.10:5060;branch=z9hG4bKnashds8\r\n\
                  Max-Forwards: 70\r\nFrom: <sip:1000@10.88.2.90>;tag=1928301774\r\nTo: <sip:1001@10.88.2.90>\r\n\
                  Call-ID: a84b4c76e66710@100.64.0.10\r\nCSeq: 314159 INVITE\r\n\
                  Contact: <sip:1000@100.64.0.10:5060>\r\nContent-Type: application/sdp\r\nContent-Length: 142\r\n\r\n";
    let (from, to) = (family.of(PHONE), family.of(STEERED_BY_CALL));
    let (transport, length) = LENGTHS[0];
    let frame = Frame::saying(invite.as_bytes(), transport, from, to, length)?;
    let under = Under::Router(Some(STEERED_BY_CALL), Reason::Steered);
    let case = Case::new("steer_call_affinity", frame, under, Action::Redirect);
    Ok(case.asked("steer_nat", Asked::More(110.0)))
}

/// What needs no memory.
fn unremembered(family: Family) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, target, most) in [
        ("steer_dedicated", STEERED_ALONE, Some(1.0)),
        ("steer_l2", STEERED_L2, Some(1.0)),
        ("steer_ipip", STEERED_IPIP, None),
    ] {
        for (transport, length) in LENGTHS {
            let under = Under::Router(Some(target), Reason::Steered);
            let frame = frame(family, transport, PHONE, target, length)?;
            let mut case = Case::new(name, frame, under, Action::Redirect);
            (case.row.ratio_to, case.row.asked) = (Some("floor_forward"), most.map(Asked::Ratio));
            cases.push(case);
        }
    }
    Ok(cases)
}

fn frame(
    family: Family,
    transport: Transport,
    from: SocketAddrV4,
    to: SocketAddrV4,
    length: usize,
) -> Result<Frame> {
    let length = match (family, transport) {
        (Family::V6, Transport::Tcp) => TCP_V6,
        _ => length,
    };
    Frame::new(transport, family.of(from), family.of(to), length)
}

impl Case {
    fn new(name: &'static str, frame: Frame, under: Under, action: Action) -> Self {
        let row = Row {
            name,
            family: frame.family().number(),
            bytes: frame.bytes.len(),
            flows: 1,
            ratio_to: None,
            asked: None,
            rounds: Vec::new(),
        };
        Self { row, frame, under, action, fewer: 1 }
    }

    fn asked(mut self, of: &'static str, asked: Asked) -> Self {
        (self.row.ratio_to, self.row.asked) = (Some(of), Some(asked));
        self
    }

    /// Whatever writes to the frame needs it made whole before each run.
    pub fn is_fed(&self) -> bool {
        self.action == Action::Redirect || matches!(self.row.name, "floor_wrap" | "floor_envelope")
    }

    /// Whether it goes to the one who asked.
    pub fn is_answer(&self) -> bool {
        matches!(self.under, Under::Router(_, Reason::Returned))
    }
}
