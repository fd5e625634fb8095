//! One service's prober: which question it asks, and by what.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::{
    Exemption, Outcome, Subject,
    ask::{Ask, Question},
    command, h225, megaco, mgcp, random, ras, sip, tcp, tls, udp,
};
use crate::{
    config::model::{Service, ServiceKind, Transport, Way},
    health::machine::Machine,
    proto::{
        mgcp::MAX_TRANSACTION,
        sip::{Carrier, Token},
    },
};

/// What is kept from one probe to the next.
pub(super) struct Prober {
    pub(super) id: u32,
    pub(super) subject: Subject,
    /// How long the next answer is waited for.
    pub(super) wait: Duration,
    /// After how much of that a datagram is sent once more.
    pub(super) repeat: Option<Duration>,
    /// The last question, in words.
    pub(super) question: String,
    /// How much later than planned it was asked.
    pub(super) late: Duration,
    exemptions: mpsc::Sender<Exemption>,
    /// Sent so far; the last CSeq.
    requests: u32,
    pub(super) udp: udp::Io,
    tcp: tcp::Io,
    command: command::Io,
}

impl Prober {
    pub(super) fn new(id: u32, subject: Subject, exemptions: mpsc::Sender<Exemption>) -> Self {
        let (udp, tcp, command) = (udp::Io::default(), tcp::Io::default(), command::Io::default());
        let (wait, repeat) = (subject.policy.timeout, None);
        let (question, late) = (String::new(), Duration::ZERO);
        Self { id, subject, wait, repeat, question, late, exemptions, requests: 0, udp, tcp, command }
    }

    /// How long the next answer is waited for. Late answers count over UDP, as long as the socket stays.
    pub(super) fn patience(&self, machine: &Machine) -> Duration {
        let Service { kind, transport, .. } = self.subject.service;
        match transport {
            Transport::Udp if kind != ServiceKind::Ras => machine.pace(),
            Transport::Udp | Transport::Tcp => machine.patience(),
        }
    }

    pub(super) async fn probe(&mut self) -> Outcome {
        let Subject { server, service, ref policy } = self.subject;
        match &policy.way {
            Way::Command(command) => {
                self.question = command.to_string();
                let run = command::Run { command, server, service, timeout: policy.timeout };
                self.command.probe(&run).await
            }
            Way::Connect if service.transport == Transport::Tcp => {
                self.question = format!("connection to {server}");
                self.tcp.connect(server, self.wait, &self.exemptions).await
            }
            Way::Protocol | Way::Connect => self.ask().await,
        }
    }

    /// Asks as the protocol has it.
    async fn ask(&mut self) -> Outcome {
        self.requests = (self.requests + 1) & 0x7fff_ffff;
        let Subject { server, service, policy } = &self.subject;
        let (server, Service { kind, transport, .. }) = (*server, *service);
        let question = match question(&self.subject, self.requests) {
            Ok(question) => question,
            Err(error) => return Outcome::unable(format!("cannot make an unguessable request: {error}")),
        };
        self.question = question.words();
        let (wait, repeat) = (self.wait, self.repeat);
        let ask = Ask { server, transport, wait, repeat, timeout: policy.timeout, question: &question };
        let session = match kind {
            ServiceKind::Sips => match tls::Session::new(&policy.tls, server).await {
                Ok(session) => Some(session),
                Err(said) => return Outcome::unable(said),
            },
            _ => None,
        };
        match transport {
            Transport::Udp => self.udp.probe(&ask, &self.exemptions).await,
            Transport::Tcp => self.tcp.probe(&ask, session.as_ref(), &self.exemptions).await,
        }
    }
}

/// The next question, with a token that nobody can guess.
fn question(subject: &Subject, cseq: u32) -> Result<Arc<dyn Question>, getrandom::Error> {
    let Subject { server, service, policy } = subject;
    let (server, transport) = (*server, service.transport);
    Ok(match service.kind {
        ServiceKind::Sip | ServiceKind::Sips => {
            let carrier = match (service.kind, transport) {
                (ServiceKind::Sips, _) => Carrier::Tls,
                (_, Transport::Udp) => Carrier::Udp,
                (_, Transport::Tcp) => Carrier::Tcp,
            };
            let token = Token::from_random(&random::bytes()?);
            Arc::new(sip::Sip { server, carrier, token, cseq, alive: policy.sip_alive.clone() })
        }
        ServiceKind::Mgcp => {
            let transaction = transaction(MAX_TRANSACTION)?;
            Arc::new(mgcp::Mgcp { server, transaction, alive: policy.mgcp_alive.clone() })
        }
        ServiceKind::Megaco => {
            let transaction = transaction(u32::MAX)?;
            Arc::new(megaco::Megaco { transport, transaction, alive: policy.megaco_alive.clone() })
        }
        ServiceKind::Ras => {
            let number = transaction(u32::from(u16::MAX))? as u16;
            Arc::new(ras::Ras { request: policy.ras, number, alive: policy.ras_alive })
        }
        ServiceKind::H225 => Arc::new(h225::H225 { call: transaction(h225::MOST_CALLS)? as u16 }),
    })
}

/// From 1 to `most`, each as likely as any other, but for one part in billions.
fn transaction(most: u32) -> Result<u32, getrandom::Error> {
    let random = u64::from_ne_bytes(random::bytes()?);
    Ok((random % u64::from(most)) as u32 + 1)
}
