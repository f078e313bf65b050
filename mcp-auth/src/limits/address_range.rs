//! Addresses that begin alike, in the notation of CIDR (RFC 4632 §3.1).

use std::net::IpAddr;

/// A range such as `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressRange {
    first: IpAddr,
    prefix_bits: u32,
}

impl AddressRange {
    /// Reads a range as it is written.
    ///
    /// # Errors
    /// Why it is none that can be trusted, for whoever wrote it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| no_range(text))?;
        if first != first.to_canonical() {
            return Err(format!("{text:?} must be written as a range of IPv4"));
        }
        let width = bits(first);
        let prefix_bits = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| no_range(text))?
            }
            Some(_) => return Err(no_range(text)),
            None => width,
        };
        if prefix_bits == 0 {
            return Err(format!("{text:?} would let every client choose its own address"));
        }
        if prefix_bits > width {
            return Err(no_range(text));
        }
        let network = network(first, prefix_bits);
        if network != first {
            return Err(format!(
                "{text:?} has bits behind its prefix; did you mean \"{network}/{prefix_bits}\"?"
            ));
        }
        Ok(Self { first, prefix_bits })
    }

    /// Whether the address, which is canonical, is one of them.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4()
            && network(address, self.prefix_bits) == self.first
    }
}

fn no_range(text: &str) -> String {
    format!("{text:?} is no range of addresses, such as \"10.0.0.0/8\"")
}

/// The address with its first bits alone; the others are 0. There is at least one bit.
pub(super) fn network(address: IpAddr, prefix_bits: u32) -> IpAddr {
    let rest = bits(address).saturating_sub(prefix_bits);
    match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) >> rest << rest).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> rest << rest).into()),
    }
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_begins_like_it() {
        let rows = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "a00::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.6", false),
            ("128.0.0.0/1", "200.0.0.1", true),
            ("128.0.0.0/1", "127.0.0.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1", "::1", true),
            ("::1/128", "0.0.0.1", false),
        ];
        for (range, address, expected) in rows {
            let read = AddressRange::parse(range).unwrap();
            assert_eq!(read.contains(address.parse().unwrap()), expected, "{range} {address}");
        }
    }

    #[test]
    fn what_is_no_range_is_told() {
        let rows = [
            ("", "is no range"),
            ("proxy.example.com", "is no range"),
            ("10.0.0.0/", "is no range"),
            ("10.0.0.0/33", "is no range"),
            ("10.0.0.0/+8", "is no range"),
            ("10.0.0.0/8/8", "is no range"),
            ("10.0.0.0/99999999999", "is no range"),
            ("10/8", "is no range"),
            ("010.0.0.0/8", "is no range"),
            ("2001:db8::/129", "is no range"),
            ("fe80::1%eth0", "is no range"),
            ("10.0.0.1/8", "did you mean \"10.0.0.0/8\"?"),
            ("2001:db8::1/64", "did you mean \"2001:db8::/64\"?"),
            ("0.0.0.0/0", "choose its own address"),
            ("::/0", "choose its own address"),
            ("::ffff:10.0.0.0/104", "written as a range of IPv4"),
        ];
        for (text, expected) in rows {
            let fault = AddressRange::parse(text).unwrap_err();
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }
}
