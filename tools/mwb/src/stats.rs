// SPDX-License-Identifier: GPL-2.0

//! `mwb stats`: the counters of the instance.

use crate::history::per_second;
use crate::message::{self, attributes, Request};
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::prometheus::Family;
use crate::table::known;
use crate::uapi::*;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Stats {
    packets: Option<u64>,
    dst_hits: Option<u64>,
    dst_lookups: Option<u64>,
    dst_obsolete: Option<u64>,
    connections: Option<u64>,
    inbound: Option<u64>,
    not_balanced: Option<u64>,
    by_policy: Option<u64>,
    unreachable: Option<u64>,
    pairs: Option<u32>,
    pair_hits: Option<u64>,
    pair_evictions: Option<u64>,
    pub cache: Option<&'static str>,
    dst_slots: Option<u32>,
    route_syncs: Option<u64>,
    route_changes: Option<u64>,
    route_sync_ns: Option<u64>,
    ended: Option<u64>,
    resets: Option<u64>,
    released: Option<u64>,
    upload_decides: Option<bool>,
    expected_up_bps: Option<u64>,
    expected_down_bps: Option<u64>,
    credit_up_bps: Option<u64>,
    credit_down_bps: Option<u64>,
}

impl Stats {
    pub fn read(client: &mut Client) -> Result<Self, String> {
        let replies = client.call(Request::new(CMD_STATS_GET, vec![]))?;
        Ok(Self::parse(replies.first().map_or(&[], |reply| &reply.0)))
    }

    fn parse(attrs: &[u8]) -> Self {
        let mut stats = Self::default();
        for (kind, value) in attributes(attrs) {
            let read_u32 = || message::read_u32(value);
            let read_u64 = || message::read_u64(value);
            match kind {
                A_STATS_PACKETS => stats.packets = read_u64(),
                A_STATS_DST_HITS => stats.dst_hits = read_u64(),
                A_STATS_DST_LOOKUPS => stats.dst_lookups = read_u64(),
                A_STATS_DST_OBSOLETE => stats.dst_obsolete = read_u64(),
                A_STATS_CONNECTIONS => stats.connections = read_u64(),
                A_STATS_INBOUND => stats.inbound = read_u64(),
                A_STATS_NOT_BALANCED => stats.not_balanced = read_u64(),
                A_STATS_BY_POLICY => stats.by_policy = read_u64(),
                A_STATS_UNREACHABLE => stats.unreachable = read_u64(),
                A_STATS_PAIRS => stats.pairs = read_u32(),
                A_STATS_PAIR_HITS => stats.pair_hits = read_u64(),
                A_STATS_PAIR_EVICTIONS => stats.pair_evictions = read_u64(),
                A_STATS_CACHE => stats.cache = message::read_enum(&CACHE_NAMES, value),
                A_STATS_DST_SLOTS => stats.dst_slots = read_u32(),
                A_STATS_ROUTE_SYNCS => stats.route_syncs = read_u64(),
                A_STATS_ROUTE_CHANGES => stats.route_changes = read_u64(),
                A_STATS_ROUTE_SYNC_NS => stats.route_sync_ns = read_u64(),
                A_STATS_ENDED => stats.ended = read_u64(),
                A_STATS_RESETS => stats.resets = read_u64(),
                A_STATS_RELEASED => stats.released = read_u64(),
                A_STATS_UPLOAD_DECIDES => stats.upload_decides = read_u32().map(|is| is != 0),
                A_STATS_EXPECTED_UP_BPS => stats.expected_up_bps = read_u64(),
                A_STATS_EXPECTED_DOWN_BPS => stats.expected_down_bps = read_u64(),
                A_STATS_CREDIT_UP_BPS => stats.credit_up_bps = read_u64(),
                A_STATS_CREDIT_DOWN_BPS => stats.credit_down_bps = read_u64(),
                _ => {}
            }
        }
        stats
    }

    /// New connections that were given to a WAN, per second of the time since `old` was read.
    pub fn placed_since(&self, old: &Self, passed: Duration) -> Option<f64> {
        per_second(old.connections, self.connections, passed)
    }

    /// Of the packets since `old` was read, the share that took the route kept by their connection.
    pub fn hits_since(&self, old: &Self) -> Option<f64> {
        let packets = self.packets?.checked_sub(old.packets?);
        let packets = packets.filter(|packets| *packets != 0)?;
        Some(self.dst_hits?.checked_sub(old.dst_hits?)? as f64 / packets as f64)
    }

    /// Before anything has happened.
    fn none() -> Self {
        Self {
            packets: Some(0),
            dst_hits: Some(0),
            ..Self::default()
        }
    }

    /// For Prometheus. What is not known has no sample.
    #[rustfmt::skip]
    pub fn metrics(&self) -> Vec<Family> {
        let counter = |name, help, value: Option<u64>| Family::counter(name, help, value.map(|value| value as f64));
        let gauge = |name, help, value: Option<u32>| Family::gauge(name, help, value.map(f64::from));
        let rate = |name, help, bps: Option<u64>| Family::gauge(name, help, bps.map(|bps| bps as f64 / 8.0));
        let sync_time = self.route_sync_ns.map(|ns| Duration::from_nanos(ns).as_secs_f64());
        vec![
            counter("mwb_packets_total", "Packets that the module saw.", self.packets),
            counter("mwb_dst_hits_total", "Packets that took the route kept by their connection.", self.dst_hits),
            counter("mwb_dst_lookups_total", "Packets of connections whose route was looked up.", self.dst_lookups),
            counter("mwb_dst_obsolete_total", "Packets that found the kept route outdated.", self.dst_obsolete),
            counter("mwb_connections_total", "New connections that were given to a WAN.", self.connections),
            counter("mwb_inbound_connections_total", "New connections that came in through a WAN.", self.inbound),
            counter("mwb_unbalanced_connections_total", "New connections that were left alone.", self.not_balanced),
            counter("mwb_policy_connections_total", "New connections that a policy has given to a WAN.", self.by_policy),
            counter("mwb_unreachable_connections_total", "New connections that were refused.", self.unreachable),
            gauge("mwb_pairs", "Pairs that are kept.", self.pairs),
            counter("mwb_pair_hits_total", "New connections that were given to the WAN of their pair.", self.pair_hits),
            counter("mwb_pair_evictions_total", "Pairs that had to go before their time.", self.pair_evictions),
            Family::state("mwb_cache_state", "Whether connections keep their routes, and why not.", &CACHE_NAMES, self.cache),
            gauge("mwb_dst_slots", "Routes that are held.", self.dst_slots),
            counter("mwb_route_syncs_total", "How often rules and routes were compared.", self.route_syncs),
            counter("mwb_route_changes_total", "Rules and routes that were added or removed.", self.route_changes),
            Family::counter("mwb_route_sync_seconds_total", "Time that comparing rules and routes has taken.", sync_time),
            counter("mwb_ended_connections_total", "Connections that were ended with their WAN.", self.ended),
            counter("mwb_reset_connections_total", "Ended connections whose clients were told by a reset.", self.resets),
            counter("mwb_released_connections_total", "Connections that went on by another way.", self.released),
            gauge("mwb_upload_decides", "Whether upload decides on new connections.", self.upload_decides.map(u32::from)),
            rate("mwb_expected_transmit_bytes_per_second", "Upload that a new connection is reckoned to add.", self.expected_up_bps),
            rate("mwb_expected_receive_bytes_per_second", "Download that a new connection is reckoned to add.", self.expected_down_bps),
            rate("mwb_credit_transmit_bytes_per_second", "Upload credit that a connection gives its WAN.", self.credit_up_bps),
            rate("mwb_credit_receive_bytes_per_second", "Download credit that a connection gives its WAN.", self.credit_down_bps),
        ]
    }

    fn text(&self) -> String {
        let share = self.hits_since(&Self::none());
        let share = share.map_or(String::new(), |share| format!(" ({:.1}%)", share * 100.0));
        let time = self.route_sync_ns.map(Duration::from_nanos);
        let time = time.map_or(String::new(), |time| format!(" ({time:.1?})"));
        [
            ("packets", known(self.packets)),
            ("dst_hits", known(self.dst_hits) + &share),
            ("dst_lookups", known(self.dst_lookups)),
            ("dst_obsolete", known(self.dst_obsolete)),
            ("connections", known(self.connections)),
            ("inbound", known(self.inbound)),
            ("not_balanced", known(self.not_balanced)),
            ("by_policy", known(self.by_policy)),
            ("unreachable", known(self.unreachable)),
            ("pairs", known(self.pairs)),
            ("pair_hits", known(self.pair_hits)),
            ("pair_evictions", known(self.pair_evictions)),
            ("cache", self.cache.unwrap_or("unknown").to_string()),
            ("dst_slots", known(self.dst_slots)),
            ("route_syncs", known(self.route_syncs)),
            ("route_changes", known(self.route_changes)),
            ("route_sync_ns", known(self.route_sync_ns) + &time),
            ("ended", known(self.ended)),
            ("resets", known(self.resets)),
            ("released", known(self.released)),
            ("upload_decides", known(self.upload_decides)),
            ("expected_up_bps", known(self.expected_up_bps)),
            ("expected_down_bps", known(self.expected_down_bps)),
            ("credit_up_bps", known(self.credit_up_bps)),
            ("credit_down_bps", known(self.credit_down_bps)),
        ]
        .map(|(key, value)| format!("{key:<19}{value}\n"))
        .concat()
    }
}

pub fn run(client: &mut Client, output: Output) -> Result<(), String> {
    let stats = Stats::read(client)?;
    match output.json {
        true => output.json(&stats),
        false => output::write(stats.text().as_bytes()),
    }
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, u32, u64};
    use netlink_packet_core::DefaultNla;

    pub fn attrs() -> Vec<DefaultNla> {
        vec![
            u64(A_STATS_PACKETS, 1000),
            u64(A_STATS_DST_HITS, 987),
            u64(A_STATS_DST_LOOKUPS, 13),
            u64(A_STATS_DST_OBSOLETE, 2),
            u64(A_STATS_CONNECTIONS, 6),
            u64(A_STATS_INBOUND, 7),
            u64(A_STATS_NOT_BALANCED, 5),
            u64(A_STATS_BY_POLICY, 8),
            u64(A_STATS_UNREACHABLE, 9),
            u32(A_STATS_PAIRS, 10),
            u64(A_STATS_PAIR_HITS, 11),
            u64(A_STATS_PAIR_EVICTIONS, 12),
            u32(A_STATS_CACHE, CACHE_ACTIVE),
            u32(A_STATS_DST_SLOTS, 4),
            u64(A_STATS_ROUTE_SYNCS, 3),
            u64(A_STATS_ROUTE_CHANGES, 30),
            u64(A_STATS_ROUTE_SYNC_NS, 12_345_678),
            u64(A_STATS_ENDED, 31),
            u64(A_STATS_RESETS, 32),
            u64(A_STATS_RELEASED, 33),
            u32(A_STATS_UPLOAD_DECIDES, 1),
            u64(A_STATS_EXPECTED_UP_BPS, 34),
            u64(A_STATS_EXPECTED_DOWN_BPS, 35),
            u64(A_STATS_CREDIT_UP_BPS, 36),
            u64(A_STATS_CREDIT_DOWN_BPS, 37),
        ]
    }

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let stats = Stats::parse(attrs);
        let metrics = crate::prometheus::text(&stats.metrics());
        let json = serde_json::to_value(&stats).unwrap();
        (json, stats.text() + &metrics)
    }

    #[test]
    fn reads_all() {
        let stats = Stats::parse(&emitted(&attrs()));
        assert_eq!(
            serde_json::to_string(&stats).unwrap(),
            concat!(
                r#"{"packets":1000,"dst_hits":987,"dst_lookups":13,"dst_obsolete":2,"connections":6,"#,
                r#""inbound":7,"not_balanced":5,"by_policy":8,"unreachable":9,"pairs":10,"#,
                r#""pair_hits":11,"pair_evictions":12,"cache":"active","dst_slots":4,"#,
                r#""route_syncs":3,"route_changes":30,"route_sync_ns":12345678,"#,
                r#""ended":31,"resets":32,"released":33,"upload_decides":true,"#,
                r#""expected_up_bps":34,"expected_down_bps":35,"credit_up_bps":36,"credit_down_bps":37}"#
            )
        );
        for line in [
            "dst_hits           987 (98.7%)\n",
            "route_sync_ns      12345678 (12.3ms)\n",
        ] {
            assert!(stats.text().contains(line), "{line}");
        }
    }

    #[test]
    fn text_and_json_have_the_same_keys() {
        let stats = Stats::default();
        let json = serde_json::to_value(&stats).unwrap();
        let mut keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        let text = stats.text();
        let mut lines: Vec<_> = text
            .lines()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        keys.sort();
        lines.sort();
        assert_eq!(keys, lines);
    }

    #[test]
    fn knows_what_is_new() {
        let old = Stats::parse(&emitted(&attrs()));
        let new = Stats {
            packets: Some(1200),
            dst_hits: Some(987 + 150),
            connections: Some(6 + 3),
            ..Stats::default()
        };
        assert_eq!(new.hits_since(&old), Some(0.75));
        assert_eq!(new.placed_since(&old, Duration::from_secs(2)), Some(1.5));
        assert_eq!(new.hits_since(&new), None);
        assert_eq!(old.hits_since(&new), None);
    }

    #[test]
    fn every_counter_is_a_metric() {
        let stats = Stats::parse(&emitted(&attrs()));
        let json = serde_json::to_value(&stats).unwrap();
        let metrics = stats.metrics();
        assert_eq!(metrics.len(), json.as_object().unwrap().len());
        let metrics = serde_json::to_value(&metrics).unwrap();
        let value = |family: &serde_json::Value| family["samples"][0]["value"].as_f64();
        let values: Vec<_> = metrics.as_array().unwrap().iter().map(value).collect();
        // In the order of the fields, with an own unit for a time and a sample for each state.
        let fields = json.as_object().unwrap();
        for (number, key) in [
            (0, "packets"),
            (1, "dst_hits"),
            (9, "pairs"),
            (19, "released"),
        ] {
            assert_eq!(values[number], fields[key].as_f64(), "{key}");
        }
        assert_eq!(values[16], Some(0.012_345_678));
        let cache = metrics[12]["samples"].as_array().unwrap();
        let active: Vec<_> = cache
            .iter()
            .filter(|sample| sample["value"] == 1.0)
            .collect();
        assert_eq!(active.len(), 1);
        assert_eq!(active[0]["labels"]["state"], "active");
    }

    #[test]
    fn takes_no_value_that_is_cut_off_or_misshapen() {
        let whole = emitted(&attrs());
        for length in 0..whole.len() {
            assert_eq!(Stats::parse(&whole[..length]).credit_down_bps, None);
        }
        for bytes in misshapen(&attrs()) {
            assert_eq!(Stats::parse(&bytes), Stats::default());
        }
    }
}
