//! SIP messages by chance: mostly right ones, of few calls, so that some belong together.

use crate::dice::Dice;

const STARTS: &[&str] = &[
    "INVITE sip:1001@x SIP/2.0",
    "INVITE sip:1001@x SIP/2.0",
    "SUBSCRIBE sip:1001@x SIP/2.0",
    "REFER sip:1001@x SIP/2.0",
    "BYE sip:1001@x SIP/2.0",
    "ACK sip:1001@x SIP/2.0",
    "CANCEL sip:1001@x SIP/2.0",
    "REGISTER sip:x SIP/2.0",
    "SIP/2.0 100 Trying",
    "SIP/2.0 200 OK",
    "SIP/2.0 486 Busy Here",
];
const CALLS: &[&str] = &[
    "Call-ID: ",
    "call-id:",
    "i: ",
    "I :",
    "Call-ID\t: ",
    "Call-ID:\r\n ",
    "i:\n\t",
    "Call-IDs: ",
    "Call-ID:\r\n",
];
const TOS: &[&str] = &["To: ", "t:", "T : ", "TO:\r\n\t", "Tone: "];
const VALUES: &[&str] = &[
    "<sip:1001@x>",
    "<sip:1001@x>;tag=1",
    "sip:1001@x ; tag = 1",
    "\"a;tag=\\\"b\" <sip:x;tag=1>",
    "<sip:1001@x>\r\n ;tag=1",
    "<sip:1001@x>;ta\r\n g=1",
    "<sip:1001@x>;tagged=1;x=\"tag=\"",
];

/// One message.
pub fn message(dice: &mut Dice) -> Vec<u8> {
    let call = format!("{}{}@10.88.1.{}", dice.pick(CALLS), "c".repeat(dice.below(12)), dice.below(2));
    let to = format!("{}{}", dice.pick(TOS), dice.pick(VALUES));
    let via = format!("Via: SIP/2.0/UDP 10.88.1.10;branch=z9hG4bK{}", "b".repeat(dice.below(40)));
    let filler =
        format!("Subject: {}", "s".repeat(if dice.chance(5) { dice.below(1100) } else { dice.below(30) }));
    let mut headers = [via, call, to, filler];
    for n in (1..headers.len()).rev() {
        headers.swap(n, dice.below(n + 1));
    }
    let (start, newline) = (dice.pick(STARTS), if dice.chance(90) { "\r\n" } else { "\n" });
    let mut bytes = format!("{start}{newline}{}{newline}{newline}", headers.join(newline)).into_bytes();
    bytes.resize(bytes.len() + dice.below(12), b'v');
    match dice.below(12) {
        0 => bytes.truncate(dice.below(bytes.len())),
        1 => {
            let at = dice.below(bytes.len());
            bytes[at] = dice.pick(b"\0\r\n :;<\"\\\xff");
        }
        _ => {}
    }
    bytes
}
