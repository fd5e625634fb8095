//! What is sent in others' names: frames that came in once, through the loaded program again, and resets.

use std::net::SocketAddr;

use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp};
use aya_obj::programs::XdpAttachType;

use super::{
    error::Error,
    load::Dataplane,
    raw::Raw,
    test_run::{context, fails},
};

/// The longest frame that the kernel takes: a page, without what it keeps there itself (`bpf_test_init`,
/// `struct xdp_page_head`), rounded down.
const ROOM: usize = 3072;

/// The way back in. Its owner may be another task than the data plane's.
#[derive(Debug)]
pub struct Injector {
    program: Xdp,
    raw: Raw,
}

impl Dataplane {
    /// The way back in.
    pub fn injector(&self) -> Result<Injector, Error> {
        let path = self.pins.program();
        let program = Xdp::from_pin(&path, XdpAttachType::Interface);
        let program = program.map_err(|error| Error::Pin {
            action: "open the program",
            path,
            reason: error.to_string(),
        })?;
        Ok(Injector { program, raw: Raw::default() })
    }
}

impl Injector {
    /// Sends a frame through the program, as if it had come in by the device with index `ingress`, which must be in the network
    /// namespace of the calling thread. One that is too long for the kernel goes out as what this machine makes: it is steered
    /// where it leaves.
    pub fn send(&mut self, frame: &[u8], ingress: u32) -> Result<(), Error> {
        if frame.len() > ROOM {
            return self.raw.forward(frame).map_err(|error| Error::io("send a long frame on", error));
        }
        let context = context(frame.len() as u32, ingress);
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&context),
            attrs: TestRunAttrs::new().xdp_live_frames(1),
            ..TestRunOptions::new()
        };
        self.program.test_run(options).map(drop).map_err(fails)
    }

    /// Has `client`'s TCP connection with `asked`, which somebody else answers for by now, reset.
    pub fn reset(&mut self, client: SocketAddr, asked: SocketAddr) -> Result<(), Error> {
        let told = self.raw.acknowledge(asked, client);
        told.map_err(|error| Error::io(format!("have {client} reset its connection with {asked}"), error))
    }
}
