// SPDX-License-Identifier: GPL-2.0

//! `mwb metrics`: the figures for Prometheus.

use crate::devices::Devices;
use crate::http;
use crate::netlink::Client;
use crate::netns;
use crate::output::{self, Output};
use crate::prometheus::{sample, states, text, Family, Type};
use crate::show;
use crate::stats::Stats;
use crate::uapi::*;
use crate::wan::Wan;
use std::ffi::OsStr;
use std::net::SocketAddr;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Serve them by HTTP there, at /metrics, until interrupted
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

const EXAMPLES: &str = "\
Examples:
  mwb metrics >mwb.prom.new && mv mwb.prom.new /var/lib/prometheus/node-exporter/mwb.prom
  mwb metrics --listen 127.0.0.1:9797";

impl Args {
    pub fn is_served(&self) -> bool {
        self.listen.is_some()
    }
}

pub fn run(args: Args, netns: Option<&OsStr>, output: Output) -> Result<(), String> {
    netns::enter(netns)?;
    match args.listen {
        Some(addr) => http::serve(addr, || read().map(|families| text(&families))),
        None if output.json => output.json(&read()?),
        None => output::write(text(&read()?).as_bytes()),
    }
}

fn read() -> Result<Vec<Family>, String> {
    // Anew each time, for the module may have been removed and come back.
    let client = &mut Client::open()?;
    let wans = show::read(None, client)?;
    let mut families = of_wans(&wans, &Devices::read()?);
    families.extend(Stats::read(client)?.metrics());
    Ok(families)
}

/// Of each WAN, by its name. What is not known has no sample.
fn of_wans(wans: &[Wan], devices: &Devices) -> Vec<Family> {
    let family = |kind, name, help, value: &dyn Fn(&Wan) -> Option<f64>| {
        let samples = wans
            .iter()
            .filter_map(|wan| Some(sample([("wan", &wan.name)], value(wan)?)));
        Family::of(kind, name, help, samples)
    };
    let counter =
        |name, help, value: &dyn Fn(&Wan) -> Option<f64>| family(Type::Counter, name, help, value);
    let gauge =
        |name, help, value: &dyn Fn(&Wan) -> Option<f64>| family(Type::Gauge, name, help, value);
    let bytes = |bps: u64| bps as f64 / 8.0;
    let info = wans.iter().map(|wan| {
        let gateway = wan.gateway.map(|addr| addr.to_string());
        let labels = [
            ("wan", &*wan.name),
            ("id", &wan.id.to_string()),
            ("device", &wan.dev),
            ("gateway", &gateway.unwrap_or_default()),
            (
                "tier",
                &wan.tier.map_or(String::new(), |tier| tier.to_string()),
            ),
            ("admin", wan.admin.unwrap_or_default()),
            ("reason", wan.reason.unwrap_or_default()),
        ];
        sample(labels, 1.0)
    });
    let state = wans
        .iter()
        .flat_map(|wan| states(&WAN_STATE_NAMES, [("wan", &wan.name)], wan.state));
    vec![
        Family::of(
            Type::Gauge,
            "mwb_wan_info",
            "What is known of the WAN.",
            info,
        ),
        Family::of(
            Type::Gauge,
            "mwb_wan_state",
            "Whether the WAN is in this state; it takes connections if it is up.",
            state,
        ),
        gauge(
            "mwb_wan_state_changed_timestamp_seconds",
            "When the state of the WAN changed last, in seconds since 1970.",
            &|wan| Some(wan.changed?.seconds()),
        ),
        counter(
            "mwb_wan_connections_total",
            "New connections that were given to the WAN.",
            &|wan| Some(wan.connections? as f64),
        ),
        counter(
            "mwb_wan_receive_bytes_total",
            "Bytes that the device of the WAN has received (download).",
            &|wan| devices.received(&wan.dev),
        ),
        counter(
            "mwb_wan_transmit_bytes_total",
            "Bytes that the device of the WAN has sent (upload).",
            &|wan| devices.sent(&wan.dev),
        ),
        gauge(
            "mwb_wan_receive_bytes_per_second",
            "Download rate by which the WAN is chosen.",
            &|wan| wan.down_bps.map(bytes),
        ),
        gauge(
            "mwb_wan_transmit_bytes_per_second",
            "Upload rate by which the WAN is chosen.",
            &|wan| wan.up_bps.map(bytes),
        ),
        gauge(
            "mwb_wan_receive_capacity_bytes_per_second",
            "What the WAN can carry in download, given or learned.",
            &|wan| wan.down_capacity_bps.map(bytes),
        ),
        gauge(
            "mwb_wan_transmit_capacity_bytes_per_second",
            "What the WAN can carry in upload, given or learned.",
            &|wan| wan.up_capacity_bps.map(bytes),
        ),
        Family::of(
            Type::Gauge,
            "mwb_build_info",
            "The version of the tool.",
            [sample([("version", env!("CARGO_PKG_VERSION"))], 1.0)],
        ),
    ]
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::emitted;
    use crate::prometheus::tests::{check, name};
    use std::collections::BTreeSet;

    const DASHBOARD: &str = include_str!("../grafana.json");

    fn families() -> Vec<Family> {
        let dsl = Wan::parse(&emitted(&crate::wan::tests::attrs()));
        let odd = Wan {
            name: "a\\b\"c\"{}".into(),
            dev: "gone".into(),
            ..Wan::default()
        };
        let devices = Devices::parse(crate::devices::tests::TEXT);
        let mut families = of_wans(&[dsl, odd], &devices);
        families.extend(Stats::default().metrics());
        families
    }

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let wans = [Wan::parse(attrs)];
        let text = text(&of_wans(&wans, &Devices::default()));
        check(&text);
        (serde_json::to_value(&wans[0]).unwrap(), text)
    }

    #[test]
    fn text_is_valid() {
        let families = families();
        let samples = check(&text(&families));
        let all: usize = families.iter().map(|family| family.samples.len()).sum();
        assert_eq!(samples.len(), all);
        let value = |metric: &str, wan: &str| {
            let mut found = samples
                .iter()
                .filter(|(name, labels, _)| name == metric && labels["wan"] == wan);
            found.next().map(|sample| sample.2)
        };
        let odd = "a\\b\"c\"{}";
        assert_eq!(value("mwb_wan_connections_total", "dsl"), Some(53.0));
        assert_eq!(value("mwb_wan_connections_total", odd), None);
        assert_eq!(
            value("mwb_wan_receive_bytes_per_second", "dsl"),
            Some(2_337_500.0)
        );
        assert_eq!(
            value("mwb_wan_transmit_capacity_bytes_per_second", "dsl"),
            Some(625_000.0)
        );
        assert_eq!(
            value("mwb_wan_transmit_capacity_bytes_per_second", odd),
            None
        );
        assert_eq!(value("mwb_wan_receive_bytes_total", "dsl"), Some(1234.0));
        assert_eq!(
            value("mwb_wan_transmit_bytes_total", "dsl"),
            Some(987_654_321_012.0)
        );
        assert_eq!(value("mwb_wan_receive_bytes_total", odd), None);
        let states: Vec<_> = samples
            .iter()
            .filter(|(name, labels, _)| name == "mwb_wan_state" && labels["wan"] == "dsl")
            .map(|(_, labels, value)| (&*labels["state"], *value))
            .collect();
        assert_eq!(states.len(), WAN_STATE_NAMES.len());
        assert!(states.contains(&("no-carrier", 1.0)));
        assert_eq!(states.iter().map(|state| state.1).sum::<f64>(), 1.0);
    }

    #[test]
    fn text_without_wans_is_valid() {
        let mut families = of_wans(&[], &Devices::default());
        families.extend(Stats::default().metrics());
        check(&text(&families));
    }

    #[test]
    fn dashboard_asks_for_what_there_is() {
        let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
        let families = families();
        let mut asked = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["id"]);
            for target in panel["targets"].as_array().unwrap() {
                let expr = target["expr"].as_str().unwrap();
                for (at, _) in expr.match_indices("mwb_") {
                    asked.insert(name(&expr[at..]).0);
                }
            }
        }
        assert!(asked.len() >= 10, "{asked:?}");
        for metric in asked {
            assert!(
                families.iter().any(|family| family.name == metric),
                "{metric}"
            );
        }
    }
}
