//! What messages say, as far as operators ask. What a message does not say is null.

use serde::Serialize;

/// One message's own part.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// A request or a response.
    Sip(Sip),
    /// One of RAS.
    Ras(Ras),
    /// One of call signalling.
    H225(H225),
    /// A command or a response.
    Mgcp(Mgcp),
    /// Several transactions.
    Megaco(Megaco),
}

impl Content {
    /// In a word: a method, a code, the message's name.
    pub fn name(&self) -> String {
        match self {
            Self::Sip(sip) => word(sip.method.as_deref(), sip.status),
            Self::Ras(ras) => ras.message.to_owned(),
            Self::H225(h225) => h225.message.clone(),
            Self::Mgcp(mgcp) => word(mgcp.verb.as_deref(), mgcp.code),
            Self::Megaco(megaco) => {
                megaco.transactions.first().map_or("empty", |transaction| transaction.kind).to_owned()
            }
        }
    }
}

fn word(verb: Option<&str>, code: Option<u16>) -> String {
    verb.map(str::to_owned).or_else(|| code.map(|code| format!("{code:03}"))).unwrap_or_default()
}

/// SIP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sip {
    /// As it came.
    pub start_line: String,
    /// Of a request.
    pub method: Option<String>,
    /// Of a request.
    pub uri: Option<String>,
    /// Of a response.
    pub status: Option<u16>,
    /// Of a response.
    pub reason: Option<String>,
    /// In their order.
    pub headers: Vec<Header>,
    /// In bytes.
    pub body_length: Option<usize>,
}

/// A header line, folds removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Header {
    /// As it is written.
    pub name: String,
    /// Without the blanks around it.
    pub value: String,
}

/// RAS. The fields are H.225.0's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ras {
    /// `GRQ`, `GCF`, …
    pub message: &'static str,
    /// None in messages that are not read any further.
    pub request_seq_num: Option<u16>,
    /// Whom an endpoint means, or who answers.
    pub gatekeeper_identifier: Option<String>,
    /// Whom the gatekeeper knows by this name.
    pub endpoint_identifier: Option<String>,
    /// Whom the message is about: terminalAlias, endpointAlias, srcInfo, sourceInfo.
    pub aliases: Vec<String>,
    /// Who is called or looked for: destinationInfo.
    pub destination_aliases: Vec<String>,
    /// rasAddress, replyAddress.
    pub ras_addresses: Vec<String>,
    /// callSignalAddress, srcCallSignalAddress.
    pub call_signal_addresses: Vec<String>,
    /// destCallSignalAddress.
    pub destination_address: Option<String>,
    /// The gatekeepers that may be asked instead.
    pub alternate_gatekeepers: Vec<String>,
    /// Of a reject.
    pub reject_reason: Option<String>,
    /// In seconds.
    pub time_to_live: Option<u32>,
    /// Of an RRQ.
    pub keep_alive: Option<bool>,
    /// Of an ARQ: whether the call comes in.
    pub answer_call: Option<bool>,
    /// Of a DRQ.
    pub disengage_reason: Option<String>,
    /// In 100 bit/s.
    pub band_width: Option<u32>,
    /// Which call, at its endpoint.
    pub call_reference: Option<u16>,
    /// Which call, in hex.
    pub call_identifier: Option<String>,
    /// In milliseconds, of a RIP.
    pub delay_ms: Option<u16>,
}

/// Call signalling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct H225 {
    /// Q.931's name of it, or the number of its type.
    pub message: String,
    /// 0: the connection itself.
    pub call_reference: u16,
    /// The message goes to the side that chose the call reference.
    pub to_originator: bool,
    /// Q.850's value.
    pub cause: Option<u8>,
    /// Q.931's display.
    pub display: Option<String>,
    /// Q.931's digits.
    pub calling_party: Option<String>,
    /// Q.931's digits.
    pub called_party: Option<String>,
    /// H.225.0's name of its part, as in `setup`.
    pub uuie: Option<String>,
    /// Which call, in hex.
    pub call_identifier: Option<String>,
    /// Which conference, in hex.
    pub conference_id: Option<String>,
    /// Who calls.
    pub source_aliases: Vec<String>,
    /// Who is called, or alternativeAliasAddress.
    pub destination_aliases: Vec<String>,
    /// sourceCallSignalAddress.
    pub source_address: Option<String>,
    /// destCallSignalAddress, or alternativeAddress.
    pub destination_address: Option<String>,
    /// Where H.245 is spoken.
    pub h245_address: Option<String>,
    /// Why, of a Release Complete or a Facility.
    pub reason: Option<String>,
    /// Whether H.245 may come in messages like this one.
    pub h245_tunnelling: Option<bool>,
    /// How many messages of H.245 came in this one.
    pub h245_messages: usize,
    /// How many channels fastStart proposes or takes.
    pub fast_start: usize,
}

/// MGCP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mgcp {
    /// Of a command.
    pub verb: Option<String>,
    /// Of a response.
    pub code: Option<u16>,
    /// Which transaction.
    pub transaction: u32,
    /// Of a command.
    pub endpoint: Option<String>,
    /// Of a response: the rest of its line.
    pub comment: Option<String>,
    /// The lines of `name: value`.
    pub parameters: Vec<Parameter>,
}

/// A parameter line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// As it is written.
    pub name: String,
    /// Without the blanks around it.
    pub value: String,
}

/// MEGACO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Megaco {
    /// Of the protocol.
    pub version: Option<u8>,
    /// The message identifier: who sends it.
    pub mid: Option<String>,
    /// In their order.
    pub transactions: Vec<Transaction>,
}

/// One transaction of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// `Transaction`, `Reply`, `Pending`, `TransactionResponseAck` or `Error`.
    pub kind: &'static str,
    /// Its number.
    pub id: Option<u32>,
    /// As in `Add=A4444`, long names.
    pub commands: Vec<String>,
    /// H.248.8's code of its first error.
    pub error: Option<u16>,
    /// The text of it.
    pub text: Option<String>,
}
