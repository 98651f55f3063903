// SPDX-License-Identifier: GPL-2.0

//! Prefixes of addresses, read and written as ip does.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const EXAMPLE: &str = "write a prefix as 10.0.0.0/8, or an address as 10.0.0.1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    addr: IpAddr,
    len: u32,
}

impl Prefix {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (addr, len) = match text.split_once('/') {
            Some((addr, len)) => (addr, number(len)?),
            None => (text, Ipv4Addr::BITS),
        };
        if addr.parse::<Ipv6Addr>().is_ok() {
            return Err("IPv4 only so far".into());
        }
        let addr: Ipv4Addr = addr.parse().map_err(|_| EXAMPLE)?;
        if len > Ipv4Addr::BITS {
            return Err("an IPv4 prefix has at most 32 bits".into());
        }
        let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - len).unwrap_or(0);
        let network = Ipv4Addr::from(u32::from(addr) & mask);
        match network == addr {
            true => Ok(Self {
                addr: addr.into(),
                len,
            }),
            false => Err(format!(
                "the address has bits beyond the prefix: {network}/{len} would be right"
            )),
        }
    }

    /// What the kernel reports as an address and a length.
    pub fn read(addr: &[u8], len: Option<u32>) -> Option<Self> {
        let (addr, bits) = match addr.len() {
            4 => (
                IpAddr::from(<[u8; 4]>::try_from(addr).ok()?),
                Ipv4Addr::BITS,
            ),
            _ => (
                IpAddr::from(<[u8; 16]>::try_from(addr).ok()?),
                Ipv6Addr::BITS,
            ),
        };
        let len = len.unwrap_or(bits);
        (len <= bits).then_some(Self { addr, len })
    }

    pub fn octets(&self) -> Vec<u8> {
        match self.addr {
            IpAddr::V4(addr) => addr.octets().to_vec(),
            IpAddr::V6(addr) => addr.octets().to_vec(),
        }
    }

    /// In bits.
    pub fn len(&self) -> u32 {
        self.len
    }
}

/// Digits only; Rust would take a sign as well.
fn number(text: &str) -> Result<u32, String> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().map_err(|_| EXAMPLE.into()),
        false => Err(EXAMPLE.into()),
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ip_reads() {
        for (text, written) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.1", "10.0.0.1/32"),
            ("10.0.0.1/32", "10.0.0.1/32"),
            ("10.0.0.2/31", "10.0.0.2/31"),
            ("128.0.0.0/1", "128.0.0.0/1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("255.255.255.255", "255.255.255.255/32"),
        ] {
            assert_eq!(Prefix::parse(text).unwrap().to_string(), written);
        }
    }

    #[test]
    fn refuses_what_is_no_prefix() {
        for (text, words) in [
            ("", EXAMPLE),
            ("/", EXAMPLE),
            ("10.0.0.0/", EXAMPLE),
            ("10.0.0.0/+8", EXAMPLE),
            ("10.0.0.0/-8", EXAMPLE),
            ("10.0.0.0/8/8", EXAMPLE),
            ("10.0.0.0/99999999999", EXAMPLE),
            ("10.0.0.0/255.0.0.0", EXAMPLE),
            ("10.0.0.0/\u{668}", EXAMPLE),
            ("10/8", EXAMPLE),
            ("10.0.0.256", EXAMPLE),
            (" 10.0.0.1", EXAMPLE),
            ("10.0.0.0/33", "at most 32"),
            ("10.0.0.1/8", "10.0.0.0/8 would be right"),
            ("10.0.0.1/31", "10.0.0.0/31 would be right"),
            ("1.0.0.0/0", "0.0.0.0/0 would be right"),
            ("2001:db8::/32", "IPv4 only"),
            ("::1", "IPv4 only"),
        ] {
            let why = Prefix::parse(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
    }

    #[test]
    fn reads_what_the_kernel_reports() {
        let read = |addr: &[u8], len| Prefix::read(addr, len).map(|prefix| prefix.to_string());
        assert_eq!(read(&[10, 0, 0, 0], Some(8)), Some("10.0.0.0/8".into()));
        assert_eq!(read(&[10, 0, 0, 1], None), Some("10.0.0.1/32".into()));
        assert_eq!(read(&[0; 16], Some(128)), Some("::/128".into()));
        assert_eq!(read(&[10, 0, 0, 0], Some(33)), None);
        for length in [0, 1, 3, 5, 15, 17] {
            assert_eq!(read(&vec![0; length], Some(0)), None);
        }
    }
}
