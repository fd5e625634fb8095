//! A message in one line, for people.

use jiff::tz::TimeZone;

use super::{Content, NOTHING, Row, clean, instant};
use crate::proto::decode::{H225, Ras};

/// `12  10:00:00.123  10.99.0.2:1719 → 10.99.0.1:1719  RAS/UDP  RRQ  number 5, …`
pub(super) fn line(row: &Row<'_>, zone: &TimeZone) -> String {
    let time = row.time.as_deref().map_or(NOTHING.to_owned(), |time| instant(time, zone));
    let over = format!("{}/{}", row.protocol.name(), row.transport.name());
    let name = row.message.as_deref().map_or(NOTHING.into(), clean);
    let way = format!("{} → {}", row.source, row.destination);
    let mut line = format!("{:>6}  {time}  {way}  {over}  {name}", row.frame);
    let details = row.content.map(details).unwrap_or_default();
    if !details.is_empty() {
        line = format!("{line}  {}", clean(&details.join(", ")));
    }
    match row.malformed {
        Some(why) => format!("{line}  malformed: {}", clean(why)),
        None => line,
    }
}

/// What tells a message from others of its name.
fn details(content: &Content) -> Vec<String> {
    let mut details = Vec::new();
    let mut tell = |name: &str, value: Option<&str>| {
        details.extend(value.filter(|value| !value.is_empty()).map(|value| format!("{name} {value}")));
    };
    match content {
        Content::Sip(sip) => {
            tell("to", sip.uri.as_deref());
            tell("reason", sip.reason.as_deref());
            let call = |name: &str| name.eq_ignore_ascii_case("Call-ID") || name.eq_ignore_ascii_case("i");
            let call = sip.headers.iter().find(|header| call(&header.name));
            tell("Call-ID", call.map(|header| header.value.as_str()));
        }
        Content::Ras(message) => ras(message, &mut tell),
        Content::H225(message) => h225(message, &mut tell),
        Content::Mgcp(mgcp) => {
            tell("transaction", Some(&mgcp.transaction.to_string()));
            tell("endpoint", mgcp.endpoint.as_deref());
            tell("comment", mgcp.comment.as_deref());
        }
        Content::Megaco(megaco) => {
            for transaction in &megaco.transactions {
                tell(transaction.kind, transaction.id.map(|id| id.to_string()).as_deref());
                tell("with", Some(&transaction.commands.join(" ")));
                tell("error", transaction.error.map(|code| code.to_string()).as_deref());
            }
        }
    }
    details
}

fn ras(ras: &Ras, tell: &mut impl FnMut(&str, Option<&str>)) {
    tell("number", ras.request_seq_num.map(|number| number.to_string()).as_deref());
    tell("gatekeeper", ras.gatekeeper_identifier.as_deref());
    tell("endpoint", ras.endpoint_identifier.as_deref());
    tell("aliases", Some(&ras.aliases.join(" ")));
    tell("for", Some(&ras.destination_aliases.join(" ")));
    tell("reason", ras.reject_reason.as_deref().or(ras.disengage_reason.as_deref()));
}

fn h225(h225: &H225, tell: &mut impl FnMut(&str, Option<&str>)) {
    let party = |aliases: &[String], number: &Option<String>| {
        if aliases.is_empty() { number.clone() } else { Some(aliases.join(" ")) }
    };
    tell("call", Some(&h225.call_reference.to_string()));
    tell("with", h225.uuie.as_deref());
    tell("from", party(&h225.source_aliases, &h225.calling_party).as_deref());
    tell("to", party(&h225.destination_aliases, &h225.called_party).as_deref());
    tell("cause", h225.cause.map(|cause| cause.to_string()).as_deref());
    tell("reason", h225.reason.as_deref());
}
