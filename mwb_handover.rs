// SPDX-License-Identifier: GPL-2.0

//! What becomes of connections when WANs come and go.

#![forbid(unsafe_code)]

use crate::{
    mwb_nf::{
        self,
        Path, //
    },
    rust::{
        conntrack::{
            self,
            Conn,
            Dir,
            Flow, //
        },
        netdev::{
            self,
            Device, //
        },
        netfilter,
        notifier::Watch,
        tcp::Reset, //
    },
    uapi, //
};
use core::{
    cell::{
        Cell,
        RefCell, //
    },
    net::Ipv4Addr, //
};
use kernel::prelude::*;

/// What becomes of a connection.
enum Fate {
    Stay,
    /// It goes on by the main table.
    Release,
    /// It ends, and the end that sends in this direction is told.
    End(Dir),
}

/// Whether its source address is translated.
fn is_translated(flow: &Flow) -> bool {
    flow.answered != flow.saddr
}

impl Path {
    fn is_local(&self, addr: Ipv4Addr) -> bool {
        netdev::by_addr(self.entries.net(), addr).is_some()
    }

    fn is_by_policy(&self, ct: &Conn) -> bool {
        ct.mark() & self.marks.mask() & !self.marks.id_mask() != 0
    }

    /// Does with every connection as `fate` says. May sleep.
    fn decide(&self, fate: impl Fn(&Conn) -> Fate) {
        let net = self.entries.net();
        let to_end = Cell::new(0usize);
        conntrack::for_each(net, |ct| match fate(ct) {
            Fate::Stay => {}
            Fate::Release => {
                ct.clear_mark(self.marks.mask());
                self.stats.count::<{ mwb_nf::RELEASED }>();
            }
            Fate::End(_) => to_end.set(to_end.get().saturating_add(1)),
        });
        while to_end.get() != 0 {
            // Resets are sent when nothing is locked any more. Without memory for them nobody is told.
            let room = to_end.replace(0);
            let resets = RefCell::new(KVVec::<Reset>::new());
            let tells = resets.borrow_mut().reserve(room, GFP_KERNEL).is_ok();
            conntrack::retain(net, |ct| {
                let Fate::End(dir) = fate(ct) else {
                    return true;
                };
                if let Some(reset) = ct.reset(dir).filter(|_| tells) {
                    if resets.borrow_mut().push_within_capacity(reset).is_err() {
                        // One more than there were.
                        to_end.set(to_end.get().saturating_add(1));
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
    /// than the module.
    pub(crate) fn adopt(&self, id: u8) {
        let net = self.entries.net();
        let is_own = |addr| netdev::by_addr(net, addr).is_some_and(|i| self.wans.is_at(id, i));
        conntrack::for_each(net, |ct| {
            let flow = ct.flow();
            if is_own(flow.called) || is_own(flow.answered) {
                ct.update_mark(|old| {
                    let is_other = self.marks.id(old) != id;
                    is_other.then(|| old & !self.marks.mask() | self.marks.of(id))
                });
            }
        });
    }

    /// A WAN went down. Those of its connections that are translated to an address of it, or to one that is
    /// gone, end, so that the next packet opens another one elsewhere; or wait, if that is wanted. Those that
    /// have none of its addresses go on by the main table; unless a policy may have placed them that leaves
    /// them no other way. The rest waits.
    pub(crate) fn release(&self, id: u8) {
        let net = self.entries.net();
        let is_strict = self.chooser.is_strict_to(id);
        let is_held = self.config().on_down == uapi::ON_DOWN_HOLD;
        self.decide(|ct| {
            if self.marks.id(ct.mark()) != id {
                return Fate::Stay;
            }
            let flow = ct.flow();
            if is_translated(&flow) {
                let owner = netdev::by_addr(net, flow.answered);
                if owner.is_none_or(|ifindex| self.wans.is_at(id, ifindex)) {
                    return if is_held {
                        Fate::Stay
                    } else {
                        Fate::End(Dir::Orig)
                    };
                }
            }
            let is_of_router = self.is_local(flow.called) || self.is_local(flow.saddr);
            if is_of_router || (is_strict && self.is_by_policy(ct)) {
                Fate::Stay
            } else {
                Fate::Release
            }
        });
    }

    /// A better tier can be used again. What is on a higher one for want of that goes there; translated
    /// connections end for it.
    pub(crate) fn fail_back(&self) {
        let Some(best) = self.wans.best_tier(self.entries.net(), |_| true) else {
            return;
        };
        self.decide(|ct| {
            let id = self.marks.id(ct.mark());
            if self.wans.tier(id) <= best || self.is_by_policy(ct) {
                return Fate::Stay;
            }
            let flow = ct.flow();
            if self.is_local(flow.called) {
                Fate::Stay
            } else if is_translated(&flow) {
                Fate::End(Dir::Orig)
            } else if self.is_local(flow.saddr) {
                Fate::Stay
            } else {
                Fate::Release
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
        self.wans.close(id);
        if self.config().on_down == uapi::ON_DOWN_RESET {
            self.release(id);
        }
    }

    /// There is nothing to wait for: masquerade ends them, too.
    fn address_lost(&self, dev: &Device, addr: Ipv4Addr) {
        if self.wans.by_ifindex(dev.ifindex()).is_none() {
            return;
        }
        self.decide(|ct| {
            let flow = ct.flow();
            if self.marks.id(ct.mark()) != 0 && is_translated(&flow) && flow.answered == addr {
                Fate::End(Dir::Orig)
            } else {
                Fate::Stay
            }
        });
    }
}
