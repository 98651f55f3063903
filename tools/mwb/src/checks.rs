// SPDX-License-Identifier: GPL-2.0

//! What makes a router with several lines fail in practice: a check each, from facts to findings.

use crate::command::quoted;
use crate::facts::{Facts, Instance};
use crate::finding::{Finding, Level::*};
use crate::nft::{self, is_named, Cover, Mark};
use crate::rate;
use crate::rtnetlink::Route;
use crate::uapi::*;
use crate::wan::Wan;
use std::collections::HashSet;

pub const ALL: [fn(&Facts) -> Vec<Finding>; 13] = [
    module,
    no_wan,
    forwarding,
    state,
    nat,
    rp_filter,
    default_route,
    marks,
    numbers,
    counters,
    capacity,
    cache,
    early_demux,
];

pub fn module(facts: &Facts) -> Vec<Finding> {
    let finding = Finding::new(Error, "module", "the kernel has no mwb").mend("modprobe mwb");
    facts
        .instance
        .is_none()
        .then_some(finding)
        .into_iter()
        .collect()
}

pub fn no_wan(facts: &Facts) -> Vec<Finding> {
    if facts.instance.is_none() || !facts.wans().is_empty() {
        return vec![];
    }
    let text = "there is no WAN, so nothing is balanced";
    let finding = Finding::new(Error, "no-wan", text);
    let routes = facts.routes.iter().filter(|route| route.is_main_default());
    let devices: HashSet<_> = routes.flat_map(|route| &route.oifs).copied().collect();
    let mut devices: Vec<_> = devices.into_iter().collect();
    devices.sort();
    let add = |index: &u32| {
        let dev = quoted(&facts.device(*index));
        let command = facts.own("mwb", &format!("wan add {dev} --dev {dev}"));
        finding.clone().mend(command)
    };
    match devices.is_empty() {
        true => {
            let text =
                format!("{text}, and no default route tells which device to give to mwb wan add");
            vec![Finding { text, ..finding }]
        }
        false => devices.iter().map(add).collect(),
    }
}

/// The kernel goes by the device that a packet comes in through.
pub fn forwarding(facts: &Facts) -> Vec<Finding> {
    if facts.sysctl("ip_forward") == 0 {
        let text = "nothing is forwarded from one device to another";
        let finding = Finding::new(Error, "forwarding", text);
        return vec![finding.mend(facts.set("ip_forward", 1))];
    }
    let forwards = |dev: &str| facts.sysctls.get(&format!("conf/{dev}/forwarding")) != Some(&0);
    let finding = |level, dev: &str| {
        let text = format!("nothing that comes in through {dev} is forwarded");
        let mend = facts.set(&format!("conf/{dev}/forwarding"), 1);
        Finding::new(level, "forwarding", text).mend(mend)
    };
    let wans = facts.wans().iter().filter(|wan| !forwards(&wan.dev));
    let wans = wans.map(|wan| finding(Error, &wan.dev).of(&wan.name));
    // One of several may be meant to lead nowhere, as for those who manage the router.
    let level = match facts.inside().any(|link| forwards(&link.name)) {
        true => Advice,
        false => Error,
    };
    let inside = facts.inside().filter(|link| !forwards(&link.name));
    let inside = inside.map(|link| finding(level, &link.name));
    wans.chain(inside).collect()
}

/// WANs that are not up for a reason that nobody has asked for.
pub fn state(facts: &Facts) -> Vec<Finding> {
    let reasons = WAN_REASON_NAMES.iter().zip(WAN_REASON_DOCS).zip(0u32..);
    let reasons: Vec<_> = reasons.collect();
    let of_wan = |wan: &Wan| {
        let ((_, doc), reason) = reasons
            .iter()
            .find(|((name, _), _)| Some(**name) == wan.reason)?;
        let name = quoted(&wan.name);
        let command = |program: &str, rest: String| Some(facts.own(program, &rest));
        let (level, command) = match *reason {
            WAN_REASON_DEVICE_DOWN => {
                let rest = format!("link set {} up", quoted(&wan.dev));
                (Error, command("ip", rest))
            }
            WAN_REASON_OFF_LINK if has_gateway(facts, &wan.dev) => (
                Error,
                command("mwb", format!("wan set {name} --gateway auto")),
            ),
            WAN_REASON_OTHER_WAN => (Error, command("mwb", format!("wan del {name}"))),
            WAN_REASON_OFF_LINK | WAN_REASON_GATEWAY | WAN_REASON_ROUTE => (Error, None),
            WAN_REASON_NO_DEVICE | WAN_REASON_CARRIER | WAN_REASON_ADDRESS | WAN_REASON_HEALTH => {
                (Advice, None)
            }
            // On request, ready, or another check's.
            _ => return None,
        };
        let doc = doc.split_whitespace().collect::<Vec<_>>().join(" ");
        let state = wan.state.unwrap_or("unknown");
        let mut text = format!("{state} ({}): {}", wan.dev, doc.trim_end_matches('.'));
        if level == Error && command.is_none() {
            text += "; the gateway that its provider names is given with mwb wan set --gateway";
        }
        let finding = Finding::new(level, "state", text).of(&wan.name);
        Some(Finding { command, ..finding })
    };
    facts.wans().iter().filter_map(of_wan).collect()
}

/// Whether a default route tells a gateway that is on a network of the device.
fn has_gateway(facts: &Facts, dev: &str) -> bool {
    let mut routes = facts.routes.iter().filter(|route| route.is_main_default());
    routes.any(|route| {
        let is_of_dev = matches!(route.oifs[..], [oif] if facts.links.name(oif) == Some(dev));
        let is_on_link = |gateway| facts.links.with(gateway).any(|link| link.name == dev);
        !route.is_ours && is_of_dev && route.gateway.is_some_and(is_on_link)
    })
}

/// What leaves with a private address gets no answer, unless somebody on the way translates it.
pub fn nat(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = &facts.instance else {
        return vec![];
    };
    let mut inside = facts.inside().flat_map(|link| &link.addrs);
    let has_private = inside.any(|addr| addr.local.is_private());
    // Who translates for some lines may well mean the others to do without.
    let has_nat = facts.nft.as_ref().is_some_and(|nft| nft.has_nat());
    let unsaid = if has_nat { Advice } else { Error };
    let of_wan = |wan: &Wan| {
        facts.links.by_name(&wan.dev)?;
        let bare = instance.bare.get(&wan.id).cloned().unwrap_or_default();
        let cover = match &facts.nft {
            Some(nft) if facts.has_legacy("nat") => nft.cover(&wan.dev).max(Cover::Maybe),
            Some(nft) => nft.cover(&wan.dev),
            None => Cover::Maybe,
        };
        let (level, text) = match (cover, bare.unanswered) {
            (Cover::All, _) => return None,
            _ if bare.is_answered => return None,
            (_, Some(ends)) => (
                Error,
                format!("a connection from {ends} left untranslated, and got no answer"),
            ),
            (Cover::No, None) if has_private => (
                unsaid,
                format!("nothing translates what leaves through {}", wan.dev),
            ),
            _ => return None,
        };
        let nft = facts.nft.as_ref().map(|nft| nft.masquerade(&wan.dev));
        let command = nft.unwrap_or_else(|| {
            let dev = quoted(&wan.dev);
            format!("iptables -t nat -A POSTROUTING -o {dev} -j MASQUERADE")
        });
        let finding = Finding::new(level, "nat", text).of(&wan.name);
        Some(finding.mend(facts.within(&command)))
    };
    instance.wans.iter().filter_map(of_wan).collect()
}

/// The kernel takes the larger of the device's value and that of all.
pub fn rp_filter(facts: &Facts) -> Vec<Finding> {
    let of_wan = |wan: &Wan| {
        let both =
            |key: &str| ["all", &wan.dev].map(|of| facts.sysctl(&format!("conf/{of}/{key}")));
        let is_strict = both("rp_filter").into_iter().max() == Some(1);
        let marks = both("src_valid_mark").into_iter().any(|value| value != 0);
        (is_strict && !marks).then(|| {
            let text = "rp_filter drops what comes in unless it is the first WAN";
            let finding = Finding::new(Error, "rp-filter", text).of(&wan.name);
            finding.mend(facts.set(&format!("conf/{}/rp_filter", wan.dev), 2))
        })
    };
    match facts.wans() {
        // The only one is the first one.
        [] | [_] => vec![],
        wans => wans.iter().filter_map(of_wan).collect(),
    }
}

/// What main sends elsewhere is not balanced.
pub fn default_route(facts: &Facts) -> Vec<Finding> {
    let defaults = || facts.routes.iter().filter(|route| route.is_main_default());
    let ours = defaults()
        .filter(|route| route.is_ours)
        .map(|route| route.metric);
    let Some(first) = ours.min() else {
        return vec![];
    };
    let theirs = defaults().filter(|route| !route.is_ours && route.metric <= first);
    let of_route = |route: &Route| {
        let devices: Vec<_> = route
            .oifs
            .iter()
            .map(|index| facts.device(*index))
            .collect();
        let devices = devices.join(" and ");
        let is_learned_from = |wan: &Wan| wan.gateway_learned && wan.dev == devices;
        let is_of_wan = route
            .oifs
            .iter()
            .any(|index| facts.is_wan(&facts.device(*index)));
        let (level, text) = match is_of_wan {
            false => (
                Error,
                format!("new connections leave through {devices}, which is no WAN"),
            ),
            true if facts.wans().iter().any(is_learned_from) => return None,
            true => (
                Advice,
                format!(
                    "a default route through {devices}, from which nothing is learned, comes first"
                ),
            ),
        };
        let finding = Finding::new(level, "default-route", text);
        Some(finding.mend(facts.del(route)))
    };
    theirs.filter_map(of_route).collect()
}

/// Bits of the mark that somebody else writes, or looks at for something else.
pub fn marks(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = &facts.instance else {
        return vec![];
    };
    let ours = instance.marks.mask();
    let is_meant = |mark: u32| is_of_wan(instance, mark);
    let mut findings = Vec::new();
    for rule in &facts.rules {
        // A mark without a mask is for what has no mark of ours, unless it is one itself.
        let is_plain = rule.mask == u32::MAX && rule.mark & ours == 0;
        let all = rule.mask & instance.marks.id_mask() == instance.marks.id_mask();
        if rule.mask & ours == 0 || is_plain || all && is_meant(rule.mark) {
            continue;
        }
        let (pref, mark, mask) = (rule.pref, rule.mark, rule.mask);
        let text = format!("rule {pref} looks at bits of the marks {ours:#010x}");
        let rest = format!(
            "rule del pref {pref} fwmark {mark:#x}/{mask:#x} table {}",
            rule.table
        );
        let finding = Finding::new(Error, "marks", text);
        findings.push(finding.mend(facts.own("ip", &rest)));
    }
    let writers = facts
        .nft
        .iter()
        .flat_map(|nft| nft.mark_writers(ours, is_meant));
    findings.extend(writers.map(|(rule, mark, bits)| {
        let whose = match mark {
            Mark::Packet => "packets",
            Mark::Connection => "connections",
        };
        let place = rule.place();
        let text = format!("the rule {place} writes bits {bits:#010x} of the marks of {whose}");
        Finding::new(Error, "marks", text).mend(facts.within(&rule.delete()))
    }));
    findings.extend(unknown_marks(facts));
    findings.extend(late_deciders(facts));
    findings
}

/// Routes that are decided on too late.
fn late_deciders(facts: &Facts) -> Vec<Finding> {
    let rules = facts.nft.iter().flat_map(|nft| nft.late_deciders());
    let text = |rule: &nft::Rule| {
        let place = rule.place();
        format!(
            "the rule {place} sends packets elsewhere, but after mwb: once their connection keeps a route, they do \
             not ask for another; its chain should have the priority mangle"
        )
    };
    rules
        .map(|rule| Finding::new(Error, "marks", text(rule)))
        .collect()
}

/// That there are rules which write marks, nobody knows which.
fn unknown_marks(facts: &Facts) -> Vec<Finding> {
    let nft = facts.nft.iter();
    let places: Vec<_> = nft
        .flat_map(|nft| nft.unknown_mark_writers())
        .map(|rule| rule.place())
        .collect();
    let by_nft = match &places[..] {
        [] => None,
        [one] => Some(format!(
            "the rule {one} writes marks in a way that was not checked"
        )),
        [first, more @ ..] => Some(format!(
            "the rule {first} and {} more write marks in ways that were not checked",
            more.len()
        )),
    };
    let text = "the rules of iptables-legacy in the table mangle were not checked";
    let by_legacy = facts.has_legacy("mangle").then(|| text.to_string());
    let texts = by_nft.into_iter().chain(by_legacy);
    texts
        .map(|text| Finding::new(Note, "marks", text))
        .collect()
}

/// Whether a mark is that of a WAN; somebody means it then.
fn is_of_wan(instance: &Instance, mark: u32) -> bool {
    let id = instance.marks.id(mark);
    instance.wans.iter().any(|wan| wan.id == id)
}

/// Preferences of rules, and tables, that somebody else uses.
pub fn numbers(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = &facts.instance else {
        return vec![];
    };
    let mut findings = Vec::new();
    for rule in &facts.rules {
        let (pref, table) = (rule.pref, rule.table);
        let text = match (instance.has_pref(pref), instance.has_table(table)) {
            (true, _) => format!("rule {pref} to table {table} is among those of the WANs"),
            (_, true) => format!("rule {pref} looks at table {table}, which is that of a WAN"),
            _ => continue,
        };
        let by = match rule.protocol {
            0 => String::new(),
            by => format!(" protocol {by}"),
        };
        let command = facts.own("ip", &format!("rule del pref {pref} table {table}{by}"));
        findings.push(Finding::new(Error, "numbers", text).mend(command));
    }
    for route in facts.routes.iter().filter(|route| !route.is_ours) {
        if instance.has_table(route.table) {
            let text = format!(
                "the route {} is in table {} of a WAN",
                route.dst, route.table
            );
            findings.push(Finding::new(Error, "numbers", text).mend(facts.del(route)));
        }
    }
    findings
}

/// Rates that are not those of the line, by which the choice goes.
pub fn counters(facts: &Facts) -> Vec<Finding> {
    let partial = facts.wans().iter().filter(|wan| wan.rates_partial);
    let partial: Vec<_> = partial.map(|wan| (wan, facts.below(&wan.dev))).collect();
    let hooks = || facts.nft.iter().flat_map(|nft| nft.flowtables());
    let is_hooked = |below: &[&str], name: &str| below.iter().any(|dev| is_named(dev, name));
    let mut findings = Vec::new();
    for (flowtable, name) in hooks() {
        let bypassed = partial.iter().filter(|(_, below)| is_hooked(below, name));
        let bypassed: Vec<_> = bypassed.map(|(wan, _)| wan.name.as_str()).collect();
        if bypassed.is_empty() {
            continue;
        }
        let text = format!(
            "the flowtable {} forwards part of {} on {name}, past the counters",
            flowtable.place(),
            bypassed.join(" and ")
        );
        let finding = Finding::new(Error, "counters", text);
        findings.push(finding.mend(facts.within(&flowtable.delete(name))));
    }
    let unknown = partial
        .iter()
        .filter(|(_, below)| !hooks().any(|(_, name)| is_hooked(below, name)));
    findings.extend(unknown.map(|(wan, _)| {
        let text = "a flowtable forwards part of it on a device below, past the counters; take that device out of it";
        Finding::new(Error, "counters", text).of(&wan.name)
    }));
    let mixed = facts.wans().iter().filter(|wan| wan.rates_mixed);
    findings.extend(mixed.map(|wan| {
        let text = format!(
            "{} counts what the devices above it carry, too; a device of its own would not",
            wan.dev
        );
        Finding::new(Advice, "counters", text).of(&wan.name)
    }));
    findings
}

/// A line cannot carry more than it can.
pub fn capacity(facts: &Facts) -> Vec<Finding> {
    let Some(instance) = &facts.instance else {
        return vec![];
    };
    let mut findings = Vec::new();
    for wan in &instance.wans {
        for (option, attr, seen_bps) in [
            ("up", A_WAN_UP_CAPACITY_BPS, wan.up_capacity_bps),
            ("down", A_WAN_DOWN_CAPACITY_BPS, wan.down_capacity_bps),
        ] {
            // The module believes what it sees. A burst may well be a little more.
            let is_more = |given_bps: &u64| seen_bps.is_some_and(|seen| seen / 11 > given_bps / 10);
            let given = instance.given_bps(&wan.name, attr);
            let (Some(seen_bps), Some(given_bps)) = (seen_bps, given.filter(is_more)) else {
                continue;
            };
            let (seen, given) = (rate::display(seen_bps), rate::display(given_bps));
            let text = format!("it has carried {seen} {option}, but is said to carry {given}");
            let right = rate::exact(seen_bps.next_multiple_of(100_000));
            let rest = format!("wan set {} --{option} {right}", quoted(&wan.name));
            let finding = Finding::new(Error, "capacity", text).of(&wan.name);
            findings.push(finding.mend(facts.own("mwb", &rest)));
        }
    }
    findings
}

/// Why every packet is looked up.
pub fn cache(facts: &Facts) -> Vec<Finding> {
    let state = facts.instance.as_ref().and_then(|instance| instance.cache);
    let names = CACHE_NAMES.iter().zip(0u32..);
    let state = names
        .filter(|(name, _)| Some(**name) == state)
        .map(|(_, at)| at)
        .last();
    let say = |text: &str| {
        Finding::new(
            Advice,
            "cache",
            format!("every packet is looked up: {text}"),
        )
    };
    match state {
        Some(CACHE_OFF) => {
            // The namespaces of others lose their WANs, too.
            let again = format!(
                "{} >/run/mwb.toml && rmmod mwb && modprobe mwb labels=1 && {} /run/mwb.toml",
                facts.own("mwb", "save"),
                facts.own("mwb", "apply")
            );
            vec![say("the module was loaded with labels=0").mend(again)]
        }
        Some(CACHE_NO_LABELS) => vec![say("the kernel has no conntrack labels")],
        Some(CACHE_LABELS_IN_USE) => {
            let users = facts.nft.iter().flat_map(|nft| nft.label_users());
            let of_rule = |rule: &crate::nft::Rule| {
                let text = format!("the rule {} uses the labels", rule.place());
                say(&text).mend(facts.within(&rule.delete()))
            };
            let found: Vec<_> = users.map(of_rule).collect();
            match found.is_empty() {
                true => vec![say("somebody else uses conntrack labels in this namespace")],
                false => found,
            }
        }
        _ => vec![],
    }
}

/// A packet that takes the route of its connection is not sought, so this costs only those that are looked up.
pub fn early_demux(facts: &Facts) -> Vec<Finding> {
    let state = facts.instance.as_ref().and_then(|instance| instance.cache);
    let kept = [CACHE_ACTIVE, CACHE_IDLE].map(|state| CACHE_NAMES[state as usize]);
    if facts.sysctl("ip_early_demux") == 0 || state.is_none_or(|state| kept.contains(&state)) {
        return vec![];
    }
    // `make bench` compares the two.
    let text = "every packet that is looked up is first sought among the router's own sockets; the difference \
        is too small to be measured: 0.99 of the time that a packet takes without that, give or take 0.05";
    let finding = Finding::new(Advice, "early-demux", text);
    vec![finding.mend(facts.set("ip_early_demux", 0))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Bare;
    use crate::finding::Level;
    use crate::marks::Marks;
    use crate::nft::{tests::ruleset, tests::with_flowtables, Nft};
    use crate::rtnetlink::{tests::links, Rule};
    use crate::setting::{self, Value};
    use crate::state::{tests, State};
    use serde_json::json;

    const ADDR: &str = "192.0.2.1";

    /// A router with nothing to find: a and b at eth1 and eth2, masquerade.
    fn healthy() -> Facts {
        let wan = |id: u32, name: &str, dev: &str| Wan {
            id,
            name: name.into(),
            dev: dev.into(),
            state: Some("up"),
            reason: Some("ready"),
            ..Wan::default()
        };
        let instance = Instance {
            wans: vec![wan(1, "a", "eth1"), wan(2, "b", "eth2")],
            state: State {
                config: tests::defaults(),
                wans: vec![tests::wan("a", 1, "eth1"), tests::wan("b", 2, "eth2")],
                ..State::default()
            },
            marks: Marks::new(MARK_MASK).unwrap(),
            cache: Some("active"),
            bare: Default::default(),
        };
        let mut all = links("eth1", "192.0.2.2/24");
        for (index, name, addr) in [(8, "eth2", "203.0.113.2/24"), (9, "lan0", "10.0.0.1/24")] {
            let link = links(name, addr).all.remove(0);
            all.all.push(crate::rtnetlink::Link { index, ..link });
        }
        let sysctls = [
            ("ip_forward", 1),
            ("ip_early_demux", 0),
            ("conf/eth1/forwarding", 1),
            ("conf/all/rp_filter", 2),
            ("conf/eth1/rp_filter", 1),
        ];
        Facts {
            instance: Some(instance),
            links: all,
            rules: vec![rule(0, 0, 0, 255), rule(32766, 0, 0, 254)],
            routes: vec![route("default", 1, 7, true), route("default", 2, 8, true)],
            sysctls: sysctls
                .map(|(path, value)| (path.to_string(), value))
                .into(),
            nft: Some(ruleset(&[json!([{"masquerade": null}])])),
            ..Facts::default()
        }
    }

    fn rule(pref: u32, mark: u32, mask: u32, table: u32) -> Rule {
        Rule {
            pref,
            mark,
            mask,
            table,
            protocol: 3,
        }
    }

    fn route(dst: &str, metric: u32, oif: u32, is_ours: bool) -> Route {
        Route {
            table: 254,
            metric,
            gateway: ADDR.parse().ok(),
            oifs: vec![oif],
            dst: dst.into(),
            is_ours,
        }
    }

    fn instance(facts: &mut Facts) -> &mut Instance {
        facts.instance.as_mut().unwrap()
    }

    /// What is found when something is done to a healthy router: its lines.
    fn found(change: impl FnOnce(&mut Facts)) -> Vec<String> {
        let mut facts = healthy();
        change(&mut facts);
        let findings = ALL.iter().flat_map(|check| check(&facts));
        findings.map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wrong() {
        assert_eq!(found(|_| {}), [""; 0]);
    }

    #[test]
    fn without_a_module_or_wans() {
        assert_eq!(
            found(|facts| facts.instance = None),
            ["error: the kernel has no mwb: modprobe mwb"]
        );
        let no_wans = |facts: &mut Facts| {
            let instance = instance(facts);
            instance.wans.clear();
            instance.state.wans.clear();
        };
        let text = "error: there is no WAN, so nothing is balanced: mwb wan add";
        assert_eq!(
            found(no_wans),
            [
                format!("{text} eth1 --dev eth1"),
                format!("{text} eth2 --dev eth2")
            ]
        );
        let nothing = |facts: &mut Facts| {
            no_wans(facts);
            facts.routes.clear();
        };
        let text = "error: there is no WAN, so nothing is balanced, \
            and no default route tells which device to give to mwb wan add";
        assert_eq!(found(nothing), [text]);
    }

    #[test]
    fn sysctls() {
        let set = |path: &str, value: u32| {
            let path = path.to_string();
            found(|facts| _ = facts.sysctls.insert(path, value))
        };
        assert_eq!(
            set("ip_forward", 0),
            ["error: nothing is forwarded from one device to another: sysctl -w net.ipv4.ip_forward=1"]
        );
        assert_eq!(
            set("conf/eth1/forwarding", 0),
            [
                "error: a: nothing that comes in through eth1 is forwarded: \
                sysctl -w net.ipv4.conf.eth1.forwarding=1"
            ]
        );
        let inside = "nothing that comes in through lan0 is forwarded: \
            sysctl -w net.ipv4.conf.lan0.forwarding=1";
        assert_eq!(set("conf/lan0/forwarding", 0), [format!("error: {inside}")]);
        // One of two, or one that nothing comes in through.
        let another = |is_up: bool| {
            found(|facts| {
                facts.sysctls.insert("conf/lan0/forwarding".into(), 0);
                let link = links("lan1", "10.0.1.1/24").all.remove(0);
                facts.links.all.push(crate::rtnetlink::Link {
                    index: 10,
                    is_up,
                    ..link
                });
            })
        };
        assert_eq!(another(true), [format!("advice: {inside}")]);
        assert_eq!(another(false), [format!("error: {inside}")]);
        // Nothing is looked up.
        assert_eq!(set("ip_early_demux", 1), [""; 0]);
        let looked_up = found(|facts| {
            facts.sysctls.insert("ip_early_demux".into(), 1);
            instance(facts).cache = Some("no-labels");
        });
        assert!(
            looked_up[1].ends_with(": sysctl -w net.ipv4.ip_early_demux=0"),
            "{looked_up:?}"
        );
        let strict = set("conf/all/rp_filter", 0);
        assert_eq!(
            strict,
            [
                "error: a: rp_filter drops what comes in unless it is the first WAN: \
                sysctl -w net.ipv4.conf.eth1.rp_filter=2"
            ]
        );
        let marked = found(|facts| {
            facts.sysctls.insert("conf/all/rp_filter".into(), 0);
            facts.sysctls.insert("conf/eth1/src_valid_mark".into(), 1);
        });
        assert_eq!(marked, [""; 0]);
        let alone = found(|facts| {
            facts.sysctls.insert("conf/all/rp_filter".into(), 0);
            instance(facts).wans.pop();
        });
        assert_eq!(alone, [""; 0]);
    }

    #[test]
    fn commands_are_for_the_namespace() {
        let lines = found(|facts| {
            facts.netns = Some("b".into());
            facts.sysctls.insert("ip_forward".into(), 0);
            facts.rules.push(rule(7001, 0, 0, 100));
            let wan = &mut instance(facts).wans[0];
            wan.dev = "eth1.7".into();
            wan.reason = Some("other-wan");
        });
        let commands: Vec<_> = lines
            .iter()
            .map(|line| line.rsplit(": ").next().unwrap())
            .collect();
        assert_eq!(
            commands,
            [
                "ip netns exec b sysctl -w net.ipv4.ip_forward=1",
                "mwb -n b wan del a",
                "ip -n b rule del pref 7001 table 100 protocol 3",
            ]
        );
    }

    #[test]
    fn states() {
        for (reason, level, command) in [
            ("device-down", Level::Error, Some("ip link set eth1 up")),
            ("other-wan", Level::Error, Some("mwb wan del a")),
            ("off-link", Level::Error, None),
            ("gateway", Level::Error, None),
            ("route", Level::Error, None),
            ("no-device", Level::Advice, None),
            ("carrier", Level::Advice, None),
            ("health", Level::Advice, None),
        ] {
            let mut facts = healthy();
            instance(&mut facts).wans[0].reason = Some(reason);
            let findings = state(&facts);
            let [finding] = &findings[..] else {
                panic!("{reason}: {findings:?}")
            };
            assert_eq!(
                (finding.level, finding.command.as_deref()),
                (level, command)
            );
            let says_how = finding.text.ends_with("mwb wan set --gateway");
            assert_eq!(says_how, level == Level::Error && command.is_none());
        }
        let off_link = |gateway: &str, oif: u32| {
            let mut facts = healthy();
            instance(&mut facts).wans[0].reason = Some("off-link");
            let gateway = gateway.parse().ok();
            let theirs = route("default", 700, oif, false);
            facts.routes.push(Route { gateway, ..theirs });
            state(&facts).remove(0).command
        };
        let auto = "mwb wan set a --gateway auto".to_string();
        assert_eq!(off_link("192.0.2.1", 7), Some(auto));
        // Off the link itself, or that of another device.
        assert_eq!(off_link("198.51.100.1", 7), None);
        assert_eq!(off_link("192.0.2.1", 8), None);
        for reason in [Some("request"), Some("ready"), Some("rp-filter"), None] {
            assert_eq!(
                found(|facts| instance(facts).wans[0].reason = reason),
                [""; 0]
            );
        }
    }

    #[test]
    fn translation() {
        let only_eth1 = || {
            let oif = json!({"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "eth1"}});
            Some(ruleset(&[json!([oif, {"masquerade": null}])]))
        };
        let mend = r#"nft 'add rule ip nat post oifname "eth2" masquerade'"#;
        let nothing = format!("advice: b: nothing translates what leaves through eth2: {mend}");
        assert_eq!(found(|facts| facts.nft = only_eth1()), [nothing.clone()]);
        // Nobody in there needs it.
        let public = |facts: &mut Facts| {
            facts.nft = only_eth1();
            facts.links.all.pop();
        };
        assert_eq!(found(public), [""; 0]);
        // Or somebody else does it.
        let legacy = |facts: &mut Facts| {
            facts.nft = only_eth1();
            facts.legacy_tables = vec!["nat".into()];
        };
        assert_eq!(found(legacy), [""; 0]);
        let bare = |is_answered: bool| {
            found(|facts| {
                facts.nft = only_eth1();
                let unanswered = Some("10.0.0.2 to 198.51.100.1".into());
                let bare = Bare {
                    is_answered,
                    unanswered,
                };
                instance(facts).bare = [(1, bare.clone()), (2, bare)].into();
            })
        };
        assert_eq!(bare(true), [""; 0]);
        let left =
            "a connection from 10.0.0.2 to 198.51.100.1 left untranslated, and got no answer";
        assert_eq!(bare(false), [format!("error: b: {left}: {mend}")]);
        // What could not be seen is said elsewhere.
        assert_eq!(found(|facts| facts.nft = None), [""; 0]);
        let empty = found(|facts| facts.nft = Some(Nft::default()));
        let are_errors = empty.iter().all(|line| line.starts_with("error: "));
        assert!(are_errors && empty.len() == 2, "{empty:?}");
    }

    #[test]
    fn default_routes() {
        let with = |theirs: Route| found(|facts| facts.routes.push(theirs));
        assert_eq!(
            with(route("default", 0, 9, false)),
            [
                "error: new connections leave through lan0, which is no WAN: \
                ip route del default via 192.0.2.1 dev lan0"
            ]
        );
        let advice = with(route("default", 1, 8, false));
        assert!(advice[0].starts_with("advice: "), "{advice:?}");
        assert!(
            advice[0].ends_with("via 192.0.2.1 dev eth2 metric 1"),
            "{advice:?}"
        );
        // It comes later, or is what a gateway is learned from.
        assert_eq!(with(route("default", 300, 9, false)), [""; 0]);
        let learned = found(|facts| {
            facts.routes.push(route("default", 0, 8, false));
            instance(facts).wans[1].gateway_learned = true;
        });
        assert_eq!(learned, [""; 0]);
    }

    #[test]
    fn marks_of_others() {
        let with = |theirs: Rule| found(|facts| facts.rules.push(theirs));
        assert_eq!(
            with(rule(100, 0x0500_0000, 0xff00_0000, 100)),
            ["error: rule 100 looks at bits of the marks 0xff000000: \
                ip rule del pref 100 fwmark 0x5000000/0xff000000 table 100"]
        );
        assert_eq!(with(rule(100, 0x0100_0000, 0x0f00_0000, 100)).len(), 1);
        for fine in [
            // Other bits; no mask; a WAN, placed by a policy or not.
            rule(100, 0x5, 0x00ff_ffff, 100),
            rule(100, 51820, u32::MAX, 100),
            rule(100, 0x0200_0000, 0x7f00_0000, 100),
            rule(100, 0x8200_0000, 0xff00_0000, 100),
        ] {
            assert_eq!(with(fine), [""; 0]);
        }
        let write = |value: u32| {
            let mangle = json!({"mangle": {"key": {"ct": {"key": "mark"}}, "value": value}});
            found(|facts| {
                facts.nft = Some(ruleset(&[json!([{"masquerade": null}]), json!([mangle])]))
            })
        };
        assert_eq!(
            write(7),
            ["error: the rule ip nat post handle 3 writes bits 0xff000000 of the marks of connections: \
                nft delete rule ip nat post handle 3"]
        );
        assert_eq!(write(0x0200_0000), [""; 0]);
    }

    #[test]
    fn routes_decided_on_too_late() {
        let with = |prio: i32, expr: serde_json::Value| {
            let chain = json!({"family": "inet", "table": "filter", "name": "divert", "handle": 1,
                "type": "filter", "hook": "prerouting", "prio": prio, "policy": "accept"});
            let rule = json!({"family": "inet", "table": "filter", "chain": "divert", "handle": 2, "expr": [expr]});
            let objects = json!({"nftables": [{"chain": chain}, {"rule": rule}]});
            let mut late = nft::Nft::parse(&objects.to_string()).unwrap();
            late.masquerade_all();
            found(|facts| facts.nft = Some(late))
        };
        let proxy = || json!({"tproxy": {"family": "ip", "port": 12345}});
        let mark = || json!({"mangle": {"key": {"meta": {"key": "mark"}}, "value": 1}});
        for decides in [proxy(), mark()] {
            let [finding] = &with(0, decides.clone())[..] else {
                panic!("not one finding for {decides}");
            };
            assert!(
                finding.starts_with("error: the rule inet filter divert handle 2 sends packets elsewhere, but after mwb"),
                "{finding}"
            );
            assert_eq!(with(-150, decides), [""; 0]);
        }
        assert_eq!(with(0, json!({"counter": null})), [""; 0]);
    }

    #[test]
    fn marks_that_were_not_checked() {
        let with = |count: usize| {
            let xt = json!([{"xt": {"type": "target", "name": "CONNMARK"}}]);
            let mut rules = vec![json!([{"masquerade": null}])];
            rules.extend(vec![xt; count]);
            found(|facts| facts.nft = Some(ruleset(&rules)))
        };
        let rule = "note: the rule ip nat post handle 3";
        assert_eq!(
            with(1),
            [format!("{rule} writes marks in a way that was not checked")]
        );
        assert_eq!(
            with(3),
            [format!(
                "{rule} and 2 more write marks in ways that were not checked"
            )]
        );
        assert_eq!(
            found(|facts| facts.legacy_tables = vec!["mangle".into()]),
            ["note: the rules of iptables-legacy in the table mangle were not checked"]
        );
    }

    #[test]
    fn numbers_of_others() {
        let with = |theirs: Rule| found(|facts| facts.rules.push(theirs));
        for (theirs, words) in [
            (rule(7000, 0, 0, 100), "rule 7000 to table 100 is among"),
            (rule(7128, 0, 0, 100), "rule 7128 to table 100 is among"),
            (rule(100, 0, 0, 7126), "rule 100 looks at table 7126"),
        ] {
            let lines = with(theirs);
            assert!(lines[0].contains(words), "{lines:?}");
        }
        for fine in [
            rule(6999, 0, 0, 100),
            rule(7129, 0, 0, 100),
            rule(100, 0, 0, 7000),
        ] {
            assert_eq!(with(fine), [""; 0]);
        }
        let in_table = Route {
            table: 7001,
            ..route("198.51.100.0/24", 0, 7, false)
        };
        assert_eq!(
            found(|facts| facts.routes.push(in_table)),
            [
                "error: the route 198.51.100.0/24 is in table 7001 of a WAN: \
                ip route del 198.51.100.0/24 via 192.0.2.1 dev eth1 table 7001"
            ]
        );
    }

    #[test]
    fn rates_of_others() {
        let mixed = found(|facts| instance(facts).wans[0].rates_mixed = true);
        assert_eq!(
            mixed,
            [
                "advice: a: eth1 counts what the devices above it carry, too; \
                a device of its own would not"
            ]
        );
        let text =
            "error: a: a flowtable forwards part of it on a device below, past the counters; \
            take that device out of it";
        // Both are VLANs of eth0.
        let partial = |rules: &[serde_json::Value], both: bool| {
            found(|facts| {
                let below = links("eth0", "10.9.9.1/24").all.remove(0);
                facts
                    .links
                    .all
                    .push(crate::rtnetlink::Link { index: 2, ..below });
                for link in &mut facts.links.all[..2] {
                    link.below = Some(2);
                }
                instance(facts).wans[0].rates_partial = true;
                instance(facts).wans[1].rates_partial = both;
                facts.nft = Some(with_flowtables(rules));
            })
        };
        assert_eq!(partial(&[], false), [text]);
        assert_eq!(partial(&[json!(["eth1", "lan0"])], false), [text]);
        for (both, names) in [(false, "a"), (true, "a and b")] {
            assert_eq!(
                partial(&[json!(["lan0", "eth0"])], both),
                [format!(
                    "error: the flowtable inet user f forwards part of {names} on eth0, past the counters: \
                    nft 'delete flowtable inet user f {{ devices = {{ \"eth0\" }}; }}'"
                )]
            );
        }
    }

    #[test]
    fn capacities() {
        let at = |seen_bps: Option<u64>, given_bps: u64| {
            found(|facts| {
                let instance = instance(facts);
                instance.wans[0].up_capacity_bps = seen_bps;
                let at = setting::WAN.iter().position(|s| s.name == "up").unwrap();
                instance.state.wans[0].values[at] = Some(Value::Number(given_bps));
            })
        };
        assert_eq!(
            at(Some(20_012_345), 10_000_000),
            ["error: a: it has carried 20Mbit up, but is said to carry 10Mbit: mwb wan set a --up 20100kbit"]
        );
        for (seen_bps, given_bps) in [
            (Some(10_500_000), 10_000_000),
            (Some(20_000_000), 0),
            (None, 0),
        ] {
            assert_eq!(at(seen_bps, given_bps), [""; 0]);
        }
    }

    #[test]
    fn caches() {
        let with = |state| found(|facts| instance(facts).cache = Some(state));
        for state in ["active", "idle", "news"] {
            assert_eq!(with(state), [""; 0]);
        }
        assert!(with("off")[0].contains("mwb save >/run/mwb.toml && rmmod mwb"));
        assert!(with("labels-in-use")[0]
            .ends_with("somebody else uses conntrack labels in this namespace"));
        let label = json!({"mangle": {"key": {"ct": {"key": "label"}}, "value": 1}});
        let by_rule = found(|facts| {
            instance(facts).cache = Some("labels-in-use");
            facts.nft = Some(ruleset(&[json!([{"masquerade": null}]), json!([label])]));
        });
        assert!(
            by_rule[0].ends_with(": nft delete rule ip nat post handle 3"),
            "{by_rule:?}"
        );
        assert!(
            by_rule[0].starts_with("advice: every packet is looked up"),
            "{by_rule:?}"
        );
    }
}
