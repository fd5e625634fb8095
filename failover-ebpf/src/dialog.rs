//! Calls and subscriptions (SIP dialogs over UDP) that began at a backup: they go on there when what is new goes elsewhere.
//! A phone has one address and port for all that it says, so it is by their Call-ID that they are told apart.
//!
//! Who asks for a dialog is remembered as a flow is ([`crate::flows`]): until it is answered, it may have to make
//! room for another one, and from then on it stays until it is over or idle. Only the other side's 2xx to it is an answer:
//! anybody gets a 2xx to OPTIONS, or to the CANCEL of a call that nobody took.
//!
//! | while a target drains, a datagram of SIP | goes to |
//! |---|---|
//! | of a dialog that began at the backup | the backup |
//! | that asks for something new (no tag in To, and no ACK or CANCEL) | whom new packets go to |
//! | anything else, and what cannot be read | the primary |

use aya_ebpf::bindings::BPF_ANY;
use failover_common::{
    key::{CallKey, UDP},
    trace::Trace,
    value::{Availability, Call, Endpoint, Service},
};

use crate::{
    apart::Apart,
    drain,
    flows::now_seconds,
    found::Found,
    maps,
    packet::{Frame, Packet},
    parse::{
        ip::Ip,
        l4::{self, L4},
        sip::{self, Wanted},
    },
    plan::Wish,
    record,
    trace::{self, dry_run},
};

/// What a message is to its dialog, by its first words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It asks for one: INVITE, SUBSCRIBE, REFER.
    Begins,
    /// 2xx.
    Success,
    /// Any other response, ACK or CANCEL: it never is the first of its Call-ID.
    Follows,
    /// BYE.
    Ends,
    /// Any other request, or no SIP at all.
    Other,
}

impl Kind {
    /// Of the message behind the UDP header.
    #[inline(always)]
    pub fn of(packet: &Packet<impl Frame>, l4: &L4) -> Self {
        let Ok(words) = packet.read::<[u16; 5]>(l4.offset + l4::UDP_LEN) else { return Self::Other };
        let begins = |with: &[u8; 4]| {
            let of = |n: usize| u16::from_ne_bytes([with[n], with[n + 1]]);
            words[0] == of(0) && words[1] == of(2)
        };
        if begins(b"INVI") || begins(b"SUBS") || begins(b"REFE") {
            Self::Begins
        } else if begins(b"SIP/") {
            let [status, _] = words[4].to_ne_bytes();
            if status == b'2' { Self::Success } else { Self::Follows }
        } else if begins(b"ACK ") || begins(b"CANC") {
            Self::Follows
        } else if begins(b"BYE ") {
            Self::Ends
        } else {
            Self::Other
        }
    }
}

/// Reads the Call-ID of this visit's message. One of those that the verifier goes through by themselves ([`crate::apart`]).
#[inline(always)]
pub fn read<F: Frame>(packet: &Packet<F>, wanted: u32) -> sip::Call {
    const NONE: sip::Call = sip::Call::from_bits(0);
    let Ok(found) = Found::here() else { return NONE };
    // SAFETY: the visit has parsed both.
    let (ip, l4) = unsafe { (found.ip(), found.l4()) };
    let (Some(message), Some(seed)) = (maps::message(), maps::CALL_SEED.get(0)) else { return NONE };
    if ip.payload_len <= l4::UDP_LEN {
        return NONE;
    }
    let place = (l4.offset + l4::UDP_LEN, ip.payload_len - l4::UDP_LEN);
    sip::read(packet, message, place, Wanted::from_bits(wanted), *seed)
}

/// Which server gets a datagram of SIP while its target drains, as [`Availability::serving`] counts them. Keeps the call.
#[inline(always)]
pub fn server<F: Apart>(packet: &Packet<F>, l4: &L4, service: &Service, now: Availability) -> u32 {
    let kind = Kind::of(packet, l4);
    let call = F::read_call(packet, wanted(kind).and_to());
    keep(call);
    if !call.is_known() {
        return drain::PRIMARY;
    }
    trace::known(Trace::CALL);
    let Some((backup, endpoint)) = drain::backup(service, now, Service::PIN_CALLS) else {
        return drain::PRIMARY;
    };
    if is_there(&CallKey { call: call.id(), endpoint, target: service.target }) {
        trace::known(Trace::BEGAN_AT_BACKUP);
        return backup;
    }
    if call.is_tagged() || matches!(kind, Kind::Success | Kind::Follows) {
        return drain::PRIMARY;
    }
    trace::known(Trace::BEGINS);
    u32::from(now.serving())
}

/// A datagram of SIP is about to go to the backup: its dialog goes on there. `read`: [`server`] has read it.
#[inline(always)]
pub fn sent<F: Apart>(packet: &Packet<F>, l4: &L4, wish: &Wish) {
    let kind = Kind::of(packet, l4);
    if !wish.call.read && matches!(kind, Kind::Follows | Kind::Other) {
        return;
    }
    let call = if wish.call.read { kept() } else { F::read_call(packet, wanted(kind)) };
    if call.is_known() && !dry_run() {
        let key = CallKey { call: call.id(), endpoint: wish.call.endpoint, target: wish.target };
        note(&key, role(kind, call, (Role::ClientAsks, Role::ClientAnswers)));
    }
}

/// A backup has sent a datagram of SIP in the name of `target`.
#[inline(always)]
pub fn came_back<F: Apart>(packet: &Packet<F>, ip: &Ip, l4: &L4, endpoint: &Endpoint, target: u32) {
    if ip.protocol != UDP {
        return;
    }
    let kind = Kind::of(packet, l4);
    if matches!(kind, Kind::Follows | Kind::Other) {
        return;
    }
    // While the operator drains the primary, the answer to what the backup asks must find it, whatever failback says.
    if endpoint.flags & Endpoint::PIN_CALLS == 0 && maps::availability(target).keeper() == 0 {
        return;
    }
    let call = F::read_call(packet, wanted(kind));
    if call.is_known() && !dry_run() {
        let role = role(kind, call, (Role::BackupAsks, Role::BackupAnswers));
        note(&CallKey { call: call.id(), endpoint: endpoint.id, target }, role);
    }
}

/// What somebody does with a dialog.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    ClientAsks,
    ClientAnswers,
    BackupAsks,
    BackupAnswers,
    Ends,
    GoesOn,
}

#[inline(always)]
const fn role(kind: Kind, call: sip::Call, (asks, answers): (Role, Role)) -> Role {
    match kind {
        Kind::Begins => asks,
        Kind::Success if call.is_answer() => answers,
        Kind::Ends => Role::Ends,
        _ => Role::GoesOn,
    }
}

/// What has to be read of a message.
#[inline(always)]
fn wanted(kind: Kind) -> Wanted {
    if kind == Kind::Success { Wanted::ANSWER } else { Wanted::CALL_ID }
}

#[inline(always)]
fn note(key: &CallKey, role: Role) {
    note_call(key.call, key.endpoint, key.target, role as u32);
}

/// Writes it down. One of those that the verifier goes through by themselves ([`crate::apart`]).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn note_call(call: u64, endpoint: u32, target: u32, role: u32) -> u32 {
    let is = |one: Role| role == one as u32;
    let asks = is(Role::ClientAsks) || is(Role::BackupAsks);
    let (key, now) = (CallKey { call, endpoint, target }, now_seconds());
    if let Some(known) = maps::ANSWERED_CALLS.get_ptr_mut(key) {
        // SAFETY: a live element (RCU); what is stored in place is 4 aligned bytes each.
        let known = unsafe { &mut *known };
        known.seen = now;
        let flags = flags(known.flags, is(Role::Ends), asks);
        if known.flags != flags {
            known.flags = flags;
        }
        return 0;
    }
    // SAFETY: read at once.
    let found = unsafe { maps::UNANSWERED_CALLS.get(key) }.copied();
    let Some(found) = found else {
        if asks {
            let flags = if is(Role::BackupAsks) { Call::BACKUP_ASKED } else { 0 };
            // Where there is no room, the call goes with what is new.
            let _ = maps::UNANSWERED_CALLS.insert(key, Call { seen: now, flags }, BPF_ANY.into());
        }
        return 0;
    };
    let by_backup = found.flags & Call::BACKUP_ASKED != 0;
    if is(Role::BackupAnswers) && !by_backup || is(Role::ClientAnswers) && by_backup {
        if maps::ANSWERED_CALLS.insert(key, Call { seen: now, ..found }, BPF_ANY.into()).is_ok() {
            // Another CPU may have been faster.
            let _ = maps::UNANSWERED_CALLS.remove(key);
        } else {
            record::table_full();
        }
        return 0;
    }
    let call = Call { seen: now, flags: flags(found.flags, is(Role::Ends), asks) };
    if call != found {
        let _ = maps::UNANSWERED_CALLS.insert(key, call, BPF_ANY.into());
    }
    0
}

/// What a call's flags become. Whoever asks again goes on: one of several dialogs was over, or a call begins anew under its
/// old Call-ID.
#[inline(always)]
const fn flags(flags: u32, ends: bool, asks: bool) -> u32 {
    match (ends, asks) {
        (true, _) => flags | Call::ENDED,
        (_, true) => flags & !Call::ENDED,
        _ => flags,
    }
}

#[inline(always)]
fn is_there(key: &CallKey) -> bool {
    maps::ANSWERED_CALLS.get_ptr(key).or_else(|| maps::UNANSWERED_CALLS.get_ptr(key)).is_some()
}

/// For [`sent`].
#[inline(always)]
fn keep(call: sip::Call) {
    if let Some(message) = maps::message() {
        message.call = call.bits();
    }
}

#[inline(always)]
fn kept() -> sip::Call {
    sip::Call::from_bits(maps::message().map_or(0, |message| message.call))
}
