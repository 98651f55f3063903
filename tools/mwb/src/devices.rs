// SPDX-License-Identifier: GPL-2.0

//! What the devices of the namespace have carried since they exist, from `/proc/net/dev`.

use crate::extack;
use std::collections::HashMap;
use std::fs;

// Of the thread, for it is the thread that enters a namespace.
const PATH: &str = "/proc/thread-self/net/dev";

/// Bytes received and sent, by device.
#[derive(Debug, Default, PartialEq)]
pub struct Devices(HashMap<String, (u64, u64)>);

impl Devices {
    pub fn read() -> Result<Self, String> {
        // A name may hold any byte.
        let text = fs::read(PATH).map_err(|why| {
            let why = extack::errno_text(why);
            format!("cannot read {PATH}: {why}")
        })?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    pub fn parse(text: &str) -> Self {
        // The figures have no colon, a name may.
        let devices = text.lines().filter_map(|line| line.rsplit_once(':'));
        let devices = devices.filter_map(|(name, figures)| {
            let mut figures = figures.split_whitespace();
            let received = figures.next()?.parse().ok()?;
            let sent = figures.nth(7)?.parse().ok()?;
            Some((name.trim_start().to_string(), (received, sent)))
        });
        Self(devices.collect())
    }

    pub fn received(&self, dev: &str) -> Option<f64> {
        self.0.get(dev).map(|bytes| bytes.0 as f64)
    }

    pub fn sent(&self, dev: &str) -> Option<f64> {
        self.0.get(dev).map(|bytes| bytes.1 as f64)
    }
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;

    pub const TEXT: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:      56       1    0    0    0     0          0         0       56       1    0    0    0     0       0          0
  eth1:    1234       2    0    0    0     0          0         0 987654321012       3    0    0    0     0       0          0
eth1:1:       1       2    0    0    0     0          0         0        2       3    0    0    0     0       0          0
  half:       1       2
";

    #[test]
    fn reads_both_directions() {
        let devices = Devices::parse(TEXT);
        assert_eq!(devices.received("eth1"), Some(1234.0));
        assert_eq!(devices.sent("eth1"), Some(987_654_321_012.0));
        assert_eq!(devices.sent("eth1:1"), Some(2.0));
        for dev in ["half", "eth2", " face |bytes", ""] {
            assert_eq!(devices.received(dev), None, "{dev}");
        }
    }

    #[test]
    fn this_machine_has_a_loopback() {
        assert!(Devices::read().unwrap().received("lo").is_some());
    }
}
