//! Requests that anybody may send.

use std::net::SocketAddr;

use super::{RasMessage, discovery::GatekeeperRequest, location::LocationRequest};
use crate::proto::h225::{
    Error,
    address::AliasAddress,
    endpoint::{EndpointType, TerminalInfo},
    q931::version_7,
};

/// Where is `alias`? `reply` is where the answer goes, `source` who asks; `number` is not 0.
pub fn location_request(
    number: u16,
    alias: AliasAddress,
    source: AliasAddress,
    reply: SocketAddr,
) -> Result<Vec<u8>, Error> {
    let request = LocationRequest {
        request_seq_num: number,
        endpoint_identifier: None,
        destination_info: vec![alias],
        non_standard_data: None,
        reply_address: reply.into(),
        source_info: Some(vec![source]),
        can_map_alias: Some(true),
        gatekeeper_identifier: None,
        tokens: None,
        crypto_tokens: None,
        integrity_check_value: None,
        desired_protocols: None,
        desired_tunnelled_protocol: None,
        feature_set: None,
        generic_data: None,
        hop_count: Some(1),
        circuit_info: None,
        call_identifier: None,
    };
    RasMessage::LocationRequest(request).encode()
}

/// Who is a gatekeeper for a terminal at `reply`? Without the identifier of one: who has another one would keep
/// silent. `number` is not 0.
pub fn gatekeeper_request(number: u16, alias: AliasAddress, reply: SocketAddr) -> Result<Vec<u8>, Error> {
    let terminal = EndpointType {
        non_standard_data: None,
        vendor: None,
        gatekeeper: None,
        gateway: None,
        mcu: None,
        terminal: Some(TerminalInfo { non_standard_data: None }),
        mc: false,
        undefined_node: false,
    };
    let request = GatekeeperRequest {
        request_seq_num: number,
        protocol_identifier: version_7(),
        non_standard_data: None,
        ras_address: reply.into(),
        endpoint_type: terminal,
        gatekeeper_identifier: None,
        call_services: None,
        endpoint_alias: Some(vec![alias]),
        alternate_endpoints: None,
        tokens: None,
        crypto_tokens: None,
        authentication_capability: None,
        algorithm_oi_ds: None,
        integrity: None,
        integrity_check_value: None,
        supports_alt_gk: None,
    };
    RasMessage::GatekeeperRequest(request).encode()
}
