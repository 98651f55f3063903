// SPDX-License-Identifier: GPL-2.0

//! The choice, sentence by sentence, and what holds for any input: mwb_pick.rs and
//! mwb_rate.rs as the module compiles them.

#[allow(dead_code)]
#[path = "../../mwb_pick.rs"]
mod mwb_pick;
#[allow(dead_code)]
#[path = "../../mwb_rate.rs"]
mod mwb_rate;

use mwb_pick::*;
use mwb_rate::*;

const MBIT: u64 = 1_000_000;
const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;

const RATE: Settings = Settings::DEFAULT;
const TWO: Settings = Settings {
    mode: Mode::TwoChoices,
    ..RATE
};
const WEIGHTED: Settings = Settings {
    mode: Mode::Weighted,
    ..RATE
};
const ALL: [Settings; 3] = [RATE, TWO, WEIGHTED];

const DOWNLOAD: Outlook = Outlook {
    is_upload: false,
    is_idle: false,
    up: Expected {
        own_bps: 0,
        credit_bps: 0,
    },
    down: Expected {
        own_bps: 0,
        credit_bps: 0,
    },
};
const UPLOAD: Outlook = Outlook {
    is_upload: true,
    ..DOWNLOAD
};

fn load(rate_bps: u64, capacity_bps: u64) -> Load {
    Load {
        rate_bps,
        credit_bps: 0,
        capacity_bps,
    }
}

fn wan(id: u8, up: (u64, u64), down: (u64, u64)) -> Candidate {
    Candidate {
        id,
        tier: 1,
        up: load(up.0 * MBIT, up.1 * MBIT),
        down: load(down.0 * MBIT, down.1 * MBIT),
        turn: 0,
    }
}

fn idle(id: u8, mbit: u64) -> Candidate {
    wan(id, (0, mbit), (0, mbit))
}

/// A generator that is good enough to vary tests with, and always the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 32) as u32
    }

    /// Of any size, from 0 to the largest.
    fn wide(&mut self) -> u64 {
        let bits = u64::from(self.next()) << 32 | u64::from(self.next());
        match self.next() % 20 {
            0 => 0,
            1 => u64::MAX,
            n => bits >> (n * 7 % 64),
        }
    }

    fn load(&mut self) -> Load {
        Load {
            rate_bps: self.wide(),
            credit_bps: self.wide(),
            capacity_bps: self.wide(),
        }
    }

    fn candidates(&mut self) -> Vec<Candidate> {
        let n = self.next() % 9;
        (0..n)
            .map(|i| Candidate {
                id: (i * 28 + 1) as u8,
                tier: self.next() % 3,
                up: self.load(),
                down: self.load(),
                turn: self.wide(),
            })
            .collect()
    }

    fn expected(&mut self) -> Expected {
        Expected {
            own_bps: self.wide(),
            credit_bps: self.wide(),
        }
    }

    fn outlook(&mut self) -> Outlook {
        Outlook {
            is_upload: self.next() % 2 == 0,
            is_idle: self.next() % 4 == 0,
            up: self.expected(),
            down: self.expected(),
        }
    }

    fn settings(&mut self) -> Settings {
        Settings {
            mode: ALL[self.next() as usize % 3].mode,
            interval_ms: self.next() % 3000,
            average_ms: self.next() % 10_000,
            enter_percent: self.next(),
            exit_percent: self.next(),
            credit_cap_percent: self.next(),
        }
    }
}

// The rule.

#[test]
fn while_no_upload_is_above_the_threshold_the_least_download_use_decides() {
    let wans = [
        wan(1, (0, 5), (10, 20)),
        wan(2, (8, 10), (20, 50)),
        wan(3, (0, 20), (60, 100)),
    ];
    assert!(!is_overloaded(&RATE, false, wans.map(|w| w.up)));
    for seed in 0..100 {
        assert_eq!(pick(&RATE, &DOWNLOAD, 0, wans, seed), Some(2));
    }
}

#[test]
fn once_an_upload_is_above_it_the_least_upload_use_decides() {
    let wans = [
        wan(1, (9, 10), (0, 20)),
        wan(2, (5, 10), (5, 50)),
        wan(3, (4, 20), (10, 100)),
    ];
    assert!(is_overloaded(&RATE, false, wans.map(|w| w.up)));
    for seed in 0..100 {
        assert_eq!(pick(&RATE, &UPLOAD, 0, wans, seed), Some(3));
        assert_eq!(pick(&RATE, &DOWNLOAD, 0, wans, seed), Some(1));
    }
}

#[test]
fn then_download_use_does_not_count() {
    let wans = [
        wan(1, (9, 10), (0, 20)),
        wan(2, (3, 10), (50, 50)),
        wan(3, (4, 10), (0, 50)),
    ];
    assert_eq!(pick(&RATE, &UPLOAD, 0, wans, 0), Some(2));
}

#[test]
fn upload_decides_above_85_percent_and_until_all_are_back_at_80() {
    let at = |percent: u64| [load(percent * MBIT, 100 * MBIT), load(0, MBIT)];
    assert!(!is_overloaded(&RATE, false, at(85)));
    assert!(is_overloaded(&RATE, false, at(86)));
    assert!(is_overloaded(&RATE, true, at(81)));
    assert!(!is_overloaded(&RATE, true, at(80)));
    assert!(!is_overloaded(&RATE, false, at(81)));
    assert!(!is_overloaded(&RATE, true, []));
}

#[test]
fn thresholds_are_settings() {
    let settings = Settings {
        enter_percent: 50,
        exit_percent: 10,
        ..RATE
    };
    let at = |percent: u64| [load(percent * MBIT, 100 * MBIT)];
    assert!(!is_overloaded(&settings, false, at(50)));
    assert!(is_overloaded(&settings, false, at(51)));
    assert!(is_overloaded(&settings, true, at(11)));
    assert!(!is_overloaded(&settings, true, at(10)));
}

#[test]
fn the_threshold_is_of_what_was_measured_without_credit() {
    let mut up = load(0, 10 * MBIT);
    up.credit_bps = 100 * MBIT;
    assert!(!is_overloaded(&RATE, false, [up]));
}

#[test]
fn upload_is_in_relation_to_upload_capacity() {
    // The original divided it by the download capacity.
    assert!(is_overloaded(&RATE, false, [wan(1, (9, 10), (9, 1000)).up]));
}

#[test]
fn use_is_what_it_would_be_with_the_connection() {
    let mut outlook = DOWNLOAD;
    let wans = [idle(1, 10), wan(2, (0, 1000), (30, 1000))];
    assert_eq!(pick(&RATE, &outlook, 0, wans, 0), Some(1));
    outlook.down.own_bps = MBIT;
    assert_eq!(pick(&RATE, &outlook, 0, wans, 0), Some(2));
}

#[test]
fn idle_wans_get_connections_by_chance_and_capacity() {
    let loads = |mbit| [10, 20, 70].map(|capacity| load(mbit * MBIT / 100, capacity * MBIT));
    assert!(is_idle(loads(0)));
    assert!(is_idle(loads(62)));
    assert!(!is_idle(loads(63)));
    assert!(is_idle([]));

    let mut outlook = Outlook {
        is_idle: true,
        ..DOWNLOAD
    };
    let mut random = Random(1);
    let mut counts = |outlook: &Outlook| {
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            let wans = [idle(1, 10), idle(2, 20), idle(3, 70)];
            let id = pick(&RATE, outlook, 0, wans, random.next()).unwrap();
            counts[usize::from(id) - 1] += 1;
        }
        counts
    };
    outlook.down.own_bps = 4 * MBIT;
    let [a, b, c] = counts(&outlook);
    assert!(
        (800..1200).contains(&a) && (1800..2200).contains(&b),
        "{a} {b} {c}"
    );
    // One that would fill most of a WAN does not go there.
    outlook.down.own_bps = 8 * MBIT;
    let [a, b, c] = counts(&outlook);
    assert!(a == 0 && (2000..2500).contains(&b), "{a} {b} {c}");
    outlook.down.own_bps = 50 * MBIT;
    assert_eq!(counts(&outlook), [0, 0, 10_000]);
}

#[test]
fn when_all_are_full_a_connection_counts_by_its_credit_alone() {
    let mut expectation = Expectation::DOWN;
    expectation.learn(10_000_000, 10, 1_000_000_000);
    assert!(
        expectation
            .expected(&RATE, load(94 * MBIT, 100 * MBIT))
            .own_bps
            > 0
    );
    assert_eq!(
        expectation
            .expected(&RATE, load(95 * MBIT, 100 * MBIT))
            .own_bps,
        0
    );
    // Each gets its part, the smallest too.
    let mut wans = [(1, 2), (2, 18), (3, 80)].map(|(id, mbit)| wan(id, (0, 100), (mbit, mbit)));
    let counts = burst(&RATE, &mut wans, 500);
    assert_eq!(counts.iter().sum::<u64>(), 500);
    assert!(
        (8..=12).contains(&counts[0]) && (86..=94).contains(&counts[1]),
        "{counts:?}"
    );
}

#[test]
fn equals_get_connections_by_capacity() {
    let wans = [1, 2, 3, 4].map(|id| idle(id, [10, 10, 30, 50][usize::from(id) - 1]));
    for settings in ALL {
        let mut count = [0; 5];
        let mut random = Random(1);
        for _ in 0..40_000 {
            count[usize::from(pick(&settings, &DOWNLOAD, 0, wans, random.next()).unwrap())] += 1;
        }
        for (n, share) in count[1..].iter().zip([4_000i32, 4_000, 12_000, 20_000]) {
            assert!((n - share).abs() < share / 15, "{settings:?} {count:?}");
        }
    }
}

// Credit.

/// How many of `n` connections each WAN gets between two samples.
fn burst(settings: &Settings, wans: &mut [Candidate], n: u32) -> Vec<u64> {
    let all = wans
        .iter()
        .map(|w| w.down)
        .fold(Load::default(), Load::plus);
    let outlook = Outlook {
        down: Expectation::DOWN.expected(settings, all.divided(wans.len() as u64)),
        ..DOWNLOAD
    };
    let (mut count, mut clock, mut random) = (vec![0; wans.len()], 0, Random(1));
    for _ in 0..n {
        let id = pick(
            settings,
            &outlook,
            clock,
            wans.iter().copied(),
            random.next(),
        )
        .unwrap();
        let at = wans.iter().position(|w| w.id == id).unwrap();
        let w = &mut wans[at];
        w.down.credit_bps += outlook.down.credit_bps;
        (clock, w.turn) = next_turn(w.turn, clock, w.down.capacity_bps);
        count[at] += 1;
    }
    count
}

#[test]
fn a_burst_between_two_samples_spreads_by_capacity() {
    for (settings, tolerance) in [(RATE, 10), (TWO, 40), (WEIGHTED, 2)] {
        let mut wans = [idle(1, 20), idle(2, 50), idle(3, 100)];
        let count = burst(&settings, &mut wans, 1700);
        for (n, share) in count.iter().zip([200u64, 500, 1000]) {
            assert!(n.abs_diff(share) <= tolerance, "{settings:?} {count:?}");
        }
    }
}

#[test]
fn a_burst_spreads_when_all_that_is_expected_is_more_than_there_is() {
    let mut wans = [idle(1, 1), idle(2, 2), idle(3, 2)];
    let count = burst(&RATE, &mut wans, 5000);
    for (n, share) in count.iter().zip([1000u64, 2000, 2000]) {
        assert!(n.abs_diff(share) <= 50, "{count:?}");
    }
}

#[test]
fn no_connection_gives_more_credit_than_the_cap() {
    let mut expectation = Expectation::DOWN;
    expectation.learn(1 << 40, 1, S);
    assert_eq!(
        expectation.expected(&RATE, load(0, 100 * MBIT)).credit_bps,
        50 * MBIT
    );
    let settings = Settings {
        credit_cap_percent: 10,
        ..RATE
    };
    assert_eq!(
        expectation
            .expected(&settings, load(0, 100 * MBIT))
            .credit_bps,
        10 * MBIT
    );
}

#[test]
fn a_credit_fades_as_the_measured_rate_takes_over() {
    let mut load = load(0, 100 * MBIT);
    load.credit_bps = 10 * MBIT;
    let sample = Sample {
        bytes: 0,
        ns: 200 * MS,
    };
    let after = load.sampled(&RATE, sample).credit_bps;
    assert!(after.abs_diff(3_678_794) < 10_000, "{after}");
    for _ in 0..50 {
        load = load.sampled(&RATE, sample);
    }
    assert_eq!(load.credit_bps, 0);
}

#[test]
fn four_cpus_between_two_samples_do_not_herd() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let credits: Vec<AtomicU64> = (0..16).map(|_| AtomicU64::new(0)).collect();
    let counts: Vec<AtomicU64> = (0..16).map(|_| AtomicU64::new(0)).collect();
    let outlook = Outlook {
        down: Expectation::DOWN.expected(&RATE, load(0, 100 * MBIT)),
        ..DOWNLOAD
    };
    std::thread::scope(|scope| {
        for cpu in 0..4 {
            let (credits, counts) = (&credits, &counts);
            scope.spawn(move || {
                let mut random = Random(cpu);
                for _ in 0..1000 {
                    let wans = credits.iter().zip(1u8..).map(|(credit, id)| {
                        let mut w = idle(id, 100);
                        w.down.credit_bps = credit.load(Relaxed);
                        w
                    });
                    let id = pick(&RATE, &outlook, 0, wans, random.next()).unwrap();
                    let at = usize::from(id) - 1;
                    credits[at].fetch_add(outlook.down.credit_bps, Relaxed);
                    counts[at].fetch_add(1, Relaxed);
                }
            });
        }
    });
    for n in &counts {
        assert!(n.load(Relaxed).abs_diff(250) <= 8, "{counts:?}");
    }
}

#[test]
fn a_wan_that_comes_up_is_taken_to_be_as_busy_as_the_others() {
    let all = Load {
        rate_bps: 600 * MBIT,
        credit_bps: 100 * MBIT,
        capacity_bps: 1000 * MBIT,
    };
    let fresh = Load::fresh(50 * MBIT, all);
    assert!(fresh.rate_bps.abs_diff(30 * MBIT) < 1000);
    assert!(fresh.credit_bps.abs_diff(5 * MBIT) < 1000);
    assert_eq!(fresh.capacity_bps, 50 * MBIT);
    assert_eq!(Load::fresh(50 * MBIT, Load::default()).rate_bps, 0);
}

// Big flows.

#[test]
fn an_elephant_that_fills_a_wan_is_avoided() {
    let full = wan(1, (0, 100), (99, 100));
    let mut wans = [full, idle(2, 100), idle(3, 100)];
    let count = burst(&RATE, &mut wans, 100);
    assert_eq!(count[0], 0, "{count:?}");
}

#[test]
fn elephants_placed_in_the_same_second_are_spread() {
    for settings in [RATE, WEIGHTED] {
        let mut wans: Vec<_> = (1..=8).map(|id| idle(id, 100)).collect();
        assert_eq!(burst(&settings, &mut wans, 16), [2; 8]);
    }
}

// Two choices.

#[test]
fn two_choices_take_the_better_of_two_in_the_direction_that_is_used_more() {
    let wans = [wan(1, (9, 10), (0, 10)), wan(2, (5, 10), (6, 10))];
    for seed in 0..100 {
        assert_eq!(pick(&TWO, &DOWNLOAD, 0, wans, seed), Some(2));
    }
}

#[test]
fn two_choices_never_take_the_worst_of_three() {
    let wans = [
        wan(1, (0, 10), (9, 10)),
        wan(2, (0, 10), (5, 10)),
        wan(3, (0, 10), (2, 10)),
    ];
    let mut count = [0; 4];
    let mut random = Random(5);
    for _ in 0..3000 {
        count[usize::from(pick(&TWO, &DOWNLOAD, 0, wans, random.next()).unwrap())] += 1;
    }
    assert_eq!(count[1], 0);
    assert!((900..1100).contains(&count[2]), "{count:?}");
}

// Turns.

#[test]
fn turns_are_smooth() {
    // Of any hundred connections in a row each WAN gets its share, give or take one.
    let mut wans = [idle(1, 10), idle(2, 20), idle(3, 70)];
    let before = burst(&WEIGHTED, &mut wans, 37);
    for _ in 0..50 {
        let count = burst(&WEIGHTED, &mut wans, 100);
        for (n, share) in count.iter().zip([10u64, 20, 70]) {
            assert!(n.abs_diff(share) <= 1, "{before:?} {count:?}");
        }
    }
}

#[test]
fn a_wan_that_was_away_does_not_make_up_for_it() {
    let mut wans = [idle(1, 50), idle(2, 50), idle(3, 50)];
    burst(&WEIGHTED, &mut wans[..2], 10_000);
    let (mut clock, mut count) = (wans[0].turn.min(wans[1].turn), [0; 3]);
    for seed in 0..30 {
        let id = pick(&WEIGHTED, &DOWNLOAD, clock, wans, seed).unwrap();
        let w = &mut wans[usize::from(id) - 1];
        (clock, w.turn) = next_turn(w.turn, clock, w.down.capacity_bps);
        count[usize::from(id) - 1] += 1;
    }
    assert!(count.iter().all(|n| (9..=11).contains(n)), "{count:?}");
}

#[test]
fn a_turn_does_not_grow_so_old_that_it_seems_to_come() {
    // One takes all connections for more than half round the numbers; the other is kept current meanwhile.
    let (mut clock, mut busy, mut away) = (u64::MAX - 5, 0, 3);
    for _ in 0..(1 << 15) {
        (clock, busy) = next_turn(busy, clock, 0);
        away = current_turn(away, clock);
    }
    let wans = [(1, busy), (2, away)].map(|(id, turn)| Candidate {
        turn,
        ..idle(id, 10)
    });
    assert_eq!(pick(&WEIGHTED, &DOWNLOAD, clock, wans, 0), Some(2));
}

#[test]
fn turns_go_on_over_the_end_of_the_counter() {
    let mut clock = u64::MAX - 5_000_000;
    let mut wans = [idle(1, 30), idle(2, 60)];
    wans.iter_mut().for_each(|w| w.turn = clock);
    let mut count = [0; 2];
    for seed in 0..3000 {
        let id = pick(&WEIGHTED, &DOWNLOAD, clock, wans, seed).unwrap();
        let w = &mut wans[usize::from(id) - 1];
        (clock, w.turn) = next_turn(w.turn, clock, w.down.capacity_bps);
        count[usize::from(id) - 1] += 1;
    }
    assert!(clock < u64::MAX / 2);
    assert!((999..=1001).contains(&count[0]), "{count:?}");
}

// What holds for any input.

#[test]
fn it_is_total_and_takes_only_candidates_of_the_lowest_tier() {
    let mut random = Random(3);
    for _ in 0..50_000 {
        let wans = random.candidates();
        let (settings, outlook) = (random.settings(), random.outlook());
        let clock = random.wide();
        let id = pick(
            &settings,
            &outlook,
            clock,
            wans.iter().copied(),
            random.next(),
        );
        assert_eq!(id.is_some(), !wans.is_empty());
        let lowest = wans.iter().map(|w| w.tier).min();
        let picked = wans.iter().find(|w| Some(w.id) == id);
        assert_eq!(picked.map(|w| w.tier), lowest);
    }
}

#[test]
fn it_does_not_depend_on_the_order() {
    let mut random = Random(4);
    for _ in 0..20_000 {
        let wans = random.candidates();
        let (settings, outlook) = (random.settings(), random.outlook());
        let (clock, seed) = (random.wide(), random.next());
        let id = pick(&settings, &outlook, clock, wans.iter().copied(), seed);
        let backwards = wans.iter().rev().copied();
        let other = pick(&settings, &outlook, clock, backwards, seed);
        if settings.mode == Mode::Rate {
            // Of equals, it may be another one.
            let standing = |id| {
                let wan = wans.iter().find(|w| Some(w.id) == id);
                wan.map(|w| Standing::of(w, &outlook))
            };
            assert_eq!(standing(id), standing(other));
        } else {
            assert_eq!(id, other);
        }
    }
}

#[test]
fn equals_have_their_parts_in_any_order() {
    let mut wans = [
        idle(1, 10),
        wan(2, (0, 10), (9, 10)),
        idle(3, 30),
        idle(4, 60),
    ];
    let mut random = Random(7);
    for _ in 0..2 {
        let mut count = [0; 5];
        for _ in 0..20_000 {
            count[usize::from(pick(&RATE, &DOWNLOAD, 0, wans, random.next()).unwrap())] += 1;
        }
        for (n, share) in count[1..].iter().zip([2_000i32, 0, 6_000, 12_000]) {
            assert!((n - share).abs() <= share / 15, "{count:?}");
        }
        wans.reverse();
    }
}

#[test]
fn a_standing_is_by_tier_and_then_by_use() {
    let mut random = Random(8);
    for _ in 0..20_000 {
        let outlook = Outlook {
            is_idle: false,
            ..random.outlook()
        };
        // Of any size, with some use of up to 15 times the capacity.
        let mut draw = || {
            let mut new = || {
                let capacity_bps = random.wide().max(1 << 10) >> 8;
                let rate_bps =
                    (capacity_bps / 1000).saturating_mul(u64::from(random.next() % 15_000));
                load(rate_bps, capacity_bps)
            };
            let (up, down) = (new(), new());
            Candidate {
                id: 1,
                tier: random.next() % 3,
                up,
                down,
                turn: 0,
            }
        };
        let (a, b) = (draw(), draw());
        let none = Outlook {
            up: Expected::default(),
            down: Expected::default(),
            ..outlook
        };
        let used = |c: &Candidate| {
            let Load {
                rate_bps,
                capacity_bps,
                ..
            } = if none.is_upload { c.up } else { c.down };
            rate_bps as f64 / capacity_bps as f64
        };
        let order = Standing::of(&a, &none).cmp(&Standing::of(&b, &none));
        if a.tier != b.tier {
            assert_eq!(order, a.tier.cmp(&b.tier));
        } else if (used(&a) - used(&b)).abs() > 1e-6 * used(&a) + 1e-9 {
            assert_eq!(order, used(&a).total_cmp(&used(&b)), "{a:?} {b:?}");
        }
    }
}

#[test]
fn of_those_that_take_no_connections_none_gets_one() {
    let closed = [(Standing::CLOSED, 1); 3];
    assert_eq!(lowest(closed.into_iter(), 7), None);
    assert_eq!(lowest([].into_iter(), 7), None);
    let mut one = closed;
    one[1].0 = Standing(u64::MAX - 1);
    for random in [0, 1 << 31, u32::MAX] {
        assert_eq!(lowest(one.into_iter(), random), Some(1));
    }
}

#[test]
fn it_does_not_depend_on_names() {
    // But where equals are drawn: here are none.
    let mut random = Random(5);
    for _ in 0..20_000 {
        let mut wans = random.candidates();
        for w in &mut wans {
            w.up = load(random.next().into(), u64::from(random.next()) + 1);
            w.down = load(random.next().into(), u64::from(random.next()) + 1);
        }
        for (settings, outlook) in [(RATE, DOWNLOAD), (RATE, UPLOAD), (WEIGHTED, DOWNLOAD)] {
            let seed = random.next();
            let picked = |wans: &[Candidate]| {
                let id = pick(&settings, &outlook, 0, wans.iter().copied(), seed);
                wans.iter().position(|w| Some(w.id) == id)
            };
            wans.iter_mut().for_each(|w| w.turn = random.next().into());
            let before = picked(&wans);
            wans.iter_mut().for_each(|w| w.id = 251 - w.id);
            assert_eq!(before, picked(&wans));
        }
    }
}

#[test]
fn any_sample_is_taken_in() {
    let mut random = Random(6);
    for _ in 0..20_000 {
        let settings = random.settings();
        let mut meter = Meter::default();
        let mut capacity = Capacity::new(random.wide());
        let mut expectation = Expectation::UP;
        let mut load = random.load();
        for _ in 0..5 {
            let sample = meter.sample(random.next() % 2, random.wide(), random.wide());
            let any = Sample {
                bytes: random.wide(),
                ns: random.wide(),
            };
            for sample in [sample, Some(any)].into_iter().flatten() {
                load = load.sampled(&settings, sample);
                capacity.learn(sample);
                capacity.known_bps();
                load.capacity_bps = capacity.bps();
                assert!(load.capacity_bps > 0);
                expectation.learn(sample.bytes, random.wide(), sample.ns);
            }
            let expected = expectation.expected(&settings, random.load());
            load.credit_bps = load.credit_bps.wrapping_add(expected.credit_bps);
            load = Load::fresh(random.wide(), load.plus(random.load()));
            next_turn(random.wide(), random.wide(), random.wide());
        }
        is_overloaded(&settings, random.next() % 2 == 0, [load, random.load()]);
    }
}

#[test]
fn capacities_of_nothing_and_of_everything() {
    for settings in ALL {
        let none = [wan(1, (0, 0), (0, 0)), wan(2, (7, 0), (7, 0))];
        assert!(pick(&settings, &DOWNLOAD, 0, none, 9).is_some());
        let mut huge = [idle(1, 1), idle(2, 1)];
        for w in &mut huge {
            (w.up, w.down) = (load(1, u64::MAX), load(1, u64::MAX));
        }
        huge[1].down.rate_bps = u64::MAX;
        huge[1].turn = 1 << 40;
        assert_eq!(pick(&settings, &DOWNLOAD, 0, huge, 9), Some(1));
    }
}

// Rates.

fn samples(meter: &mut Meter, points: &[(u32, u64, u64)]) -> Vec<Option<u64>> {
    let mut next = |(dev, bytes, ns)| meter.sample(dev, bytes, ns).map(|s| s.bps());
    points.iter().map(|p| next(*p)).collect()
}

#[test]
fn rates_are_over_the_time_that_was_measured() {
    let points = [
        (1, 0, S),
        (1, 25_000, S + 200 * MS),
        // A late tick, and one that was suspended for ten seconds.
        (1, 75_000, S + 600 * MS),
        (1, 1_325_000, S + 10_600 * MS),
    ];
    let rates = samples(&mut Meter::default(), &points);
    assert_eq!(rates, [None, Some(MBIT), Some(MBIT), Some(MBIT)]);
}

#[test]
fn a_tick_that_comes_at_once_loses_nothing() {
    let points = [(1, 0, S), (1, 1000, S), (1, 25_000, S + 200 * MS)];
    assert_eq!(
        samples(&mut Meter::default(), &points),
        [None, None, Some(MBIT)]
    );
}

#[test]
fn another_device_begins_anew() {
    let points = [
        (1, 1 << 40, S),
        (2, 500, 2 * S),
        (2, 125_500, 3 * S),
        (1, 0, 4 * S),
    ];
    assert_eq!(
        samples(&mut Meter::default(), &points),
        [None, None, Some(MBIT), None]
    );
}

#[test]
fn counters_may_wrap_or_be_set_back() {
    let at = |old: u64, new: u64| samples(&mut Meter::default(), &[(1, old, 0), (1, new, S)])[1];
    assert_eq!(at(u64::MAX - 4, 124_995), Some(MBIT));
    assert_eq!(at((1 << 32) - 5, 124_995), Some(MBIT));
    // No device with 32 bits carries 3 GB in a second; and this one has more.
    assert_eq!(at(1 << 30, 1000), None);
    assert_eq!(at(1 << 40, 1000), None);
    // It goes on from there.
    let points = [(1, 1 << 40, 0), (1, 1000, S), (1, 126_000, 2 * S)];
    assert_eq!(samples(&mut Meter::default(), &points)[2], Some(MBIT));
}

#[test]
fn a_counter_that_cannot_be_right_is_not_believed() {
    let mut meter = Meter::default();
    let points = [(1, 0, 0), (1, 1 << 50, 1000), (1, (1 << 50) + 125, 2000)];
    assert_eq!(
        samples(&mut meter, &points),
        [None, None, Some(1_000_000_000)]
    );
}

#[test]
fn averages_follow_the_time_that_passed() {
    let after = |steps: u64, ns: u64| {
        let mut load = load(0, 100 * MBIT);
        for _ in 0..steps {
            let sample = Sample {
                bytes: 1_250_000 * (ns / MS) / 1000,
                ns,
            };
            load = load.sampled(&RATE, sample);
        }
        load.rate_bps
    };
    // 1 - 1/e of 10 Mbit/s after one time constant, however it is cut.
    for (steps, ms) in [(1, 600), (3, 200), (12, 50), (60, 10)] {
        let rate = after(steps, ms * MS);
        assert!(
            rate.abs_diff(6_321_205) < 40_000,
            "{steps} of {ms} ms: {rate}"
        );
    }
    assert!(after(1, 3600 * S).abs_diff(10 * MBIT) < 1000);
    assert_eq!(after(1, 0), 0);
}

#[test]
fn averages_reach_what_they_follow() {
    let mut load = load(0, 100 * MBIT);
    for (bytes, rate) in [(308, 12_320), (0, 0), (12_345_678, 493_827_120)] {
        let sample = Sample {
            bytes,
            ns: 200 * MS,
        };
        for _ in 0..200 {
            load = load.sampled(&RATE, sample);
        }
        assert!(load.rate_bps.abs_diff(rate) <= 8, "{load:?}");
    }
}

#[test]
fn an_average_is_no_shorter_than_the_interval() {
    let settings = Settings {
        interval_ms: 2000,
        ..RATE
    };
    let sample = Sample {
        bytes: 2_500_000,
        ns: 2 * S,
    };
    let rate = load(0, 100 * MBIT).sampled(&settings, sample).rate_bps;
    assert!(rate.abs_diff(6_321_205) < 40_000, "{rate}");
}

// Expectations and capacities.

#[test]
fn expectation_follows_what_connections_bring() {
    let mut expected = Expectation::UP;
    for _ in 0..500 {
        expected.learn(10_000_000, 10, 200 * MS);
    }
    let wide = expected.expected(&RATE, load(0, 1_000_000 * MBIT));
    assert!(wide.own_bps.abs_diff(160 * MBIT) < MBIT, "{wide:?}");
    assert!(wide.credit_bps.abs_diff(12 * MBIT) < MBIT / 5, "{wide:?}");
    // No connection is expected to take more than an eighth of a WAN.
    assert_eq!(
        expected.expected(&RATE, load(0, 80 * MBIT)).own_bps,
        10 * MBIT
    );
}

#[test]
fn expectation_counts_bytes_of_samples_without_connections() {
    let mut expected = Expectation::DOWN;
    for i in 0..1000 {
        expected.learn(100_000, u64::from(i % 10 == 0), 200 * MS);
    }
    let own = expected.expected(&RATE, load(0, u64::MAX)).own_bps;
    assert!(own.abs_diff(160 * MBIT) < 16 * MBIT, "{own}");
}

#[test]
fn a_capacity_is_learned_from_the_best_sustained_rate() {
    let mut capacity = Capacity::new(0);
    let learn = |capacity: &mut Capacity, mbit: u64, seconds: u64| {
        for _ in 0..seconds * 5 {
            capacity.learn(Sample {
                bytes: mbit * MBIT / 8 / 5,
                ns: 200 * MS,
            });
        }
    };
    assert_eq!(capacity.known_bps(), 0);
    assert_eq!(capacity.bps(), 50 * MBIT);
    learn(&mut capacity, 80, 20);
    assert!(capacity.known_bps().abs_diff(80 * MBIT) < MBIT / 10);
    // Half of what it is taken for, so that it is asked for more.
    assert!(capacity.bps().abs_diff(160 * MBIT) < MBIT / 5);
    // A burst is not sustained.
    capacity.learn(Sample {
        bytes: 200 * MBIT / 8 / 5,
        ns: 200 * MS,
    });
    assert!(capacity.known_bps() < 95 * MBIT);
    learn(&mut capacity, 1, 3600);
    assert!(capacity.known_bps() > 75 * MBIT);
    learn(&mut capacity, 1, 48 * 3600);
    let left = capacity.known_bps();
    assert!((8 * MBIT..14 * MBIT).contains(&left), "{left}");
}

#[test]
fn a_capacity_that_was_given_is_at_least_what_was_seen() {
    let mut capacity = Capacity::new(10 * MBIT);
    assert_eq!(
        (capacity.bps(), capacity.known_bps()),
        (10 * MBIT, 10 * MBIT)
    );
    for _ in 0..100 {
        capacity.learn(Sample {
            bytes: 500_000,
            ns: 200 * MS,
        });
    }
    assert!(capacity.bps().abs_diff(20 * MBIT) < MBIT / 10);
    // Up to twice of what was given: a device takes more than a line that is behind it.
    for _ in 0..100 {
        capacity.learn(Sample {
            bytes: 50_000_000,
            ns: 200 * MS,
        });
    }
    assert_eq!(capacity.bps(), 20 * MBIT);
    // What is said of it is what was seen, all of it.
    assert!(capacity.known_bps() > 1900 * MBIT);
    capacity.give(5000 * MBIT);
    assert_eq!(capacity.bps(), 5000 * MBIT);
    capacity = Capacity::new(10 * MBIT);
    capacity.give(50 * MBIT);
    assert_eq!(capacity.bps(), 50 * MBIT);
}

// What can be counted.

const fn plain(dev: u32) -> Stack {
    Stack {
        dev,
        below: 0,
        line: 0,
        is_mixed: false,
        is_bypassed: false,
    }
}

/// A VLAN or a session, with a flowtable on the lowest device, which nothing else is known to use.
fn over(dev: u32, below: u32, line: u32) -> Stack {
    Stack {
        below,
        line,
        is_bypassed: true,
        ..plain(dev)
    }
}

fn countable(path: Stack, others: &[Stack]) -> Countable {
    path.countable(others.iter().copied())
}

const ALL_OF_IT: Countable = Countable {
    by_line: false,
    is_partial: false,
    is_mixed: false,
};
const BY_LINE: Countable = Countable {
    by_line: true,
    ..ALL_OF_IT
};
const PARTIAL: Countable = Countable {
    is_partial: true,
    ..ALL_OF_IT
};
const MIXED: Countable = Countable {
    is_mixed: true,
    ..ALL_OF_IT
};

#[test]
fn what_bypasses_a_device_is_counted_below_it_if_nothing_else_goes_there() {
    assert_eq!(
        countable(over(7, 1, 1), &[plain(2), over(8, 2, 3)]),
        BY_LINE
    );
    let crowded = Stack {
        line: 0,
        ..over(7, 1, 1)
    };
    assert_eq!(countable(crowded, &[]), PARTIAL);
}

#[test]
fn another_wan_there_makes_it_uncountable() {
    // A session on a VLAN: beside a WAN that is the VLAN, the trunk, or another session on either.
    for other in [plain(7), plain(1), over(10, 7, 1), over(10, 1, 1)] {
        assert_eq!(
            countable(over(9, 7, 1), &[plain(2), other]),
            PARTIAL,
            "{other:?}"
        );
    }
}

#[test]
fn nothing_bypasses_a_device_without_a_flowtable_below_it() {
    let vlan = Stack {
        below: 1,
        ..plain(7)
    };
    let beside = Stack {
        below: 1,
        ..plain(8)
    };
    assert_eq!(countable(vlan, &[beside]), ALL_OF_IT);
}

#[test]
fn a_device_below_another_wan_counts_that_too() {
    let session = Stack {
        below: 1,
        ..plain(9)
    };
    assert_eq!(countable(plain(1), &[plain(2), session]), MIXED);
    assert_eq!(countable(session, &[plain(1)]), ALL_OF_IT);
    let crowded = Stack {
        is_mixed: true,
        ..plain(1)
    };
    assert_eq!(countable(crowded, &[]), MIXED);
}

#[test]
fn a_wan_without_a_device_stands_in_nobodys_way() {
    assert_eq!(countable(plain(0), &[plain(0), plain(1)]), ALL_OF_IT);
    assert_eq!(countable(over(7, 1, 1), &[plain(0)]), BY_LINE);
    assert_eq!(countable(plain(1), &[plain(0)]), ALL_OF_IT);
}
