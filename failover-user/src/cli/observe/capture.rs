//! A capture in the format pcapng (draft-ietf-opsawg-pcapng), in which each packet has a comment: what became of it, and
//! why. One that was rewritten is in it twice: as it came, and as it leaves.

use std::{
    borrow::Cow,
    io::{Error, Write},
};

use jiff::Timestamp;
use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, Linktype, OptionCode, PcapNGOption, SectionHeaderBlock,
    ToVec,
};

use super::fate;
use crate::{cli::failure::Failure, control::message::Seen};

/// Of a packet, in which direction it passed the interface (`epb_flags`).
const INBOUND: u32 = 1;
/// The same.
const OUTBOUND: u32 = 2;
/// That option, which the crate does not name.
const EPB_FLAGS: OptionCode = OptionCode(2);
/// Microseconds (`if_tsresol`).
const MICROSECONDS: u8 = 6;

/// Writes one.
pub(super) struct Writer<W> {
    out: W,
    /// Whether somebody looks on: every packet is written at once.
    live: bool,
    /// In the order of their blocks.
    interfaces: Vec<String>,
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    pub(super) fn begin(out: W, live: bool) -> Result<Self, Failure> {
        let mut writer = Self { out, live, interfaces: Vec::new() };
        let application = concat!("failover ", env!("CARGO_PKG_VERSION"));
        writer.block(&mut SectionHeaderBlock {
            block_type: 0,
            block_len1: 0,
            bom: 0,
            major_version: 1,
            minor_version: 0,
            section_len: -1,
            options: vec![option(OptionCode::ShbUserAppl, application.as_bytes())],
            block_len2: 0,
        })?;
        writer.flush()?;
        Ok(writer)
    }

    /// A packet, as it came; and, where it was rewritten, as it leaves.
    pub(super) fn packet(&mut self, seen: &Seen) -> Result<(), Failure> {
        let words = comment(seen);
        self.frame(seen, &seen.interface, INBOUND, &seen.before, seen.length, &words)?;
        if let Some(after) = &seen.after {
            // What is not redirected is the kernel's to send, by a device that is not known here.
            let (interface, direction) = match &seen.egress {
                Some(egress) => (egress, OUTBOUND),
                None => (&seen.interface, 0),
            };
            let length = seen.new_length.unwrap_or(seen.length);
            self.frame(seen, interface, direction, after, length, &format!("{words}: as it leaves"))?;
        }
        if self.live { self.flush() } else { Ok(()) }
    }

    /// Everything is written.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| failed(&error))
    }

    fn frame(
        &mut self,
        seen: &Seen,
        interface: &str,
        direction: u32,
        hex: &str,
        length: u32,
        words: &str,
    ) -> Result<(), Failure> {
        let data =
            bytes(hex).ok_or_else(|| Failure::new(1, "the daemon's answer holds a packet that is no hex"))?;
        let time: Timestamp = seen.time.parse().unwrap_or_default();
        let micros = u64::try_from(time.as_microsecond()).unwrap_or_default();
        let if_id = self.interface(interface)?;
        self.block(&mut EnhancedPacketBlock {
            block_type: 0,
            block_len1: 0,
            if_id,
            ts_high: (micros >> 32) as u32,
            ts_low: micros as u32,
            caplen: data.len() as u32,
            origlen: length.max(data.len() as u32),
            data: &data,
            options: vec![
                option(OptionCode::Comment, words.as_bytes()),
                option(EPB_FLAGS, &direction.to_le_bytes()),
            ],
            block_len2: 0,
        })
    }

    /// The interface's number, which it gets when it is first heard of.
    fn interface(&mut self, name: &str) -> Result<u32, Failure> {
        if let Some(known) = self.interfaces.iter().position(|interface| interface == name) {
            return Ok(known as u32);
        }
        self.block(&mut InterfaceDescriptionBlock {
            block_type: 0,
            block_len1: 0,
            linktype: Linktype::ETHERNET,
            reserved: 0,
            snaplen: 0,
            options: vec![
                option(OptionCode::IfName, name.as_bytes()),
                option(OptionCode::IfTsresol, &[MICROSECONDS]),
                option(OptionCode::IfTsoffset, &[0; 8]),
            ],
            block_len2: 0,
            if_tsresol: MICROSECONDS,
            if_tsoffset: 0,
        })?;
        self.interfaces.push(name.to_owned());
        Ok(self.interfaces.len() as u32 - 1)
    }

    fn block(&mut self, block: &mut impl ToVec) -> Result<(), Failure> {
        let bytes = block.to_vec().map_err(|error| Failure::new(1, format!("write a capture: {error:?}")))?;
        self.out.write_all(&bytes).map_err(|error| failed(&error))
    }
}

/// A reader that has seen enough is no failure.
fn failed(error: &Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::Silent(0),
        _ => Failure::new(1, format!("write the capture: {error}")),
    }
}

/// `steered paris → nsp-1 (redirect, lan0 → srv1)`
fn comment(seen: &Seen) -> String {
    let words = fate(seen);
    let (reason, rest) = words.split_once(' ').unwrap_or((&words, ""));
    let name = format!("{} {rest}", reason.to_lowercase());
    match &seen.egress {
        Some(egress) => format!("{} ({}, {} → {egress})", name.trim_end(), seen.verdict, seen.interface),
        None => format!("{} ({}, {})", name.trim_end(), seen.verdict, seen.interface),
    }
}

fn option(code: OptionCode, value: &[u8]) -> PcapNGOption<'_> {
    PcapNGOption { code, len: value.len() as u16, value: Cow::Borrowed(value) }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|char| char.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
