//! The page for people at `GET /`: who serves, and why. One document, with nothing beside it and no script, that has itself
//! loaded anew every few seconds.
//!
//! Whatever is on it was said by servers, operators or the kernel, and is text, not markup.

use std::{
    fmt::{self, Display, Formatter, Write as _},
    time::Duration,
};

use crate::{
    control::message::{Admin, InterfaceStatus, Serving, Status, TargetStatus},
    health::Health,
};

/// The media type.
pub(super) const HTML: &str = "text/html; charset=utf-8";
/// The page asks for nothing, and nobody may frame it.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"refresh\" content=\"5\">
<meta name=\"viewport\" content=\"width=device-width\">
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse }
th, td { text-align: left; vertical-align: top; padding: .2em 1em .2em 0; border-bottom: 1px solid #ddd }
.good { color: #176b2c }
.warn { color: #8a5300 }
.bad { color: #b00020; font-weight: bold }
@media (prefers-color-scheme: dark) {
body { color: #ddd; background: #16181a }
a { color: #8ab4f8 }
th, td { border-color: #444 }
.good { color: #7ad08f }
.warn { color: #f0b45a }
.bad { color: #ff7b86 }
}
</style>
";

/// The whole document.
pub(super) fn render(status: &Status) -> String {
    let mut page = HEAD.to_owned();
    // Writing to a String does not fail.
    let _ = write(&mut page, status);
    page
}

fn write(page: &mut String, status: &Status) -> fmt::Result {
    let on_primary = status.targets.iter().filter(|target| mood(target) == Mood::Good).count();
    let all = status.targets.len();
    let pid = status.router.pid;
    let uptime = Duration::try_from_secs_f64(status.router.uptime_s.unwrap_or_default()).unwrap_or_default();
    let uptime = humantime::format_duration(Duration::from_secs(uptime.as_secs()));
    writeln!(page, "<title>failover: {on_primary} of {all} on their primary</title>\n</head>\n<body>")?;
    writeln!(page, "<h1>failover</h1>\n<p>{on_primary} of {all} targets on their primary.</p>")?;
    targets(page, &status.targets)?;
    interfaces(page, &status.router.interfaces)?;
    let pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
    writeln!(page, "<p>Process {pid}, up {uptime}. <a href=\"/metrics\">Metrics</a>.</p>\n</body>\n</html>")
}

fn targets(page: &mut String, targets: &[TargetStatus]) -> fmt::Result {
    let mut sorted: Vec<_> = targets.iter().collect();
    sorted.sort_by_key(|target| mood(target));
    page.push_str("<table>\n<tr><th>Target<th>Primary<th>Served by<th>Since<th>Why<th>Operator<th>Backups\n");
    for target in sorted {
        let operator = Operator(target);
        let (name, health, mood) = (Text(&target.name), target.health.name(), mood(target).class());
        write!(page, "<tr><td>{name}<td class=\"{}\">{health}", class(target.health))?;
        write!(page, "<td class=\"{mood}\">{}", Server(target))?;
        let [since, why] = [&target.since, &target.reason].map(|said| Text(said.as_deref().unwrap_or("")));
        write!(page, "<td>{since}<td>{why}<td>{operator}<td>")?;
        for (n, backup) in target.backups.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            let (name, health) = (Text(&backup.name), backup.health.name());
            write!(page, "{comma}{name} <span class=\"{}\">{health}</span>", class(backup.health))?;
        }
        page.push('\n');
    }
    page.push_str("</table>\n");
    Ok(())
}

fn interfaces(page: &mut String, interfaces: &[InterfaceStatus]) -> fmt::Result {
    page.push_str("<h2>Interfaces</h2>\n<table>\n<tr><th>Interface<th>Mode<th>Attached\n");
    for interface in interfaces {
        let (class, attached) = if interface.attached { ("good", "yes") } else { ("bad", "no") };
        let reason = interface.reason.as_deref().map(|reason| format!(": {}", Text(reason)));
        let (name, mode) = (Text(&interface.name), Text(interface.mode.as_deref().unwrap_or("")));
        let reason = reason.unwrap_or_default();
        writeln!(page, "<tr><td>{name}<td>{mode}<td class=\"{class}\">{attached}{reason}")?;
    }
    page.push_str("</table>\n");
    Ok(())
}

/// The worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mood {
    Bad,
    Warn,
    Good,
}

impl Mood {
    const fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Good => "good",
        }
    }
}

fn mood(target: &TargetStatus) -> Mood {
    let can_serve = |health| matches!(health, Health::Up | Health::Suspect | Health::Unknown);
    let served = can_serve(target.health) || target.backups.iter().any(|backup| can_serve(backup.health));
    match (target.serving, target.admin, target.health) {
        (Some(Serving::None), ..) => Mood::Bad,
        _ if !served => Mood::Bad,
        (Some(Serving::Primary), Admin::Auto, Health::Up | Health::Unknown) => Mood::Good,
        _ => Mood::Warn,
    }
}

const fn class(health: Health) -> &'static str {
    match health {
        Health::Up => "good",
        Health::Down => "bad",
        Health::Unknown | Health::Suspect | Health::Recovering => "warn",
    }
}

/// Who serves.
struct Server<'a>(&'a TargetStatus);

impl Display for Server<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(target) = self;
        let backup = Text(target.backup.as_deref().unwrap_or("a backup"));
        let to = Text(target.draining_to.as_deref().unwrap_or(""));
        match target.serving {
            Some(Serving::Primary) => f.write_str("primary"),
            Some(Serving::Backup) => write!(f, "{backup}"),
            Some(Serving::Draining) => write!(f, "draining to {to}"),
            Some(Serving::None) => f.write_str("nobody"),
            None => f.write_str("unknown"),
        }
    }
}

/// What the operator said, until when, and why.
struct Operator<'a>(&'a TargetStatus);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(target) = self;
        f.write_str(match target.admin {
            Admin::Auto => "auto",
            Admin::Disabled => "disabled",
            Admin::Drain => "drain",
            Admin::Primary => "primary",
        })?;
        if let Some(until) = &target.admin_until {
            write!(f, " until {}", Text(until))?;
        }
        target.admin_reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {}", Text(reason)))
    }
}

/// Somebody's words, as text: nothing in them is markup, ends a line, or turns it around.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char(' '),
            _ if char.is_control() => f.write_char(' '),
            _ => f.write_char(char),
        })
    }
}
