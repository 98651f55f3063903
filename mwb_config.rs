// SPDX-License-Identifier: GPL-2.0

//! What an instance is configured to, besides its WANs and policies: which numbers are its own, and how it
//! decides.

#![forbid(unsafe_code)]

use crate::{
    mwb_pick::{
        Mode,
        Settings, //
    },
    uapi, //
};

/// The bits of the marks that are ours, and what they say.
///
/// The highest bit of the mask is set on what a policy has placed. The others hold the id of a WAN, 0 for
/// none; their highest value stands for nowhere: a packet that has it is unreachable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    mask: u32,
    by_policy: u32,
}

impl Marks {
    /// None if the mask has less than three bits, or a gap.
    pub(crate) const fn new(mask: u32) -> Option<Self> {
        if mask.count_ones() < 3
            || mask.count_ones() + mask.leading_zeros() + mask.trailing_zeros() != u32::BITS
        {
            return None;
        }
        Some(Self {
            mask,
            by_policy: 1 << (u32::BITS - 1 - mask.leading_zeros()),
        })
    }

    #[inline]
    pub(crate) fn mask(self) -> u32 {
        self.mask
    }

    /// The bits of the id.
    pub(crate) fn id_mask(self) -> u32 {
        self.mask & !self.by_policy
    }

    /// The mark of a WAN.
    pub(crate) fn of(self, id: u8) -> u32 {
        u32::from(id) << self.mask.trailing_zeros() & self.id_mask()
    }

    /// The same for what a policy has placed.
    pub(crate) fn of_policy(self, id: u8) -> u32 {
        self.of(id) | self.by_policy
    }

    /// The mark of what must not go anywhere.
    pub(crate) fn nowhere(self) -> u32 {
        self.id_mask()
    }

    /// The id that a mark stands for, 0 if it is none.
    pub(crate) fn id(self, mark: u32) -> u8 {
        let id = (mark & self.id_mask()) >> self.mask.trailing_zeros();
        u8::try_from(id).unwrap_or(0)
    }

    /// The highest id that there is room for.
    pub(crate) fn max_id(self) -> u32 {
        let nowhere = self.nowhere() >> self.mask.trailing_zeros();
        nowhere.saturating_sub(1).min(uapi::WAN_MAX)
    }
}

/// A mode of this number.
pub(crate) fn mode(number: u32) -> Option<Mode> {
    match number {
        uapi::MODE_RATE => Some(Mode::Rate),
        uapi::MODE_TWO_CHOICES => Some(Mode::TwoChoices),
        uapi::MODE_WEIGHTED => Some(Mode::Weighted),
        _ => None,
    }
}

/// The number of a mode.
pub(crate) fn number_of(mode: Mode) -> u32 {
    match mode {
        Mode::Rate => uapi::MODE_RATE,
        Mode::TwoChoices => uapi::MODE_TWO_CHOICES,
        Mode::Weighted => uapi::MODE_WEIGHTED,
    }
}

/// The contract and the choice agree on the defaults.
const _: () = {
    let choice = Settings::DEFAULT;
    assert!(choice.interval_ms == uapi::INTERVAL_MS);
    assert!(choice.average_ms == uapi::AVERAGE_MS);
    assert!(choice.enter_percent == uapi::THRESHOLD_PERCENT);
    assert!(choice.exit_percent == uapi::EXIT_PERCENT);
    assert!(choice.credit_cap_percent == uapi::CREDIT_CAP_PERCENT);
};

/// The configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Config {
    /// `uapi::GRANULARITY_*`
    pub(crate) granularity: u32,
    pub(crate) pair_timeout_s: u32,
    pub(crate) choice: Settings,
    /// `uapi::LAST_RESORT_*`
    pub(crate) last_resort: u32,
    /// `uapi::ON_DOWN_*`
    pub(crate) on_down: u32,
    /// `uapi::FAILBACK_*`
    pub(crate) failback: u32,
    pub(crate) marks: Marks,
    /// Lowest preference of our rules.
    pub(crate) rule_pref: u32,
    pub(crate) table_base: u32,
}

impl Config {
    pub(crate) const DEFAULT: Self = Self {
        granularity: uapi::GRANULARITY_CONNECTION,
        pair_timeout_s: uapi::PAIR_TIMEOUT,
        choice: Settings::DEFAULT,
        last_resort: uapi::LAST_RESORT_MAIN,
        on_down: uapi::ON_DOWN_RESET,
        failback: uapi::FAILBACK_NEW,
        marks: match Marks::new(uapi::MARK_MASK) {
            Some(marks) => marks,
            None => panic!(),
        },
        rule_pref: uapi::RULE_PREF,
        table_base: uapi::TABLE_BASE,
    };

    /// The routing table of a WAN.
    pub(crate) fn table(&self, id: u8) -> u32 {
        self.table_base.saturating_add(id.into())
    }

    /// The preference of a WAN's rule.
    pub(crate) fn preference(&self, id: u8) -> u32 {
        self.rule_pref.saturating_add(id.into())
    }

    /// The preference of the rule for what must not go anywhere.
    pub(crate) fn preference_nowhere(&self) -> u32 {
        let last = self.rule_pref.saturating_add(self.marks.max_id());
        last.saturating_add(1)
    }

    /// The preference of the rule for everything else while no WAN is up.
    pub(crate) fn preference_last_resort(&self) -> u32 {
        self.preference_nowhere().saturating_add(1)
    }

    pub(crate) fn is_unreachable_without_wan(&self) -> bool {
        self.last_resort == uapi::LAST_RESORT_UNREACHABLE
    }

    /// Whether the same numbers are its own.
    pub(crate) fn has_numbers_of(&self, other: &Self) -> bool {
        (self.marks, self.rule_pref, self.table_base)
            == (other.marks, other.rule_pref, other.table_base)
    }
}
