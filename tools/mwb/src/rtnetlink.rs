// SPDX-License-Identifier: GPL-2.0

//! What the namespace has of links, addresses, rules and routes, as far as it concerns WANs.

use crate::dump::dump;
use crate::uapi::RT_PROTO;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType,
};
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
    /// Index of the device below, as of a VLAN's; and of the bridge or bond that it is a port of.
    pub below: Option<u32>,
    pub port_of: Option<u32>,
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
pub struct Links {
    pub all: Vec<Link>,
    /// Links and addresses that were not understood.
    pub unread: usize,
}

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
        let get = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let (mut links, unread_links) = all(get, |message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(Link::from(link)),
            _ => None,
        })?;
        let mut get = AddressMessage::default();
        get.header.family = AddressFamily::Inet;
        let get = RouteNetlinkMessage::GetAddress(get);
        let (addrs, unread_addrs) = all(get, |message| match message {
            RouteNetlinkMessage::NewAddress(addr) => of_addr(addr),
            _ => None,
        })?;
        for link in &mut links {
            let own = addrs.iter().filter(|(index, _)| *index == link.index);
            link.addrs = own.map(|(_, addr)| *addr).collect();
        }
        Ok(Self {
            all: links,
            unread: unread_links + unread_addrs,
        })
    }

    pub fn by_name(&self, name: &str) -> Option<&Link> {
        self.all.iter().find(|link| link.name == name)
    }

    /// The devices whose networks a host is on.
    pub fn with(&self, host: Ipv4Addr) -> impl Iterator<Item = &Link> {
        let reaches = move |link: &&Link| link.addrs.iter().any(|addr| addr.reaches(host));
        self.all.iter().filter(reaches)
    }

    /// All that is below a device, however deep.
    pub fn below(&self, name: &str) -> Vec<&Link> {
        let mut found: Vec<_> = self.by_name(name).into_iter().collect();
        let mut at = 0;
        while let Some(above) = found.get(at).copied() {
            let is_below =
                |link: &&Link| above.below == Some(link.index) || link.port_of == Some(above.index);
            let new = self.all.iter().filter(is_below);
            let new: Vec<_> = new.filter(|link| !found.contains(link)).collect();
            found.extend(new);
            at += 1;
        }
        found.drain(..found.len().min(1));
        found
    }

    pub fn name(&self, index: u32) -> Option<&str> {
        let mut links = self.all.iter();
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

/// The rules of others; and how many were not understood.
pub fn rules() -> Result<(Vec<Rule>, usize), String> {
    let mut get = RuleMessage::default();
    get.header.family = AddressFamily::Inet;
    all(RouteNetlinkMessage::GetRule(get), |message| match message {
        RouteNetlinkMessage::NewRule(rule) => of_rule(rule),
        _ => None,
    })
}

/// The default routes of main, and what is in the tables that `is_wanted`; and how many were not understood.
pub fn routes(is_wanted: impl Fn(u32) -> bool) -> Result<(Vec<Route>, usize), String> {
    let mut get = RouteMessage::default();
    get.header.address_family = AddressFamily::Inet;
    all(
        RouteNetlinkMessage::GetRoute(get),
        |message| match message {
            RouteNetlinkMessage::NewRoute(route) => {
                of_route(route).filter(|r| r.is_main_default() || is_wanted(r.table))
            }
            _ => None,
        },
    )
}

/// What `read` makes of the messages of a dump; and how many were not understood.
fn all<T>(
    get: RouteNetlinkMessage,
    read: impl Fn(RouteNetlinkMessage) -> Option<T>,
) -> Result<(Vec<T>, usize), String> {
    for _ in 0..TRIES {
        let mut kept = Vec::new();
        let dumped = dump(NETLINK_ROUTE, get.clone(), |message| {
            kept.extend(read(message));
            Ok(true)
        })?;
        if !dumped.is_overtaken {
            return Ok((kept, dumped.unread));
        }
    }
    Err("rules and routes change faster than they can be read: try again".into())
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let mut link = Self {
            index: message.header.index,
            is_up: message.header.flags.contains(LinkFlags::Up),
            ..Self::default()
        };
        let mut is_elsewhere = false;
        for attr in message.attributes {
            match attr {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Link(index) => link.below = Some(index),
                LinkAttribute::Controller(index) => link.port_of = Some(index),
                // The index below is one of that namespace.
                LinkAttribute::LinkNetNsId(_) => is_elsewhere = true,
                _ => {}
            }
        }
        link.below = link.below.filter(|_| !is_elsewhere);
        link
    }
}

pub fn of_addr(message: AddressMessage) -> Option<(u32, Addr)> {
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

pub fn of_rule(message: RuleMessage) -> Option<Rule> {
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

pub fn of_route(message: RouteMessage) -> Option<Route> {
    let header = message.header;
    // What was learned of a path is no route that somebody has made.
    if header.kind != RouteType::Unicast || header.flags.contains(RouteFlags::Cloned) {
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
        let addr = Addr {
            local: addr,
            peer: addr,
            len: len.parse().unwrap(),
        };
        let link = Link {
            index: 7,
            name: name.into(),
            is_up: true,
            addrs: vec![addr],
            ..Link::default()
        };
        Links {
            all: vec![link],
            unread: 0,
        }
    }

    fn link(index: u32, name: &str, below: Option<u32>, port_of: Option<u32>) -> Link {
        Link {
            index,
            name: name.into(),
            below,
            port_of,
            ..Link::default()
        }
    }

    #[test]
    fn knows_what_is_below() {
        let all = vec![
            link(1, "eth0", None, Some(3)),
            link(2, "eth1", None, Some(3)),
            link(3, "br0", None, None),
            link(4, "br0.7", Some(3), None),
            link(5, "ppp0", None, None),
            // As two of veth that have each other.
            link(6, "a", Some(7), None),
            link(7, "b", Some(6), None),
        ];
        let links = Links { all, unread: 0 };
        for (name, below) in [
            ("br0.7", &["br0", "eth0", "eth1"][..]),
            ("br0", &["eth0", "eth1"]),
            ("a", &["b"]),
            ("ppp0", &[]),
            ("absent", &[]),
        ] {
            let found: Vec<_> = links.below(name).iter().map(|l| l.name.as_str()).collect();
            assert_eq!(found, below, "{name}");
        }
    }

    #[test]
    fn what_is_below_is_in_this_namespace() {
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::IfName("a".into()), LinkAttribute::Link(7)];
        assert_eq!(Link::from(message.clone()).below, Some(7));
        message.attributes.push(LinkAttribute::LinkNetNsId(0));
        assert_eq!(Link::from(message).below, None);
    }

    #[test]
    fn reads_what_this_machine_has() {
        let links = Links::read().unwrap();
        assert_eq!(links.name(1), Some("lo"));
        assert_eq!(links.by_name("lo").unwrap().index, 1);
        assert!(links.by_name("mwb-absent").is_none());
        // Those for local, main and default.
        let (rules, _) = rules().unwrap();
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
        ppp.all[0].addrs[0].peer = [198, 51, 100, 1].into();
        assert!(!ppp.is_off("ppp0", [198, 51, 100, 1].into()));
        assert!(ppp.is_off("ppp0", [198, 51, 100, 2].into()));
        ppp.all[0].addrs.clear();
        assert!(!ppp.is_off("ppp0", [198, 51, 100, 2].into()));
    }

    #[test]
    fn what_was_learned_is_no_route() {
        let mut route = RouteMessage::default();
        route.header.kind = RouteType::Unicast;
        assert!(of_route(route.clone()).is_some());
        route.header.flags |= RouteFlags::Cloned;
        assert_eq!(of_route(route), None);
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
