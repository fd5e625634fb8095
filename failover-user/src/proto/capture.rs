//! Captures: pcap and pcapng, whatever is in them, packet by packet.
//!
//! Bounds: one block of 256 KiB at a time, and 10,000 interfaces.

use std::{io::Read, time::Duration};

use pcap_parser::{
    Block, InterfaceDescriptionBlock, PcapBlockOwned, PcapError,
    traits::{PcapNGPacketBlock as _, PcapReaderIterator},
};

pub use pcap_parser::Linktype;

/// The largest block of a capture: a packet of 64 KiB, and what is said about it.
const BLOCK: usize = 256 << 10;
/// The most interfaces that a section names.
const MAX_INTERFACES: usize = 10_000;

/// One packet, as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// From 1 on, as Wireshark counts.
    pub number: u64,
    /// Since 1970; none where the capture does not tell.
    pub time: Option<Duration>,
    /// What `data` begins with.
    pub link: Linktype,
    /// What was kept of it.
    pub data: &'a [u8],
    /// Its length on the wire.
    pub original: usize,
}

/// Why a capture cannot be read, or not any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No byte.
    #[error("it is empty")]
    Empty,
    /// Another kind of file.
    #[error("neither pcap nor pcapng")]
    Unknown,
    /// Cut short.
    #[error("it ends within a packet")]
    Ends,
    /// A block that is larger than 256 KiB.
    #[error("a packet in it claims to be larger than any is")]
    TooLarge,
    /// The file system says no.
    #[error("it cannot be read")]
    Unreadable,
    /// Not the format that it says it is.
    #[error("it contradicts itself")]
    Malformed,
    /// More than 10,000.
    #[error("it names more than 10,000 interfaces")]
    Interfaces,
    /// A packet of an interface that was not named.
    #[error("packet {0} came in by an interface that it does not name")]
    NoInterface(u64),
}

impl From<PcapError<&[u8]>> for Error {
    fn from(error: PcapError<&[u8]>) -> Self {
        match error {
            PcapError::Eof => Self::Empty,
            PcapError::HeaderNotRecognized => Self::Unknown,
            PcapError::Incomplete(_) | PcapError::UnexpectedEof => Self::Ends,
            PcapError::BufferTooSmall => Self::TooLarge,
            PcapError::ReadError => Self::Unreadable,
            PcapError::NomError(..) | PcapError::OwnedNomError(..) => Self::Malformed,
        }
    }
}

/// Shows every packet to `each`, which may end it by an error of its own.
pub fn read<E: From<Error>>(
    file: impl Read + Send,
    mut each: impl FnMut(Packet<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = pcap_parser::create_reader(BLOCK, file).map_err(Error::from)?;
    let mut section = Section::default();
    loop {
        let held = reader.data().len();
        match reader.next() {
            Ok((length, block)) => {
                if let Some(packet) = section.take(&block)? {
                    each(packet)?;
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => refill(reader.as_mut(), held)?,
            Err(error) => return Err(Error::from(error).into()),
        }
    }
}

/// Reads more, and sees to it that there is more, or no more to come.
fn refill(reader: &mut (dyn PcapReaderIterator + Send), held: usize) -> Result<(), Error> {
    reader.refill()?;
    if reader.data().len() == held && !reader.reader_exhausted() { Err(Error::Ends) } else { Ok(()) }
}

/// What has been said of the packets that follow.
#[derive(Default)]
struct Section {
    interfaces: Vec<Interface>,
    packets: u64,
}

#[derive(Clone, Copy)]
struct Interface {
    link: Linktype,
    clock: Clock,
}

/// How times are written.
#[derive(Clone, Copy)]
struct Clock {
    /// Units in a second; 0 where the capture does not make sense.
    units: u64,
    /// Seconds to be added.
    offset: i64,
}

impl Clock {
    fn time(self, units: u64) -> Option<Duration> {
        let seconds = units.checked_div(self.units)?.checked_add_signed(self.offset)?;
        let nanoseconds = u128::from(units % self.units) * 1_000_000_000 / u128::from(self.units);
        Some(Duration::new(seconds, u32::try_from(nanoseconds).ok()?))
    }
}

impl From<&InterfaceDescriptionBlock<'_>> for Interface {
    fn from(block: &InterfaceDescriptionBlock<'_>) -> Self {
        let clock = Clock { units: block.ts_resolution().unwrap_or(0), offset: block.ts_offset() };
        Self { link: block.linktype, clock }
    }
}

impl Section {
    fn take<'a>(&mut self, block: &'a PcapBlockOwned<'_>) -> Result<Option<Packet<'a>>, Error> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let units = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                let clock = Clock { units, offset: 0 };
                self.interfaces = vec![Interface { link: header.network, clock }];
            }
            PcapBlockOwned::Legacy(packet) => {
                let clock = self.interface(0)?.clock;
                let units = u64::from(packet.ts_sec) * clock.units + u64::from(packet.ts_usec);
                return self.packet(0, Some(units), packet.data, packet.origlen).map(Some);
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.interfaces.len() == MAX_INTERFACES {
                    return Err(Error::Interfaces);
                }
                self.interfaces.push(interface.into());
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let units = (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low);
                let data = packet.packet_data();
                return self.packet(packet.if_id as usize, Some(units), data, packet.origlen).map(Some);
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let whole = packet.data.get(..packet.origlen as usize).unwrap_or(packet.data);
                return self.packet(0, None, whole, packet.origlen).map(Some);
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(None)
    }

    fn interface(&self, index: usize) -> Result<Interface, Error> {
        self.interfaces.get(index).copied().ok_or(Error::NoInterface(self.packets + 1))
    }

    fn packet<'a>(
        &mut self,
        interface: usize,
        units: Option<u64>,
        data: &'a [u8],
        original: u32,
    ) -> Result<Packet<'a>, Error> {
        let Interface { link, clock } = self.interface(interface)?;
        self.packets += 1;
        let time = units.and_then(|units| clock.time(units));
        Ok(Packet { number: self.packets, time, link, data, original: original as usize })
    }
}
