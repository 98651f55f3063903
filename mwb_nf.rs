// SPDX-License-Identifier: GPL-2.0

//! The hook: from a packet to its WAN and its dst.
//!
//! A connection is ours when its mark says so. The first packet decides that; every later one costs two
//! marks and a dst that is taken or looked up.

#![forbid(unsafe_code)]

use crate::{
    mwb_entry::Entries,
    mwb_wan::{
        self,
        Wans,
        MARK_MASK, //
    },
    rust::{
        conntrack::{
            self,
            Conn,
            Dir, //
        },
        counters::Counters,
        dst::{
            Found,
            Key, //
        },
        netfilter::{
            self,
            Prerouting,
            Verdict, //
        },
        netns::Net,
        skb::Skb,
        work::Task, //
    }, //
};
use kernel::sync::Arc;

/// Every packet of a tracked connection counts once as one of the first three.
pub(crate) const HITS: usize = 0;
pub(crate) const LOOKUPS: usize = 1;
pub(crate) const ALONE: usize = 2;
pub(crate) const OBSOLETE: usize = 3;
pub(crate) const CONNECTIONS: usize = 4;
pub(crate) const INBOUND: usize = 5;
pub(crate) const NOT_BALANCED: usize = 6;

/// What is counted, since the instance exists.
pub(crate) type Stats = Counters<7>;

/// How often the entries are looked after.
const TEND_MS: u32 = 1000;

/// What the hook works on.
pub(crate) struct Path {
    pub(crate) wans: Arc<Wans>,
    pub(crate) entries: Entries,
    pub(crate) stats: Arc<Stats>,
}

impl Prerouting for Path {
    #[inline]
    fn packet(&self, net: &Net, skb: &mut Skb<'_>) -> Verdict {
        let Some((ct, info)) = skb.conntrack() else {
            return Verdict::Accept;
        };
        let mark = ct.mark() & MARK_MASK;
        if mark == 0 {
            let is_first = (info.is_new() || info.is_related()) && !ct.is_confirmed();
            if is_first && !skb.is_taken() && !skb.iif().is_l3mdev() {
                self.first(net, skb, ct);
            } else {
                self.stats.count::<ALONE>();
            }
            return Verdict::Accept;
        }

        // Without its mark it would take the default route of main, whatever else it is.
        skb.set_mark(skb.mark() & !MARK_MASK | mark);
        let is_error = info.is_related() && skb.is_icmp();
        if is_error || skb.has_ip_options() || skb.is_taken() {
            self.stats.count::<ALONE>();
            return Verdict::Accept;
        }
        let key = Key {
            iif: skb.iif().ifindex(),
            mark: skb.mark(),
            dscp: skb.dscp(),
        };
        match self.entries.take(net, ct, info.dir(), key, skb) {
            Found::Hit => {
                self.stats.count::<HITS>();
                return Verdict::Accept;
            }
            Found::Obsolete => self.stats.count::<OBSOLETE>(),
            Found::Miss => {}
        }
        // No slot is for a device of a VRF, so a hit need not ask.
        if skb.iif().is_l3mdev() {
            self.stats.count::<ALONE>();
        } else {
            self.stats.count::<LOOKUPS>();
            self.look_up(net, skb, ct, info.dir(), key);
        }
        Verdict::Accept
    }
}

/// What the first packet of a connection is about.
enum First {
    /// It leaves through a WAN.
    Outbound,
    /// It comes in through this WAN, to the router or to a host behind it: so must its replies leave. (Those
    /// of the router itself do not pass here.)
    Inbound(u8),
    /// It is none of ours.
    Other,
}

impl Path {
    /// The first packet of a connection: is it ours, and whose is it?
    #[cold]
    fn first(&self, net: &Net, skb: &mut Skb<'_>, ct: &Conn) {
        let chosen = mwb_wan::id_of(skb.mark());
        let (first, id) = if chosen != 0 {
            // A rule of the user's own has chosen.
            let is_usable = self.wans.is_up(chosen);
            (First::Outbound, is_usable.then_some(chosen))
        } else {
            let first = self.classify(skb);
            let id = match first {
                First::Outbound => self.wans.pick(net),
                First::Inbound(id) => Some(id),
                First::Other => None,
            };
            (first, id)
        };
        // The stack repeats a lookup that failed, and knows what to say of it.
        skb.drop_dst();
        let Some(id) = id else {
            self.stats.count::<NOT_BALANCED>();
            self.stats.count::<ALONE>();
            return;
        };
        if skb.has_ip_options() {
            self.stats.count::<ALONE>();
        } else {
            self.stats.count::<LOOKUPS>();
        }
        let oif = self.assign(net, skb, ct, id);
        if let First::Inbound(_) = first {
            // Whoever calls from outside has no say in where others are placed.
            self.stats.count::<INBOUND>();
            return;
        }
        // A route that is more specific than a default has the last word.
        let other = oif.and_then(|oif| self.wans.by_ifindex(oif));
        let id = match other.filter(|other| *other != id && chosen == 0) {
            Some(other) => {
                self.assign(net, skb, ct, other);
                other
            }
            None => id,
        };
        self.wans.place(id);
        self.stats.count::<CONNECTIONS>();
    }

    /// Where a connection goes without us.
    fn classify(&self, skb: &mut Skb<'_>) -> First {
        let Some(dst) = skb.route() else {
            return First::Other;
        };
        if dst.is_unicast() && self.wans.by_ifindex(dst.oif()).is_some() {
            return First::Outbound;
        }
        if !dst.is_unicast() && !dst.is_local() {
            return First::Other;
        }
        let id = self.wans.by_ifindex(skb.iif().ifindex());
        id.filter(|id| self.wans.is_up(*id))
            .map_or(First::Other, First::Inbound)
    }

    /// Gives a new connection to a WAN. Returns the device that its packets leave through, if known.
    fn assign(&self, net: &Net, skb: &mut Skb<'_>, ct: &Conn, id: u8) -> Option<u32> {
        let mark = mwb_wan::mark(id);
        ct.set_mark(ct.mark() & !MARK_MASK | mark);
        skb.set_mark(skb.mark() & !MARK_MASK | mark);
        if skb.has_ip_options() {
            return None;
        }
        let key = Key {
            iif: skb.iif().ifindex(),
            mark: skb.mark(),
            dscp: skb.dscp(),
        };
        self.look_up(net, skb, ct, Dir::Orig, key)
    }

    /// Looks the route of a packet up, and keeps it for those that follow. Returns the device that it
    /// leaves through.
    #[cold]
    fn look_up(&self, net: &Net, skb: &mut Skb<'_>, ct: &Conn, dir: Dir, key: Key) -> Option<u32> {
        let genid = net.genid_ipv4();
        match skb.route() {
            Some(dst) if dst.is_unicast() || dst.is_local() => {
                self.entries.keep(net, ct, dir, key, &dst, genid);
                Some(dst.oif())
            }
            _ => {
                skb.drop_dst();
                None
            }
        }
    }

    /// The connections of a WAN that no longer exists go on by the main table, and are nobody's when its
    /// id is given to another. One whose first packet waits in a queue of userspace's is missed.
    pub(crate) fn forget(&self, id: u8) {
        netfilter::synchronize();
        conntrack::for_each(self.entries.net(), |ct| {
            if mwb_wan::id_of(ct.mark()) == id {
                ct.clear_mark(MARK_MASK);
            }
        });
    }
}

impl Task for Path {
    fn run(&self) -> Option<u32> {
        self.entries.tend();
        Some(TEND_MS)
    }
}
