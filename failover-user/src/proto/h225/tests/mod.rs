//! Against what a real GnuGk 5.15 and real endpoints sent, and against whatever else may come.

mod hostile;
mod q931;
mod ras;
mod uuie;

/// What GnuGk and its peers said over RAS: capture, index of the alternative, octets.
const RAS: &str = include_str!("data/ras.tsv");
/// H323-UserInformation of the same calls: message, octets.
const USER_INFORMATION: &str = include_str!("data/user-information.tsv");
/// Whole Q.931 messages of the same calls.
const Q931: &str = include_str!("data/q931.tsv");

/// The last field of each line, in octets, and what stands before it.
fn vectors(table: &'static str) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    table.lines().map(|line| {
        let (before, hex) = line.rsplit_once('\t').unwrap();
        (before, octets(hex))
    })
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
