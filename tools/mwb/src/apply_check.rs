// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a file as a whole: all that the kernel would refuse, as far as the file alone tells.

use crate::apply_file::{Fault, File};
use crate::marks::Marks;
use crate::setting::{self, Value};
use crate::uapi::*;
use std::collections::{HashMap, HashSet};
use toml::Spanned;

pub fn faults(file: &File) -> Vec<Fault> {
    let mut faults = Vec::new();
    thresholds(file, &mut faults);
    wans(file, &mut faults);
    groups(file, &mut faults);
    policies(file, &mut faults);
    faults
}

/// The marks that the file asks for.
pub fn marks(file: &File) -> Option<Marks> {
    match configured(file, A_CONFIG_MARK_MASK).map(Spanned::get_ref) {
        Some(Value::Number(mask)) => Marks::new(*mask as u32),
        _ => Marks::new(MARK_MASK),
    }
}

/// What the file has for this attribute of the configuration.
fn configured(file: &File, attr: u16) -> Option<&Spanned<Value>> {
    let mut settings = setting::CONFIG.iter().zip(&file.config);
    let given = settings.find(|(setting, _)| setting.attr == attr);
    given.and_then(|(_, value)| value.as_ref())
}

fn thresholds(file: &File, faults: &mut Vec<Fault>) {
    let number = |attr, default: u32| match configured(file, attr).map(Spanned::get_ref) {
        Some(Value::Number(number)) => *number,
        _ => default.into(),
    };
    let threshold = number(A_CONFIG_THRESHOLD_PERCENT, THRESHOLD_PERCENT);
    let exit = number(A_CONFIG_EXIT_PERCENT, EXIT_PERCENT);
    if exit > threshold {
        let given = configured(file, A_CONFIG_EXIT_PERCENT);
        let given = given.or(configured(file, A_CONFIG_THRESHOLD_PERCENT));
        let at = given.map_or(0, |value| value.span().start);
        let why = format!("the exit, {exit}%, is above the threshold, {threshold}%");
        faults.push(Fault::new(at, why));
    }
}

fn wans(file: &File, faults: &mut Vec<Fault>) {
    let mut devices = HashMap::new();
    let mut ids = HashMap::new();
    let max_id = marks(file).map_or(WAN_MAX, Marks::max_id);
    for wan in &file.wans {
        let name = wan.name.get_ref();
        let at = wan.name.span().start;
        faults.extend(odd_name(name).map(|why| Fault::new(at, why)));
        let dev = wan.values.iter().flatten();
        let dev = dev.filter_map(|value| match value.get_ref() {
            Value::Text(dev) => Some((dev, value.span().start)),
            Value::Number(_) => None,
        });
        match dev.last() {
            None => faults.push(Fault::new(at, format!("wan {name} has no dev"))),
            Some((dev, at)) => {
                if let Some(other) = devices.insert(dev, name) {
                    faults.push(Fault::new(at, format!("wan {other} has this device")));
                }
            }
        }
        if let Some(id) = &wan.id {
            let (id, at) = (*id.get_ref(), id.span().start);
            if !(1..=max_id).contains(&id) {
                let why = format!("the mark mask has room for the ids 1 to {max_id}");
                faults.push(Fault::new(at, why));
            }
            if let Some(other) = ids.insert(id, name) {
                faults.push(Fault::new(at, format!("wan {other} has this id")));
            }
        }
    }
    if let Some(wan) = file.wans.get(max_id as usize) {
        let why = format!("the mark mask has room for {max_id} WANs only");
        faults.push(Fault::new(wan.name.span().start, why));
    }
}

fn groups(file: &File, faults: &mut Vec<Fault>) {
    let is_wan = |name: &str| file.wans.iter().any(|wan| wan.name.get_ref() == name);
    for group in &file.groups {
        let (name, at) = (group.name.get_ref(), group.name.span().start);
        faults.extend(odd_name(name).map(|why| Fault::new(at, why)));
        if is_wan(name) {
            faults.push(Fault::new(at, "a WAN has this name"));
        }
        if group.wans.is_empty() {
            faults.push(Fault::new(at, "a group has one WAN at least"));
        }
        for (number, wan) in group.wans.iter().enumerate() {
            let mut before = group.wans.iter().take(number);
            let why = if !is_wan(wan.get_ref()) {
                format!("no WAN is called {:?}", wan.get_ref())
            } else if before.any(|before| before.get_ref() == wan.get_ref()) {
                "the group has this WAN already".into()
            } else {
                continue;
            };
            faults.push(Fault::new(wan.span().start, why));
        }
    }
    if let Some(group) = file.groups.get(GROUP_MAX as usize) {
        let why = format!("there may be {GROUP_MAX} groups");
        faults.push(Fault::new(group.name.span().start, why));
    }
}

fn policies(file: &File, faults: &mut Vec<Fault>) {
    let mut seen = HashMap::new();
    let wans = file.wans.iter().map(|wan| &wan.name);
    let names = wans.chain(file.groups.iter().map(|group| &group.name));
    let names: HashSet<_> = names.map(Spanned::get_ref).collect();
    for entry in &file.policies {
        let policy = &entry.policy;
        if policy.to != "main" && !names.contains(&policy.to) {
            let why = format!("no WAN or group is called {:?}", policy.to);
            faults.push(Fault::new(entry.to_at, why));
        }
        if policy.to == "main" && policy.strict {
            let why = "main is never down, strict says nothing of it";
            faults.push(Fault::new(entry.at, why));
        }
        if let Some(first) = seen.insert(policy.selectors.key(), entry.at) {
            let line = file.line(first);
            let why = format!("the policy of line {line} is for the same");
            faults.push(Fault::new(entry.at, why));
        }
    }
    if let Some(entry) = file.policies.get(POLICY_MAX as usize) {
        let why = format!("there may be {POLICY_MAX} policies");
        faults.push(Fault::new(entry.at, why));
    }
}

/// Why no WAN or group can have this name.
fn odd_name(name: &str) -> Option<String> {
    let is_odd = |c: char| c <= ' ' || matches!(c, '\x7f' | '/' | ',');
    if name.is_empty() || name.contains(is_odd) {
        let why = "a name has no white space, control character, slash or comma, and is not empty";
        return Some(why.into());
    }
    if name.len() > WAN_NAME_LEN as usize {
        return Some(format!("a name has {WAN_NAME_LEN} bytes at most"));
    }
    (name == "main").then(|| "main is the name of the main table".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_cannot_be() {
        let two = "[wan.a]\ndev = \"eth1\"\n[wan.b]\ndev = \"eth2\"\n";
        for (text, place, words) in [
            ("[wan.a]\nup = \"1mbit\"", "1:6", "wan a has no dev"),
            (
                "[config]\nthreshold = \"70%\"",
                "2:13",
                "80%, is above the threshold, 70%",
            ),
            ("[config]\nexit = 86", "2:8", "86%, is above"),
            ("[wan.\"a b\"]\ndev = \"x\"", "1:6", "white space"),
            ("[wan.main]\ndev = \"x\"", "1:6", "main table"),
            ("[wan.sixteen-letters0]\ndev = \"x\"", "1:6", "15 bytes"),
            (
                "[wan.a]\ndev = \"x\"\n[wan.b]\ndev = \"x\"",
                "4:7",
                "wan a has this device",
            ),
            (
                "[wan.a]\nid = 7\ndev = \"x\"\n[wan.b]\nid = 7\ndev = \"y\"",
                "5:6",
                "wan a has this id",
            ),
            ("[wan.a]\nid = 127\ndev = \"x\"", "2:6", "1 to 126"),
            ("[wan.a]\nid = 0\ndev = \"x\"", "2:6", "1 to 126"),
            (
                "[config]\nmark-mask = 0x70\n[wan.a]\nid = 3\ndev = \"x\"",
                "4:6",
                "1 to 2",
            ),
            (
                &format!("{two}[group.a]\nwans = [\"b\"]"),
                "5:8",
                "a WAN has this name",
            ),
            (
                &format!("{two}[group.q]\nwans = []"),
                "5:8",
                "one WAN at least",
            ),
            (
                &format!("{two}[group.q]\nwans = [\"a\", \"c\"]"),
                "6:14",
                "no WAN is called \"c\"",
            ),
            (
                &format!("{two}[group.q]\nwans = [\"a\", \"a\"]"),
                "6:14",
                "this WAN already",
            ),
            (
                &format!("{two}[[policy]]\nto = \"c\""),
                "6:6",
                "is called \"c\"",
            ),
            (
                &format!("{two}[[policy]]\nto = \"main\"\nstrict = true"),
                "5:1",
                "never down",
            ),
            (
                &format!("{two}[[policy]]\nto = \"a\"\n[[policy]]\npref = 1000\nto = \"b\""),
                "7:1",
                "the policy of line 5 is for the same",
            ),
        ] {
            let why = File::parse("f".into(), text.into()).unwrap_err();
            let (first, _) = why.split_once(' ').unwrap();
            assert_eq!(first, format!("f:{place}:"), "{text}: {why}");
            assert!(why.contains(words) && !why.contains('\n'), "{text}: {why}");
        }
    }

    #[test]
    fn says_what_is_too_much() {
        let mut text = String::from("[config]\nmark-mask = 0x70\n");
        for n in 1..=3 {
            text += &format!("[wan.w{n}]\ndev = \"eth{n}\"\n");
        }
        let why = File::parse("f".into(), text).unwrap_err();
        assert_eq!(why, "f:7:6: the mark mask has room for 2 WANs only");
        let mut text = String::from("[wan.a]\ndev = \"eth1\"\n");
        for n in 1..=65 {
            text += &format!("[group.g{n}]\nwans = [\"a\"]\n");
        }
        let why = File::parse("f".into(), text).unwrap_err();
        assert_eq!(why, "f:131:8: there may be 64 groups");
    }
}
