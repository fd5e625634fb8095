//! What our probes ask, as Wireshark's dissectors read it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use failover_tests::process::{command, run};
use failover_user::proto::{
    h225::{address::AliasAddress, q931::status_enquiry, ras::question},
    megaco::AuditRoot,
    mgcp::AuditEndpoint,
    sip::{Carrier, Options, Token},
    tpkt,
};

/// One datagram or segment, its port at the server, and words of what it is.
struct Question {
    name: &'static str,
    protocol: &'static str,
    port: u16,
    octets: Vec<u8>,
    read_as: &'static [&'static str],
}

fn sip(carrier: Carrier) -> Vec<u8> {
    let token = Token::from_random(&[0x5a; Token::RANDOM]);
    let (server, local) = (([192, 0, 2, 10], 5060).into(), ([192, 0, 2, 1], 40_000).into());
    Options { server, local, carrier, token: &token, cseq: 7 }.to_bytes()
}

fn questions() -> Result<Vec<Question>> {
    let question = |name, protocol, port, octets, read_as| Question { name, protocol, port, octets, read_as };
    let (reply, failover) = (([192, 0, 2, 1], 20_000).into(), || AliasAddress::from_text("failover"));
    let monitoring = AliasAddress::from_text("gatekeeper-monitoring-check")?;
    let lrq = question::location_request(4711, monitoring, failover()?, reply)?;
    let grq = question::gatekeeper_request(4712, failover()?, reply)?;
    let enquiry = tpkt::packet(&status_enquiry(1234)?)?;
    let auep = AuditEndpoint { transaction: 123_456_789, domain: [192, 0, 2, 10].into() }.to_bytes();
    let audit = AuditRoot { transaction: 4_000_000_000, local: reply }.to_bytes();
    let framed = tpkt::packet(&audit)?;
    let [lrq_is, grq_is]: [&[&str]; 2] = [
        &["RasMessage: locationRequest", "requestSeqNum: 4711", "h323-ID: gatekeeper-monitoring-check"],
        &["RasMessage: gatekeeperRequest", "requestSeqNum: 4712", "h323-ID: failover"],
    ];
    let options_is = &["Request-Line: OPTIONS sip:192.0.2.10:5060 SIP/2.0", "Sequence Number: 7"];
    let audit_is = &["Transaction=4000000000", "AuditValue", "ROOT"];
    Ok(vec![
        question("lrq", "udp", 1719, lrq, lrq_is),
        question("grq", "udp", 1719, grq, grq_is),
        question("enquiry", "tcp", 1720, enquiry, &["Message type: STATUS ENQUIRY", "value: 04d2", "empty"]),
        question("options-udp", "udp", 5060, sip(Carrier::Udp), options_is),
        question("options-tcp", "tcp", 5060, sip(Carrier::Tcp), options_is),
        question(
            "auep",
            "udp",
            2427,
            auep,
            &["AUEP (AuditEndpoint)", "Transaction ID: 123456789", "*@[192.0.2.10]"],
        ),
        question("audit-udp", "udp", 2944, audit, audit_is),
        question("audit-tcp", "tcp", 2944, framed, audit_is),
    ])
}

fn capture(question: &Question, folder: &Path) -> Result<PathBuf> {
    let (dump, capture) = (folder.join(question.name), folder.join(format!("{}.pcap", question.name)));
    let mut lines = String::new();
    for (n, line) in question.octets.chunks(16).enumerate() {
        write!(lines, "{:06x}", n * 16)?;
        line.iter().try_for_each(|octet| write!(lines, " {octet:02x}"))?;
        lines.push('\n');
    }
    fs::write(&dump, lines)?;
    let ports = format!("40000,{}", question.port);
    let flag = if question.protocol == "udp" { "-u" } else { "-T" };
    let (from, to) = (dump.to_string_lossy(), capture.to_string_lossy());
    run(command("text2pcap", ["-q", flag, &ports, "-4", "192.0.2.1,192.0.2.10", &from, &to]))?;
    Ok(capture)
}

#[test]
fn every_question_is_dissected_without_complaint() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for question in questions()? {
        let capture = capture(&question, folder.path())?;
        let capture = capture.to_string_lossy();
        let complaint = "_ws.malformed or _ws.expert.severity >= \"Warning\" or data";
        let complaints = run(command("tshark", ["-n", "-r", &capture, "-Y", complaint, "-V"]))?;
        ensure!(complaints.is_empty(), "{}: {complaints}", question.name);
        let read = run(command("tshark", ["-n", "-r", &capture, "-V"]))?;
        for words in question.read_as {
            ensure!(read.contains(words), "{}: {words} is not in {read}", question.name);
        }
    }
    Ok(())
}
