//! RAS (H.225.0 v7): registration, admission and status, one message in each UDP datagram.

pub mod admission;
pub mod call;
pub mod discovery;
pub mod head;
pub mod info;
pub mod location;
pub mod question;
pub mod registration;

use rasn::prelude::*;

use self::{
    admission::{AdmissionConfirm, AdmissionReject, AdmissionRequest},
    call::{
        BandwidthConfirm, BandwidthReject, BandwidthRequest, DisengageConfirm, DisengageReject,
        DisengageRequest,
    },
    discovery::{GatekeeperConfirm, GatekeeperReject, GatekeeperRequest},
    info::{
        InfoRequest, InfoRequestResponse, NonStandardMessage, RequestInProgress, ResourcesAvailableConfirm,
        ResourcesAvailableIndicate, UnknownMessageResponse,
    },
    location::{LocationConfirm, LocationReject, LocationRequest},
    registration::{
        RegistrationConfirm, RegistrationReject, RegistrationRequest, UnregistrationConfirm,
        UnregistrationReject, UnregistrationRequest,
    },
};
use super::{Error, aper, opaque::Opaque};

/// Every message of RAS.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum RasMessage {
    GatekeeperRequest(GatekeeperRequest),
    GatekeeperConfirm(GatekeeperConfirm),
    GatekeeperReject(GatekeeperReject),
    RegistrationRequest(RegistrationRequest),
    RegistrationConfirm(RegistrationConfirm),
    RegistrationReject(RegistrationReject),
    UnregistrationRequest(UnregistrationRequest),
    UnregistrationConfirm(UnregistrationConfirm),
    UnregistrationReject(UnregistrationReject),
    AdmissionRequest(AdmissionRequest),
    AdmissionConfirm(AdmissionConfirm),
    AdmissionReject(AdmissionReject),
    BandwidthRequest(BandwidthRequest),
    BandwidthConfirm(BandwidthConfirm),
    BandwidthReject(BandwidthReject),
    DisengageRequest(DisengageRequest),
    DisengageConfirm(DisengageConfirm),
    DisengageReject(DisengageReject),
    LocationRequest(LocationRequest),
    LocationConfirm(LocationConfirm),
    LocationReject(LocationReject),
    InfoRequest(InfoRequest),
    InfoRequestResponse(InfoRequestResponse),
    NonStandardMessage(NonStandardMessage),
    UnknownMessageResponse(UnknownMessageResponse),
    #[rasn(extension_addition)]
    RequestInProgress(RequestInProgress),
    #[rasn(extension_addition)]
    ResourcesAvailableIndicate(ResourcesAvailableIndicate),
    #[rasn(extension_addition)]
    ResourcesAvailableConfirm(ResourcesAvailableConfirm),
    #[rasn(extension_addition)]
    InfoRequestAck(Opaque),
    #[rasn(extension_addition)]
    InfoRequestNak(Opaque),
    #[rasn(extension_addition)]
    ServiceControlIndication(Opaque),
    #[rasn(extension_addition)]
    ServiceControlResponse(Opaque),
    #[rasn(extension_addition)]
    AdmissionConfirmSequence(Opaque),
}

impl RasMessage {
    /// Reads a datagram.
    pub fn decode(octets: &[u8]) -> Result<Self, Error> {
        aper::decode(octets, "RAS message")
    }

    /// Writes a datagram.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        aper::encode(self, "RAS message")
    }

    /// The name that the protocol's users know it by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GatekeeperRequest(_) => "GRQ",
            Self::GatekeeperConfirm(_) => "GCF",
            Self::GatekeeperReject(_) => "GRJ",
            Self::RegistrationRequest(_) => "RRQ",
            Self::RegistrationConfirm(_) => "RCF",
            Self::RegistrationReject(_) => "RRJ",
            Self::UnregistrationRequest(_) => "URQ",
            Self::UnregistrationConfirm(_) => "UCF",
            Self::UnregistrationReject(_) => "URJ",
            Self::AdmissionRequest(_) => "ARQ",
            Self::AdmissionConfirm(_) => "ACF",
            Self::AdmissionReject(_) => "ARJ",
            Self::BandwidthRequest(_) => "BRQ",
            Self::BandwidthConfirm(_) => "BCF",
            Self::BandwidthReject(_) => "BRJ",
            Self::DisengageRequest(_) => "DRQ",
            Self::DisengageConfirm(_) => "DCF",
            Self::DisengageReject(_) => "DRJ",
            Self::LocationRequest(_) => "LRQ",
            Self::LocationConfirm(_) => "LCF",
            Self::LocationReject(_) => "LRJ",
            Self::InfoRequest(_) => "IRQ",
            Self::InfoRequestResponse(_) => "IRR",
            Self::NonStandardMessage(_) => "NSM",
            Self::UnknownMessageResponse(_) => "XRS",
            Self::RequestInProgress(_) => "RIP",
            Self::ResourcesAvailableIndicate(_) => "RAI",
            Self::ResourcesAvailableConfirm(_) => "RAC",
            Self::InfoRequestAck(_) => "IACK",
            Self::InfoRequestNak(_) => "INAK",
            Self::ServiceControlIndication(_) => "SCI",
            Self::ServiceControlResponse(_) => "SCR",
            Self::AdmissionConfirmSequence(_) => "ACFS",
        }
    }

    /// Which request this is, or answers. `None`: of a kind that is not read.
    pub const fn request_seq_num(&self) -> Option<u16> {
        Some(match self {
            Self::GatekeeperRequest(message) => message.request_seq_num,
            Self::GatekeeperConfirm(message) => message.request_seq_num,
            Self::GatekeeperReject(message) => message.request_seq_num,
            Self::RegistrationRequest(message) => message.request_seq_num,
            Self::RegistrationConfirm(message) => message.request_seq_num,
            Self::RegistrationReject(message) => message.request_seq_num,
            Self::UnregistrationRequest(message) => message.request_seq_num,
            Self::UnregistrationConfirm(message) => message.request_seq_num,
            Self::UnregistrationReject(message) => message.request_seq_num,
            Self::AdmissionRequest(message) => message.request_seq_num,
            Self::AdmissionConfirm(message) => message.request_seq_num,
            Self::AdmissionReject(message) => message.request_seq_num,
            Self::BandwidthRequest(message) => message.request_seq_num,
            Self::BandwidthConfirm(message) => message.request_seq_num,
            Self::BandwidthReject(message) => message.request_seq_num,
            Self::DisengageRequest(message) => message.request_seq_num,
            Self::DisengageConfirm(message) => message.request_seq_num,
            Self::DisengageReject(message) => message.request_seq_num,
            Self::LocationRequest(message) => message.request_seq_num,
            Self::LocationConfirm(message) => message.request_seq_num,
            Self::LocationReject(message) => message.request_seq_num,
            Self::InfoRequest(message) => message.request_seq_num,
            Self::InfoRequestResponse(message) => message.request_seq_num,
            Self::NonStandardMessage(message) => message.request_seq_num,
            Self::UnknownMessageResponse(message) => message.request_seq_num,
            Self::RequestInProgress(message) => message.request_seq_num,
            Self::ResourcesAvailableIndicate(message) => message.request_seq_num,
            Self::ResourcesAvailableConfirm(message) => message.request_seq_num,
            Self::InfoRequestAck(_)
            | Self::InfoRequestNak(_)
            | Self::ServiceControlIndication(_)
            | Self::ServiceControlResponse(_)
            | Self::AdmissionConfirmSequence(_) => return None,
        })
    }
}
