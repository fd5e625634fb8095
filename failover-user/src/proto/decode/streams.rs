//! Puts TCP's streams together, each direction for itself, and cuts messages out of them.
//!
//! A segment that comes early waits; what was there already is not taken twice (of bytes that came in two versions, the first
//! counts). A stream whose start is not in the capture begins where a segment looks like the start of a message. Where
//! bytes are missing, or the framing is lost, that is said once, and the stream goes on in the same way.

use std::collections::{BTreeMap, HashMap};

use super::{
    Message, Place, Way, malformed, message,
    port::{self, Protocol},
};
use crate::proto::{sip, tpkt};

/// The most bytes that wait for their rest, of all streams together.
pub const MAX_BYTES: usize = 32 << 20;
/// The same, of one stream: what its framing holds excepted.
const MAX_EARLY: usize = 256 << 10;
/// The most streams that are followed.
const MAX_STREAMS: usize = 8192;
/// What keeping an early segment costs beside its bytes.
const COST: usize = 64;
/// The largest piece that framing takes at once.
const PIECE: usize = 16 << 10;

/// One segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) sequence: u32,
    pub(super) data: &'a [u8],
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
}

/// Every stream that is followed.
#[derive(Debug, Default)]
pub(super) struct Streams {
    followed: HashMap<Way, Stream>,
    held: usize,
    clock: u64,
}

impl Streams {
    pub(super) fn segment(&mut self, place: Place, segment: Segment<'_>, found: &mut Vec<Message>) {
        self.clock += 1;
        let again = |stream: &Stream| stream.began == Some(segment.sequence);
        if segment.syn && !self.followed.get(&place.way).is_some_and(again) {
            self.end(place.way, found);
        }
        if !self.followed.contains_key(&place.way) {
            let Some(protocol) = port::of_stream(place.way, segment.data) else { return };
            self.make_room(found);
            self.followed.insert(place.way, Stream::new(place, protocol));
        }
        let Some(stream) = self.followed.get_mut(&place.way) else { return };
        let before = stream.held();
        stream.used = self.clock;
        stream.place = place;
        stream.segment(segment, found);
        self.held = self.held - before + stream.held();
        if segment.rst {
            self.end(place.way, found);
        } else if self.held > MAX_BYTES {
            self.make_room(found);
        }
    }

    /// Says what was cut off, in the order of the packets.
    pub(super) fn finish(&mut self, found: &mut Vec<Message>) {
        let mut streams: Vec<_> = self.followed.drain().map(|(_, stream)| stream).collect();
        streams.sort_by_key(|stream| (stream.place.frame, stream.place.way));
        for stream in &mut streams {
            stream.finish(found);
        }
        self.held = 0;
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held
    }

    fn end(&mut self, way: Way, found: &mut Vec<Message>) {
        if let Some(mut stream) = self.followed.remove(&way) {
            self.held -= stream.held();
            stream.finish(found);
        }
    }

    /// The quarter that was not used for the longest time gives way.
    fn make_room(&mut self, found: &mut Vec<Message>) {
        if self.held <= MAX_BYTES && self.followed.len() < MAX_STREAMS {
            return;
        }
        let mut ages: Vec<_> = self.followed.iter().map(|(way, stream)| (stream.used, *way)).collect();
        ages.sort_unstable();
        for (_, way) in ages.iter().take(ages.len().div_ceil(4)) {
            self.end(*way, found);
        }
    }
}

/// One direction of a connection.
#[derive(Debug)]
struct Stream {
    protocol: Protocol,
    framer: Framer,
    /// The sequence number of its SYN, where that is in the capture. A stream is kept beyond its FIN, so that what comes
    /// again is known for what it is.
    began: Option<u32>,
    /// The sequence number of the next byte; none before the first one.
    next: Option<u32>,
    /// Segments that came early, by where in the stream they begin.
    early: BTreeMap<u64, Vec<u8>>,
    early_bytes: usize,
    /// How many bytes were before `next`.
    position: u64,
    /// Nobody knows where the next message begins.
    lost: bool,
    used: u64,
    /// Of the last segment.
    place: Place,
}

impl Stream {
    fn new(place: Place, protocol: Protocol) -> Self {
        Self {
            protocol,
            framer: Framer::new(protocol),
            began: None,
            next: None,
            early: BTreeMap::new(),
            early_bytes: 0,
            position: 0,
            lost: true,
            used: 0,
            place,
        }
    }

    fn held(&self) -> usize {
        self.early_bytes + self.early.len() * COST + self.framer.held()
    }

    fn segment(&mut self, segment: Segment<'_>, found: &mut Vec<Message>) {
        if segment.syn && self.began.is_none() {
            self.began = Some(segment.sequence);
            // Data may come with a SYN (RFC 7413), behind the number that the SYN itself takes.
            self.next = Some(segment.sequence.wrapping_add(1));
            self.lost = false;
        }
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        // An acknowledgement alone may name a number before the next one (RFC 9293 §3.8.4).
        if segment.data.is_empty() && self.next.is_none() {
            return;
        }
        let next = *self.next.get_or_insert(sequence);
        // Half of the numbers are ahead, half are behind (RFC 9293 §3.4).
        let ahead = sequence.wrapping_sub(next).cast_signed();
        if let Some(at) = self.position.checked_add_signed(ahead.into()) {
            self.at(at, segment.data, found);
        } else {
            // From before the first byte that was seen: part of it may be new.
            let skip = usize::try_from(ahead.unsigned_abs()).unwrap_or(usize::MAX);
            let skip = skip.saturating_sub(usize::try_from(self.position).unwrap_or(usize::MAX));
            self.at(0, segment.data.get(skip..).unwrap_or_default(), found);
        }
        if segment.fin && self.early.is_empty() {
            self.finish(found);
        }
    }

    /// Takes bytes whose place in the stream is known.
    fn at(&mut self, at: u64, data: &[u8], found: &mut Vec<Message>) {
        if data.is_empty() {
            return;
        }
        if at > self.position {
            self.keep(at, data);
            if self.early_bytes + self.early.len() * COST > MAX_EARLY {
                self.skip_gap(found);
            }
            return;
        }
        self.take(at, data, found);
        self.take_early(found);
    }

    fn keep(&mut self, at: u64, data: &[u8]) {
        // Of two that begin at one place the longer one says more.
        if self.early.get(&at).is_some_and(|kept| kept.len() >= data.len()) {
            return;
        }
        self.early_bytes += data.len();
        if let Some(shorter) = self.early.insert(at, data.to_vec()) {
            self.early_bytes -= shorter.len();
        }
    }

    fn take_early(&mut self, found: &mut Vec<Message>) {
        while let Some(first) = self.early.first_entry().filter(|first| *first.key() <= self.position) {
            let (at, data) = first.remove_entry();
            self.early_bytes -= data.len();
            self.take(at, &data, found);
        }
    }

    /// Takes what is new of bytes that are not early.
    fn take(&mut self, at: u64, data: &[u8], found: &mut Vec<Message>) {
        let old = usize::try_from(self.position - at).unwrap_or(usize::MAX);
        let new = data.get(old..).unwrap_or_default();
        if new.is_empty() {
            return;
        }
        self.position += new.len() as u64;
        self.next = self.next.map(|next| next.wrapping_add(new.len() as u32));
        self.frame(new, found);
    }

    /// What is missing will not come: says so, and goes on behind it.
    fn skip_gap(&mut self, found: &mut Vec<Message>) {
        let Some((&at, _)) = self.early.first_key_value() else { return };
        let gap = at - self.position;
        if !self.lost {
            self.lose(&format!("{gap} bytes of the connection are missing from the capture"), found);
        }
        self.framer = Framer::new(self.protocol);
        self.lost = true;
        self.next = self.next.map(|next| next.wrapping_add(gap as u32));
        self.position = at;
        self.take_early(found);
    }

    fn lose(&mut self, why: &str, found: &mut Vec<Message>) {
        found.push(malformed(self.place, self.protocol, why.to_owned()));
        self.framer = Framer::new(self.protocol);
        self.lost = true;
    }

    fn frame(&mut self, data: &[u8], found: &mut Vec<Message>) {
        if self.lost && !Framer::is_start(self.protocol, data) {
            return;
        }
        self.lost = false;
        for piece in data.chunks(PIECE) {
            if let Err(why) = self.framer.push(piece) {
                return self.lose(&why, found);
            }
            loop {
                match self.framer.next_message() {
                    Ok(Some(whole)) if whole.is_empty() && self.protocol != Protocol::Sip => {}
                    Ok(Some(whole)) => found.push(message(self.place, self.protocol, &whole, None)),
                    Ok(None) => break,
                    Err(why) => return self.lose(&why, found),
                }
            }
        }
    }

    /// No more will come.
    fn finish(&mut self, found: &mut Vec<Message>) {
        while !self.early.is_empty() {
            self.skip_gap(found);
        }
        let held = self.framer.held();
        if held > 0 && !self.lost {
            self.lose(&format!("the connection ends {held} bytes into a message"), found);
        }
    }
}

/// Cuts a stream into messages.
#[derive(Debug)]
enum Framer {
    Sip(sip::Framer),
    Tpkt(tpkt::Framer),
}

impl Framer {
    fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Sip => Self::Sip(sip::Framer::default()),
            _ => Self::Tpkt(tpkt::Framer::default()),
        }
    }

    /// Whether these bytes may be the beginning of a message.
    fn is_start(protocol: Protocol, data: &[u8]) -> bool {
        match protocol {
            Protocol::Sip => port::looks_like_sip(data),
            _ => matches!(data, [3, 0, ..]),
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Sip(framer) => framer.held(),
            Self::Tpkt(framer) => framer.held(),
        }
    }

    fn push(&mut self, data: &[u8]) -> Result<(), String> {
        match self {
            Self::Sip(framer) => framer.push(data).map_err(|error| error.to_string()),
            Self::Tpkt(framer) => framer.push(data).map_err(|error| error.to_string()),
        }
    }

    fn next_message(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Sip(framer) => framer.next_message().map_err(|error| error.to_string()),
            Self::Tpkt(framer) => framer.next_message().map_err(|error| error.to_string()),
        }
    }
}
