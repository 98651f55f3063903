// SPDX-License-Identifier: GPL-2.0

//! How a file and the kernel differ, a change for each object: what `mwb apply --dry-run` prints.

use crate::apply_file::{Fault, File};
use crate::group_show::Group;
use crate::policy::Policy;
use crate::setting::{Setting, Value};
use crate::table::printable;
use crate::uapi::POLICY_PREF;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use toml::Spanned;

#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    Add,
    Set,
    Del,
}

/// A change of the configuration, a WAN, a group or a policy.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Change {
    pub op: Op,
    pub object: &'static str,
    /// None of the configuration; of a policy its options.
    pub name: Option<String>,
    pub values: Vec<Difference>,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Difference {
    pub key: &'static str,
    pub old: Option<String>,
    pub new: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.op {
            Op::Add => '+',
            Op::Set => '~',
            Op::Del => '-',
        };
        write!(f, "{sign} {}", self.object)?;
        if let Some(name) = &self.name {
            write!(f, " {}", printable(name))?;
        }
        for (number, value) in self.values.iter().enumerate() {
            f.write_str(if number == 0 { ": " } else { ", " })?;
            f.write_str(value.key)?;
            let arrow = value.old.is_some() && value.new.is_some();
            let texts = [
                value.old.as_deref(),
                arrow.then_some("->"),
                value.new.as_deref(),
            ];
            for text in texts.into_iter().flatten() {
                write!(f, " {}", printable(text))?;
            }
        }
        Ok(())
    }
}

/// A setting that is to have another value.
#[derive(Debug)]
pub struct Set<'a> {
    pub setting: &'static Setting,
    pub value: Value,
    /// None of a WAN that is new.
    pub old: Option<&'a Value>,
    /// Where the file says so; None where it says nothing, which is the default.
    pub at: Option<usize>,
}

impl Set<'_> {
    pub fn difference(&self) -> Difference {
        Difference {
            key: self.setting.name,
            old: self.old.map(|old| self.setting.text(old)),
            new: Some(self.setting.text(&self.value)),
        }
    }
}

/// What settings are to be other than they are; what the file does not give is to have its default.
pub fn settings<'a>(
    settings: &'static [Setting],
    are: &'a [Option<Value>],
    given: &[Option<Spanned<Value>>],
) -> Result<Vec<Set<'a>>, Fault> {
    let mut sets = Vec::new();
    for ((setting, old), given) in settings.iter().zip(are).zip(given) {
        let at = given.as_ref().map(|given| given.span().start);
        let value = given.as_ref().map(|given| given.get_ref().clone());
        match (value.or(setting.default()), old, at) {
            (_, None, Some(at)) => {
                let name = setting.name;
                let why = format!("the module knows no {name}: is it older than this tool?");
                return Err(Fault::new(at, why));
            }
            (Some(value), Some(old), at) if value != *old => sets.push(Set {
                setting,
                value,
                old: Some(old),
                at,
            }),
            _ => {}
        }
    }
    Ok(sets)
}

/// What a new WAN is to have other than by default.
pub fn new_settings(
    settings: &'static [Setting],
    given: &[Option<Spanned<Value>>],
) -> Vec<Set<'static>> {
    let all = settings.iter().zip(given);
    let given = all.filter_map(|(setting, given)| {
        let given = given.as_ref()?;
        let value = given.get_ref().clone();
        (setting.default().as_ref() != Some(&value)).then(|| Set {
            setting,
            value,
            old: None,
            at: Some(given.span().start),
        })
    });
    given.collect()
}

/// Which groups go, and which are to have these members, as indices of the file's.
pub fn groups(are: &[Group], file: &File) -> (Vec<Change>, Vec<(usize, Change)>) {
    let gone = are.iter().filter(|group| {
        let mut wanted = file.groups.iter();
        !wanted.any(|wanted| *wanted.name.get_ref() == group.name)
    });
    let gone = gone.map(|group| Change {
        op: Op::Del,
        object: "group",
        name: Some(group.name.clone()),
        values: vec![],
    });
    let mut set = Vec::new();
    for (at, group) in file.groups.iter().enumerate() {
        let old = are.iter().find(|old| old.name == *group.name.get_ref());
        let sorted = |mut wans: Vec<String>| {
            wans.sort();
            wans.join(" ")
        };
        let new = group.wans.iter().map(|wan| wan.get_ref().clone());
        let new = Some(sorted(new.collect()));
        let old = old.map(|old| sorted(old.wans.clone()));
        if old != new {
            let change = Change {
                op: if old.is_some() { Op::Set } else { Op::Add },
                object: "group",
                name: Some(group.name.get_ref().clone()),
                values: vec![Difference {
                    key: "wans",
                    old,
                    new,
                }],
            };
            set.push((at, change));
        }
    }
    (gone.collect(), set)
}

/// How the policies change that `are` into those that `wanted` has, in the order in which they are tried.
pub fn policies(are: &[Policy], wanted: &[&Policy]) -> Vec<Change> {
    let mut old: HashMap<_, _> = are.iter().map(|old| (old.selectors.key(), old)).collect();
    let mut changes = Vec::new();
    for policy in wanted {
        let Some(old) = old.remove(&policy.selectors.key()) else {
            changes.push(of_policy(Op::Add, policy.to_string(), vec![]));
            continue;
        };
        let difference = |key, old: String, new: String| {
            let (differs, old, new) = (old != new, Some(old), Some(new));
            differs.then_some(Difference { key, old, new })
        };
        let values: Vec<_> = [
            difference("to", old.to.clone(), policy.to.clone()),
            difference("strict", old.strict.to_string(), policy.strict.to_string()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !values.is_empty() {
            changes.push(of_policy(Op::Set, policy.selectors.options(), values));
        }
    }
    let gone = are
        .iter()
        .filter(|policy| old.contains_key(&policy.selectors.key()));
    changes.extend(gone.map(removed));
    // Where two with the same rank match, the first one is taken.
    let same = |(old, new): (&Policy, &&Policy)| old.selectors.key() == new.selectors.key();
    if changes.is_empty() && !are.iter().zip(wanted).all(same) {
        let order = Difference {
            key: "order",
            old: None,
            new: Some("as in the file".into()),
        };
        changes.push(of_policy(Op::Set, String::new(), vec![order]));
    }
    changes
}

pub fn removed(policy: &Policy) -> Change {
    let mut shown = policy.clone();
    shown.selectors.pref = shown.selectors.pref.filter(|pref| *pref != POLICY_PREF);
    of_policy(Op::Del, shown.to_string(), vec![])
}

fn of_policy(op: Op, name: String, values: Vec<Difference>) -> Change {
    Change {
        op,
        object: "policy",
        name: Some(name).filter(|name| !name.is_empty()),
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_file;

    fn lines(changes: &[Change]) -> Vec<String> {
        changes.iter().map(Change::to_string).collect()
    }

    fn compare(old: &str, new: &str) -> Vec<String> {
        let of = |text: &str| {
            let lines = policy_file::tests::policies(text);
            lines.into_iter().collect::<Vec<_>>()
        };
        let (old, new) = (of(old), of(new));
        lines(&policies(&old, &new.iter().collect::<Vec<_>>()))
    }

    #[test]
    fn policies_are_known_by_what_they_match() {
        let old = "--pref 1000 --src 10.0.0.0/8 --to dsl\n--dscp ef --to quick\n--to main";
        for (new, expected) in [
            (old, &[][..]),
            (
                "--src 10.0.0.0/8 --to dsl --strict\n--dscp ef --to dsl\n--to main",
                &[
                    "~ policy --src 10.0.0.0/8: strict false -> true",
                    "~ policy --dscp 46: to quick -> dsl",
                ],
            ),
            (
                "--pref 7 --src 10.0.0.0/8 --to dsl\n--to main",
                &[
                    "+ policy --pref 7 --src 10.0.0.0/8 --to dsl",
                    "- policy --src 10.0.0.0/8 --to dsl",
                    "- policy --dscp 46 --to quick",
                ],
            ),
        ] {
            assert_eq!(compare(old, new), expected, "{new}");
        }
        assert_eq!(compare("--to a", "--to b"), ["~ policy: to a -> b"]);
    }

    #[test]
    fn the_order_of_equals_counts() {
        let (one, two) = ("--iif a --to x", "--iif b --to y");
        let (old, new) = (format!("{one}\n{two}"), format!("{two}\n{one}"));
        assert_eq!(compare(&old, &new), ["~ policy: order as in the file"]);
    }

    #[test]
    fn nothing_reaches_the_terminal() {
        let change = of_policy(Op::Add, "\x1b[2J".into(), vec![]);
        assert_eq!(change.to_string(), "+ policy ?[2J");
    }

    #[test]
    fn json_has_all() {
        let change = Change {
            op: Op::Set,
            object: "config",
            name: None,
            values: vec![Difference {
                key: "failback",
                old: Some("new".into()),
                new: Some("all".into()),
            }],
        };
        assert_eq!(
            serde_json::to_string(&change).unwrap(),
            concat!(
                r#"{"op":"set","object":"config","name":null,"#,
                r#""values":[{"key":"failback","old":"new","new":"all"}]}"#
            )
        );
        assert_eq!(change.to_string(), "~ config: failback new -> all");
    }
}
