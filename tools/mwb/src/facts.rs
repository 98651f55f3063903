// SPDX-License-Identifier: GPL-2.0

//! What `mwb doctor` looks at, as it is in the namespace of the calling thread.

use crate::conntrack::{self, Connection};
use crate::marks::Marks;
use crate::netlink::Client;
use crate::nft::Nft;
use crate::rtnetlink::{routes, rules, Link, Links, Route, Rule};
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
    /// Tables of iptables that nft does not show.
    pub legacy_tables: Vec<String>,
    /// The devices with a session of PPPoE, which nobody tells the devices above of.
    pub pppoe: Vec<String>,
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
        let links = Links::read()?;
        let (rules, unread_rules) = rules()?;
        let mut unseen = Vec::new();
        let instance = client.map(|client| Instance::read(client, &links, &mut unseen));
        let instance = instance.transpose()?;
        let (routes, unread_routes) = match &instance {
            Some(instance) => routes(|table| instance.has_table(table))?,
            None => routes(|_| false)?,
        };
        unseen.extend(unread(links.unread, "links and addresses"));
        unseen.extend(unread(unread_rules, "rules"));
        unseen.extend(unread(unread_routes, "routes"));
        let mut facts = Self {
            netns,
            instance,
            links,
            rules,
            routes,
            ..Self::default()
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
        facts.legacy_tables = names.lines().map(String::from).collect();
        facts.pppoe = pppoe(&fs::read_to_string("/proc/net/pppoe").unwrap_or_default());
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

    pub fn is_wan(&self, dev: &str) -> bool {
        self.wans().iter().any(|wan| wan.dev == dev)
    }

    pub fn has_legacy(&self, table: &str) -> bool {
        self.legacy_tables.iter().any(|name| name == table)
    }

    /// Links that packets from behind the router come in through, or might.
    pub fn inside(&self) -> impl Iterator<Item = &Link> {
        let links = self.links.all.iter();
        links.filter(|link| {
            let mut addrs = link.addrs.iter();
            link.is_up && addrs.any(|addr| !addr.local.is_loopback()) && !self.is_wan(&link.name)
        })
    }

    /// All devices below that of a WAN, as far as that can be told.
    pub fn below(&self, dev: &str) -> Vec<&str> {
        let below = |dev| self.links.below(dev).into_iter().map(|l| l.name.as_str());
        let found: Vec<_> = below(dev).collect();
        if !found.is_empty() {
            return found;
        }
        let sessions = self.pppoe.iter().map(String::as_str);
        sessions
            .flat_map(|dev| [dev].into_iter().chain(below(dev)))
            .collect()
    }

    fn read_sysctls(&mut self) {
        let mut paths = vec!["ip_forward".to_string(), "ip_early_demux".into()];
        let inside: Vec<_> = self.inside().map(|link| link.name.as_str()).collect();
        let devices = self.wans().iter().map(|wan| wan.dev.as_str());
        for device in devices.chain(inside).chain(["all"]) {
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
        let wans: Vec<_> = wans.iter().map(|reply| Wan::parse(&reply.0)).collect();
        let is_wan = |link: &Link| wans.iter().any(|wan| wan.dev == link.name);
        let mut bare: HashMap<u32, Bare> = HashMap::new();
        let seen = conntrack::connections(0, 0, |connection| {
            let id = marks.id(connection.mark);
            if id != 0 && is_bare(&connection, links, is_wan) {
                bare.entry(id).or_default().add(&connection);
            }
            Ok(true)
        });
        if let Err(why) = seen {
            unseen.push(format!("connections were not checked: {why}"));
        }
        Ok(Self {
            state: State::read(client)?,
            cache: Stats::read(client)?.cache,
            wans,
            bare,
            marks,
        })
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

/// Whether it was begun behind the router, with a private address, and left as it came. What came in through a
/// WAN has its mark as well.
fn is_bare(connection: &Connection, links: &Links, is_wan: impl Fn(&Link) -> bool) -> bool {
    let (orig, reply) = (connection.orig, connection.reply);
    let (IpAddr::V4(src), IpAddr::V4(dst)) = (orig.src, orig.dst) else {
        return false;
    };
    let mut addrs = links.all.iter().flat_map(|link| &link.addrs);
    let is_own = addrs.any(|addr| [src, dst].contains(&addr.local));
    let came_in = links.with(src).any(&is_wan) || links.with(dst).any(|link| !is_wan(link));
    // Who forwards a port to a host behind the router changes the destination.
    let is_as_it_came = reply.dst == orig.src && reply.src == orig.dst;
    src.is_private() && is_as_it_came && !is_own && !came_in
}

fn unread(count: usize, what: &str) -> Option<String> {
    (count != 0).then(|| format!("{count} {what} were not understood, so they were not checked"))
}

/// The last word of each line but the first.
fn pppoe(sessions: &str) -> Vec<String> {
    let lines = sessions.lines().skip(1);
    let devices = lines.filter_map(|line| line.split_whitespace().last());
    devices.map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::tests::connection;
    use crate::rtnetlink::tests::links;

    #[test]
    fn bare_is_what_nobody_has_translated() {
        let mut all = links("lan0", "10.0.0.1/24");
        all.all.extend(links("eth1", "192.168.7.2/24").all);
        let is_bare = |connection: &Connection| is_bare(connection, &all, |l| l.name == "eth1");
        let mut connection = connection();
        assert!(!is_bare(&connection));
        connection.reply.dst = connection.orig.src;
        assert!(is_bare(&connection));
        let from = |src: [u8; 4], dst: [u8; 4]| {
            let mut connection = connection.clone();
            (connection.orig.src, connection.orig.dst) = (src.into(), dst.into());
            (connection.reply.src, connection.reply.dst) = (dst.into(), src.into());
            is_bare(&connection)
        };
        assert!(from([10, 0, 0, 9], [198, 51, 100, 1]));
        for (src, dst) in [
            // The router's own; nothing that would be private.
            ([10, 0, 0, 1], [198, 51, 100, 1]),
            ([203, 0, 113, 1], [198, 51, 100, 1]),
            // It came in through the WAN: to the router, from its network, to somebody behind the router.
            ([172, 16, 0, 1], [192, 168, 7, 2]),
            ([192, 168, 7, 9], [198, 51, 100, 1]),
            ([172, 16, 0, 1], [10, 0, 0, 9]),
        ] {
            assert!(!from(src, dst), "{src:?} {dst:?}");
        }
        // By a port that is forwarded.
        connection.reply.src = [10, 0, 0, 9].into();
        assert!(!is_bare(&connection));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert_eq!(unread(0, "rules"), None);
        let text = unread(2, "rules").unwrap();
        assert_eq!(
            text,
            "2 rules were not understood, so they were not checked"
        );
    }

    #[test]
    fn a_session_of_pppoe_has_a_device() {
        let text = "Id       Address              Device\n01000000 02:00:00:00:00:01     eth0\n";
        let mut facts = Facts {
            pppoe: pppoe(text),
            links: links("ppp0", "192.0.2.2/32"),
            ..Facts::default()
        };
        assert_eq!(facts.below("ppp0"), ["eth0"]);
        facts.links.all[0].below = Some(8);
        let trunk = links("trunk", "192.0.2.2/32").all.remove(0);
        facts.links.all.push(Link { index: 8, ..trunk });
        assert_eq!(facts.below("ppp0"), ["trunk"]);
    }

    #[test]
    fn bare_ones_are_answered_or_not() {
        let mut bare = Bare::default();
        bare.add(&connection());
        assert_eq!((bare.is_answered, bare.unanswered), (true, None));
    }
}
