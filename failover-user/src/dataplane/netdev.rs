//! The machine's network devices, kept current: which there are, what XDP program they run, and which of them can
//! take a redirected frame (`NETDEV_XDP_ACT_NDO_XMIT` of the `netdev` generic netlink family, Linux 6.3), or one in several
//! buffers (`NETDEV_XDP_ACT_NDO_XMIT_SG`).
//!
//! A device that does not say so gets no redirected frame: packets for it go through the kernel. On a kernel
//! without that family no device says so.

use std::{collections::BTreeSet, io, time::Duration};

use failover_common::names::SCATTERED;
use futures_channel::mpsc::UnboundedReceiver;
use futures_util::StreamExt as _;
use genetlink::{GenetlinkHandle, message::RawGenlMessage};
use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NlasIterator, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use rtnetlink::{
    MulticastGroup,
    packet_route::link::{LinkAttribute, LinkInfo, LinkXdp, XdpAttached},
    sys::SocketAddr,
};
use tokio::sync::watch;

use super::error::Error;
use crate::config::model::Mode;

/// How often the devices are looked at without any notification.
const PERIOD: Duration = Duration::from_secs(5);

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Interface index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Its Ethernet address, where it has one.
    pub mac: Option<[u8; 6]>,
    /// The XDP program that it runs: how, and the program's id.
    pub xdp: Option<(Mode, u32)>,
    /// ARPHRD_… of linux/if_arp.h.
    pub link_type: u16,
    /// Of a virtual device, its kind: `veth`, `vlan`, ….
    pub kind: Option<String>,
    /// The index of the device that it is stacked on, or of a veth's far end.
    pub parent: Option<u32>,
}

impl Device {
    /// Whether a frame to a group is one for the kernel, whatever address the program gives it: a veth in native mode keeps
    /// what its far end has found, and nothing that was sent to a group is forwarded.
    pub fn knows_groups(&self) -> bool {
        let generic = self.xdp.is_some_and(|(mode, _)| mode == Mode::Generic);
        self.kind.as_deref() == Some("veth") && !generic
    }
}

/// What is known of the devices.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Devices {
    /// Every device.
    pub all: Vec<Device>,
    /// Indices of those that can take a redirected frame, and those again, with [`SCATTERED`], that can take it in several
    /// buffers.
    pub redirectable: BTreeSet<u32>,
}

impl Devices {
    /// The device of this name.
    pub fn named(&self, name: &str) -> Option<&Device> {
        self.all.iter().find(|device| device.name == name)
    }
}

/// The devices, as a value that changes.
pub type Watch = watch::Receiver<Devices>;

/// Looks at the devices, and goes on looking in a task that ends with the runtime.
pub async fn watch() -> Result<Watch, Error> {
    let (links, handle, mut link_changes) =
        rtnetlink::new_multicast_connection(&[MulticastGroup::Link]).map_err(fails)?;
    tokio::spawn(links);
    let (generic, mut feature_changes) = features().await?;
    let (sender, receiver) = watch::channel(look(&handle, &generic).await?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(_) = link_changes.next() => {}
                Some(_) = feature_changes.next() => {}
                () = tokio::time::sleep(PERIOD) => {}
                () = sender.closed() => return,
            }
            // Changes come in bursts; one look answers all that are waiting.
            while link_changes.try_recv().is_ok() {}
            while feature_changes.try_recv().is_ok() {}
            match look(&handle, &generic).await {
                Ok(devices) => {
                    sender.send_if_modified(|known| {
                        let changed = *known != devices;
                        *known = devices;
                        changed
                    });
                }
                Err(error) => tracing::warn!(%error, "the network devices could not be looked at"),
            }
        }
    });
    Ok(receiver)
}

type Changes = UnboundedReceiver<(NetlinkMessage<RawGenlMessage>, SocketAddr)>;

/// A generic netlink connection that hears of changed features, where the kernel tells of them.
async fn features() -> Result<(GenetlinkHandle, Changes), Error> {
    use rtnetlink::sys::AsyncSocket as _;
    let group = {
        // The family is asked through a connection of its own: the other one is not polled before it has joined.
        let (connection, generic, _) = genetlink::new_connection().map_err(fails)?;
        let polled = tokio::spawn(connection);
        let family = generic.resolve_family::<Netdev>().await;
        polled.abort();
        family.ok().and_then(|family| family.multicast_groups.get("mgmt").copied())
    };
    let (mut connection, generic, changes) = genetlink::new_connection().map_err(fails)?;
    if let Some(group) = group {
        connection.socket_mut().socket_mut().add_membership(group).map_err(fails)?;
    }
    tokio::spawn(connection);
    Ok((generic, changes))
}

fn fails(source: io::Error) -> Error {
    Error::io("look at the network devices", source)
}

/// One look, for callers outside of a runtime.
pub fn look_once() -> Result<Devices, Error> {
    once(async {
        let (links, handle, _) = rtnetlink::new_connection().map_err(fails)?;
        tokio::spawn(links);
        let (connection, generic, _) = genetlink::new_connection().map_err(fails)?;
        tokio::spawn(connection);
        look(&handle, &generic).await
    })
}

/// Runs netlink's questions to their end, for callers outside of a runtime.
pub(super) fn once<T: Send + 'static>(
    questions: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let ask = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fails)?;
        runtime.block_on(questions)
    };
    // A thread of its own: the caller may sit in a runtime, which must not be blocked from within.
    std::thread::spawn(ask).join().unwrap_or_else(|_| Err(fails(io::ErrorKind::Other.into())))
}

async fn look(handle: &rtnetlink::Handle, generic: &GenetlinkHandle) -> Result<Devices, Error> {
    let mut all = Vec::new();
    let mut links = handle.link().get().execute();
    while let Some(link) = links.next().await {
        let link = link.map_err(|error| fails(io::Error::other(error.to_string())))?;
        let mut device = Device {
            index: link.header.index,
            name: String::new(),
            mac: None,
            xdp: None,
            link_type: link.header.link_layer_type.into(),
            kind: None,
            parent: None,
        };
        for attribute in link.attributes {
            match attribute {
                LinkAttribute::IfName(name) => device.name = name,
                LinkAttribute::Address(mac) => device.mac = mac.try_into().ok(),
                LinkAttribute::Xdp(xdp) => device.xdp = running(&xdp),
                LinkAttribute::Link(parent) => device.parent = Some(parent),
                LinkAttribute::LinkInfo(infos) => device.kind = kind(&infos),
                _ => {}
            }
        }
        all.push(device);
    }
    let (mut generic, mut redirectable) = (generic.clone(), BTreeSet::new());
    for device in &all {
        // Without the family (Linux before 6.3), or without the device by now, nothing is redirected.
        let features = features_of(&mut generic, device.index).await.unwrap_or_default();
        if features & Netdev::NDO_XMIT != 0 {
            redirectable.insert(device.index);
            if features & Netdev::NDO_XMIT_SG != 0 {
                redirectable.insert(device.index | SCATTERED);
            }
        }
    }
    Ok(Devices { all, redirectable })
}

fn kind(infos: &[LinkInfo]) -> Option<String> {
    infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    })
}

fn running(xdp: &[LinkXdp]) -> Option<(Mode, u32)> {
    let mode = xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::Driver) => Some(Mode::Native),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(Mode::Generic),
        _ => None,
    })?;
    let program = xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::ProgId(id) => Some(*id),
        _ => None,
    })?;
    Some((mode, program))
}

/// What a device's driver can do with XDP. Each is asked for itself: the kernel's dump of this family does not mark
/// its messages as parts of one (`NLM_F_MULTI`), and the netlink library ends it after the first.
async fn features_of(generic: &mut GenetlinkHandle, index: u32) -> Option<u64> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let question = GenlMessage::from_payload(Netdev { index, features: 0 });
    let mut answers = generic.request(NetlinkMessage::new(header, question.into())).await.ok()?;
    match answers.next().await?.ok()?.payload {
        NetlinkPayload::InnerMessage(answer) => Some(answer.payload.features),
        _ => None,
    }
}

/// A message of the `netdev` family (linux/netdev.h).
#[derive(Clone, Debug, Default)]
struct Netdev {
    index: u32,
    features: u64,
}

impl Netdev {
    /// The only attribute of a question.
    fn attribute(&self) -> DefaultNla {
        DefaultNla::new(Self::IFINDEX, self.index.to_ne_bytes().to_vec())
    }

    const VERSION: u8 = 1;
    const DEV_GET: u8 = 1;
    const IFINDEX: u16 = 1;
    const XDP_FEATURES: u16 = 3;
    const NDO_XMIT: u64 = 4;
    const NDO_XMIT_SG: u64 = 64;
}

impl GenlFamily for Netdev {
    fn family_name() -> &'static str {
        "netdev"
    }

    fn command(&self) -> u8 {
        Self::DEV_GET
    }

    fn version(&self) -> u8 {
        Self::VERSION
    }
}

impl Emitable for Netdev {
    fn buffer_len(&self) -> usize {
        self.attribute().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attribute().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Netdev {
    fn parse_with_param(attributes: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute?;
            match (attribute.kind(), attribute.value()) {
                (Self::IFINDEX, &[a, b, c, d]) => message.index = u32::from_ne_bytes([a, b, c, d]),
                (Self::XDP_FEATURES, value) => {
                    message.features = value.try_into().map_or(0, u64::from_ne_bytes);
                }
                _ => {}
            }
        }
        Ok(message)
    }
}

/// Places in the dev map, of which a device takes one or two.
pub const MOST_DEVICES: usize = 512;
