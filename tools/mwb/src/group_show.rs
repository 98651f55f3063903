// SPDX-License-Identifier: GPL-2.0

//! `mwb group show`: the groups and their WANs.

use crate::message::{self, attributes};
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::table::{table, Column, Column::*};
use crate::uapi::*;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Group {
    pub name: String,
    pub wans: Vec<String>,
}

impl Group {
    pub fn parse(attrs: &[u8]) -> Self {
        let mut group = Self::default();
        for (kind, value) in attributes(attrs) {
            match kind {
                A_GROUP_NAME => group.name = message::read_string(value),
                A_GROUP_WAN => group.wans.push(message::read_string(value)),
                _ => {}
            }
        }
        group
    }
}

pub fn run(client: &mut Client, output: Output) -> Result<(), String> {
    let replies = client.dump(CMD_GROUP_GET)?;
    let groups: Vec<Group> = replies.iter().map(|reply| Group::parse(&reply.0)).collect();
    match output.json {
        true => output.json(&groups),
        false => output::write(table(COLUMNS, groups.iter().map(row)).as_bytes()),
    }
}

const COLUMNS: [Column; 2] = [Left("NAME"), Left("WANS")];

fn row(group: &Group) -> [String; COLUMNS.len()] {
    [group.name.clone(), group.wans.join(" ")]
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, string, u32};
    use netlink_packet_core::DefaultNla;

    pub fn attrs() -> Vec<DefaultNla> {
        vec![
            string(A_GROUP_NAME, "fast"),
            string(A_GROUP_WAN, "dsl"),
            string(A_GROUP_WAN, "lte"),
        ]
    }

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let group = Group::parse(attrs);
        let text = table(COLUMNS, [row(&group)].into_iter());
        (serde_json::to_value(&group).unwrap(), text)
    }

    #[test]
    fn reads_all() {
        let mut more = attrs();
        more.insert(1, u32(A_GROUP_MAX + 1, 7));
        let group = Group::parse(&emitted(&more));
        assert_eq!(
            serde_json::to_string(&group).unwrap(),
            r#"{"name":"fast","wans":["dsl","lte"]}"#
        );
    }

    #[test]
    fn table_is_aligned() {
        let groups = [Group::parse(&emitted(&attrs())), Group::default()];
        assert_eq!(
            table(COLUMNS, groups.iter().map(row)),
            "NAME  WANS\nfast  dsl lte\n\n"
        );
    }

    #[test]
    fn takes_no_value_that_is_cut_off() {
        let whole = emitted(&attrs());
        for length in 0..whole.len() {
            let group = Group::parse(&whole[..length]);
            assert!(["", "fast"].contains(&&*group.name));
            assert!(["", "dsl"].contains(&&*group.wans.concat()));
        }
        for bytes in misshapen(&attrs()) {
            assert_eq!(Group::parse(&bytes).wans.len(), 2);
        }
    }
}
