//! The last probes of a target's servers, as a conversation.

use super::{
    table::{Mood, View, loud},
    words::{clean, instant},
};
use crate::control::message::{Exchange, Exchanged, Transcript};

/// The last exchanges with each server that are shown; JSON has them all.
const SHOWN: usize = 6;

/// Under a heading of their own; nothing, where nobody was asked.
pub(super) fn text(transcripts: &[Transcript], view: &View) -> String {
    let asked = transcripts.iter().filter(|transcript| !transcript.exchanges.is_empty());
    let told: String = asked.map(|transcript| one(transcript, view)).collect();
    if told.is_empty() { told } else { format!("\nLAST PROBES\n{told}") }
}

fn one(transcript: &Transcript, view: &View) -> String {
    let Transcript { service, server, address, exchanges } = transcript;
    let mut text = format!("{} of {} at {}\n", clean(service), clean(server), clean(address));
    let skipped = exchanges.len().saturating_sub(SHOWN);
    exchanges.iter().skip(skipped).for_each(|exchange| text += &line(exchange, view));
    text
}

/// `  when  what was sent → what came back`
fn line(exchange: &Exchange, view: &View) -> String {
    let mood = match exchange.outcome {
        Exchanged::Alive => Mood::Plain,
        Exchanged::Silent | Exchanged::Refused => Mood::Bad,
        Exchanged::Unable => Mood::Warn,
    };
    let after = exchange.rtt_us.map_or_else(String::new, |rtt| format!(", {rtt} µs"));
    let time = instant(&exchange.time, &view.zone);
    let line = format!("{} → {}{after}", clean(&exchange.sent), clean(&exchange.received));
    format!("  {time}  {}\n", loud(mood, &line))
}
