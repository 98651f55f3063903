// SPDX-License-Identifier: GPL-2.0

//! The route of a new connection without a walk through the rules, of which there is one for each WAN.
//!
//! A packet without a mark of ours asks where it would go, and then one with the mark of a WAN. As long as the rules
//! are those that every namespace has, and between them those that [`crate::mwb_route`] wants, the tables alone can
//! answer: local, and whatever is more specific than a default in main, come first for both; then comes the default
//! of main for the one, and the table of the WAN for the other. Anything else is left to a lookup: another rule,
//! whoever made it, and all that makes a packet or its route a special one.
//!
//! What the rules are is known for one genid of the namespace, which changes after every change of theirs.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    mwb_route::{
        Rule,
        PROTOCOL, //
    },
    rust::{
        dst::Dst,
        fib,
        netns::Net,
        rtnetlink::number::*,
        skb::Incoming, //
    },
    uapi, //
};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{
        Acquire,
        Release, //
    }, //
};
use kernel::prelude::*;

/// A genid with which something is known, if there is one.
struct Stamp(AtomicU64);

impl Stamp {
    fn none() -> Self {
        Self(AtomicU64::new(0))
    }

    fn value(genid: i32) -> u64 {
        1 << 32 | u64::from(genid as u32)
    }

    /// Who has taken longer than another one with a later genid has nothing to say.
    fn set(&self, genid: i32) {
        self.0.fetch_max(Self::value(genid), Release);
    }

    fn is(&self, genid: i32) -> bool {
        self.0.load(Acquire) == Self::value(genid)
    }
}

/// Which rules there are.
pub(crate) struct Shortcut {
    /// Of which only the numbers count.
    config: Config,
    /// The rules were looked at.
    seen: Stamp,
    /// They are such that the tables alone can answer.
    plain: Stamp,
    /// The rule of each WAN is there.
    ruled: KVec<Stamp>,
}

impl Shortcut {
    pub(crate) fn new(config: Config) -> Result<Self> {
        let mut ruled = KVec::with_capacity(uapi::WAN_MAX as usize, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..uapi::WAN_MAX {
            ruled.push(Stamp::none(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self {
            config,
            seen: Stamp::none(),
            plain: Stamp::none(),
            ruled,
        })
    }

    /// Whether the tables can answer with this genid of the namespace. What they say must be thrown away when it has
    /// changed meanwhile.
    fn is_plain(&self, net: &Net, genid: i32) -> bool {
        if !self.seen.is(genid) {
            if self.are_plain(net, genid) {
                self.plain.set(genid);
            }
            self.seen.set(genid);
        }
        self.plain.is(genid)
    }

    /// Whether there is the rule of this WAN, and nothing else would come before it.
    fn is_ruled(&self, id: u8, genid: i32) -> bool {
        let at = usize::from(id).checked_sub(1);
        let ruled = at.and_then(|at| self.ruled.get(at));
        ruled.is_some_and(|ruled| ruled.is(genid))
    }

    /// Index of the device that a packet without a mark of ours would leave through, if that is told by a default
    /// route.
    pub(crate) fn default_oif(&self, net: &Net, packet: &Incoming<'_>, genid: i32) -> Option<u32> {
        if !self.is_plain(net, genid) {
            return None;
        }
        packet.default_oif()
    }

    /// Gives a packet of which that was told the route that it has with the mark of this WAN.
    pub(crate) fn take<'a>(
        &self,
        packet: &mut Incoming<'a>,
        id: u8,
        genid: i32,
    ) -> Option<Dst<'a>> {
        if !self.is_ruled(id, genid) {
            return None;
        }
        packet.route_by_table(self.config.table(id))
    }

    /// The same for any packet that has the mark of this WAN, and comes in through no device of a VRF.
    pub(crate) fn look_up<'a>(
        &self,
        net: &Net,
        packet: &mut Incoming<'a>,
        id: u8,
        genid: i32,
    ) -> Option<Dst<'a>> {
        if !self.is_plain(net, genid) || !self.is_ruled(id, genid) {
            return None;
        }
        packet.route_by_main_or_table(self.config.table(id))
    }

    fn are_plain(&self, net: &Net, genid: i32) -> bool {
        /// What was there last.
        #[derive(PartialEq)]
        enum At {
            Start,
            Local,
            Ours,
            Main,
        }
        let mut at = At::Start;
        let is_plain = fib::all_rules(net, |rule| {
            match (rule.is_default, &at) {
                (true, At::Start) if rule.table == RT_TABLE_LOCAL => at = At::Local,
                (true, At::Ours) if rule.table == RT_TABLE_MAIN => at = At::Main,
                // What follows main follows its default route.
                (_, At::Main) => {}
                (false, At::Local) if is_ours(rule, Rule::front(&self.config)) => at = At::Ours,
                (false, At::Ours) if is_ours(rule, Rule::nowhere(&self.config)) => {}
                (false, At::Ours) => return self.note(rule, genid),
                _ => return false,
            }
            true
        });
        is_plain && at == At::Main
    }

    /// Notes down the rule of a WAN, if it is one.
    fn note(&self, rule: &fib::Rule, genid: i32) -> bool {
        let id = self.config.marks.id(rule.mark);
        let at = usize::from(id).checked_sub(1);
        match at.and_then(|at| self.ruled.get(at)) {
            Some(ruled) if is_ours(rule, Rule::of(&self.config, id)) => {
                ruled.set(genid);
                true
            }
            _ => false,
        }
    }
}

fn is_ours(rule: &fib::Rule, ours: Rule) -> bool {
    rule.protocol == PROTOCOL && Rule::from(rule) == ours
}

impl From<&fib::Rule> for Rule {
    fn from(rule: &fib::Rule) -> Self {
        Self {
            mark: rule.mark,
            mask: rule.mask,
            is_inverted: rule.is_inverted,
            action: rule.action,
            table: rule.table,
            suppress_prefix_len: u32::try_from(rule.suppress_prefix_len).ok(),
            ..Self::new(rule.preference)
        }
    }
}
