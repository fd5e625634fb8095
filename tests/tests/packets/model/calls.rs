//! What a SIP message over UDP is to its dialog: read once more from the grammar (RFC 3261 §7, §25.1), within the bounds that
//! the program sets itself.

/// As much of a message is looked at.
const MOST: usize = 1024;
/// The shortest one.
const LEAST: usize = 32;
const LONGEST_CALL_ID: usize = 128;
const MOST_AROUND_COLON: usize = 24;
const MOST_OF_TO: usize = 160;
/// Lines that begin in one word of eight bytes.
const MOST_LINES: usize = 3;

/// By the first words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Begins,
    Follows,
    Success,
    Ends,
    Other,
}

/// A message's Call-ID, and whether its To has a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub id: Vec<u8>,
    pub tagged: bool,
}

pub fn kind(message: &[u8]) -> Kind {
    if message.len() < 10 {
        return Kind::Other;
    }
    match &message[..4] {
        b"INVI" | b"SUBS" | b"REFE" => Kind::Begins,
        b"SIP/" if message[8] == b'2' => Kind::Success,
        b"SIP/" | b"ACK " | b"CANC" => Kind::Follows,
        b"BYE " => Kind::Ends,
        _ => Kind::Other,
    }
}

/// The Call-ID, and, where it is asked for, To's tag; `None`: they cannot be read.
pub fn read(message: &[u8], with_to: bool) -> Option<Call> {
    let looked_at = &message[..message.len().min(MOST)];
    if looked_at.len() < LEAST {
        return None;
    }
    // In words of eight bytes; behind the last whole one there is nothing.
    let end = looked_at.len() / 8 * 8;
    let mut text = looked_at[..end].to_vec();
    text.resize(2 * MOST + 8, 0);
    let (call, to) = headers(&text, end, with_to);
    let at = value(&text, call?)?;
    let id: Vec<u8> = text[at..].iter().copied().take_while(|byte| *byte > b' ').collect();
    if id.is_empty() || id.len() >= LONGEST_CALL_ID || at + id.len() >= end {
        return None;
    }
    let tagged = if with_to { tag(&text, value(&text, to?)?)? } else { false };
    Some(Call { id, tagged })
}

/// Where the names of Call-ID and To end, of which the first counts.
fn headers(text: &[u8], end: usize, with_to: bool) -> (Option<usize>, Option<usize>) {
    let (mut call, mut to) = (None, None);
    for word in (0..end).step_by(8) {
        let newlines: Vec<usize> = (word..word + 8).filter(|at| text[*at] == b'\n').collect();
        for line in newlines.iter().take(MOST_LINES).map(|at| at + 1) {
            if matches!(text[line], b'\r' | b'\n') {
                return (call, to);
            }
            let named = |name: &str| {
                let behind = line + name.len();
                let same = text[line..behind].eq_ignore_ascii_case(name.as_bytes());
                // What is compared has eight bytes, of which a carriage return is as good as a dash.
                let dash = name == "call-id" && text[line + 4] == b'\r';
                let bent = dash
                    && [&text[line..line + 4], &text[line + 5..behind]]
                        .concat()
                        .eq_ignore_ascii_case(b"callid");
                ((same || bent) && matches!(text[behind], b':' | b' ' | b'\t')).then_some(behind)
            };
            call = call.or(named("call-id")).or(named("i"));
            to = to.or(named("t")).or(named("to"));
        }
        if newlines.len() > MOST_LINES || call.is_some() && (!with_to || to.is_some()) {
            break;
        }
    }
    (call, to)
}

/// Where the value begins behind a header's name: HCOLON, with lines that are folded.
fn value(text: &[u8], behind: usize) -> Option<usize> {
    let (mut colon, mut line_ended) = (false, false);
    for (at, byte) in text.iter().copied().enumerate().skip(behind).take(MOST_AROUND_COLON) {
        match byte {
            b' ' | b'\t' => line_ended = false,
            _ if line_ended => return None,
            b':' if !colon => colon = true,
            b'\r' if colon => {}
            b'\n' if colon => line_ended = true,
            byte if colon && byte != 0 => return Some(at),
            _ => return None,
        }
    }
    None
}

/// Whether To has a parameter `tag`, behind its address; `None`: its end was not seen.
fn tag(text: &[u8], at: usize) -> Option<bool> {
    let (mut quoted, mut escaped, mut angle, mut line_ended) = (false, false, false, false);
    // How much of `;tag` was seen.
    let mut seen = 0;
    for byte in text[at..at + MOST_OF_TO].iter().copied() {
        if byte == 0 {
            return None;
        }
        let ended = std::mem::replace(&mut line_ended, byte == b'\n');
        if ended && !matches!(byte, b' ' | b'\t') {
            return Some(false);
        }
        if ended {
            continue;
        }
        if byte == b'\n' {
            escaped = false;
            // Between the parts of a parameter a line may be folded, within a word it may not.
            seen = if seen == 1 || seen == 4 { seen } else { 0 };
            continue;
        }
        if quoted {
            (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        if angle {
            angle = byte != b'>';
            continue;
        }
        seen = match (seen, byte.to_ascii_lowercase()) {
            (_, b';') | (1, b' ' | b'\t' | b'\r') => 1,
            (1, b't') => 2,
            (2, b'a') => 3,
            (3, b'g') | (4, b' ' | b'\t' | b'\r') => 4,
            (4, b'=') => return Some(true),
            _ => 0,
        };
        quoted = byte == b'"';
        angle = byte == b'<';
    }
    None
}
