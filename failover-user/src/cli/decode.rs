//! `failover decode`: the signalling messages in a capture. It needs no daemon, and no rights but to read the file.
//!
//! Messages are printed as they are found, so that a capture of any size needs no more memory than what waits in it for
//! its rest. What was found before a capture turns out to be broken is printed, too.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    Output,
    capture::{fails, open},
    failure::Failure,
    output,
    session::Session,
    words::{NOTHING, clean, instant},
};
use crate::{
    control::message::SCHEMA,
    proto::{
        capture,
        decode::{Content, Decoder, Kind, LeftOut, Message, Transport},
    },
};

mod line;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The capture (pcap or pcapng)
    #[arg(long, value_name = "FILE")]
    pcap: PathBuf,
}

/// One message of `failover decode -o json`. What is unknown is null.
#[derive(Debug, Serialize)]
struct Row<'a> {
    frame: u64,
    time: Option<String>,
    source: String,
    destination: String,
    transport: Transport,
    protocol: Kind,
    message: Option<String>,
    content: Option<&'a Content>,
    malformed: Option<&'a str>,
}

impl<'a> From<&'a Message> for Row<'a> {
    fn from(message: &'a Message) -> Self {
        let time = message.time.and_then(|since| Timestamp::UNIX_EPOCH.checked_add(since).ok());
        Self {
            frame: message.frame,
            time: time.map(|time| time.to_string()),
            source: message.source.to_string(),
            destination: message.destination.to_string(),
            transport: message.transport,
            protocol: message.protocol,
            message: message.content.as_ref().map(Content::name),
            content: message.content.as_ref(),
            malformed: message.malformed.as_deref(),
        }
    }
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let file = open(&arguments.pcap)?;
    let mut printer = Printer::new(session.output(), BufWriter::new(io::stdout().lock()));
    let (ended, left_out) = decode(file, &mut |message| printer.message(message));
    if ended.is_ok() || printer.printed > 0 {
        printer.end()?;
    }
    note(left_out);
    ended.map_err(|ended| match ended {
        Ended::Capture(error) => fails(&arguments.pcap, &error.to_string()),
        Ended::Output(failure) => failure,
    })
}

/// Why a capture was not read to its end.
enum Ended {
    Capture(capture::Error),
    Output(Failure),
}

impl From<capture::Error> for Ended {
    fn from(error: capture::Error) -> Self {
        Self::Capture(error)
    }
}

fn decode(
    file: impl io::Read + Send,
    each: &mut dyn FnMut(&Message) -> Result<(), Failure>,
) -> (Result<(), Ended>, LeftOut) {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    let mut ended = capture::read(file, |packet| {
        decoder.packet(&packet, &mut found);
        found.drain(..).try_for_each(|message| each(&message)).map_err(Ended::Output)
    });
    if !matches!(ended, Err(Ended::Output(_))) {
        decoder.finish(&mut found);
        if let Err(failure) = found.iter().try_for_each(each) {
            ended = Err(Ended::Output(failure));
        }
    }
    (ended, decoder.left_out())
}

/// What nobody should look for in vain.
fn note(LeftOut { encrypted, links: (unread, link) }: LeftOut) {
    if encrypted > 0 {
        output::note(&format!("SIP over TLS (port 5061) is encrypted: {encrypted} segments were left out"));
    }
    if unread > 0 {
        output::note(&format!("link type {link} is not read: {unread} packets were left out"));
    }
}

/// How a document begins: of [`SCHEMA`] 1.
const BEGIN: &str = "{\n  \"schema\": 1,\n  \"messages\": [";
const _: () = assert!(SCHEMA == 1, "the schema has another number");

/// Prints messages, one after the other.
struct Printer<W: Write> {
    output: Output,
    zone: TimeZone,
    to: W,
    printed: u64,
}

impl<W: Write> Printer<W> {
    fn new(output: Output, to: W) -> Self {
        Self { output, zone: TimeZone::system(), to, printed: 0 }
    }

    fn message(&mut self, message: &Message) -> Result<(), Failure> {
        let row = Row::from(message);
        match self.output {
            Output::Text => writeln!(self.to, "{}", line::line(&row, &self.zone))?,
            Output::Jsonl | Output::Pcap => {
                self.to.write_all(output::json(Output::Jsonl, &row)?.as_bytes())?;
            }
            Output::Json => {
                let before = if self.printed == 0 { BEGIN } else { "," };
                let document = output::json(Output::Json, &row)?;
                write!(self.to, "{before}\n    {}", document.trim_end().replace('\n', "\n    "))?;
            }
        }
        self.printed += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        match self.output {
            Output::Json if self.printed == 0 => writeln!(self.to, "{BEGIN}]\n}}")?,
            Output::Json => writeln!(self.to, "\n  ]\n}}")?,
            Output::Text if self.printed == 0 => {
                writeln!(self.to, "the capture holds no signalling message")?;
            }
            _ => {}
        }
        Ok(self.to.flush()?)
    }
}

#[cfg(test)]
mod tests;
