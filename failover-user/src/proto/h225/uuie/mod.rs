//! What call signalling carries in Q.931's User-user element: H323-UserInformation (H.225.0 v7).

pub mod messages;
pub mod setup;

use rasn::prelude::*;

use self::{
    messages::{
        Alerting, CallProceeding, Connect, Facility, Information, ReleaseComplete, Status, StatusInquiry,
    },
    setup::Setup,
};
use super::{Error, address::NonStandardParameter, aper, opaque::Opaque};

/// H323-UserInformation.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct UserInformation {
    pub h323_uu_pdu: UuPdu,
    pub user_data: Option<UserData>,
}

/// user-data.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct UserData {
    #[rasn(value("0..=255"))]
    pub protocol_discriminator: u8,
    #[rasn(size("1..=131"))]
    pub user_information: OctetString,
}

/// H323-UU-PDU.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct UuPdu {
    pub h323_message_body: MessageBody,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub h4501_supplementary_service: Option<Opaque>,
    #[rasn(extension_addition)]
    pub h245_tunnelling: Option<bool>,
    #[rasn(extension_addition)]
    pub h245_control: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub non_standard_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub call_linkage: Option<Opaque>,
    #[rasn(extension_addition)]
    pub tunnelled_signalling_message: Option<Opaque>,
    #[rasn(extension_addition)]
    pub provisional_resp_to_h245_tunnelling: Option<()>,
    #[rasn(extension_addition)]
    pub stimulus_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub generic_data: Option<Opaque>,
}

/// h323-message-body.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum MessageBody {
    Setup(Setup),
    CallProceeding(CallProceeding),
    Connect(Connect),
    Alerting(Alerting),
    Information(Information),
    ReleaseComplete(ReleaseComplete),
    Facility(Facility),
    #[rasn(extension_addition)]
    Progress(Opaque),
    #[rasn(extension_addition)]
    Empty,
    #[rasn(extension_addition)]
    Status(Status),
    #[rasn(extension_addition)]
    StatusInquiry(StatusInquiry),
    #[rasn(extension_addition)]
    SetupAcknowledge(Opaque),
    #[rasn(extension_addition)]
    Notify(Opaque),
}

impl UuPdu {
    /// A message with nothing beside its body.
    pub const fn new(h323_message_body: MessageBody) -> Self {
        Self {
            h323_message_body,
            non_standard_data: None,
            h4501_supplementary_service: None,
            h245_tunnelling: None,
            h245_control: None,
            non_standard_control: None,
            call_linkage: None,
            tunnelled_signalling_message: None,
            provisional_resp_to_h245_tunnelling: None,
            stimulus_control: None,
            generic_data: None,
        }
    }
}

impl UserInformation {
    /// Reads the element's value, without its protocol discriminator.
    pub fn decode(octets: &[u8]) -> Result<Self, Error> {
        aper::decode(octets, "H.323 user information")
    }

    /// Writes the element's value, without its protocol discriminator.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        aper::encode(self, "H.323 user information")
    }
}
