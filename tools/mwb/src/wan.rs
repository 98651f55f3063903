// SPDX-License-Identifier: GPL-2.0

//! A WAN as the kernel reports it: one row of `mwb show`, as text and as JSON.

use crate::clock::Time;
use crate::message::{self, attributes};
use crate::uapi::*;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::Ipv4Addr;

#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Wan {
    pub name: String,
    pub id: u32,
    pub dev: String,
    pub gateway: Option<Ipv4Addr>,
    pub gateway_learned: bool,
    pub tier: Option<u32>,
    pub weight: Option<u32>,
    pub admin: Option<&'static str>,
    pub health: Option<&'static str>,
    pub state: Option<&'static str>,
    pub reason: Option<&'static str>,
    pub changed: Option<Time>,
    pub mark: Option<u32>,
    pub table: Option<u32>,
    pub up_bps: Option<u64>,
    pub down_bps: Option<u64>,
    pub rates_partial: bool,
    pub rates_mixed: bool,
    pub up_overload: bool,
    pub up_capacity_bps: Option<u64>,
    pub down_capacity_bps: Option<u64>,
    pub capacity_learned: bool,
    pub up_credit_bps: Option<u64>,
    pub down_credit_bps: Option<u64>,
    pub up_reckoned_bps: Option<u64>,
    pub down_reckoned_bps: Option<u64>,
    pub connections: Option<u64>,
    /// How many of them conntrack has, if that was asked for.
    pub live: Option<u64>,
}

impl Wan {
    pub fn parse(attrs: &[u8]) -> Self {
        let mut wan = Self::default();
        for (kind, value) in attributes(attrs) {
            let read_u32 = || message::read_u32(value);
            let read_u64 = || message::read_u64(value);
            let read_enum = |names| message::read_enum(names, value);
            match kind {
                A_WAN_NAME => wan.name = message::read_string(value),
                A_WAN_ID => wan.id = read_u32().unwrap_or_default(),
                A_WAN_DEV => wan.dev = message::read_string(value),
                A_WAN_GATEWAY4 => wan.gateway = message::read_ipv4(value),
                A_WAN_GATEWAY_LEARNED => wan.gateway_learned = true,
                A_WAN_TIER => wan.tier = read_u32(),
                A_WAN_WEIGHT => wan.weight = read_u32(),
                A_WAN_ADMIN => wan.admin = read_enum(&WAN_ADMIN_NAMES),
                A_WAN_HEALTH => wan.health = read_enum(&WAN_HEALTH_NAMES),
                A_WAN_STATE => wan.state = read_enum(&WAN_STATE_NAMES),
                A_WAN_REASON => wan.reason = read_enum(&WAN_REASON_NAMES),
                A_WAN_CHANGED_NS => wan.changed = read_u64().and_then(Time::from_ns),
                A_WAN_MARK => wan.mark = read_u32(),
                A_WAN_TABLE => wan.table = read_u32(),
                A_WAN_UP_BPS => wan.up_bps = read_u64(),
                A_WAN_DOWN_BPS => wan.down_bps = read_u64(),
                A_WAN_RATES_PARTIAL => wan.rates_partial = true,
                A_WAN_RATES_MIXED => wan.rates_mixed = true,
                A_WAN_UP_OVERLOAD => wan.up_overload = true,
                A_WAN_UP_CAPACITY_BPS => wan.up_capacity_bps = read_u64(),
                A_WAN_DOWN_CAPACITY_BPS => wan.down_capacity_bps = read_u64(),
                A_WAN_CAPACITY_LEARNED => wan.capacity_learned = true,
                A_WAN_UP_CREDIT_BPS => wan.up_credit_bps = read_u64(),
                A_WAN_DOWN_CREDIT_BPS => wan.down_credit_bps = read_u64(),
                A_WAN_UP_RECKONED_BPS => wan.up_reckoned_bps = read_u64(),
                A_WAN_DOWN_RECKONED_BPS => wan.down_reckoned_bps = read_u64(),
                A_WAN_CONNECTIONS => wan.connections = read_u64(),
                _ => {}
            }
        }
        wan
    }

    pub fn up_share(&self) -> Option<f64> {
        share(self.up_bps?, self.up_capacity_bps)
    }

    pub fn down_share(&self) -> Option<f64> {
        share(self.down_bps?, self.down_capacity_bps)
    }
}

/// The part of the capacity that is in use, if that is known.
fn share(bps: u64, capacity_bps: Option<u64>) -> Option<f64> {
    let capacity = capacity_bps.filter(|capacity| *capacity != 0)?;
    Some(bps as f64 / capacity as f64)
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, ipv4, string, u32, u64};
    use netlink_packet_core::{DefaultNla, NLA_F_NESTED};

    pub fn attrs() -> Vec<DefaultNla> {
        vec![
            string(A_WAN_NAME, "dsl"),
            u32(A_WAN_ID, 3),
            string(A_WAN_DEV, "eth1"),
            u32(A_WAN_IFINDEX, 7),
            ipv4(A_WAN_GATEWAY4, Ipv4Addr::new(192, 0, 2, 1)),
            u64(A_WAN_UP_CAPACITY_BPS, 5_000_000),
            u64(A_WAN_DOWN_CAPACITY_BPS, 20_000_000),
            DefaultNla::new(A_WAN_CAPACITY_LEARNED, vec![]),
            DefaultNla::new(A_WAN_GATEWAY_LEARNED, vec![]),
            u32(A_WAN_TIER, 2),
            u32(A_WAN_WEIGHT, 40),
            u32(A_WAN_ADMIN, WAN_ADMIN_ENABLED),
            u32(A_WAN_HEALTH, WAN_HEALTH_DEAD),
            u32(A_WAN_STATE, WAN_STATE_NO_CARRIER),
            u32(A_WAN_REASON, WAN_REASON_CARRIER),
            u64(A_WAN_CHANGED_NS, 1_795_359_845_123_456_789),
            u32(A_WAN_MARK, 3 << 24),
            u32(A_WAN_MARK_MASK, 0xff << 24),
            u32(A_WAN_TABLE, 7003),
            u64(A_WAN_UP_BPS, 4_200_000),
            u64(A_WAN_DOWN_BPS, 18_700_000),
            DefaultNla::new(A_WAN_RATES_PARTIAL, vec![]),
            DefaultNla::new(A_WAN_RATES_MIXED, vec![]),
            DefaultNla::new(A_WAN_UP_OVERLOAD, vec![]),
            u64(A_WAN_UP_CREDIT_BPS, 1000),
            u64(A_WAN_DOWN_CREDIT_BPS, 2000),
            u64(A_WAN_UP_RECKONED_BPS, 50_000_000),
            u64(A_WAN_DOWN_RECKONED_BPS, 60_000_000),
            u64(A_WAN_CONNECTIONS, 53),
        ]
    }

    #[test]
    fn reads_all() {
        let wan = Wan::parse(&emitted(&attrs()));
        assert_eq!(
            serde_json::to_string(&wan).unwrap(),
            concat!(
                r#"{"name":"dsl","id":3,"dev":"eth1","gateway":"192.0.2.1","gateway_learned":true,"#,
                r#""tier":2,"weight":40,"admin":"enabled","health":"dead","state":"no-carrier","#,
                r#""reason":"carrier","changed":1795359845.123456,"#,
                r#""mark":50331648,"table":7003,"up_bps":4200000,"down_bps":18700000,"#,
                r#""rates_partial":true,"rates_mixed":true,"up_overload":true,"#,
                r#""up_capacity_bps":5000000,"down_capacity_bps":20000000,"capacity_learned":true,"#,
                r#""up_credit_bps":1000,"down_credit_bps":2000,"#,
                r#""up_reckoned_bps":50000000,"down_reckoned_bps":60000000,"#,
                r#""connections":53,"live":null}"#
            )
        );
    }

    #[test]
    fn tolerates_what_is_missing() {
        let wan = Wan::parse(&emitted(&[string(A_WAN_NAME, "dsl")]));
        let expected = Wan {
            name: "dsl".into(),
            ..Wan::default()
        };
        assert_eq!(wan, expected);
        let json = serde_json::to_value(&wan).unwrap();
        for key in [
            "gateway",
            "admin",
            "health",
            "state",
            "reason",
            "changed",
            "up_capacity_bps",
            "down_capacity_bps",
        ] {
            assert!(json[key].is_null(), "{key}");
        }
    }

    #[test]
    fn ignores_what_is_unknown() {
        let mut more = attrs();
        for (at, kind) in [0, A_WAN_PAD, A_WAN_MAX + 1, 999 | NLA_F_NESTED]
            .into_iter()
            .enumerate()
        {
            more.insert(at * 3, DefaultNla::new(kind, vec![0xff; 13]));
        }
        more.push(u32(A_WAN_STATE, WAN_STATE_NAMES.len() as u32));
        let wan = Wan::parse(&emitted(&more));
        let expected = Wan {
            state: None,
            ..Wan::parse(&emitted(&attrs()))
        };
        assert_eq!(wan, expected);
    }

    #[test]
    fn reads_up_to_where_it_is_cut_off() {
        let whole = emitted(&attrs());
        let mut seen = Wan::default();
        for length in 0..whole.len() {
            let wan = Wan::parse(&whole[..length]);
            assert_eq!(wan.connections, None);
            // Attributes come in whole or not at all: none that was there goes away or changes.
            assert!(seen.name.is_empty() || seen.name == wan.name);
            assert!(seen.table.is_none() || seen.table == wan.table);
            assert!(seen.gateway.is_none() || seen.gateway == wan.gateway);
            seen = wan;
        }
        assert_eq!(seen.down_bps, Some(18_700_000));
    }

    #[test]
    fn takes_no_value_of_the_wrong_size() {
        for bytes in misshapen(&attrs()) {
            let wan = Wan::parse(&bytes);
            assert_eq!(
                (wan.id, wan.up_bps, wan.gateway, wan.state),
                (0, None, None, None)
            );
        }
    }
}
