// SPDX-License-Identifier: GPL-2.0

//! Policy rules, one table per WAN, default routes: what they should be, and what has to be done for it.
//!
//! Pure, `core` only: [`crate::mwb_sync`] carries it out, and the host tests compile this same file. With the
//! numbers that are the default, a WAN with id n that has a way to the Internet has
//!
//! - `pref 7000+n fwmark n/mask lookup 7000+n`, and in front of all of these, once,
//!   `pref 7000 lookup main suppress_prefixlength 0`, so that whatever is more specific in main wins;
//! - in table 7000+n its default route, and a copy of each connected route of main;
//! - in main its default route, with metric n: higher for higher tiers, and higher still for a WAN that is to
//!   get nothing new.
//!
//! Behind them, while there are WANs at all, comes `not fwmark 0/mask unreachable`: what belongs to a WAN that is
//! not up waits, or ends, and does not go elsewhere with an address of that WAN. And `unreachable` for
//! everything else while there is no way to the Internet, if that is what the last resort is to be. With a WAN
//! that is to get nothing new, the hooks refuse what is new.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    rust::rtnetlink::number::*,
    uapi::RT_PROTO, //
};
use core::net::{
    IpAddr,
    Ipv4Addr, //
};

/// Our `rtm_protocol`, by which we know what is ours.
pub(crate) const PROTOCOL: u8 = RT_PROTO as u8;

/// What metrics in main differ by from tier to tier: more than there are ids.
const TIER_METRIC: u32 = 256;

/// What the metric of a WAN that is to get nothing new is higher by: more than there are tiers.
const SPARE_METRIC: u32 = 4096;

/// A policy rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    pub(crate) family: u8,
    pub(crate) preference: u32,
    pub(crate) mark: u32,
    pub(crate) mask: u32,
    /// It is for what does not have the mark.
    pub(crate) is_inverted: bool,
    /// `FR_ACT_*`
    pub(crate) action: u8,
    pub(crate) table: u32,
    pub(crate) suppress_prefix_len: Option<u32>,
}

impl Rule {
    pub(crate) fn new(preference: u32) -> Self {
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

    /// The one in front of all of ours.
    pub(crate) fn front(config: &Config) -> Self {
        Self {
            table: RT_TABLE_MAIN,
            suppress_prefix_len: Some(0),
            ..Self::new(config.rule_pref)
        }
    }

    /// That of a WAN.
    pub(crate) fn of(config: &Config, id: u8) -> Self {
        Self {
            mark: config.marks.of(id),
            mask: config.marks.id_mask(),
            table: config.table(id),
            ..Self::new(config.preference(id))
        }
    }

    /// The one for what must not go anywhere.
    pub(crate) fn nowhere(config: &Config) -> Self {
        Self {
            mask: config.marks.id_mask(),
            is_inverted: true,
            action: FR_ACT_UNREACHABLE,
            ..Self::new(config.preference_nowhere())
        }
    }
}

/// A route to the networks behind one next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) table: u32,
    pub(crate) dst: IpAddr,
    pub(crate) prefix_len: u8,
    pub(crate) metric: u32,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) oif: u32,
    pub(crate) source: Option<IpAddr>,
    pub(crate) scope: u8,
}

impl Route {
    pub(crate) fn is_default(&self) -> bool {
        self.prefix_len == 0
    }
}

/// Something that is, or should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Route(Route),
    Rule(Rule),
}

impl Object {
    fn phase(&self) -> Phase {
        match self {
            Self::Route(_) => Phase::Routes,
            Self::Rule(rule) if rule.action == FR_ACT_UNREACHABLE => Phase::Guards,
            Self::Rule(_) => Phase::Rules,
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Remove,
}

/// A WAN that has a way to the Internet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uplink {
    pub(crate) id: u8,
    pub(crate) tier: u32,
    /// It is to get nothing new.
    pub(crate) is_spare: bool,
    pub(crate) ifindex: u32,
    /// None on a point-to-point device.
    pub(crate) gateway: Option<IpAddr>,
}

/// The metric that the default route of a WAN has in main while it is up.
pub(crate) fn metric(tier: u32, id: u8) -> u32 {
    let tier = tier.saturating_sub(1).saturating_mul(TIER_METRIC);
    tier.saturating_add(id.into())
}

impl Uplink {
    /// Of its default route in main.
    pub(crate) fn metric(&self) -> u32 {
        let spare = if self.is_spare { SPARE_METRIC } else { 0 };
        metric(self.tier, self.id).saturating_add(spare)
    }

    fn default_route(&self, table: u32, metric: u32) -> Route {
        Route {
            table,
            dst: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            prefix_len: 0,
            metric,
            gateway: self.gateway,
            oif: self.ifindex,
            source: None,
            scope: if self.gateway.is_some() {
                RT_SCOPE_UNIVERSE
            } else {
                RT_SCOPE_LINK
            },
        }
    }
}

/// What the rules and routes follow from.
pub(crate) struct Inputs<'a> {
    pub(crate) config: &'a Config,
    /// In the order of their ids.
    pub(crate) uplinks: &'a [Uplink],
    /// The connected routes of main.
    pub(crate) connected: &'a [Route],
}

/// Calls `want` with all that should be, each once.
pub(crate) fn desired<E>(
    inputs: &Inputs<'_>,
    mut want: impl FnMut(Object) -> Result<(), E>,
) -> Result<(), E> {
    let config = inputs.config;
    for uplink in inputs.uplinks {
        want(Object::Route(
            uplink.default_route(RT_TABLE_MAIN, uplink.metric()),
        ))?;
    }
    for uplink in inputs.uplinks {
        let table = config.table(uplink.id);
        want(Object::Route(uplink.default_route(table, 0)))?;
        for route in inputs.connected {
            want(Object::Route(Route { table, ..*route }))?;
        }
    }
    // Also without uplinks: connections that stay inside may have the mark of a WAN.
    want(Object::Rule(Rule::front(config)))?;
    for uplink in inputs.uplinks {
        want(Object::Rule(Rule::of(config, uplink.id)))?;
    }
    want(Object::Rule(Rule::nowhere(config)))?;
    if inputs.uplinks.is_empty() && config.is_unreachable_without_wan() {
        want(Object::Rule(Rule {
            action: FR_ACT_UNREACHABLE,
            ..Rule::new(config.preference_last_resort())
        }))?;
    }
    Ok(())
}

/// What leads from `actual` to `desired`, both sorted. Nothing is removed before what replaces it is there;
/// rules come after the routes of their tables, and go before them. What is to be unreachable is so from the
/// first to the last.
pub(crate) fn difference<'a>(
    actual: &'a [Object],
    desired: &'a [Object],
) -> impl Iterator<Item = (Op, &'a Object)> {
    let only_in = |some: &'a [Object], others: &'a [Object], op| {
        move |phase| {
            let mut others = others.iter().peekable();
            let of_phase = some.iter().filter(move |o| o.phase() == phase);
            let missing = of_phase.filter(move |o| {
                while others.next_if(|other| other < o).is_some() {}
                others.peek() != Some(o)
            });
            missing.map(move |o| (op, o))
        }
    };
    let up = [Phase::Guards, Phase::Routes, Phase::Rules];
    let down = [Phase::Rules, Phase::Routes, Phase::Guards];
    let additions = up.into_iter().flat_map(only_in(desired, actual, Op::Add));
    let removals = down
        .into_iter()
        .flat_map(only_in(actual, desired, Op::Remove));
    Iterator::chain(additions, removals)
}
