// SPDX-License-Identifier: GPL-2.0

//! Where the WANs stand in the choice by rate, so that a new connection need not look at them.
//!
//! It is worked out when something changes. Until then only those that are chosen stand higher than before. So of
//! those that were lowest, chance can take one at once, if it is one that still is; else all are gone through.

#![forbid(unsafe_code)]

use crate::{
    mwb_pick::{
        self,
        Standing, //
    },
    uapi, //
};
use core::sync::atomic::{
    AtomicU64,
    Ordering::Relaxed, //
};
use kernel::prelude::*;

/// What there is to know of a WAN.
struct Place {
    /// A [`Standing`].
    standing: AtomicU64,
    /// By [`mwb_pick::speed`].
    speed: AtomicU64,
    /// The speeds of the lowest ones up to this one together, when all were ranked.
    up_to: AtomicU64,
}

/// Which WANs a connection may be given to; None for all.
pub(crate) type Fit<'a> = Option<&'a dyn Fn(u8) -> bool>;

/// The WANs, by id from 1.
pub(crate) struct Ranking {
    places: KVec<Place>,
    /// The lowest [`Standing`], when all were ranked.
    least: AtomicU64,
}

impl Ranking {
    pub(crate) fn new() -> Result<Self> {
        let mut places = KVec::with_capacity(uapi::WAN_MAX as usize, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..uapi::WAN_MAX {
            places.push(
                Place {
                    standing: AtomicU64::new(Standing::CLOSED.0),
                    speed: AtomicU64::new(0),
                    up_to: AtomicU64::new(0),
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        Ok(Self {
            places,
            least: AtomicU64::new(Standing::CLOSED.0),
        })
    }

    /// Ranks all anew, one caller at a time. Whoever chooses meanwhile may take one that was the lowest before.
    pub(crate) fn set(&self, wans: impl Iterator<Item = (Standing, u64)>) {
        let (mut least, mut sum) = (Standing::CLOSED.0, 0u64);
        for ((standing, speed), place) in wans.zip(&self.places) {
            least = least.min(standing.0);
            place.standing.store(standing.0, Relaxed);
            place.speed.store(speed, Relaxed);
        }
        for place in &self.places {
            if place.standing.load(Relaxed) == least {
                sum = sum.wrapping_add(place.speed.load(Relaxed));
            }
            place.up_to.store(sum, Relaxed);
        }
        self.least.store(least, Relaxed);
    }

    /// A WAN was chosen, and stands no lower than this now.
    pub(crate) fn raise(&self, id: u8, standing: Standing) {
        if let Some(place) = self.place(id) {
            // Another CPU may have gone further meanwhile.
            place.standing.fetch_max(standing.0, Relaxed);
        }
    }

    /// The WAN that gets the connection, of the first `in_use` ones and those that are `fit` for it.
    pub(crate) fn lowest(&self, in_use: usize, fit: Fit<'_>, random: fn() -> u32) -> Option<u8> {
        let places = self.places.get(..in_use)?;
        let all = places.iter().map(|place| {
            let standing = Standing(place.standing.load(Relaxed));
            (standing, place.speed.load(Relaxed))
        });
        let at = match fit {
            // The number that led to one that has been raised says too much to be used for the others.
            None => self
                .lowest_of_then(places, random())
                .or_else(|| mwb_pick::lowest(all, random())),
            Some(is_fit) => {
                let fitting = (1..=u8::MAX).zip(all).map(|(id, (standing, speed))| {
                    let is_fit = is_fit(id);
                    (if is_fit { standing } else { Standing::CLOSED }, speed)
                });
                mwb_pick::lowest(fitting, random())
            }
        };
        u8::try_from(at?.wrapping_add(1)).ok()
    }

    /// One of those that were lowest when all were ranked, if it still is.
    fn lowest_of_then(&self, places: &[Place], random: u32) -> Option<usize> {
        let least = self.least.load(Relaxed);
        let sum = places.last()?.up_to.load(Relaxed);
        let drawn = mwb_pick::drawn(sum, random);
        let at = places.partition_point(|place| place.up_to.load(Relaxed) <= drawn);
        let is_lowest = places.get(at)?.standing.load(Relaxed) == least;
        (is_lowest && least != Standing::CLOSED.0).then_some(at)
    }

    fn place(&self, id: u8) -> Option<&Place> {
        self.places.get(usize::from(id).checked_sub(1)?)
    }
}
