//! The words in which a fixture is told: what was sent, and what has to come of it.

use std::net::SocketAddrV4;

use failover_common::reason::Reason;

use crate::frame::{Frame, Raw};

/// One packet's story.
#[derive(Clone, Debug)]
pub struct Fixture {
    pub name: String,
    /// What went before it, in order.
    pub before: Vec<Step>,
    /// Who serves, where it is not everyone's first backup.
    pub serving: Vec<(SocketAddrV4, u8)>,
    pub sent: Raw,
    pub outcome: Outcome,
}

/// Something that happens before the packet.
#[derive(Clone, Debug)]
pub enum Step {
    /// Another packet, whatever becomes of it.
    Packet(Raw),
    /// A while passes, in seconds.
    Time(u32),
    /// The daemon decides: see `failover_common::value::Availability`.
    Serve { target: SocketAddrV4, serving: u8, keeper: u8 },
    /// The daemon probes from this socket.
    Probe { socket: SocketAddrV4, tcp: bool },
}

/// What has to come of a packet.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub action: Action,
    pub bytes: Vec<u8>,
    pub reason: Reason,
    /// The target under which it is counted; `None` where it concerns none.
    pub target: Option<SocketAddrV4>,
}

/// The kernel's `enum xdp_action` (linux/bpf.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Drop = 1,
    Pass = 2,
    Redirect = 4,
}

/// By which way a rewritten packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Out of the right device, to the next hop's MAC address, the TTL one less.
    Redirect,
    /// To the kernel, which will see to MAC addresses and TTL itself.
    Kernel,
}

/// The packet that leaves: all of it, but what [`Way`] says.
pub struct Expected {
    way: Way,
    frame: Frame,
}

/// `frame`, but for MAC addresses and TTL, which follow from `way`.
pub fn expect(way: Way, frame: Frame) -> Expected {
    Expected { way, frame }
}

impl Expected {
    fn bytes(self, sent: &Frame) -> Vec<u8> {
        match self.way {
            Way::Redirect => self.frame.ttl(sent.ttl - 1).leaving().bytes(),
            Way::Kernel => self.frame.ttl(sent.ttl).addressed(sent.macs).bytes(),
        }
    }
}

/// A packet to a target goes to the backup.
pub fn steer(name: &str, sent: Frame, expected: Expected) -> Fixture {
    let reason = match expected.way {
        Way::Redirect => Reason::Steered,
        Way::Kernel => Reason::SteeredByKernel,
    };
    let target = sent.to;
    changed(name, sent, expected, reason, target)
}

/// A packet from a backup gets the target's address.
pub fn give_back(name: &str, sent: Frame, expected: Expected) -> Fixture {
    let reason = match expected.way {
        Way::Redirect => Reason::Returned,
        Way::Kernel => Reason::ReturnedByKernel,
    };
    let target = expected.frame.from;
    changed(name, sent, expected, reason, target)
}

/// These bytes become those, redirected and counted as steered unless [`Fixture::by`] says otherwise.
pub fn rewritten(name: &str, sent: Raw, expected: Vec<u8>) -> Fixture {
    let outcome =
        Outcome { action: Action::Redirect, bytes: expected, reason: Reason::Steered, target: None };
    fixture(name, sent, outcome)
}

fn changed(name: &str, sent: Frame, expected: Expected, reason: Reason, target: SocketAddrV4) -> Fixture {
    let action = match expected.way {
        Way::Redirect => Action::Redirect,
        Way::Kernel => Action::Pass,
    };
    let outcome = Outcome { action, bytes: expected.bytes(&sent), reason, target: Some(target) };
    fixture(name, sent.into(), outcome)
}

/// A packet passes, and not one byte of it changes.
pub fn leave(name: &str, sent: impl Into<Raw>, reason: Reason) -> Fixture {
    let sent = sent.into();
    let outcome = Outcome { action: Action::Pass, bytes: sent.bytes.clone(), reason, target: None };
    fixture(name, sent, outcome)
}

/// A packet is thrown away.
pub fn refuse(name: &str, sent: impl Into<Raw>, reason: Reason) -> Fixture {
    let mut fixture = leave(name, sent, reason);
    fixture.outcome.action = Action::Drop;
    fixture
}

fn fixture(name: &str, sent: Raw, outcome: Outcome) -> Fixture {
    Fixture { name: name.to_owned(), before: Vec::new(), serving: Vec::new(), sent, outcome }
}

impl Fixture {
    /// It is counted under this target.
    pub fn about(mut self, target: SocketAddrV4) -> Self {
        self.outcome.target = Some(target);
        self
    }

    /// It ends so.
    pub fn by(mut self, action: Action, reason: Reason) -> Self {
        (self.outcome.action, self.outcome.reason) = (action, reason);
        self
    }

    /// Backup `n` (from 1) serves `target`; 0 is the primary.
    pub fn while_serving(mut self, target: SocketAddrV4, n: u8) -> Self {
        self.serving.push((target, n));
        self
    }

    /// This packet came first.
    pub fn after(mut self, packet: impl Into<Raw>) -> Self {
        self.before.push(Step::Packet(packet.into()));
        self
    }

    /// Then a while passed.
    pub fn and_seconds(mut self, seconds: u32) -> Self {
        self.before.push(Step::Time(seconds));
        self
    }

    /// Then the daemon decided that the primary gets what is new, and backup `n` (from 1) keeps what began there.
    pub fn then_back_from(mut self, target: SocketAddrV4, n: u8) -> Self {
        self.before.push(Step::Serve { target, serving: 0, keeper: n + 1 });
        self
    }

    /// Then the operator had it drained to backup `n`.
    pub fn then_drained_to(mut self, target: SocketAddrV4, n: u8) -> Self {
        self.before.push(Step::Serve { target, serving: n, keeper: 1 });
        self
    }

    /// Then backup `n` served everything; 0: the primary did.
    pub fn then_served_by(mut self, target: SocketAddrV4, n: u8) -> Self {
        self.before.push(Step::Serve { target, serving: n, keeper: 0 });
        self
    }

    /// The daemon has a probe socket here.
    pub fn probed_from(mut self, socket: SocketAddrV4, tcp: bool) -> Self {
        self.before.push(Step::Probe { socket, tcp });
        self
    }
}
