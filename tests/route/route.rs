// SPDX-License-Identifier: GPL-2.0

//! What the reconciler wants and does, by properties: mwb_route.rs as the module compiles it, and a kernel
//! that refuses what the real one does.

#[path = "../../mwb_config.rs"]
#[expect(dead_code)]
mod mwb_config;
#[allow(dead_code)]
#[path = "../../mwb_pick.rs"]
mod mwb_pick;
#[allow(dead_code)]
#[path = "../../mwb_rate.rs"]
mod mwb_rate;
#[path = "../../mwb_route.rs"]
#[expect(dead_code)]
mod mwb_route;
#[path = "../../uapi/mwb_uapi.rs"]
#[expect(dead_code)]
mod uapi;

mod rust {
    pub(crate) mod rtnetlink {
        /// As the kernel's headers have them.
        #[expect(dead_code)]
        pub(crate) mod number {
            include!(env!("NUMBERS"));
        }
    }
}

use mwb_config::*;
use mwb_route::*;
use rust::rtnetlink::number::*;
use std::{
    collections::BTreeSet,
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr},
    panic::{catch_unwind, resume_unwind},
};

/// SplitMix64: good enough to vary tests with.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Once in so many times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn subset<T: Copy>(&mut self, all: &[T]) -> Vec<T> {
        // All of it, none of it, and whatever is between.
        let share = self.below(5);
        let mut some = all.to_vec();
        some.retain(|_| self.below(4) < share);
        some
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for i in (1..all.len()).rev() {
            all.swap(i, self.below(i + 1));
        }
    }

    fn address(&mut self) -> IpAddr {
        let [a, b] = [self.below(4) as u8, self.below(4) as u8];
        Ipv4Addr::new(10, a, b, 0).into()
    }
}

/// Runs a test with so many seeds, which are other ones each time; says which one fails.
fn with_seeds(count: u64, test: impl Fn(&mut Random) + std::panic::RefUnwindSafe) {
    let given = std::env::var("MWB_SEED").ok().filter(|s| !s.is_empty());
    let first = match &given {
        Some(seed) => seed.parse().expect("MWB_SEED is a number"),
        None => RandomState::new().hash_one(0) >> 32,
    };
    for seed in first..first + if given.is_some() { 1 } else { count } {
        if let Err(why) = catch_unwind(|| test(&mut Random(seed))) {
            println!("seed {seed}");
            resume_unwind(why);
        }
    }
}

/// What the reconciler is told.
#[derive(Clone)]
struct World {
    config: Config,
    uplinks: Vec<Uplink>,
    connected: Vec<Route>,
}

impl World {
    fn random(random: &mut Random) -> Self {
        let mut config = Config::DEFAULT;
        // Few enough for two worlds to use the same numbers for different things.
        config.rule_pref = random.one_of(&[7000, 7001, 7005, 100]);
        config.table_base = random.one_of(&[7000, 7002, 300]);
        config.marks = Marks::new(random.one_of(&[0xff00_0000, 0xff80_0000, 0x7, 0x3c0])).unwrap();
        config.last_resort = random.below(2) as u32;
        let most = if random.once_in(20) { 250 } else { 8 };
        let mut uplinks: Vec<_> = (1..=config.marks.max_id().min(most) as u8).collect();
        uplinks = random.subset(&uplinks);
        let connected: Vec<_> = (0..random.below(12))
            .map(|_| Route {
                table: RT_TABLE_MAIN,
                dst: random.address(),
                prefix_len: random.one_of(&[8, 16, 24]),
                metric: random.one_of(&[0, 0, 100]),
                gateway: None,
                oif: random.below(4) as u32,
                source: random.one_of(&[None, Some(Ipv4Addr::LOCALHOST.into())]),
                scope: RT_SCOPE_LINK,
            })
            .collect();
        let uplinks = uplinks.into_iter().map(|id| uplink(random, id)).collect();
        Self {
            config,
            uplinks,
            connected: sorted(&connected),
        }
    }

    /// As it may be a moment later.
    fn changed(&self, random: &mut Random) -> Self {
        let mut new = self.clone();
        for i in 0..new.uplinks.len() {
            if random.once_in(3) {
                new.uplinks[i] = uplink(random, new.uplinks[i].id);
            }
        }
        new.uplinks.retain(|_| !random.once_in(4));
        new.connected.retain(|_| !random.once_in(4));
        new
    }

    fn desired(&self) -> Vec<Object> {
        let mut all = Vec::new();
        let inputs = Inputs {
            config: &self.config,
            uplinks: &self.uplinks,
            connected: &self.connected,
        };
        let Ok(()) = desired(&inputs, |object| {
            all.push(object);
            Ok::<_, Infallible>(())
        });
        all.sort();
        all
    }
}

fn uplink(random: &mut Random, id: u8) -> Uplink {
    Uplink {
        id,
        tier: random.one_of(&[1, 1, 1, 2, 3, 16]),
        is_spare: random.once_in(4),
        ifindex: 100 + random.below(4) as u32,
        gateway: (!random.once_in(3)).then(|| random.address()),
    }
}

fn sorted<T: Ord + Copy>(all: &[T]) -> Vec<T> {
    BTreeSet::from_iter(all.iter().copied())
        .into_iter()
        .collect()
}

/// Something of ours that differs from `object` in one respect.
fn like(random: &mut Random, object: Object) -> Object {
    let n = 1 + random.below(3) as u32;
    match object {
        Object::Rule(mut rule) => {
            match random.below(6) {
                0 => rule.preference += n,
                1 => rule.mark ^= n,
                2 => rule.mask ^= n,
                3 => rule.table += n,
                4 => rule.is_inverted ^= true,
                _ => rule.suppress_prefix_len = Some(n),
            }
            Object::Rule(rule)
        }
        Object::Route(mut route) => {
            match random.below(6) {
                0 => route.table += n,
                1 => route.metric += n,
                2 => route.oif += n,
                3 => route.gateway = Some(random.address()),
                4 => route.source = Some(random.address()),
                _ => route.dst = random.address(),
            }
            Object::Route(route)
        }
    }
}

/// What may be there: some of what should be, of what was right a moment ago, of what another configuration
/// has left, and things that never were right. Sorted.
fn actual(random: &mut Random, world: &World) -> Vec<Object> {
    let desired = world.desired();
    let mut all = random.subset(&desired);
    let mut others = vec![world.changed(random)];
    for _ in 0..random.below(3) {
        others.push(World::random(random));
    }
    for other in others {
        all.extend(random.subset(&other.desired()));
    }
    for _ in 0..random.below(10) {
        let model = random.one_of(&desired);
        all.push(like(random, model));
    }
    sorted(&all)
}

fn operations(actual: &[Object], desired: &[Object]) -> Vec<(Op, Object)> {
    difference(actual, desired)
        .map(|(op, o)| (op, *o))
        .collect()
}

/// The kernel's rules and routes of our protocol.
struct Fib(BTreeSet<Object>);

impl Fib {
    fn new(objects: &[Object]) -> Self {
        Self(objects.iter().copied().collect())
    }

    /// Whether it was done, or refused with EEXIST or ESRCH.
    fn apply(&mut self, op: Op, object: Object) -> bool {
        match op {
            Op::Add => self.0.insert(object),
            Op::Remove => self.0.remove(&object),
        }
    }

    fn has_all(&self, objects: &[Object]) -> bool {
        objects.iter().all(|o| self.0.contains(o))
    }

    /// The rules that lead to a table without a default route.
    fn astray(&self) -> BTreeSet<Rule> {
        let routes = self.0.iter().filter_map(|o| match o {
            Object::Route(route) if route.is_default() => Some(route.table),
            _ => None,
        });
        let tables = BTreeSet::from_iter(routes);
        let rules = self.0.iter().filter_map(|o| match o {
            Object::Rule(rule) => Some(*rule),
            Object::Route(_) => None,
        });
        rules
            .filter(|r| r.action == FR_ACT_TO_TBL && r.table != RT_TABLE_MAIN)
            .filter(|r| !tables.contains(&r.table))
            .collect()
    }
}

/// In whatever order and how often they come; else says what only one of the two has.
fn same(some: &[Object], others: &[Object]) {
    let (some, others) = (Fib::new(some).0, Fib::new(others).0);
    let difference: Vec<_> = some.symmetric_difference(&others).take(3).collect();
    assert!(difference.is_empty(), "{difference:?} ...");
}

fn is_guard(object: &Object) -> bool {
    matches!(object, Object::Rule(rule) if rule.action == FR_ACT_UNREACHABLE)
}

#[test]
fn any_state_converges_in_one_pass_and_a_second_does_nothing() {
    with_seeds(2000, |random| {
        let world = World::random(random);
        let (actual, desired) = (actual(random, &world), world.desired());
        let mut fib = Fib::new(&actual);
        for (op, object) in operations(&actual, &desired) {
            assert!(fib.apply(op, object), "{op:?} {object:?} is refused");
        }
        same(&Vec::from_iter(fib.0), &desired);
        assert_eq!(operations(&sorted(&desired), &desired), []);
    });
}

#[test]
fn nothing_else_is_touched() {
    with_seeds(2000, |random| {
        let world = World::random(random);
        let (actual, desired) = (actual(random, &world), world.desired());
        for (op, object) in operations(&actual, &desired) {
            let (has, wants) = (actual.contains(&object), desired.contains(&object));
            assert_eq!(
                (has, wants),
                (op == Op::Remove, op == Op::Add),
                "{object:?}"
            );
        }
    });
}

#[test]
fn what_replaces_something_is_there_before_it_goes() {
    with_seeds(2000, |random| {
        let world = World::random(random);
        let (actual, desired) = (actual(random, &world), world.desired());
        let mut fib = Fib::new(&actual);
        for (op, object) in operations(&actual, &desired) {
            fib.apply(op, object);
            assert!(fib.has_all(&actual) || fib.has_all(&desired));
        }
    });
}

#[test]
fn no_rule_leads_to_a_table_without_a_default_route() {
    with_seeds(500, |random| {
        let world = World::random(random);
        let (actual, desired) = (actual(random, &world), world.desired());
        let mut fib = Fib::new(&actual);
        let before = fib.astray();
        for (op, object) in operations(&actual, &desired) {
            fib.apply(op, object);
            let astray = fib.astray();
            assert!(astray.is_subset(&before), "{op:?} {object:?}: {astray:?}");
        }
        assert_eq!(fib.astray(), BTreeSet::new());
    });
}

#[test]
fn guards_come_first_and_go_last() {
    with_seeds(2000, |random| {
        let world = World::random(random);
        let operations = operations(&actual(random, &world), &world.desired());
        let first = operations.iter().position(|(_, o)| !is_guard(o));
        let last = operations.iter().rposition(|(_, o)| !is_guard(o));
        for (at, (op, object)) in operations.iter().enumerate() {
            if is_guard(object) && first.is_some() {
                assert!(match op {
                    Op::Add => Some(at) < first,
                    Op::Remove => Some(at) > last,
                });
            }
        }
    });
}

#[test]
fn order_and_duplicates_do_not_matter() {
    with_seeds(2000, |random| {
        let world = World::random(random);
        let mut other = world.clone();
        let again = random.subset(&other.connected);
        other.connected.extend(again);
        random.shuffle(&mut other.connected);
        random.shuffle(&mut other.uplinks);
        let desired = world.desired();
        same(&other.desired(), &desired);

        let actual = actual(random, &world);
        let mut twice = actual.clone();
        twice.extend(random.subset(&actual));
        twice.sort();
        let mut fib = Fib::new(&actual);
        for (op, object) in operations(&twice, &other.desired()) {
            // The second time it is refused.
            fib.apply(op, object);
        }
        same(&Vec::from_iter(fib.0), &desired);
    });
}

/// Whether the kernel takes `other` for what a request to remove `object` means: what is 0 in the request may
/// be anything, and rules that are inverted are like those that are not.
fn is_meant(object: &Object, other: &Object) -> bool {
    match (object, other) {
        (Object::Rule(a), Object::Rule(b)) => {
            (a.family, a.preference, a.action) == (b.family, b.preference, b.action)
                && [(a.mark, b.mark), (a.mask, b.mask), (a.table, b.table)]
                    .iter()
                    .all(|(a, b)| *a == 0 || a == b)
                && (a.suppress_prefix_len.is_none()
                    || a.suppress_prefix_len == b.suppress_prefix_len)
        }
        (Object::Route(a), Object::Route(b)) => {
            (a.table, a.dst, a.prefix_len, a.scope, a.oif)
                == (b.table, b.dst, b.prefix_len, b.scope, b.oif)
                && (a.metric == 0 || a.metric == b.metric)
                && (a.gateway.is_none() || a.gateway == b.gateway)
                && (a.source.is_none() || a.source == b.source)
        }
        _ => false,
    }
}

/// By what the kernel sorts them; those that are equal, it has in the order in which they came.
fn order(object: &Object) -> u32 {
    match object {
        Object::Rule(rule) => rule.preference,
        Object::Route(route) => route.metric,
    }
}

#[test]
fn the_kernel_removes_the_one_that_is_meant() {
    with_seeds(2000, |random| {
        let mut world = World::random(random);
        // As all of them have, unless somebody made them by hand.
        for route in &mut world.connected {
            route.source = Some(random.address());
        }
        world.connected = sorted(&world.connected);
        let desired = world.desired();
        let mut actual = random.subset(&desired);
        let other = world.changed(random).desired();
        actual.extend(random.subset(&other));
        let actual = sorted(&actual);
        let mut kernel = actual.clone();
        random.shuffle(&mut kernel);
        kernel.sort_by_key(order);
        for (op, object) in operations(&actual, &desired) {
            match op {
                Op::Add => {
                    kernel.push(object);
                    kernel.sort_by_key(order);
                }
                Op::Remove => {
                    let at = kernel.iter().position(|o| is_meant(&object, o));
                    assert_eq!(kernel.remove(at.expect("it is there")), object);
                }
            }
        }
        same(&kernel, &desired);
    });
}

#[test]
fn each_uplink_has_its_rule_its_table_and_its_default_route() {
    with_seeds(2000, |random| {
        let World {
            config,
            uplinks,
            connected,
        } = &World::random(random);
        let last_resort = config.is_unreachable_without_wan() && uplinks.is_empty();
        let mut wanted = BTreeSet::new();
        let rule = |preference| Rule {
            family: AF_INET,
            preference,
            mark: 0,
            mask: 0,
            is_inverted: false,
            action: FR_ACT_UNREACHABLE,
            table: 0,
            suppress_prefix_len: None,
        };
        for uplink in uplinks {
            let id = u32::from(uplink.id);
            let table = config.table_base + id;
            wanted.insert(Object::Rule(Rule {
                action: FR_ACT_TO_TBL,
                mark: id << config.marks.mask().trailing_zeros(),
                mask: config.marks.id_mask(),
                table,
                ..rule(config.rule_pref + id)
            }));
            for (table, metric) in [(table, 0), (RT_TABLE_MAIN, uplink.metric())] {
                wanted.insert(Object::Route(Route {
                    table,
                    dst: Ipv4Addr::UNSPECIFIED.into(),
                    prefix_len: 0,
                    metric,
                    gateway: uplink.gateway,
                    oif: uplink.ifindex,
                    source: None,
                    scope: [RT_SCOPE_LINK, RT_SCOPE_UNIVERSE]
                        [usize::from(uplink.gateway.is_some())],
                }));
            }
            wanted.extend(
                connected
                    .iter()
                    .map(|r| Object::Route(Route { table, ..*r })),
            );
        }
        let after = config.rule_pref + config.marks.max_id();
        wanted.insert(Object::Rule(Rule {
            mask: config.marks.id_mask(),
            is_inverted: true,
            ..rule(after + 1)
        }));
        if last_resort {
            wanted.insert(Object::Rule(rule(after + 2)));
        }
        wanted.insert(Object::Rule(Rule {
            action: FR_ACT_TO_TBL,
            table: RT_TABLE_MAIN,
            suppress_prefix_len: Some(0),
            ..rule(config.rule_pref)
        }));
        let desired = World {
            config: *config,
            uplinks: uplinks.clone(),
            connected: connected.clone(),
        };
        same(&desired.desired(), &Vec::from_iter(wanted));
    });
}

#[test]
fn metrics_in_main_are_distinct_and_ordered_tier_by_tier() {
    let mut last = 0;
    for is_spare in [false, true] {
        for tier in 1..=uapi::TIER_MAX {
            for id in 1..=uapi::WAN_MAX as u8 {
                let uplink = Uplink {
                    id,
                    tier,
                    is_spare,
                    ifindex: 1,
                    gateway: None,
                };
                assert!(uplink.metric() > last);
                last = uplink.metric();
            }
        }
    }
}

#[test]
fn many_lines() {
    let mut random = Random(1);
    let mut world = World::random(&mut random);
    world.config = Config {
        marks: Marks::new(0xff80_0000).unwrap(),
        ..Config::DEFAULT
    };
    assert_eq!(world.config.marks.max_id(), uapi::WAN_MAX);
    world.uplinks = (1..=250).map(|id| uplink(&mut random, id)).collect();
    world.connected = (0..=255)
        .map(|n| Route {
            table: RT_TABLE_MAIN,
            dst: Ipv4Addr::new(100, 64, n, 0).into(),
            prefix_len: 24,
            metric: 0,
            gateway: None,
            oif: n.into(),
            source: None,
            scope: RT_SCOPE_LINK,
        })
        .collect();
    let desired = world.desired();
    assert_eq!(operations(&[], &desired).len(), 250 * (1 + 2 + 256) + 2);
    // One comes and goes everywhere; nothing else is touched.
    let gone = world.connected.pop().unwrap();
    let without = world.desired();
    for (op, from, to) in [
        (Op::Remove, &desired, &without),
        (Op::Add, &without, &desired),
    ] {
        let all = operations(from, to);
        assert_eq!(all.len(), 250);
        let is_it = |o: &Object| matches!(o, Object::Route(r) if r.dst == gone.dst);
        assert!(all.iter().all(|(o, object)| *o == op && is_it(object)));
    }
    // One line goes, with all that is its own.
    world.uplinks.pop();
    assert_eq!(operations(&without, &world.desired()).len(), 1 + 2 + 255);
}
