// SPDX-License-Identifier: GPL-2.0

//! The hooks: from a packet to its WAN and its dst.
//!
//! A connection is ours when its mark says so. The first packet decides that; every later one costs two
//! marks and a dst that is taken or looked up.

#![forbid(unsafe_code)]

use crate::{
    mwb_choice::{
        Choice,
        Chooser,
        Run, //
    },
    mwb_config::{
        Config,
        Marks, //
    },
    mwb_entry::Entries,
    mwb_handover::Haste,
    mwb_pair,
    mwb_policy::New,
    mwb_route::metric,
    mwb_shortcut::Shortcut,
    mwb_wan::Wans,
    rust::{
        conntrack::{
            self,
            Conn,
            Dir,
            Info, //
        },
        counters::Counters,
        dst::{
            Found,
            Key, //
        },
        netdev::{
            self,
            Led,
            Probe, //
        },
        netfilter::{
            LocalOut,
            Prerouting,
            Verdict, //
        },
        netns::Net,
        skb::{
            Bound,
            Bridged,
            Incoming,
            Outgoing,
            Skb, //
        },
        work::Task, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Every packet of a tracked connection counts once as one of the first three.
pub(crate) const HITS: usize = 0;
pub(crate) const LOOKUPS: usize = 1;
pub(crate) const ALONE: usize = 2;
pub(crate) const OBSOLETE: usize = 3;
pub(crate) const CONNECTIONS: usize = 4;
pub(crate) const INBOUND: usize = 5;
pub(crate) const NOT_BALANCED: usize = 6;
pub(crate) const BY_POLICY: usize = 7;
pub(crate) const UNREACHABLE: usize = 8;
pub(crate) const ENDED: usize = 9;
pub(crate) const RESETS: usize = 10;
pub(crate) const RELEASED: usize = 11;

/// What is counted, since the instance exists.
pub(crate) type Stats = Counters<12>;

/// How often the entries are looked after.
const TEND_MS: u32 = 1000;

/// What the hooks work on.
pub(crate) struct Path {
    pub(crate) marks: Marks,
    pub(crate) wans: Arc<Wans>,
    pub(crate) entries: Entries,
    pub(crate) shortcut: Shortcut,
    pub(crate) chooser: Chooser,
    pub(crate) stats: Arc<Stats>,
    pub(crate) haste: Haste,
}

impl Prerouting for Path {
    #[inline]
    fn passes(&self, net: &Net, packet: &mut Incoming<'_>) -> bool {
        let Some((ct, info)) = packet.conntrack() else {
            return true;
        };
        ct.mark() & self.marks.mask() != 0
            && !packet.has_extensions()
            && !is_alone(packet, info)
            && matches!(
                self.follow(net, packet, ct, info),
                Found::Hit | Found::Local
            )
    }

    fn incoming(&self, net: &Net, packet: &mut Incoming<'_>) -> Verdict {
        let Some((ct, info)) = packet.conntrack() else {
            return Verdict::Accept;
        };
        let bridged = packet.bridged();
        if ct.mark() & self.marks.mask() == 0 {
            if is_first(packet, ct, info) && bridged != Bridged::Through && is_fair_game(packet) {
                // Without memory for a lookup it might go by another line than it should, and with it all that
                // follow. It is sent again.
                let placed = self.first_incoming(net, packet, ct, bridged);
                return placed.map_or_else(Verdict::Drop, |()| Verdict::Accept);
            }
            self.stats.count::<ALONE>();
            return Verdict::Accept;
        }
        if bridged == Bridged::Through {
            self.stats.count::<ALONE>();
            return Verdict::Accept;
        }
        if is_alone(packet, info) || bridged == Bridged::Routed {
            self.mark(packet, ct);
            self.stats.count::<ALONE>();
            return Verdict::Accept;
        }
        match self.follow(net, packet, ct, info) {
            Found::Hit | Found::Local => return Verdict::Accept,
            Found::Obsolete => self.stats.count::<OBSOLETE>(),
            Found::Miss => {}
        }
        // No slot is for a device of a VRF, so a hit need not ask.
        if packet.iif().is_l3mdev() {
            self.stats.count::<ALONE>();
        } else {
            self.stats.count::<LOOKUPS>();
            // The stack repeats a lookup that failed, and knows what to say of it.
            _ = self.look_up(net, packet, ct, info.dir(), key_of(packet));
        }
        Verdict::Accept
    }
}

impl LocalOut for Path {
    fn outgoing(&self, net: &Net, packet: &mut Outgoing<'_>) -> Verdict {
        let Some(dst) = packet
            .dst()
            .filter(|dst| dst.is_unicast() && !dst.is_xfrm())
        else {
            return Verdict::Accept;
        };
        let oif = dst.oif();
        let Some((ct, info)) = packet.conntrack() else {
            return self.invalid_outgoing(net, packet, oif);
        };
        let mark = ct.mark() & self.marks.mask();
        if mark == 0 {
            // Most of what the router says to hosts of the LAN ends here.
            if !is_first(packet, ct, info) || ct.is_expected() {
                return Verdict::Accept;
            }
            return match self.wans.by_ifindex(oif) {
                Some(at) => self.first_outgoing(net, packet, ct, at),
                None => self.first_elsewhere(net, packet, ct, oif),
            };
        }
        let given = packet.mark();
        packet.set_mark(given & !self.marks.mask() | mark);
        let id = self.marks.id(mark);
        if self.wans.is_at(id, oif) || self.wans.by_ifindex(oif).is_none() {
            self.stats.count::<ALONE>();
            return Verdict::Accept;
        }
        self.stats.count::<LOOKUPS>();
        let rerouted = packet.reroute(net);
        rerouted.map_or_else(Verdict::Drop, |_| Verdict::Accept)
    }
}

/// An ICMP error about a connection.
#[inline]
fn is_error(packet: &Skb<'_>, info: Info) -> bool {
    info.is_related() && packet.is_icmp()
}

/// Whether a packet of a connection of ours takes no kept route.
#[inline]
fn is_alone(packet: &Incoming<'_>, info: Info) -> bool {
    is_error(packet, info) || packet.has_ip_options() || packet.is_taken()
}

/// Whether it is the packet that opens a connection.
fn is_first(packet: &Skb<'_>, ct: &Conn, info: Info) -> bool {
    !ct.is_confirmed() && (info.is_new() || info.is_related()) && !is_error(packet, info)
}

/// Whether it is what a tunnel of the kernel's sends, by a protocol without ports.
fn is_tunnel(packet: &Outgoing<'_>, ct: &Conn) -> bool {
    packet.is_of_kernel() && !packet.is_icmp() && ct.flow().dport.is_none()
}

/// Whether nobody else has a say in where a packet goes.
fn is_fair_game(packet: &Incoming<'_>) -> bool {
    !packet.is_taken() && !packet.is_unwrapped() && !packet.iif().is_l3mdev()
}

#[inline]
fn key_of(packet: &Incoming<'_>) -> Key {
    Key {
        iif: packet.iif().ifindex(),
        mark: packet.mark(),
        dscp: packet.dscp(),
    }
}

/// What decides where the first packet of a connection goes.
fn probe_of(packet: &Skb<'_>, ct: &Conn, iif: u32) -> Probe {
    let flow = ct.flow();
    Probe {
        saddr: flow.saddr,
        daddr: flow.daddr,
        iif,
        mark: packet.mark(),
        protocol: flow.protocol,
        dport: flow.dport,
        dscp: packet.dscp() >> 2,
    }
}

/// What the first packet of a connection is about.
#[derive(Clone, Copy)]
enum First {
    /// It leaves through this WAN.
    Outbound(u8),
    /// It comes in through this WAN, to the router or to a host behind it: so must its replies leave.
    Inbound(u8),
    /// It leaves as a last resort: by a default route of somebody else's, which main has after that of a WAN that is
    /// not up.
    Spare,
    /// It is none of ours.
    Other,
}

impl Path {
    pub(crate) fn config(&self) -> Config {
        self.chooser.config()
    }

    /// Gives the packet of a connection of ours the dst that its connection keeps, if it does, and the mark.
    #[inline(always)]
    fn follow(&self, net: &Net, packet: &mut Incoming<'_>, ct: &Conn, info: Info) -> Found {
        self.mark(packet, ct);
        let key = key_of(packet);
        let found = self.entries.take(net, ct, info.dir(), key, packet);
        match found {
            Found::Hit => {
                self.stats.count::<HITS>();
                packet.leave_plain(net);
            }
            Found::Local => {
                self.stats.count::<HITS>();
                self.unmark(packet);
            }
            Found::Obsolete | Found::Miss => {}
        }
        found
    }

    /// Without its mark a packet would take the default route of main, whatever else it is.
    #[inline]
    fn mark(&self, packet: &mut Skb<'_>, ct: &Conn) {
        let given = packet.mark();
        packet.set_mark(given & !self.marks.mask() | ct.mark() & self.marks.mask());
    }

    /// The mark is there to find a route by. Nothing else of the router's own has a use for it; and should
    /// there be another packet inside, it would come out with the mark.
    fn unmark(&self, packet: &mut Skb<'_>) {
        let mark = packet.mark();
        packet.set_mark(mark & !self.marks.mask());
    }

    /// The first packet of a connection that comes in: is it ours, and whose is it?
    #[cold]
    fn first_incoming(
        &self,
        net: &Net,
        packet: &mut Incoming<'_>,
        ct: &Conn,
        bridged: Bridged,
    ) -> Result {
        let mut by_user = packet.mark() & self.marks.mask();
        if by_user != 0 && !self.wans.is_routed(self.marks.id(by_user)) {
            // A rule of the user's own has chosen what cannot be.
            by_user = 0;
            self.unmark(packet);
        }
        let mut plain = None;
        let first = if ct.is_expected() && by_user == 0 {
            First::Other
        } else if let Some((at, genid)) = self.classify_plain(net, packet) {
            plain = Some(genid);
            First::Outbound(at)
        } else {
            let first = self.classify(net, packet, ct)?;
            // The stack repeats a lookup that failed, and knows what to say of it.
            packet.drop_dst();
            first
        };
        let choice = match first {
            First::Outbound(_) if by_user != 0 => Choice::Wan(by_user),
            First::Outbound(_) => self.choose(net, packet, ct, Some(packet.iif()), false),
            First::Inbound(id) => Choice::Wan(self.marks.of(id)),
            First::Spare => match self.choose(net, packet, ct, Some(packet.iif()), false) {
                Choice::Nowhere => Choice::Nowhere,
                _ => Choice::Main,
            },
            First::Other => Choice::Main,
        };
        let mark = match (choice, first) {
            (Choice::Wan(mark), _) => mark,
            // It is not balanced, but ends with the line that it leaves by.
            (Choice::LastResort, First::Outbound(at)) if self.wans.is_routed(at) => {
                self.marks.of(at)
            }
            (Choice::Main | Choice::LastResort, _) => {
                self.stats.count::<NOT_BALANCED>();
                self.stats.count::<ALONE>();
                return Ok(());
            }
            (Choice::Nowhere, _) => {
                self.refuse(packet);
                return Ok(());
            }
        };
        let is_marked_only = packet.has_ip_options() || bridged == Bridged::Routed;
        if is_marked_only {
            self.stats.count::<ALONE>();
        } else {
            self.stats.count::<LOOKUPS>();
        }
        self.assign(packet, ct, mark);
        let oif = if is_marked_only {
            let oif = packet.route()?.map(|dst| dst.oif());
            packet.drop_dst();
            oif
        } else if let Some(oif) = self.look_up_plain(net, packet, ct, mark, plain) {
            Some(oif)
        } else {
            self.look_up(net, packet, ct, Dir::Orig, key_of(packet))?
        };
        if let First::Inbound(_) = first {
            // Whoever calls from outside has no say in where others are placed.
            self.stats.count::<INBOUND>();
            return Ok(());
        }
        if let Choice::LastResort = choice {
            self.stats.count::<NOT_BALANCED>();
            return Ok(());
        }
        // A route that is more specific than a default has the last word.
        let oif = oif.filter(|oif| by_user == 0 && !self.wans.is_at(self.marks.id(mark), *oif));
        let other = oif.and_then(|oif| self.wans.by_ifindex(oif));
        let mark = other.map_or(mark, |id| self.marks.of(id));
        if other.is_some() {
            self.assign(packet, ct, mark);
            if !is_marked_only {
                self.look_up(net, packet, ct, Dir::Orig, key_of(packet))?;
            }
        }
        self.placed(mark);
        Ok(())
    }

    /// The first packet of a connection of the router's own, whose route leads through the WAN `at`.
    #[cold]
    fn first_outgoing(&self, net: &Net, packet: &mut Outgoing<'_>, ct: &Conn, at: u8) -> Verdict {
        let by_user = packet.mark() & self.marks.mask();
        // What its sender has bound to a WAN stays there; so does what has a source address of one that its
        // route would not give it, and a tunnel without ports, which may be bound to the address of either end.
        // A mark that the route has nothing to do with is that of a packet inside.
        let choice = match (packet.bound(), self.sent_from(net, packet, at)) {
            _ if by_user != 0 && self.marks.id(by_user) == at => Choice::Wan(by_user),
            (Bound::Device, _) => Choice::Wan(self.marks.of(at)),
            (Bound::Address, Some(id)) => Choice::Wan(self.marks.of(id)),
            (_, Some(id)) if id != at || is_tunnel(packet, ct) => Choice::Wan(self.marks.of(id)),
            _ => {
                self.unmark(packet);
                self.choose(net, packet, ct, None, packet.is_of_kernel())
            }
        };
        let mark = match choice {
            Choice::Wan(mark) => mark,
            Choice::Main | Choice::LastResort => {
                // As above.
                if matches!(choice, Choice::LastResort) && self.wans.is_routed(at) {
                    self.assign(packet, ct, self.marks.of(at));
                }
                self.stats.count::<NOT_BALANCED>();
                self.stats.count::<ALONE>();
                return Verdict::Accept;
            }
            Choice::Nowhere => return self.refuse_outgoing(net, packet),
        };
        self.assign(packet, ct, mark);
        let id = self.marks.id(mark);
        if id == at {
            self.stats.count::<ALONE>();
            self.placed(mark);
            return Verdict::Accept;
        }
        self.stats.count::<LOOKUPS>();
        let dst = match packet.reroute(net) {
            Ok(dst) => dst,
            Err(e) => return Verdict::Drop(e),
        };
        // As above: a more specific route has the last word.
        let other = dst.and_then(|dst| self.wans.by_ifindex(dst.oif()));
        let mark = match other.filter(|other| *other != id) {
            Some(other) => {
                let mark = self.marks.of(other);
                self.assign(packet, ct, mark);
                mark
            }
            None => mark,
        };
        self.placed(mark);
        Verdict::Accept
    }

    /// The same, if its route leads through a device that is no WAN's.
    #[cold]
    fn first_elsewhere(
        &self,
        net: &Net,
        packet: &mut Outgoing<'_>,
        ct: &Conn,
        oif: u32,
    ) -> Verdict {
        let is_bound = matches!(packet.bound(), Bound::Device);
        if is_bound || !self.is_by_last_resort(net, &probe_of(packet, ct, netdev::LOOPBACK), oif) {
            return Verdict::Accept;
        }
        match self.choose(net, packet, ct, None, packet.is_of_kernel()) {
            Choice::Nowhere => self.refuse_outgoing(net, packet),
            _ => Verdict::Accept,
        }
    }

    /// A packet of the router's own that conntrack takes for invalid: the end of a connection that was flushed, an
    /// answer to what belongs to none. With the address of another WAN than its route's it would be taken for
    /// forged, and so would the ARP request that it causes, so that all others wait for that gateway as well.
    /// What was exempted from conntrack on purpose is left alone.
    #[cold]
    fn invalid_outgoing(&self, net: &Net, packet: &mut Outgoing<'_>, oif: u32) -> Verdict {
        if packet.is_untracked() {
            return Verdict::Accept;
        }
        let Some(at) = self.wans.by_ifindex(oif) else {
            return Verdict::Accept;
        };
        // As above: a mark that the route has nothing to do with is that of a packet inside.
        let mark = packet.mark();
        let by_user = mark & self.marks.mask();
        let is_bound = matches!(packet.bound(), Bound::Device);
        if is_bound || by_user != 0 && self.marks.id(by_user) == at {
            return Verdict::Accept;
        }
        match self.sent_from(net, packet, at) {
            Some(id) if id != at => {
                packet.set_mark(mark & !self.marks.mask() | self.marks.of(id));
                let rerouted = packet.reroute(net);
                rerouted.map_or_else(Verdict::Drop, |_| Verdict::Accept)
            }
            _ => Verdict::Accept,
        }
    }

    /// The WAN whose address the packet has: `at`, if several have it.
    fn sent_from(&self, net: &Net, packet: &Outgoing<'_>, at: u8) -> Option<u8> {
        let addr = packet.saddr();
        if self.wans.has_addr(net, at, addr) {
            return Some(at);
        }
        self.owner(addr)
            .and_then(|ifindex| self.wans.by_ifindex(ifindex))
    }

    /// The WAN that a connection goes by without us, if no lookup is needed to tell, and the genid with which that is
    /// so.
    fn classify_plain(&self, net: &Net, packet: &mut Incoming<'_>) -> Option<(u8, i32)> {
        if packet.mark() & self.marks.mask() != 0 {
            return None;
        }
        let genid = net.genid_ipv4();
        let oif = self.shortcut.default_oif(net, packet, genid)?;
        let at = self.wans.by_ifindex(oif)?;
        // Tunnels leave one that is no route, but says where the packet came from; a lookup drops it, too.
        packet.drop_dst();
        (!packet.is_to_be_wrapped(net)).then_some((at, genid))
    }

    /// Where a connection goes without us.
    fn classify(&self, net: &Net, packet: &mut Incoming<'_>, ct: &Conn) -> Result<First> {
        let iif = packet.iif();
        // Also if it has no routes: better no answer than one by another line, with the address of this one.
        let from = || self.wans.by_ifindex(iif.ifindex());
        let mut route = packet.route()?;
        if let (None, Some(id)) = (&route, iif.checks_mark().then(from).flatten()) {
            // The source may be valid only for what has the mark of the WAN.
            let mark = packet.mark();
            packet.set_mark(mark & !self.marks.mask() | self.marks.of(id));
            let found = packet.route();
            packet.set_mark(mark);
            route = found?;
        }
        let Some(dst) = route else {
            return Ok(First::Other);
        };
        if let Some(at) = self.wans.by_ifindex(dst.oif()).filter(|_| dst.is_unicast()) {
            if packet.is_to_be_wrapped(net) {
                return Ok(First::Other);
            }
            return Ok(First::Outbound(at));
        }
        if !dst.is_unicast() && !dst.is_local() {
            return Ok(First::Other);
        }
        if let Some(id) = from() {
            return Ok(First::Inbound(id));
        }
        let is_spare = dst.is_unicast()
            && !packet.is_to_be_wrapped(net)
            && self.is_by_last_resort(net, &probe_of(packet, ct, iif.ifindex()), dst.oif());
        Ok(if is_spare { First::Spare } else { First::Other })
    }

    /// Whether a connection that leaves through this device, which is no WAN's, does so for want of a WAN: by a default
    /// route of main that would come after that of the first one. What is more specific, or in another table, has
    /// nothing to do with that; nor has what a rule before ours leads there, whatever its mark.
    pub(crate) fn is_by_last_resort(&self, net: &Net, probe: &Probe, oif: u32) -> bool {
        let first = self.wans.first();
        let nowhere = Probe {
            mark: probe.mark & !self.marks.mask() | self.marks.nowhere(),
            ..*probe
        };
        !self.wans.is_usable(net, first)
            && probe.default_metric(net, oif) > metric(self.wans.tier(first), first)
            && nowhere.led(net) == Led::Nowhere
    }

    fn choose(
        &self,
        net: &Net,
        packet: &Skb<'_>,
        ct: &Conn,
        iif: Option<&netdev::Device>,
        is_of_kernel: bool,
    ) -> Choice {
        let new = New {
            flow: &ct.flow(),
            iif,
            dscp: packet.dscp() >> 2,
        };
        self.chooser
            .choose(net, &self.wans, &new, is_of_kernel, Run::Real)
    }

    /// A packet that must not go anywhere: the rule for its mark says so to its sender.
    fn refuse(&self, packet: &mut Skb<'_>) {
        let mark = packet.mark();
        packet.set_mark(mark & !self.marks.mask() | self.marks.nowhere());
        self.stats.count::<UNREACHABLE>();
        self.stats.count::<ALONE>();
    }

    /// The same for one of the router's own, which has a route already.
    fn refuse_outgoing(&self, net: &Net, packet: &mut Outgoing<'_>) -> Verdict {
        self.refuse(packet);
        packet.reroute(net).map_or_else(
            |why| {
                packet.send_unreachable();
                Verdict::Drop(why)
            },
            |_| Verdict::Accept,
        )
    }

    /// Gives a new connection a mark.
    fn assign(&self, packet: &mut Skb<'_>, ct: &Conn, mark: u32) {
        ct.set_mark(ct.mark() & !self.marks.mask() | mark);
        let given = packet.mark();
        packet.set_mark(given & !self.marks.mask() | mark);
    }

    fn placed(&self, mark: u32) {
        self.wans.place(self.marks.id(mark));
        self.stats.count::<CONNECTIONS>();
        if mark & !self.marks.id_mask() != 0 {
            self.stats.count::<BY_POLICY>();
        }
    }

    /// Looks the route of a packet up, and keeps it for those that follow. Returns the device that it
    /// leaves through.
    #[cold]
    fn look_up(
        &self,
        net: &Net,
        packet: &mut Incoming<'_>,
        ct: &Conn,
        dir: Dir,
        key: Key,
    ) -> Result<Option<u32>> {
        let genid = net.genid_ipv4();
        let id = self.marks.id(packet.mark());
        let by_tables = self.shortcut.look_up(net, packet, id, genid);
        let found = by_tables.map_or_else(|| packet.route(), |dst| Ok(Some(dst)));
        match found? {
            Some(dst) if dst.is_unicast() || dst.is_local() => {
                self.entries.keep(net, ct, dir, key, &dst, genid);
                if dst.is_local() {
                    self.unmark(packet);
                } else {
                    packet.leave_plain(net);
                }
                Ok(Some(dst.oif()))
            }
            _ => {
                packet.drop_dst();
                Ok(None)
            }
        }
    }

    /// The same for the first packet of a connection that was classified without a lookup.
    fn look_up_plain(
        &self,
        net: &Net,
        packet: &mut Incoming<'_>,
        ct: &Conn,
        mark: u32,
        plain: Option<i32>,
    ) -> Option<u32> {
        let genid = plain?;
        let dst = self.shortcut.take(packet, self.marks.id(mark), genid)?;
        let key = key_of(packet);
        self.entries.keep(net, ct, Dir::Orig, key, &dst, genid);
        packet.leave_plain(net);
        Some(dst.oif())
    }

    /// A pair stays where it is for as long as it has a connection.
    pub(crate) fn refresh_pairs(&self) {
        self.chooser.with_pairs(|pairs| {
            conntrack::for_each(self.entries.net(), |ct| {
                let id = self.marks.id(ct.mark());
                if id != 0 {
                    pairs.refresh(mwb_pair::Key::of(&ct.flow()), id);
                }
            });
        });
    }
}

/// What is done from time to time.
impl Task for Path {
    fn run(&self) -> Option<u32> {
        self.entries.tend();
        if self.chooser.is_refresh_due() {
            self.refresh_pairs();
        }
        Some(TEND_MS)
    }
}
