//! ICMP errors about packets that were rewritten here: their receiver knows the packet as it sent it, so the quote is
//! turned back, and with it the address to which the error goes or from which it comes.
//!
//! ```text
//!  a phone's packet came to grief behind us:  error to the phone, quote phone → backup   becomes  phone → target
//!  a backup's packet did:                     error to the target, quote target → phone  becomes  backup → phone,
//!                                             and it goes to the backup
//! ```

use failover_common::{
    key::EndpointKey,
    reason::Reason,
    trace::Trace,
    value::{Endpoint, Service},
};

use crate::{
    classify::signalling,
    drain, flows, forward,
    found::Found,
    hook::{self, May},
    maps,
    packet::{Frame, Packet},
    parse::{
        icmp::{self, Quote},
        ip::{Address, Ip},
    },
    plan::{Change, End, Side, Wish},
    record, rewrite, steer, trace,
};

/// An error that concerns a rewritten packet is rewritten too.
#[inline(always)]
pub fn translate(packet: &mut Packet<impl Frame>) -> End {
    End::of(turn_back(packet))
}

#[inline(always)]
fn turn_back(packet: &mut Packet<impl Frame>) -> Result<End, End> {
    let found = Found::here()?;
    // SAFETY: the visit has parsed one.
    let ip = unsafe { found.ip() };
    trace::ip(ip);
    icmp::quote(packet, found, ip)?;
    // SAFETY: `quote` succeeds only when it has written one.
    let quote = unsafe { found.quote() };
    trace::quote(quote);
    decide(packet, found, ip, quote)?;
    // SAFETY: `decide` succeeds only when it has kept one.
    let wish = unsafe { found.wish() };
    if wish.steer != 0 {
        return Ok(End::DELIVER);
    }
    let plan = forward::plan(packet, ip, (0, 0), wish)?;
    rewrite::error(packet, &plan, quote).map_err(|_| plan.spoilt())?;
    Ok(plan.done_as(Reason::IcmpTranslated))
}

/// What becomes of the error, and of the packet that it quotes. Keeps a wish. A function of its own, because the stack has 512 bytes.
#[inline(never)]
fn decide<F: Frame>(packet: &Packet<F>, found: Found, ip: &Ip, quote: &Quote) -> Result<(), End> {
    let ports = signalling(quote.protocol, quote.destination_port, quote.source_port)?;
    // Whoever gets an error sent the packet.
    if ip.destination != quote.source {
        return Err(Reason::NotOurs.into());
    }
    let may = May::with_error(packet);
    let mut stop = End::from(Reason::NotOurs);
    if ports.from() && may.steer {
        let key = EndpointKey::new(quote.source.bytes(), quote.source_port, quote.protocol);
        // SAFETY: the element is read before the program ends, and RCU keeps it until then.
        if let Some(service) = unsafe { maps::SERVICES.get(key) } {
            match to_backup(found, ip, quote, service) {
                // One target may be another one's client: then this may be about its packet to a backup.
                Err(passed) if ports.to() && passed.reason() == Reason::PrimaryServes as u32 => stop = passed,
                decided => return decided,
            }
        }
    }
    if ports.to() && may.give_back {
        let key = EndpointKey::new(quote.destination.bytes(), quote.destination_port, quote.protocol);
        // SAFETY: as above.
        if let Some(endpoint) = unsafe { maps::BACKUPS.get(key) } {
            trace::note(|trace| {
                trace.known |= Trace::BACKUP;
                trace.endpoint = endpoint.id;
            });
            return to_client::<F>(found, ip, quote, endpoint);
        }
    }
    if !F::EGRESS && ports.to() {
        suspect(quote);
    }
    Err(stop)
}

/// About a client's packet to a target: its primary may be dead, and its machine says so, or a router on the way.
#[inline(always)]
fn suspect(quote: &Quote) {
    let key = EndpointKey::new(quote.destination.bytes(), quote.destination_port, quote.protocol);
    // SAFETY: as above.
    let Some(service) = (unsafe { maps::SERVICES.get(key) }) else { return };
    record::suspicion(service.target, &quote.source, quote.source_port, quote.protocol);
}

#[inline(always)]
fn to_backup(found: Found, ip: &Ip, quote: &Quote, service: &Service) -> Result<(), End> {
    if maps::is_probe(quote.destination, quote.destination_port, quote.protocol) {
        return Err(Reason::OwnProbe.into());
    }
    let drained =
        |now| drain::speaker(&quote.destination, quote.destination_port, quote.protocol, service, now);
    let (server, now) = steer::server(ip, service, drained)?;
    let generation = now.generation();
    let address = Address::from_bytes(server.address);
    let change = Change { side: Side::Destination, address, port: server.port };
    let steer = steer::unrewritten(server);
    found.keep_wish(Wish { steer, ..Wish::forgetful(service.target, generation, change) });
    Ok(())
}

#[inline(always)]
fn to_client<F: Frame>(found: Found, ip: &Ip, quote: &Quote, endpoint: &'static Endpoint) -> Result<(), End> {
    if maps::is_probe(quote.source, quote.source_port, quote.protocol) {
        return Err(Reason::OwnProbe.into());
    }
    let inbound = hook::inbound::<F>(Side::Source);
    let origin = match steer::alone(endpoint, inbound) {
        Some(origin) => origin,
        None => flows::recall(quote.source, quote.source_port, quote.protocol, endpoint, inbound)?,
    };
    steer::as_target(found, ip, quote.destination, endpoint, origin)
}
