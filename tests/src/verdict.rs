//! Which calls failed, and which of them nobody could have saved, by what the callers' side of a capture shows.

use std::{collections::HashMap, net::Ipv4Addr, time::SystemTime};

use anyhow::{Context as _, Result};

use crate::capture::Captured;

/// What became of calls, by the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Different Call-IDs that a caller sent an INVITE with.
    pub placed: usize,
    /// Call-IDs of calls that did not get a 200 OK to their INVITE and one to their BYE.
    pub failed: Vec<String>,
    /// Those of the failed that had got 100 Trying and nothing more before the death: their callers no longer
    /// retransmit (RFC 3261 §17.1.1.2, "Proceeding"), and so nothing of theirs could be steered.
    pub beyond_help: Vec<String>,
}

impl Verdict {
    /// Failed calls that should not have.
    pub fn inexcusable(&self) -> Vec<&String> {
        self.failed.iter().filter(|call| !self.beyond_help.contains(call)).collect()
    }
}

/// One SIP message that a caller sent or got.
#[derive(Clone, Debug, PartialEq)]
struct Message {
    /// Seconds since 1970.
    time: f64,
    call: String,
    /// None: a request.
    status: Option<u16>,
    /// Of the CSeq.
    method: String,
}

/// Judges every call that was placed from `caller`, with the primary dead since `death`.
pub fn judge(captured: &Captured, caller: Ipv4Addr, death: SystemTime) -> Result<Verdict> {
    let death =
        death.duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?.as_secs_f64();
    let fields = ["frame.time_epoch", "sip.Call-ID", "sip.Status-Code", "sip.CSeq.method"];
    let filter = format!("sip && !icmp && ip.addr == {caller}");
    let messages: Vec<Message> = captured
        .fields(&filter, &fields)?
        .into_iter()
        .map(|row| {
            let [time, call, status, method] =
                <[String; 4]>::try_from(row).ok().context("fields of a SIP message")?;
            Ok(Message { time: time.parse()?, call, status: status.parse().ok(), method })
        })
        .collect::<Result<_>>()?;
    Ok(sort_out(&messages, death))
}

fn sort_out(messages: &[Message], death: f64) -> Verdict {
    let mut calls: HashMap<&str, Vec<&Message>> = HashMap::new();
    let mut order = Vec::new();
    for message in messages.iter().filter(|m| m.method == "INVITE" || m.method == "BYE") {
        let call = calls.entry(&message.call).or_default();
        if call.is_empty() {
            order.push(message.call.as_str());
        }
        call.push(message);
    }
    let mut verdict = Verdict { placed: order.len(), ..Verdict::default() };
    for call in order {
        let got = |method: &str| calls[call].iter().any(|m| m.method == method && m.status == Some(200));
        if got("INVITE") && got("BYE") {
            continue;
        }
        verdict.failed.push(call.to_owned());
        let before: Vec<u16> =
            calls[call].iter().filter(|m| m.time < death).filter_map(|m| m.status).collect();
        if !got("INVITE") && !before.is_empty() && before.iter().all(|&status| status == 100) {
            verdict.beyond_help.push(call.to_owned());
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(time: f64, call: &str, status: Option<u16>, method: &str) -> Message {
        Message { time, call: call.into(), status, method: method.into() }
    }

    #[test]
    fn only_a_call_that_stopped_at_100_trying_is_beyond_help() {
        let messages = [
            message(1.0, "good", None, "INVITE"),
            message(1.1, "good", Some(200), "INVITE"),
            message(1.2, "good", None, "BYE"),
            message(1.3, "good", Some(200), "BYE"),
            message(2.0, "trying", None, "INVITE"),
            message(2.1, "trying", Some(100), "INVITE"),
            message(2.2, "ringing", None, "INVITE"),
            message(2.3, "ringing", Some(100), "INVITE"),
            message(2.4, "ringing", Some(180), "INVITE"),
            message(2.5, "no-bye", None, "INVITE"),
            message(2.6, "no-bye", Some(200), "INVITE"),
            message(2.7, "no-bye", None, "BYE"),
            message(4.0, "later", None, "INVITE"),
            message(4.1, "later", Some(100), "INVITE"),
        ];
        let verdict = sort_out(&messages, 3.0);
        assert_eq!(verdict.placed, 5);
        assert_eq!(verdict.failed, ["trying", "ringing", "no-bye", "later"]);
        assert_eq!(verdict.beyond_help, ["trying"]);
        assert_eq!(verdict.inexcusable(), ["ringing", "no-bye", "later"]);
    }
}
