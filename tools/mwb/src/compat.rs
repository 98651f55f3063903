// SPDX-License-Identifier: GPL-2.0

//! What a module of another version tells: more than this tool knows, less, or something else. All of that is
//! carried or ignored, never fatal, and what is missing is shown as unknown, not as nothing.

use crate::message::{attributes, emitted, u64};
use crate::uapi::*;
use crate::{config, event, explain, group_show, metrics, policy, policy_show};
use crate::{show, state, stats, top_view, wan};
use netlink_packet_core::{DefaultNla, Nla, NLA_F_NESTED};
use serde_json::Value;

/// What becomes of the attributes of a reply or an event: as JSON and as text.
pub type Shown = (Value, String);

/// What reads replies or events.
pub struct Reader {
    name: &'static str,
    pub attrs: Vec<DefaultNla>,
    pub shown: fn(&[u8]) -> Shown,
}

pub fn readers() -> Vec<Reader> {
    let reader = |name, attrs, shown| Reader { name, attrs, shown };
    vec![
        reader("show", wan::tests::attrs(), show::tests::shown),
        reader("top", wan::tests::attrs(), top_view::tests::shown),
        reader("metrics", wan::tests::attrs(), metrics::tests::shown),
        reader("save, a WAN", given_wan(), state::tests::shown),
        reader("monitor", event::tests::attrs(), event::tests::shown),
        reader(
            "group",
            group_show::tests::attrs(),
            group_show::tests::shown,
        ),
        reader("policy", policy::tests::attrs(), policy_show::tests::shown),
        reader("config", config::tests::attrs(), config::tests::shown),
        reader(
            "save, config",
            config::tests::attrs(),
            state::tests::shown_config,
        ),
        reader("stats", stats::tests::attrs(), stats::tests::shown),
        reader("explain", explain::tests::attrs(), explain::tests::shown),
    ]
}

/// A WAN that has learned nothing.
fn given_wan() -> Vec<DefaultNla> {
    let mut attrs = wan::tests::attrs();
    attrs.retain(|attr| ![A_WAN_GATEWAY_LEARNED, A_WAN_CAPACITY_LEARNED].contains(&attr.kind()));
    attrs.extend([
        u64(A_WAN_UP_GIVEN_BPS, 5_000_000),
        u64(A_WAN_DOWN_GIVEN_BPS, 20_000_000),
    ]);
    attrs
}

/// The attributes in the value of one that is a nest.
fn nest(reader: &Reader, attr: &DefaultNla) -> Option<Vec<DefaultNla>> {
    let kind = attr.kind() & !NLA_F_NESTED;
    if reader.name != "explain" || ![A_EXPLAIN_POLICY, A_EXPLAIN_CANDIDATE].contains(&kind) {
        return None;
    }
    let inner = attributes(value(attr).as_slice())
        .map(|(kind, value)| DefaultNla::new(kind, value.to_vec()))
        .collect();
    Some(inner)
}

fn value(attr: &DefaultNla) -> Vec<u8> {
    let mut bytes = vec![0; attr.value_len()];
    attr.emit_value(&mut bytes);
    bytes
}

/// All that `change` makes of the attributes, once of those at the top and once of those in each nest.
fn each_level(
    reader: &Reader,
    change: impl Fn(&[DefaultNla]) -> Vec<Vec<DefaultNla>>,
) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = change(&reader.attrs)
        .iter()
        .map(|attrs| emitted(attrs))
        .collect();
    for (at, attr) in reader.attrs.iter().enumerate() {
        for inner in nest(reader, attr).map_or(vec![], |inner| change(&inner)) {
            let mut attrs = reader.attrs.clone();
            attrs[at] = DefaultNla::new(attr.kind(), emitted(&inner));
            all.push(emitted(&attrs));
        }
    }
    all
}

#[test]
fn what_only_a_newer_module_tells_is_ignored() {
    // Beyond all that is known here; what looks like a nest of something, and what is cut off.
    let strangers = [
        DefaultNla::new(200, vec![]),
        DefaultNla::new(201, vec![0xff; 4]),
        DefaultNla::new(999, vec![0; 8]),
        DefaultNla::new(9999 | NLA_F_NESTED, vec![8, 0, 2, 0, 1, 2, 3, 4]),
        DefaultNla::new(0x3fff | NLA_F_NESTED, vec![0xff; 13]),
    ];
    for reader in readers() {
        let expected = (reader.shown)(&emitted(&reader.attrs));
        let newer = each_level(&reader, |attrs| {
            let insert = |at: usize| {
                let mut attrs = attrs.to_vec();
                attrs.splice(at..at, strangers.clone());
                attrs
            };
            (0..=attrs.len()).map(insert).collect()
        });
        assert!(newer.len() > reader.attrs.len(), "{}", reader.name);
        for bytes in newer {
            assert_eq!((reader.shown)(&bytes), expected, "{}", reader.name);
        }
    }
}

#[test]
fn what_an_older_module_does_not_tell_is_unknown() {
    for reader in readers() {
        let whole = (reader.shown)(&emitted(&reader.attrs)).0;
        let older = each_level(&reader, |attrs| {
            let without = |at: usize| {
                let mut attrs = attrs.to_vec();
                attrs.remove(at);
                attrs
            };
            (0..attrs.len()).map(without).collect()
        });
        for bytes in older {
            let (json, text) = (reader.shown)(&bytes);
            lacks(reader.name, "", &whole, &json);
            assert!(!text.contains("null") && !text.contains("None"), "{text}");
        }
        // The oldest of all.
        let (json, text) = (reader.shown)(&[]);
        lacks(reader.name, "", &whole, &json);
        if ["config", "stats"].contains(&reader.name) {
            let lines = text.lines().take_while(|line| !line.starts_with('#'));
            for line in lines {
                let value = line.split_whitespace().nth(1);
                assert!([Some("-"), Some("unknown")].contains(&value), "{line}");
            }
        }
        if ["show", "top", "policy", "explain"].contains(&reader.name) {
            assert!(text.contains(" -"), "{text}");
            assert!(!text.contains(" 0"), "{text}");
        }
    }
}

/// Asserts that `less` has the same keys as `whole`, and that whatever is not the same is unknown: null, or what
/// stands for it where there is always something.
fn lacks(reader: &str, key: &str, whole: &Value, less: &Value) {
    match (whole, less) {
        _ if whole == less => {}
        (Value::Object(whole), Value::Object(less)) => {
            assert!(whole.keys().eq(less.keys()), "{reader} {less:?}");
            for (key, value) in whole {
                lacks(reader, key, value, &less[key]);
            }
        }
        (Value::Array(whole), Value::Array(less)) if whole.len() == less.len() => {
            for (whole, less) in whole.iter().zip(less) {
                lacks(reader, key, whole, less);
            }
        }
        (Value::Array(_), Value::Array(less)) => {
            assert!(
                less.len() < whole.as_array().unwrap().len(),
                "{reader} {key}"
            );
        }
        // A port of two, the address of a prefix without its length.
        (_, Value::String(_)) if ["dport", "src", "dst"].contains(&key) => {}
        // When it came in, for when it was.
        (_, Value::Number(_)) if key == "time" => {}
        // What a request and a reply do without is learned.
        (_, Value::String(text)) if reader.starts_with("save") => assert_eq!(text, "auto", "{key}"),
        // The names of things, and flags, which are there or not.
        (_, Value::String(text)) if ["name", "dev", "to"].contains(&key) => assert_eq!(text, ""),
        (_, Value::Number(id)) if key == "id" => assert_eq!(id.as_u64(), Some(0)),
        (Value::Bool(true), Value::Bool(false)) => {}
        _ => assert!(less.is_null(), "{reader} {key}: {less}"),
    }
}

/// The first modules said what the capacity is, and whether it was given.
#[test]
fn an_older_module_knows_what_was_given() {
    let mut attrs = given_wan();
    attrs.retain(|attr| ![A_WAN_UP_GIVEN_BPS, A_WAN_DOWN_GIVEN_BPS].contains(&attr.kind()));
    let (json, _) = state::tests::shown(&emitted(&attrs));
    assert_eq!(
        (&json["up"], &json["down"]),
        (&"5mbit".into(), &"20mbit".into())
    );
    attrs.push(crate::message::flag(A_WAN_CAPACITY_LEARNED));
    let (json, _) = state::tests::shown(&emitted(&attrs));
    assert_eq!(
        (&json["up"], &json["down"]),
        (&"auto".into(), &"auto".into())
    );
}

#[test]
fn values_that_only_a_newer_module_has_are_unknown() {
    let names = [
        &WAN_STATE_NAMES[..],
        &WAN_REASON_NAMES,
        &WAN_ADMIN_NAMES,
        &WAN_HEALTH_NAMES,
        &CACHE_NAMES,
        &GRANULARITY_NAMES,
        &LAST_RESORT_NAMES,
        &MODE_NAMES,
        &ON_DOWN_NAMES,
        &FAILBACK_NAMES,
        &OUTCOME_NAMES,
        &WHY_NAMES,
    ];
    let is_entry = |key: &str, value: &Value| {
        let entry = value.as_str().unwrap_or_default();
        key != "wan" && names.iter().any(|names| names.contains(&entry))
    };
    let mut seen = 0;
    for reader in readers() {
        let whole = (reader.shown)(&emitted(&reader.attrs)).0;
        for news in [99, u32::MAX] {
            let newer = |attr: &DefaultNla| match attr.value_len() {
                4 => DefaultNla::new(attr.kind(), news.to_ne_bytes().to_vec()),
                _ => attr.clone(),
            };
            for bytes in each_level(&reader, |attrs| vec![attrs.iter().map(newer).collect()]) {
                let (json, text) = (reader.shown)(&bytes);
                assert!(!text.is_empty(), "{}", reader.name);
                let (Value::Object(whole), Value::Object(json)) = (&whole, json) else {
                    continue;
                };
                for (key, _) in whole.iter().filter(|(key, value)| is_entry(key, value)) {
                    // A file keeps the number, with which the module that has told it can do something.
                    let number = Value::String(news.to_string());
                    let is_unknown = json[key].is_null() || json[key] == number;
                    assert!(
                        is_unknown || json[key] == whole[key],
                        "{} {key}",
                        reader.name
                    );
                    seen += usize::from(is_unknown);
                }
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

/// Whatever is in a byte: it may say anything, but not end the tool.
#[test]
fn no_byte_is_fatal() {
    for reader in readers() {
        let whole = emitted(&reader.attrs);
        for at in 0..whole.len() {
            for byte in [0, 1, 3, 4, 5, 0x40, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                (reader.shown)(&bytes);
            }
            (reader.shown)(&whole[..at]);
        }
    }
}
