//! Who is probed, and what is said of it.

use std::time::Instant;

use super::*;
use crate::config;

fn targets(text: &str) -> Vec<Target> {
    let text = format!("[router]\ninterfaces = [\"wan0\"]\n{text}");
    config::parse("test", &text).unwrap().config.targets
}

fn fleet() -> Fleet {
    Fleet::new(Lived::load(std::path::Path::new("/nonexistent")), mpsc::channel(1).0, mpsc::channel(1).0)
}

fn report(id: u32, outcome: Outcome, ever_alive: bool, failures: u32) -> Report {
    let health = if failures == 0 { Health::Up } else { Health::Down };
    Report {
        id,
        at: Instant::now(),
        late: Duration::ZERO,
        question: "OPTIONS".into(),
        outcome,
        health,
        ever_alive,
        transition: None,
        failures,
        fall: 3,
        pending: None,
    }
}

fn failed() -> Outcome {
    Outcome::Failed { said: "no answer in 300ms".into() }
}

const DUAL: &str = "[[target]]\nname = \"paris\"\naddress = [\"2001:db8::10\", \"192.0.2.10\"]\n\
                    [[target.backup]]\nname = \"both\"\naddress = [\"198.51.100.1\", \"2001:db8:1::1\"]\n\
                    ports = { \"sip/udp\" = 15060 }\n\
                    [[target.backup]]\nname = \"one\"\naddress = \"198.51.100.2\"\n";
const V6: &str = "[[target]]\nname = \"rome\"\naddress = \"2001:db8::20\"\n\
                  [[target.backup]]\nname = \"both\"\naddress = [\"198.51.100.1\", \"2001:db8:1::1\"]\n\
                  ports = { \"sip/udp\" = 15060 }\n";

#[tokio::test]
async fn every_service_is_probed_at_every_address_that_is_used() {
    let mut fleet = fleet();
    let crews = fleet.follow(&targets(&(DUAL.to_owned() + V6)));
    let probed = |crew: &Crew, server| -> Vec<String> {
        let of = |id| {
            let subject = &fleet.get(id).unwrap().subject;
            format!("{}@{}", subject.service, subject.server)
        };
        everyone(crew.of(server)).map(of).collect()
    };
    let [paris, rome] = crews.as_slice() else { panic!("{crews:?}") };
    let udp_tcp = |udp: &str, tcp: &str| [format!("sip/udp@{udp}"), format!("sip/tcp@{tcp}")];
    let primary = [
        udp_tcp("192.0.2.10:5060", "192.0.2.10:5060"),
        udp_tcp("[2001:db8::10]:5060", "[2001:db8::10]:5060"),
    ];
    assert_eq!(probed(paris, 0), primary.concat());
    let v6 = udp_tcp("[2001:db8:1::1]:15060", "[2001:db8:1::1]:5060");
    let both = [udp_tcp("198.51.100.1:15060", "198.51.100.1:5060"), v6.clone()];
    assert_eq!(probed(paris, 1), both.concat());
    assert_eq!(probed(paris, 2), udp_tcp("198.51.100.2:5060", "198.51.100.2:5060"));
    assert_eq!(probed(rome, 1), v6, "in the target's family alone");
    let shared = &paris.of(1)[1].probers;
    assert_eq!(&rome.of(1)[0].probers, shared);
    assert!(shared.iter().all(|id| fleet.served_by(*id) == [0, 1]));
}

#[tokio::test]
async fn the_worst_that_has_a_say_speaks_and_tells_where() {
    let mut fleet = fleet();
    let crews = fleet.follow(&targets(DUAL));
    let (primary, one) = (crews[0].of(0), crews[0].of(2));
    assert_eq!(fleet.said(primary), "sip/tcp at [2001:db8::10]:5060: not probed yet");
    let (v4, v6) = (primary[0].probers[0], primary[1].probers[1]);
    fleet.note(report(v6, failed(), false, 9));
    assert_eq!(fleet.said(primary), "sip/tcp at [2001:db8::10]:5060: no answer in 300ms, 3 of 3");
    let rtt = Duration::from_millis(1);
    fleet.note(report(v4, Outcome::Alive { rtt, said: "200 OK".into() }, true, 0));
    assert_eq!(fleet.said(primary), "sip/udp at 192.0.2.10:5060: 200 OK");
    fleet.note(report(v6, failed(), true, 1));
    assert_eq!(fleet.said(primary), "sip/tcp at [2001:db8::10]:5060: no answer in 300ms, 1 of 3");
    assert_eq!(fleet.rtt(primary), Some(rtt));
    fleet.note(report(one[0].probers[0], failed(), true, 2));
    assert_eq!(fleet.said(one), "sip/udp: no answer in 300ms, 2 of 3");
}

#[test]
fn a_prober_that_several_targets_share_works_for_each_once() {
    let post = |probers: &[u32]| Post { address: [192, 0, 2, 1].into(), probers: probers.into() };
    let crews = [
        Crew(vec![vec![post(&[1, 1])], vec![post(&[3])], vec![post(&[3])]]),
        Crew(vec![vec![post(&[2])], vec![post(&[3])]]),
    ];
    assert_eq!(works_for(&crews), BTreeMap::from([(1, vec![0]), (2, vec![1]), (3, vec![0, 1])]));
}
