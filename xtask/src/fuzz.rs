//! `cargo xtask fuzz`: what a fuzzer thinks of, held against every decoder (`tests/fuzz`).
//!
//! The corpus of each target begins with what the tests know: the vectors of real gatekeepers, the captures, and the texts in
//! `tests/fuzz/seeds`. What the fuzzer finds out stays in `tests/fuzz/corpus`, and is where the next run begins.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::{
    process::{self, workspace},
    setup,
    step::{self, note},
};

const VERSION: &str = "0.13.2";
const FOLDER: &str = "tests/fuzz";
const ROOT: &str = ".tools";
/// Every target, and the words that its input is made of, where it is text.
const TARGETS: [(&str, Option<&str>); 10] = [
    ("sip_message", Some("sip")),
    ("sip_stream", Some("sip")),
    ("sip_request", None),
    ("ras", None),
    ("uuie", None),
    ("q931", None),
    ("tpkt", None),
    ("mgcp", Some("mgcp")),
    ("megaco", Some("megaco")),
    ("decode", Some("sip")),
];
/// Vectors, in the hex of each line's last field, and whose they are.
const VECTORS: [(&str, &str); 3] = [("ras", "ras"), ("user-information", "uuie"), ("q931", "q931")];

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// Only this target
    target: Option<String>,
    /// How long to fuzz each
    #[arg(long, value_name = "N", default_value_t = 600)]
    seconds: u64,
}

/// Sets up, builds, and fuzzes one target after the other.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let chosen: Vec<_> =
        TARGETS.iter().filter(|(name, _)| args.target.as_deref().is_none_or(|only| only == *name)).collect();
    if chosen.is_empty() {
        let names = TARGETS.map(|(name, _)| name).join(", ");
        bail!("there is no such target; there are: {names}");
    }
    let channel = setup::channel()?;
    ensure(&channel)?;
    seed(&workspace().join(FOLDER).join("corpus"))?;
    step::step("build the targets: this takes some minutes", || {
        process::run(&mut fuzzer(&channel, "build"))
    })?;
    for (name, words) in chosen {
        let mut run = fuzzer(&channel, "run");
        run.args([name, "--", "-max_len=4096", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
        run.arg(format!("-max_total_time={}", args.seconds));
        run.args(words.map(|words| format!("-dict={FOLDER}/dictionaries/{words}")));
        step::step(&format!("fuzz {name}"), || process::run(&mut run))
            .with_context(|| format!("{name} failed: what made it fail is in {FOLDER}/artifacts/{name}"))?;
    }
    Ok(())
}

/// cargo-fuzz wants flags that only an unstable compiler has; the pinned one has them, too, when it is told so.
fn fuzzer(channel: &str, what: &str) -> Command {
    let mut command = process::pinned(channel, "cargo");
    command.args(["fuzz", what, "--fuzz-dir", FOLDER]).env("RUSTC_BOOTSTRAP", "1");
    let mut path = workspace().join(ROOT).join("bin").into_os_string();
    if let Some(others) = std::env::var_os("PATH") {
        path.push(":");
        path.push(others);
    }
    command.env("PATH", path);
    command
}

fn ensure(channel: &str) -> anyhow::Result<()> {
    let binary = workspace().join(ROOT).join("bin/cargo-fuzz");
    if process::ask(process::command(binary).arg("--version"))
        .is_some_and(|says| says.trim().ends_with(VERSION))
    {
        return Ok(());
    }
    let mut install = process::pinned(channel, "cargo");
    install.args(["install", "cargo-fuzz", "--version", VERSION, "--locked", "--force", "--root", ROOT]);
    step::step(&format!("cargo-fuzz {VERSION}, into {ROOT}/"), || process::run(&mut install))
}

fn seed(corpus: &Path) -> anyhow::Result<()> {
    for (name, _) in TARGETS {
        let (texts, into) = (workspace().join(FOLDER).join("seeds").join(name), corpus.join(name));
        fs::create_dir_all(&into).with_context(|| format!("create {}", into.display()))?;
        for file in files(&texts)? {
            let bytes = read(&file)?;
            write(&into, &file, "", &bytes)?;
        }
    }
    let vectors = workspace().join("failover-user/src/proto/h225/tests/data");
    for (table, target) in VECTORS {
        let table = vectors.join(table).with_extension("tsv");
        for (at, octets) in octets(&String::from_utf8_lossy(&read(&table)?)).enumerate() {
            write(&corpus.join(target), &table, &format!("-{at}"), &octets)?;
            if target == "q931" {
                write(&corpus.join("tpkt"), &table, &format!("-{at}"), &in_packet(&octets))?;
            }
        }
    }
    for file in files(&workspace().join("tests/data/captures"))? {
        // The first byte has the rest read as it is.
        let bytes = [&[0xff][..], &read(&file)?].concat();
        write(&corpus.join("decode"), &file, "", &bytes)?;
    }
    note("the corpus holds the vectors of the tests");
    Ok(())
}

/// The last field of each line.
fn octets(table: &str) -> impl Iterator<Item = Vec<u8>> {
    table.lines().map(|line| {
        let hex = line.rsplit('\t').next().unwrap_or_default().as_bytes();
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        hex.chunks(2).map_while(octet).collect()
    })
}

/// A packet of TPKT, behind the byte that says how the stream is cut.
fn in_packet(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u16 + 4).to_be_bytes();
    [&[7, 3, 0], &length[..], message].concat()
}

/// Everything in a folder, if there is one.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    entries.map(|entry| Ok(entry.with_context(|| format!("read {}", folder.display()))?.path())).collect()
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("read {}", file.display()))
}

/// Under the name of where it came from.
fn write(folder: &Path, from: &Path, number: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let stem = from.file_stem().unwrap_or_default().to_string_lossy();
    let file = folder.join(format!("{stem}{number}"));
    fs::write(&file, bytes).with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_become_octets() {
        let table = "a capture\t3\t0aff\nsetup\t00";
        assert_eq!(octets(table).collect::<Vec<_>>(), [vec![0x0a, 0xff], vec![0]]);
        assert_eq!(in_packet(&[8, 2]), [7, 3, 0, 0, 6, 8, 2]);
    }

    #[test]
    fn every_target_begins_with_what_is_known_and_has_its_words() {
        let corpus = tempfile::tempdir().unwrap();
        seed(corpus.path()).unwrap();
        for (name, words) in TARGETS {
            let known = files(&corpus.path().join(name)).unwrap();
            assert!(!known.is_empty() || name == "sip_request", "{name}");
            assert!(
                workspace().join(FOLDER).join("targets").join(name).with_extension("rs").exists(),
                "{name}"
            );
            let dictionary = |words| workspace().join(FOLDER).join("dictionaries").join(words);
            assert!(words.is_none_or(|words| dictionary(words).exists()), "{name}");
        }
    }
}
