//! What has to be looked at byte by byte: where a header's value begins, and whether To has a tag. By tables of what
//! comes of each byte, because the verifier goes through branches again for each byte, and not through tables.

use crate::maps;

/// As many bytes around a header's colon are looked at.
const MOST_SPACE: usize = 24;
/// As many bytes of To are looked at.
const MOST_TO: usize = 160;

/// What a byte is.
#[derive(Clone, Copy)]
enum Class {
    Other,
    Colon,
    Semicolon,
    T,
    A,
    G,
    Equals,
    Space,
    Quote,
    Backslash,
    Open,
    Close,
    Newline,
    Return,
    /// Also what is behind the message.
    Zero,
}

const CLASSES: usize = 16;
const ALL: usize = CLASSES * CLASSES;

/// Where a header's value begins: HCOLON of RFC 3261 §25.1, with lines that are folded (§7.3.1).
#[derive(Clone, Copy)]
enum Value {
    BeforeColon,
    BehindColon,
    /// A line has ended, which may go on in the next one.
    Newline,
    // Here it ends.
    Begins,
    Nowhere,
}

/// What is known of To's tag: it is behind the address, and neither in a display name nor in a URI (§20.39).
#[derive(Clone, Copy)]
enum To {
    /// Outside of quotes and angle brackets.
    Plain,
    Semicolon,
    T,
    Ta,
    /// `;tag`.
    Name,
    Quoted,
    Escaped,
    Angle,
    // A line has ended, which may go on in the next one.
    PlainNewline,
    SemicolonNewline,
    NameNewline,
    QuotedNewline,
    AngleNewline,
    // Here it ends.
    There,
    NotThere,
    /// The message was not copied so far.
    Unknown,
}

/// The class of each byte.
static CLASS: [u8; 256] = classes();
/// What each state becomes with each class.
static VALUE: [u8; ALL] = value_table();
/// The same.
static TAG: [u8; ALL] = tag_table();

/// Where the value of the header begins that was found as `what`.
#[inline(always)]
pub fn value(what: usize) -> Option<usize> {
    let at = value_of(what as u32) as usize;
    if at == 0 { None } else { Some(at) }
}

/// Whether there is a tag in To's value at `at`; `None`: that is not known.
#[inline(always)]
pub fn tag(at: usize) -> Option<bool> {
    match tag_at(at as u32) as usize {
        state if state == To::There as usize => Some(true),
        state if state == To::NotThere as usize => Some(false),
        _ => None,
    }
}

/// As [`value`]; 0: nowhere. One of those that the verifier goes through by themselves ([`crate::apart`]).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn value_of(what: u32) -> u32 {
    let Some(message) = maps::message() else { return 0 };
    let behind = message.behind[what as usize & 3] as usize;
    if behind == 0 {
        return 0;
    }
    let mut state = Value::BeforeColon as usize;
    for n in 0..MOST_SPACE {
        state = next(&VALUE, state, message.byte(behind + n));
        if state >= Value::Begins as usize {
            return if state == Value::Begins as usize { (behind + n) as u32 } else { 0 };
        }
    }
    0
}

/// As [`tag`]: a state. Another one of those.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tag_at(at: u32) -> u32 {
    let Some(message) = maps::message() else { return To::Unknown as u32 };
    let mut state = To::Plain as usize;
    for n in 0..MOST_TO {
        state = next(&TAG, state, message.byte(at as usize + n));
        if state >= To::There as usize {
            return state as u32;
        }
    }
    To::Unknown as u32
}

#[inline(always)]
fn next(table: &[u8; ALL], state: usize, byte: u8) -> usize {
    table[(state * CLASSES + CLASS[usize::from(byte)] as usize) % ALL] as usize
}

const fn classes() -> [u8; 256] {
    let mut table = [Class::Other as u8; 256];
    table[b':' as usize] = Class::Colon as u8;
    table[b';' as usize] = Class::Semicolon as u8;
    (table[b't' as usize], table[b'T' as usize]) = (Class::T as u8, Class::T as u8);
    (table[b'a' as usize], table[b'A' as usize]) = (Class::A as u8, Class::A as u8);
    (table[b'g' as usize], table[b'G' as usize]) = (Class::G as u8, Class::G as u8);
    table[b'=' as usize] = Class::Equals as u8;
    (table[b' ' as usize], table[b'\t' as usize]) = (Class::Space as u8, Class::Space as u8);
    table[b'"' as usize] = Class::Quote as u8;
    table[b'\\' as usize] = Class::Backslash as u8;
    (table[b'<' as usize], table[b'>' as usize]) = (Class::Open as u8, Class::Close as u8);
    (table[b'\n' as usize], table[b'\r' as usize]) = (Class::Newline as u8, Class::Return as u8);
    table[0] = Class::Zero as u8;
    table
}

/// Every class, but those that are set otherwise, brings `state` to `becomes`.
const fn set_row(mut table: [u8; ALL], state: usize, becomes: u8) -> [u8; ALL] {
    let mut class = 0;
    while class < CLASSES {
        table[state * CLASSES + class] = becomes;
        class += 1;
    }
    table
}

const fn value_table() -> [u8; ALL] {
    let mut table = [Value::Nowhere as u8; ALL];
    table = set_row(table, Value::BehindColon as usize, Value::Begins as u8);
    let special = [
        (Value::BeforeColon, Class::Space, Value::BeforeColon),
        (Value::BeforeColon, Class::Colon, Value::BehindColon),
        (Value::BehindColon, Class::Space, Value::BehindColon),
        (Value::BehindColon, Class::Return, Value::BehindColon),
        (Value::BehindColon, Class::Newline, Value::Newline),
        (Value::BehindColon, Class::Zero, Value::Nowhere),
        (Value::Newline, Class::Space, Value::BehindColon),
    ];
    let mut n = 0;
    while n < special.len() {
        let (state, class, becomes) = special[n];
        table[state as usize * CLASSES + class as usize] = becomes as u8;
        n += 1;
    }
    table
}

const fn tag_table() -> [u8; ALL] {
    let mut table = [To::NotThere as u8; ALL];
    let mut n = 0;
    while n <= To::Name as usize {
        table = set_row(table, n, To::Plain as u8);
        // Outside of quotes and brackets, these begin something, wherever they stand.
        table[n * CLASSES + Class::Semicolon as usize] = To::Semicolon as u8;
        table[n * CLASSES + Class::Quote as usize] = To::Quoted as u8;
        table[n * CLASSES + Class::Open as usize] = To::Angle as u8;
        table[n * CLASSES + Class::Newline as usize] = To::PlainNewline as u8;
        n += 1;
    }
    table = set_row(table, To::Quoted as usize, To::Quoted as u8);
    table = set_row(table, To::Escaped as usize, To::Quoted as u8);
    table = set_row(table, To::Angle as usize, To::Angle as u8);
    let special = [
        (To::Semicolon, Class::Space, To::Semicolon),
        (To::Semicolon, Class::Return, To::Semicolon),
        (To::Semicolon, Class::Newline, To::SemicolonNewline),
        (To::Semicolon, Class::T, To::T),
        (To::T, Class::A, To::Ta),
        (To::Ta, Class::G, To::Name),
        (To::Name, Class::Space, To::Name),
        (To::Name, Class::Return, To::Name),
        (To::Name, Class::Newline, To::NameNewline),
        (To::Name, Class::Equals, To::There),
        (To::Quoted, Class::Quote, To::Plain),
        (To::Quoted, Class::Backslash, To::Escaped),
        (To::Quoted, Class::Newline, To::QuotedNewline),
        (To::Escaped, Class::Newline, To::QuotedNewline),
        (To::Angle, Class::Close, To::Plain),
        (To::Angle, Class::Newline, To::AngleNewline),
        (To::PlainNewline, Class::Space, To::Plain),
        (To::SemicolonNewline, Class::Space, To::Semicolon),
        (To::NameNewline, Class::Space, To::Name),
        (To::QuotedNewline, Class::Space, To::Quoted),
        (To::AngleNewline, Class::Space, To::Angle),
    ];
    n = 0;
    while n < special.len() {
        let (state, class, becomes) = special[n];
        table[state as usize * CLASSES + class as usize] = becomes as u8;
        n += 1;
    }
    n = 0;
    while n <= To::Unknown as usize {
        table[n * CLASSES + Class::Zero as usize] = To::Unknown as u8;
        n += 1;
    }
    table
}
