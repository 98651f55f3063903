// SPDX-License-Identifier: GPL-2.0

//! Policies: which connections go to which WANs, whatever the load. And the groups of WANs that they name.
//!
//! A [`Set`] never changes: whoever adds a policy makes a new one. Policies are tried in the order of their
//! preference, but not one by one: those whose prefixes have the same lengths are found at once by the
//! prefixes that an address has with these lengths.

#![forbid(unsafe_code)]

use crate::{
    rust::{
        conntrack::Flow,
        netdev::Device,
        sort, //
    },
    uapi, //
};
use core::{
    cmp::Reverse,
    net::IpAddr,
    sync::atomic::{
        AtomicU64,
        Ordering::Relaxed, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A name of a device, a WAN or a group, which is never longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name([u8; 16]);

impl Name {
    pub(crate) fn new(name: &CStr) -> Option<Self> {
        let bytes = name.to_bytes();
        let mut all = [0; 16];
        // One byte is left for the NUL.
        let (room, _) = all.split_at_mut_checked(bytes.len())?;
        room.copy_from_slice(bytes);
        (bytes.len() < 16).then_some(Self(all))
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// Some of the WANs, by their ids.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wans([u64; 4]);

impl Wans {
    pub(crate) fn insert(&mut self, id: u8) {
        if let Some(word) = self.0.get_mut(usize::from(id >> 6)) {
            *word |= 1 << (id & 63);
        }
    }

    fn remove(&mut self, id: u8) {
        if let Some(word) = self.0.get_mut(usize::from(id >> 6)) {
            *word &= !(1 << (id & 63));
        }
    }

    pub(crate) fn contains(&self, id: u8) -> bool {
        let word = self.0.get(usize::from(id >> 6)).copied().unwrap_or(0);
        word & 1 << (id & 63) != 0
    }

    pub(crate) fn one(id: u8) -> Self {
        let mut one = Self::default();
        one.insert(id);
        one
    }

    fn or(self, other: Self) -> Self {
        let Self([a, b, c, d]) = self;
        let Self([e, f, g, h]) = other;
        Self([a | e, b | f, c | g, d | h])
    }
}

/// A group of WANs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: Name,
    pub(crate) wans: Wans,
}

/// An address prefix. All bits beyond `len` are 0, and those of an IPv4 address are the highest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefix {
    bits: u128,
    len: u8,
    is_v6: bool,
}

impl Prefix {
    /// None if the address has bits beyond the length, or fewer than that.
    pub(crate) fn new(addr: IpAddr, len: u32) -> Option<Self> {
        let (bits, is_v6) = Self::bits(addr);
        let most = if is_v6 { 128 } else { 32 };
        let len = u8::try_from(len).ok().filter(|len| *len <= most)?;
        (bits == Self::cut(bits, len)).then_some(Self { bits, len, is_v6 })
    }

    fn bits(addr: IpAddr) -> (u128, bool) {
        match addr {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, false),
            IpAddr::V6(v6) => (v6.to_bits(), true),
        }
    }

    fn cut(bits: u128, len: u8) -> u128 {
        let beyond = u128::MAX.checked_shr(len.into()).unwrap_or(0);
        bits & !beyond
    }

    pub(crate) fn addr(&self) -> IpAddr {
        if self.is_v6 {
            return IpAddr::V6(self.bits.into());
        }
        IpAddr::V4(((self.bits >> 96) as u32).into())
    }

    pub(crate) fn len(&self) -> u32 {
        self.len.into()
    }
}

/// What a policy asks of a connection; what is None may be anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Selector {
    pub(crate) pref: u32,
    pub(crate) src: Option<Prefix>,
    pub(crate) dst: Option<Prefix>,
    pub(crate) iif: Option<Name>,
    pub(crate) protocol: Option<u8>,
    /// Lowest and highest.
    pub(crate) dports: Option<(u16, u16)>,
    pub(crate) dscp: Option<u8>,
}

impl Selector {
    /// The lengths of the prefixes, of source and destination.
    fn lens(&self) -> (u8, u8) {
        let len = |prefix: &Option<Prefix>| prefix.map_or(0, |p| p.len);
        (len(&self.src), len(&self.dst))
    }

    /// In this order policies are tried.
    fn rank(&self) -> (u32, Reverse<u16>, Reverse<usize>) {
        let (src, dst) = self.lens();
        let others = [
            self.iif.is_some(),
            self.protocol.is_some(),
            self.dports.is_some(),
            self.dscp.is_some(),
        ];
        let others = others.into_iter().filter(|is_set| *is_set).count();
        let bits = u16::from(src).saturating_add(dst.into());
        (self.pref, Reverse(bits), Reverse(others))
    }

    fn hash(&self) -> u64 {
        let bits = |prefix: &Option<Prefix>| prefix.map_or(0, |p| p.bits);
        hash(bits(&self.src), bits(&self.dst))
    }

    fn matches(&self, new: &New<'_>) -> bool {
        let contains = |prefix: &Option<Prefix>, addr: IpAddr| {
            prefix.is_none_or(|p| {
                let (bits, is_v6) = Prefix::bits(addr);
                is_v6 == p.is_v6 && Prefix::cut(bits, p.len) == p.bits
            })
        };
        let flow = new.flow;
        contains(&self.src, flow.saddr.into())
            && contains(&self.dst, flow.daddr.into())
            && self.protocol.is_none_or(|p| p == flow.protocol)
            && self
                .dports
                .is_none_or(|(min, max)| flow.dport.is_some_and(|port| (min..=max).contains(&port)))
            && self.dscp.is_none_or(|dscp| dscp == new.dscp)
            && self.iif.is_none_or(|name| match new.iif {
                Some(iif) => iif.has_name(name.as_c_str()),
                None => name.as_c_str() == c"lo",
            })
    }
}

/// A new connection, as policies see it.
pub(crate) struct New<'a> {
    pub(crate) flow: &'a Flow,
    /// None for one of the router's own.
    pub(crate) iif: Option<&'a Device>,
    /// DSCP of the first packet, in the lower six bits.
    pub(crate) dscp: u8,
}

/// Where a policy leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Main,
    Wan(u8),
    /// By its place among the groups.
    Group(usize),
}

/// A policy.
pub(crate) struct Policy {
    pub(crate) selector: Selector,
    pub(crate) to: Target,
    pub(crate) to_name: Name,
    pub(crate) is_strict: bool,
    pub(crate) connections: AtomicU64,
    pub(crate) missed: AtomicU64,
}

impl Policy {
    pub(crate) fn new(selector: Selector, to: Target, to_name: Name, is_strict: bool) -> Self {
        Self {
            selector,
            to,
            to_name,
            is_strict,
            connections: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.selector == other.selector
            && (self.to, self.to_name) == (other.to, other.to_name)
            && self.is_strict == other.is_strict
    }

    pub(crate) fn count(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_missed(&self) {
        self.missed.fetch_add(1, Relaxed);
    }
}

/// The policies whose prefixes have these lengths.
#[derive(Clone)]
struct Lens {
    lens: (u8, u8),
    /// The first policy among them.
    first: usize,
    /// Where they begin and end in the index.
    range: core::ops::Range<usize>,
}

/// All policies and groups of an instance.
pub(crate) struct Set {
    /// In the order in which they are tried.
    policies: KVVec<Arc<Policy>>,
    groups: KVec<Option<Group>>,
    lens: KVec<Lens>,
    /// The hash of a policy's prefixes, and its place; in that order for each `Lens`.
    index: KVVec<(u64, u32)>,
}

fn hash(src: u128, dst: u128) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = 0u64;
    for half in [
        src as u64,
        (src >> 64) as u64,
        dst as u64,
        (dst >> 64) as u64,
    ] {
        hash = (hash.rotate_left(23) ^ half).wrapping_mul(GOLDEN);
    }
    hash
}

impl Set {
    pub(crate) const fn empty() -> Self {
        Self {
            policies: KVVec::new(),
            groups: KVec::new(),
            lens: KVec::new(),
            index: KVVec::new(),
        }
    }

    pub(crate) fn copy_groups(&self) -> Result<KVec<Option<Group>>> {
        let mut groups = KVec::with_capacity(self.groups.len(), GFP_KERNEL_ACCOUNT)?;
        groups.extend_from_slice(&self.groups, GFP_KERNEL_ACCOUNT)?;
        Ok(groups)
    }

    /// With room for so many more.
    pub(crate) fn copy_policies(&self, more: usize) -> Result<KVVec<Arc<Policy>>> {
        let room = self.policies.len().saturating_add(more);
        let mut policies = KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
        for policy in &self.policies {
            policies.push(policy.clone(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(policies)
    }

    /// Of policies in any order; among equals, the one that is given first comes first here. EEXIST if two are
    /// the same.
    pub(crate) fn new(given: KVVec<Arc<Policy>>, groups: KVec<Option<Group>>) -> Result<Self> {
        let count = given.len();
        let at = |i: u32| given.get(i as usize).map(|p| &p.selector);
        let mut order = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
        for i in 0..u32::try_from(count)? {
            order.push(i, GFP_KERNEL_ACCOUNT)?;
        }
        sort::sort_by_key(&mut order, |i| at(*i));
        if order
            .windows(2)
            .any(|w| w.first().map(|i| at(*i)) == w.last().map(|i| at(*i)))
        {
            return Err(EEXIST);
        }
        sort::sort_by_key(&mut order, |i| (at(*i).map(Selector::rank), *i));

        let mut policies = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
        let mut index = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
        for (place, policy) in order
            .iter()
            .filter_map(|i| given.get(*i as usize))
            .enumerate()
        {
            policies.push(policy.clone(), GFP_KERNEL_ACCOUNT)?;
            index.push((policy.selector.hash(), place as u32), GFP_KERNEL_ACCOUNT)?;
        }
        let mut set = Self {
            policies,
            groups,
            lens: KVec::new(),
            index: KVVec::new(),
        };
        let lens_of = |place: u32| set.get(place as usize).map(|p| p.selector.lens());
        sort::sort_by_key(&mut index, |(hash, place)| (lens_of(*place), *hash, *place));
        let mut lens: KVec<Lens> = KVec::new();
        for (i, (_, place)) in index.iter().enumerate() {
            let (Some(these), place, next) =
                (lens_of(*place), *place as usize, i.saturating_add(1))
            else {
                continue;
            };
            match lens.last_mut().filter(|l| l.lens == these) {
                Some(last) => {
                    last.first = last.first.min(place);
                    last.range.end = next;
                }
                None => lens.push(
                    Lens {
                        lens: these,
                        first: place,
                        range: i..next,
                    },
                    GFP_KERNEL_ACCOUNT,
                )?,
            }
        }
        sort::sort_by_key(&mut lens, |l| l.first);
        set.lens = lens;
        set.index = index;
        Ok(set)
    }

    /// The same policies with other groups; nothing has to be put in order again.
    pub(crate) fn with_groups(&self, groups: KVec<Option<Group>>) -> Result<Self> {
        let mut lens = KVec::with_capacity(self.lens.len(), GFP_KERNEL_ACCOUNT)?;
        lens.extend_from_slice(&self.lens, GFP_KERNEL_ACCOUNT)?;
        let mut index = KVVec::with_capacity(self.index.len(), GFP_KERNEL_ACCOUNT)?;
        index.extend_from_slice(&self.index, GFP_KERNEL_ACCOUNT)?;
        Ok(Self {
            policies: self.copy_policies(0)?,
            groups,
            lens,
            index,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether the policies are just the same ones, in the same order.
    pub(crate) fn has_policies_of(&self, other: &Self) -> bool {
        let mut both = self.policies.iter().zip(&other.policies);
        self.len() == other.len() && both.all(|(a, b)| Arc::ptr_eq(a, b))
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Arc<Policy>> {
        self.policies.get(place)
    }

    /// The WANs that strict policies lead to.
    pub(crate) fn strict(&self) -> Wans {
        let strict = self.policies.iter().filter(|p| p.is_strict);
        let wans = strict.filter_map(|p| self.wanted(p));
        wans.fold(Wans::default(), Wans::or)
    }

    /// The first policy that matches a new connection.
    pub(crate) fn lookup(&self, new: &New<'_>) -> Option<&Policy> {
        self.find(new).map(|policy| &**policy)
    }

    /// As [`Self::lookup`], for those who keep it.
    pub(crate) fn find(&self, new: &New<'_>) -> Option<&Arc<Policy>> {
        let (src, _) = Prefix::bits(new.flow.saddr.into());
        let (dst, _) = Prefix::bits(new.flow.daddr.into());
        let mut best: Option<usize> = None;
        for lens in &self.lens {
            if best.is_some_and(|best| best < lens.first) {
                break;
            }
            let (src_len, dst_len) = lens.lens;
            let hash = hash(Prefix::cut(src, src_len), Prefix::cut(dst, dst_len));
            let found = self
                .candidates(lens, hash)
                .find(|place| self.get(*place).is_some_and(|p| p.selector.matches(new)));
            best = match (best, found) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        self.get(best?)
    }

    /// The places of the policies with these lengths and this hash, in their order.
    fn candidates<'a>(&'a self, lens: &Lens, hash: u64) -> impl Iterator<Item = usize> + 'a {
        let part = self.index.get(lens.range.clone()).unwrap_or(&[]);
        let first = part.partition_point(|(h, _)| *h < hash);
        let rest = part.get(first..).unwrap_or(&[]).iter();
        rest.take_while(move |(h, _)| *h == hash)
            .map(|(_, place)| *place as usize)
    }

    /// A policy that is the same in all but what it has counted.
    pub(crate) fn same_as(&self, other: &Policy) -> Option<&Arc<Policy>> {
        let wanted = other.selector.lens();
        let lens = self.lens.iter().find(|l| l.lens == wanted)?;
        let mut places = self.candidates(lens, other.selector.hash());
        places.find_map(|place| self.get(place).filter(|p| p.is_same_as(other)))
    }

    pub(crate) fn group(&self, name: &Name) -> Option<usize> {
        group(&self.groups, name)
    }

    pub(crate) fn has_groups_of(&self, other: &Self) -> bool {
        *self.groups == *other.groups
    }

    /// The WANs of a group.
    pub(crate) fn members(&self, name: &Name) -> Option<Wans> {
        let group = self.groups.get(self.group(name)?)?.as_ref()?;
        Some(group.wans)
    }

    /// All groups, with their places.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (usize, &Group)> {
        let all = self.groups.iter().enumerate();
        all.filter_map(|(place, group)| group.as_ref().map(|g| (place, g)))
    }

    /// The WANs that a policy wants; None leaves a connection to main.
    pub(crate) fn wanted(&self, policy: &Policy) -> Option<Wans> {
        match policy.to {
            Target::Main => None,
            Target::Wan(id) => Some(Wans::one(id)),
            Target::Group(place) => {
                let group = self.groups.get(place).copied().flatten();
                Some(group.map_or(Wans::default(), |g| g.wans))
            }
        }
    }

    /// The first policy that leads to this target.
    pub(crate) fn to(&self, target: Target) -> Option<&Policy> {
        let mut policies = self.policies.iter();
        policies.find(|p| p.to == target).map(|p| &**p)
    }
}

/// The place of the group that has this name.
pub(crate) fn group(groups: &[Option<Group>], name: &Name) -> Option<usize> {
    let is_it = |g: &Option<Group>| g.is_some_and(|g| g.name == *name);
    groups.iter().position(is_it)
}

/// Takes a WAN out of all groups.
pub(crate) fn forget(groups: &mut [Option<Group>], id: u8) {
    for group in groups.iter_mut().flatten() {
        group.wans.remove(id);
    }
}

/// Gives a group these members, and makes it if there is none. ENOSPC when there are too many.
pub(crate) fn set_group(groups: &mut KVec<Option<Group>>, new: Group) -> Result {
    let place = group(groups, &new.name);
    let place = place.or_else(|| groups.iter().position(Option::is_none));
    let place = place.unwrap_or(groups.len());
    if place >= uapi::GROUP_MAX as usize {
        return Err(ENOSPC);
    }
    match groups.get_mut(place) {
        Some(group) => *group = Some(new),
        None => groups.push(Some(new), GFP_KERNEL_ACCOUNT)?,
    }
    Ok(())
}
