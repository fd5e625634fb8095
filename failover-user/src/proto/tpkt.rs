//! TPKT (RFC 1006 §6): how H.323 and H.248 put messages on a TCP connection: version 3, a reserved byte, and the length of
//! all of it in 16 bits, network order.

/// Bytes before each message.
pub const HEADER: usize = 4;
/// The longest message: 16 bits of length, header included.
pub const MAX_MESSAGE: usize = 65_535 - HEADER;

/// Why a stream is no TPKT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first byte of a packet is not 3.
    #[error("not a TPKT stream: a packet begins with {0}, not with version 3")]
    Version(u8),
    /// A length that does not even hold the header.
    #[error("malformed TPKT packet: its length of {0} is less than its own header's")]
    Length(u16),
    /// More bytes at once than two packets have.
    #[error("TPKT stream ahead of its reader: more than two packets' bytes wait")]
    TooMuch,
    /// A message that has no room in a packet.
    #[error("message too long for TPKT: {0} bytes, at most {MAX_MESSAGE} fit")]
    TooLong(usize),
}

/// A packet around `message`.
pub fn packet(message: &[u8]) -> Result<Vec<u8>, Error> {
    let length = u16::try_from(HEADER + message.len()).map_err(|_| Error::TooLong(message.len()))?;
    let mut bytes = vec![3, 0];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    Ok(bytes)
}

/// Collects a stream's bytes and gives out the messages of whole packets. Holds at most two packets' bytes. After an
/// error the stream cannot be trusted any more: where its next packet begins is not known.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// What was given out already: it goes when more is pushed, so that many small packets at once cost no more than a large
    /// one.
    taken: usize,
}

impl Framer {
    /// Takes in bytes as they were read. [`Self::next_message`] has to be drained before more are pushed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.len() + bytes.len() > 2 * (HEADER + MAX_MESSAGE) {
            return Err(Error::TooMuch);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// How many bytes wait for their rest.
    pub fn held(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// The next whole message, if it is there.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        match rest.first() {
            Some(3) | None => {}
            Some(version) => return Err(Error::Version(*version)),
        }
        let &[_, _, high, low, ..] = rest else { return Ok(None) };
        let said = u16::from_be_bytes([high, low]);
        let length = usize::from(said);
        if length < HEADER {
            return Err(Error::Length(said));
        }
        let Some(packet) = rest.get(..length) else { return Ok(None) };
        let message = packet.get(HEADER..).unwrap_or_default().to_vec();
        self.taken += length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, Error> {
        let (mut framer, mut found) = (Framer::default(), Vec::new());
        for chunk in chunks {
            framer.push(chunk)?;
            while let Some(message) = framer.next_message()? {
                found.push(message);
            }
        }
        Ok(found)
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let longest = vec![7; MAX_MESSAGE];
        for message in [&b""[..], b"a", b"abc", &longest] {
            let bytes = packet(message).unwrap();
            assert_eq!(bytes.len(), HEADER + message.len());
            assert_eq!(drained(&[&bytes]).unwrap(), [message]);
        }
        assert_eq!(packet(&vec![7; MAX_MESSAGE + 1]), Err(Error::TooLong(MAX_MESSAGE + 1)));
    }

    #[test]
    fn pieces_are_put_together_and_packets_parted() {
        let bytes = [packet(b"one").unwrap(), packet(b"").unwrap(), packet(b"three").unwrap()].concat();
        let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
        let whole = [&b"one"[..], b"", b"three"];
        assert_eq!(drained(&pieces).unwrap(), whole);
        assert_eq!(drained(&[&bytes]).unwrap(), whole);
        assert_eq!(drained(&[&bytes[..bytes.len() - 1]]).unwrap(), whole[..2]);
    }

    #[test]
    fn a_stream_of_the_smallest_packets_is_cut_as_quickly_as_one_of_large_ones() {
        let many = MAX_MESSAGE / HEADER;
        let bytes = packet(b"").unwrap().repeat(many);
        let mut framer = Framer::default();
        for _ in 0..64 {
            framer.push(&bytes).unwrap();
            for _ in 0..many {
                assert_eq!(framer.next_message(), Ok(Some(Vec::new())));
            }
            assert_eq!(framer.next_message(), Ok(None));
        }
        // What was given out takes no room from what comes.
        framer.push(&vec![3; 2 * (HEADER + MAX_MESSAGE)]).unwrap();
    }

    #[test]
    fn what_is_no_tpkt_is_refused() {
        assert_eq!(drained(&[b"M"]), Err(Error::Version(b'M')));
        assert_eq!(drained(&[&[3, 0, 0, 3]]), Err(Error::Length(3)));
        assert_eq!(drained(&[&[3, 0, 0, 0]]), Err(Error::Length(0)));
        let mut framer = Framer::default();
        framer.push(&vec![3; 2 * (HEADER + MAX_MESSAGE)]).unwrap();
        assert_eq!(framer.push(b"x"), Err(Error::TooMuch));
    }
}
