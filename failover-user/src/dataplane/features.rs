//! A device's features, asked and set by the kernel's `ethtool` netlink family (linux/ethtool_netlink.h).

use std::{collections::BTreeSet, io};

use futures_util::StreamExt as _;
use genetlink::GenetlinkHandle;
use netlink_packet_core::{
    DecodeError, Emitable, NLA_F_NESTED, NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NlasIterator, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};

use super::{error::Error, netdev::once};

/// Names of features, as the kernel calls them.
pub type Features = BTreeSet<String>;

/// The features that are on at device `index`. A kernel without the family, or without the device by now, tells of none.
pub fn active(index: u32) -> Result<Features, Error> {
    let question = Message { index, command: Message::GET, ..Message::default() };
    Ok(ask(question)?.unwrap_or_default())
}

/// Turns `features` of device `index` on or off, as far as its driver lets them be: [`active`] tells.
pub fn set(index: u32, features: &Features, on: bool) -> Result<(), Error> {
    let order = Message { index, command: Message::SET, features: features.clone(), on };
    ask(order).map(drop)
}

fn ask(message: Message) -> Result<Option<Features>, Error> {
    once(async {
        let fails = |source: io::Error| Error::io("ask for a device's features", source);
        let (connection, mut generic, _) = genetlink::new_connection().map_err(fails)?;
        tokio::spawn(connection);
        Ok(answer(&mut generic, message).await)
    })
}

async fn answer(generic: &mut GenetlinkHandle, message: Message) -> Option<Features> {
    let mut header = NetlinkHeader::default();
    header.flags = if message.command == Message::GET { NLM_F_REQUEST } else { NLM_F_REQUEST | NLM_F_ACK };
    let question = NetlinkMessage::new(header, GenlMessage::from_payload(message).into());
    let mut answers = generic.request(question).await.ok()?;
    match answers.next().await?.ok()?.payload {
        NetlinkPayload::InnerMessage(answer) => Some(answer.payload.features),
        _ => None,
    }
}

/// A question, an order, or the answer.
#[derive(Clone, Debug, Default)]
struct Message {
    index: u32,
    command: u8,
    features: Features,
    on: bool,
}

impl Message {
    const VERSION: u8 = 1;
    const GET: u8 = 11;
    const SET: u8 = 12;

    const HEADER: u16 = 1;
    const HEADER_INDEX: u16 = 1;
    const HEADER_FLAGS: u16 = 3;
    const OMIT_REPLY: u32 = 2;

    const WANTED: u16 = 3;
    const ACTIVE: u16 = 4;
    const BITS: u16 = 3;
    const BIT: u16 = 1;
    const BIT_NAME: u16 = 2;
    const BIT_VALUE: u16 = 3;

    fn bytes(&self) -> Vec<u8> {
        let mut header = attribute(Self::HEADER_INDEX, &self.index.to_ne_bytes());
        if self.command == Self::GET {
            return attribute(Self::HEADER | NLA_F_NESTED, &header);
        }
        header.extend(attribute(Self::HEADER_FLAGS, &Self::OMIT_REPLY.to_ne_bytes()));
        let mut bits = Vec::new();
        for name in &self.features {
            let mut bit = attribute(Self::BIT_NAME, &[name.as_bytes(), &[0]].concat());
            if self.on {
                bit.extend(attribute(Self::BIT_VALUE, &[]));
            }
            bits.extend(attribute(Self::BIT | NLA_F_NESTED, &bit));
        }
        let wanted = attribute(Self::BITS | NLA_F_NESTED, &bits);
        [attribute(Self::HEADER | NLA_F_NESTED, &header), attribute(Self::WANTED | NLA_F_NESTED, &wanted)]
            .concat()
    }
}

/// An attribute, padded as the next one needs it.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    const HEADER: usize = 4;
    let length = (HEADER + value.len()) as u16;
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        "ethtool"
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        Self::VERSION
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.bytes().len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.bytes());
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(attributes: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        // A list of the bits that are set: this one comes without a mask.
        for active in within(attributes, Self::ACTIVE)? {
            for bits in within(&active, Self::BITS)? {
                for bit in within(&bits, Self::BIT)? {
                    for name in within(&bit, Self::BIT_NAME)? {
                        let text = name.strip_suffix(&[0]).unwrap_or(&name);
                        message.features.insert(String::from_utf8_lossy(text).into_owned());
                    }
                }
            }
        }
        Ok(message)
    }
}

/// The values of the attributes of one kind.
fn within(attributes: &[u8], kind: u16) -> Result<Vec<Vec<u8>>, DecodeError> {
    let all = NlasIterator::new(attributes).collect::<Result<Vec<_>, _>>()?;
    Ok(all.iter().filter(|one| one.kind() == kind).map(|one| one.value().to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_that_are_on_are_read_and_what_is_cut_off_is_an_error() {
        let bit = |name: &str| {
            let name = attribute(Message::BIT_NAME, &[name.as_bytes(), &[0]].concat());
            attribute(Message::BIT | NLA_F_NESTED, &[attribute(1, &[8, 0, 0, 0]), name].concat())
        };
        let bits =
            attribute(Message::BITS | NLA_F_NESTED, &[bit("rx-gro"), bit("rx-vlan-hw-parse")].concat());
        let wanted = attribute(Message::WANTED | NLA_F_NESTED, &bits);
        let active = attribute(Message::ACTIVE | NLA_F_NESTED, &[attribute(1, &[]), bits].concat());
        let header = GenlHeader { cmd: Message::GET, version: 1 };
        let read = |bytes: &[u8]| Message::parse_with_param(bytes, header).map(|message| message.features);
        let all = [wanted.clone(), active].concat();
        assert_eq!(read(&all).unwrap(), ["rx-gro", "rx-vlan-hw-parse"].map(str::to_owned).into());
        assert_eq!(read(&wanted).unwrap(), Features::new());
        assert!(
            (1..all.len())
                .all(|end| read(&all[..end]).is_ok_and(|some| some.is_empty()) || read(&all[..end]).is_err())
        );
    }

    #[test]
    fn an_order_names_each_bit_and_what_becomes_of_it() {
        let order = |on| {
            let features = ["rx-vlan-hw-parse".to_owned()].into();
            Message { index: 5, command: Message::SET, features, on }.bytes()
        };
        let (on, off) = (order(true), order(false));
        assert_eq!(on.len(), off.len() + 4, "the bit's value is a flag");
        assert!(off.windows(17).any(|part| part == b"rx-vlan-hw-parse\0"));
        assert_eq!(off.len() % 4, 0);
    }
}
