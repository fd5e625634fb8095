//! When probes happen, and for how long their answers are waited for.

use std::time::{Duration, Instant};

use super::random;
use crate::{
    config::model::Transport,
    health::{Health, machine::Machine, rtt},
};

/// How much later than the first prober this one begins: thousands that all want a socket of their own, and its exemption, at
/// once would wait for each other until they give up.
pub(super) fn turn(id: u32) -> Duration {
    Duration::from_micros(200) * (id % (1 << 14))
}

/// `interval` ±10 %.
pub(super) fn jittered(interval: Duration, random: u32) -> Duration {
    interval.mul_f64(0.9 + 0.2 * fraction(random))
}

/// From 0 to 1.
pub(super) fn fraction(random: u32) -> f64 {
    f64::from(random) / f64::from(u32::MAX)
}

/// For jitter alone, where a failing source of randomness may go unheard: making the next token reports it.
pub(super) fn random_u32() -> u32 {
    random::bytes().map_or(u32::MAX / 2, u32::from_ne_bytes)
}

/// The least time that an answer is waited for. Over TCP a lost segment comes again after 200 ms at the soonest (Linux), and
/// that is no death.
pub(super) const fn least_patience(transport: Transport) -> Duration {
    match transport {
        Transport::Udp => rtt::FLOOR,
        Transport::Tcp => Duration::from_millis(250),
    }
}

/// What a server that answers again has to wait for.
pub(super) fn pending(machine: &Machine, now: Instant) -> Option<String> {
    if machine.health() != Health::Recovering {
        return None;
    }
    let held = humantime::format_duration(Duration::from_secs(machine.held(now).as_secs())).to_string();
    Some(match (machine.held(now).as_secs(), machine.is_damped(now)) {
        (0, _) => "not up before it has answered more often".to_owned(),
        (_, true) => format!("not up before {held}: it comes and goes"),
        (_, false) => format!("not up before {held}"),
    })
}
