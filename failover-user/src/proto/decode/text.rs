//! The protocols of text: SIP, MGCP and MEGACO.

use super::content::{Content, Header, Megaco, Mgcp, Parameter, Sip, Transaction};
use crate::proto::{
    megaco, mgcp,
    sip::{Message, StartLine},
};

/// What could be read, and what is wrong with it.
pub(super) type Read = (Option<Content>, Option<String>);

/// Whatever is no character is replaced by U+FFFD.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn sip(data: &[u8]) -> Read {
    let message = match Message::parse(data) {
        Ok(message) => message,
        Err(error) => return (None, Some(error.to_string())),
    };
    let mut content = Sip { start_line: lossy(first_line(data)), ..Sip::default() };
    match message.start_line() {
        StartLine::Request { method, uri } => {
            (content.method, content.uri) = (Some(lossy(method)), Some(lossy(uri)));
        }
        StartLine::Response { status, reason } => {
            (content.status, content.reason) = (Some(status), Some(lossy(reason)));
        }
    }
    content.headers = message
        .headers()
        .map(|header| Header { name: lossy(header.name), value: unfolded(header.value) })
        .collect();
    let body = message.body();
    content.body_length = body.ok().map(<[u8]>::len);
    (Some(Content::Sip(content)), body.err().map(|error| error.to_string()))
}

fn first_line(data: &[u8]) -> &[u8] {
    let data = data.trim_ascii_start();
    data.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end()
}

/// A line end and the blanks after it are one blank (RFC 3261 §7.3.1).
fn unfolded(value: &[u8]) -> String {
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lossy(&lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(&b' '))
}

pub(super) fn mgcp(data: &[u8]) -> Read {
    let parameters = mgcp::parameters(data)
        .map(|(name, value)| Parameter { name: lossy(name), value: lossy(value) })
        .collect();
    let command = match mgcp::Command::parse(data) {
        Ok(command) => command,
        Err(of_command) => {
            return match mgcp::Response::parse(data) {
                Ok(response) => (Some(Content::Mgcp(answer(&response, parameters))), None),
                Err(of_response) => {
                    let digits = data.first().is_some_and(u8::is_ascii_digit);
                    (None, Some(if digits { of_response.to_string() } else { of_command.to_string() }))
                }
            };
        }
    };
    let content = Mgcp {
        verb: Some(lossy(command.verb)),
        transaction: command.transaction,
        endpoint: Some(lossy(command.endpoint)),
        parameters,
        ..Mgcp::default()
    };
    (Some(Content::Mgcp(content)), None)
}

fn answer(response: &mgcp::Response<'_>, parameters: Vec<Parameter>) -> Mgcp {
    Mgcp {
        code: Some(response.code),
        transaction: response.transaction,
        comment: Some(lossy(response.comment)).filter(|comment| !comment.is_empty()),
        parameters,
        ..Mgcp::default()
    }
}

pub(super) fn megaco(data: &[u8]) -> Read {
    // A SEQUENCE of BER (H.248.1 annex A).
    if data.first() == Some(&0x30) {
        return (None, Some("MEGACO in its binary encoding, which is not read".to_owned()));
    }
    let (outline, error) = megaco::outline(data);
    let malformed = error.map(|error| error.to_string());
    let Some(outline) = outline else { return (None, malformed) };
    let transactions = outline.transactions.into_iter().map(|transaction| Transaction {
        kind: transaction.kind,
        id: transaction.id,
        commands: transaction
            .commands
            .into_iter()
            .map(|(name, on)| format!("{name}={}", lossy(on)))
            .collect(),
        error: transaction.error.map(|(code, _)| code),
        text: transaction.error.map(|(_, text)| lossy(text)),
    });
    let content = Megaco {
        version: Some(outline.version),
        mid: Some(lossy(outline.mid)),
        transactions: transactions.collect(),
    };
    (Some(Content::Megaco(content)), malformed)
}
