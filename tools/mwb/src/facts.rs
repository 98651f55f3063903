// SPDX-License-Identifier: GPL-2.0

//! What `mwb doctor` looks at, as it is in the namespace of the calling thread.

use crate::conntrack::{self, Connection};
use crate::marks::Marks;
use crate::netlink::Client;
use crate::nft::Nft;
use crate::rtnetlink::{routes, rules, Links, Route, Rule};
use crate::setting::{self, Value};
use crate::state::State;
use crate::stats::Stats;
use crate::uapi::*;
use crate::wan::Wan;
use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;

#[derive(Default)]
pub struct Facts {
    /// The name that was given with -n.
    pub netns: Option<String>,
    /// None without the module.
    pub instance: Option<Instance>,
    pub links: Links,
    pub rules: Vec<Rule>,
    /// The default routes of main, and what is in the tables of the WANs.
    pub routes: Vec<Route>,
    /// By their paths below /proc/sys/net/ipv4.
    pub sysctls: HashMap<String, u32>,
    /// None if it could not be read.
    pub nft: Option<Nft>,
    /// What could not be looked at, and why.
    pub unseen: Vec<String>,
    /// There are tables of NAT that nft does not show.
    pub has_legacy_nat: bool,
}

pub struct Instance {
    pub wans: Vec<Wan>,
    pub state: State,
    pub marks: Marks,
    pub cache: Option<&'static str>,
    /// By the numbers of the WANs.
    pub bare: HashMap<u32, Bare>,
}

/// Connections that left a WAN with a private address of somebody behind the router.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bare {
    /// Some were answered: whoever is there translates them, or knows the way.
    pub is_answered: bool,
    /// One that was not, as text.
    pub unanswered: Option<String>,
}

impl Facts {
    pub fn gather(netns: Option<String>, client: Option<&mut Client>) -> Result<Self, String> {
        let mut facts = Self {
            netns,
            links: Links::read()?,
            rules: rules()?,
            ..Self::default()
        };
        let mut unseen = Vec::new();
        if let Some(client) = client {
            facts.instance = Some(Instance::read(client, &facts.links, &mut unseen)?);
        }
        facts.routes = match &facts.instance {
            Some(instance) => routes(|table| instance.has_table(table))?,
            None => routes(|_| false)?,
        };
        facts.read_sysctls();
        match Nft::read() {
            Ok(nft) => facts.nft = Some(nft),
            Err(why) => {
                let text = "who translates and who writes marks was not checked";
                unseen.push(format!("{text}: {why}"));
            }
        }
        let names = fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
        facts.has_legacy_nat = names.lines().any(|name| name == "nat");
        facts.unseen = unseen;
        Ok(facts)
    }

    pub fn wans(&self) -> &[Wan] {
        self.instance
            .as_ref()
            .map_or(&[], |instance| &instance.wans)
    }

    pub fn sysctl(&self, path: &str) -> u32 {
        self.sysctls.get(path).copied().unwrap_or(0)
    }

    fn read_sysctls(&mut self) {
        let mut paths = vec!["ip_forward".to_string(), "ip_early_demux".into()];
        let devices = self.wans().iter().map(|wan| wan.dev.as_str());
        for device in devices.chain(["all"]) {
            let keys = ["rp_filter", "src_valid_mark", "forwarding"];
            paths.extend(keys.map(|key| format!("conf/{device}/{key}")));
        }
        let read = |path: String| {
            let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{path}")).ok()?;
            Some((path, text.trim().parse().ok()?))
        };
        self.sysctls = paths.into_iter().filter_map(read).collect();
    }
}

impl Instance {
    fn read(client: &mut Client, links: &Links, unseen: &mut Vec<String>) -> Result<Self, String> {
        let wans = client.dump(CMD_WAN_GET)?;
        let marks = Marks::read(client)?;
        let mut instance = Self {
            wans: wans.iter().map(|reply| Wan::parse(&reply.0)).collect(),
            state: State::read(client)?,
            cache: Stats::read(client)?.cache,
            bare: HashMap::new(),
            marks,
        };
        let seen = conntrack::connections(0, 0, |connection| {
            let id = marks.id(connection.mark);
            if id != 0 && is_bare(&connection, links) {
                instance.bare.entry(id).or_default().add(&connection);
            }
            Ok(true)
        });
        if let Err(why) = seen {
            unseen.push(format!("connections were not checked: {why}"));
        }
        Ok(instance)
    }

    /// The value of a setting of the configuration.
    pub fn config(&self, attr: u16) -> u32 {
        let settings = setting::CONFIG.iter().zip(&self.state.config);
        let values = settings.filter(|(setting, _)| setting.attr == attr);
        match values.last() {
            Some((_, Some(Value::Number(number)))) => *number as u32,
            _ => 0,
        }
    }

    /// The capacity that a WAN was given, up or down.
    pub fn given_bps(&self, name: &str, attr: u16) -> Option<u64> {
        let wan = self.state.wan(name)?;
        let mut settings = setting::WAN.iter().zip(&wan.values);
        match settings.find(|(setting, _)| setting.attr == attr)?.1 {
            Some(Value::Number(bps @ 1..)) => Some(*bps),
            _ => None,
        }
    }

    /// Whether a routing table is that of a WAN, or of one that may come.
    pub fn has_table(&self, table: u32) -> bool {
        let base = self.config(A_CONFIG_TABLE_BASE);
        table > base && table <= base.saturating_add(self.marks.max_id())
    }

    /// Whether a rule's preference is one of the module's own: of the WANs, and two more.
    pub fn has_pref(&self, pref: u32) -> bool {
        let base = self.config(A_CONFIG_RULE_PREF);
        (base..=base.saturating_add(self.marks.max_id() + 2)).contains(&pref)
    }
}

impl Bare {
    fn add(&mut self, connection: &Connection) {
        if connection.is_replied() {
            self.is_answered = true;
        } else if self.unanswered.is_none() {
            let (src, dst) = (connection.orig.src, connection.orig.dst);
            self.unanswered = Some(format!("{src} to {dst}"));
        }
    }
}

/// Whether it went out as it came, from a private address that is not the router's.
fn is_bare(connection: &Connection, links: &Links) -> bool {
    let IpAddr::V4(src) = connection.orig.src else {
        return false;
    };
    let mut addrs = links.0.iter().flat_map(|link| &link.addrs);
    src.is_private()
        && connection.reply.dst == connection.orig.src
        && !addrs.any(|addr| addr.local == src)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::tests::connection;
    use crate::rtnetlink::tests::links;

    #[test]
    fn bare_is_what_nobody_has_translated() {
        let links = links("lan0", "10.0.0.1/24");
        let mut connection = connection();
        assert!(!is_bare(&connection, &links));
        connection.reply.dst = connection.orig.src;
        assert!(is_bare(&connection, &links));
        for own in [[10, 0, 0, 1], [192, 0, 2, 1]] {
            connection.orig.src = own.into();
            connection.reply.dst = own.into();
            assert!(!is_bare(&connection, &links), "{own:?}");
        }
    }

    #[test]
    fn bare_ones_are_answered_or_not() {
        let mut bare = Bare::default();
        bare.add(&connection());
        assert_eq!((bare.is_answered, bare.unanswered), (true, None));
    }
}
