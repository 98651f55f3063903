// SPDX-License-Identifier: GPL-2.0

//! What both `mwb wan add` and `mwb wan set` give a WAN.

use crate::message;
use crate::one_of::one_of;
use crate::rate;
use crate::uapi::*;
use netlink_packet_core::DefaultNla;
use std::net::Ipv4Addr;

/// What stands for a gateway, a capacity or a weight that is not given; in a request it is 0.
const AUTO: &str = "auto";

#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Address of the next router; auto learns it from the default route in main
    #[arg(long, value_name = "ADDR|auto", value_parser = gateway)]
    pub gateway: Option<Ipv4Addr>,
    /// Upload capacity, as in tc (20mbit); auto learns it from the rates seen
    #[arg(long, value_name = "RATE|auto", value_parser = capacity)]
    pub up: Option<u64>,
    /// Download capacity, as in tc (100mbit); auto learns it from the rates seen
    #[arg(long, value_name = "RATE|auto", value_parser = capacity)]
    pub down: Option<u64>,
    /// Tier, 1 to 16; used while no WAN of a lower one is up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=TIER_MAX as i64))]
    pub tier: Option<u32>,
    /// Share of the connections in mode weighted; auto takes the download capacity in Mbit/s
    #[arg(long, value_name = "N|auto", value_parser = weight)]
    pub weight: Option<u32>,
    /// Whether it takes connections, keeps those that it has, or carries nothing
    #[arg(long, value_name = "WHAT", value_parser = one_of(&WAN_ADMIN_NAMES))]
    pub admin: Option<u32>,
}

fn gateway(text: &str) -> Result<Ipv4Addr, String> {
    match text {
        AUTO => Ok(Ipv4Addr::UNSPECIFIED),
        _ => text
            .parse()
            .map_err(|_| "write an IPv4 address as 192.0.2.1, or auto".into()),
    }
}

fn capacity(text: &str) -> Result<u64, String> {
    match text {
        AUTO => Ok(0),
        _ => match rate::parse(text)? {
            0 => Err("a line carries something; write auto to have it learned".into()),
            bps => Ok(bps),
        },
    }
}

fn weight(text: &str) -> Result<u32, String> {
    let range = 1..=WEIGHT_MAX;
    match text.parse() {
        _ if text == AUTO => Ok(0),
        Ok(weight) if range.contains(&weight) => Ok(weight),
        _ => Err(format!("write a number from 1 to {WEIGHT_MAX}, or auto")),
    }
}

impl Settings {
    /// Without what a new WAN learns anyway.
    pub fn of_new(self) -> Self {
        Self {
            gateway: self.gateway.filter(|addr| !addr.is_unspecified()),
            up: self.up.filter(|bps| *bps != 0),
            down: self.down.filter(|bps| *bps != 0),
            weight: self.weight.filter(|weight| *weight != 0),
            ..self
        }
    }

    pub fn attrs(&self) -> impl Iterator<Item = DefaultNla> {
        let u32 = |kind, value: Option<u32>| value.map(|value| message::u32(kind, value));
        let u64 = |kind, value: Option<u64>| value.map(|value| message::u64(kind, value));
        let attrs = [
            self.gateway.map(|addr| message::ipv4(A_WAN_GATEWAY4, addr)),
            u64(A_WAN_UP_CAPACITY_BPS, self.up),
            u64(A_WAN_DOWN_CAPACITY_BPS, self.down),
            u32(A_WAN_TIER, self.tier),
            u32(A_WAN_WEIGHT, self.weight),
            u32(A_WAN_ADMIN, self.admin),
        ];
        attrs.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_auto() {
        assert_eq!(gateway("192.0.2.1"), Ok(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(gateway("auto"), Ok(Ipv4Addr::UNSPECIFIED));
        for text in ["", "Auto", "192.0.2", "2001:db8::1", "dsl"] {
            assert!(gateway(text).unwrap_err().contains("192.0.2.1"), "{text}");
        }
    }

    #[test]
    fn reads_rates_and_auto() {
        assert_eq!(capacity("20mbit"), Ok(20_000_000));
        assert_eq!(capacity("auto"), Ok(0));
        assert!(capacity("automatic").is_err());
    }

    #[test]
    fn reads_weights_and_auto() {
        assert_eq!(weight("1"), Ok(1));
        assert_eq!(weight("auto"), Ok(0));
        for text in ["", "0", "-1", "1.5", "1000001"] {
            assert!(weight(text).is_err(), "{text}");
        }
    }

    #[test]
    fn new_ones_learn_without_being_told() {
        let given = Settings {
            gateway: Some(Ipv4Addr::new(192, 0, 2, 1)),
            up: Some(1),
            down: Some(2),
            tier: Some(3),
            weight: Some(4),
            admin: Some(WAN_ADMIN_ENABLED),
        };
        assert_eq!(given.clone().of_new(), given);
        let auto = Settings {
            gateway: Some(Ipv4Addr::UNSPECIFIED),
            up: Some(0),
            down: Some(0),
            weight: Some(0),
            ..Settings::default()
        };
        assert_eq!(auto.attrs().count(), 4);
        assert_eq!(auto.of_new(), Settings::default());
    }
}
