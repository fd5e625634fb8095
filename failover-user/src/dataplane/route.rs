//! The kernel's routes, asked one at a time (`RTM_GETROUTE`).

use std::{io, net::IpAddr};

use futures_util::StreamExt as _;
use rtnetlink::{RouteMessageBuilder, packet_route::route::RouteAttribute};

use super::{error::Error, netdev::once};

/// The index of the device by which packets to `host` leave; none where there is no route.
pub fn device_to(host: IpAddr) -> Result<Option<u32>, Error> {
    once(async move {
        let fails = |source| Error::io(format!("ask for the route to {host}"), source);
        let (connection, handle, _) = rtnetlink::new_connection().map_err(fails)?;
        tokio::spawn(connection);
        let bits = if host.is_ipv4() { 32 } else { 128 };
        let question = RouteMessageBuilder::<IpAddr>::new().destination_prefix(host, bits);
        let question = question.map_err(|error| fails(io::Error::other(error.to_string())))?.build();
        let mut answers = Box::pin(handle.route().get(question).execute());
        let route = match answers.next().await {
            // Whatever the code: unreachable, prohibited, a blackhole. No packet gets there.
            None | Some(Err(rtnetlink::Error::NetlinkError(_))) => return Ok(None),
            Some(Err(error)) => return Err(fails(io::Error::other(error.to_string()))),
            Some(Ok(route)) => route,
        };
        Ok(route.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        }))
    })
}
