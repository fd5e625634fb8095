//! `failover observe`: packets as they pass, and what becomes of each of them: as lines, JSON, or a capture.
//!
//! What is said about it goes to standard error, as tcpdump's words do: standard output is packets alone.

use std::{
    fs::File,
    io::{BufWriter, IsTerminal as _, Write},
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::{
    Output,
    failure::Failure,
    output,
    session::{Session, duration},
    table::{Mood, loud},
    words::{clean, instant},
};
use crate::control::{
    client::{ClientError, Lines},
    message::{Observation, Observe, SCHEMA, Seen},
};

mod capture;

/// Without `-f`, and without another word about it.
const TIME: Duration = Duration::from_secs(10);
/// The same.
const COUNT: u64 = 100;
/// The most that one JSON document may hold.
const DOCUMENT: u64 = 100_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Go on until Ctrl-C. Without it: for 10 seconds, or 100 packets, or as --for and --count say
    #[arg(short, long)]
    follow: bool,
    /// Only packets about these targets [default: about any]
    #[arg(long = "target", value_name = "NAME", value_delimiter = ',')]
    targets: Vec<String>,
    /// Only packets that end so, by the names in `failover stats`. Packets about no target are shown only under reasons
    /// that are named here
    #[arg(long = "reason", value_name = "REASON", value_delimiter = ',')]
    reasons: Vec<String>,
    /// Only packets from or to these hosts, before or after they were rewritten
    #[arg(long = "host", visible_alias = "client", value_name = "ADDRESS", value_delimiter = ',')]
    hosts: Vec<IpAddr>,
    /// Only packets that come by these interfaces, or are redirected to them
    #[arg(short = 'i', long = "interface", value_name = "IFACE", value_delimiter = ',')]
    interfaces: Vec<String>,
    /// One packet of N, by chance
    #[arg(long, value_name = "1/N", value_parser = sample, default_value = "1/1", hide_default_value = true)]
    sample: u32,
    /// End after so many packets
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so long
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    time: Option<Duration>,
    /// Write a capture in the format pcapng to this file
    #[arg(short = 'w', long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// `1/100`, or `100`.
fn sample(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("1/").unwrap_or(text);
    match digits.parse() {
        Ok(0) | Err(_) => Err("say it as in 1/100: one packet of a hundred".to_owned()),
        Ok(n) => Ok(n),
    }
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let limits = Limits::of(&arguments);
    let mut sink = Sink::open(session.output(), &arguments, limits.count)?;
    let Arguments { targets, reasons, hosts, interfaces, sample, .. } = arguments;
    let wish = Observe { targets, reasons, hosts, interfaces, sample };
    let mut stream = session.client().observe(&wish).await?;
    output::note(&limits.words());
    let mut tally = Tally::default();
    let ended = tokio::select! {
        ended = look(&mut stream, &mut sink, &mut tally, limits.count) => ended,
        () = limits.over() => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    // What there is is worth having, whatever ended it.
    let finished = sink.finish(&tally);
    output::note(&tally.words());
    ended.and(finished)
}

/// How long, and how many.
struct Limits {
    until: Option<Instant>,
    time: Option<Duration>,
    count: Option<u64>,
}

impl Limits {
    fn of(arguments: &Arguments) -> Self {
        let bounded = arguments.follow || arguments.count.is_some() || arguments.time.is_some();
        let (time, count) =
            if bounded { (arguments.time, arguments.count) } else { (Some(TIME), Some(COUNT)) };
        Self { until: time.map(|time| Instant::now() + time), time, count }
    }

    async fn over(&self) {
        match self.until {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    }

    fn words(&self) -> String {
        let time = self.time.map(|time| format!("for {}", super::words::given(time)));
        let count = self.count.map(|count| format!("up to {count} packets"));
        let limits: Vec<String> = time.into_iter().chain(count).collect();
        if limits.is_empty() {
            "observing until Ctrl-C".to_owned()
        } else {
            format!("observing {}; Ctrl-C ends it", limits.join(", "))
        }
    }
}

/// What there was.
#[derive(Default)]
struct Tally {
    packets: u64,
    too_slow: u64,
    not_shown: u64,
}

impl Tally {
    fn words(&self) -> String {
        let mut words = format!("{} packets", self.packets);
        if self.too_slow != 0 {
            let more = format!("; {} more were lost, because this command was too slow", self.too_slow);
            words.push_str(&more);
        }
        if self.not_shown != 0 {
            let more = format!(
                "; the router saw {} more, and had no room to show them: filter, or --sample",
                self.not_shown
            );
            words.push_str(&more);
        }
        words
    }
}

async fn look(
    stream: &mut Lines<Observation>,
    sink: &mut Sink,
    tally: &mut Tally,
    count: Option<u64>,
) -> Result<(), Failure> {
    while count.is_none_or(|count| tally.packets < count) {
        match stream.next().await {
            Ok(Some(observation)) => {
                match &observation {
                    Observation::Packet(_) => tally.packets += 1,
                    Observation::Lost { packets, by } if by == "observer" => tally.too_slow += packets,
                    Observation::Lost { packets, .. } => tally.not_shown += packets,
                }
                sink.take(observation)?;
            }
            Ok(None) | Err(ClientError::Closed { .. }) => {
                return Err(Failure::new(5, "the daemon has stopped, and nobody shows packets any more")
                    .help("start it with `systemctl start failover`, then observe again"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Where the packets go.
enum Sink {
    Lines(TimeZone),
    Json(Vec<Seen>),
    Jsonl,
    Capture(capture::Writer<Box<dyn Write>>),
}

/// `observe -o json`.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    packets: &'a [Seen],
    /// This command was too slow for so many.
    lost: u64,
    /// The router had no room to show so many, wanted or not.
    not_shown: u64,
}

impl Sink {
    fn open(format: Output, arguments: &Arguments, count: Option<u64>) -> Result<Self, Failure> {
        if let Some(path) = &arguments.write {
            if matches!(format, Output::Json | Output::Jsonl) {
                return Err(Failure::new(2, "--write makes a capture, not JSON: leave one of the two away"));
            }
            let file = File::create(path).map_err(|error| {
                let exit = if error.kind() == std::io::ErrorKind::PermissionDenied { 6 } else { 1 };
                Failure::new(exit, format!("write the capture to {}: {error}", path.display()))
            })?;
            let out: Box<dyn Write> = Box::new(BufWriter::new(file));
            return Ok(Self::Capture(capture::Writer::begin(out, false)?));
        }
        Ok(match format {
            Output::Text => Self::Lines(TimeZone::system()),
            // A document without end would be of no use to anyone.
            Output::Json if arguments.follow => Self::Jsonl,
            Output::Json if count.is_some_and(|count| count > DOCUMENT) => {
                return Err(Failure::new(2, format!("one JSON document holds at most {DOCUMENT} packets"))
                    .help("-o jsonl has no limit"));
            }
            Output::Json => Self::Json(Vec::new()),
            Output::Jsonl => Self::Jsonl,
            Output::Pcap if std::io::stdout().is_terminal() => {
                return Err(Failure::new(2, "a capture is nothing for a terminal")
                    .help("-w FILE, or pipe it: failover observe -f -o pcap | wireshark -k -i -"));
            }
            Output::Pcap => {
                let out: Box<dyn Write> = Box::new(std::io::stdout());
                Self::Capture(capture::Writer::begin(out, true)?)
            }
        })
    }

    fn take(&mut self, observation: Observation) -> Result<(), Failure> {
        match (self, observation) {
            (Self::Lines(zone), Observation::Packet(seen)) => output::text(&(line(&seen, zone) + "\n")),
            (Self::Jsonl, observation) => output::value(Output::Jsonl, &observation, |_| String::new()),
            (Self::Capture(writer), Observation::Packet(seen)) => writer.packet(&seen),
            (Self::Json(packets), Observation::Packet(seen)) if packets.len() as u64 >= DOCUMENT => {
                drop(seen);
                Err(Failure::new(1, format!("one JSON document holds at most {DOCUMENT} packets"))
                    .help("-o jsonl has no limit"))
            }
            (Self::Json(packets), Observation::Packet(seen)) => {
                packets.push(*seen);
                Ok(())
            }
            // The last line tells.
            (_, Observation::Lost { .. }) => Ok(()),
        }
    }

    fn finish(self, tally: &Tally) -> Result<(), Failure> {
        match self {
            Self::Json(packets) => {
                let (lost, not_shown) = (tally.too_slow, tally.not_shown);
                let document = Document { schema: SCHEMA, packets: &packets, lost, not_shown };
                output::value(Output::Json, &document, |_| String::new())
            }
            Self::Capture(mut writer) => writer.flush(),
            Self::Lines(_) | Self::Jsonl => Ok(()),
        }
    }
}

/// `when  interfaces  REASON target → backup  protocol from > to, becomes from > to  length  what it says`
fn line(seen: &Seen, zone: &TimeZone) -> String {
    let interfaces = match &seen.egress {
        Some(egress) => format!("{} → {egress}", seen.interface),
        None => seen.interface.clone(),
    };
    let mut parts = vec![instant(&seen.time, zone), interfaces, fate(seen)];
    let way = |from: &Option<String>, to: &Option<String>| {
        from.as_ref().zip(to.as_ref()).map(|(from, to)| format!("{from} > {to}"))
    };
    if let (Some(protocol), Some(before)) = (&seen.protocol, way(&seen.from, &seen.to)) {
        let after = way(&seen.new_from, &seen.new_to);
        let after = after.map(|after| format!(", becomes {after}")).unwrap_or_default();
        parts.push(format!("{protocol} {before}{after}"));
    }
    parts.push(format!("{} bytes", seen.length));
    parts.extend(seen.says.clone());
    loud(mood(seen), &clean(&parts.join("  ")))
}

/// `STEERED paris → nsp-1`
pub(super) fn fate(seen: &Seen) -> String {
    let reason = seen.reason.to_uppercase();
    match (&seen.target, &seen.backup) {
        (Some(target), Some(backup)) if seen.reason.starts_with("returned") => {
            format!("{reason} {target} ← {backup}")
        }
        (Some(target), Some(backup)) => format!("{reason} {target} → {backup}"),
        (Some(target), None) => format!("{reason} {target}"),
        (None, _) => reason,
    }
}

fn mood(seen: &Seen) -> Mood {
    if seen.verdict == "drop" { Mood::Bad } else { Mood::Plain }
}

#[cfg(test)]
mod tests;
