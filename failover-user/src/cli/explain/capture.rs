//! The packets of a capture that can be explained: whole Ethernet frames. No more is read than [`MOST_BYTES`].

use std::{io::Read, path::Path};

use super::super::{
    capture::{fails, open},
    failure::Failure,
};
use crate::proto::capture::{self, Linktype, Packet};

/// The largest capture that is read.
const MOST_BYTES: u64 = 16 << 20;
/// The most packets that are explained at once.
const MOST_PACKETS: usize = 10_000;

/// Every packet of the file.
pub(super) fn read(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let fails = |why: &str| fails(path, why);
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fails(&error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(fails("larger than 16 MiB").help("cut out what matters: tcpdump -r FILE -w PART FILTER"));
    }
    packets(&bytes).map_err(|Refusal(why, help)| match help {
        Some(help) => fails(&why).help(help),
        None => fails(&why),
    })
}

/// Why not, and what to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String, Option<&'static str>);

impl From<capture::Error> for Refusal {
    fn from(error: capture::Error) -> Self {
        Self(error.to_string(), None)
    }
}

/// Every packet of a capture in memory.
pub(super) fn packets(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut packets = Vec::new();
    capture::read(bytes, |packet| {
        whole(packet)?;
        packets.push(packet.data.to_vec());
        Ok::<_, Refusal>(())
    })?;
    Ok(packets)
}

fn whole(Packet { number, link, data, original, .. }: Packet<'_>) -> Result<(), Refusal> {
    if number > MOST_PACKETS as u64 {
        let help = "cut out what matters: tcpdump -r FILE -w PART FILTER";
        return Err(Refusal("it holds more than 10,000 packets".to_owned(), Some(help)));
    }
    if link != Linktype::ETHERNET {
        let why = format!("packet {number} is no Ethernet frame (link type {})", link.0);
        return Err(Refusal(why, Some("capture on one device: tcpdump -i lan0 -w FILE")));
    }
    if data.len() < original {
        let why = format!("of packet {number}, only {} of {original} bytes were kept", data.len());
        return Err(Refusal(why, Some("capture whole packets: tcpdump -s 0")));
    }
    Ok(())
}
