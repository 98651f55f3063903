// SPDX-License-Identifier: GPL-2.0

//! `mwb config show`: how the instance works.

use crate::message::{self, attributes, Request};
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::table::known;
use crate::uapi::*;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Clone, Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Config {
    granularity: Option<&'static str>,
    pair_timeout_s: Option<u32>,
    mode: Option<&'static str>,
    interval_ms: Option<u32>,
    average_ms: Option<u32>,
    threshold_percent: Option<u32>,
    exit_percent: Option<u32>,
    credit_cap_percent: Option<u32>,
    pub last_resort: Option<&'static str>,
    on_down: Option<&'static str>,
    failback: Option<&'static str>,
    mark_mask: Option<u32>,
    rule_pref: Option<u32>,
    table_base: Option<u32>,
}

impl Config {
    pub fn parse(attrs: &[u8]) -> Self {
        let mut config = Self::default();
        for (kind, value) in attributes(attrs) {
            let read_u32 = || message::read_u32(value);
            let read_enum = |names| message::read_enum(names, value);
            match kind {
                A_CONFIG_GRANULARITY => config.granularity = read_enum(&GRANULARITY_NAMES),
                A_CONFIG_PAIR_TIMEOUT => config.pair_timeout_s = read_u32(),
                A_CONFIG_MODE => config.mode = read_enum(&MODE_NAMES),
                A_CONFIG_INTERVAL_MS => config.interval_ms = read_u32(),
                A_CONFIG_AVERAGE_MS => config.average_ms = read_u32(),
                A_CONFIG_THRESHOLD_PERCENT => config.threshold_percent = read_u32(),
                A_CONFIG_EXIT_PERCENT => config.exit_percent = read_u32(),
                A_CONFIG_CREDIT_CAP_PERCENT => config.credit_cap_percent = read_u32(),
                A_CONFIG_LAST_RESORT => config.last_resort = read_enum(&LAST_RESORT_NAMES),
                A_CONFIG_ON_DOWN => config.on_down = read_enum(&ON_DOWN_NAMES),
                A_CONFIG_FAILBACK => config.failback = read_enum(&FAILBACK_NAMES),
                A_CONFIG_MARK_MASK => config.mark_mask = read_u32(),
                A_CONFIG_RULE_PREF => config.rule_pref = read_u32(),
                A_CONFIG_TABLE_BASE => config.table_base = read_u32(),
                _ => {}
            }
        }
        config
    }

    pub fn read(client: &mut Client) -> Result<Self, String> {
        let replies = client.call(Request::new(CMD_CONFIG_GET, vec![]))?;
        Ok(Self::parse(replies.first().map_or(&[], |reply| &reply.0)))
    }

    fn rows(&self) -> [(&'static str, String); 14] {
        let named = |name: Option<&str>| name.unwrap_or("unknown").to_string();
        [
            ("granularity", named(self.granularity)),
            ("pair_timeout_s", known(self.pair_timeout_s)),
            ("mode", named(self.mode)),
            ("interval_ms", known(self.interval_ms)),
            ("average_ms", known(self.average_ms)),
            ("threshold_percent", known(self.threshold_percent)),
            ("exit_percent", known(self.exit_percent)),
            ("credit_cap_percent", known(self.credit_cap_percent)),
            ("last_resort", named(self.last_resort)),
            ("on_down", named(self.on_down)),
            ("failback", named(self.failback)),
            (
                "mark_mask",
                known(self.mark_mask.map(|mask| format!("{mask:#010x}"))),
            ),
            ("rule_pref", known(self.rule_pref)),
            ("table_base", known(self.table_base)),
        ]
    }

    fn text(&self) -> String {
        let rows = self.rows();
        rows.map(|(key, value)| format!("{key:<20}{value}\n"))
            .concat()
    }

    /// What it has that another one has not.
    pub fn news(&self, old: &Self) -> String {
        let rows = self.rows().into_iter().zip(old.rows());
        let news = rows.filter(|(new, old)| new != old);
        let news: Vec<_> = news.map(|((key, new), _)| format!("{key} {new}")).collect();
        news.join(", ")
    }
}

pub fn run(client: &mut Client, output: Output) -> Result<(), String> {
    let config = Config::read(client)?;
    match output.json {
        true => output.json(&config),
        false => output::write(config.text().as_bytes()),
    }
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, u32};
    use netlink_packet_core::DefaultNla;

    pub fn attrs() -> Vec<DefaultNla> {
        vec![
            u32(A_CONFIG_GRANULARITY, GRANULARITY_PAIR),
            u32(A_CONFIG_PAIR_TIMEOUT, 600),
            u32(A_CONFIG_MODE, MODE_TWO_CHOICES),
            u32(A_CONFIG_INTERVAL_MS, 100),
            u32(A_CONFIG_AVERAGE_MS, 500),
            u32(A_CONFIG_THRESHOLD_PERCENT, 90),
            u32(A_CONFIG_EXIT_PERCENT, 70),
            u32(A_CONFIG_CREDIT_CAP_PERCENT, 40),
            u32(A_CONFIG_LAST_RESORT, LAST_RESORT_UNREACHABLE),
            u32(A_CONFIG_ON_DOWN, ON_DOWN_HOLD),
            u32(A_CONFIG_FAILBACK, FAILBACK_PAIRS),
            u32(A_CONFIG_MARK_MASK, 0xff00),
            u32(A_CONFIG_RULE_PREF, 7000),
            u32(A_CONFIG_TABLE_BASE, 8000),
        ]
    }

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let config = Config::parse(attrs);
        (serde_json::to_value(&config).unwrap(), config.text())
    }

    #[test]
    fn reads_all() {
        let config = Config::parse(&emitted(&attrs()));
        assert_eq!(
            serde_json::to_string(&config).unwrap(),
            concat!(
                r#"{"granularity":"pair","pair_timeout_s":600,"#,
                r#""mode":"two-choices","interval_ms":100,"average_ms":500,"#,
                r#""threshold_percent":90,"exit_percent":70,"credit_cap_percent":40,"#,
                r#""last_resort":"unreachable","#,
                r#""on_down":"hold","failback":"pairs","#,
                r#""mark_mask":65280,"rule_pref":7000,"table_base":8000}"#
            )
        );
        assert_eq!(
            config.text(),
            "\
granularity         pair
pair_timeout_s      600
mode                two-choices
interval_ms         100
average_ms          500
threshold_percent   90
exit_percent        70
credit_cap_percent  40
last_resort         unreachable
on_down             hold
failback            pairs
mark_mask           0x0000ff00
rule_pref           7000
table_base          8000
"
        );
    }

    #[test]
    fn tolerates_what_is_missing_or_unknown() {
        assert_eq!(Config::parse(&[]), Config::default());
        let json = serde_json::to_value(Config::default()).unwrap();
        for (key, value) in json.as_object().unwrap() {
            assert!(value.is_null(), "{key}");
        }
        let newer = [
            u32(A_CONFIG_GRANULARITY, GRANULARITY_NAMES.len() as u32),
            u32(A_CONFIG_MAX + 1, 7),
        ];
        assert_eq!(Config::parse(&emitted(&newer)), Config::default());
    }

    #[test]
    fn takes_no_value_that_is_cut_off_or_misshapen() {
        let whole = emitted(&attrs());
        for length in 0..whole.len() {
            assert_eq!(Config::parse(&whole[..length]).table_base, None);
        }
        for bytes in misshapen(&attrs()) {
            assert_eq!(Config::parse(&bytes), Config::default());
        }
    }
}
