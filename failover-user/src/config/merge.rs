//! Where a target says nothing of its own.

use std::{num::NonZeroU8, time::Duration};

use super::{
    model::{Probe, StatusSet},
    raw::RawProbe,
    section::Said,
};

/// How a target's servers are probed: word by word by what it says, else by what `[defaults]` say, else as built in.
pub(super) fn probe(own: &RawProbe, defaults: &RawProbe) -> Probe {
    const THREE: NonZeroU8 = NonZeroU8::MIN.saturating_add(2);
    let time = |own: &Said<_>, default, built_in| own.or(default).unwrap_or(Duration::from_millis(built_in));
    let count = |own: &Said<u32>, default| {
        let said = own.or(default).value().and_then(|n| NonZeroU8::new(u8::try_from(*n).ok()?));
        said.unwrap_or(THREE)
    };
    Probe {
        interval: time(&own.interval, &defaults.interval, 1_000),
        fast_interval: time(&own.fast_interval, &defaults.fast_interval, 50),
        timeout: time(&own.timeout, &defaults.timeout, 300),
        fall: count(&own.fall, &defaults.fall),
        rise: count(&own.rise, &defaults.rise),
        hold_down: time(&own.hold_down, &defaults.hold_down, 10_000),
        silence: time(&own.silence, &defaults.silence, 200),
        warm_up: time(&own.warm_up, &defaults.warm_up, 2_000),
        flap: own.flap.merged(&defaults.flap),
        sip_alive: own.sip_alive.or(&defaults.sip_alive).unwrap_or(StatusSet::default()),
    }
}
