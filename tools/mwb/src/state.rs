// SPDX-License-Identifier: GPL-2.0

//! All that an instance is configured to, as the kernel has it: what `save` prints and `apply` compares with.

use crate::group_show::Group;
use crate::message::{self, attributes, Reply, Request};
use crate::netlink::Client;
use crate::policy::{Policy, Row};
use crate::setting::{self, Setting, Value};
use crate::uapi::*;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct State {
    /// In the order of `setting::CONFIG`; None for what the module does not know.
    pub config: Vec<Option<Value>>,
    /// In the order of their numbers.
    pub wans: Vec<Wan>,
    pub groups: Vec<Group>,
    /// In the order in which they are tried.
    pub policies: Vec<Policy>,
}

#[derive(Debug)]
pub struct Wan {
    pub name: String,
    pub id: u32,
    /// In the order of `setting::WAN`.
    pub values: Vec<Option<Value>>,
}

impl State {
    pub fn read(client: &mut Client) -> Result<Self, String> {
        let config = client.call(Request::new(CMD_CONFIG_GET, vec![]))?;
        let groups = client.dump(CMD_GROUP_GET)?;
        let policies = client.dump_as(CMD_POLICY_GET, |reply| Row::parse(&reply.0).policy)?;
        Ok(Self {
            config: values(
                &setting::CONFIG,
                config.first().map_or(&[], |reply| &reply.0),
            ),
            wans: client.dump(CMD_WAN_GET)?.iter().map(Wan::read).collect(),
            groups: groups.iter().map(|reply| Group::parse(&reply.0)).collect(),
            policies,
        })
    }

    pub fn wan(&self, name: &str) -> Option<&Wan> {
        self.wans.iter().find(|wan| wan.name == name)
    }
}

impl Wan {
    fn read(reply: &Reply) -> Self {
        let attrs: HashMap<_, _> = attributes(&reply.0).collect();
        let value = |kind| attrs.get(&kind).copied();
        Self {
            name: value(A_WAN_NAME)
                .map(message::read_string)
                .unwrap_or_default(),
            id: value(A_WAN_ID)
                .and_then(message::read_u32)
                .unwrap_or_default(),
            values: values(&setting::WAN, &reply.0),
        }
    }

    /// The name of its device.
    pub fn dev(&self) -> Option<&str> {
        dev(self.values.iter().flatten())
    }
}

/// The device among the values of a WAN, which is the only text.
pub fn dev<'a>(values: impl IntoIterator<Item = &'a Value>) -> Option<&'a str> {
    values.into_iter().find_map(|value| match value {
        Value::Text(dev) => Some(dev.as_str()),
        Value::Number(_) => None,
    })
}

fn values(settings: &[Setting], attrs: &[u8]) -> Vec<Option<Value>> {
    let attrs = attributes(attrs).collect();
    settings
        .iter()
        .map(|setting| setting.read(&attrs))
        .collect()
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::{emitted, u32};
    use crate::save;

    /// A WAN with what the kernel reports of one that has nothing but a device.
    pub fn wan(name: &str, id: u32, dev: &str) -> Wan {
        let bytes = emitted(&[
            message::string(A_WAN_NAME, name),
            u32(A_WAN_ID, id),
            message::string(A_WAN_DEV, dev),
            u32(A_WAN_TIER, 1),
            u32(A_WAN_ADMIN, WAN_ADMIN_ENABLED),
        ]);
        Wan::read(&Reply(bytes))
    }

    /// The configuration as it is when nobody has changed it.
    pub fn defaults() -> Vec<Option<Value>> {
        setting::CONFIG.iter().map(Setting::default).collect()
    }

    /// Where a setting of the configuration is among its values.
    pub fn at(name: &str) -> usize {
        let is_it = |setting: &Setting| setting.name == name;
        setting::CONFIG.iter().position(is_it).unwrap()
    }

    /// What becomes of the attributes of a WAN, as people read it and in a file.
    pub fn shown(attrs: &[u8]) -> Shown {
        let wan = Wan::read(&Reply(attrs.to_vec()));
        let json = texts(&setting::WAN, &wan.values);
        let (name, id) = (wan.name.clone(), wan.id);
        let state = State {
            wans: vec![wan],
            ..State::default()
        };
        (json, format!("{name} {id} {}", save::toml(&state, true)))
    }

    /// And of those of the configuration.
    pub fn shown_config(attrs: &[u8]) -> Shown {
        let config = values(&setting::CONFIG, attrs);
        let json = texts(&setting::CONFIG, &config);
        let state = State {
            config,
            ..State::default()
        };
        (json, save::toml(&state, true))
    }

    fn texts(settings: &[Setting], values: &[Option<Value>]) -> serde_json::Value {
        let text = |(setting, value): (&Setting, &Option<Value>)| {
            let text = value.as_ref().map(|value| setting.text(value));
            (setting.name.to_string(), serde_json::json!(text))
        };
        serde_json::Value::Object(settings.iter().zip(values).map(text).collect())
    }

    #[test]
    fn reads_a_wan() {
        let wan = Wan::read(&Reply(emitted(&crate::wan::tests::attrs())));
        assert_eq!((&*wan.name, wan.id, wan.dev()), ("dsl", 3, Some("eth1")));
        let texts = setting::WAN.iter().zip(&wan.values);
        let texts: Vec<_> = texts
            .map(|(setting, value)| setting.text(value.as_ref().unwrap()))
            .collect();
        // Its gateway and its capacities are learned.
        assert_eq!(
            texts,
            ["eth1", "auto", "auto", "auto", "2", "40", "enabled"]
        );
    }

    #[test]
    fn tolerates_what_is_missing() {
        let wan = Wan::read(&Reply(vec![]));
        assert_eq!((&*wan.name, wan.id, wan.dev()), ("", 0, None));
        // An address and a rate are absent while they are unknown, a weight while it follows the capacity.
        let known: Vec<_> = wan.values.iter().map(Option::is_some).collect();
        assert_eq!(known, [false, true, true, true, false, true, false]);
        assert!(values(&setting::CONFIG, &[]).iter().all(Option::is_none));
    }
}
