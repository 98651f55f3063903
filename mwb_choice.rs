// SPDX-License-Identifier: GPL-2.0

//! What becomes of a new connection that leaves through a WAN: policy, then pair, then pick by load.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    mwb_pair::{
        self,
        Keep,
        Pairs,
        Place, //
    },
    mwb_policy::{
        self,
        New, //
    },
    mwb_ranking::Fit,
    mwb_wan::Wans,
    rust::{
        netns::Net,
        rcu::Shared,
        time, //
    },
    uapi, //
};
use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What becomes of a connection.
#[derive(Clone, Copy)]
pub(crate) enum Choice {
    /// It gets this mark, that of a WAN.
    Wan(u32),
    /// It is left to the main table.
    Main,
    /// The same, but only because no WAN can take it.
    LastResort,
    /// It must not go anywhere.
    Nowhere,
}

/// Whether a choice is of consequence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    Real,
    /// Nothing is counted, placed or remembered.
    Dry {
        /// Pairs tell who talks to whom.
        knows_pairs: bool,
    },
}

/// What is to take the place of the pairs, if anything.
pub(crate) struct Prepared(Option<Arc<Option<Pairs>>>);

/// What chooses.
pub(crate) struct Chooser {
    config: Arc<Shared<Config>>,
    policies: Arc<Shared<mwb_policy::Set>>,
    /// In pair mode.
    pairs: Shared<Option<Pairs>>,
    refreshed_s: AtomicU32,
}

impl Chooser {
    pub(crate) fn new(
        config: Arc<Shared<Config>>,
        policies: Arc<Shared<mwb_policy::Set>>,
    ) -> Result<Self> {
        let new = Self {
            config,
            policies,
            pairs: Shared::new(None)?,
            refreshed_s: AtomicU32::new(time::seconds()),
        };
        new.follow(new.prepare(&new.config())?);
        Ok(new)
    }

    pub(crate) fn config(&self) -> Config {
        self.config.with(|config| *config)
    }

    /// What has to change for this configuration: all of it that can fail.
    pub(crate) fn prepare(&self, config: &Config) -> Result<Prepared> {
        let is_wanted = config.granularity == uapi::GRANULARITY_PAIR;
        if is_wanted == self.pairs.with(Option::is_some) {
            return Ok(Prepared(None));
        }
        let pairs = is_wanted.then(Pairs::new).transpose()?;
        Ok(Prepared(Some(Arc::new(pairs, GFP_KERNEL)?)))
    }

    /// Keeps pairs if the configuration says so, else none.
    pub(crate) fn follow(&self, prepared: Prepared) {
        if let Prepared(Some(pairs)) = prepared {
            self.pairs.set(pairs);
        }
    }

    /// Chooses for a new connection, which may be that of a tunnel (`is_of_kernel`).
    pub(crate) fn choose(
        &self,
        net: &Net,
        wans: &Wans,
        new: &New<'_>,
        is_of_kernel: bool,
        run: Run,
    ) -> Choice {
        let config = self.config();
        // What a tunnel sends would go round and round in it.
        let is_fit = |id| !(is_of_kernel && wans.is_tunnel(id));
        let pick = |fit: Fit<'_>| self.pick(net, wans, &config, new, fit, run);

        let by_policy = self.policies.with(|policies| {
            let policy = policies.lookup(new)?;
            let chosen = match policies.wanted(policy) {
                None => Some(Choice::Main),
                Some(wanted) => pick(Some(&|id| wanted.contains(id) && is_fit(id)))
                    .map(|id| Choice::Wan(config.marks.of_policy(id))),
            };
            match (chosen, run) {
                (_, Run::Dry { .. }) => {}
                (Some(_), _) => policy.count(),
                (None, _) => policy.count_missed(),
            }
            if chosen.is_some() {
                return chosen;
            }
            policy.is_strict.then_some(Choice::Nowhere)
        });
        by_policy.unwrap_or_else(|| match pick(is_of_kernel.then_some(&is_fit)) {
            Some(id) => Choice::Wan(config.marks.of(id)),
            None if config.is_unreachable_without_wan() => Choice::Nowhere,
            None => Choice::LastResort,
        })
    }

    /// The WAN of the pair, or the one with the most room.
    fn pick(
        &self,
        net: &Net,
        wans: &Wans,
        config: &Config,
        new: &New<'_>,
        fit: Fit<'_>,
        run: Run,
    ) -> Option<u8> {
        let pick = || match run {
            Run::Real => wans.pick(net, &config.choice, fit),
            Run::Dry { .. } => wans.best(net, &config.choice, fit),
        };
        self.pairs.with(|pairs| {
            let Some(pairs) = pairs else {
                return pick();
            };
            let key = mwb_pair::Key::of(new.flow);
            let is_fit = |id| fit.is_none_or(|is_fit| is_fit(id));
            let may_keep = |place| self.may_keep(net, wans, config, &is_fit, place);
            let of_pair = match run {
                Run::Real => pairs.lookup(key, config.pair_timeout_s),
                Run::Dry { knows_pairs: true } => pairs.peek(key, config.pair_timeout_s),
                Run::Dry { knows_pairs: false } => None,
            };
            if let Some(place) = of_pair.filter(|p| is_fit(p.wan) && may_keep(*p) == Keep::Stays) {
                if run == Run::Real {
                    pairs.count_hit();
                }
                return Some(place.wan);
            }
            let id = pick()?;
            if run != Run::Real {
                return Some(id);
            }
            // What a policy takes elsewhere leaves the pair where it is.
            let of_pair = pairs.get_or_insert(key, config.pair_timeout_s, id, may_keep);
            Some(if is_fit(of_pair) { of_pair } else { id })
        })
    }

    /// Whether the pair of a connection is on this WAN.
    pub(crate) fn has_pair_on(&self, new: &New<'_>, id: u8) -> bool {
        let key = mwb_pair::Key::of(new.flow);
        let timeout_s = self.config().pair_timeout_s;
        let peek = |pairs: &Pairs| pairs.peek(key, timeout_s);
        let place = self.pairs.with(|pairs| pairs.as_ref().and_then(peek));
        place.is_some_and(|place| place.wan == id)
    }

    /// Whether a pair stays on its WAN; what it had to leave may have come back.
    fn may_keep(
        &self,
        net: &Net,
        wans: &Wans,
        config: &Config,
        is_fit: &dyn Fn(u8) -> bool,
        place: Place,
    ) -> Keep {
        if !wans.is_usable(net, place.wan) {
            return Keep::MustLeave;
        }
        if config.failback == uapi::FAILBACK_NEW || !is_fit(place.wan) {
            return Keep::Stays;
        }
        let is_home_back = is_fit(place.home) && wans.is_usable(net, place.home);
        let best = wans.of_best_tier(net, is_fit);
        if is_home_back || best.is_some_and(|id| wans.tier(id) < wans.tier(place.wan)) {
            Keep::ChoosesAgain
        } else {
            Keep::Stays
        }
    }

    /// The WANs that a policy leads to which may leave connections no other way. May sleep.
    pub(crate) fn strict(&self) -> mwb_policy::Wans {
        self.policies.get().strict()
    }

    /// Calls `f` with the pairs, if they are kept. May sleep.
    pub(crate) fn with_pairs(&self, f: impl FnOnce(&Pairs)) {
        if let Some(pairs) = &*self.pairs.get() {
            f(pairs);
        }
    }

    /// Whether the pairs have not been refreshed for half of their time.
    pub(crate) fn is_refresh_due(&self) -> bool {
        let now_s = time::seconds();
        let passed_s = now_s.wrapping_sub(self.refreshed_s.load(Relaxed));
        let is_due = passed_s >= self.config().pair_timeout_s.div_ceil(2);
        if is_due {
            self.refreshed_s.store(now_s, Relaxed);
        }
        is_due
    }

    /// A WAN no longer exists.
    pub(crate) fn forget(&self, id: u8) {
        self.with_pairs(|pairs| pairs.remove(id));
    }
}
