// SPDX-License-Identifier: GPL-2.0

//! What the namespace has of links, addresses, rules and routes, as far as it concerns WANs.

use crate::dump::{dump, End};
use crate::uapi::RT_PROTO;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use std::net::{IpAddr, Ipv4Addr};

/// The protocol of the rules and routes that the module writes.
const OURS: u8 = RT_PROTO as u8;

const MAIN: u32 = 254;
const DEFAULT: &str = "default";

/// How often a dump that was overtaken by changes is asked for again.
const TRIES: u32 = 10;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub is_up: bool,
    pub addrs: Vec<Addr>,
}

/// An IPv4 address of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Addr {
    pub local: Ipv4Addr,
    /// On a point-to-point link that of the other end, else the same.
    pub peer: Ipv4Addr,
    pub len: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links(pub Vec<Link>);

/// A rule that is not the module's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    pub pref: u32,
    pub mark: u32,
    pub mask: u32,
    pub table: u32,
    pub protocol: u8,
}

/// A default route of main, or one in another table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    pub table: u32,
    pub metric: u32,
    pub gateway: Option<Ipv4Addr>,
    /// Indices of the devices; several, if it has several next hops.
    pub oifs: Vec<u32>,
    /// As `ip route` has it.
    pub dst: String,
    pub is_ours: bool,
}

impl Links {
    pub fn read() -> Result<Self, String> {
        let mut links = Vec::new();
        all(
            RouteNetlinkMessage::GetLink(LinkMessage::default()),
            &mut links,
            |message| match message {
                RouteNetlinkMessage::NewLink(link) => Some(Link::from(link)),
                _ => None,
            },
        )?;
        let mut addrs = Vec::new();
        let mut get = AddressMessage::default();
        get.header.family = AddressFamily::Inet;
        all(
            RouteNetlinkMessage::GetAddress(get),
            &mut addrs,
            |message| match message {
                RouteNetlinkMessage::NewAddress(addr) => of_addr(addr),
                _ => None,
            },
        )?;
        for link in &mut links {
            let own = addrs.iter().filter(|(index, _)| *index == link.index);
            link.addrs = own.map(|(_, addr)| *addr).collect();
        }
        Ok(Self(links))
    }

    pub fn by_name(&self, name: &str) -> Option<&Link> {
        self.0.iter().find(|link| link.name == name)
    }

    pub fn name(&self, index: u32) -> Option<&str> {
        let mut links = self.0.iter();
        links
            .find(|link| link.index == index)
            .map(|link| link.name.as_str())
    }

    /// Whether a device has addresses, and none of them is on a network with this host.
    pub fn is_off(&self, device: &str, host: Ipv4Addr) -> bool {
        let addrs = self.by_name(device).map_or(&[][..], |link| &link.addrs);
        !addrs.is_empty() && !addrs.iter().any(|addr| addr.reaches(host))
    }
}

impl Route {
    pub fn is_main_default(&self) -> bool {
        self.table == MAIN && self.dst == DEFAULT
    }
}

impl Addr {
    /// Whether another host is on the network of this address.
    fn reaches(&self, host: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - self.len).unwrap_or(0);
        (u32::from(host) ^ u32::from(self.peer)) & mask == 0 && host != self.local
    }
}

pub fn rules() -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    let mut get = RuleMessage::default();
    get.header.family = AddressFamily::Inet;
    all(
        RouteNetlinkMessage::GetRule(get),
        &mut rules,
        |message| match message {
            RouteNetlinkMessage::NewRule(rule) => of_rule(rule),
            _ => None,
        },
    )?;
    Ok(rules)
}

/// The default routes of main, and what is in the tables that `is_wanted`.
pub fn routes(is_wanted: impl Fn(u32) -> bool) -> Result<Vec<Route>, String> {
    let mut routes = Vec::new();
    let mut get = RouteMessage::default();
    get.header.address_family = AddressFamily::Inet;
    all(
        RouteNetlinkMessage::GetRoute(get),
        &mut routes,
        |message| match message {
            RouteNetlinkMessage::NewRoute(route) => {
                of_route(route).filter(|r| r.is_main_default() || is_wanted(r.table))
            }
            _ => None,
        },
    )?;
    Ok(routes)
}

/// Keeps what `read` makes of the messages of a dump.
fn all<T>(
    get: RouteNetlinkMessage,
    kept: &mut Vec<T>,
    read: impl Fn(RouteNetlinkMessage) -> Option<T>,
) -> Result<(), String> {
    for _ in 0..TRIES {
        kept.clear();
        let end = dump(NETLINK_ROUTE, get.clone(), |message| {
            kept.extend(read(message));
            Ok(true)
        })?;
        if end == End::Whole {
            return Ok(());
        }
    }
    Err("rules and routes change faster than they can be read: try again".into())
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let name = message.attributes.into_iter().find_map(|attr| match attr {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        });
        Self {
            index: message.header.index,
            name: name.unwrap_or_default(),
            is_up: message.header.flags.contains(LinkFlags::Up),
            addrs: vec![],
        }
    }
}

fn of_addr(message: AddressMessage) -> Option<(u32, Addr)> {
    let (mut local, mut peer) = (None, None);
    for attr in message.attributes {
        match attr {
            AddressAttribute::Local(IpAddr::V4(addr)) => local = Some(addr),
            AddressAttribute::Address(IpAddr::V4(addr)) => peer = Some(addr),
            _ => {}
        }
    }
    let addr = Addr {
        local: local.or(peer)?,
        peer: peer.or(local)?,
        len: u32::from(message.header.prefix_len).min(32),
    };
    Some((message.header.index, addr))
}

fn of_rule(message: RuleMessage) -> Option<Rule> {
    let mut rule = Rule {
        table: message.header.table.into(),
        ..Rule::default()
    };
    for attr in message.attributes {
        match attr {
            RuleAttribute::Priority(pref) => rule.pref = pref,
            RuleAttribute::FwMark(mark) => rule.mark = mark,
            RuleAttribute::FwMask(mask) => rule.mask = mask,
            RuleAttribute::Table(table) => rule.table = table,
            RuleAttribute::Protocol(by) => rule.protocol = by.into(),
            _ => {}
        }
    }
    (rule.protocol != OURS).then_some(rule)
}

fn of_route(message: RouteMessage) -> Option<Route> {
    let header = message.header;
    if header.kind != RouteType::Unicast {
        return None;
    }
    let mut route = Route {
        table: header.table.into(),
        dst: DEFAULT.into(),
        is_ours: u8::from(header.protocol) == OURS,
        ..Route::default()
    };
    for attr in message.attributes {
        match attr {
            RouteAttribute::Table(table) => route.table = table,
            RouteAttribute::Priority(metric) => route.metric = metric,
            RouteAttribute::Gateway(RouteAddress::Inet(addr)) => route.gateway = Some(addr),
            RouteAttribute::Destination(RouteAddress::Inet(addr)) => {
                route.dst = format!("{addr}/{}", header.destination_prefix_length);
            }
            RouteAttribute::Oif(index) => route.oifs.push(index),
            RouteAttribute::MultiPath(hops) => {
                route
                    .oifs
                    .extend(hops.iter().map(|hop| hop.interface_index));
            }
            _ => {}
        }
    }
    Some(route)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// One link, as `ip` has its address.
    pub fn links(name: &str, addr: &str) -> Links {
        let (addr, len) = addr.split_once('/').unwrap();
        let addr = addr.parse().unwrap();
        Links(vec![Link {
            index: 7,
            name: name.into(),
            is_up: true,
            addrs: vec![Addr {
                local: addr,
                peer: addr,
                len: len.parse().unwrap(),
            }],
        }])
    }

    #[test]
    fn reads_what_this_machine_has() {
        let links = Links::read().unwrap();
        assert_eq!(links.name(1), Some("lo"));
        assert_eq!(links.by_name("lo").unwrap().index, 1);
        assert!(links.by_name("mwb-absent").is_none());
        // Those for local, main and default.
        let rules = rules().unwrap();
        assert!(rules.iter().any(|rule| rule.table == MAIN), "{rules:?}");
        routes(|_| true).unwrap();
    }

    #[test]
    fn a_host_is_on_the_link_or_off() {
        let off = |addr: &str, host: [u8; 4]| links("eth1", addr).is_off("eth1", host.into());
        assert!(!off("192.0.2.2/24", [192, 0, 2, 1]));
        assert!(off("192.0.2.2/24", [192, 0, 2, 2]));
        assert!(off("192.0.2.2/25", [192, 0, 2, 129]));
        assert!(!off("10.0.0.1/0", [192, 0, 2, 1]));
        assert!(off("192.0.2.2/32", [192, 0, 2, 1]));
        let mut ppp = links("ppp0", "192.0.2.2/32");
        ppp.0[0].addrs[0].peer = [198, 51, 100, 1].into();
        assert!(!ppp.is_off("ppp0", [198, 51, 100, 1].into()));
        assert!(ppp.is_off("ppp0", [198, 51, 100, 2].into()));
        ppp.0[0].addrs.clear();
        assert!(!ppp.is_off("ppp0", [198, 51, 100, 2].into()));
    }

    #[test]
    fn ours_are_left_out() {
        let mut rule = RuleMessage::default();
        rule.attributes = vec![RuleAttribute::Priority(7001), RuleAttribute::FwMark(1)];
        let read = of_rule(rule.clone()).unwrap();
        assert_eq!((read.pref, read.mark, read.mask), (7001, 1, 0));
        rule.attributes.push(RuleAttribute::Protocol(OURS.into()));
        assert_eq!(of_rule(rule), None);
        let mut route = RouteMessage::default();
        route.header.protocol = OURS.into();
        route.header.kind = RouteType::Unicast;
        let read = of_route(route).unwrap();
        assert!(read.is_ours && !read.is_main_default());
    }
}
