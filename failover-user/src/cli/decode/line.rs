//! A message in one line, for people.

use jiff::tz::TimeZone;

use super::{Content, NOTHING, Row, clean, instant};

/// `12  10:00:00.123  10.99.0.2:1719 → 10.99.0.1:1719  RAS  RRQ  seq 5, …`
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
    let mut tell =
        |name: &str, value: Option<&str>| details.extend(value.map(|value| format!("{name} {value}")));
    match content {
        Content::Sip(sip) => {
            tell("to", sip.uri.as_deref());
            tell("reason", sip.reason.as_deref().filter(|reason| !reason.is_empty()));
            let call = |name: &str| name.eq_ignore_ascii_case("Call-ID") || name.eq_ignore_ascii_case("i");
            let call = sip.headers.iter().find(|header| call(&header.name));
            tell("Call-ID", call.map(|header| header.value.as_str()));
        }
        Content::Ras(ras) => {
            tell("number", ras.request_seq_num.map(|number| number.to_string()).as_deref());
            tell("gatekeeper", ras.gatekeeper_identifier.as_deref());
            tell("endpoint", ras.endpoint_identifier.as_deref());
            tell("aliases", list(&ras.aliases).as_deref());
            tell("for", list(&ras.destination_aliases).as_deref());
            tell("reason", ras.reject_reason.as_deref().or(ras.disengage_reason.as_deref()));
        }
        Content::H225(h225) => {
            tell("call", Some(&h225.call_reference.to_string()));
            tell("with", h225.uuie.as_deref());
            tell("from", list(&h225.source_aliases).as_deref().or(h225.calling_party.as_deref()));
            tell("to", list(&h225.destination_aliases).as_deref().or(h225.called_party.as_deref()));
            tell("cause", h225.cause.map(|cause| cause.to_string()).as_deref());
            tell("reason", h225.reason.as_deref());
        }
        Content::Mgcp(mgcp) => {
            tell("transaction", Some(&mgcp.transaction.to_string()));
            tell("endpoint", mgcp.endpoint.as_deref());
            tell("comment", mgcp.comment.as_deref());
        }
        Content::Megaco(megaco) => {
            for transaction in &megaco.transactions {
                tell(transaction.kind, transaction.id.map(|id| id.to_string()).as_deref());
                tell("with", list(&transaction.commands).as_deref());
                tell("error", transaction.error.map(|code| code.to_string()).as_deref());
            }
        }
    }
    details
}

fn list(items: &[String]) -> Option<String> {
    (!items.is_empty()).then(|| items.join(" "))
}
