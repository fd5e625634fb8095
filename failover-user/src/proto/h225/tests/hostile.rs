//! What nobody should send.

use super::{Q931, RAS, USER_INFORMATION, octets, vectors};
use crate::proto::h225::{Error, MAX_MESSAGE, q931::Message, ras::RasMessage, uuie::UserInformation};

/// xorshift64*: the same story in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// Whatever is read can be written, and is then read as the same.
fn ras(octets: &[u8]) -> bool {
    let Ok(message) = RasMessage::decode(octets) else { return false };
    let again = message.encode().unwrap_or_else(|error| panic!("{octets:02x?}: {error}"));
    assert_eq!(RasMessage::decode(&again).as_ref(), Ok(&message), "{octets:02x?}");
    true
}

fn user_information(octets: &[u8]) -> bool {
    let Ok(message) = UserInformation::decode(octets) else { return false };
    let again = message.encode().unwrap_or_else(|error| panic!("{octets:02x?}: {error}"));
    assert_eq!(UserInformation::decode(&again).as_ref(), Ok(&message), "{octets:02x?}");
    true
}

fn q931(octets: &[u8]) -> bool {
    let Ok(message) = Message::parse(octets) else { return false };
    let _ = (message.user_information(), message.cause(), message.kind.name());
    let again = message.to_bytes().unwrap();
    let Ok(read) = Message::parse(&again) else { panic!("{octets:02x?}") };
    assert_eq!((read.kind, &read.elements), (message.kind, &message.elements));
    true
}

type Reader = fn(&[u8]) -> bool;
const READERS: [(&str, Reader); 3] = [(RAS, ras), (USER_INFORMATION, user_information), (Q931, q931)];

#[test]
fn what_is_cut_short_is_an_error() {
    for (table, read) in &READERS[..2] {
        for (said, octets) in vectors(table) {
            for length in 0..octets.len() {
                assert!(!read(&octets[..length]), "{said}: {length} of {}", octets.len());
            }
        }
    }
    // A Q.931 message may end behind any of its elements.
    for (_, octets) in vectors(Q931) {
        (0..octets.len()).for_each(|length| {
            q931(&octets[..length]);
        });
    }
}

#[test]
fn what_is_longer_is_an_error() {
    for (table, read) in &READERS[..2] {
        for (said, mut octets) in vectors(table) {
            octets.push(0);
            assert!(!read(&octets), "{said}");
        }
    }
}

#[test]
fn flipped_bits_and_garbage_do_no_harm() {
    let mut dice = Dice(0x2d_ba11);
    for (table, read) in READERS {
        for (_, octets) in vectors(table) {
            for _ in 0..40 {
                let mut wrong = octets.clone();
                for _ in 0..=dice.below(4) {
                    let at = dice.below(wrong.len());
                    wrong[at] ^= 1 << dice.below(8);
                }
                read(&wrong);
                let at = dice.below(wrong.len());
                wrong.truncate(at);
                wrong.extend((0..dice.below(64)).map(|_| dice.below(256) as u8));
                read(&wrong);
            }
        }
    }
}

#[test]
fn a_map_of_additions_that_is_longer_than_the_message_is_an_error() {
    for hex in [
        // An LRJ with a map of 64 bits, of 127, of 16,383 and of 65,536, and nothing behind it.
        "5200050fc0",
        "520005107f",
        "52000510bfff",
        "52000510c4",
        // The same, all of the map there and nothing of the additions.
        "5200050fffffffffffffffffff",
        "520005100180",
    ] {
        assert!(!ras(&octets(hex)), "{hex}");
    }
}

#[test]
fn a_token_of_a_vendor_s_own_is_h_235_s() {
    // As pycrate writes it: delay 500 behind a ClearToken with nonStandard data, identified by an OBJECT IDENTIFIER alone.
    let progress = octets("8016200041010080060008816b0001032b060102010201f3");
    let RasMessage::RequestInProgress(progress) = RasMessage::decode(&progress).unwrap() else { panic!() };
    let token = progress.tokens.unwrap().remove(0).non_standard.unwrap();
    assert_eq!(
        (token.non_standard_identifier.as_ref(), token.data.as_ref()),
        (&[1, 3, 6, 1][..], &[1, 2][..])
    );
    assert_eq!((progress.request_seq_num, progress.delay), (66, 500));
}

#[test]
fn the_same_is_an_error_in_call_signalling() {
    let setup = vectors(USER_INFORMATION).next().map(|(_, octets)| octets).unwrap();
    assert!(user_information(&setup));
    // The map of a UU-PDU's additions says 127 bits, or more than there are octets, and the message ends in it.
    for hex in ["22c0fe", "22c0ffffff", "2840c4ffff", "28c0bfff"] {
        assert!(!user_information(&octets(hex)), "{hex}");
    }
    // No place of a real Setup may be turned into such a map and do harm.
    for at in 0..setup.len() {
        for long in [0x7f, 0xbf, 0xc4, 0xff] {
            let mut wrong = setup.clone();
            wrong[at] = long;
            user_information(&wrong);
            user_information(&wrong[..=at]);
        }
    }
}

#[test]
fn an_addition_that_nobody_knows_is_skipped() {
    let unknown = RasMessage::decode(&octets("52000501c04002aabb")).unwrap();
    assert_eq!(RasMessage::decode(&octets("50000500")).unwrap(), unknown);
}

#[test]
fn a_datagram_of_nothing_but_list_elements_is_read_in_time_or_refused() {
    // An LRQ whose destinationInfo says 16,383 elements, or 64K in each of many pieces.
    for count in [&[0xbf, 0xff][..], &[0xc4], &[0xc1]] {
        for fill in [0x00, 0x01, 0x80, 0xff] {
            let mut octets = vec![0x48, 0x00, 0x04];
            octets.extend_from_slice(count);
            octets.resize(MAX_MESSAGE, fill);
            ras(&octets);
        }
    }
}

#[test]
fn more_than_a_datagram_is_not_looked_at() {
    let long = vec![0; MAX_MESSAGE + 1];
    assert_eq!(RasMessage::decode(&long), Err(Error::TooLong("RAS message")));
    assert_eq!(Message::parse(&long), Err(Error::TooLong("Q.931 message")));
}

#[test]
fn a_message_nobody_knows_is_an_error() {
    // An extension alternative of a later version; a choice beyond the last one.
    for hex in ["be8001000100", "ff", "7c00", ""] {
        assert!(RasMessage::decode(&octets(hex)).is_err(), "{hex}");
    }
}
