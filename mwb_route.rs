// SPDX-License-Identifier: GPL-2.0

//! Policy rules, one table per WAN, default routes: what they should be, and what has to be done for it.
//!
//! Pure: [`crate::mwb_sync`] carries it out. With the numbers that are the default, a WAN with id n that is
//! up has
//!
//! - `pref 7000+n fwmark n/mask lookup 7000+n`, and in front of all of these, once,
//!   `pref 7000 lookup main suppress_prefixlength 0`, so that whatever is more specific in main wins;
//! - in table 7000+n its default route, and a copy of each connected route of main;
//! - in main its default route, with metric n.
//!
//! Behind them, while there are WANs at all, comes `not fwmark 0/mask unreachable`: what belongs to a WAN that is
//! not up waits, or ends, and does not go elsewhere with an address of that WAN. And `unreachable` for
//! everything else while no WAN is up, if that is what the last resort is to be.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    mwb_nlmsg::{
        Attrs,
        Message, //
    },
    rust::rtnetlink::number::*, //
};
use core::net::{
    IpAddr,
    Ipv4Addr, //
};
use kernel::{
    prelude::*,
    rbtree::RBTree, //
};

/// Our `rtm_protocol`, by which we know what is ours.
pub(crate) const PROTOCOL: u8 = 119;

/// A policy rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    family: u8,
    pub(crate) preference: u32,
    pub(crate) mark: u32,
    pub(crate) mask: u32,
    /// It is for what does not have the mark.
    is_inverted: bool,
    /// `FR_ACT_*`
    action: u8,
    pub(crate) table: u32,
    suppress_prefix_len: Option<u32>,
}

impl Rule {
    fn new(preference: u32) -> Self {
        Self {
            family: AF_INET,
            preference,
            mark: 0,
            mask: 0,
            is_inverted: false,
            action: FR_ACT_TO_TBL,
            table: 0,
            suppress_prefix_len: None,
        }
    }
}

/// A route to the networks behind one next hop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) table: u32,
    dst: IpAddr,
    prefix_len: u8,
    gateway: Option<IpAddr>,
    oif: u32,
    source: Option<IpAddr>,
    metric: u32,
    scope: u8,
}

/// Something that is, or should be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Route(Route),
    Rule(Rule),
}

/// In this order things are added, and in the reverse one removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Rules that make something unreachable.
    Guards,
    Routes,
    Rules,
}

/// What is to be done with an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Remove,
}

/// A WAN that can carry traffic.
#[derive(Clone, Copy)]
pub(crate) struct Uplink {
    pub(crate) id: u8,
    pub(crate) ifindex: u32,
    /// None on a point-to-point device.
    pub(crate) gateway: Option<IpAddr>,
}

impl Uplink {
    fn default_route(&self, table: u32, metric: u32) -> Route {
        Route {
            table,
            dst: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            prefix_len: 0,
            gateway: self.gateway,
            oif: self.ifindex,
            source: None,
            metric,
            scope: if self.gateway.is_some() {
                RT_SCOPE_UNIVERSE
            } else {
                RT_SCOPE_LINK
            },
        }
    }
}

/// A set of objects, in order.
pub(crate) type Objects = RBTree<Object, ()>;

/// What the rules and routes follow from.
pub(crate) struct Inputs<'a> {
    pub(crate) config: &'a Config,
    /// The WANs that can carry traffic.
    pub(crate) uplinks: &'a [Uplink],
    /// The connected routes of main.
    pub(crate) connected: &'a [Route],
}

/// All that should be.
pub(crate) fn desired(inputs: &Inputs<'_>) -> Result<Objects> {
    let config = inputs.config;
    let mut all = Objects::new();
    let mut want = |object| {
        all.try_create_and_insert(object, (), GFP_KERNEL)
            .map(|_| ())
    };
    for uplink in inputs.uplinks {
        let table = config.table(uplink.id);
        for route in inputs.connected {
            want(Object::Route(Route { table, ..*route }))?;
        }
        want(Object::Route(uplink.default_route(table, 0)))?;
        want(Object::Route(
            uplink.default_route(RT_TABLE_MAIN, u32::from(uplink.id)),
        ))?;
        want(Object::Rule(Rule {
            mark: config.marks.of(uplink.id),
            mask: config.marks.id_mask(),
            table,
            ..Rule::new(config.preference(uplink.id))
        }))?;
    }
    let is_last_resort = inputs.uplinks.is_empty() && config.is_unreachable_without_wan();
    if !inputs.uplinks.is_empty() || is_last_resort {
        want(Object::Rule(Rule {
            table: RT_TABLE_MAIN,
            suppress_prefix_len: Some(0),
            ..Rule::new(config.rule_pref)
        }))?;
    }
    want(Object::Rule(Rule {
        mask: config.marks.id_mask(),
        is_inverted: true,
        action: FR_ACT_UNREACHABLE,
        ..Rule::new(config.preference_nowhere())
    }))?;
    if is_last_resort {
        want(Object::Rule(Rule {
            action: FR_ACT_UNREACHABLE,
            ..Rule::new(config.preference_last_resort())
        }))?;
    }
    Ok(all)
}

/// What leads from `actual` to `desired`. Nothing is removed before what replaces it is there; rules come after
/// the routes of their tables, and go before them. What is to be unreachable is so from the first to the last.
pub(crate) fn difference<'a>(
    actual: &'a Objects,
    desired: &'a Objects,
) -> impl Iterator<Item = (Op, &'a Object)> {
    let missing = |phase| {
        let all = desired.keys().filter(|o| actual.get(o).is_none());
        all.filter(move |o| o.phase() == phase)
            .map(|o| (Op::Add, o))
    };
    let surplus = |phase| {
        let all = actual.keys().filter(|o| desired.get(o).is_none());
        all.filter(move |o| o.phase() == phase)
            .map(|o| (Op::Remove, o))
    };
    let up = [Phase::Guards, Phase::Routes, Phase::Rules];
    let down = [Phase::Rules, Phase::Routes, Phase::Guards];
    let additions = up.into_iter().flat_map(missing);
    Iterator::chain(additions, down.into_iter().flat_map(surplus))
}

fn octets(addr: &IpAddr, f: impl FnOnce(&[u8]) -> Result) -> Result {
    match addr {
        IpAddr::V4(a) => f(&a.octets()),
        IpAddr::V6(a) => f(&a.octets()),
    }
}

fn family(addr: &IpAddr) -> u8 {
    match addr {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Into::into)
}

impl Route {
    pub(crate) fn is_default(&self) -> bool {
        self.prefix_len == 0
    }
}

impl Rule {
    /// Also tells the protocol that the rule came by.
    fn parse(header: &[u8], attrs: Attrs<'_>) -> Option<(u8, Self)> {
        let mut rule = Self {
            family: *header.first()?,
            table: u32::from(*header.get(4)?),
            action: *header.get(7)?,
            is_inverted: {
                let flags = header.get(8..)?.first_chunk()?;
                u32::from_ne_bytes(*flags) & FIB_RULE_INVERT != 0
            },
            ..Self::new(0)
        };
        let mut protocol = 0;
        for attr in attrs {
            match attr.kind {
                FRA_PRIORITY => rule.preference = attr.u32()?,
                FRA_FWMARK => rule.mark = attr.u32()?,
                FRA_FWMASK => rule.mask = attr.u32()?,
                FRA_TABLE => rule.table = attr.u32()?,
                FRA_SUPPRESS_PREFIXLEN => {
                    rule.suppress_prefix_len = attr.u32().filter(|len| *len != u32::MAX)
                }
                FRA_PROTOCOL => protocol = *attr.payload.first()?,
                _ => {}
            }
        }
        Some((protocol, rule))
    }

    fn write(&self, message: &mut Message) -> Result {
        let flags = if self.is_inverted { FIB_RULE_INVERT } else { 0 };
        message.bytes(&[self.family, 0, 0, 0, 0, 0, 0, self.action])?;
        message.bytes(&flags.to_ne_bytes())?;
        message.attr(FRA_PRIORITY, &self.preference.to_ne_bytes())?;
        if self.mask != 0 {
            message.attr(FRA_FWMARK, &self.mark.to_ne_bytes())?;
            message.attr(FRA_FWMASK, &self.mask.to_ne_bytes())?;
        }
        if self.table != 0 {
            message.attr(FRA_TABLE, &self.table.to_ne_bytes())?;
        }
        if let Some(len) = self.suppress_prefix_len {
            message.attr(FRA_SUPPRESS_PREFIXLEN, &len.to_ne_bytes())?;
        }
        message.attr(FRA_PROTOCOL, &[PROTOCOL])
    }
}

impl Route {
    /// Also tells the protocol that the route came by.
    fn parse(header: &[u8], attrs: Attrs<'_>) -> Option<(u8, Self)> {
        let &[_, prefix_len, _, _, table, protocol, scope, kind, ref flags @ ..] =
            header.first_chunk::<12>()?;
        if kind != RTN_UNICAST || u32::from_ne_bytes(*flags) & RTM_F_CLONED != 0 {
            return None;
        }
        let mut route = Self {
            table: u32::from(table),
            dst: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            prefix_len,
            gateway: None,
            oif: 0,
            source: None,
            metric: 0,
            scope,
        };
        for attr in attrs {
            match attr.kind {
                RTA_DST => route.dst = address(attr.payload)?,
                RTA_OIF => route.oif = attr.u32()?,
                RTA_GATEWAY => route.gateway = address(attr.payload),
                RTA_PRIORITY => route.metric = attr.u32()?,
                RTA_PREFSRC => route.source = address(attr.payload),
                RTA_TABLE => route.table = attr.u32()?,
                _ => {}
            }
        }
        Some((protocol, route))
    }

    fn write(&self, message: &mut Message) -> Result {
        message.bytes(&[
            family(&self.dst),
            self.prefix_len,
            0,
            0,
            0,
            PROTOCOL,
            self.scope,
            RTN_UNICAST,
            0,
            0,
            0,
            0,
        ])?;
        message.attr(RTA_TABLE, &self.table.to_ne_bytes())?;
        if self.prefix_len != 0 {
            octets(&self.dst, |dst| message.attr(RTA_DST, dst))?;
        }
        message.attr(RTA_OIF, &self.oif.to_ne_bytes())?;
        if let Some(gateway) = &self.gateway {
            octets(gateway, |gateway| message.attr(RTA_GATEWAY, gateway))?;
        }
        if let Some(source) = &self.source {
            octets(source, |source| message.attr(RTA_PREFSRC, source))?;
        }
        if self.metric != 0 {
            message.attr(RTA_PRIORITY, &self.metric.to_ne_bytes())?;
        }
        Ok(())
    }
}

impl Object {
    fn phase(&self) -> Phase {
        match self {
            Self::Route(_) => Phase::Routes,
            Self::Rule(rule) if rule.action == FR_ACT_UNREACHABLE => Phase::Guards,
            Self::Rule(_) => Phase::Rules,
        }
    }

    /// The request that does `op`.
    pub(crate) fn request(&self, op: Op) -> Result<Message> {
        let (kind, flags) = match (self, op) {
            // Appended: a route of somebody else's with the same prefix and metric stays the first.
            (Self::Route(_), Op::Add) => (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND),
            (Self::Route(_), Op::Remove) => (RTM_DELROUTE, 0),
            (Self::Rule(_), Op::Add) => (RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL),
            (Self::Rule(_), Op::Remove) => (RTM_DELRULE, 0),
        };
        let mut message = Message::new(kind, flags | NLM_F_ACK)?;
        match self {
            Self::Rule(rule) => rule.write(&mut message)?,
            Self::Route(route) => route.write(&mut message)?,
        }
        Ok(message)
    }

    /// What a dumped message says, if it is ours.
    pub(crate) fn parse(kind: u16, body: &[u8]) -> Option<Self> {
        let (header, attrs) = Attrs::split(body, 12)?;
        match kind {
            RTM_NEWRULE => Rule::parse(header, attrs)
                .filter(|(protocol, _)| *protocol == PROTOCOL)
                .map(|(_, rule)| Self::Rule(rule)),
            RTM_NEWROUTE => Route::parse(header, attrs)
                .filter(|(protocol, _)| *protocol == PROTOCOL)
                .map(|(_, route)| Self::Route(route)),
            _ => None,
        }
    }
}

/// A connected route of main, if the dumped message is one.
pub(crate) fn parse_connected(kind: u16, body: &[u8]) -> Option<Route> {
    let (header, attrs) = Attrs::split(body, 12)?;
    if kind != RTM_NEWROUTE {
        return None;
    }
    let (protocol, route) = Route::parse(header, attrs)?;
    (protocol == RTPROT_KERNEL
        && route.table == RT_TABLE_MAIN
        && route.scope == RT_SCOPE_LINK
        && route.prefix_len != 0)
        .then_some(route)
}

/// Somebody else's rule, and its protocol, if the dumped message is one.
pub(crate) fn parse_foreign_rule(kind: u16, body: &[u8]) -> Option<(u8, Rule)> {
    let (header, attrs) = Attrs::split(body, 12)?;
    if kind != RTM_NEWRULE {
        return None;
    }
    Rule::parse(header, attrs).filter(|(protocol, _)| *protocol != PROTOCOL)
}

/// The protocol of somebody else's route, if the dumped message is one.
pub(crate) fn parse_foreign_route(kind: u16, body: &[u8]) -> Option<u8> {
    let (header, _) = Attrs::split(body, 12)?;
    let protocol = *header.get(5)?;
    (kind == RTM_NEWROUTE && protocol != PROTOCOL).then_some(protocol)
}

/// The request for all rules.
pub(crate) fn dump_rules() -> Result<Message> {
    let mut message = Message::new(RTM_GETRULE, NLM_F_DUMP)?;
    message.bytes(&[AF_INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(message)
}

fn dump_routes(table: u32, protocol: u8) -> Result<Message> {
    let mut message = Message::new(RTM_GETROUTE, NLM_F_DUMP)?;
    message.bytes(&[AF_INET, 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0])?;
    if table != 0 {
        message.attr(RTA_TABLE, &table.to_ne_bytes())?;
    }
    Ok(message)
}

/// The request for our routes in all tables.
pub(crate) fn dump_ours() -> Result<Message> {
    dump_routes(0, PROTOCOL)
}

/// The request for the connected routes of main.
pub(crate) fn dump_connected() -> Result<Message> {
    dump_routes(RT_TABLE_MAIN, RTPROT_KERNEL)
}

/// The request for the routes of a table. ENOENT if it has never had one.
pub(crate) fn dump_table(table: u32) -> Result<Message> {
    dump_routes(table, 0)
}
