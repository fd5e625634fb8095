//! Where a target says nothing of its own.

use std::num::NonZeroU8;

use super::{
    model::{Command, Probe, Tls, Way},
    probe::RawProbe,
    section::Said,
};

/// How the servers of the target `name` are probed: word by word by what it says, else by what `[defaults]` say, else
/// as built in.
pub(super) fn probe(name: &str, own: &RawProbe, defaults: &RawProbe) -> Probe {
    let built_in = Probe::default();
    let count = |own: &Said<u32>, default, built_in| {
        let said = own.or(default).value().and_then(|n| NonZeroU8::new(u8::try_from(*n).ok()?));
        said.unwrap_or(built_in)
    };
    Probe {
        interval: own.interval.or(&defaults.interval).unwrap_or(built_in.interval),
        fast_interval: own.fast_interval.or(&defaults.fast_interval).unwrap_or(built_in.fast_interval),
        timeout: own.timeout.or(&defaults.timeout).unwrap_or(built_in.timeout),
        fall: count(&own.fall, &defaults.fall, built_in.fall),
        rise: count(&own.rise, &defaults.rise, built_in.rise),
        hold_down: own.hold_down.or(&defaults.hold_down).unwrap_or(built_in.hold_down),
        silence: own.silence.or(&defaults.silence).unwrap_or(built_in.silence),
        warm_up: own.warm_up.or(&defaults.warm_up).unwrap_or(built_in.warm_up),
        flap: own.flap.merged(&defaults.flap),
        way: way(name, own, defaults),
        sip_alive: own.sip.alive.or(&defaults.sip.alive).unwrap_or(built_in.sip_alive),
        tls: Tls {
            server_name: own.sip.server_name.or(&defaults.sip.server_name).value().cloned(),
            ca: own.sip.ca.or(&defaults.sip.ca).value().cloned(),
            verify: own.sip.verify.or(&defaults.sip.verify).unwrap_or(built_in.tls.verify),
            own: own.sip.own.or(&defaults.sip.own).value().cloned(),
        },
        ras: own.ras.request.or(&defaults.ras.request).unwrap_or(built_in.ras),
        ras_alive: own.ras.alive.or(&defaults.ras.alive).unwrap_or(built_in.ras_alive),
        mgcp_alive: own.mgcp_alive.or(&defaults.mgcp_alive).unwrap_or(built_in.mgcp_alive),
        megaco_alive: own.megaco_alive.or(&defaults.megaco_alive).unwrap_or(built_in.megaco_alive),
    }
}

/// What the target itself says of either word counts for both: its `connect = true` puts a default `command` out of
/// effect, and the other way round.
fn way(name: &str, own: &RawProbe, defaults: &RawProbe) -> Way {
    let of = |probe: &RawProbe| -> Option<Way> {
        let command = probe.command.value().map(Vec::as_slice);
        match (command, probe.connect.value()) {
            (Some([program, arguments @ ..]), _) => Some(Way::Command(Command {
                program: program.into(),
                arguments: arguments.to_vec(),
                target: name.to_owned(),
            })),
            (_, Some(true)) => Some(Way::Connect),
            (None, None) => None,
            (Some([]), _) | (None, Some(false)) => Some(Way::Protocol),
        }
    };
    of(own).or_else(|| of(defaults)).unwrap_or_default()
}
