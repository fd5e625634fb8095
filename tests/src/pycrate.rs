//! An H.225.0 codec that has nothing in common with ours: pycrate's, in Python. It makes messages, and says what others have
//! made.
//!
//! `cargo xtask setup` fetches its wheel, which is never unpacked: Python imports from it as it is.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// In the workspace, where the set-up puts the wheel.
pub const FOLDER: &str = ".tools/python";
/// In the workspace: which wheel, and its digest.
pub const REQUIREMENTS: &str = "tests/peers/h225/requirements.txt";
/// Its name.
pub const WHEEL: &str = "pycrate-0.8.1-py2.py3-none-any.whl";

/// What a message is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `RasMessage`.
    Ras,
    /// `H323-UserInformation`.
    UserInformation,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Ras => "ras",
            Self::UserInformation => "uuie",
        }
    }
}

/// `count` messages, random within what their types allow, and the same for the same `seed`.
pub fn make(kind: Kind, seed: u64, count: usize) -> Result<Vec<Vec<u8>>> {
    let answer = ask(&["make", kind.word(), &seed.to_string(), &count.to_string()], String::new())?;
    answer.lines().map(octets).collect()
}

/// What each message holds: a CHOICE is an object of one member, octets are hex.
pub fn show(kind: Kind, messages: &[Vec<u8>]) -> Result<Vec<Value>> {
    let lines: Vec<String> = messages.iter().map(|message| hex(message) + "\n").collect();
    let answer = ask(&["show", kind.word()], lines.concat())?;
    answer.lines().map(|line| serde_json::from_str(line).context("what pycrate says")).collect()
}

/// Where the second message of a pair differs from the first one, if it does; the second one may lack additions behind the
/// last that it has.
pub fn differences(kind: Kind, pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<String>> {
    let lines: Vec<String> =
        pairs.iter().map(|(one, other)| format!("{} {}\n", hex(one), hex(other))).collect();
    let answer = ask(&["same", kind.word()], lines.concat())?;
    ensure!(answer.lines().count() == pairs.len(), "pycrate compared {} pairs", answer.lines().count());
    Ok(answer.lines().filter(|line| *line != "same").map(str::to_owned).collect())
}

fn ask(arguments: &[&str], input: String) -> Result<String> {
    let root = root();
    let wheel = root.join(FOLDER).join(WHEEL);
    ensure!(wheel.exists(), "{} is not there; run `cargo xtask setup`", wheel.display());
    let mut child = Command::new("python3")
        .arg(root.join("tests/peers/h225/h225.py"))
        .args(arguments)
        .env("PYTHONPATH", wheel)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start python3")?;
    let mut stdin = child.stdin.take().context("python3's input")?;
    // It answers while it still reads.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().context("wait for python3")?;
    ensure!(output.status.success(), "python3 h225.py {arguments:?}: {}", output.status);
    ensure!(writer.join().is_ok_and(|written| written.is_ok()), "python3 did not read its input");
    String::from_utf8(output.stdout).context("what python3 printed")
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut hex, octet| {
        // Writing to a String does not fail.
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}

fn octets(hex: &str) -> Result<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16));
    pairs.collect::<Result<_, _>>().with_context(|| format!("not hex: {hex}"))
}
