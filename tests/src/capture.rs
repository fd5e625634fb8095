//! What is on the wire: a capture on one device, and questions about it that tshark answers.
//!
//! All checksums are validated: the senders have no checksum offload (see [`crate::topology`]).

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{kamailio::CALLEE_PORT, netns::Namespace, process, process::Process};

/// A capture that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Capture {
    file: PathBuf,
    process: Process,
}

/// A capture that ended, in a file.
#[derive(Clone, Debug)]
pub struct Captured {
    file: PathBuf,
}

impl Capture {
    /// Captures whole packets on `device` into `file`; returns once the device is being listened to.
    pub fn start(host: &Namespace, device: &str, file: &Path) -> Result<Self> {
        let mut command = host.command("dumpcap");
        // A buffer of 64 MiB: nothing is lost while the machine is busy.
        command.args(["-i", device, "-B", "64", "-q", "-w"]).arg(file);
        let mut process = host.spawn("capture", command)?;
        let log = process.pid();
        process
            .wait_ready(Duration::from_secs(10), || Ok(file.exists()))
            .with_context(|| format!("capture on {device} (process {log})"))?;
        let capture = Self { file: file.to_owned(), process };
        process::wait_for("line that says where dumpcap writes", Duration::from_secs(10), || {
            Ok(capture.process.output().contains("File:").then_some(()))
        })?;
        Ok(capture)
    }

    /// Ends it once what is on its way has arrived. Fails when packets were lost.
    pub fn stop(mut self) -> Result<Captured> {
        thread::sleep(Duration::from_millis(300));
        let pid = i32::try_from(self.process.pid()).ok().and_then(Pid::from_raw).context("process id")?;
        kill_process(pid, Signal::INT).context("interrupt dumpcap")?;
        self.process.wait(Duration::from_secs(20))?;
        let printed = self.process.output();
        if !printed.contains("/0 (") {
            bail!("the capture is not complete: {printed}");
        }
        Ok(Captured { file: self.file.clone() })
    }
}

impl Captured {
    /// The pcapng file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How many packets match tshark's display filter. Addresses and checksums match inside ICMP errors too.
    pub fn count(&self, filter: &str) -> Result<usize> {
        Ok(self.fields(filter, &["frame.number"])?.len())
    }

    /// Packets from or to `address`, also as quoted by an ICMP error.
    pub fn with_address(&self, address: Ipv4Addr) -> Result<usize> {
        self.count(&format!("ip.addr == {address}"))
    }

    /// Packets with a bad checksum in any of their IPv4, UDP, TCP or ICMP headers.
    ///
    /// What they are is in the test's output.
    pub fn bad_checksums(&self) -> Result<usize> {
        const BAD: &str = "ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0";
        let rows = self.fields(
            BAD,
            &["frame.time_epoch", "ip.src", "ip.dst", "frame.len", "_ws.col.Info", "frame.protocols"],
        )?;
        for row in &rows {
            println!("a bad checksum: {}", row.join("  "));
        }
        Ok(rows.len())
    }

    /// One call as the wire saw it, a line for each message.
    pub fn story(&self, call: &str) -> Result<String> {
        let fields = [
            "frame.time_epoch",
            "ip.src",
            "ip.dst",
            "sip.CSeq.method",
            "sip.Request-Line",
            "sip.Status-Line",
        ];
        let rows = self.fields(&format!("sip.Call-ID == \"{call}\""), &fields)?;
        let lines: Vec<String> = rows.iter().map(|row| row.join("  ")).collect();
        Ok(lines.join("\n"))
    }

    /// The `fields` of every packet that matches `filter`, empty where a packet has none.
    pub fn fields(&self, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>> {
        let mut command = Command::new("tshark");
        command.args(["-n", "-r"]).arg(&self.file).args(["-Y", filter]);
        for transport in ["ip", "udp", "tcp"] {
            command.args(["-o", &format!("{transport}.check_checksum:TRUE")]);
        }
        command.args(["-d", &format!("udp.port=={CALLEE_PORT},sip")]);
        if !fields.iter().chain([&filter]).any(|text| text.contains("sip")) {
            // Several times as fast, where nobody asks about SIP.
            command.args(["--disable-protocol", "sip"]);
        }
        // All calls announce the same media address: tshark would search a list of them all for each packet.
        command.args(["-o", "sdp.establish_conversation:FALSE"]);
        command.args(["-T", "fields", "-E", "separator=/t", "-E", "occurrence=f"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let text = process::run(command)?;
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }
}
