//! `failover events`: what happened, oldest first.

use clap::Args;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    Output,
    failure::Failure,
    output,
    session::{Session, duration},
    table::{Mood, loud},
    words::{NOTHING, clean, instant},
};
use crate::control::{client::ClientError, journal::timestamp, message::Event};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Go on with every new event, until Ctrl-C (with -o json, too, an event is then one line)
    #[arg(short, long)]
    follow: bool,
    /// Begin with the last N events [default: all that the daemon remembers]
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
    /// Begin with what is not older: `1h`, or a time such as 2026-03-01T02:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
}

/// So long ago, or a point in time.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = duration(text)?;
    let ago = SignedDuration::try_from(ago).map_err(|error| error.to_string())?;
    Timestamp::now().checked_sub(ago).map_err(|_| format!("{text} ago is before time began"))
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.follow {
        return tokio::select! {
            ended = follow(session, arguments) => ended,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
    }
    let mut stream = session.client().events(false, arguments.last, moment(arguments).as_deref()).await?;
    let mut events = Vec::new();
    while let Some(event) = stream.next().await? {
        events.push(event);
    }
    match session.output() {
        Output::Json => output::value(Output::Json, &events, |_| String::new()),
        format => events.iter().try_for_each(|event| print(format, event, &TimeZone::system())),
    }
}

fn moment(arguments: &Arguments) -> Option<String> {
    arguments.since.map(timestamp)
}

async fn follow(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let zone = TimeZone::system();
    let format = match session.output() {
        Output::Text => Output::Text,
        // A document without end would be of no use to anyone.
        Output::Json | Output::Jsonl | Output::Pcap => Output::Jsonl,
    };
    let mut stream = session.client().events(true, arguments.last, moment(arguments).as_deref()).await?;
    loop {
        match stream.next().await {
            Ok(Some(event)) => print(format, &event, &zone)?,
            Ok(None) | Err(ClientError::Closed { .. }) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(5, "the daemon has stopped, and its events with it")
        .help("start it with `systemctl start failover`, then follow again"))
}

fn print(format: Output, event: &Event, zone: &TimeZone) -> Result<(), Failure> {
    output::value(format, event, |event| line(event, zone) + "\n")
}

/// `when  target  kind  what changed: why`
pub(super) fn line(event: &Event, zone: &TimeZone) -> String {
    let mut parts = vec![
        instant(&event.time, zone),
        event.target.as_deref().map_or(NOTHING.into(), clean).into_owned(),
        clean(&event.kind).into_owned(),
    ];
    parts.extend(event.server.as_deref().map(|server| clean(server).into_owned()));
    match (event.from.as_deref(), event.to.as_deref()) {
        (Some(from), Some(to)) => parts.push(format!("{} → {}", clean(from), clean(to))),
        (Some(from), None) => parts.push(format!("{} →", clean(from))),
        (None, Some(to)) => parts.push(format!("→ {}", clean(to))),
        (None, None) => {}
    }
    let mut line = parts.join("  ");
    if let Some(reason) = event.reason.as_deref() {
        line = format!("{line}: {}", clean(reason));
    }
    loud(mood(event), &line)
}

fn mood(event: &Event) -> Mood {
    match (event.kind.as_str(), event.to.as_deref()) {
        ("health", Some("down")) | ("serving", Some("none")) => Mood::Bad,
        ("serving", Some("primary")) | ("health", Some("up")) => Mood::Good,
        ("warning" | "serving", _) | ("health", Some("suspect" | "recovering")) => Mood::Warn,
        _ => Mood::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str) -> Event {
        Event {
            seq: 7,
            time: "2026-03-01T02:03:04.567890Z".to_owned(),
            kind: kind.to_owned(),
            target: None,
            server: None,
            from: None,
            to: None,
            reason: None,
        }
    }

    fn shown(event: &Event) -> String {
        anstream::adapter::strip_str(&line(event, &TimeZone::UTC)).to_string()
    }

    #[test]
    fn since_is_a_while_ago_or_a_point_in_time() {
        let now = Timestamp::now();
        let ago = now.duration_since(since("1h 30m").expect("a while")).as_secs();
        assert!((5395..=5400).contains(&ago), "{ago}");
        assert_eq!(since("2026-03-01T03:00:00+01:00"), Ok("2026-03-01T02:00:00Z".parse().expect("a time")));
        assert!(since("yesterday").expect_err("no time").contains("say it as in"));
        assert!(since("0s").is_err() && since("-1h").is_err());
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        assert_eq!(shown(&event("started")), "2026-03-01 02:03:04.567  -  started");
        let health = Event {
            target: Some("paris".to_owned()),
            server: Some("primary".to_owned()),
            from: Some("suspect".to_owned()),
            to: Some("down".to_owned()),
            reason: Some("503 \u{1b}]0;x\u{7}\nService".to_owned()),
            ..event("health")
        };
        assert_eq!(
            shown(&health),
            "2026-03-01 02:03:04.567  paris  health  primary  suspect → down: 503 \\u{1b}]0;x\\u{7}\\u{a}Service"
        );
        assert!(line(&health, &TimeZone::UTC).starts_with('\u{1b}'), "in red");
    }
}
