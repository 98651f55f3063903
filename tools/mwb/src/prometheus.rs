// SPDX-License-Identifier: GPL-2.0

//! The text format of Prometheus, version 0.0.4.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What Prometheus knows by one name.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub struct Family {
    pub name: &'static str,
    r#type: Type,
    help: &'static str,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    Counter,
    Gauge,
}

#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub struct Sample {
    labels: BTreeMap<&'static str, String>,
    value: f64,
}

impl Family {
    pub fn counter(name: &'static str, help: &'static str, value: Option<f64>) -> Self {
        let sample = value.map(|value| sample([], value));
        Self::of(Type::Counter, name, help, sample)
    }

    pub fn gauge(name: &'static str, help: &'static str, value: Option<f64>) -> Self {
        let sample = value.map(|value| sample([], value));
        Self::of(Type::Gauge, name, help, sample)
    }

    /// One of the values of an enum, as 1; the others are 0.
    pub fn state(
        name: &'static str,
        help: &'static str,
        names: &[&'static str],
        state: Option<&str>,
    ) -> Self {
        Self::of(Type::Gauge, name, help, states(names, [], state))
    }

    pub fn of(
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

pub fn sample<const N: usize>(labels: [(&'static str, &str); N], value: f64) -> Sample {
    let labels = labels.map(|(label, value)| (label, value.to_string()));
    Sample {
        labels: labels.into(),
        value,
    }
}

pub fn states<const N: usize>(
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

pub fn text(families: &[Family]) -> String {
    families.iter().map(Family::text).collect()
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The name of a metric or a label at the start of the text, and the rest.
    pub fn name(text: &str) -> (&str, &str) {
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
        let family = Family::counter("mwb_packets_total", "Packets.", Some(7.0));
        assert_eq!(
            serde_json::to_string(&family).unwrap(),
            concat!(
                r#"{"name":"mwb_packets_total","type":"counter","help":"Packets.","#,
                r#""samples":[{"labels":{},"value":7.0}]}"#
            )
        );
    }
}
