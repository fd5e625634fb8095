//! Who was sent to a backup: what the way back has to know, and what keeps a connection where it began.
//!
//! A host is remembered, and a flow only where its host does not say it all: of TCP, whose connections begin and end,
//! and at an endpoint where several services are served. Until the backup has answered, an entry may have to make room
//! for another one; from then on it stays until the daemon finds it idle or over. So packets that nobody answers, how
//! many they may be, push out nobody who is being served.

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_ktime_get_coarse_ns};
use failover_common::{
    key::{self, FlowKey},
    reason::Reason,
    trace::Trace,
    value::{Ended, Endpoint, Flow, Origin, RIVAL_SECONDS},
};

use crate::{
    maps,
    parse::{
        ip::{Address, Ip},
        l4::L4,
    },
    plan::End,
    record,
    trace::{self, dry_run},
};

/// The tables take no more.
pub struct Full;

/// On what terms a flow is remembered.
#[derive(Clone, Copy)]
pub struct Terms {
    /// The endpoint serves one service alone.
    pub exclusive: bool,
    /// See [`hook::inbound`](crate::hook::inbound).
    pub inbound: bool,
}

/// Remembers that the segment was sent to `endpoint` for `service`, on these [`Terms`], at `now`.
#[inline(always)]
pub fn remember(
    ip: &Ip,
    l4: &L4,
    (endpoint, service): (u32, u32),
    terms: Terms,
    now: u32,
) -> Result<(), Full> {
    let Terms { exclusive, inbound } = terms;
    let mut key = key_of(ip.source, l4.source, ip.protocol, endpoint, inbound);
    if inbound || are_kept(ip.protocol, exclusive) {
        let just_now = note(&key, service, now)?;
        if l4.begins_or_ends() {
            mark(&key, l4.flags, Speaker::Client);
        }
        if inbound || just_now && exclusive {
            return Ok(());
        }
    }
    key.become_host();
    note(&key, service, now).map(|_| ())
}

/// Whom the client asked when it was sent to `endpoint` from this very port.
#[inline(always)]
pub fn recall(
    client: Address,
    port: u16,
    protocol: u8,
    endpoint: &'static Endpoint,
    inbound: bool,
) -> Result<&'static Origin, End> {
    trace::known(Trace::WAY_ASKED);
    let exclusive = endpoint.flags & Endpoint::EXCLUSIVE != 0;
    let mut key = key_of(client, port, protocol, endpoint.id, inbound);
    if !inbound && !are_kept(protocol, exclusive) {
        key.become_host();
    }
    origin(endpoint, find(&mut key, false), inbound)
}

/// Whom the client of a packet from `endpoint` asked when it was sent there: by its flow, else by its host.
#[inline(always)]
pub fn answered(
    ip: &Ip,
    l4: &L4,
    endpoint: &'static Endpoint,
    inbound: bool,
) -> Result<&'static Origin, End> {
    trace::known(Trace::WAY_ASKED);
    let exclusive = endpoint.flags & Endpoint::EXCLUSIVE != 0;
    let mut key = key_of(ip.destination, l4.destination, ip.protocol, endpoint.id, inbound);
    // What a server says to a SYN, or to what it does not know, it says to anyone's.
    let answers = !l4.is_offer_or_refusal();
    let mut found = Entry::NONE;
    if inbound || are_kept(ip.protocol, exclusive) {
        if l4.begins_or_ends() {
            mark(&key, l4.flags, Speaker::Server);
        }
        found = find(&mut key, answers);
    }
    if found.is_none() && !inbound {
        key.become_host();
        found = find(&mut key, answers);
    }
    origin(endpoint, found, inbound)
}

/// Whether the flow was sent to `endpoint`, and may go on there.
#[inline(always)]
pub fn is_known(client: Address, port: u16, protocol: u8, endpoint: u32) -> bool {
    let key = key_of(client, port, protocol, endpoint, false);
    maps::ANSWERED.get_ptr(key).or_else(|| maps::UNANSWERED.get_ptr(key)).is_some()
}

/// Seconds of the monotonic clock; never 0 after the first second of the machine's life.
#[inline(always)]
pub fn now_seconds() -> u32 {
    // SAFETY: a helper without arguments.
    (unsafe { bpf_ktime_get_coarse_ns() } / 1_000_000_000) as u32
}

/// Whether flows are kept for themselves, or their hosts alone.
#[inline(always)]
const fn are_kept(protocol: u8, exclusive: bool) -> bool {
    protocol == key::TCP || !exclusive
}

/// Writes down that the client is here; whether that was known in this very second.
#[inline(always)]
fn note(key: &FlowKey, service: u32, now: u32) -> Result<bool, Full> {
    let answered = maps::ANSWERED.get_ptr_mut(key);
    let mut rival_seen = 0;
    if let Some(flow) = answered.or_else(|| maps::UNANSWERED.get_ptr_mut(key)) {
        // SAFETY: a live element (RCU); what is stored in place is 4 aligned bytes, and any of two seconds will do.
        let flow = unsafe { &mut *flow };
        if flow.service == service {
            let just_now = flow.seen == now;
            if !just_now && !dry_run() {
                flow.seen = now;
            }
            return Ok(just_now);
        }
        if now.wrapping_sub(flow.seen) < RIVAL_SECONDS {
            rival_seen = now;
        }
    }
    if dry_run() {
        return Ok(false);
    }
    let flow = Flow { service, seen: now, rival_seen, ended: Ended::default() };
    let written = match answered {
        Some(_) => maps::ANSWERED.insert(key, flow, BPF_ANY.into()),
        None => maps::UNANSWERED.insert(key, flow, BPF_ANY.into()),
    };
    written.map(|()| false).map_err(|_| Full)
}

/// What an entry at `endpoint` says.
#[inline(always)]
fn origin(endpoint: &'static Endpoint, entry: Entry, inbound: bool) -> Result<&'static Origin, End> {
    if entry.is_none() {
        // Where it leaves, it may be known.
        return Err(if inbound { Reason::LeftToEgress } else { Reason::NoReturn }.into());
    }
    let (service, rival_seen) = (entry.service(), entry.rival_seen());
    trace::known(Trace::WAY_FOUND);
    if endpoint.flags & Endpoint::EXCLUSIVE != 0 {
        return Ok(&endpoint.origin);
    }
    let origin = maps::ORIGINS.get(service).filter(|origin| origin.target != 0);
    let origin = origin.ok_or(End::from(Reason::NoReturn))?;
    if rival_seen != 0 && now_seconds().wrapping_sub(rival_seen) < RIVAL_SECONDS {
        return Err(End::pass(Reason::AmbiguousReturn, origin.target));
    }
    Ok(origin)
}

/// What is read of an entry, in one register: the service's number and one more, and the rival.
#[derive(Clone, Copy)]
struct Entry(u64);

impl Entry {
    const NONE: Self = Self(0);

    #[inline(always)]
    const fn of(flow: &Flow) -> Self {
        Self((flow.service as u64 + 1) | (flow.rival_seen as u64) << 32)
    }

    #[inline(always)]
    const fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    const fn service(self) -> u32 {
        (self.0 as u32).wrapping_sub(1)
    }

    #[inline(always)]
    const fn rival_seen(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Finds an entry, which stays from now on if this `answers` it.
#[inline(always)]
fn find(key: &mut FlowKey, answers: bool) -> Entry {
    let sought: &FlowKey = key;
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    if let Some(flow) = unsafe { maps::ANSWERED.get(sought) } {
        return Entry::of(flow);
    }
    // SAFETY: as above; an element that is recycled meanwhile is another client's, and the worst is one wrong answer to
    // a client who has just been forgotten.
    let Some(flow) = (unsafe { maps::UNANSWERED.get(sought) }) else { return Entry::NONE };
    let found = Entry::of(flow);
    if answers && !dry_run() {
        keep(key);
    }
    found
}

/// An entry stays from now on, and its host's with it, whose key this becomes.
#[inline(always)]
fn keep(key: &mut FlowKey) {
    move_over(key);
    if !key.is_host() {
        key.become_host();
        move_over(key);
    }
}

/// A function of its own, because it is rare.
#[inline(never)]
fn move_over(key: &FlowKey) {
    // SAFETY: read at once, before anything else is done.
    let Some(flow) = (unsafe { maps::UNANSWERED.get(key) }).copied() else { return };
    if maps::ANSWERED.insert(key, flow, BPF_ANY.into()).is_ok() {
        // Another CPU may have been faster.
        let _ = maps::UNANSWERED.remove(key);
    } else {
        record::table_full();
    }
}

/// Who sends a segment.
#[derive(Clone, Copy)]
enum Speaker {
    Client,
    Server,
}

/// A connection begins or comes to an end.
#[inline(always)]
fn mark(key: &FlowKey, flags: u8, speaker: Speaker) {
    if dry_run() {
        return;
    }
    if let Speaker::Client = speaker { mark_client(key, flags) } else { mark_server(key, flags) }
}

#[inline(never)]
fn mark_client(key: &FlowKey, flags: u8) {
    if let Some(ended) = ended(key) {
        if flags & L4::SYN != 0 {
            *ended = Ended::default();
        }
        ended.client |= u8::from(flags & L4::FIN != 0);
        ended.reset |= u8::from(flags & L4::RST != 0);
    }
}

#[inline(never)]
fn mark_server(key: &FlowKey, flags: u8) {
    if let Some(ended) = ended(key) {
        ended.server |= u8::from(flags & L4::FIN != 0);
        ended.reset |= u8::from(flags & L4::RST != 0);
    }
}

#[inline(always)]
fn ended(key: &FlowKey) -> Option<&'static mut Ended> {
    let flow = maps::ANSWERED.get_ptr_mut(key).or_else(|| maps::UNANSWERED.get_ptr_mut(key))?;
    // SAFETY: a live element (RCU); each byte is set by one direction alone, and never to anything but 1 while a
    // connection lasts.
    Some(unsafe { &mut (*flow).ended })
}

#[inline(always)]
fn key_of(client: Address, port: u16, protocol: u8, endpoint: u32, inbound: bool) -> FlowKey {
    FlowKey { client: client.bytes(), port: port.to_be_bytes(), protocol, inbound: inbound.into(), endpoint }
}
