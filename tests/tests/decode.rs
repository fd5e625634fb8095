//! `failover decode` on real captures, held against another dissector: tshark finds as many messages, in the same packets, and
//! calls them the same.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use failover_tests::daemon::binary;
use serde_json::Value;

/// RAS by the index of the alternative (H.225.0, RasMessage), as tshark has it.
const RAS: [&str; 33] = [
    "GRQ", "GCF", "GRJ", "RRQ", "RCF", "RRJ", "URQ", "UCF", "URJ", "ARQ", "ACF", "ARJ", "BRQ", "BCF", "BRJ",
    "DRQ", "DCF", "DRJ", "LRQ", "LCF", "LRJ", "IRQ", "IRR", "NSM", "XRS", "RIP", "RAI", "RAC", "IACK",
    "INAK", "SCI", "SCR", "ACFS",
];
/// Q.931 by its message type.
const Q931: [(&str, &str); 8] = [
    ("0x01", "Alerting"),
    ("0x02", "CallProceeding"),
    ("0x05", "Setup"),
    ("0x07", "Connect"),
    ("0x5a", "ReleaseComplete"),
    ("0x62", "Facility"),
    ("0x75", "StatusEnquiry"),
    ("0x7d", "Status"),
];

/// Packet and name of each message, in order.
type Names = Vec<(u64, String)>;

fn captures() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/captures");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
        files.push(entry?.path());
    }
    ensure!(files.len() == 7, "{} captures in {}", files.len(), folder.display());
    Ok(files)
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("output that is text")
}

fn decoded(file: &Path) -> Result<Vec<Value>> {
    let mut command = Command::new(binary()?);
    let lines = output(command.args(["decode", "-o", "jsonl", "--pcap"]).arg(file))?;
    lines.lines().map(|line| serde_json::from_str(line).context("a line of JSON")).collect()
}

/// What `field` has in each packet in which tshark finds it. One packet may hold several.
fn dissected(file: &Path, field: &str, name: fn(&str) -> String) -> Result<Names> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-r"]).arg(file);
    // An ICMP error quotes a message, and is none.
    let filter = format!("{field} && !icmp");
    tshark.args(["-Y", &filter, "-T", "fields", "-E", "aggregator=,", "-e", "frame.number", "-e", field]);
    let mut names = Names::new();
    for line in output(&mut tshark)?.lines() {
        let (frame, values) = line.split_once('\t').context("two fields")?;
        let frame = frame.parse().context("a number")?;
        names.extend(values.split(',').map(|value| (frame, name(value))));
    }
    Ok(names)
}

fn ras_name(index: &str) -> String {
    let name = index.parse().ok().and_then(|index: usize| RAS.get(index));
    name.copied().unwrap_or(index).to_owned()
}

fn q931_name(kind: &str) -> String {
    Q931.iter().find(|(number, _)| *number == kind).map_or(kind, |(_, name)| name).to_owned()
}

/// What we found of one protocol, and could read the name of.
fn found(messages: &[Value], protocol: &str) -> Names {
    let of = messages.iter().filter(|message| message["protocol"] == protocol);
    of.filter_map(|message| Some((message["frame"].as_u64()?, message["message"].as_str()?.to_owned())))
        .collect()
}

#[test]
fn another_dissector_finds_the_same_messages() -> Result<()> {
    let (mut ras, mut q931, mut wrong) = (0, 0, BTreeMap::new());
    for file in captures()? {
        let messages = decoded(&file)?;
        let expected = dissected(&file, "h225.RasMessage", ras_name)?;
        assert_eq!(found(&messages, "ras"), expected, "{}", file.display());
        ras += expected.len();
        let expected = dissected(&file, "q931.message_type", q931_name)?;
        assert_eq!(found(&messages, "h225"), expected, "{}", file.display());
        q931 += expected.len();
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let malformed = messages.iter().filter(|message| !message["malformed"].is_null()).count();
        wrong.insert(stem, malformed);
    }
    assert!(ras >= 169 && q931 >= 18, "{ras} of RAS, {q931} of call signalling");
    // The captures hold garbage in two places, sent on purpose: to a gatekeeper, and on a call signalling connection.
    wrong.retain(|_, count| *count > 0);
    let garbage = [("pycrate-full-cycle-gnugk", 1), ("pycrate-setup-tcp1720", 1)];
    assert_eq!(wrong, garbage.map(|(name, count)| (name.to_owned(), count)).into());
    Ok(())
}

#[test]
fn what_cannot_be_read_is_a_sentence_and_exit_code_1() -> Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let file = folder.path().join("no.pcap");
    for (content, why) in
        [(None, "No such file"), (Some("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "neither pcap nor pcapng")]
    {
        if let Some(content) = content {
            std::fs::write(&file, content).context("write a file")?;
        }
        let mut command = Command::new(binary()?);
        let output =
            command.args(["decode", "-o", "json", "--pcap"]).arg(&file).output().context("start it")?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty() && said.contains(why), "{said}");
    }
    Ok(())
}
