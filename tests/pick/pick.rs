// SPDX-License-Identifier: GPL-2.0

//! The choice, sentence by sentence: mwb_pick.rs as the module compiles it.

#[path = "../../mwb_pick.rs"]
mod mwb_pick;

use mwb_pick::*;

const MBIT: u64 = 1_000_000;

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
    }
}

/// A generator that is good enough to vary tests with, and always the same.
fn random(state: &mut u64) -> u32 {
    *state = state
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    (*state >> 32) as u32
}

#[test]
fn nobody_to_pick() {
    assert_eq!(pick([], false, 7), None);
}

#[test]
fn least_download_use_in_relation_to_capacity() {
    let wans = [
        wan(1, (0, 5), (10, 20)),
        wan(2, (0, 10), (20, 50)),
        wan(3, (0, 20), (60, 100)),
    ];
    for seed in 0..100 {
        assert_eq!(pick(wans, false, seed), Some(2));
    }
}

#[test]
fn least_upload_use_once_upload_is_overloaded() {
    let wans = [
        wan(1, (5, 5), (0, 20)),
        wan(2, (5, 10), (50, 50)),
        wan(3, (4, 20), (90, 100)),
    ];
    for seed in 0..100 {
        assert_eq!(pick(wans, true, seed), Some(3));
        assert_eq!(pick(wans, false, seed), Some(1));
    }
}

#[test]
fn overload_begins_above_85_percent_and_ends_at_80() {
    let at = |percent: u64| [load(percent * MBIT, 100 * MBIT), load(0, MBIT)];
    assert!(!is_overloaded(false, at(85)));
    assert!(is_overloaded(false, at(86)));
    assert!(is_overloaded(true, at(81)));
    assert!(!is_overloaded(true, at(80)));
    assert!(!is_overloaded(false, at(81)));
}

#[test]
fn credit_is_no_overload() {
    let mut up = load(0, 10 * MBIT);
    up.credit_bps = 100 * MBIT;
    assert!(!is_overloaded(false, [up]));
}

#[test]
fn a_full_line_is_better_than_an_idle_one_of_a_higher_tier() {
    let mut wans = [
        wan(1, (0, 10), (0, 10)),
        wan(2, (9, 10), (10, 10)),
        wan(3, (0, 10), (0, 10)),
    ];
    wans[0].tier = 3;
    wans[1].tier = 2;
    wans[2].tier = 16;
    for seed in 0..100 {
        assert_eq!(pick(wans, seed % 2 == 0, seed), Some(2));
    }
}

#[test]
fn ties_are_broken_evenly() {
    let wans = [1, 2, 3, 4].map(|id| wan(id, (0, 10), (0, 10)));
    let mut count = [0u32; 5];
    let mut state = 1;
    for _ in 0..40_000 {
        count[usize::from(pick(wans, false, random(&mut state)).unwrap())] += 1;
    }
    for n in &count[1..] {
        assert!((9_500..=10_500).contains(n), "{count:?}");
    }
}

#[test]
fn a_burst_between_two_samples_spreads_by_capacity() {
    let capacity = [20, 50, 100];
    let step = Expectation::DOWN.credit_bps(200_000_000);
    let mut wans = [1, 2, 3].map(|id| wan(id, (0, 10), (0, capacity[usize::from(id) - 1])));
    let mut count = [0u64; 3];
    let mut state = 1;
    for _ in 0..1700 {
        let at = usize::from(pick(wans, false, random(&mut state)).unwrap()) - 1;
        wans[at].down.credit_bps += step;
        count[at] += 1;
    }
    for (n, capacity) in count.iter().zip(capacity) {
        assert!(n.abs_diff(capacity * 10) <= 2, "{count:?}");
    }
}

#[test]
fn any_input_picks_one_of_those_offered() {
    let mut state = 3;
    let wide = |state: &mut u64| {
        (u64::from(random(state)) << 32 | u64::from(random(state))) >> (random(state) % 64)
    };
    for _ in 0..20_000 {
        let n = random(&mut state) % 8;
        let wans: Vec<_> = (0..n)
            .map(|i| {
                let mut load = || Load {
                    rate_bps: wide(&mut state),
                    credit_bps: wide(&mut state),
                    capacity_bps: wide(&mut state) * u64::from(random(&mut state) % 4 != 0),
                };
                Candidate {
                    id: (i * 30 + 1) as u8,
                    tier: 1 + i as u32 % 2,
                    up: load(),
                    down: load(),
                }
            })
            .collect();
        let overloaded = is_overloaded(random(&mut state) % 2 == 0, wans.iter().map(|w| w.up));
        let id = pick(wans.iter().copied(), overloaded, random(&mut state));
        assert_eq!(id.is_some(), n > 0);
        let lowest = wans.iter().map(|w| w.tier).min();
        assert!(id.is_none_or(|id| wans.iter().any(|w| w.id == id && Some(w.tier) == lowest)));
    }
}

#[test]
fn averages_reach_what_they_follow() {
    assert_eq!(fade(1000), 700);
    let mut rate = 0;
    for _ in 0..200 {
        rate = average(rate, 12_345);
    }
    assert_eq!(rate, 12_345);
    for _ in 0..200 {
        rate = average(rate, 0);
    }
    assert_eq!(rate, 0);
    assert_eq!(average(0, 10), 3);
    assert!(average(u64::MAX, u64::MAX) > u64::MAX / 20);
}

#[test]
fn rates_are_bits_per_second() {
    assert_eq!(rate_bps(25_000, 200_000_000), MBIT);
    assert_eq!(rate_bps(1, 0), 0);
    // 400 Gbit/s, where the exact product no longer fits.
    assert_eq!(rate_bps(10_000_000_000, 200_000_000), 400_000 * MBIT);
    assert!(rate_bps(u64::MAX, 1_000) > 0);
}

#[test]
fn expectation_follows_what_connections_bring() {
    let mut expected = Expectation::UP;
    let before = expected.credit_bps(200_000_000);
    expected.learn(0, 0);
    assert_eq!(expected.credit_bps(200_000_000), before);
    for _ in 0..50 {
        expected.learn(10_000_000, 10);
    }
    // 1 MB over the time constant of two thirds of a second.
    assert_eq!(expected.credit_bps(200_000_000) / 1000, 12_000);
    assert_eq!(load(0, 5 * MBIT).clamp(12 * MBIT), 5 * MBIT);
}

#[test]
fn a_capacity_is_learned_from_what_was_carried() {
    // A few packets of background noise say nothing of what a line can do.
    assert_eq!(load(300, 0).learned_bps(), 0);
    assert_eq!(load(30 * MBIT, 0).learned_bps(), 30 * MBIT);
    assert_eq!(load(20 * MBIT, 30 * MBIT).learned_bps(), 30 * MBIT);
    assert_eq!(load(40 * MBIT, 30 * MBIT).learned_bps(), 40 * MBIT);
    let wans = [wan(1, (0, 0), (1, 0)), wan(2, (0, 0), (50, 100))];
    assert_eq!(pick(wans, false, 0), Some(1));
}
