//! The ports of the probe sockets, as the program looks at them first: a bit for each.
//!
//! They are counted here, because several sockets may have one port at different addresses, and because reading thousands of
//! sockets back from their map for each one that comes or goes would take longer than all probes together.

use std::collections::HashMap;

use failover_common::{
    key::{EndpointKey, TCP},
    value::PortBitmap,
};

use super::tables::bitmap;

/// The ports, and how many sockets have each.
#[derive(Debug)]
pub struct ProbePorts {
    sockets: HashMap<(u8, u16), u32>,
    bitmap: Box<PortBitmap>,
}

impl Default for ProbePorts {
    fn default() -> Self {
        Self { sockets: HashMap::new(), bitmap: bitmap(std::iter::empty()) }
    }
}

impl ProbePorts {
    /// A socket came or went; whether the ports are others now.
    pub fn note(&mut self, socket: &EndpointKey, is_there: bool) -> bool {
        let port = (socket.protocol, u16::from_be_bytes(socket.port));
        let sockets = self.sockets.entry(port).or_default();
        let before = *sockets;
        *sockets = if is_there { before.saturating_add(1) } else { before.saturating_sub(1) };
        let changed = (before == 0) != (*sockets == 0);
        if *sockets == 0 {
            self.sockets.remove(&port);
        }
        let (word, bit) = PortBitmap::place(port.1, port.0 == TCP);
        if let Some(word) = self.bitmap.0.get_mut(word).filter(|_| changed) {
            *word ^= bit;
        }
        changed
    }

    /// As the map wants them.
    pub const fn bitmap(&self) -> &PortBitmap {
        &self.bitmap
    }
}

#[cfg(test)]
mod tests {
    use failover_common::key::UDP;

    use super::*;

    #[test]
    fn a_port_is_there_while_any_socket_has_it() {
        let socket = |host, port, protocol| EndpointKey::new([host; 16], port, protocol);
        let mut ports = ProbePorts::default();
        assert!(ports.note(&socket(1, 4000, UDP), true));
        assert!(!ports.note(&socket(2, 4000, UDP), true));
        assert!(ports.note(&socket(1, 4000, TCP), true));
        assert!(!ports.note(&socket(1, 4000, UDP), false));
        let both = [socket(0, 4000, UDP), socket(0, 4000, TCP)];
        assert_eq!(ports.bitmap().0, bitmap(both.iter()).0);
        assert!(ports.note(&socket(2, 4000, UDP), false));
        assert_eq!(ports.bitmap().0, bitmap(both[1..].iter()).0);
        assert!(!ports.note(&socket(9, 9, UDP), false), "one that nobody knows");
    }
}
