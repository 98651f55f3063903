// SPDX-License-Identifier: GPL-2.0

//! What is told beside the WANs: changes of what is configured, and how new connections are placed. A line of
//! `mwb monitor` each, as text and as JSON.

use crate::clock::Time;
use crate::config::Config;
use crate::group_show::Group;
use crate::message::{self, attributes};
use crate::policy::{Policy, Row};
use crate::table::printable;
use crate::uapi::*;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Change {
    ConfigSet {
        time: Time,
        /// What is new of it.
        #[serde(skip)]
        news: String,
        #[serde(flatten)]
        config: Config,
    },
    GroupSet {
        time: Time,
        #[serde(flatten)]
        group: Group,
    },
    GroupDel {
        time: Time,
        name: String,
    },
    PolicyAdd {
        time: Time,
        #[serde(flatten)]
        policy: Policy,
    },
    PolicyDel {
        time: Time,
        #[serde(flatten)]
        policy: Policy,
    },
    /// All of them, by so many.
    PolicyReplace {
        time: Time,
        policies: u32,
    },
    /// No WAN is up any more, or one is again.
    LastResort {
        time: Time,
        active: bool,
        last_resort: Option<&'static str>,
    },
    /// What only a newer kernel tells.
    Unknown {
        time: Time,
        command: u8,
    },
}

impl Change {
    /// Reads what came in at `time`, after the configuration was `config`, which it brings up to date.
    pub fn parse(command: u8, attrs: &[u8], time: Time, config: &mut Config) -> Self {
        let value = |wanted| {
            let mut attrs = attributes(attrs);
            attrs.find(|(kind, _)| *kind == wanted).map(|attr| attr.1)
        };
        let policy = || Row::parse(attrs).policy;
        match command {
            CMD_CONFIG_SET_NTF => {
                let old = std::mem::replace(config, Config::parse(attrs));
                Self::config_set(&old, config, time)
            }
            CMD_GROUP_SET_NTF => Self::GroupSet {
                time,
                group: Group::parse(attrs),
            },
            CMD_GROUP_DEL_NTF => Self::GroupDel {
                time,
                name: Group::parse(attrs).name,
            },
            CMD_POLICY_ADD_NTF => Self::PolicyAdd {
                time,
                policy: policy(),
            },
            CMD_POLICY_DEL_NTF => Self::PolicyDel {
                time,
                policy: policy(),
            },
            CMD_POLICY_REPLACE_NTF => Self::PolicyReplace {
                time,
                policies: value(A_POLICIES_COUNT)
                    .and_then(message::read_u32)
                    .unwrap_or_default(),
            },
            CMD_LAST_RESORT_ENTER_NTF | CMD_LAST_RESORT_LEAVE_NTF => Self::LastResort {
                time,
                active: command == CMD_LAST_RESORT_ENTER_NTF,
                last_resort: value(A_CONFIG_LAST_RESORT)
                    .and_then(|value| message::read_enum(&LAST_RESORT_NAMES, value)),
            },
            command => Self::Unknown { time, command },
        }
    }

    pub fn config_set(old: &Config, new: &Config, time: Time) -> Self {
        Self::ConfigSet {
            time,
            news: new.news(old),
            config: new.clone(),
        }
    }

    pub fn last_resort(active: bool, config: &Config, time: Time) -> Self {
        Self::LastResort {
            time,
            active,
            last_resort: config.last_resort,
        }
    }

    fn time(&self) -> Time {
        match self {
            Self::ConfigSet { time, .. }
            | Self::GroupSet { time, .. }
            | Self::GroupDel { time, .. }
            | Self::PolicyAdd { time, .. }
            | Self::PolicyDel { time, .. }
            | Self::PolicyReplace { time, .. }
            | Self::LastResort { time, .. }
            | Self::Unknown { time, .. } => *time,
        }
    }

    pub fn text(&self, zone: TimeZone) -> String {
        let news = match self {
            Self::ConfigSet { news, .. } => format!("config set: {news}"),
            Self::GroupSet { group, .. } => {
                format!("group {} set: {}", group.name, group.wans.join(" "))
            }
            Self::GroupDel { name, .. } => format!("group {name} removed"),
            Self::PolicyAdd { policy, .. } => format!("policy added: {policy}"),
            Self::PolicyDel { policy, .. } => format!("policy removed: {policy}"),
            Self::PolicyReplace { policies: 0, .. } => "all policies removed".into(),
            Self::PolicyReplace { policies, .. } => {
                format!("all policies replaced, there are {policies} now")
            }
            Self::LastResort {
                active: true,
                last_resort,
                ..
            } => format!("last resort: {}", last_resort.unwrap_or("unknown")),
            Self::LastResort { active: false, .. } => "last resort: no longer".into(),
            Self::Unknown { command, .. } => format!("unknown event {command}"),
        };
        format!("[{}] {}\n", self.time().text(zone), printable(&news))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, string, u32};
    use crate::policy;
    use netlink_packet_core::DefaultNla;

    const ALL: [u8; 8] = [
        CMD_CONFIG_SET_NTF,
        CMD_GROUP_SET_NTF,
        CMD_GROUP_DEL_NTF,
        CMD_POLICY_ADD_NTF,
        CMD_POLICY_DEL_NTF,
        CMD_POLICY_REPLACE_NTF,
        CMD_LAST_RESORT_ENTER_NTF,
        CMD_LAST_RESORT_LEAVE_NTF,
    ];

    fn time() -> Time {
        Time::from_ns(1_795_359_845_123_456_789).unwrap()
    }

    fn parsed(command: u8, attrs: &[DefaultNla]) -> Change {
        Change::parse(command, &emitted(attrs), time(), &mut Config::default())
    }

    fn told(command: u8, attrs: &[DefaultNla]) -> (String, String) {
        let change = parsed(command, attrs);
        let text = change.text(TimeZone::UTC);
        let text = text.strip_prefix("[2026-11-22T15:04:05.123456] ").unwrap();
        (text.into(), serde_json::to_string(&change).unwrap())
    }

    #[test]
    fn groups() {
        let attrs = [
            string(A_GROUP_NAME, "fast"),
            string(A_GROUP_WAN, "dsl"),
            string(A_GROUP_WAN, "lte"),
        ];
        let (text, json) = told(CMD_GROUP_SET_NTF, &attrs);
        assert_eq!(text, "group fast set: dsl lte\n");
        assert_eq!(
            json,
            r#"{"event":"group-set","time":1795359845.123456,"name":"fast","wans":["dsl","lte"]}"#
        );
        let (text, json) = told(CMD_GROUP_DEL_NTF, &attrs[..1]);
        assert_eq!(text, "group fast removed\n");
        assert_eq!(
            json,
            r#"{"event":"group-del","time":1795359845.123456,"name":"fast"}"#
        );
    }

    #[test]
    fn policies() {
        let line = "--pref 900 --src 10.0.0.0/8 --dst 192.0.2.1/32 --iif lan0 --proto tcp \
            --dport 80-443 --dscp 46 --to dsl --strict\n";
        let (text, json) = told(CMD_POLICY_ADD_NTF, &policy::tests::attrs());
        assert_eq!(text, format!("policy added: {line}"));
        assert_eq!(
            json,
            concat!(
                r#"{"event":"policy-add","time":1795359845.123456,"#,
                r#""pref":900,"src":"10.0.0.0/8","dst":"192.0.2.1/32","iif":"lan0","proto":"tcp","#,
                r#""dport":"80-443","dscp":46,"to":"dsl","strict":true}"#
            )
        );
        let (text, json) = told(CMD_POLICY_DEL_NTF, &policy::tests::attrs());
        assert_eq!(text, format!("policy removed: {line}"));
        assert!(json.starts_with(r#"{"event":"policy-del","#));
        let (text, json) = told(CMD_POLICY_REPLACE_NTF, &[u32(A_POLICIES_COUNT, 100_000)]);
        assert_eq!(text, "all policies replaced, there are 100000 now\n");
        assert_eq!(
            json,
            r#"{"event":"policy-replace","time":1795359845.123456,"policies":100000}"#
        );
        let (text, _) = told(CMD_POLICY_REPLACE_NTF, &[u32(A_POLICIES_COUNT, 0)]);
        assert_eq!(text, "all policies removed\n");
    }

    #[test]
    fn of_the_configuration_only_what_is_new() {
        let mut attrs = config::tests::attrs();
        let mut config = Config::parse(&emitted(&attrs));
        attrs[2] = u32(A_CONFIG_MODE, MODE_WEIGHTED);
        attrs[4] = u32(A_CONFIG_AVERAGE_MS, 1000);
        let bytes = emitted(&attrs);
        let change = Change::parse(CMD_CONFIG_SET_NTF, &bytes, time(), &mut config);
        assert_eq!(config, Config::parse(&bytes));
        assert_eq!(
            change.text(TimeZone::UTC),
            "[2026-11-22T15:04:05.123456] config set: mode weighted, average_ms 1000\n"
        );
        let json = serde_json::to_value(&change).unwrap();
        assert_eq!(json["event"], "config-set");
        assert_eq!(json["table_base"], 8000);
        assert!(json.get("news").is_none());
    }

    #[test]
    fn last_resort() {
        let attrs = [u32(A_CONFIG_LAST_RESORT, LAST_RESORT_UNREACHABLE)];
        let (text, json) = told(CMD_LAST_RESORT_ENTER_NTF, &attrs);
        assert_eq!(text, "last resort: unreachable\n");
        assert_eq!(
            json,
            r#"{"event":"last-resort","time":1795359845.123456,"active":true,"last_resort":"unreachable"}"#
        );
        let (text, json) = told(CMD_LAST_RESORT_LEAVE_NTF, &[]);
        assert_eq!(text, "last resort: no longer\n");
        assert!(json.contains(r#""active":false,"last_resort":null"#));
    }

    #[test]
    fn what_is_unknown_is_told_as_such() {
        let (text, json) = told(200, &[u32(7, 7)]);
        assert_eq!(text, "unknown event 200\n");
        assert_eq!(
            json,
            r#"{"event":"unknown","time":1795359845.123456,"command":200}"#
        );
    }

    #[test]
    fn tolerates_what_is_missing_or_misshapen() {
        let attrs: Vec<_> = (0..20).map(|kind| u32(kind, 1)).collect();
        for command in ALL {
            let whole = emitted(&attrs);
            for bytes in misshapen(&attrs)
                .iter()
                .map(|b| &b[..])
                .chain([&[][..], &whole[..9]])
            {
                let change = Change::parse(command, bytes, time(), &mut Config::default());
                assert!(!matches!(change, Change::Unknown { .. }), "{command}");
                assert_eq!(change.text(TimeZone::UTC).lines().count(), 1, "{command}");
            }
        }
        let (text, _) = told(CMD_GROUP_DEL_NTF, &[string(A_GROUP_NAME, "\x1b[2J\n")]);
        assert_eq!(text, "group ?[2J? removed\n");
    }
}
