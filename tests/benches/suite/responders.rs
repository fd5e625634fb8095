//! Thousands of SIP servers over UDP, each at an address of its own, answered for by one thread.

use std::{
    mem::MaybeUninit,
    net::{SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};
use failover_tests::{netns::Namespace, sip};
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
    process::{Resource, getrlimit, setrlimit},
};

/// Running servers. Dropping them ends them.
pub struct Responders {
    end: Arc<AtomicBool>,
    /// So many, from the first one on, do not answer.
    silent: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Responders {
    /// Servers at `addresses` of `host`.
    pub fn start(host: &Namespace, addresses: Vec<SocketAddrV4>) -> Result<Self> {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).context("raise the limit of open descriptors")?;
        let queue = epoll::create(epoll::CreateFlags::CLOEXEC).context("make an epoll queue")?;
        let sockets: Vec<UdpSocket> = host.enter(|| {
            addresses
                .into_iter()
                .map(|address| UdpSocket::bind(address).with_context(|| format!("listen on {address}")))
                .collect()
        })?;
        for (n, socket) in (0..).zip(&sockets) {
            socket.set_nonblocking(true)?;
            epoll::add(&queue, socket, epoll::EventData::new_u64(n), epoll::EventFlags::IN)?;
        }
        let (end, silent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let thread = thread::spawn({
            let (end, silent) = (Arc::clone(&end), Arc::clone(&silent));
            move || serve(&queue, &sockets, &end, &silent)
        });
        Ok(Self { end, silent, thread: Some(thread) })
    }

    /// The first so many never answer again.
    pub fn silence(&self, many: usize) {
        self.silent.store(many, Ordering::Relaxed);
    }
}

impl Drop for Responders {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(queue: &OwnedFd, sockets: &[UdpSocket], end: &AtomicBool, silent: &AtomicUsize) {
    let tenth = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let mut events = [MaybeUninit::<epoll::Event>::uninit(); 256];
    let mut buffer = [0; 2048];
    while !end.load(Ordering::Relaxed) {
        let Ok((ready, _)) = epoll::wait(queue, &mut events, Some(&tenth)) else { continue };
        for event in ready {
            let n = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let Some(socket) = sockets.get(n) else { continue };
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let request = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
                if n < silent.load(Ordering::Relaxed) {
                    continue;
                }
                if let Some(answer) = sip::response(request, "200 OK", "") {
                    let _ = socket.send_to(answer.as_bytes(), from);
                }
            }
        }
    }
}
