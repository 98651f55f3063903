// SPDX-License-Identifier: GPL-2.0

//! A policy: the options of `mwb policy add`, which are the line of a file and the attributes as well.

use crate::message::{self, attributes};
use crate::selectors::Selectors;
use crate::uapi::*;
use netlink_packet_core::DefaultNla;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

#[derive(clap::Args, Clone, Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Policy {
    #[command(flatten)]
    #[serde(flatten)]
    pub selectors: Selectors,
    /// What gets the connections; main leaves them to the main table
    #[arg(long, value_name = "WAN|GROUP|main")]
    pub to: String,
    /// Refuse them while no wanted WAN is up, instead of giving them to another one
    #[arg(long)]
    pub strict: bool,
}

impl Policy {
    pub fn attrs(&self) -> Vec<DefaultNla> {
        let mut attrs = self.selectors.attrs();
        attrs.push(message::string(A_POLICY_TO, &self.to));
        attrs.extend(self.strict.then(|| message::flag(A_POLICY_STRICT)));
        attrs
    }

    /// Reads what `value` has of each attribute.
    pub fn read<'a>(value: impl Fn(u16) -> Option<&'a [u8]>) -> Self {
        Self {
            to: value(A_POLICY_TO)
                .map(message::read_string)
                .unwrap_or_default(),
            strict: value(A_POLICY_STRICT).is_some(),
            selectors: Selectors::read(value),
        }
    }
}

/// As a line that `mwb policy replace` reads, or a shell after `mwb policy add`.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pref = self.selectors.pref.map(|pref| ("--pref", pref.to_string()));
        let given = self
            .selectors
            .given()
            .map(|(_, option, value)| (option, value));
        for (option, value) in pref.into_iter().chain(given) {
            write!(f, "{option}{} ", separated(&value))?;
        }
        write!(f, "--to{}", separated(&self.to))?;
        f.write_str(if self.strict { " --strict" } else { "" })
    }
}

/// The value of an option; one with a dash would be taken for the next option.
fn separated(value: &str) -> String {
    let separator = if value.starts_with('-') { '=' } else { ' ' };
    // All but a NUL byte can be quoted, and no name has one.
    let quoted = shlex::try_quote(value).unwrap_or_default();
    format!("{separator}{quoted}")
}

/// A policy as the kernel reports it: one row of `mwb policy show`, as text and as JSON.
#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Row {
    #[serde(flatten)]
    pub policy: Policy,
    pub connections: Option<u64>,
    pub missed: Option<u64>,
}

impl Row {
    pub fn parse(attrs: &[u8]) -> Self {
        let mut values = [None; A_POLICY_MAX as usize + 1];
        for (kind, value) in attributes(attrs) {
            if let Some(slot) = values.get_mut(usize::from(kind)) {
                *slot = Some(value);
            }
        }
        let value = |kind: u16| values.get(usize::from(kind)).copied().flatten();
        let u64 = |kind| value(kind).and_then(message::read_u64);
        Self {
            policy: Policy::read(value),
            connections: u64(A_POLICY_CONNECTIONS),
            missed: u64(A_POLICY_MISSED),
        }
    }
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, string, u32, u64};
    use crate::ports::Ports;
    use crate::prefix::Prefix;
    use crate::proto::Proto;

    pub fn attrs() -> Vec<DefaultNla> {
        vec![
            u32(A_POLICY_PREF, 900),
            DefaultNla::new(A_POLICY_SRC, vec![10, 0, 0, 0]),
            u32(A_POLICY_SRC_LEN, 8),
            DefaultNla::new(A_POLICY_DST, vec![192, 0, 2, 1]),
            u32(A_POLICY_DST_LEN, 32),
            string(A_POLICY_IIF, "lan0"),
            u32(A_POLICY_PROTO, 6),
            u32(A_POLICY_DPORT_MIN, 80),
            u32(A_POLICY_DPORT_MAX, 443),
            u32(A_POLICY_DSCP, 46),
            string(A_POLICY_TO, "dsl"),
            message::flag(A_POLICY_STRICT),
            u64(A_POLICY_CONNECTIONS, 53),
            u64(A_POLICY_MISSED, 2),
        ]
    }

    /// The policy that `attrs` are about.
    pub fn policy() -> Policy {
        Policy {
            selectors: Selectors {
                pref: Some(900),
                src: Prefix::parse("10.0.0.0/8").ok(),
                dst: Prefix::parse("192.0.2.1").ok(),
                iif: Some("lan0".into()),
                proto: Some(Proto(6)),
                dport: Some(Ports { min: 80, max: 443 }),
                dscp: Some(46),
            },
            to: "dsl".into(),
            strict: true,
        }
    }

    #[test]
    fn reads_all() {
        let row = Row::parse(&emitted(&attrs()));
        assert_eq!(row.policy, policy());
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            concat!(
                r#"{"pref":900,"src":"10.0.0.0/8","dst":"192.0.2.1/32","iif":"lan0","proto":"tcp","#,
                r#""dport":"80-443","dscp":46,"to":"dsl","strict":true,"connections":53,"missed":2}"#
            )
        );
    }

    #[test]
    fn tolerates_what_is_missing() {
        let row = Row::parse(&emitted(&[string(A_POLICY_TO, "main")]));
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            concat!(
                r#"{"pref":null,"src":null,"dst":null,"iif":null,"proto":null,"dport":null,"#,
                r#""dscp":null,"to":"main","strict":false,"connections":null,"missed":null}"#
            )
        );
    }

    #[test]
    fn ignores_what_is_unknown() {
        let mut more = attrs();
        for (at, kind) in [0, A_POLICY_PAD, A_POLICY_MAX + 1, 999]
            .into_iter()
            .enumerate()
        {
            more.insert(at * 3, DefaultNla::new(kind, vec![0xff; 13]));
        }
        assert_eq!(Row::parse(&emitted(&more)), Row::parse(&emitted(&attrs())));
    }

    #[test]
    fn reads_up_to_where_it_is_cut_off() {
        let whole = emitted(&attrs());
        let mut seen = Row::default();
        for length in 0..whole.len() {
            let row = Row::parse(&whole[..length]);
            assert_eq!(row.missed, None);
            // Attributes come in whole or not at all: none that was there goes away or changes.
            let (old, new) = (&seen.policy, &row.policy);
            assert!(old.selectors.dscp.is_none() || old.selectors == new.selectors);
            assert!(old.to.is_empty() || old.to == new.to);
            seen = row;
        }
        assert_eq!((seen.policy, seen.connections), (policy(), Some(53)));
    }

    #[test]
    fn takes_no_value_of_the_wrong_size() {
        for bytes in misshapen(&attrs()) {
            let row = Row::parse(&bytes);
            let selectors = Selectors {
                iif: row.policy.selectors.iif.clone(),
                ..Selectors::default()
            };
            assert_eq!(row.policy.selectors, selectors);
            assert_eq!((row.connections, row.missed), (None, None));
        }
        let sizes = [
            u32(A_POLICY_PROTO, 256),
            u32(A_POLICY_DSCP, 1 << 8),
            u32(A_POLICY_DPORT_MIN, 1 << 16),
        ];
        let row = Row::parse(&emitted(&sizes));
        assert_eq!(row.policy.selectors, Selectors::default());
    }

    #[test]
    fn carries_what_was_given() {
        let reported = attrs();
        let (sent, counters) = reported.split_at(reported.len() - 2);
        assert_eq!(policy().attrs(), sent);
        assert_eq!(counters.len(), 2);
    }

    #[test]
    fn leaves_out_what_was_not() {
        let policy = Policy {
            to: "main".into(),
            ..Policy::default()
        };
        assert_eq!(policy.attrs(), [string(A_POLICY_TO, "main")]);
        assert_eq!(policy.to_string(), "--to main");
    }

    #[test]
    fn dport_needs_a_proto_with_ports() {
        let mut selectors = policy().selectors;
        assert_eq!(selectors.check(), Ok(()));
        selectors.proto = None;
        assert!(selectors
            .check()
            .unwrap_err()
            .contains("--dport 80-443 needs"));
        selectors.proto = Some(Proto(1));
        assert!(selectors.check().unwrap_err().contains("icmp has no ports"));
        selectors.dport = None;
        assert_eq!(selectors.check(), Ok(()));
    }
}
