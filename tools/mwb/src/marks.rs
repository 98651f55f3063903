// SPDX-License-Identifier: GPL-2.0

//! The bits of the marks that are the module's, and what they say (see MARKS in mwb.8).

use crate::extack::MALFORMED;
use crate::message::{attributes, read_u32, Request};
use crate::netlink::Client;
use crate::uapi::{A_CONFIG_MARK_MASK, CMD_CONFIG_GET, WAN_MAX};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marks {
    mask: u32,
    by_policy: u32,
}

impl Marks {
    /// Those of the namespace.
    pub fn read(client: &mut Client) -> Result<Self, String> {
        let config = client.call(Request::new(CMD_CONFIG_GET, vec![]))?;
        let mut attrs = config.iter().flat_map(|reply| attributes(&reply.0));
        let mask = attrs.find(|(kind, _)| *kind == A_CONFIG_MARK_MASK);
        let marks = mask.and_then(|(_, mask)| Self::new(read_u32(mask)?));
        marks.ok_or(MALFORMED.into())
    }

    /// None if the mask has less than three bits, or a gap.
    pub fn new(mask: u32) -> Option<Self> {
        let ends = mask.leading_zeros() + mask.trailing_zeros();
        let fits = mask.count_ones() >= 3 && mask.count_ones() + ends == u32::BITS;
        fits.then(|| Self {
            mask,
            by_policy: 1 << (u32::BITS - 1 - mask.leading_zeros()),
        })
    }

    pub fn mask(self) -> u32 {
        self.mask
    }

    /// The bits that hold the number of a WAN.
    pub fn id_mask(self) -> u32 {
        self.mask & !self.by_policy
    }

    /// The mark of what was balanced to a WAN.
    pub fn of(self, id: u32) -> u32 {
        (id << self.mask.trailing_zeros()) & self.id_mask()
    }

    /// The number of the WAN that a mark stands for; 0 if it stands for none.
    pub fn id(self, mark: u32) -> u32 {
        (mark & self.id_mask()) >> self.mask.trailing_zeros()
    }

    /// Whether a policy has placed what has this mark.
    pub fn by_policy(self, mark: u32) -> bool {
        mark & self.by_policy != 0
    }

    /// The highest number that there is room for; the one above it stands for no WAN at all.
    pub fn max_id(self) -> u32 {
        (self.id(self.id_mask()) - 1).min(WAN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_three_in_a_row_at_least() {
        for mask in [0, 1, 3, 0b101, 0b1011, 0xff00_00ff, 0x8000_0001] {
            assert_eq!(Marks::new(mask), None, "{mask:#x}");
        }
        for (mask, max_id) in [
            (0b111, 2),
            (0xff00_0000, 126),
            (0xff00, 126),
            (0x1ff, 250),
            (u32::MAX, 250),
        ] {
            assert_eq!(Marks::new(mask).unwrap().max_id(), max_id, "{mask:#x}");
        }
    }

    #[test]
    fn hold_a_number_and_a_bit() {
        let marks = Marks::new(0xff00_0000).unwrap();
        assert_eq!(marks.of(3), 0x0300_0000);
        for (mark, id, by_policy) in [
            (0x0300_0000, 3, false),
            (0x8300_00ff, 3, true),
            (0xff, 0, false),
            (0x7f00_0000, 127, false),
        ] {
            assert_eq!((marks.id(mark), marks.by_policy(mark)), (id, by_policy));
        }
        let low = Marks::new(0b1_1100).unwrap();
        assert_eq!((low.of(2), low.id(0b1_1011), low.id_mask()), (8, 2, 0b1100));
    }
}
