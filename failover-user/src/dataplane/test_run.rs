//! Asking the loaded program itself what it does with a frame (`BPF_PROG_TEST_RUN`).

use std::io;

use aya::programs::{ProgramError, TestRun as TestRunnable, TestRunOptions, TestRunResult, Xdp};

use super::{error::Error, load::Dataplane};

/// The largest envelope: an IPv6 header.
const ENVELOPE: usize = 40;

/// What the program did with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// The kernel's `enum xdp_action` (linux/bpf.h).
    pub action: u32,
    /// The frame as the program left it.
    pub frame: Vec<u8>,
}

impl Dataplane {
    /// Runs the program on `frame`, as if it had come in by the device with index `ingress`, which must be in the
    /// network namespace of the calling thread.
    ///
    /// The program reads and writes what it reads and writes for a frame from the wire: counters and the flows'
    /// memory move. Only the frame itself goes nowhere. The kernel takes no frame that is shorter than an Ethernet
    /// header (14 bytes) or longer than about seventeen pages; what is longer than one lies in several buffers.
    pub fn test_run(&self, frame: &[u8], ingress: u32) -> Result<TestRun, Error> {
        run(self.program()?, frame, ingress)
    }

    /// Runs the program of the way out on `frame`, as if it left by the device with index `egress`, having come in by
    /// `ingress`; 0: this machine has made it. What it says is a `TC_ACT` (linux/pkt_cls.h).
    pub fn test_run_egress(
        &self,
        frame: &[u8],
        ingress: u32,
        egress: u32,
        mark: u32,
    ) -> Result<TestRun, Error> {
        run_in(self.egress_program()?, frame, &buffer(ingress, egress, mark))
    }

    /// Runs the program as often, each time on the frame as the time before left it; what the last run ended in.
    pub fn test_run_repeatedly(&self, frame: &[u8], ingress: u32, repeats: u32) -> Result<u32, Error> {
        let context = context(frame.len() as u32, ingress);
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&context),
            repeat: repeats,
            ..TestRunOptions::new()
        };
        Ok(self.program()?.test_run(options).map_err(fails)?.return_value)
    }
}

/// The same, of any XDP program.
pub(super) fn run(program: &Xdp, frame: &[u8], ingress: u32) -> Result<TestRun, Error> {
    run_in(program, frame, &context(frame.len() as u32, ingress))
}

fn run_in<P>(program: &P, frame: &[u8], context: &[u8]) -> Result<TestRun, Error>
where
    P: for<'a> TestRunnable<Opts<'a> = TestRunOptions<'a>, Result = TestRunResult>,
{
    // An envelope around it needs room.
    let mut after = vec![0; frame.len() + ENVELOPE];
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut after),
        ctx_in: Some(context),
        ..TestRunOptions::new()
    };
    let result = program.test_run(options).map_err(fails)?;
    after.truncate(result.data_size_out as usize);
    Ok(TestRun { action: result.return_value, frame: after })
}

/// A `struct xdp_md` (linux/bpf.h): data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
pub(super) fn context(len: u32, ingress: u32) -> Vec<u8> {
    [0, len, 0, ingress, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// A `struct __sk_buff` (linux/bpf.h), as far as a test run takes it.
fn buffer(ingress: u32, egress: u32, mark: u32) -> Vec<u8> {
    const WORDS: usize = 48;
    let mut words = [0; WORDS];
    (words[2], words[9], words[10]) = (mark, ingress, egress);
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

pub(super) fn fails(error: ProgramError) -> Error {
    let source = match error {
        ProgramError::SyscallError(error) => error.io_error,
        other => io::Error::other(other.to_string()),
    };
    Error::io("run the program on a frame", source)
}
