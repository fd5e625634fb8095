//! SIP over UDP while a target drains: a call goes on where it began, by its Call-ID.

use std::net::SocketAddrV4;

use failover_common::reason::Reason;

use crate::{
    fixture::{Fixture, Way::*, expect, leave, steer},
    frame::{Frame, udp},
    network::*,
};

pub fn fixtures() -> Vec<Fixture> {
    [back_to_the_primary(), away_from_it(), as_it_may_be_written(), what_is_not_read()].concat()
}

/// A message of the call `id`, with this start line, and more behind To.
fn message(start: &str, id: &str, to: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 10.88.1.10:5062;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:1000@paris.example>;tag=a\r\n\
         To: <sip:1001@paris.example>{to}\r\nCall-ID: {id}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
}

const INVITE: &str = "INVITE sip:1001@paris.example SIP/2.0";
const BYE: &str = "BYE sip:1001@paris.example SIP/2.0";
const TAG: &str = ";tag=b";

fn invite(id: &str) -> String {
    message(INVITE, id, "")
}

fn bye(id: &str) -> String {
    message(BYE, id, TAG)
}

fn to(target: SocketAddrV4, text: &str) -> Frame {
    udp(PHONE, target).payload(text.as_bytes())
}

/// The phone says `text` to `target`, and that goes to `backup`.
fn steered(name: &str, text: &str, target: SocketAddrV4, backup: SocketAddrV4) -> Fixture {
    let expected = udp(PHONE, backup).payload(text.as_bytes());
    steer(name, to(target, text), expect(Redirect, expected))
}

/// The same, and it stays with the primary.
fn stays(name: &str, text: &str, target: SocketAddrV4) -> Fixture {
    leave(name, to(target, text), Reason::PrimaryServes).about(target)
}

fn back_to_the_primary() -> Vec<Fixture> {
    let call = "a84b4c76e66710@10.88.1.10";
    let goes_on = |name: &str, text: &str| {
        steered(name, text, PARIS, PARIS_BACKUP).after(to(PARIS, &invite(call))).then_back_from(PARIS, 1)
    };
    let returns = |name: &str, text: &str| {
        stays(name, text, PARIS).after(to(PARIS, &invite(call))).then_back_from(PARIS, 1)
    };
    let from_backup = |text: &str| udp(PARIS_BACKUP, PHONE).payload(text.as_bytes());
    vec![
        goes_on("a call's BYE goes where the call began", &bye(call)),
        goes_on("so does its ACK", &message("ACK sip:1001@paris.example SIP/2.0", call, TAG)),
        goes_on("and what a phone answers in it", &message("SIP/2.0 200 OK", call, TAG)),
        goes_on("and another INVITE without a tag", &invite(call)),
        goes_on("also when it was answered", &bye(call)).after(from_backup(&message(
            "SIP/2.0 200 OK",
            call,
            TAG,
        ))),
        returns("another call's BYE does not", &bye("b@10.88.1.10")),
        returns("nor does a Call-ID that begins alike", &bye("a84b4c76e66710@10.88.1.1")),
        returns("nor one that goes on", &bye("a84b4c76e66710@10.88.1.100")),
        returns("nor one of other capitals", &bye("A84B4C76E66710@10.88.1.10")),
        returns("a new call goes to the primary", &invite("b@10.88.1.10")),
        returns("a REGISTER, too", &message("REGISTER sip:paris.example SIP/2.0", "r@10.88.1.10", "")),
        stays("a call of a registration", &bye(call), PARIS)
            .after(to(PARIS, &message("REGISTER sip:paris.example SIP/2.0", call, "")))
            .then_back_from(PARIS, 1),
        steered(
            "a subscription goes on",
            &message("SUBSCRIBE sip:1001@paris.example SIP/2.0", call, TAG),
            PARIS,
            PARIS_BACKUP,
        )
        .after(to(PARIS, &message("SUBSCRIBE sip:1001@paris.example SIP/2.0", call, "")))
        .then_back_from(PARIS, 1),
        steered("a call that the backup has begun goes on", &bye(call), PARIS, PARIS_BACKUP)
            .after(from_backup(&invite(call)))
            .then_back_from(PARIS, 1),
        stays("a call of the backup before", &bye(call), PARIS)
            .after(to(PARIS, &invite(call)))
            .then_back_from(PARIS, 2),
        stays("a call after draining", &bye(call), PARIS)
            .after(to(PARIS, &invite(call)))
            .then_served_by(PARIS, 0),
        steered("at a shared backup, too", &bye(call), LYON, SHARED)
            .after(to(LYON, &invite(call)))
            .then_back_from(LYON, 1),
        stays("a call of the other target there", &bye(call), LYON)
            .after(to(NICE, &invite(call)))
            .then_back_from(LYON, 1),
        steered("by affinity, though failback is immediate", &bye(call), METZ, METZ_BACKUP_UDP)
            .after(to(METZ, &invite(call)))
            .then_back_from(METZ, 1),
        stays("not without, where failback is immediate", &bye(call), NICE)
            .after(to(NICE, &invite(call)))
            .then_back_from(NICE, 1),
    ]
}

fn away_from_it() -> Vec<Fixture> {
    let call = "c1@10.88.1.10";
    let drained = |fixture: Fixture| fixture.then_drained_to(PARIS, 1);
    vec![
        drained(steered("a new call while the primary is drained", &invite(call), PARIS, PARIS_BACKUP)),
        drained(steered(
            "a REGISTER while it is drained",
            &message("REGISTER sip:paris.example SIP/2.0", call, ""),
            PARIS,
            PARIS_BACKUP,
        )),
        drained(stays("an old call stays while it is drained", &bye(call), PARIS)),
        drained(stays(
            "so does the CANCEL of one",
            &message("CANCEL sip:1001@paris.example SIP/2.0", call, ""),
            PARIS,
        )),
        drained(stays("so does an answer", &message("SIP/2.0 200 OK", call, ""), PARIS)),
        steered("a call that began while it was drained", &bye(call), PARIS, PARIS_BACKUP)
            .then_drained_to(PARIS, 1)
            .after(to(PARIS, &invite(call))),
        steered(
            "its CANCEL",
            &message("CANCEL sip:1001@paris.example SIP/2.0", call, ""),
            PARIS,
            PARIS_BACKUP,
        )
        .then_drained_to(PARIS, 1)
        .after(to(PARIS, &invite(call))),
        steered(
            "what a phone answers to a call that the backup has begun while it was drained",
            &message("SIP/2.0 180 Ringing", call, TAG),
            TO_NARROW,
            NARROW_BACKUP,
        )
        .then_drained_to(TO_NARROW, 1)
        .after(udp(NARROW_BACKUP, PHONE).payload(invite(call).as_bytes())),
    ]
}

/// RFC 3261 §7.3.1 and §7.3.3.
fn as_it_may_be_written() -> Vec<Fixture> {
    let call = "d1@10.88.1.10";
    let written = |name: &str, header: &str| {
        let text = bye(call).replace("Call-ID: ", header);
        steered(&format!("a Call-ID {name}"), &text, PARIS, PARIS_BACKUP)
            .after(to(PARIS, &invite(call)))
            .then_back_from(PARIS, 1)
    };
    let tagged = |name: &str, value: &str| {
        let text = invite("n@10.88.1.10").replace("To: <sip:1001@paris.example>", value);
        stays(&format!("a tag {name}"), &text, PARIS).then_drained_to(PARIS, 1)
    };
    let untagged = |name: &str, value: &str| {
        let text = invite("n@10.88.1.10").replace("To: <sip:1001@paris.example>", value);
        steered(&format!("no tag, but {name}"), &text, PARIS, PARIS_BACKUP).then_drained_to(PARIS, 1)
    };
    vec![
        written("in its compact form", "i: "),
        written("in a compact capital", "I:"),
        written("in capitals", "CALL-ID: "),
        written("without a space", "Call-ID:"),
        written("behind many spaces", "Call-ID  \t :  \t  "),
        written("in a folded line", "Call-ID:\r\n "),
        written("in a compact folded line", "i :\r\n\t\t"),
        written("behind a folded header", "Subject: this goes\r\n on: here\r\nCall-ID: "),
        written("behind a header that begins alike", "Call-ID-Of: x\r\nCall-ID: "),
        tagged("in a compact To", "t:<sip:1001@paris.example>;tag=b"),
        tagged("without brackets", "To: sip:1001@paris.example;tag=b"),
        tagged("behind another parameter", "To: <sip:1001@paris.example>;x=y;tag=b"),
        tagged("in capitals, and with spaces", "TO : <sip:1001@paris.example> ; TAG = b"),
        tagged("in a folded line", "To: <sip:1001@paris.example>\r\n ;\r\n tag=b"),
        untagged("one of the URI", "To: <sip:1001@paris.example;tag=b>"),
        untagged("one in a name", "To: \"a \\\";tag=b\" <sip:1001@paris.example>"),
        untagged("something that begins alike", "To: <sip:1001@paris.example>;tags=b;ta=g"),
    ]
}

fn what_is_not_read() -> Vec<Fixture> {
    let call = "e1@10.88.1.10";
    let after = |fixture: Fixture| fixture.after(to(PARIS, &invite(call))).then_back_from(PARIS, 1);
    let long = format!("{}@10.88.1.10", "x".repeat(200));
    let far = bye(call).replace("Call-ID", &format!("Subject: {}\r\nCall-ID", "s".repeat(1000)));
    let in_body =
        bye("f@10.88.1.10").replace("Call-ID: f@10.88.1.10\r\n", "") + &format!("Call-ID: {call}\r\n\r\n");
    vec![
        after(stays("a Call-ID in the body", &in_body, PARIS)),
        after(stays("a Call-ID that is too far", &far, PARIS)),
        after(stays("a Call-ID that is empty", &bye(call).replace(call, ""), PARIS)),
        after(stays(
            "a message that ends in its Call-ID",
            bye(call).split_once("\r\nCSeq").unwrap().0,
            PARIS,
        )),
        after(stays("a message without To", &bye(call).replace("To: ", "X: "), PARIS)),
        after(stays("a keep-alive", "\r\n\r\n", PARIS)),
        after(stays("a long keep-alive", &"\r\n".repeat(40), PARIS)),
        stays("a Call-ID that is too long", &bye(&long), PARIS)
            .after(to(PARIS, &invite(&long)))
            .then_back_from(PARIS, 1),
    ]
}
