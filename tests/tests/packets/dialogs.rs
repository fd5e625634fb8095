//! What is written down about a call: whether it is one that was answered, which nobody pushes out and which keeps its
//! target draining, and whether it is over.

use std::net::SocketAddrV4;

use anyhow::Result;
use failover_common::value::Call;

use crate::{
    bench::{Bench, with_bench},
    fixture::Step,
    frame::{Raw, udp},
    network::{PARIS, PARIS_BACKUP, PHONE},
};

/// Who says something, and what, of which request.
type Said = (SocketAddrV4, &'static str, &'static str);

/// What the tables hold of the one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    Unanswered,
    Answered,
    Over,
}
use Known::{Answered, Nothing, Over, Unanswered};

const INVITE: &str = "INVITE sip:1001@paris.example SIP/2.0";
const SUBSCRIBE: &str = "SUBSCRIBE sip:1001@paris.example SIP/2.0";
const CANCEL: &str = "CANCEL sip:1001@paris.example SIP/2.0";
const OPTIONS: &str = "OPTIONS sip:paris.example SIP/2.0";
const BYE: &str = "BYE sip:1001@paris.example SIP/2.0";
const RINGING: &str = "SIP/2.0 180 Ringing";
const OK: &str = "SIP/2.0 200 OK";
const TERMINATED: &str = "SIP/2.0 487 Request Terminated";

const BACKUP: SocketAddrV4 = PARIS_BACKUP;

fn frame((from, start, cseq): Said) -> Raw {
    let to = if from == PHONE { PARIS } else { PHONE };
    let begins = cseq.starts_with("1 ") && !start.starts_with("SIP/");
    let tag = if begins { "" } else { ";tag=b" };
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 10.88.1.10:5062;branch=z9hG4bK1\r\nFrom: <sip:1000@paris.example>;tag=a\r\n\
         To: <sip:1001@paris.example>{tag}\r\nCall-ID: a84b4c76e66710\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
    );
    udp(from, to).payload(text.as_bytes()).into()
}

fn known(bench: &Bench) -> Result<Known> {
    let [unanswered, answered] = bench.calls()?;
    let answered = answered.iter().next().transpose()?;
    Ok(match answered {
        Some((_, call)) if call.flags & Call::ENDED != 0 => Over,
        Some(_) => Answered,
        None if unanswered.keys().next().is_some() => Unanswered,
        None => Nothing,
    })
}

fn stories() -> Vec<(&'static str, Vec<Said>, Known)> {
    let asked = (PHONE, INVITE, "1 INVITE");
    let taken = (BACKUP, OK, "1 INVITE");
    let called = (BACKUP, INVITE, "1 INVITE");
    vec![
        ("a phone calls", vec![asked], Unanswered),
        ("it rings", vec![asked, (BACKUP, RINGING, "1 INVITE")], Unanswered),
        ("it is answered", vec![asked, taken], Answered),
        ("a long CSeq", vec![asked, (BACKUP, OK, "2147483647 INVITE")], Answered),
        ("a subscription", vec![(PHONE, SUBSCRIBE, "1 SUBSCRIBE"), (BACKUP, OK, "1 SUBSCRIBE")], Answered),
        ("the phone hangs up", vec![asked, taken, (PHONE, BYE, "2 BYE"), (BACKUP, OK, "2 BYE")], Over),
        ("the backup does", vec![asked, taken, (BACKUP, BYE, "2 BYE"), (PHONE, OK, "2 BYE")], Over),
        (
            "nobody takes it, and the phone gives up",
            {
                let cancelled = [(BACKUP, OK, "1 CANCEL"), (BACKUP, TERMINATED, "1 INVITE")];
                [&[asked, (BACKUP, RINGING, "1 INVITE"), (PHONE, CANCEL, "1 CANCEL")], &cancelled[..]]
                    .concat()
            },
            Unanswered,
        ),
        ("its PRACK is answered", vec![asked, (BACKUP, OK, "2 PRACK")], Unanswered),
        (
            "anybody's OPTIONS under its Call-ID is",
            { vec![asked, (PHONE, OPTIONS, "2 OPTIONS"), (BACKUP, OK, "2 OPTIONS")] },
            Unanswered,
        ),
        ("its caller answers it", vec![asked, (PHONE, OK, "1 INVITE")], Unanswered),
        ("the backup calls, and the phone answers", vec![called, (PHONE, OK, "1 INVITE")], Answered),
        ("the backup calls, and answers itself", vec![called, (BACKUP, OK, "1 INVITE")], Unanswered),
        (
            "the backup's call is over",
            { vec![called, (PHONE, OK, "1 INVITE"), (PHONE, BYE, "1 BYE"), (BACKUP, OK, "1 BYE")] },
            Over,
        ),
        (
            "it begins again under the same Call-ID",
            vec![asked, taken, (PHONE, BYE, "2 BYE"), asked],
            Answered,
        ),
        (
            "it begins again before anybody has taken it",
            vec![asked, (PHONE, BYE, "2 BYE"), asked, taken],
            Answered,
        ),
        ("an answer to nothing", vec![taken], Nothing),
        ("a BYE of nothing", vec![(PHONE, BYE, "2 BYE")], Nothing),
    ]
}

#[test]
fn what_is_written_down_about_a_call() {
    let failures = with_bench(|bench| {
        let mut failures = Vec::new();
        for (name, said, expected) in stories() {
            // While the backup serves, and while the target drains to it.
            for keeper in [0, 1] {
                bench.forget()?;
                bench.step(&Step::Serve { target: PARIS, serving: 1, keeper })?;
                for said in &said {
                    bench.send(&frame(*said))?;
                }
                let found = known(bench)?;
                if found != expected {
                    failures.push(format!("{name}, keeper {keeper}: {found:?}, expected {expected:?}"));
                }
            }
        }
        Ok(failures)
    });
    assert!(failures.is_empty(), "{failures:#?}");
}
