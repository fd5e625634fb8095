//! What is known of a primary while it serves: what its clients and it say to each other is copied for the daemon, where the service
//! is watched, so that requests which are still without an answer when it dies can be sent to the backup; and who has a TCP
//! connection with it, so that they can be told. A reset in its name says that it may not live.
//!
//! Only where packets come in: what this machine makes itself it sends again itself.

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_RB_NO_WAKEUP},
    helpers::generated::{bpf_ktime_get_ns, bpf_ringbuf_output},
};
use failover_common::{
    key::{ConnectionKey, EndpointKey, TCP},
    value::Service,
    watch::{Copied, SNAP},
};

use crate::{
    flows::now_seconds,
    maps,
    packet::{Frame, Packet},
    parse::{
        glance::Plain,
        ip::{Address, Ip},
        l4::L4,
    },
    record,
    trace::dry_run,
};

/// The verifier refuses a copy of no bytes, and of a comparison with 0 Linux 6.1 learns nothing.
const LEAST: usize = 14;

/// A frame, as it goes into the ring.
#[repr(C)]
pub struct Copy {
    head: Copied,
    bytes: [u8; SNAP],
}

/// A client says it to a primary that serves.
#[inline(always)]
pub fn asked<F: Frame>(packet: &Packet<F>, service: &Service) {
    if !F::EGRESS && service.flags & Service::WATCHED != 0 {
        copy(packet, service.target, Copied::TO_PRIMARY);
    }
}

/// What comes from a host at which there are services, and is for no backup's client. A function of its own, because it is rarer than
/// what goes there, and the stack has 512 bytes.
#[inline(never)]
pub fn plain(packet: &Packet<impl Frame>, plain: &Plain) {
    let flags = if plain.protocol == TCP { plain.tcp_flags(packet).unwrap_or(0) } else { 0 };
    if plain.protocol == TCP && flags & (L4::SYN | L4::FIN | L4::RST) == 0 {
        return;
    }
    if let Some((source, destination)) = plain.addresses(packet) {
        said(
            packet,
            (&source, plain.source_port),
            (&destination, plain.destination_port),
            plain.protocol,
            flags,
        );
    }
}

/// The same, of one that has been parsed.
#[inline(never)]
pub fn segment<F: Frame>(packet: &Packet<F>, ip: &Ip, l4: &L4) {
    if !F::EGRESS {
        said(packet, (&ip.source, l4.source), (&ip.destination, l4.destination), ip.protocol, l4.flags);
    }
}

/// A packet of `from`, which may be a primary's service, to `client`.
#[inline(always)]
fn said<F: Frame>(
    packet: &Packet<F>,
    from: (&Address, u16),
    client: (&Address, u16),
    protocol: u8,
    flags: u8,
) {
    let key = EndpointKey::new(from.0.bytes(), from.1, protocol);
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    let Some(service) = (unsafe { maps::SERVICES.get(key) }) else { return };
    if maps::is_probe(*client.0, client.1, protocol) {
        // What is said to the daemon, it hears itself.
        return;
    }
    if protocol == TCP {
        connection(client, service, flags);
    } else if service.flags & Service::WATCHED != 0 {
        copy(packet, service.target, Copied::FROM_PRIMARY);
    }
}

/// It accepts a connection, or ends one.
#[inline(always)]
fn connection((client, port): (&Address, u16), service: &Service, flags: u8) {
    if flags & L4::RST != 0 {
        record::suspicion(service.target, client, port, TCP);
    }
    if dry_run() {
        return;
    }
    let key = ConnectionKey {
        client: client.bytes(),
        port: port.to_be_bytes(),
        reserved: [0; 2],
        service: service.service,
    };
    // One that cannot be kept, or is not there, is the client's own to find out about.
    if flags & (L4::RST | L4::FIN) != 0 {
        let _ = maps::CONNECTIONS.remove(key);
    } else if flags & (L4::SYN | L4::ACK) == L4::SYN | L4::ACK {
        let _ = maps::CONNECTIONS.insert(key, now_seconds(), BPF_ANY.into());
    }
}

/// Copies the frame. Nobody is woken: whoever reads the ring looks often enough. A function of its own, because the stack has
/// 512 bytes.
#[inline(never)]
pub fn copy<F: Frame>(packet: &Packet<F>, target: u32, way: u32) {
    if F::EGRESS {
        return;
    }
    // SAFETY: this CPU's own element, and any bytes are valid; programs do not interrupt each other on one CPU.
    let Some(place) = maps::COPY.get_ptr_mut(0).map(|place| unsafe { &mut *place }) else { return };
    let whole = packet.len();
    // Of a longer one, this is enough to tell that it is too long.
    let len = if whole > SNAP { SNAP } else { whole };
    if len < LEAST || dry_run() {
        return;
    }
    // SAFETY: the bytes of a map's value are no fewer than `len`.
    if !unsafe { packet.copy(0, place.bytes.as_mut_ptr(), len) } {
        return;
    }
    place.head = Copied {
        // SAFETY: a helper without arguments.
        time_ns: unsafe { bpf_ktime_get_ns() },
        target,
        ingress: packet.device(),
        length: whole as u32,
        way,
    };
    let size = size_of::<Copied>() + len;
    // SAFETY: the map is one of ring buffers, and the place, a map's value, is no smaller than `size`.
    let lost = unsafe {
        let ring = (&raw const maps::COPIES).cast_mut().cast();
        bpf_ringbuf_output(ring, (&raw mut *place).cast(), size as u64, BPF_RB_NO_WAKEUP.into())
    };
    if lost != 0
        && let Some(count) = maps::COPIES_LOST.get_ptr_mut(0)
    {
        // SAFETY: this CPU's own element; XDP does not interrupt itself on one CPU.
        unsafe { *count += 1 };
    }
}
