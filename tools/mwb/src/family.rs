// SPDX-License-Identifier: GPL-2.0

//! A family of generic netlink as the kernel has registered it: numbers that differ from boot to boot.

use crate::message::{attributes, read_string, read_u16, read_u32};
use netlink_packet_generic::constants::*;

#[derive(Debug, Default, PartialEq)]
pub struct Family {
    pub id: u16,
    groups: Vec<(String, u32)>,
}

impl Family {
    pub fn parse(attrs: &[u8]) -> Option<Self> {
        let (mut id, mut groups) = (None, Vec::new());
        for (kind, value) in attributes(attrs) {
            match kind {
                CTRL_ATTR_FAMILY_ID => id = read_u16(value),
                CTRL_ATTR_MCAST_GROUPS => {
                    groups = attributes(value)
                        .filter_map(|(_, attrs)| group(attrs))
                        .collect();
                }
                _ => {}
            }
        }
        Some(Self { id: id?, groups })
    }

    /// The number of a multicast group.
    pub fn group(&self, name: &str) -> Option<u32> {
        let mut groups = self.groups.iter();
        groups.find(|group| group.0 == name).map(|group| group.1)
    }
}

/// Name and number of a multicast group.
fn group(attrs: &[u8]) -> Option<(String, u32)> {
    let value = |wanted| {
        let mut attrs = attributes(attrs);
        attrs.find(|(kind, _)| *kind == wanted).map(|attr| attr.1)
    };
    let name = value(CTRL_ATTR_MCAST_GRP_NAME).map(read_string)?;
    Some((name, read_u32(value(CTRL_ATTR_MCAST_GRP_ID)?)?))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, nested, string, u32};
    use netlink_packet_core::DefaultNla;

    /// A family with two groups.
    pub fn attrs(id: u16) -> Vec<DefaultNla> {
        let group = |index, name, id| {
            let attrs = [
                u32(CTRL_ATTR_MCAST_GRP_ID, id),
                string(CTRL_ATTR_MCAST_GRP_NAME, name),
            ];
            nested(index, &attrs)
        };
        let groups = [group(1, "others", 6), group(2, "events", 7)];
        vec![
            string(CTRL_ATTR_FAMILY_NAME, "mwb"),
            DefaultNla::new(CTRL_ATTR_FAMILY_ID, id.to_ne_bytes().to_vec()),
            u32(999, 1),
            nested(CTRL_ATTR_MCAST_GROUPS, &groups),
        ]
    }

    #[test]
    fn knows_its_groups() {
        let family = Family::parse(&emitted(&attrs(40))).unwrap();
        assert_eq!(family.id, 40);
        for (name, number) in [("others", Some(6)), ("events", Some(7)), ("event", None)] {
            assert_eq!(family.group(name), number, "{name}");
        }
    }

    #[test]
    fn takes_nothing_that_is_cut_off_or_misshapen() {
        let whole = emitted(&attrs(40));
        for length in 0..whole.len() {
            let family = Family::parse(&whole[..length]).unwrap_or_default();
            assert!([0, 40].contains(&family.id));
            assert_eq!(family.groups, []);
        }
        for bytes in misshapen(&attrs(40)) {
            assert_eq!(Family::parse(&bytes), None);
        }
    }
}
