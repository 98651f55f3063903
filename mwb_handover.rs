// SPDX-License-Identifier: GPL-2.0

//! What becomes of connections when WANs come and go.

#![forbid(unsafe_code)]

use crate::{
    mwb_nf::{
        self,
        Path, //
    },
    mwb_policy::Wans as Ids,
    rust::{
        conntrack::{
            self,
            Conn,
            Flow, //
        },
        netdev::{
            self,
            Device, //
        },
        netfilter,
        notifier::{
            self,
            Watch, //
        },
        tcp::Reset, //
    },
    uapi, //
};
use core::{
    cell::{
        Cell,
        RefCell, //
    },
    net::Ipv4Addr,
    sync::atomic::{
        AtomicU32,
        Ordering::Relaxed, //
    }, //
};
use kernel::prelude::*;

/// How often those that end are gone through, for the sake of those that came meanwhile.
const MAX_ROUNDS: u32 = 4;

/// How many devices and addresses that go are seen to while RTNL is held, which nobody else gets before that. A
/// thousand of them can go at once.
const MAX_AT_ONCE: u32 = 16;

/// How many have gone since somebody had RTNL in between.
pub(crate) struct Haste(AtomicU32);

impl Haste {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// One more goes: whether there is time for it.
    fn has_time(&self) -> bool {
        self.0.fetch_add(1, Relaxed) < MAX_AT_ONCE
    }
}

/// What becomes of a connection.
enum Fate {
    Stays,
    /// It goes on with this mark of ours; with none by the main table.
    GoesOn(u32),
    /// It ends, and its client is told.
    Ends,
}

/// Whether its source address is translated.
fn is_translated(flow: &Flow) -> bool {
    flow.answered != flow.saddr
}

impl Path {
    fn is_local(&self, addr: Ipv4Addr) -> bool {
        netdev::by_addr(self.entries.net(), addr).is_some()
    }

    /// The device that has this address now. The kernel's tables may still say so of one that had it.
    pub(crate) fn owner(&self, addr: Ipv4Addr) -> Option<u32> {
        let net = self.entries.net();
        netdev::by_addr(net, addr).filter(|ifindex| netdev::has_addr(net, *ifindex, addr))
    }

    /// Whether it is the router, or a host that is not reached through a WAN.
    fn is_inside(&self, addr: Ipv4Addr) -> bool {
        let oif = netdev::oif(self.entries.net(), addr, 0);
        oif.is_some_and(|oif| self.wans.by_ifindex(oif).is_none())
    }

    /// The WAN that a connection goes by, 0 if none. What the main table has sent there carries no mark.
    fn wan_of(&self, ct: &Conn, flow: &Flow) -> u8 {
        match self.marks.id(ct.mark()) {
            0 if is_translated(flow) => {
                let ifindex = ct.masqueraded_on().or_else(|| self.owner(flow.answered));
                ifindex.and_then(|i| self.wans.by_ifindex(i)).unwrap_or(0)
            }
            id => id,
        }
    }

    fn is_by_policy(&self, ct: &Conn) -> bool {
        ct.mark() & self.marks.mask() & !self.marks.id_mask() != 0
    }

    /// A connection that is not translated goes on with `mark` if it is that of a host behind the router. One
    /// of the router's own, or that came in, can do nothing but wait; its address may be gone for now.
    fn as_it_is(&self, flow: &Flow, mark: u32) -> Fate {
        let is_of_router = self.is_local(flow.saddr) || self.is_local(flow.called);
        if !is_of_router && self.is_inside(flow.saddr) {
            Fate::GoesOn(mark)
        } else {
            Fate::Stays
        }
    }

    /// Does with every connection as `fate` says. May sleep.
    fn decide(&self, fate: impl Fn(&Conn) -> Fate) {
        let net = self.entries.net();
        // Whether there are any that end, and of how many somebody is told.
        let (is_any, to_tell) = (Cell::new(false), Cell::new(0usize));
        let one_more = || to_tell.set(to_tell.get().saturating_add(1));
        conntrack::for_each(net, |ct| match fate(ct) {
            Fate::Stays => {}
            Fate::GoesOn(mark) => {
                ct.update_mark(|old| Some(old & !self.marks.mask() | mark));
                self.stats.count::<{ mwb_nf::RELEASED }>();
            }
            Fate::Ends => {
                is_any.set(true);
                if ct.reset().is_some() {
                    one_more();
                }
            }
        });
        for round in 1..=MAX_ROUNDS {
            if !is_any.replace(false) {
                break;
            }
            // Resets are sent when nothing is locked any more. Without memory for them nobody is told, nor in the
            // last round: somebody may open connections faster than they end.
            let room = to_tell.replace(0);
            let resets = RefCell::new(KVVec::<Reset>::new());
            let tells = round < MAX_ROUNDS && resets.borrow_mut().reserve(room, GFP_KERNEL).is_ok();
            conntrack::retain(net, |ct| {
                if !matches!(fate(ct), Fate::Ends) {
                    return true;
                }
                let is_told = tells && self.is_inside(ct.flow().saddr);
                if let Some(reset) = ct.reset().filter(|_| is_told) {
                    if resets.borrow_mut().push_within_capacity(reset).is_err() {
                        // There are more by now: another round.
                        is_any.set(true);
                        one_more();
                        return true;
                    }
                }
                self.stats.count::<{ mwb_nf::ENDED }>();
                false
            });
            for reset in resets.take() {
                reset.send(net);
                self.stats.count::<{ mwb_nf::RESETS }>();
            }
        }
    }

    /// A WAN came up. Connections that have one of its addresses go on by it: they may be older than it, or
    /// than the module. But not those of a WAN that has the same address, and its routes.
    pub(crate) fn adopt(&self, id: u8) {
        let net = self.entries.net();
        conntrack::for_each(net, |ct| {
            let flow = ct.flow();
            let is_called = |id| self.wans.has_addr(net, id, flow.called);
            let is_answered = |id| self.wans.has_addr(net, id, flow.answered);
            let is_elsewhere =
                |old| self.wans.is_routed(old) && (is_called(old) || is_answered(old));
            // Masquerade ends what leaves by another device than before.
            let can_leave = || ct.masqueraded_on().is_none_or(|i| self.wans.is_at(id, i));
            if is_called(id) || is_answered(id) && can_leave() {
                ct.update_mark(|mark| {
                    let old = self.marks.id(mark);
                    (old != id && !is_elsewhere(old))
                        .then(|| mark & !self.marks.mask() | self.marks.of(id))
                });
            }
        });
    }

    /// WANs went down. Those of their connections that are translated to an address of them, or to one that is
    /// gone, end, so that the next packet opens another one elsewhere; or wait, if that is wanted. Those that
    /// have none of their addresses go on by the main table; unless a policy may have placed them that leaves
    /// them no other way.
    pub(crate) fn release(&self, ids: &Ids) {
        let is_held = self.config().on_down == uapi::ON_DOWN_HOLD;
        self.leave(ids, |_| is_held);
    }

    /// The same for WANs that will not come back as they are.
    pub(crate) fn evacuate(&self, ids: &Ids) {
        self.leave(ids, |_| false);
    }

    /// `is_held` says which of those that are translated wait.
    fn leave(&self, ids: &Ids, is_held: impl Fn(&Conn) -> bool) {
        let (net, strict) = (self.entries.net(), self.chooser.strict());
        self.decide(|ct| {
            let flow = ct.flow();
            let id = self.wan_of(ct, &flow);
            if !ids.contains(id) {
                return Fate::Stays;
            }
            if is_translated(&flow) {
                // What another device has now; not what another one has as well.
                let has_moved = !self.wans.has_addr(net, id, flow.answered);
                match self.owner(flow.answered).filter(|_| has_moved) {
                    None if is_held(ct) => return Fate::Stays,
                    None => return Fate::Ends,
                    Some(owner) => {
                        if let Some(other) = self.wans.by_ifindex(owner) {
                            return Fate::GoesOn(self.marks.of(other));
                        }
                    }
                }
            }
            if self.is_by_policy(ct) && strict.contains(id) {
                return Fate::Stays;
            }
            self.as_it_is(&flow, 0)
        });
    }

    /// A better tier can be used again. What is on a higher one for want of that goes there.
    pub(crate) fn fail_back(&self) {
        let net = self.entries.net();
        let Some(best) = self.wans.of_best_tier(net, |_| true) else {
            return;
        };
        let to = self.marks.of(best);
        self.decide(|ct| {
            let id = self.marks.id(ct.mark());
            if self.wans.tier(id) <= self.wans.tier(best) || self.is_by_policy(ct) {
                return Fate::Stays;
            }
            let flow = ct.flow();
            // Not what came in, and not what a route that is more specific than a default leads there.
            let oif = netdev::oif(net, flow.daddr, to);
            if !oif.is_some_and(|oif| self.wans.is_at(best, oif)) {
                Fate::Stays
            } else if is_translated(&flow) {
                Fate::Ends
            } else {
                self.as_it_is(&flow, to)
            }
        });
    }

    /// Sees to what was left undone in haste, once RTNL is free. What is masqueraded has had an address of the router's,
    /// and waits for nothing when nobody has that any more. May sleep.
    pub(crate) fn catch_up(&self) {
        if self.haste.0.load(Relaxed) == 0 {
            return;
        }
        if notifier::between(|| self.haste.0.swap(0, Relaxed)) <= MAX_AT_ONCE {
            return;
        }
        self.decide(|ct| {
            let flow = ct.flow();
            let is_ours = ct.masqueraded_on().is_some() && self.wan_of(ct, &flow) != 0;
            if is_ours && is_translated(&flow) && self.owner(flow.answered).is_none() {
                Fate::Ends
            } else {
                Fate::Stays
            }
        });
    }

    /// The connections of a WAN that no longer exists go on by the main table, and are nobody's when its
    /// id is given to another. One whose first packet waits in a queue of userspace's is missed.
    pub(crate) fn forget(&self, id: u8) {
        netfilter::synchronize();
        self.chooser.forget(id);
        conntrack::for_each(self.entries.net(), |ct| {
            if self.marks.id(ct.mark()) == id {
                ct.clear_mark(self.marks.mask());
            }
        });
    }
}

impl Watch for Path {
    /// Nobody waits for the reconciler, and masquerade does not end connections first, which tells nobody.
    fn device_down(&self, dev: &Device) {
        let Some(id) = self.wans.by_ifindex(dev.ifindex()) else {
            return;
        };
        // A pass that is under way may open it again, but nothing is placed on a device that is not running.
        self.wans.close(id);
        // The pass that follows sees to it.
        if !self.haste.has_time() {
            return;
        }
        let is_held = self.config().on_down == uapi::ON_DOWN_HOLD;
        self.leave(&Ids::one(id), |ct| {
            is_held && ct.masqueraded_on() != Some(dev.ifindex())
        });
    }

    /// There is nothing to wait for: masquerade ends them, too.
    fn address_lost(&self, dev: &Device, addr: Ipv4Addr) {
        // It may be configured by another name of the device. When that goes, its index may be forgotten already.
        let by_ifindex = self.wans.by_ifindex(dev.ifindex());
        let Some(id) = by_ifindex.or_else(|| self.wans.by_device(dev)) else {
            return;
        };
        if !dev.has_ipv4_address() {
            self.wans.close(id);
        }
        if !self.haste.has_time() {
            return;
        }
        self.decide(|ct| {
            let flow = ct.flow();
            let is_of_wan = [0, id].contains(&self.marks.id(ct.mark()))
                && ct.masqueraded_on().is_none_or(|i| i == dev.ifindex());
            if is_of_wan && is_translated(&flow) && flow.answered == addr {
                Fate::Ends
            } else {
                Fate::Stays
            }
        });
    }
}
