//! Every map, each with the argument why its readers and writers may run at the same time.
//!
//! The sizes here are the least; the loader sets those that grow with the configuration.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_COMMON_LRU},
    macros::map,
    maps::{Array, DevMapHash, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use failover_common::{
    key::{CallKey, ConnectionKey, EndpointKey, FlowKey, FragmentKey, HostKey, TCP, TunnelKey},
    names::{
        CONNECTION_SLOTS, FRAGMENT_SLOTS, INTERFACE_SLOTS, INTERFACES_END, LEAST_NEXT_HOPS, MOST_DISCOVERIES,
        PROBING, REASON_SLOTS, SCATTERED,
    },
    observe::{Interest, Missed},
    trace::Trace,
    value::{
        Availability, Call, Counter, Endpoint, Filters, Flow, FragmentWay, Hosts, Origin, PortBitmap, Server,
        Service, Station,
    },
    watch,
};

use crate::{
    forward::Fib,
    found::Place,
    hop::NextHop,
    observe::View,
    parse::{ip::Address, sip::Message},
    watch::Copy,
};

/// Written by the daemon alone. A reader may see some words of the old bitmap and some of the new one: a port's bit
/// is old or new, never anything else.
#[map]
pub static PORTS: Array<PortBitmap> = Array::with_max_entries(2, 0);

/// Written by the daemon alone. A reader may see one filter of before and one of now: each is right for some moment.
#[map]
pub static FILTERS: Array<Filters> = Array::with_max_entries(1, 0);

/// Written by the daemon alone; an element is replaced whole (RCU).
#[map]
pub static SERVICES: HashMap<EndpointKey, Service> = HashMap::with_max_entries(64, 0);

/// Written by the daemon alone, through its own mapping, one aligned 8-byte store each; read by one 8-byte load.
#[map]
pub static AVAILABILITY: Array<Availability> = Array::with_max_entries(64, BPF_F_MMAPABLE);

/// Written by the daemon alone, and only for places that no availability names yet: a place in use never changes
/// its meaning (the daemon moves the target to its primary first).
#[map]
pub static SERVERS: Array<Server> = Array::with_max_entries(512, 0);

/// Written by the daemon alone; an element is replaced whole (RCU).
#[map]
pub static BACKUPS: HashMap<EndpointKey, Endpoint> = HashMap::with_max_entries(64, 0);

/// Written by the daemon alone; a set.
#[map]
pub static HOSTS: HashMap<HostKey, u32> = HashMap::with_max_entries(64, 0);

/// Written by the daemon alone, before any flow names the row.
#[map]
pub static ORIGINS: Array<Origin> = Array::with_max_entries(64, 0);

/// Written by the data plane: new elements and changed services replace the element whole; what is stored in place is
/// said in `flows`. Each CPU has a part of the room to itself, so that none waits for another one's lock.
#[map]
pub static UNANSWERED: LruHashMap<FlowKey, Flow> = LruHashMap::with_max_entries(1024, BPF_F_NO_COMMON_LRU);

/// As `UNANSWERED`, and RCU keeps what a reader has found. The daemon removes elements; one that it finds idle in the very
/// moment in which a packet comes is written anew by the next packet.
#[map]
pub static ANSWERED: HashMap<FlowKey, Flow> = HashMap::with_max_entries(1024, 0);

/// As `UNANSWERED`.
#[map]
pub static UNANSWERED_CALLS: LruHashMap<CallKey, Call> =
    LruHashMap::with_max_entries(1024, BPF_F_NO_COMMON_LRU);

/// As `ANSWERED`.
#[map]
pub static ANSWERED_CALLS: HashMap<CallKey, Call> = HashMap::with_max_entries(1024, 0);

/// Written by the daemon, once, before anything is attached.
#[map]
pub static CALL_SEED: Array<u64> = Array::with_max_entries(1, 0);

/// Written by the data plane alone; an element is replaced whole (RCU). A following fragment may overtake its first
/// on another CPU, and then passes as one that came first.
#[map]
pub static FRAGMENTS: LruHashMap<FragmentKey, FragmentWay> = LruHashMap::with_max_entries(FRAGMENT_SLOTS, 0);

/// Written by the daemon alone; a set.
#[map]
pub static PROBES: HashMap<EndpointKey, u32> = HashMap::with_max_entries(64, 0);

/// Of the decapsulating program alone: written once, before it is attached. A set.
#[map]
pub static TUNNELS: HashMap<TunnelKey, u32> = HashMap::with_max_entries(1, 0);

/// Written by the daemon alone. A device that takes frames in several buffers has two places: that of its index, and
/// that of its index with `SCATTERED`.
#[map]
pub static DEVICES: DevMapHash = DevMapHash::with_max_entries(512, 0);

/// Written by the daemon alone; an element is replaced whole (RCU).
#[map]
pub static STATIONS: HashMap<u32, Station> = HashMap::with_max_entries(256, 0);

/// Written by the daemon alone; an element is replaced whole (RCU).
#[map]
pub static DISCOVERIES: HashMap<u32, EndpointKey> = HashMap::with_max_entries(MOST_DISCOVERIES, 0);

/// Written by the daemon alone, one aligned 4-byte store each.
#[map]
pub static EPOCH: Array<u32> = Array::with_max_entries(1, 0);

/// Each CPU has its own part, and XDP does not interrupt itself on one CPU. One array, in which the kernel begins a page for the
/// sake of `BPF_F_MMAPABLE`: so a slot is one line of the cache, where one of a map per CPU is two, behind a pointer in a third.
/// Never pinned: each program finds its own.
#[map]
pub static NEXT_HOPS: Array<NextHop> = Array::with_max_entries(LEAST_NEXT_HOPS, BPF_F_MMAPABLE);

/// Per CPU, and XDP does not interrupt itself on one CPU.
#[map]
pub static COUNTERS: PerCpuArray<Counter> = PerCpuArray::with_max_entries(4096, 0);

/// Written by the daemon alone, one aligned word each: an interface's packets are counted in its slot, or, for the moment
/// in which it is attached, in that of nobody.
#[map]
pub static INTERFACES: Array<u32> = Array::with_max_entries(INTERFACES_END, 0);

/// Written and read by userspace alone.
#[map]
pub static INTERFACE_NAMES: Array<[u8; 16]> = Array::with_max_entries(INTERFACE_SLOTS, 0);

/// Per CPU, as `COUNTERS`.
#[map]
pub static INTERFACE_COUNTERS: PerCpuArray<Counter> =
    PerCpuArray::with_max_entries(INTERFACE_SLOTS * 2 * REASON_SLOTS, 0);

/// What was found out about the packet that this CPU is at: the stack has no room for it. Per CPU, as above.
#[map]
pub static FOUND: PerCpuArray<Place> = PerCpuArray::with_max_entries(1, 0);

/// The SIP message: plain words, and never uninitialised.
#[map]
pub static MESSAGE: PerCpuArray<Message> = PerCpuArray::with_max_entries(1, 0);

/// What the FIB is asked, and answers: plain words, and never uninitialised.
#[map]
pub static FIB: PerCpuArray<Fib> = PerCpuArray::with_max_entries(1, 0);

/// What the twin of `failover explain` leaves; nothing else writes it. Userspace clears it before a test run, and reads
/// it after.
#[map]
pub static TRACE: PerCpuArray<Trace> = PerCpuArray::with_max_entries(1, 0);

/// Written by the daemon alone, while somebody observes. A reader may see some words of the old wishes and some of the
/// new ones: then a packet too many is shown, or one too few.
#[map]
pub static INTEREST: Array<Interest> = Array::with_max_entries(1, 0);

/// Reserve and submit are the kernel's to order. The least that a ring can be: only the program that takes the attached
/// one's place while somebody observes is loaded with a larger one.
#[map]
pub static SIGHTINGS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Per CPU, as `COUNTERS`.
#[map]
pub static MISSED: PerCpuArray<Missed> = PerCpuArray::with_max_entries(1, 0);

/// What is shown of the packet that this CPU is at. Per CPU, as above.
#[map]
pub static VIEW: PerCpuArray<View> = PerCpuArray::with_max_entries(1, 0);

/// Stored by whichever CPU steers the first packet of a generation; two at once announce it twice, and the daemon
/// keeps the first.
#[map]
pub static ANNOUNCED: Array<u32> = Array::with_max_entries(64, 0);

/// Stored by whichever CPU has something to say; two at once say it twice.
#[map]
pub static SUSPECTED: Array<u32> = Array::with_max_entries(64, 0);

/// Reserve and submit are the kernel's to order.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);

/// Reserve and submit are the kernel's to order.
#[map]
pub static COPIES: RingBuf = RingBuf::with_byte_size(watch::RING, 0);

/// Per CPU, as `COUNTERS`.
#[map]
pub static COPIES_LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// What is copied of the packet that this CPU is at. Per CPU, as above.
#[map]
pub static COPY: PerCpuArray<Copy> = PerCpuArray::with_max_entries(1, 0);

/// Written by the data plane; an element is replaced whole (RCU). The daemon removes elements; one that it removes in the very
/// moment in which its connection begins again is of no more use.
#[map]
pub static CONNECTIONS: LruHashMap<ConnectionKey, u32> =
    LruHashMap::with_max_entries(CONNECTION_SLOTS, BPF_F_NO_COMMON_LRU);

/// The SIP message that this CPU is at.
#[inline(always)]
pub fn message() -> Option<&'static mut Message> {
    // SAFETY: this CPU's own element; programs do not interrupt each other on one CPU, and in plain words any bytes are valid.
    MESSAGE.get_ptr_mut(0).map(|message| unsafe { &mut *message })
}

/// This CPU's last question to the FIB, and its answer.
#[inline(always)]
pub fn fib() -> Option<&'static mut Fib> {
    // SAFETY: as above.
    FIB.get_ptr_mut(0).map(|fib| unsafe { &mut *fib })
}

/// Has the frame leave by this device, where that takes redirected frames, or, where it lies in several buffers
/// (`scattered`), such.
#[inline(always)]
pub fn redirect(ifindex: u32, scattered: bool) -> bool {
    let place = if scattered { ifindex | SCATTERED } else { ifindex };
    DEVICES.redirect(place, 0).is_ok()
}

/// Who serves `target`; the primary where the map has no such row.
#[inline(always)]
pub fn availability(target: u32) -> Availability {
    match AVAILABILITY.get_ptr(target) {
        // SAFETY: the pointer is to a live array element; a volatile load of 8 aligned bytes is one load, so the
        // daemon's store is seen whole or not at all.
        Some(value) => unsafe { core::ptr::read_volatile(value) },
        None => Availability::default(),
    }
}

/// Whether the host belongs to `target`, whose hosts are among `hosts`.
#[inline(always)]
pub fn is_own_host(address: Address, target: u32, hosts: Hosts) -> bool {
    if !hosts.may_hold(address.0) {
        return false;
    }
    let key = HostKey { address: address.bytes(), target };
    // SAFETY: only its presence is looked at.
    unsafe { HOSTS.get(key) }.is_some()
}

/// Whether this is one of the daemon's own probe sockets.
#[inline(always)]
pub fn is_probe(address: Address, port: u16, protocol: u8) -> bool {
    if !PORTS.get(PROBING).is_some_and(|bitmap| has_port(bitmap, port, protocol)) {
        return false;
    }
    let key = EndpointKey::new(address.bytes(), port, protocol);
    // SAFETY: only its presence is looked at.
    unsafe { PROBES.get(key) }.is_some()
}

/// Whether a port (host order) is in a bitmap of `PORTS`.
#[inline(always)]
pub fn has_port(bitmap: &PortBitmap, port: u16, protocol: u8) -> bool {
    let (word, bit) = PortBitmap::place(port, protocol == TCP);
    bitmap.0.get(word).is_some_and(|word| word & bit != 0)
}
