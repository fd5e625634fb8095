//! `[target.probe]`, word by word.

use std::{path::PathBuf, time::Duration};

use toml::Spanned;

use super::{
    error::{Problem, Problems},
    flap::{self, RawFlap},
    model::{OwnCertificate, RasAlive, RasRequest, StatusSet},
    ras,
    raw::value,
    scalar::{self, Codes},
    section::{Said, Section, Word, Words, quoted},
    words::{H225, HOLD_DOWN, MEGACO, MGCP, PACE, PROBE, RAS, ROUTER, SILENCE, SIP, TARGET, TLS},
};

/// The most arguments of a program that probes.
const MOST_ARGUMENTS: usize = 64;

const SIP_CODES: Codes = Codes { what: "SIP status", classes: b"123456" };
const MGCP_CODES: Codes = Codes { what: "MGCP response code", classes: b"12458" };
const MEGACO_CODES: Codes = Codes { what: "MEGACO error code", classes: b"45" };

const RAS_REQUESTS: [(&str, RasRequest); 2] =
    [(RasRequest::Lrq.name(), RasRequest::Lrq), (RasRequest::Grq.name(), RasRequest::Grq)];

/// `[target.probe]`.
#[derive(Default)]
pub(super) struct RawProbe {
    pub interval: Said<Duration>,
    pub fast_interval: Said<Duration>,
    pub timeout: Said<Duration>,
    pub fall: Said<u32>,
    pub rise: Said<u32>,
    pub hold_down: Said<Duration>,
    pub silence: Said<Duration>,
    pub warm_up: Said<Duration>,
    pub flap: RawFlap,
    pub connect: Said<bool>,
    /// The program and its arguments; nothing: none.
    pub command: Said<Vec<String>>,
    pub sip: RawSip,
    pub ras: RawRas,
    pub mgcp_alive: Said<StatusSet>,
    pub megaco_alive: Said<StatusSet>,
}

/// `[target.probe.sip]`.
#[derive(Default)]
pub(super) struct RawSip {
    pub alive: Said<StatusSet>,
    pub server_name: Said<String>,
    pub ca: Said<PathBuf>,
    pub verify: Said<bool>,
    /// At the place of `certificate`.
    pub own: Said<OwnCertificate>,
}

/// `[target.probe.ras]`.
#[derive(Default)]
pub(super) struct RawRas {
    pub request: Said<RasRequest>,
    pub alive: Said<RasAlive>,
}

/// Reads the table.
pub(super) fn read(word: &Word<'_>, problems: &mut Problems) -> Option<RawProbe> {
    let table = word.table("a table such as { interval = \"1s\", fall = 3 }", problems)?;
    let elsewhere = [&SIP, &TLS, &TARGET, &ROUTER];
    let section = Section::open(table, word.span.clone(), &PROBE, &elsewhere, problems);
    let mut pace =
        |name, range| section.read(name, problems, |word, problems| scalar::duration(word, &range, problems));
    let (interval, fast_interval) = (pace("interval", PACE), pace("fast_interval", PACE));
    let (timeout, hold_down) = (pace("timeout", PACE), pace("hold_down", HOLD_DOWN));
    let (silence, warm_up) = (pace("silence", SILENCE), pace("warm_up", HOLD_DOWN));
    let mut count = |name| section.read(name, problems, |word, problems| word.integer(1..=255, problems));
    let (fall, rise) = (count("fall"), count("rise"));
    let connect = section.read("connect", problems, Word::boolean);
    let command = section.read("command", problems, command);
    one_way(&connect, &command, problems);
    let mut codes = |name, words, codes: &'static Codes| {
        let read = section.read(name, problems, |word, problems| alive(word, words, codes, problems));
        value(read).unwrap_or_default()
    };
    let (mgcp_alive, megaco_alive) =
        (codes("mgcp", &MGCP, &MGCP_CODES), codes("megaco", &MEGACO, &MEGACO_CODES));
    let sip = value(section.read("sip", problems, sip)).unwrap_or_default();
    let ras = value(section.read("ras", problems, ras)).unwrap_or_default();
    let flap = value(section.read("flap", problems, flap::read)).unwrap_or_default();
    section.read("h225", problems, h225);
    Some(RawProbe {
        interval,
        fast_interval,
        timeout,
        fall,
        rise,
        hold_down,
        silence,
        warm_up,
        flap,
        connect,
        command,
        sip,
        ras,
        mgcp_alive,
        megaco_alive,
    })
}

fn one_way(connect: &Said<bool>, command: &Said<Vec<String>>, problems: &mut Problems) {
    if let (Some(connect), Some(command)) = (connect.here(), command.here())
        && *connect.get_ref()
        && !command.get_ref().is_empty()
    {
        let why = "`connect` and `command` cannot both be what a probe does";
        let problem = Problem::new(connect.span(), why, "one way").also(command.span(), "and another");
        problems.push(problem.help("leave one of them out"));
    }
}

/// A program and its arguments.
fn command(word: &Word<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let what = "a list of a program and its arguments such as [\"/usr/local/bin/check\", \"-q\"]";
    let list = word.list(what, problems)?;
    if list.len() > MOST_ARGUMENTS + 1 {
        let why = format!("a command has at most {MOST_ARGUMENTS} arguments, this one {}", list.len() - 1);
        problems.push(Problem::new(word.span.clone(), why, "too many"));
        return None;
    }
    let argument = |(n, word): (usize, Word<'_>)| {
        if n == 0 {
            return scalar::path(&word, problems)?.into_os_string().into_string().ok();
        }
        let text = word.text("an argument in quotes", problems)?;
        if text.contains('\0') {
            let why = "an argument of `command` must not contain a NUL character";
            problems.push(Problem::new(word.span.clone(), why, "no program can be told that"));
            return None;
        }
        Some(text.to_owned())
    };
    list.enumerate().map(argument).collect::<Vec<_>>().into_iter().collect()
}

/// A table of a protocol that has `alive` alone.
fn alive(word: &Word<'_>, words: &Words, codes: &Codes, problems: &mut Problems) -> Option<Said<StatusSet>> {
    let table = word.table("a table such as { alive = [\"5xx\"] }", problems)?;
    let section = Section::open(table, word.span.clone(), words, &[&PROBE], problems);
    Some(section.read("alive", problems, |word, problems| scalar::statuses(word, codes, problems)))
}

fn ras(word: &Word<'_>, problems: &mut Problems) -> Option<RawRas> {
    let table = word.table("a table such as { request = \"lrq\" }", problems)?;
    let section = Section::open(table, word.span.clone(), &RAS, &[&PROBE], problems);
    let request =
        section.read("request", problems, |word, problems| word.choice(&RAS_REQUESTS, &[], problems));
    Some(RawRas { request, alive: section.read("alive", problems, ras::read) })
}

fn h225(word: &Word<'_>, problems: &mut Problems) -> Option<()> {
    let table = word.table("a table such as { request = \"status-enquiry\" }", problems)?;
    let section = Section::open(table, word.span.clone(), &H225, &[&PROBE], problems);
    section.read("request", problems, |word, problems| word.choice(&[("status-enquiry", ())], &[], problems));
    Some(())
}

fn sip(word: &Word<'_>, problems: &mut Problems) -> Option<RawSip> {
    let table = word.table("a table such as { alive = [\"2xx\"] }", problems)?;
    let section = Section::open(table, word.span.clone(), &SIP, &[&PROBE, &TLS], problems);
    section.read("method", problems, method);
    let alive =
        section.read("alive", problems, |word, problems| scalar::statuses(word, &SIP_CODES, problems));
    let tls = value(section.read("tls", problems, tls)).unwrap_or_default();
    Some(RawSip { alive, ..tls })
}

fn tls(word: &Word<'_>, problems: &mut Problems) -> Option<RawSip> {
    let table = word.table("a table such as { server_name = \"sip.example\" }", problems)?;
    let section = Section::open(table, word.span.clone(), &TLS, &[&SIP, &PROBE], problems);
    let server_name = section.read("server_name", problems, scalar::host_name);
    let ca = section.read("ca", problems, scalar::path);
    let verify = section.read("verify", problems, Word::boolean);
    if let (Some(ca), Some(false)) = (ca.here(), verify.value()) {
        let why = "`ca` has no effect beside `verify = false`, which takes any certificate";
        problems.push(Problem::new(ca.span(), why, "not looked at").help("leave one of them out"));
    }
    let certificate = section.read("certificate", problems, scalar::path);
    let key = section.read("key", problems, scalar::path);
    let own = own(&certificate, &key, problems);
    Some(RawSip { server_name, ca, verify, own, ..RawSip::default() })
}

/// A certificate is nothing without its key: they are said together, in one table.
fn own(certificate: &Said<PathBuf>, key: &Said<PathBuf>, problems: &mut Problems) -> Said<OwnCertificate> {
    let mut alone = |said: &Spanned<PathBuf>, why: &str, help: &str| {
        problems.push(Problem::new(said.span(), why, "alone").help(help));
        Said::Wrong
    };
    match (certificate, key) {
        (Said::Nothing, Said::Nothing) => Said::Nothing,
        (Said::This(certificate), Said::This(key)) => {
            let (span, certificate) = (certificate.span(), certificate.get_ref().clone());
            Said::This(Spanned::new(span, OwnCertificate { certificate, key: key.get_ref().clone() }))
        }
        (Said::This(certificate), Said::Nothing) => alone(
            certificate,
            "`certificate` needs its private key beside it",
            "write `key`, too: a PEM file",
        ),
        (Said::Nothing, Said::This(key)) => {
            alone(key, "`key` needs its certificate beside it", "write `certificate`, too: a PEM file")
        }
        _ => Said::Wrong,
    }
}

/// The method of a SIP probe: a token, RFC 3261 §25.1.
fn method(word: &Word<'_>, problems: &mut Problems) -> Option<()> {
    let text = word.text("a SIP method such as \"OPTIONS\"", problems)?;
    let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if text == "OPTIONS" {
        return Some(());
    }
    problems.push(if text.is_empty() || !text.chars().all(token) {
        let why = format!("{} is no SIP method: expected \"OPTIONS\"", quoted(text));
        Problem::new(word.span.clone(), why, "not a method")
    } else if text.eq_ignore_ascii_case("OPTIONS") {
        let why = format!("{} is no SIP method: methods are case-sensitive", quoted(text));
        Problem::new(word.span.clone(), why, "not a method").help("did you mean \"OPTIONS\"?")
    } else {
        Problem::not_yet(word.span.clone(), &format!("probing with {}", quoted(text)), "write \"OPTIONS\"")
    });
    None
}
