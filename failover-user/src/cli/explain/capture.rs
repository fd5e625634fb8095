//! Captures: pcap and pcapng, whatever is in them. No more is read than [`MOST_BYTES`].

use std::{fs::File, io::Read, path::Path};

use pcap_parser::{
    Block, Linktype, PcapBlockOwned, PcapError,
    traits::{PcapNGPacketBlock as _, PcapReaderIterator},
};

use super::super::failure::Failure;

/// The largest capture that is read.
const MOST_BYTES: u64 = 16 << 20;
/// The most packets that are explained at once.
const MOST_PACKETS: usize = 10_000;
/// The largest block of a capture: a packet of 64 KiB, and what is said about it.
const BLOCK: usize = 256 << 10;

/// Every packet of the file.
pub(super) fn read(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let fails = |why: &str| Failure::new(1, format!("read the capture {}: {why}", path.display()));
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Failure::new(6, format!("open {}: {error}", path.display())),
        _ => fails(&error.to_string()),
    })?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fails(&error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(fails("larger than 16 MiB").help("cut out what matters: tcpdump -r FILE -w PART FILTER"));
    }
    packets(&bytes).map_err(|(why, help)| match help {
        Some(help) => fails(&why).help(help),
        None => fails(&why),
    })
}

/// Why not, and what to do next.
type Refusal = (String, Option<&'static str>);

/// Every packet of a capture in memory.
pub(super) fn packets(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut reader = pcap_parser::create_reader(BLOCK, bytes).map_err(|error| refusal(&error))?;
    let mut found = Found::default();
    let mut waits = false;
    loop {
        match reader.next() {
            Ok((length, block)) => {
                found.take(&block)?;
                reader.consume(length);
                waits = false;
            }
            Err(PcapError::Eof) => return Ok(found.packets),
            // A block that does not fit, or does not end: more bytes were asked for, and did not help.
            Err(PcapError::Incomplete(_)) if waits => return Err(refusal(&PcapError::UnexpectedEof)),
            Err(PcapError::Incomplete(_)) => {
                refill(reader.as_mut())?;
                waits = true;
            }
            Err(error) => return Err(refusal(&error)),
        }
    }
}

fn refill(reader: &mut (dyn PcapReaderIterator + Send)) -> Result<(), Refusal> {
    reader.refill().map_err(|error| refusal(&error))
}

fn refusal(error: &PcapError<&[u8]>) -> Refusal {
    let why = match error {
        PcapError::Eof => "it is empty",
        PcapError::HeaderNotRecognized => "neither pcap nor pcapng",
        PcapError::Incomplete(_) | PcapError::UnexpectedEof => "it ends within a packet",
        PcapError::BufferTooSmall => "a packet in it claims to be larger than any is",
        PcapError::ReadError => "it cannot be read",
        PcapError::NomError(..) | PcapError::OwnedNomError(..) => "it contradicts itself",
    };
    (why.to_owned(), None)
}

/// What a capture has shown so far.
#[derive(Default)]
struct Found {
    /// The link types of its interfaces, in order.
    links: Vec<Linktype>,
    packets: Vec<Vec<u8>>,
}

impl Found {
    fn take(&mut self, block: &PcapBlockOwned<'_>) -> Result<(), Refusal> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => self.links = vec![header.network],
            PcapBlockOwned::Legacy(packet) => return self.add(0, packet.data, packet.origlen),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.links.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.links.len() == MOST_PACKETS {
                    return Err(("it names more than 10,000 interfaces".to_owned(), None));
                }
                self.links.push(interface.linktype);
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                return self.add(packet.if_id as usize, packet.packet_data(), packet.origlen);
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let whole = packet.data.get(..packet.origlen as usize).unwrap_or(packet.data);
                return self.add(0, whole, packet.origlen);
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(())
    }

    fn add(&mut self, interface: usize, data: &[u8], original: u32) -> Result<(), Refusal> {
        let n = self.packets.len() + 1;
        if n > MOST_PACKETS {
            let help = "cut out what matters: tcpdump -r FILE -w PART FILTER";
            return Err(("it holds more than 10,000 packets".to_owned(), Some(help)));
        }
        match self.links.get(interface) {
            Some(&Linktype::ETHERNET) => {}
            Some(other) => {
                let why = format!("packet {n} is no Ethernet frame (link type {})", other.0);
                return Err((why, Some("capture on one device: tcpdump -i lan0 -w FILE")));
            }
            None => return Err((format!("packet {n} came in by an interface that it does not name"), None)),
        }
        if data.len() < original as usize {
            let why = format!("of packet {n}, only {} of {original} bytes were kept", data.len());
            return Err((why, Some("capture whole packets: tcpdump -s 0")));
        }
        self.packets.push(data.to_vec());
        Ok(())
    }
}
