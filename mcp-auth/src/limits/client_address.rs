//! Whose address a request comes from: that of the connection, or what trusted proxies say of it.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

use super::address_range::{AddressRange, network};

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Longer elements of `X-Forwarded-For` are no address: one of IPv6 with a port has 47 characters, and a zone is none.
const MAX_ELEMENT: usize = 64;

/// The address at the other end of the connection: a client's, or that of the proxy in front.
///
/// Adapters put it into the extensions of a request, for the limits by address; from axum's `ConnectInfo` the layer
/// takes it by itself. It must be the address of the connection: what headers say is read here, and only where
/// [`trusted_proxies`](crate::settings::Limits::trusted_proxies) allow it.
///
/// ```
/// use std::net::SocketAddr;
///
/// use mcp_auth::decision::PeerAddress;
///
/// fn note<B>(request: &mut http::Request<B>, connection: SocketAddr) {
///     request.extensions_mut().insert(PeerAddress::new(connection.ip()));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(IpAddr);

impl PeerAddress {
    /// The address as the connection has it.
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The same from text, as other languages give it: without a port, and with or without a zone. `None`: it is none, such as
    /// the name of a socket.
    pub fn parse(text: &str) -> Option<Self> {
        let without_zone = match text.split_once('%') {
            Some((address, _)) => address,
            None => text,
        };
        without_zone.parse().ok().map(Self::new)
    }

    pub(crate) fn ip(self) -> IpAddr {
        self.0
    }
}

/// The address of the client: the nearest one that is no trusted proxy.
///
/// `X-Forwarded-For` is read from its end, where the nearest proxy has added who called it, for as long as each is trusted.
/// What stands further to the left is the word of a stranger. Where something is no address, the nearest proxy that is
/// known is taken for the client.
pub(crate) fn client_address(
    peer: PeerAddress,
    headers: &HeaderMap,
    trusted: &[AddressRange],
) -> IpAddr {
    let mut nearest = peer.ip();
    if !is_trusted(nearest, trusted) {
        return nearest;
    }
    for value in headers.get_all(X_FORWARDED_FOR).iter().rev() {
        for element in value.as_bytes().rsplit(|byte| *byte == b',') {
            crate::steps::take(element.len() + 1);
            let Some(address) = read_element(element) else { return nearest };
            nearest = address;
            if !is_trusted(nearest, trusted) {
                return nearest;
            }
        }
    }
    nearest
}

fn is_trusted(address: IpAddr, trusted: &[AddressRange]) -> bool {
    trusted.iter().any(|range| range.contains(address))
}

/// One address, with or without a port: some proxies add it.
fn read_element(element: &[u8]) -> Option<IpAddr> {
    if element.len() > MAX_ELEMENT {
        return None;
    }
    let text = str::from_utf8(element.trim_ascii()).ok()?;
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let read = match in_brackets {
        Some(inner) => IpAddr::V6(inner.parse().ok()?),
        None => match text.parse() {
            Ok(address) => address,
            Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(read.to_canonical())
}

/// What counts as one client: an address of IPv4, or the network that one subscriber of IPv6 has (RFC 6177 §2: a /64 at
/// least).
pub(super) fn counted_as(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(_) => network(address, 64),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        trusted_proxies: Vec<String>,
        peer: String,
        /// The values of `X-Forwarded-For`, in order.
        forwarded: Vec<String>,
        client: String,
        counted_as: String,
    }

    fn ranges(texts: &[String]) -> Vec<AddressRange> {
        texts.iter().map(|text| AddressRange::parse(text).unwrap()).collect()
    }

    fn headers<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn vectors_of_forwarded_addresses() {
        let text = include_str!("../../../vectors/client-addresses.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let peer = PeerAddress::parse(&case.peer).unwrap();
            let sent = headers(case.forwarded.iter().map(|value| value.as_bytes()));
            let client = client_address(peer, &sent, &ranges(&case.trusted_proxies));
            assert_eq!(client.to_string(), case.client, "{}", case.name);
            assert_eq!(counted_as(client).to_string(), case.counted_as, "{}", case.name);
        }
    }

    #[test]
    fn what_is_no_address_of_a_connection_is_none() {
        for text in ["", "testclient", "/run/app.sock", "127.0.0.1:80", "%eth0", "1.2.3"] {
            assert_eq!(PeerAddress::parse(text), None, "{text}");
        }
        for (text, address) in
            [("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("::1", "::1")]
        {
            assert_eq!(PeerAddress::parse(text).unwrap().ip().to_string(), address);
        }
    }

    proptest! {
        /// Whatever a client adds, it is known by the address of its connection.
        #[test]
        fn a_client_of_no_trusted_proxy_chooses_no_address(
            values in prop::collection::vec("[ -~]{0,60}|(10\\.0\\.0\\.[0-9]{1,2}, ?){0,5}", 0..4),
        ) {
            let trusted = ranges(&["10.0.0.0/8".to_owned()]);
            let sent = headers(values.iter().map(|value| value.as_bytes()));
            let peer = PeerAddress::parse("192.0.2.9").unwrap();
            prop_assert_eq!(client_address(peer, &sent, &trusted), peer.ip());
        }

        /// The same behind a proxy that adds who called it, in the last value or in one of its own.
        #[test]
        fn a_client_behind_a_trusted_proxy_is_known_by_what_the_proxy_adds(
            mut values in prop::collection::vec("[ -~]{0,60}|(10\\.0\\.0\\.[0-9]{1,2}, ?){0,5}", 0..4),
            joins_last in any::<bool>(),
        ) {
            let trusted = ranges(&["10.0.0.0/8".to_owned()]);
            match values.last_mut() {
                Some(last) if joins_last => last.push_str(", 192.0.2.9"),
                _ => values.push("192.0.2.9".to_owned()),
            }
            let sent = headers(values.iter().map(|value| value.as_bytes()));
            let peer = PeerAddress::parse("10.1.1.1").unwrap();
            prop_assert_eq!(client_address(peer, &sent, &trusted).to_string(), "192.0.2.9");
        }
    }
}
