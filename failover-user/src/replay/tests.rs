use std::time::Duration;

use etherparse::{IpFragOffset, Ipv4Header, PacketBuilder};

use super::*;

const PHONE: ([u8; 4], u16) = ([203, 0, 113, 9], 5060);
const PRIMARY: ([u8; 4], u16) = ([192, 0, 2, 10], 5060);
const CALLEE: ([u8; 4], u16) = ([203, 0, 113, 77], 5060);
const PARIS: u32 = 1;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn datagram(from: ([u8; 4], u16), to: ([u8; 4], u16), text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4(from.0, to.0, 64)
        .udp(from.1, to.1)
        .write(&mut frame, text.as_bytes())
        .unwrap();
    frame
}

fn request(method: &str, branch: &str, call: &str, number: u32) -> String {
    format!(
        "{method} sip:1001@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK{branch}\r\n\
         From: <sip:1000@192.0.2.10>;tag=1\r\nTo: <sip:1001@192.0.2.10>\r\nCall-ID: {call}\r\n\
         CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn answer(status: u16, method: &str, branch: &str, call: &str, number: u32) -> String {
    format!(
        "SIP/2.0 {status} Whatever\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK{branch};received=203.0.113.9\r\n\
         From: <sip:1000@192.0.2.10>;tag=1\r\nTo: <sip:1001@192.0.2.10>;tag=2\r\nCall-ID: {call}\r\n\
         CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A memory, and what happens to it at a time in milliseconds.
#[derive(Default)]
struct Scene(Memory);

impl Scene {
    /// Of a primary whose answers are seen.
    fn new() -> Self {
        let mut scene = Self::default();
        scene.asks(0, &request("OPTIONS", "first", "first", 1));
        scene.says(1, &answer(200, "OPTIONS", "first", "first", 1));
        scene
    }

    fn takes(&mut self, at: u64, way: Way, frame: &[u8]) {
        self.0.take(Seen { at: ms(at), target: PARIS, ingress: 7, way, frame });
    }

    fn asks(&mut self, at: u64, text: &str) -> Vec<u8> {
        let frame = datagram(PHONE, PRIMARY, text);
        self.takes(at, Way::ToPrimary, &frame);
        frame
    }

    fn says(&mut self, at: u64, text: &str) {
        self.takes(at, Way::FromPrimary, &datagram(PRIMARY, PHONE, text));
    }

    fn forwards(&mut self, at: u64, text: &str) {
        let text = text.replacen("Via:", "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\nVia:", 1);
        self.takes(at, Way::FromPrimary, &datagram(PRIMARY, CALLEE, &text));
    }

    fn waiting(&mut self, at: u64) -> Vec<Vec<u8>> {
        let waiting = self.0.take_waiting(&BTreeSet::from([PARIS]), ms(at));
        waiting
            .into_iter()
            .map(|(target, request)| {
                assert_eq!((target, request.ingress), (PARIS, 7));
                request.frames.concat()
            })
            .collect()
    }

    fn is_empty(&self) -> bool {
        let Memory { entries, transactions, forwards, fragments, bytes, .. } = &self.0;
        (entries.len(), transactions.len(), forwards.len(), fragments.len(), *bytes) == (0, 0, 0, 0, 0)
    }
}

#[test]
fn what_has_had_no_answer_is_sent_again_as_it_came_and_once() {
    let mut scene = Scene::new();
    let register = scene.asks(10, &request("REGISTER", "a", "r@x", 1));
    let invite = scene.asks(11, &request("INVITE", "b", "c@x", 1));
    // A retransmission is no second request.
    scene.asks(510, &request("REGISTER", "a", "r@x", 1));
    assert_eq!(scene.waiting(600), [register, invite]);
    assert!(scene.waiting(601).is_empty(), "never twice");
}

#[test]
fn what_was_answered_or_forwarded_is_not() {
    let mut scene = Scene::new();
    scene.asks(10, &request("REGISTER", "a", "r@x", 1));
    scene.says(11, &answer(200, "REGISTER", "a", "r@x", 1));
    scene.asks(12, &request("INVITE", "b", "rings@x", 1));
    scene.says(13, &answer(180, "INVITE", "b", "rings@x", 1));
    scene.asks(14, &request("INVITE", "c", "goes@x", 1));
    scene.says(15, &answer(100, "INVITE", "c", "goes@x", 1));
    scene.forwards(15, &request("INVITE", "c", "goes@x", 1));
    scene.asks(16, &request("BYE", "d", "goes@x", 2));
    scene.forwards(17, &request("BYE", "d", "goes@x", 2));
    scene.asks(18, &request("ACK", "e", "rings@x", 1));
    // The answer was lost on its way to the phone, which asks once more.
    scene.asks(500, &request("REGISTER", "a", "r@x", 1));
    assert_eq!(scene.waiting(600), Vec::<Vec<u8>>::new());
}

#[test]
fn trying_is_no_answer_and_neither_is_another_ones() {
    let mut scene = Scene::new();
    let invite = scene.asks(10, &request("INVITE", "b", "c@x", 1));
    scene.says(11, &answer(100, "INVITE", "b", "c@x", 1));
    let bye = scene.asks(12, &request("BYE", "d", "d@x", 2));
    scene.says(13, &answer(180, "BYE", "d", "d@x", 2));
    for wrong in [
        answer(200, "INVITE", "other", "c@x", 1),
        answer(200, "INVITE", "b", "other@x", 1),
        answer(200, "INVITE", "b", "c@x", 2),
        answer(200, "CANCEL", "b", "c@x", 1),
    ] {
        scene.says(14, &wrong);
    }
    // Somebody else's call leaves the primary.
    scene.forwards(15, &request("INVITE", "x", "other@x", 1));
    assert_eq!(scene.waiting(20), [invite, bye]);
}

#[test]
fn a_call_that_was_forwarded_with_another_number_was_forwarded() {
    let mut scene = Scene::new();
    scene.asks(10, &request("INVITE", "b", "c@x", 7));
    scene.forwards(11, &request("INVITE", "own", "c@x", 1));
    assert!(scene.waiting(20).is_empty());
}

#[test]
fn an_answer_that_was_not_handed_on_is_sent_again() {
    let mut scene = Scene::new();
    // A callee's, whose topmost Via is the primary's; that is taken off when it is handed on.
    let with_via =
        |text: &str| text.replacen("Via:", "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\nVia:", 1);
    let ringing = answer(180, "INVITE", "b", "c@x", 1);
    let ok = answer(200, "INVITE", "b", "c@x", 1);
    scene.asks(10, &with_via(&answer(100, "INVITE", "b", "c@x", 1)));
    scene.asks(11, &with_via(&ringing));
    scene.says(12, &ringing);
    let lost = scene.asks(13, &with_via(&ok));
    assert_eq!(scene.0.suspects(ms(150)).count(), 0, "nobody answers an answer");
    assert_eq!(scene.waiting(20), [lost]);
    assert!(scene.waiting(21).is_empty());
}

#[test]
fn a_primary_whose_answers_are_never_seen_is_asked_nothing_again() {
    let mut scene = Scene::default();
    scene.asks(10, &request("INVITE", "b", "c@x", 1));
    assert!(scene.0.suspects(ms(150)).next().is_none());
    assert!(scene.waiting(20).is_empty());
}

#[test]
fn what_is_too_old_is_forgotten_and_takes_no_room() {
    let mut scene = Scene::new();
    scene.asks(10, &request("INVITE", "b", "c@x", 1));
    let late = AGE.as_millis() as u64 + 11;
    let young = scene.asks(late, &request("INVITE", "d", "d@x", 1));
    assert_eq!(scene.waiting(late), [young]);
    assert!(scene.waiting(2 * late).is_empty());
    assert!(scene.is_empty());
}

#[test]
fn after_a_loss_nothing_of_before_is_sent_again() {
    let mut scene = Scene::new();
    scene.asks(10, &request("INVITE", "b", "c@x", 1));
    scene.0.lost();
    assert!(scene.is_empty());
    assert!(scene.0.suspects(ms(150)).next().is_none(), "what it has answered is not known");
    let invite = scene.asks(20, &request("INVITE", "d", "d@x", 1));
    assert_eq!(scene.waiting(30), [invite], "what came after it is");
}

#[test]
fn room_is_bounded_and_the_oldest_make_it() {
    let mut scene = Scene::new();
    let long = "x".repeat(9000);
    let last = MOST_BYTES / 9000 + 10;
    for n in 0..last {
        scene.asks(10, &request("INVITE", &format!("{n}"), &format!("{n}{long}"), 1));
        assert!(scene.0.bytes <= MOST_BYTES);
    }
    let waiting = scene.waiting(20);
    assert!(waiting.len() > 1000 && waiting.len() < last);
    assert!(
        waiting.last().unwrap().windows(20).any(|w| w.starts_with(format!("{}xxx", last - 1).as_bytes()))
    );
    for n in 0..MOST_REQUESTS + 10 {
        scene.asks(30, &request("OPTIONS", &format!("n{n}"), &format!("n{n}"), 1));
    }
    assert_eq!(scene.0.entries.len(), MOST_REQUESTS);
    assert_eq!(scene.0.transactions.len(), MOST_REQUESTS);
}

#[test]
fn fragments_go_together() {
    let whole =
        datagram(PHONE, PRIMARY, &format!("{}{}", request("INVITE", "b", "c@x", 1), "v".repeat(2000)));
    let payload = &whole[34..];
    let cut = |from: usize, to: usize, more: bool| {
        let mut ip = Ipv4Header::new((to - from) as u16, 64, 17.into(), PHONE.0, PRIMARY.0).unwrap();
        (ip.identification, ip.more_fragments) = (4711, more);
        ip.fragment_offset = IpFragOffset::try_new(from as u16 / 8).unwrap();
        ip.header_checksum = ip.calc_header_checksum();
        let mut frame = whole[..14].to_vec();
        ip.write(&mut frame).unwrap();
        frame.extend_from_slice(&payload[from..to]);
        frame
    };
    let (first, second) = (cut(0, 1480, true), cut(1480, payload.len(), false));
    let mut scene = Scene::new();
    scene.takes(9, Way::Fragment, &second);
    scene.takes(10, Way::ToPrimary, &first);
    scene.takes(11, Way::Fragment, &second);
    let mut other = second.clone();
    other[18] ^= 1;
    scene.takes(12, Way::Fragment, &other);
    assert_eq!(scene.waiting(20), [[first.clone(), second.clone()].concat()]);
    scene.takes(30, Way::Fragment, &second);
    assert_eq!(scene.0.bytes, 0, "of what is settled, nothing is kept");
}

#[test]
fn silence_is_suspected_and_only_of_one_that_is_asked() {
    let mut scene = Scene::new();
    for n in 0..20 {
        scene.asks(100 + n, &request("OPTIONS", &format!("{n}"), &format!("{n}"), 1));
        scene.says(101 + n, &answer(200, "OPTIONS", &format!("{n}"), &format!("{n}"), 1));
    }
    assert_eq!(scene.0.suspects(ms(1000)).count(), 0, "nobody has asked");
    scene.asks(1000, &request("INVITE", "b", "c@x", 1));
    scene.asks(1015, &request("INVITE", "d", "d@x", 1));
    assert_eq!(scene.0.suspects(ms(1015)).count(), 0, "it may still answer");
    assert_eq!(scene.0.suspects(ms(1025)).collect::<Vec<_>>(), [PARIS]);
    scene.says(1026, &answer(100, "INVITE", "d", "d@x", 1));
    assert_eq!(scene.0.suspects(ms(1200)).count(), 0, "it has said something");
    scene.asks(2000, &request("INVITE", "e", "e@x", 1));
    assert_eq!(scene.0.suspects(ms(5000)).count(), 0, "that is no news");
}

#[test]
fn hostile_bytes_change_nothing() {
    let mut scene = Scene::new();
    let good = datagram(PHONE, PRIMARY, &request("INVITE", "b", "c@x", 1));
    for length in 0..good.len() {
        for way in [Way::ToPrimary, Way::FromPrimary, Way::Fragment] {
            scene.takes(10, way, &good[..length]);
        }
    }
    assert!(scene.waiting(20).is_empty());
    let mut scene = Scene::new();
    let invite = scene.asks(10, &request("INVITE", "b", "c@x", 1));
    for at in 0..good.len() {
        let mut bad = answer(200, "INVITE", "z", "z@x", 1).into_bytes();
        if let Some(byte) = bad.get_mut(at) {
            *byte ^= 0x80;
        }
        scene.takes(11, Way::FromPrimary, &datagram(PRIMARY, PHONE, &String::from_utf8_lossy(&bad)));
    }
    assert_eq!(scene.waiting(20), [invite]);
}
