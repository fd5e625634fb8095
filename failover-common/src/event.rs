//! What the kernel tells the daemon through the ring buffer.

/// One event.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub time_ns: u64,
    /// A [`Kind`].
    pub kind: u32,
    /// Target id.
    pub target: u32,
    /// The availability's generation, for [`Kind::SteeringBegan`]; else 0.
    pub generation: u32,
    /// The client's port (network order), its protocol, and zero.
    pub client_port: [u8; 2],
    /// [`crate::key::TCP`] or [`crate::key::UDP`].
    pub protocol: u8,
    /// Zero.
    pub reserved: u8,
    /// The client's address: IPv6 or IPv4-mapped, network order.
    pub client: [u8; 16],
}

/// Kinds of events. ABI, like reasons.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The first packet of a generation was steered to a backup.
    SteeringBegan = 1,
    /// The table of flows that were answered is full: the next ones may be forgotten, if a flood of others comes.
    FlowTableFull = 2,
    /// Something says that a target's primary may not live: the client and its protocol are those that it was said to. Cheap to forge,
    /// and so no more than a reason to ask the primary itself.
    Suspicion = 3,
}

impl TryFrom<u32> for Kind {
    type Error = u32;

    fn try_from(number: u32) -> Result<Self, u32> {
        match number {
            1 => Ok(Kind::SteeringBegan),
            2 => Ok(Kind::FlowTableFull),
            3 => Ok(Kind::Suspicion),
            other => Err(other),
        }
    }
}

const _: () = assert!(size_of::<Event>() == 40);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)`, integers and byte arrays only, no padding (size asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::Event {}
}
