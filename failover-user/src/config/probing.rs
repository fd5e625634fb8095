//! What is odd about the way in which a target is probed.

use toml::Spanned;

use super::{
    convert::Placed,
    model::{ServiceKind, Transport, Way},
};

/// What a person should know, in whole sentences.
pub(super) fn warnings(who: &str, target: &Placed, warnings: &mut Vec<String>) {
    let services: Vec<_> = target.services.iter().flatten().map(Spanned::get_ref).collect();
    let secure = services.iter().any(|service| service.kind == ServiceKind::Sips);
    let probe = &target.probe;
    let asked = probe.way == Way::Protocol;
    if secure && asked && !probe.tls.verify {
        warnings.push(format!(
            "target {who}: sip.tls.verify is false, so any certificate counts, an expired one and a stranger's too: a \
             server that no phone would talk to seems alive. Set it to true, with `ca` where the authority is your own."
        ));
    }
    if !(secure && asked) && target.said.contains(&"sip.tls") {
        warnings.push(format!(
            "target {who}: sip.tls has no effect, because nothing is asked over TLS. Leave it out, or add \"sips\" to \
             `services`."
        ));
    }
    let tcp = services.iter().any(|service| service.transport == Transport::Tcp);
    if probe.way == Way::Connect && !tcp {
        warnings.push(format!(
            "target {who}: connect = true has no effect, because no service is TCP. Leave it out."
        ));
    }
}
