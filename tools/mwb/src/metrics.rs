// SPDX-License-Identifier: GPL-2.0

//! `mwb metrics`: the figures in the text format of Prometheus, version 0.0.4.

use crate::devices::Devices;
use crate::http;
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::show;
use crate::stats::Stats;
use crate::uapi::*;
use crate::wan::Wan;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
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

/// What Prometheus knows by one name.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub struct Family {
    name: &'static str,
    r#type: Type,
    help: &'static str,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Counter,
    Gauge,
}

#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub struct Sample {
    labels: BTreeMap<&'static str, String>,
    value: f64,
}

impl Family {
    pub fn counter(name: &'static str, help: &'static str, value: f64) -> Self {
        Self::of(Type::Counter, name, help, [sample([], value)])
    }

    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self::of(Type::Gauge, name, help, [sample([], value)])
    }

    /// One of the values of an enum, as 1; the others are 0.
    pub fn state<const N: usize>(
        name: &'static str,
        help: &'static str,
        names: &[&'static str],
        labels: [(&'static str, &str); N],
        state: Option<&str>,
    ) -> Self {
        Self::of(Type::Gauge, name, help, states(names, labels, state))
    }

    fn of(
        r#type: Type,
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = Sample>,
    ) -> Self {
        Self {
            name,
            r#type,
            help,
            samples: samples.into_iter().collect(),
        }
    }

    fn text(&self) -> String {
        let name = self.name;
        let kind = match self.r#type {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
        };
        let mut text = format!(
            "# HELP {name} {}\n# TYPE {name} {kind}\n",
            escaped(self.help)
        );
        for sample in &self.samples {
            let labels = sample.labels.iter().map(|(label, value)| {
                let value = escaped(value).replace('"', "\\\"");
                format!("{label}=\"{value}\"")
            });
            let labels: Vec<_> = labels.collect();
            let labels = match &*labels {
                [] => String::new(),
                labels => format!("{{{}}}", labels.join(",")),
            };
            text += &format!("{name}{labels} {}\n", sample.value);
        }
        text
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn sample<const N: usize>(labels: [(&'static str, &str); N], value: f64) -> Sample {
    let labels = labels.map(|(label, value)| (label, value.to_string()));
    Sample {
        labels: labels.into(),
        value,
    }
}

fn states<const N: usize>(
    names: &[&'static str],
    labels: [(&'static str, &str); N],
    state: Option<&str>,
) -> Vec<Sample> {
    let of = |name: &&'static str| {
        let mut sample = sample(labels, f64::from(u8::from(state == Some(*name))));
        sample.labels.insert("state", name.to_string());
        sample
    };
    names.iter().map(of).collect()
}

pub fn run(args: Args, output: Output) -> Result<(), String> {
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

fn text(families: &[Family]) -> String {
    families.iter().map(Family::text).collect()
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
            ("tier", &wan.tier.to_string()),
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
            &|wan| Some(wan.connections as f64),
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
            &|wan| Some(bytes(wan.down_bps)),
        ),
        gauge(
            "mwb_wan_transmit_bytes_per_second",
            "Upload rate by which the WAN is chosen.",
            &|wan| Some(bytes(wan.up_bps)),
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

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::message::emitted;
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

    /// The name of a metric or a label at the start of the text, and the rest.
    fn name(text: &str) -> (&str, &str) {
        let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
        let (name, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
        assert!(
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'),
            "no name: {text}"
        );
        (name, rest)
    }

    /// The labels between braces, if there are any, and the rest.
    fn labels(text: &str) -> (BTreeMap<String, String>, &str) {
        let mut labels = BTreeMap::new();
        let Some(mut text) = text.strip_prefix('{') else {
            return (labels, text);
        };
        loop {
            let (label, rest) = name(text);
            assert!(!label.contains(':') && !label.starts_with("__"), "{label}");
            let mut value = String::new();
            let mut rest = rest.strip_prefix("=\"").unwrap().chars();
            loop {
                match rest.next().unwrap() {
                    '"' => break,
                    '\n' => panic!("a bare newline in {text}"),
                    '\\' => value.push(match rest.next().unwrap() {
                        'n' => '\n',
                        c @ ('"' | '\\') => c,
                        c => panic!("unknown escape \\{c}"),
                    }),
                    c => value.push(c),
                }
            }
            assert_eq!(labels.insert(label.to_string(), value), None, "{label}");
            text = match rest.as_str().strip_prefix(',') {
                Some(more) => more,
                None => return (labels, rest.as_str().strip_prefix('}').unwrap()),
            };
        }
    }

    /// What `promtool check metrics` holds against a text: its grammar, the order of its lines, and the names.
    pub fn check(text: &str) -> Vec<(String, BTreeMap<String, String>, f64)> {
        assert!(text.ends_with('\n'));
        let mut seen = BTreeSet::new();
        let mut samples: Vec<(String, BTreeMap<String, String>, f64)> = Vec::new();
        let mut lines = text.lines().peekable();
        while let Some(help) = lines.next() {
            let (family, help) = name(help.strip_prefix("# HELP ").unwrap());
            assert!(seen.insert(family), "{family} comes twice");
            assert!(help.starts_with(' ') && help.trim() == &help[1..] && help.ends_with('.'));
            let (again, kind) = name(lines.next().unwrap().strip_prefix("# TYPE ").unwrap());
            assert_eq!(again, family);
            assert!([" counter", " gauge"].contains(&kind), "{kind}");
            assert_eq!(family.ends_with("_total"), kind == " counter", "{family}");
            assert!(
                family.starts_with("mwb_")
                    && !family.contains(':')
                    && family == family.to_lowercase()
            );
            for unit in [
                "bits", "_ns", "_ms", "milli", "kilo", "_count", "_sum", "_bucket",
            ] {
                assert!(
                    !family.contains(unit),
                    "{family}: {unit} is no base unit, or reserved"
                );
            }
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let (metric, rest) = name(line);
                assert_eq!(metric, family);
                let (labels, rest) = labels(rest);
                let value: f64 = rest.strip_prefix(' ').unwrap().parse().unwrap();
                assert!(value >= 0.0 && value.is_finite(), "{line}");
                let same = |(name, other, _): &(String, _, f64)| name == metric && *other == labels;
                assert!(!samples.iter().any(same), "{line} comes twice");
                samples.push((metric.into(), labels, value));
            }
        }
        samples
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
        assert_eq!(value("mwb_wan_connections_total", odd), Some(0.0));
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
    fn newlines_are_escaped() {
        let family = Family::of(
            Type::Gauge,
            "mwb_x",
            "a\nb\\.",
            [sample([("l", "c\nd")], 0.5)],
        );
        let text = family.text();
        assert_eq!(
            text,
            "# HELP mwb_x a\\nb\\\\.\n# TYPE mwb_x gauge\nmwb_x{l=\"c\\nd\"} 0.5\n"
        );
        assert_eq!(check(&text)[0].1["l"], "c\nd");
    }

    #[test]
    fn json_has_the_same() {
        let family = Family::counter("mwb_packets_total", "Packets.", 7.0);
        assert_eq!(
            serde_json::to_string(&family).unwrap(),
            concat!(
                r#"{"name":"mwb_packets_total","type":"counter","help":"Packets.","#,
                r#""samples":[{"labels":{},"value":7.0}]}"#
            )
        );
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
