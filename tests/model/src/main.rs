// SPDX-License-Identifier: GPL-2.0

//! The slots of routes that packets share (rust/slot.rs, as the module compiles it), in every order that the memory
//! model of C allows, with as many preemptions as the first argument says: what holds for all of them; and mutants, which must not
//! pass.

mod atomic;
mod rcu;
#[path = "../../../rust/slot.rs"]
#[allow(dead_code)]
mod slot;
mod world;

use atomic::{Mutant, MUTANT, SITES};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::Arc;
use loom::thread::spawn;
use rcu::Callback;
use slot::Found::{self, Hit, Local, Miss, Obsolete};
use std::env;
use std::process::{exit, Command};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use world::{key, World};

/// In how many orders something has happened.
#[derive(Default)]
struct Seen([AtomicUsize; 8]);

impl Seen {
    fn count(&self, what: usize) {
        self.0[what].fetch_add(1, Relaxed);
    }

    fn found(&self, found: Found) {
        self.count(
            [Hit, Local, Obsolete, Miss]
                .iter()
                .position(|f| *f == found)
                .unwrap(),
        );
    }

    /// That a test can see what it is about: each of these was there.
    fn has(&self, what: &[usize]) {
        for at in what {
            assert!(self.0[*at].load(Relaxed) > 0, "case {at} never came");
        }
    }
}

const HIT: usize = 0;
const LOCAL: usize = 1;
const OBSOLETE: usize = 2;
const MISS: usize = 3;
const NEW: usize = 4;
const STRAY: usize = 5;
const NONE: usize = 6;

static SEEN: Seen = Seen([const { AtomicUsize::new(0) }; 8]);
static ORDERS: AtomicUsize = AtomicUsize::new(0);

fn preemptions() -> String {
    env::args().nth(1).expect("how many preemptions")
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions().parse().unwrap());
    builder.check(move || {
        ORDERS.fetch_add(1, Relaxed);
        f();
    });
}

/// A route that packets take is in use, and so is one that connections are given; another one is not.
fn idle() {
    model(|| {
        let world = World::new(1, 1, &[7]);
        let keep = || assert!(world.keep(1, key(1)).is_some());
        let take = || assert_eq!(world.packet(1, key(1)), Hit);
        for used in [&keep as &dyn Fn(), &take, &keep, &take] {
            used();
            world.wait(3);
            assert_eq!(world.expire_idle(5), 1);
        }
        world.wait(3);
        assert_eq!(world.expire_idle(5), 0);
        assert_eq!(world.packet(1, key(1)), Miss);
    });
}

/// A packet takes a route just when it is asked how long nobody did: less than no time.
fn in_use() {
    model(|| {
        let world = World::new(1, 1, &[7]);
        assert!(world.keep(1, key(1)).is_some());
        let other = world.clone();
        let packet = move || assert_eq!(other.packet(1, key(1)), Hit);
        world.meanwhile.set(Some(Box::new(packet)));
        assert_eq!(world.expire_idle(5), 1);
    });
}

/// A connection publishes its route, while its packets come.
fn publish() {
    model(|| {
        let world = World::new(1, 1, &[7]);
        let other = world.clone();
        let packets = spawn(move || SEEN.found(other.packet(1, key(0))));
        assert!(world.keep(1, key(0)).is_some());
        packets.join().unwrap();
        assert_eq!(world.packet(1, key(0)), Local);
        // What is for other packets is not for these.
        assert_eq!(world.packet(1, key(1)), Miss);
        for wrong in [
            slot::Key { mark: 1, ..key(0) },
            slot::Key { dscp: 1, ..key(0) },
        ] {
            assert_eq!(world.packet(1, wrong), Miss);
        }
    });
    SEEN.has(&[LOCAL, MISS]);
}

/// Two connections publish the same route at once: it is held once, and both find it, or one goes without.
fn share() {
    model(|| {
        let world = World::new(2, 1, &[7, 8]);
        let other = world.clone();
        let second = spawn(move || {
            let word = other.keep(1, key(1));
            if let Some(word) = word {
                assert_eq!(other.follow(word, 1, key(1)), Hit);
            }
            word
        });
        let first = world.keep(1, key(1));
        let second = second.join().unwrap();
        assert!(first.is_some() || second.is_some());
        SEEN.count(if first == second { HIT } else { NONE });
        assert_eq!(world.expire(), 1);
    });
    SEEN.has(&[HIT, NONE]);
}

/// A route goes and its slot is given to another one, while packets come that have the old word.
fn recycle(tags: &'static [u32], same_key: bool) {
    model(move || {
        let world = World::new(1, 2, tags);
        let old = world.keep(1, key(1)).unwrap();
        let packets = world.clone();
        let packets = spawn(move || SEEN.found(packets.follow(old, 1, key(1))));
        let softirqs = world.clone();
        let softirqs = spawn(move || {
            softirqs.softirq();
            softirqs.softirq();
        });
        let next = key(if same_key { 1 } else { 2 });
        world.remove(1);
        world.expire();
        if world.keep(2, next).is_some() {
            SEEN.count(NEW);
        }
        packets.join().unwrap();
        softirqs.join().unwrap();
        // When all have left, the old route goes, and there is room for the new one.
        while world.softirq() {}
        assert!(world.is_freed(1) && !world.is_freed(2));
        assert!(world.keep(2, next).is_some(), "the slot is never free");
        assert_eq!(world.packet(2, next), Hit);
        world.follow(old, 1, key(1));
        if *world.strays.borrow() > 0 {
            SEEN.count(STRAY);
        }
        world.remove(2);
        world.expire();
        while world.softirq() {}
        assert!(world.is_freed(2), "a reference is left");
        assert_eq!(world.packet(2, next), Miss);
    });
    SEEN.has(&[HIT, OBSOLETE, MISS, NEW]);
}

/// Both have tags of their own.
fn reuse() {
    recycle(&[7, 8], true);
    assert_eq!(
        SEEN.0[STRAY].load(Relaxed),
        0,
        "a packet got the route of another connection"
    );
}

/// Both have the same tag, once in 2^32: a packet may get the new route, which is whole and kept for as long, if it
/// has the same device, mark and DSCP.
fn wrap() {
    recycle(&[7], true);
    SEEN.has(&[STRAY]);
}

/// And never if it has not.
fn wrap_other_key() {
    recycle(&[7], false);
    assert_eq!(SEEN.0[STRAY].load(Relaxed), 0);
}

/// There is no room: what is idle goes, though packets take it, and then there is.
fn evict() {
    model(|| {
        let world = World::new(1, 2, &[7, 8]);
        let old = world.keep(1, key(1)).unwrap();
        let packets = world.clone();
        let packets = spawn(move || SEEN.found(packets.follow(old, 1, key(1))));
        assert_eq!(world.keep(2, key(2)), None);
        // Once there is room to come, nothing more has to go.
        assert_eq!(world.keep(2, key(2)), None);
        world.softirq();
        SEEN.count(if world.keep(2, key(2)).is_some() {
            NEW
        } else {
            NONE
        });
        packets.join().unwrap();
        assert!(!world.softirq() || world.keep(2, key(2)).is_some());
        assert_eq!(world.packet(2, key(2)), Hit);
        world.remove(1);
        assert!(world.softirq() && world.is_freed(1));
    });
    SEEN.has(&[HIT, MISS, NEW, NONE]);
}

/// Somebody else begins to use labels: once ours are withdrawn, no word of ours is written any more. What
/// `Entries::keep` and `Entries::tend` do, in their orderings.
fn withdraw() {
    model(|| {
        let world = World::new(1, 1, &[7]);
        let active = Arc::new(AtomicBool::new(true));
        let (other, is_active) = (world.clone(), active.clone());
        let packets = spawn(move || {
            other.rcu.read(|| {
                if is_active.load(Ordering::Relaxed) {
                    other.word.store(1, Ordering::Relaxed);
                    SEEN.count(NEW);
                }
            });
        });
        active.store(false, Ordering::Relaxed);
        // As `synchronize_rcu()`, which comes back when its callback has come.
        world.rcu.call(Callback::Put(1));
        let erase = |world: &World| {
            let is_time = world.softirq();
            if is_time {
                world.word.store(0, Ordering::Relaxed);
            }
            is_time
        };
        let is_erased = erase(&world);
        packets.join().unwrap();
        if !is_erased {
            SEEN.count(NONE);
            assert!(erase(&world));
        }
        assert_eq!(world.word.load(Ordering::Relaxed), 0);
    });
    SEEN.has(&[NEW, NONE]);
}

const TESTS: [(&str, fn()); 9] = [
    ("a route that nobody uses goes", idle),
    ("a route in use stays", in_use),
    ("a route is published", publish),
    ("a route is published twice", share),
    ("a slot is used again", reuse),
    ("a slot is used again, with the same tag", wrap),
    (
        "a slot is used again, with the same tag and another key",
        wrap_other_key,
    ),
    ("a slot makes room", evict),
    ("words are withdrawn", withdraw),
];

/// The line of slot.rs that a mutant breaks.
fn line(mutant: Mutant) -> Option<String> {
    let (Mutant::Relaxed(site) | Mutant::Dropped(site) | Mutant::Late(site)) = mutant else {
        return None;
    };
    let mut lines = include_str!("../../../rust/slot.rs").lines();
    let line = lines.nth(site.0 as usize - 1).unwrap().trim();
    Some(format!("{}: {line}", site.0))
}

fn parse(args: &[String]) -> Mutant {
    let number = |at: usize| args[at].parse().unwrap();
    match &*args[0] {
        "relaxed" => Mutant::Relaxed((number(1), number(2))),
        "dropped" => Mutant::Dropped((number(1), number(2))),
        "late" => Mutant::Late((number(1), number(2))),
        "no-grace" => Mutant::NoGrace,
        _ => Mutant::None,
    }
}

fn name(mutant: Mutant) -> String {
    match mutant {
        Mutant::None => "none".into(),
        Mutant::NoGrace => "no-grace".into(),
        Mutant::Relaxed((line, column)) => format!("relaxed {line} {column}"),
        Mutant::Dropped((line, column)) => format!("dropped {line} {column}"),
        Mutant::Late((line, column)) => format!("late {line} {column}"),
    }
}

/// Runs one test in a process of its own, for what has failed amid a model cannot go on.
fn run(test: usize, mutant: Mutant) -> (bool, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([preemptions(), test.to_string()]);
    command.args(name(mutant).split(' '));
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

fn all() -> bool {
    let mut is_well = true;
    let mut result = |is_ok: bool, what: String| {
        println!("{}{what}", if is_ok { "ok " } else { "not ok " });
        is_well &= is_ok;
    };
    let mut mutants = vec!["no-grace".to_string()];
    for (test, (what, _)) in TESTS.iter().enumerate() {
        let (is_ok, text) = run(test, Mutant::None);
        let orders = text.lines().find_map(|line| line.strip_prefix("orders "));
        result(
            is_ok && orders.is_some(),
            format!("{what}: {} orders", orders.unwrap_or("0")),
        );
        if !is_ok {
            text.lines().for_each(|line| println!("# {line}"));
        }
        let sites = text.lines().filter_map(|line| line.strip_prefix("mutant "));
        mutants.extend(sites.map(String::from));
    }
    mutants.sort();
    mutants.dedup();
    for mutant in &mutants {
        let words: Vec<_> = mutant.split(' ').map(String::from).collect();
        let mutant = parse(&words);
        let by = (0..TESTS.len()).find(|test| !run(*test, mutant).0);
        let what = match line(mutant) {
            Some(line) => format!("{} at slot.rs:{line}", words[0]),
            None => "nobody waits for readers".into(),
        };
        match by {
            Some(by) => result(true, format!("{what} is found by: {}", TESTS[by].0)),
            None => result(false, format!("{what} is not found")),
        }
    }
    is_well
}

fn main() {
    let args: Vec<_> = env::args().skip(2).collect();
    let Some((test, mutant)) = args.split_first() else {
        exit(if all() { 0 } else { 1 });
    };
    MUTANT.set(parse(mutant));
    TESTS[test.parse::<usize>().unwrap()].1();
    println!("orders {}", ORDERS.load(Relaxed));
    SITES.with_borrow(|sites| {
        for mutant in sites.values().flatten() {
            println!("mutant {}", name(*mutant));
        }
    });
}
