//! As much of a SIP message (RFC 3261 §7) as tells its dialog: the Call-ID, whether To has a tag, and what a response
//! answers.
//!
//! The message's beginning is copied, and gone through eight bytes at a time. What does not end in there, or is not
//! as the grammar has it, is not read at all.

use core::ptr;

use crate::{
    maps,
    packet::{Frame, Packet},
};

#[path = "sip/lexer.rs"]
mod lexer;

/// As many bytes of a message are looked at.
const MOST: usize = 1024;
const WORDS: usize = MOST / 8;
/// Words of the place where it is copied: a power of two, of which those behind `WORDS` stay zero, so that whoever runs over the end
/// finds it.
const ROOM: usize = 2 * WORDS;
/// Bytes of a start line and a header.
const LEAST: usize = 32;
/// Bytes of the longest Call-ID.
const LONGEST: usize = 128;

/// The most lines that can begin in eight bytes, where none of them is too short to be a header.
const MOST_LINES: usize = 3;

/// A byte of a word, in each of its bytes.
const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;
/// Makes capitals small letters, and leaves colons and spaces as they are.
const SMALL: u64 = ONES * 0x20;

const CALL_ID: u64 = u64::from_le_bytes(*b"call-id\0");
const SEVEN: u64 = u64::MAX >> 8;
const C_SEQ: u64 = u64::from_le_bytes(*b"cseq\0\0\0\0");
const FOUR: u64 = u64::MAX >> 32;

/// The message that this CPU is at.
#[repr(C)]
pub struct Message {
    /// Its beginning, in words of little endian, and zeros behind it.
    words: [u64; ROOM + 1],
    /// Where the words end.
    end: u32,
    reserved: u32,
    /// Where the names of the headers end, in bytes; 0: it was not found.
    behind: [u32; 4],
    /// A [`Call`] that a later stage asks for.
    pub call: u64,
}

/// What was read, in one register.
///
/// ```text
/// bit  0      To has a tag
/// bit  1      it was read
/// bit  2      it is about what asks for a dialog, by its CSeq
/// bits 3..64  of the Call-ID's hash
/// ```
#[derive(Clone, Copy)]
pub struct Call(u64);

impl Call {
    const TAGGED: u64 = 1;
    const READ: u64 = 2;
    const ANSWER: u64 = 4;
    const FLAGS: u64 = Self::TAGGED | Self::READ | Self::ANSWER;

    /// From [`Self::bits`].
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The register; 0 where nothing was read.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether there is one.
    #[inline(always)]
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// Whether the message is one of a dialog that there is already, if its To was read.
    #[inline(always)]
    pub const fn is_tagged(self) -> bool {
        self.0 & Self::TAGGED != 0
    }

    /// Of a response whose CSeq was read: whether it answers INVITE, SUBSCRIBE or REFER.
    #[inline(always)]
    pub const fn is_answer(self) -> bool {
        self.0 & Self::ANSWER != 0
    }

    /// What stands for the Call-ID.
    #[inline(always)]
    pub const fn id(self) -> u64 {
        self.0 | Self::FLAGS
    }
}

/// What is to be read of a message.
#[derive(Clone, Copy)]
pub struct Wanted(u32);

impl Wanted {
    /// The Call-ID, which always is.
    pub const CALL_ID: Self = Self(0);
    /// And what a response answers.
    pub const ANSWER: Self = Self(2);
    const TO: u32 = 1;

    /// From [`Self::bits`].
    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// In one register.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// And whether To has a tag, without which the message is not read at all.
    #[inline(always)]
    pub const fn and_to(self) -> Self {
        Self(self.0 | Self::TO)
    }

    #[inline(always)]
    const fn to(self) -> bool {
        self.0 & Self::TO != 0
    }

    #[inline(always)]
    const fn answer(self) -> bool {
        self.0 & Self::ANSWER.0 != 0
    }
}

/// Reads the message of `len` bytes at `offset` into `message`; `seed` is what makes its hash nobody else's.
#[inline(always)]
pub fn read<F: Frame>(
    packet: &Packet<F>,
    message: &mut Message,
    (offset, len): (usize, usize),
    wanted: Wanted,
    seed: u64,
) -> Call {
    const NONE: Call = Call(0);
    let len = if len > MOST { MOST } else { len };
    // SAFETY: `len` is no more than the words have.
    if len < LEAST || !unsafe { packet.copy(offset, message.words.as_mut_ptr().cast(), len) } {
        return NONE;
    }
    let end = len / 8;
    if end > WORDS {
        return NONE;
    }
    (message.words[end], message.words[end + 1]) = (0, 0);
    message.end = end as u32;
    for place in &mut message.behind {
        // SAFETY: a reference. One by one, because the compiler would have a function clear them.
        unsafe { ptr::write_volatile(place, 0) };
    }
    find_headers(wanted.bits());
    let Some(at) = lexer::value(CALL) else { return NONE };
    let hash = hash(message, at, seed);
    if hash == 0 {
        return NONE;
    }
    let mut call = hash & !Call::FLAGS | Call::READ;
    if wanted.to() {
        let Some(at) = lexer::value(TO) else { return NONE };
        match lexer::tag(at) {
            Some(true) => call |= Call::TAGGED,
            Some(false) => {}
            None => return NONE,
        }
    }
    if wanted.answer() && lexer::value(CSEQ).is_some_and(|at| asks(message, at)) {
        call |= Call::ANSWER;
    }
    Call(call)
}

/// Finds the wanted headers, or that there are none. One of those that the verifier goes through by themselves
/// ([`crate::apart`]), and so are those that it asks.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn find_headers(wanted: u32) -> u32 {
    let Some(message) = maps::message() else { return 0 };
    let end = message.end as usize;
    for n in 0..WORDS {
        if n >= end || newlines(message.words[n]) != 0 && look_at_lines(n as u32, wanted) != 0 {
            break;
        }
    }
    0
}

/// Looks at the lines that begin behind the newlines in this word: the first of each name counts. Not 0: it is done.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_at_lines(n: u32, wanted: u32) -> u32 {
    let (Some(message), n) = (maps::message(), n as usize % WORDS) else { return 1 };
    let (word, next) = (message.words[n], message.words[n + 1]);
    let mut ends = newlines(word);
    for _ in 0..MOST_LINES {
        if ends == 0 {
            break;
        }
        let at = lowest(ends) + 1;
        ends &= ends - 1;
        let (what, len) = name(joined(word, next, at));
        if what == BODY {
            return 1;
        }
        let place = &mut message.behind[what & 3];
        if *place == 0 {
            *place = (n * 8 + at + len) as u32;
        }
    }
    let wanted = Wanted::from_bits(wanted);
    let all = message.behind[CALL] != 0
        && (!wanted.to() || message.behind[TO] != 0)
        && (!wanted.answer() || message.behind[CSEQ] != 0);
    u32::from(ends != 0 || all)
}

/// Another header.
const OTHER: usize = 0;
/// Call-ID.
const CALL: usize = 1;
/// To.
const TO: usize = 2;
/// CSeq.
const CSEQ: usize = 3;
/// The empty line before the body.
const BODY: usize = 4;

/// Which header it is whose line begins with these bytes, and how long its name is.
#[inline(always)]
fn name(line: u64) -> (usize, usize) {
    let small = line | SMALL;
    let ends_at = |n: u32| matches!((line >> (8 * n)) as u8, b':' | b' ' | b'\t');
    match (small as u8, (small >> 8) as u8) {
        _ if matches!(line as u8, b'\r' | b'\n') => (BODY, 0),
        (b'c', _) if small & SEVEN == CALL_ID && ends_at(7) => (CALL, 7),
        (b'c', _) if small & FOUR == C_SEQ && ends_at(4) => (CSEQ, 4),
        (b'i', _) if ends_at(1) => (CALL, 1),
        (b't', _) if ends_at(1) => (TO, 1),
        (b't', b'o') if ends_at(2) => (TO, 2),
        _ => (OTHER, 0),
    }
}

/// Whether the CSeq at `at` names a request that asks for a dialog: a number of ten digits at most, a space, and the method.
#[inline(always)]
fn asks(message: &Message, at: usize) -> bool {
    let (first, second) = (blanks(message.unaligned(at)), blanks(message.unaligned(at + 8)));
    let behind = match (first, second) {
        (0, 0) => return false,
        (0, second) => at + 9 + lowest(second),
        (first, _) => at + 1 + lowest(first),
    };
    let method = (message.unaligned(behind) as u32).to_le_bytes();
    matches!(&method, b"INVI" | b"SUBS" | b"REFE")
}

/// Of the word at `at`: 0 where it is empty, too long, or does not end in the message.
#[inline(always)]
fn hash(message: &Message, at: usize, seed: u64) -> u64 {
    let (mut hash, mut n) = (seed, 0);
    while n < LONGEST {
        let word = message.unaligned(at + n);
        let ends = blanks(word);
        if ends == 0 {
            hash = mix(hash, word);
            n += 8;
            continue;
        }
        let rest = lowest(ends);
        let len = n + rest;
        if len == 0 || at + len >= message.end as usize * 8 {
            return 0;
        }
        // A shift by 64 bits is none.
        let last = if rest == 0 { 0 } else { word & u64::MAX >> (64 - 8 * rest) };
        return mix(mix(hash, last), len as u64);
    }
    0
}

#[inline(always)]
const fn mix(hash: u64, word: u64) -> u64 {
    // 2^64 divided by the golden ratio; the shift brings what it did to the high bits down again.
    let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32
}

/// The highest bit of each byte that is a newline.
#[inline(always)]
const fn newlines(word: u64) -> u64 {
    let other = word ^ (ONES * b'\n' as u64);
    !(((other & !HIGHS) + !HIGHS) | other) & HIGHS
}

/// The highest bit of each byte that is a space, or a control character.
#[inline(always)]
const fn blanks(word: u64) -> u64 {
    !(((word & !HIGHS) + ONES * (0x7f - b' ' as u64)) | word) & HIGHS
}

/// Which byte has the lowest of these bits.
#[inline(always)]
const fn lowest(bits: u64) -> usize {
    let first = (bits & bits.wrapping_neg()) >> 7;
    (((first - 1) & ONES).wrapping_mul(ONES) >> 56) as usize
}

/// Eight bytes of two words, from byte `at` on, which is 1 to 8.
#[inline(always)]
const fn joined(word: u64, next: u64, at: usize) -> u64 {
    if at >= 8 { next } else { word >> (8 * at) | next << (64 - 8 * at) }
}

impl Message {
    /// The byte at `at`, of which the lower bits count.
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        // SAFETY: within the words.
        unsafe { ptr::read(self.words.as_ptr().cast::<u8>().add(at % (ROOM * 8))) }
    }

    /// Eight bytes from `at` on.
    #[inline(always)]
    fn unaligned(&self, at: usize) -> u64 {
        let n = at / 8 % ROOM;
        let (word, next, bits) = (self.words[n], self.words[n + 1], at % 8 * 8);
        word >> bits | (next << 1) << (63 - bits)
    }
}
