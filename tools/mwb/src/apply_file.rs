// SPDX-License-Identifier: GPL-2.0

//! The file that `mwb apply` reads: all that it has, and where.

use crate::apply_check;
use crate::dscp;
use crate::policy::Policy;
use crate::policy_file::contents;
use crate::ports::Ports;
use crate::prefix::Prefix;
use crate::proto::Proto;
use crate::setting::{self, Setting, Value};
use crate::table::printable;
use std::path::Path;
use toml::de::{DeTable, DeValue};
use toml::Spanned;

#[derive(Debug)]
pub struct File {
    pub name: String,
    /// In the order of `setting::CONFIG`.
    pub config: Vec<Option<Spanned<Value>>>,
    pub wans: Vec<Wan>,
    pub groups: Vec<Group>,
    pub policies: Vec<Entry>,
    text: String,
    /// Where each line begins.
    starts: Vec<usize>,
}

#[derive(Debug)]
pub struct Wan {
    pub name: Spanned<String>,
    pub id: Option<Spanned<u32>>,
    /// In the order of `setting::WAN`.
    pub values: Vec<Option<Spanned<Value>>>,
}

#[derive(Debug)]
pub struct Group {
    pub name: Spanned<String>,
    pub wans: Vec<Spanned<String>>,
}

/// A policy of the file.
#[derive(Debug)]
pub struct Entry {
    /// Where it begins.
    pub at: usize,
    /// Where it says what it leads to.
    pub to_at: usize,
    pub policy: Policy,
}

/// Something that is wrong, and where.
#[derive(Debug, PartialEq)]
pub struct Fault {
    pub at: usize,
    pub why: String,
}

impl Fault {
    pub fn new(at: usize, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { at, why }
    }
}

/// Many faults of a kind are one mistake.
const FAULTS_SHOWN: usize = 20;

/// How much of the policies is read at a time, in bytes at least.
const PART: usize = 64 << 10;

impl File {
    /// Reads and checks all of a file; `-` is standard input.
    pub fn read(path: &Path) -> Result<Self, String> {
        let (name, bytes) = contents(path)?;
        let text = String::from_utf8(bytes).map_err(|wrong| {
            let (valid, _) = wrong.as_bytes().split_at(wrong.utf8_error().valid_up_to());
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("{name}:{line}: the line is not UTF-8")
        })?;
        Self::parse(name, text)
    }

    /// All of it, or a line for each fault.
    pub fn parse(name: String, text: String) -> Result<Self, String> {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let mut file = Self {
            name,
            config: Vec::new(),
            wans: Vec::new(),
            groups: Vec::new(),
            policies: Vec::new(),
            text: String::new(),
            starts: [0]
                .into_iter()
                .chain(newlines.map(|(at, _)| at + 1))
                .collect(),
        };
        let mut faults = match file.fill_in_parts(&text) {
            Some(faults) => faults,
            None => file.fill_at_once(&text),
        };
        if faults.is_empty() {
            faults = apply_check::faults(&file);
        }
        file.text = text;
        match faults.is_empty() {
            true => Ok(file),
            false => Err(file.explain(faults)),
        }
    }

    /// A tree of many policies is forty times as large as their text, so some of them are read at a time. None
    /// for what is not this simple; where it is wrong, all of it tells best what is.
    fn fill_in_parts(&mut self, text: &str) -> Option<Vec<Fault>> {
        let is_policies = |key: &Spanned<_>| key.get_ref() == "policy";
        let (head, mut rest) = text.split_at(next_policy(text, 0));
        let head = DeTable::parse(head).ok()?.into_inner();
        if rest.is_empty() || head.keys().any(is_policies) {
            return None;
        }
        let mut faults = self.fill(&head);
        let mut policies = Vec::new();
        while !rest.is_empty() {
            let start = text.len() - rest.len();
            let (part, left) = rest.split_at(next_policy(rest, PART));
            let part = DeTable::parse(part).ok()?.into_inner();
            if !part.keys().all(is_policies) {
                return None;
            }
            let mut reader = Reader::default();
            policies.extend(part.values().flat_map(|value| reader.policies(value)).map(
                |mut entry| {
                    entry.at += start;
                    entry.to_at += start;
                    entry
                },
            ));
            faults.extend(reader.faults.into_iter().map(|mut fault| {
                fault.at += start;
                fault
            }));
            rest = left;
        }
        self.policies = policies;
        Some(faults)
    }

    fn fill_at_once(&mut self, text: &str) -> Vec<Fault> {
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return errors.iter().map(|error| syntax(error, text)).collect();
        }
        if document.get_ref().is_empty() {
            let why = "there is nothing in it; write [config], and no more, to remove all";
            return vec![Fault::new(0, why)];
        }
        self.fill(document.get_ref())
    }

    fn fill(&mut self, document: &DeTable) -> Vec<Fault> {
        let mut reader = Reader::default();
        let mut config = None;
        for (key, at, value) in in_order(document) {
            match key {
                "config" => config = reader.table(value),
                "wan" => self.wans = reader.tables(value, Reader::wan),
                "group" => self.groups = reader.tables(value, Reader::group),
                "policy" => self.policies = reader.policies(value),
                _ => reader.unknown(at, key, "config, wan, group and policy"),
            }
        }
        self.config = reader.settings(&setting::CONFIG, config, None);
        reader.faults
    }

    /// Number of the line, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// A line for each fault: the name of the file, line and column, and what is wrong there.
    pub fn explain(&self, mut faults: Vec<Fault>) -> String {
        faults.sort_by_key(|fault| fault.at);
        let more = faults.len().saturating_sub(FAULTS_SHOWN);
        let column = |at: usize| {
            let start = self.starts[self.line(at) - 1];
            self.text
                .get(start..at)
                .map_or(0, |before| before.chars().count())
                + 1
        };
        let shown = faults.iter().take(FAULTS_SHOWN).map(|fault| {
            let (line, column) = (self.line(fault.at), column(fault.at));
            printable(&format!("{}:{line}:{column}: {}", self.name, fault.why))
        });
        let mut lines: Vec<_> = shown.collect();
        lines.extend((more > 0).then(|| format!("{}: and {more} more", self.name)));
        lines.join("\n")
    }
}

/// Where the first policy begins that does so on a line of its own behind `from`; else the end. In a file that
/// is no TOML, or where this is in a string, what comes before is no TOML.
fn next_policy(text: &str, from: usize) -> usize {
    const HEADER: &str = "[[policy]]";
    if from == 0 && text.starts_with(HEADER) {
        return 0;
    }
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    let header = format!("\n{HEADER}").into_bytes();
    let found = rest.windows(header.len()).position(|at| at == header);
    found.map_or(text.len(), |at| from + at + 1)
}

fn syntax(error: &toml::de::Error, text: &str) -> Fault {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    Fault::new(at, error.message().replace('\n', " "))
}

/// The entries of a table as the file has them.
fn in_order<'a>(table: &'a DeTable) -> Vec<(&'a str, usize, &'a Spanned<DeValue<'a>>)> {
    let entries = table.iter();
    let mut entries: Vec<_> = entries
        .map(|(key, value)| (&**key.get_ref(), key.span().start, value))
        .collect();
    entries.sort_by_key(|(_, at, _)| *at);
    entries
}

#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, at: usize, why: impl Into<String>) {
        self.faults.push(Fault::new(at, why));
    }

    fn unknown(&mut self, at: usize, key: &str, known: &str) {
        self.fault(at, format!("{key:?} is unknown here; known are {known}"));
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue>, wanted: &str) {
        let is = value.get_ref().type_str();
        self.fault(value.span().start, format!("wants {wanted}, and is a {is}"));
    }

    fn table<'a>(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<&'a DeTable<'a>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table");
        }
        table
    }

    /// A table of tables, each with its name.
    fn tables<'a, T>(
        &mut self,
        value: &'a Spanned<DeValue<'a>>,
        read: fn(&mut Self, Spanned<String>, &'a DeTable<'a>) -> T,
    ) -> Vec<T> {
        let Some(tables) = self.table(value) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for (key, value) in tables {
            if let Some(table) = self.table(value) {
                let name = Spanned::new(key.span(), key.get_ref().to_string());
                all.push((key.span().start, read(self, name, table)));
            }
        }
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, one)| one).collect()
    }

    /// The values of settings; `besides` is the key of something else that the table may have.
    fn settings(
        &mut self,
        settings: &[Setting],
        table: Option<&DeTable>,
        besides: Option<&str>,
    ) -> Vec<Option<Spanned<Value>>> {
        let mut values = vec![None; settings.len()];
        for (key, at, value) in table.map(in_order).unwrap_or_default() {
            let found = settings.iter().position(|setting| setting.name == key);
            match (found, found.and_then(|at| values.get_mut(at))) {
                (Some(at), Some(slot)) => *slot = self.setting(&settings[at], value),
                _ if besides == Some(key) => {}
                _ => {
                    let names = settings.iter().map(|setting| setting.name);
                    let names: Vec<_> = besides.into_iter().chain(names).collect();
                    self.unknown(at, key, &names.join(", "));
                }
            }
        }
        values
    }

    fn setting(&mut self, setting: &Setting, value: &Spanned<DeValue>) -> Option<Spanned<Value>> {
        let read = match value.get_ref() {
            DeValue::String(text) => setting.parse(text),
            // What is negative or beyond all measure is no number of anything here.
            DeValue::Integer(_) => setting.number(unsigned(value).unwrap_or(u64::MAX)),
            _ => {
                self.wrong_type(value, "a string or a number");
                return None;
            }
        };
        match read {
            Ok(read) => Some(Spanned::new(value.span(), read)),
            Err(why) => {
                self.fault(value.span().start, format!("{}: {why}", setting.name));
                None
            }
        }
    }

    fn wan(&mut self, name: Spanned<String>, table: &DeTable) -> Wan {
        let id = table.get("id").and_then(|value| {
            let id = unsigned(value).and_then(|id| u32::try_from(id).ok());
            if id.is_none() {
                self.wrong_type(value, "a number from 1");
            }
            Some(Spanned::new(value.span(), id?))
        });
        let values = self.settings(&setting::WAN, Some(table), Some("id"));
        Wan { name, id, values }
    }

    fn group(&mut self, name: Spanned<String>, table: &DeTable) -> Group {
        let mut wans = Vec::new();
        for (key, at, value) in in_order(table) {
            match (key, value.get_ref().as_array()) {
                ("wans", Some(names)) => wans = names.iter().flat_map(|n| self.string(n)).collect(),
                ("wans", None) => self.wrong_type(value, "an array of names"),
                _ => self.unknown(at, key, "wans"),
            }
        }
        if !table.contains_key("wans") {
            let why = format!("group {} has no wans", name.get_ref());
            self.fault(name.span().start, why);
        }
        Group { name, wans }
    }

    fn string(&mut self, value: &Spanned<DeValue>) -> Option<Spanned<String>> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, "a string");
        }
        Some(Spanned::new(value.span(), text?.to_string()))
    }

    fn policies<'a>(&mut self, value: &'a Spanned<DeValue<'a>>) -> Vec<Entry> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(value, "an array of tables, each below [[policy]]");
            return Vec::new();
        };
        let mut all = Vec::new();
        for value in array.iter() {
            if let Some(table) = self.table(value) {
                all.push(self.policy(value.span().start, table));
            }
        }
        all
    }

    fn policy(&mut self, at: usize, table: &DeTable) -> Entry {
        let mut policy = Policy::default();
        let mut to_at = None;
        let faults = self.faults.len();
        for (key, key_at, value) in in_order(table) {
            let given = &mut policy.selectors;
            match key {
                "pref" => {
                    let pref = |text: &str| text.parse().map_err(|_| "write a number".to_string());
                    given.pref = self.parsed(key, value, pref);
                }
                "src" => given.src = self.parsed(key, value, Prefix::parse),
                "dst" => given.dst = self.parsed(key, value, Prefix::parse),
                "iif" => given.iif = self.parsed(key, value, iif),
                "proto" => given.proto = self.parsed(key, value, Proto::parse),
                "dport" => given.dport = self.parsed(key, value, Ports::parse),
                "dscp" => given.dscp = self.parsed(key, value, dscp::parse),
                "to" => {
                    to_at = Some(value.span().start);
                    policy.to = self
                        .string(value)
                        .map(Spanned::into_inner)
                        .unwrap_or_default();
                }
                "strict" => match value.get_ref().as_bool() {
                    Some(strict) => policy.strict = strict,
                    None => self.wrong_type(value, "true or false"),
                },
                _ => self.unknown(
                    key_at,
                    key,
                    "pref, src, dst, iif, proto, dport, dscp, to and strict",
                ),
            }
        }
        if to_at.is_none() {
            self.fault(at, "the policy has no to");
        }
        match policy.selectors.check() {
            Err(why) if faults == self.faults.len() => self.fault(at, why.replace("--", "")),
            _ => {}
        }
        Entry {
            at,
            to_at: to_at.unwrap_or(at),
            policy,
        }
    }

    /// Reads what the options of `mwb policy add` take, of which some may be numbers.
    fn parsed<T>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let read = match value.get_ref() {
            DeValue::String(text) => parse(text),
            DeValue::Integer(number) => parse(&number.to_string()),
            _ => {
                self.wrong_type(value, "a string or a number");
                return None;
            }
        };
        read.map_err(|why| self.fault(value.span().start, format!("{key}: {why}")))
            .ok()
    }
}

fn unsigned(value: &Spanned<DeValue>) -> Option<u64> {
    let number = value.get_ref().as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn iif(name: &str) -> Result<String, String> {
    match setting::device(name) {
        Err(why) if name != "lo" => Err(why),
        _ => Ok(name.into()),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn parsed(text: &str) -> File {
        File::parse("f".into(), text.into()).unwrap()
    }

    const WHOLE: &str = r#"
# A comment
config = { granularity = "pair", pair-timeout = 90 }

[wan.dsl]
id = 2
dev = "ppp0"
up = "10mbit"
down = 50_000_000
[wan.cable]
dev = "eth1"
gateway = "192.0.2.1"
[group.quick]
wans = ["dsl", "cable"]
[[policy]]
dport = 80
proto = "tcp"
dscp = 0x2e
to = "quick"
[[policy]]
to = "main"
"#;

    #[test]
    fn reads_all() {
        let file = parsed(WHOLE);
        let names: Vec<_> = file.wans.iter().map(|wan| wan.name.get_ref()).collect();
        // In the order of the file.
        assert_eq!(names, ["dsl", "cable"]);
        assert_eq!(file.wans[0].id.as_ref().map(|id| *id.get_ref()), Some(2));
        assert!(file.wans[1].id.is_none());
        let text = |settings: &[Setting], values: &[Option<Spanned<Value>>]| {
            let all = settings.iter().zip(values);
            let given = all.filter_map(|(s, v)| Some((s.name, s.text(v.as_ref()?.get_ref()))));
            let given: Vec<_> = given.map(|(name, text)| format!("{name} {text}")).collect();
            given.join(" ")
        };
        assert_eq!(
            text(&setting::CONFIG, &file.config),
            "granularity pair pair-timeout 90s"
        );
        assert_eq!(
            text(&setting::WAN, &file.wans[0].values),
            "dev ppp0 up 10mbit down 50mbit"
        );
        assert_eq!(file.groups[0].wans[1].get_ref(), "cable");
        let policies: Vec<_> = file.policies.iter().map(|p| p.policy.to_string()).collect();
        assert_eq!(
            policies,
            ["--proto tcp --dport 80 --dscp 46 --to quick", "--to main"]
        );
        assert_eq!(file.line(file.policies[1].at), 20);
    }

    #[test]
    fn the_example_is_a_file() {
        let file = parsed(include_str!("../example.toml"));
        let counts = [file.wans.len(), file.groups.len(), file.policies.len()];
        assert_eq!(counts, [3, 1, 5]);
        assert!(
            file.config.iter().all(Option::is_some),
            "a setting is missing there"
        );
    }

    #[test]
    fn nothing_is_a_file() {
        for text in ["", "\n# nothing\n"] {
            let why = File::parse("f".into(), text.into()).unwrap_err();
            assert!(why.starts_with("f:1:1: there is nothing in it"), "{why}");
        }
        for text in ["[config]", "policy = []", "[wan]\n[group]"] {
            let file = parsed(text);
            assert!(file.wans.is_empty() && file.policies.is_empty(), "{text}");
            assert!(file.config.iter().all(Option::is_none), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_where() {
        for (text, place, words) in [
            ("[wan.dsl\n", "1:9", ""),
            ("[config]\ngranularity = \"pair\" x", "2:22", ""),
            (
                "[config]\npair-timeout = \"10m\"\npair-timeout = 5",
                "3:1",
                "duplicate",
            ),
            ("[wan.a]\ndev=\"x\"\n[wan.a]\ndev=\"y\"", "3:6", "duplicate"),
            ("[wans.dsl]", "1:2", "\"wans\" is unknown here"),
            ("wan = 5", "1:7", "wants a table, and is a integer"),
            (
                "[wan]\ndsl = \"ppp0\"",
                "2:7",
                "wants a table, and is a string",
            ),
            ("[config]\n granularity = \"host\"", "2:16", "\"pair\""),
            (
                "[config]\ngranularitty = \"pair\"",
                "2:1",
                "granularity, pair-timeout",
            ),
            ("[config]\npair-timeout = \"8d\"", "2:16", "from 1s to 7d"),
            (
                "[config]\nrule-pref = true",
                "2:13",
                "a string or a number, and is a boolean",
            ),
            ("[config]\nrule-pref = -1", "2:13", "1 to 32000"),
            (
                "[wan.a]\ndev = \"x\"\nup = \"fast\"",
                "3:6",
                "up: write a rate as 20mbit",
            ),
            (
                "[wan.a]\ndev = \"x\"\nspeed = 5",
                "3:1",
                "known are id, dev",
            ),
            ("[wan.a]\nid = \"1\"\ndev = \"x\"", "2:6", "a number from 1"),
            ("[group.q]\n", "1:8", "group q has no wans"),
            ("[group.q]\nwans = \"a\"", "2:8", "an array of names"),
            ("[group.q]\nwans = [1]", "2:9", "wants a string"),
            ("[policy]\nto = \"main\"", "1:1", "[[policy]]"),
            (
                "[[policy]]\nsrc = \"10.0.0.0/8\"",
                "1:1",
                "the policy has no to",
            ),
            (
                "[[policy]]\nto=\"main\"\nsrc = \"10.0.0.1/8\"",
                "3:7",
                "src: the address has",
            ),
            (
                "[[policy]]\nto=\"main\"\ndport = 80",
                "1:1",
                "dport 80 needs a proto",
            ),
            ("[[policy]]\nto=\"main\"\nport = 80", "3:1", "dport"),
            (
                "[[policy]]\nto=\"main\"\nstrict = 1",
                "3:10",
                "true or false",
            ),
            (
                "[[policy]]\nto=\"main\"\npref = -1",
                "3:8",
                "write a number",
            ),
            ("[[policy]]\nto=\"main\"\niif = \"a b\"", "3:7", "no device"),
            // The column counts what one sees, not bytes.
            (
                "policy = [{ to = \"main\", iif = \"\u{e9}\", x = 1 }]",
                "1:37",
                "\"x\"",
            ),
        ] {
            let why = File::parse("f".into(), text.into()).unwrap_err();
            let (first, _) = why.split_once(' ').unwrap();
            assert_eq!(first, format!("f:{place}:"), "{text}: {why}");
            assert!(why.contains(words), "{text}: {why}");
        }
    }

    /// All that a file has, or what is wrong with it.
    fn read(text: &str, is_in_parts: bool) -> String {
        let mut file = parsed("[config]");
        let faults = match is_in_parts {
            true => file.fill_in_parts(text).expect("it is simple"),
            false => file.fill_at_once(text),
        };
        format!(
            "{:?} {:?} {:?} {faults:?}",
            file.wans, file.groups, file.policies
        )
    }

    #[test]
    fn parts_are_as_the_whole() {
        let policy = |n| {
            let (high, low) = (n / 256, n % 256);
            format!("[[policy]] # {n}\r\ndst = \"10.{high}.{low}.0/24\"\nto = \"main\"\n\n")
        };
        let many: String = (0..PART / 16).map(policy).collect();
        assert!(many.len() > 3 * PART);
        let wrong = many.replace("10.7.7.0/24", "10.7.7.1/24") + "port = 5";
        let sub = many.clone() + "[policy.x]\ny = 5\n";
        let head = "[wan.a]\ndev = \"x\"\n";
        for text in [&many, &wrong, &sub, &format!("{head}{many}")] {
            assert_eq!(read(text, true), read(text, false));
        }
        assert_eq!(parsed(&many).policies.len(), PART / 16);
    }

    #[test]
    fn what_is_not_simple_is_read_at_once() {
        let policy = "[[policy]]\nto = \"main\"\n";
        let filler = "x".repeat(PART);
        let far = format!("{policy}#{filler}\n[[policy]]\nproto = \"tcp\"\nto = \"main\"\n");
        for text in [
            "policy = []".into(),
            format!("policy = []\n{policy}"),
            format!(" {policy}{policy}"),
            format!("{far}[wan.a]\ndev = \"x\""),
            format!("x = \"\"\"\n{policy}\"\"\""),
            format!("{policy}x = \"\"\"{filler}\n{policy}\"\"\"\n"),
            format!("x = [\n{policy}]"),
            format!("x\n{policy}"),
        ] {
            let (start, _) = text.split_at(text.len().min(100));
            assert_eq!(parsed("[config]").fill_in_parts(&text), None, "{start}");
        }
        let file = parsed(&format!("{far}[wan.a]\ndev = \"x\""));
        assert_eq!((file.wans.len(), file.policies.len()), (1, 2));
    }

    #[test]
    fn says_all_that_is_wrong() {
        let text = "x = 1\n[wan.a]\ndev = \"x\"\nup = 0\n[config]\ntable = 5\n";
        let why = File::parse("f".into(), text.into()).unwrap_err();
        let places: Vec<_> = why.lines().map(|line| line.split(' ').next()).collect();
        assert_eq!(places, [Some("f:1:1:"), Some("f:4:6:"), Some("f:6:9:")]);
        let many = "[[policy]]\n".repeat(30);
        let why = File::parse("f".into(), many).unwrap_err();
        assert_eq!(why.lines().count(), FAULTS_SHOWN + 1);
        assert!(why.ends_with("f: and 10 more"), "{why}");
    }

    #[test]
    fn nothing_in_a_file_panics() {
        for at in 0..WHOLE.len() {
            let (before, after) = WHOLE.split_at(at);
            let _ = File::parse("f".into(), before.into());
            for odd in ["\"", "[", "\0", "=", "\u{e9}", "9"] {
                let _ = File::parse("f".into(), format!("{before}{odd}{after}"));
            }
        }
    }
}
