//! One service's prober: which question it asks, and by what.

use tokio::sync::mpsc;

use super::{
    Exemption, Outcome, Subject,
    ask::{Ask, Question},
    command, h225, megaco, mgcp, ras, sip, tcp, tls, udp,
};
use crate::{
    config::model::{Service, ServiceKind, Transport, Way},
    proto::{
        mgcp::MAX_TRANSACTION,
        sip::{Carrier, Token},
    },
};

/// What is kept from one probe to the next.
pub(super) struct Prober {
    pub(super) subject: Subject,
    exemptions: mpsc::Sender<Exemption>,
    /// Sent so far; the last CSeq.
    requests: u32,
    pub(super) udp: udp::Io,
    tcp: tcp::Io,
    command: command::Io,
}

impl Prober {
    pub(super) fn new(subject: Subject, exemptions: mpsc::Sender<Exemption>) -> Self {
        let (udp, tcp, command) = (udp::Io::default(), tcp::Io::default(), command::Io::default());
        Self { subject, exemptions, requests: 0, udp, tcp, command }
    }

    pub(super) async fn probe(&mut self) -> Outcome {
        let Subject { server, service, ref policy } = self.subject;
        match &policy.way {
            Way::Command(command) => {
                let run = command::Run { command, server, service, timeout: policy.timeout };
                self.command.probe(&run).await
            }
            Way::Connect if service.transport == Transport::Tcp => {
                self.tcp.connect(server, policy.timeout, &self.exemptions).await
            }
            Way::Protocol | Way::Connect => self.ask().await,
        }
    }

    /// Asks as the protocol has it.
    async fn ask(&mut self) -> Outcome {
        self.requests = (self.requests + 1) & 0x7fff_ffff;
        let Subject { server, service, policy } = &self.subject;
        let (server, Service { kind, transport, .. }) = (*server, *service);
        let unguessable = question(&self.subject, self.requests);
        let question = match &unguessable {
            Ok(question) => &**question,
            Err(error) => return Outcome::unable(format!("cannot make an unguessable request: {error}")),
        };
        let ask = Ask { server, transport, timeout: policy.timeout, question };
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
fn question(subject: &Subject, cseq: u32) -> Result<Box<dyn Question + '_>, getrandom::Error> {
    let Subject { server, service, policy } = subject;
    let (server, transport) = (*server, service.transport);
    Ok(match service.kind {
        ServiceKind::Sip | ServiceKind::Sips => {
            let carrier = match (service.kind, transport) {
                (ServiceKind::Sips, _) => Carrier::Tls,
                (_, Transport::Udp) => Carrier::Udp,
                (_, Transport::Tcp) => Carrier::Tcp,
            };
            let mut random = [0; Token::RANDOM];
            getrandom::fill(&mut random)?;
            let token = Token::from_random(&random);
            Box::new(sip::Sip { server, carrier, token, cseq, alive: &policy.sip_alive })
        }
        ServiceKind::Mgcp => {
            let transaction = transaction(MAX_TRANSACTION)?;
            Box::new(mgcp::Mgcp { server, transaction, alive: &policy.mgcp_alive })
        }
        ServiceKind::Megaco => {
            let transaction = transaction(u32::MAX)?;
            Box::new(megaco::Megaco { transport, transaction, alive: &policy.megaco_alive })
        }
        ServiceKind::Ras => {
            let number = transaction(u32::from(u16::MAX))? as u16;
            Box::new(ras::Ras { request: policy.ras, number })
        }
        ServiceKind::H225 => Box::new(h225::H225 { call: transaction(h225::MOST_CALLS)? as u16 }),
    })
}

/// From 1 to `most`, each as likely as any other, but for one part in billions.
fn transaction(most: u32) -> Result<u32, getrandom::Error> {
    let random = getrandom::u64()?;
    Ok((random % u64::from(most)) as u32 + 1)
}
