//! Exemptions: what the data plane must never touch.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use failover_common::key::{EndpointKey, mapped};
use tokio::sync::{mpsc, oneshot};

use super::Outcome;
use crate::config::model::Transport;

/// Longest wait for the data plane's confirmation. It is one map update away; whoever takes longer hangs.
const CONFIRMATION: Duration = Duration::from_secs(2);

/// "Never touch packets *to* this local address, port and protocol", or the end of that.
///
/// Two probers may for a moment hold the same endpoint, when one's port was given back to the kernel a moment
/// before the other got it: the receiver counts, with [`Ledger`].
#[derive(Debug)]
pub struct Exemption {
    /// The probe socket.
    pub endpoint: EndpointKey,
    /// Begin, or end.
    pub exempt: bool,
    /// Answered when it is in force; dropped where it could not be put in force.
    pub done: Option<oneshot::Sender<()>>,
}

/// Counts exemptions, so that an endpoint is exempt as long as anybody holds it. Pure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    held: HashMap<EndpointKey, u32>,
}

impl Ledger {
    /// Takes note of one [`Exemption`]; `true` where the data plane's map has to follow, because the endpoint's
    /// first holder came or its last one left.
    pub fn note(&mut self, endpoint: EndpointKey, exempt: bool) -> bool {
        match (self.held.entry(endpoint), exempt) {
            (Entry::Vacant(entry), true) => {
                entry.insert(1);
                true
            }
            (Entry::Occupied(mut entry), true) => {
                *entry.get_mut() += 1;
                false
            }
            (Entry::Occupied(mut entry), false) if *entry.get() > 1 => {
                *entry.get_mut() -= 1;
                false
            }
            (Entry::Occupied(entry), false) => {
                entry.remove();
                true
            }
            (Entry::Vacant(_), false) => false,
        }
    }

    /// Everything that is exempt now.
    pub fn endpoints(&self) -> impl Iterator<Item = &EndpointKey> {
        self.held.keys()
    }
}

/// Holds one exemption; takes it back when dropped.
#[derive(Debug)]
pub(super) struct Exempted {
    endpoint: EndpointKey,
    exemptions: mpsc::Sender<Exemption>,
    held: bool,
}

impl Exempted {
    /// Exempts the local endpoint of a probe socket, and waits until that is in force. A failure is a probe's
    /// outcome: without the exemption the answer might never match the socket.
    ///
    /// Cancel safety: dropped while it waits, it takes the exemption back.
    pub(super) async fn hold(
        local: SocketAddr,
        transport: Transport,
        exemptions: &mpsc::Sender<Exemption>,
    ) -> Result<Self, Outcome> {
        let endpoint = endpoint_of(local, transport);
        let (done, confirmed) = oneshot::channel();
        let refused = || Outcome::unable("the data plane did not exempt the probe's socket");
        let exemption = Exemption { endpoint, exempt: true, done: Some(done) };
        exemptions.send(exemption).await.map_err(|_| refused())?;
        let held = Self { endpoint, exemptions: exemptions.clone(), held: true };
        match tokio::time::timeout(CONFIRMATION, confirmed).await {
            Ok(Ok(())) => Ok(held),
            Ok(Err(_)) | Err(_) => Err(refused()),
        }
    }

    /// Takes it back, waiting for room in the channel.
    pub(super) async fn release(mut self) {
        let exemption = Exemption { endpoint: self.endpoint, exempt: false, done: None };
        // Closed: the data plane's owner is gone, and its map with it or left to the next owner.
        let _ = self.exemptions.send(exemption).await;
        self.held = false;
    }
}

impl Drop for Exempted {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        let exemption = Exemption { endpoint: self.endpoint, exempt: false, done: None };
        if let Err(mpsc::error::TrySendError::Full(_)) = self.exemptions.try_send(exemption) {
            tracing::warn!(endpoint = ?self.endpoint, "probe exemption left behind: the data plane is busy");
        }
    }
}

fn endpoint_of(local: SocketAddr, transport: Transport) -> EndpointKey {
    let address = match local.ip() {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => v6.octets(),
    };
    EndpointKey::new(address, local.port(), transport.protocol())
}
