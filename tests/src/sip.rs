//! As much SIP (RFC 3261) as the laboratory's own small clients and servers need: OPTIONS and its answer.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// The registered port.
pub const PORT: u16 = 5060;

/// An OPTIONS request. `number` is its CSeq, and makes its branch and Call-ID its own.
pub fn options_request(transport: &str, from: SocketAddr, to: impl Into<SocketAddr>, number: u32) -> String {
    let to = to.into();
    format!(
        "OPTIONS sip:{to} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {from};branch=z9hG4bK-lab-{port}-{number};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:lab@{from}>;tag=lab{number}\r\n\
         To: <sip:{to}>\r\n\
         Call-ID: lab-{port}-{number}@{ip}\r\n\
         CSeq: {number} OPTIONS\r\n\
         Content-Length: 0\r\n\r\n",
        port = from.port(),
        ip = from.ip(),
    )
}

/// The `Server` header of the answer that OPTIONS over UDP get.
pub fn server(to: impl Into<SocketAddr>, limit: Duration) -> Result<String> {
    Ok(header(&options(to, limit)?, "Server").unwrap_or_default().to_owned())
}

/// The value of the first header `name`.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The status code of a response.
pub fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// The number in the CSeq header.
pub fn sequence(message: &str) -> Option<u32> {
    header(message, "CSeq")?.split_whitespace().next()?.parse().ok()
}

/// A response to `request` that copies what RFC 3261 §8.2.6 wants copied; `extra` are whole header lines.
pub fn response(request: &str, status_line: &str, extra: &str) -> Option<String> {
    let mut text = format!("SIP/2.0 {status_line}\r\n");
    for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default().trim();
        if ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|copied| copied.eq_ignore_ascii_case(name)) {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    sequence(request)?;
    Some(text + extra + "Content-Length: 0\r\n\r\n")
}

/// Sends one OPTIONS over UDP from where the calling thread is, and returns the answer.
pub fn options(to: impl Into<SocketAddr>, limit: Duration) -> Result<String> {
    let to = to.into();
    let any = if to.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).context("bind a UDP socket")?;
    socket.connect(to).with_context(|| format!("connect to {to}"))?;
    socket.set_read_timeout(Some(limit)).context("set a time-out")?;
    let request = options_request("UDP", socket.local_addr()?, to, 1);
    socket.send(request.as_bytes()).with_context(|| format!("send OPTIONS to {to}"))?;
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).with_context(|| format!("no answer from {to}"))?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// Asks again and again, from where the calling thread is, until an answer comes.
pub fn await_options(to: impl Into<SocketAddr>, limit: Duration) -> Result<String> {
    let to = to.into();
    let end = Instant::now() + limit;
    loop {
        match options(to, Duration::from_millis(100)) {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() > end => bail!("{to} does not answer within {limit:?}: {error:#}"),
            // An ICMP error comes back at once.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_copies_what_identifies_the_request() {
        let to = SocketAddr::from(([192, 0, 2, 1], 5060));
        let request = options_request("UDP", "192.0.2.9:4000".parse().unwrap(), to, 77);
        let response = response(&request, "200 OK", "X-Label: a\r\n").unwrap();
        assert_eq!(status(&response), Some(200));
        assert_eq!(sequence(&response), Some(77));
        assert_eq!(header(&response, "x-label"), Some("a"));
        assert_eq!(header(&response, "Via"), header(&request, "Via"));
        assert_eq!(header(&response, "Max-Forwards"), None);
    }

    #[test]
    fn what_is_not_sip_gets_no_response() {
        assert_eq!(response("garbage", "200 OK", ""), None);
        assert_eq!(response("OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n", "200 OK", ""), None);
    }
}
