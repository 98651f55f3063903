// SPDX-License-Identifier: GPL-2.0

//! Rules and routes as messages of rtnetlink: the requests that write and read them, and what is said of them.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    mwb_nlmsg::{
        Attrs,
        Message, //
    },
    mwb_route::{
        Object,
        Op,
        Route,
        Rule,
        PROTOCOL, //
    },
    rust::rtnetlink::number::*, //
};
use core::net::{
    IpAddr,
    Ipv4Addr, //
};
use kernel::prelude::*;

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
            metric: 0,
            gateway: None,
            oif: 0,
            source: None,
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
        ])?;
        // A gateway that a DHCP server names need not be in any of the device's networks.
        let flags = self.gateway.map_or(0, |_| RTNH_F_ONLINK);
        message.bytes(&flags.to_ne_bytes())?;
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

/// Who makes connected routes: the kernel, and DHCP clients that replace those of the kernel.
pub(crate) const CONNECTED: [u8; 2] = [RTPROT_KERNEL, RTPROT_DHCP];

/// A connected route of main, if the message is about one.
pub(crate) fn parse_connected(kind: u16, body: &[u8]) -> Option<Route> {
    let (header, attrs) = Attrs::split(body, 12)?;
    if !matches!(kind, RTM_NEWROUTE | RTM_DELROUTE) {
        return None;
    }
    let (protocol, route) = Route::parse(header, attrs)?;
    (CONNECTED.contains(&protocol)
        && route.table == RT_TABLE_MAIN
        && route.scope == RT_SCOPE_LINK
        && route.prefix_len != 0)
        .then_some(route)
}

/// A default route of main that somebody else has made, if the message is about one.
pub(crate) fn parse_default(kind: u16, body: &[u8]) -> Option<Route> {
    let (header, attrs) = Attrs::split(body, 12)?;
    if !matches!(kind, RTM_NEWROUTE | RTM_DELROUTE) {
        return None;
    }
    let (protocol, route) = Route::parse(header, attrs)?;
    (protocol != PROTOCOL && route.table == RT_TABLE_MAIN && route.is_default()).then_some(route)
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

/// Whether a message is about a rule or a route of ours, or one in a place of ours.
pub(crate) fn is_near_ours(kind: u16, body: &[u8], config: &Config) -> bool {
    let Some((header, attrs)) = Attrs::split(body, 12) else {
        return false;
    };
    match kind {
        RTM_NEWRULE | RTM_DELRULE => Rule::parse(header, attrs).is_some_and(|(protocol, rule)| {
            let ours = config.rule_pref..=config.preference_last_resort();
            protocol == PROTOCOL || ours.contains(&rule.preference)
        }),
        _ => Route::parse(header, attrs).is_some_and(|(protocol, route)| {
            let last = config.table_base.saturating_add(config.marks.max_id());
            protocol == PROTOCOL || (config.table_base..=last).contains(&route.table)
        }),
    }
}

/// The number of the device that a message about a link, an address or a device's settings is about.
pub(crate) fn parse_ifindex(kind: u16, body: &[u8]) -> Option<u32> {
    let at = match kind {
        RTM_NEWLINK | RTM_DELLINK | RTM_NEWADDR | RTM_DELADDR => 4,
        _ => return None,
    };
    let ifindex = body.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*ifindex))
}

/// The request for all rules.
pub(crate) fn dump_rules() -> Result<Message> {
    let mut message = Message::new(RTM_GETRULE, NLM_F_DUMP)?;
    message.bytes(&[AF_INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(message)
}

fn dump_routes(table: u32, protocol: u8, oif: u32) -> Result<Message> {
    let mut message = Message::new(RTM_GETROUTE, NLM_F_DUMP)?;
    message.bytes(&[AF_INET, 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0])?;
    if table != 0 {
        message.attr(RTA_TABLE, &table.to_ne_bytes())?;
    }
    if oif != 0 {
        message.attr(RTA_OIF, &oif.to_ne_bytes())?;
    }
    Ok(message)
}

/// The request for our routes in all tables.
pub(crate) fn dump_ours() -> Result<Message> {
    dump_routes(0, PROTOCOL, 0)
}

/// The request for routes of main that one of [`CONNECTED`] has made.
pub(crate) fn dump_connected(protocol: u8) -> Result<Message> {
    dump_routes(RT_TABLE_MAIN, protocol, 0)
}

/// The request for the routes of main through a device.
pub(crate) fn dump_through(oif: u32) -> Result<Message> {
    dump_routes(RT_TABLE_MAIN, 0, oif)
}

/// The request for the routes of a table. ENOENT if it has never had one.
pub(crate) fn dump_table(table: u32) -> Result<Message> {
    dump_routes(table, 0, 0)
}
