// SPDX-License-Identifier: GPL-2.0

//! What of a ruleset concerns the lines: who translates, who writes marks, who uses labels, which devices are
//! in flowtables. Read from
//! `nft -j -t list ruleset` (libnftables-json(5)).

use crate::extack::errno_text;
use serde::Deserialize;
use serde_json::Value;
use std::process::Command;

#[derive(Debug, Default)]
pub struct Nft {
    chains: Vec<Chain>,
    rules: Vec<Rule>,
    flowtables: Vec<Flowtable>,
}

#[derive(Debug, Deserialize)]
pub struct Flowtable {
    family: String,
    table: String,
    name: String,
    /// The name of one, or an array.
    #[serde(default)]
    dev: Value,
}

#[derive(Debug, Deserialize)]
struct Chain {
    family: String,
    table: String,
    name: String,
    /// Of a base chain.
    hook: Option<String>,
    r#type: Option<String>,
    prio: Option<i32>,
}

#[derive(Debug, Deserialize)]
pub struct Rule {
    family: String,
    table: String,
    chain: String,
    handle: u64,
    #[serde(default)]
    expr: Vec<Value>,
}

/// Whether what leaves through a device is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cover {
    No,
    /// Some of it, or a rule is beyond us.
    Maybe,
    All,
}

/// What a rule does to a mark: bits that are cleared, and then those that are set.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Effect {
    clear: u32,
    set: u32,
}

/// What a mark is written to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    Packet,
    Connection,
}

impl Nft {
    pub fn read() -> Result<Self, String> {
        let mut command = Command::new("nft");
        let run = command.args(["-j", "-t", "list", "ruleset"]).output();
        let run = run.map_err(|why| format!("nft: {}", errno_text(why)))?;
        if run.status.success() {
            return Self::parse(&String::from_utf8_lossy(&run.stdout));
        }
        let why = String::from_utf8_lossy(&run.stderr);
        Err(format!("nft: {}", why.lines().next().unwrap_or_default()))
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let json: Value = serde_json::from_str(text).map_err(|why| format!("nft: {why}"))?;
        let mut nft = Self::default();
        for object in json["nftables"].as_array().into_iter().flatten() {
            nft.chains.extend(Chain::deserialize(&object["chain"]));
            nft.rules.extend(Rule::deserialize(&object["rule"]));
            nft.flowtables
                .extend(Flowtable::deserialize(&object["flowtable"]));
        }
        Ok(nft)
    }

    pub fn cover(&self, dev: &str) -> Cover {
        let rules = self.rules.iter().filter(|rule| rule.is_of_ipv4());
        let covers = rules.map(|rule| match rule.translates(dev) {
            Cover::All if !self.is_nat_base(rule) => Cover::Maybe,
            cover => cover,
        });
        covers.max().unwrap_or(Cover::No)
    }

    /// Whether anybody translates anything.
    pub fn has_nat(&self) -> bool {
        let mut rules = self.rules.iter().filter(|rule| rule.is_of_ipv4());
        rules.any(|rule| rule.expr.iter().any(is_nat))
    }

    fn is_nat_base(&self, rule: &Rule) -> bool {
        let mut chains = self.chains.iter().filter(|chain| chain.is_nat());
        chains.any(|chain| rule.is_in(chain))
    }

    /// The command that has what leaves through a device translated.
    pub fn masquerade(&self, dev: &str) -> String {
        let rule = format!("oifname \"{dev}\" masquerade");
        let mut chains = self.chains.iter();
        let chain = chains.find(|chain| chain.is_nat() && matches!(&*chain.family, "ip" | "inet"));
        let script = match chain {
            Some(Chain {
                family,
                table,
                name,
                ..
            }) => format!("add rule {family} {table} {name} {rule}"),
            None => format!(
                "add table ip nat; add chain ip nat postrouting \
                 {{ type nat hook postrouting priority srcnat; }}; add rule ip nat postrouting {rule}"
            ),
        };
        format!("nft {}", shlex::try_quote(&script).unwrap_or_default())
    }

    /// Rules that write bits of the mark within `ours`, and which: of packets those that are set, unless
    /// `is_meant` to be; of connections also those that are cleared.
    pub fn mark_writers(
        &self,
        ours: u32,
        is_meant: impl Fn(u32) -> bool,
    ) -> Vec<(&Rule, Mark, u32)> {
        let mut writers = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.is_of_ipv4()) {
            for (mark, effect) in rule.effects() {
                let Some(effect) = effect else { continue };
                let wiped = match mark {
                    Mark::Connection => effect.clear & ours,
                    Mark::Packet => 0,
                };
                let set = effect.set & ours;
                let bits = if set != 0 && is_meant(set) {
                    0
                } else {
                    set | wiped
                };
                if bits != 0 {
                    writers.push((rule, mark, bits));
                }
            }
        }
        writers
    }

    /// Rules that write marks, nobody knows which.
    pub fn unknown_mark_writers(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.rules.iter().filter(|rule| rule.is_of_ipv4());
        rules.filter(|rule| {
            let mut effects = rule.effects();
            effects.any(|(_, effect)| effect.is_none()) || rule.expr.iter().any(is_xt_mark)
        })
    }

    /// Rules that decide in PREROUTING where packets go, but after mwb: those whose connection keeps a route no
    /// longer ask for one.
    pub fn late_deciders(&self) -> impl Iterator<Item = &Rule> {
        let chains = self.chains.iter().filter(|chain| chain.is_late());
        chains.flat_map(|chain| {
            let rules = self.rules.iter().filter(|rule| rule.is_of_ipv4());
            rules.filter(|rule| rule.is_in(chain) && rule.expr.iter().any(decides))
        })
    }

    /// The flowtables with the names of their devices, of which one may end in a star.
    pub fn flowtables(&self) -> impl Iterator<Item = (&Flowtable, &str)> {
        self.flowtables.iter().flat_map(|flowtable| {
            let names = match &flowtable.dev {
                Value::Array(names) => &names[..],
                name => std::slice::from_ref(name),
            };
            names
                .iter()
                .filter_map(move |name| Some((flowtable, name.as_str()?)))
        })
    }

    /// Rules that use the labels of connections.
    pub fn label_users(&self) -> impl Iterator<Item = &Rule> {
        let uses = |rule: &&Rule| rule.expr.iter().any(|expr| names(expr, "ct", "label"));
        self.rules.iter().filter(uses)
    }
}

/// The priority of mwb's hook in PREROUTING: right after DNAT.
const MWB_PRIORITY: i32 = -99;

impl Chain {
    fn is_nat(&self) -> bool {
        self.hook.as_deref() == Some("postrouting") && self.r#type.as_deref() == Some("nat")
    }

    fn is_late(&self) -> bool {
        self.hook.as_deref() == Some("prerouting") && self.prio >= Some(MWB_PRIORITY)
    }
}

impl Flowtable {
    /// The command that takes a device out of it.
    pub fn delete(&self, dev: &str) -> String {
        let Self {
            family,
            table,
            name,
            ..
        } = self;
        let script =
            format!("delete flowtable {family} {table} {name} {{ devices = {{ \"{dev}\" }}; }}");
        format!("nft {}", shlex::try_quote(&script).unwrap_or_default())
    }

    pub fn place(&self) -> String {
        format!("{} {} {}", self.family, self.table, self.name)
    }
}

impl Rule {
    /// The command that removes it.
    pub fn delete(&self) -> String {
        let Self {
            family,
            table,
            chain,
            handle,
            ..
        } = self;
        let words = ["nft", "delete", "rule", family, table, chain, "handle"];
        let quoted = words.map(|word| shlex::try_quote(word).unwrap_or_default());
        format!("{} {handle}", quoted.join(" "))
    }

    pub fn place(&self) -> String {
        let Self {
            family,
            table,
            chain,
            handle,
            ..
        } = self;
        format!("{family} {table} {chain} handle {handle}")
    }

    fn is_in(&self, chain: &Chain) -> bool {
        (&chain.family, &chain.table, &chain.name) == (&self.family, &self.table, &self.chain)
    }

    fn is_of_ipv4(&self) -> bool {
        matches!(&*self.family, "ip" | "inet")
    }

    fn translates(&self, dev: &str) -> Cover {
        let mut cover = Cover::All;
        let mut translates = false;
        for expr in &self.expr {
            let matched = &expr["match"];
            if is_nat(expr) {
                translates = true;
            } else if is_device(&matched["left"]) {
                match matches_device(matched, dev) {
                    Some(true) => {}
                    Some(false) => return Cover::No,
                    None => cover = Cover::Maybe,
                }
            } else if expr.get("counter").is_none() && expr.get("log").is_none() {
                cover = Cover::Maybe;
            }
        }
        if translates {
            cover
        } else {
            Cover::No
        }
    }

    fn effects(&self) -> impl Iterator<Item = (Mark, Option<Effect>)> + '_ {
        self.expr.iter().filter_map(|expr| {
            let mangle = &expr["mangle"];
            let mark = mark_of(&mangle["key"])?;
            Some((mark, effect(&mangle["value"], mark)))
        })
    }
}

fn is_nat(expr: &Value) -> bool {
    let mut native = ["masquerade", "snat"].iter();
    let by_xt = matches!(expr["xt"]["name"].as_str(), Some("MASQUERADE" | "SNAT"));
    by_xt || native.any(|key| expr.get(key).is_some())
}

/// Whether it hands a packet to a proxy, or sets its mark.
fn decides(expr: &Value) -> bool {
    let by_mark = mark_of(&expr["mangle"]["key"]) == Some(Mark::Packet);
    by_mark || expr.get("tproxy").is_some()
}

/// By iptables, of whose targets only the names are told.
fn is_xt_mark(expr: &Value) -> bool {
    matches!(
        expr["xt"]["name"].as_str(),
        Some("MARK" | "CONNMARK" | "HMARK")
    )
}

/// Whether a device has a name; one that ends in a star stands for all that begin so.
pub fn is_named(dev: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(start) => dev.starts_with(start),
        None => name == dev,
    }
}

fn is_device(left: &Value) -> bool {
    matches!(left["meta"]["key"].as_str(), Some("oifname" | "oif"))
}

/// None if that cannot be told.
fn matches_device(matched: &Value, dev: &str) -> Option<bool> {
    let is_name = |name: &str| is_named(dev, name);
    let is_in = match &matched["right"] {
        Value::String(name) if name.starts_with('@') => return None,
        Value::String(name) => is_name(name),
        right => {
            let names = right["set"].as_array()?.iter().map(Value::as_str);
            names.collect::<Option<Vec<_>>>()?.into_iter().any(is_name)
        }
    };
    match matched["op"].as_str()? {
        "==" | "in" => Some(is_in),
        "!=" => Some(!is_in),
        _ => None,
    }
}

fn mark_of(key: &Value) -> Option<Mark> {
    match (key["meta"]["key"].as_str(), key["ct"]["key"].as_str()) {
        (Some("mark"), _) => Some(Mark::Packet),
        (_, Some("mark")) => Some(Mark::Connection),
        _ => None,
    }
}

/// What becomes of a mark that is set to `value`. None where that depends on something else.
fn effect(value: &Value, mark: Mark) -> Option<Effect> {
    if let Some(number) = number(value) {
        return Some(Effect {
            clear: u32::MAX,
            set: number,
        });
    }
    // Our bits of a connection's mark are those that its packets have.
    if mark_of(value).is_some_and(|of| of == mark || of == Mark::Connection) {
        return Some(Effect { clear: 0, set: 0 });
    }
    let (operator, operands) = value.as_object()?.iter().next()?;
    let mut operands = operands.as_array()?.iter();
    let first = effect(operands.next()?, mark)?;
    operands.try_fold(first, |so_far, operand| {
        let number = number(operand)?;
        Some(match operator.as_str() {
            "&" => Effect {
                clear: so_far.clear | !number,
                set: so_far.set & number,
            },
            "|" => Effect {
                set: so_far.set | number,
                ..so_far
            },
            "^" => Effect {
                set: so_far.set ^ number,
                ..so_far
            },
            _ => return None,
        })
    })
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// Whether somewhere in an expression there is this key of this kind.
fn names(expr: &Value, kind: &str, key: &str) -> bool {
    match expr {
        Value::Object(object) => {
            let is_it = object
                .get(kind)
                .is_some_and(|it| it["key"].as_str() == Some(key));
            is_it || object.values().any(|value| names(value, kind, key))
        }
        Value::Array(values) => values.iter().any(|value| names(value, kind, key)),
        _ => false,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    /// A ruleset with a postrouting chain of NAT, and these rules in it; each is an array of expressions.
    pub fn ruleset(rules: &[Value]) -> Nft {
        let chain = json!({"family": "ip", "table": "nat", "name": "post", "handle": 1, "type": "nat",
            "hook": "postrouting", "prio": 100, "policy": "accept"});
        let mut all = vec![
            json!({"metainfo": {"json_schema_version": 1}}),
            json!({"chain": chain}),
        ];
        all.extend((2..).zip(rules).map(|(handle, expr)| {
            let chain = if expr[0]["regular"].is_null() { "post" } else { "other" };
            json!({"rule": {"family": "ip", "table": "nat", "chain": chain, "handle": handle, "expr": expr}})
        }));
        Nft::parse(&json!({"nftables": all}).to_string()).unwrap()
    }

    impl Nft {
        /// As [`ruleset`] with a masquerade, besides what is there.
        pub fn masquerade_all(&mut self) {
            let Nft { chains, rules, .. } = ruleset(&[json!([{"masquerade": null}])]);
            self.chains.extend(chains);
            self.rules.extend(rules);
        }
    }

    /// One that translates everything and has flowtables, each with these devices.
    pub fn with_flowtables(devices: &[Value]) -> Nft {
        let mut nft = ruleset(&[json!([{"masquerade": null}])]);
        nft.flowtables = devices.iter().map(|dev| flowtable(dev.clone())).collect();
        nft
    }

    fn flowtable(dev: Value) -> Flowtable {
        let json = json!({"family": "inet", "name": "f", "table": "user", "handle": 2, "hook": "ingress",
            "prio": 0, "dev": dev});
        let text = json!({"nftables": [{"flowtable": json}]}).to_string();
        Nft::parse(&text).unwrap().flowtables.remove(0)
    }

    fn oif(op: &str, right: Value) -> Value {
        json!({"match": {"op": op, "left": {"meta": {"key": "oifname"}}, "right": right}})
    }

    #[test]
    fn knows_who_translates() {
        let masquerade = json!({"masquerade": null});
        let counter = json!({"counter": {"packets": 0, "bytes": 0}});
        let from = json!({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}},
            "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}});
        for (rule, cover) in [
            (json!([masquerade]), Cover::All),
            (json!([counter, masquerade]), Cover::All),
            (json!([oif("==", json!("eth1")), masquerade]), Cover::All),
            (json!([oif("==", json!("eth*")), masquerade]), Cover::All),
            (
                json!([oif("==", json!({"set": ["ppp0", "eth1"]})), masquerade]),
                Cover::All,
            ),
            (json!([oif("!=", json!("lan0")), masquerade]), Cover::All),
            (
                json!([oif("==", json!("eth1")), {"snat": {"addr": "192.0.2.1"}}]),
                Cover::All,
            ),
            (
                json!([oif("==", json!("eth1")), {"xt": {"type": "target", "name": "MASQUERADE"}}]),
                Cover::All,
            ),
            (json!([oif("==", json!("@wans")), masquerade]), Cover::Maybe),
            (json!([from, masquerade]), Cover::Maybe),
            (json!([{"regular": 1}, masquerade]), Cover::Maybe),
            (json!([oif("==", json!("eth2")), masquerade]), Cover::No),
            (json!([oif("==", json!("eth")), masquerade]), Cover::No),
            (json!([oif("!=", json!("eth*")), masquerade]), Cover::No),
            (
                json!([oif("==", json!("eth1")), {"accept": null}]),
                Cover::No,
            ),
            (json!([]), Cover::No),
        ] {
            assert_eq!(ruleset(&[rule.clone()]).cover("eth1"), cover, "{rule}");
        }
        let (one, two) = (json!([from, masquerade]), json!([masquerade]));
        assert_eq!(ruleset(&[one, two]).cover("eth1"), Cover::All);
        assert_eq!(Nft::default().cover("eth1"), Cover::No);
        assert!(ruleset(&[json!([oif("==", json!("eth2")), masquerade])]).has_nat());
        assert!(!ruleset(&[json!([oif("==", json!("eth1")), {"accept": null}])]).has_nat());
    }

    #[test]
    fn says_how_to_translate() {
        assert_eq!(
            ruleset(&[]).masquerade("ppp0"),
            r#"nft 'add rule ip nat post oifname "ppp0" masquerade'"#
        );
        let command = Nft::default().masquerade("ppp0");
        assert!(
            command.starts_with("nft 'add table ip nat; add chain"),
            "{command}"
        );
        assert!(
            command.ends_with(r#"oifname "ppp0" masquerade'"#),
            "{command}"
        );
    }

    #[test]
    fn knows_who_writes_marks() {
        let set = |key: &str, value: Value| json!([{"mangle": {"key": {key: {"key": "mark"}}, "value": value}}]);
        let own = |key: &str| json!({key: {"key": "mark"}});
        for (rule, bits) in [
            // The whole mark of a connection is lost; of a packet, it is written later.
            (set("ct", json!(1)), Some(0xff00_0000)),
            (set("meta", json!(1)), None),
            (set("meta", json!(0x0500_0000)), Some(0x0500_0000)),
            // That of a WAN.
            (set("meta", json!(0x0200_0000)), None),
            (set("ct", json!(0x0200_0000)), None),
            (set("ct", json!({"|": [own("ct"), 1]})), None),
            (
                set("ct", json!({"|": [own("ct"), 0x0500_0000]})),
                Some(0x0500_0000),
            ),
            (
                set("ct", json!({"|": [{"&": [own("ct"), 0xff00_0000u32]}, 1]})),
                None,
            ),
            (
                set("ct", json!({"&": [own("ct"), 0xffff]})),
                Some(0xff00_0000),
            ),
            (set("meta", json!({"&": [own("meta"), 0xffff]})), None),
            (
                set("meta", json!({"^": [own("meta"), 0x0400_0000]})),
                Some(0x0400_0000),
            ),
            // Who knows.
            (set("meta", own("ct")), None),
            (set("ct", own("meta")), None),
            (
                set("ct", json!({"map": {"key": own("meta"), "data": "@x"}})),
                None,
            ),
            (json!([{"counter": null}]), None),
        ] {
            let nft = ruleset(&[rule.clone()]);
            let is_meant = |bits| bits == 0x0200_0000;
            let writers = nft.mark_writers(0xff00_0000, is_meant);
            assert_eq!(writers.first().map(|(_, _, bits)| *bits), bits, "{rule}");
        }
    }

    #[test]
    fn knows_what_it_does_not_know() {
        let mark = |key: &str| json!({key: {"key": "mark"}});
        let set = |key: &str, value: Value| json!([{"mangle": {"key": mark(key), "value": value}}]);
        let xt = |kind: &str, name: &str| json!([{"xt": {"type": kind, "name": name}}]);
        let map = json!({"map": {"key": {"payload": {"protocol": "ip", "field": "saddr"}}, "data": "@x"}});
        for (rule, is_unknown) in [
            (set("meta", map.clone()), true),
            (set("ct", json!({"|": [mark("ct"), map]})), true),
            (
                set(
                    "ct",
                    json!({"numgen": {"mode": "inc", "mod": 2, "offset": 0}}),
                ),
                true,
            ),
            // Packets have no mark yet where they come in.
            (set("ct", mark("meta")), true),
            (xt("target", "MARK"), true),
            (xt("target", "CONNMARK"), true),
            (xt("match", "mark"), false),
            (xt("target", "MASQUERADE"), false),
            (set("meta", mark("ct")), false),
            (set("meta", json!({"&": [mark("ct"), 0xff]})), false),
            (set("ct", json!(1)), false),
            (
                json!([{"mangle": {"key": {"meta": {"key": "priority"}}, "value": map}}]),
                false,
            ),
        ] {
            let nft = ruleset(&[rule.clone()]);
            assert_eq!(
                nft.unknown_mark_writers().count(),
                usize::from(is_unknown),
                "{rule}"
            );
        }
    }

    #[test]
    fn knows_the_devices_of_flowtables() {
        let flowtable = |dev: Value| {
            let nft = with_flowtables(&[dev]);
            let names: Vec<_> = nft.flowtables().map(|(_, name)| name.to_string()).collect();
            let first = nft.flowtables().next();
            (names, first.map(|(flowtable, dev)| flowtable.delete(dev)))
        };
        let delete = r#"nft 'delete flowtable inet user f { devices = { "eth0" }; }'"#;
        assert_eq!(
            flowtable(json!(["eth0", "eth1*"])),
            (vec!["eth0".into(), "eth1*".into()], Some(delete.into()))
        );
        assert_eq!(
            flowtable(json!("eth0")),
            (vec!["eth0".into()], Some(delete.into()))
        );
        assert_eq!(flowtable(Value::Null), (vec![], None));
        assert!(
            is_named("eth1.7", "eth1*") && is_named("eth0", "eth0") && !is_named("eth0.7", "eth0")
        );
    }

    #[test]
    fn knows_who_uses_labels() {
        let label = json!({"ct": {"key": "label"}});
        for (rule, uses) in [
            (
                json!([{"match": {"op": "==", "left": label, "right": "x"}}]),
                true,
            ),
            (json!([{"mangle": {"key": label, "value": 1}}]), true),
            (
                json!([{"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": "new"}}]),
                false,
            ),
        ] {
            let nft = ruleset(&[rule.clone()]);
            let commands: Vec<_> = nft.label_users().map(Rule::delete).collect();
            let expected = uses.then_some("nft delete rule ip nat post handle 2");
            assert_eq!(commands.first().map(String::as_str), expected, "{rule}");
        }
    }

    #[test]
    fn other_json_is_no_ruleset() {
        assert!(Nft::parse("").is_err());
        for text in [
            "{}",
            "[]",
            "null",
            r#"{"nftables": [{"rule": {"expr": 1}}, 7]}"#,
        ] {
            assert_eq!(Nft::parse(text).unwrap().cover("eth1"), Cover::No, "{text}");
        }
    }
}
