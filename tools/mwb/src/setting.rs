// SPDX-License-Identifier: GPL-2.0

//! What can be set of the configuration and of a WAN, a line each: what it is called in a file, which
//! attribute it is, how it is written, and what it is if nobody has set it. `save`, `apply` and what they
//! print follow from these two tables.

use crate::marks::Marks;
use crate::message;
use crate::percent;
use crate::rate;
use crate::time;
use crate::uapi::*;
use netlink_packet_core::DefaultNla;
use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;

pub const CONFIG: [Setting; 14] = [
    one_of("granularity", A_CONFIG_GRANULARITY, &GRANULARITY_NAMES),
    time(
        "pair-timeout",
        A_CONFIG_PAIR_TIMEOUT,
        A_CONFIG_PAIR_TIMEOUT_LIMITS,
        PAIR_TIMEOUT,
    ),
    one_of("mode", A_CONFIG_MODE, &MODE_NAMES),
    moment(
        "interval",
        A_CONFIG_INTERVAL_MS,
        A_CONFIG_INTERVAL_MS_LIMITS,
        INTERVAL_MS,
    ),
    moment(
        "average",
        A_CONFIG_AVERAGE_MS,
        A_CONFIG_AVERAGE_MS_LIMITS,
        AVERAGE_MS,
    ),
    share(
        "threshold",
        A_CONFIG_THRESHOLD_PERCENT,
        A_CONFIG_THRESHOLD_PERCENT_LIMITS,
        THRESHOLD_PERCENT,
    ),
    share(
        "exit",
        A_CONFIG_EXIT_PERCENT,
        A_CONFIG_EXIT_PERCENT_LIMITS,
        EXIT_PERCENT,
    ),
    share(
        "credit-cap",
        A_CONFIG_CREDIT_CAP_PERCENT,
        A_CONFIG_CREDIT_CAP_PERCENT_LIMITS,
        CREDIT_CAP_PERCENT,
    ),
    one_of("last-resort", A_CONFIG_LAST_RESORT, &LAST_RESORT_NAMES),
    one_of("on-down", A_CONFIG_ON_DOWN, &ON_DOWN_NAMES),
    one_of("failback", A_CONFIG_FAILBACK, &FAILBACK_NAMES),
    numbering(Kind::Mask, "mark-mask", A_CONFIG_MARK_MASK, MARK_MASK),
    numbering(
        Kind::Number(A_CONFIG_RULE_PREF_LIMITS),
        "rule-pref",
        A_CONFIG_RULE_PREF,
        RULE_PREF,
    ),
    numbering(
        Kind::Number(A_CONFIG_TABLE_BASE_LIMITS),
        "table",
        A_CONFIG_TABLE_BASE,
        TABLE_BASE,
    ),
];

/// All but its name and its number, which cannot be changed.
pub const WAN: [Setting; 7] = [
    Setting::new(Kind::Device, "dev", A_WAN_DEV, 0),
    GATEWAY,
    capacity("up", A_WAN_UP_CAPACITY_BPS, A_WAN_UP_GIVEN_BPS),
    capacity("down", A_WAN_DOWN_CAPACITY_BPS, A_WAN_DOWN_GIVEN_BPS),
    Setting::new(Kind::Number(A_WAN_TIER_LIMITS), "tier", A_WAN_TIER, 1),
    Setting::new(Kind::Weight(WEIGHT_MAX), "weight", A_WAN_WEIGHT, 0),
    one_of("admin", A_WAN_ADMIN, &WAN_ADMIN_NAMES),
];

const GATEWAY: Setting = Setting {
    learned: Some(A_WAN_GATEWAY_LEARNED),
    ..Setting::new(Kind::Address, "gateway", A_WAN_GATEWAY4, 0)
};

/// What stands for an address or a rate that is learned.
const AUTO: &str = "auto";

pub struct Setting {
    pub name: &'static str,
    /// In requests, and as the kernel reports it.
    pub attr: u16,
    reported: u16,
    pub kind: Kind,
    /// Of what is a number.
    default: u32,
    /// The flag that says that the kernel has found the value itself.
    learned: Option<u16>,
    /// The kernel changes it only while there is no WAN.
    pub is_numbering: bool,
}

/// What a value may be.
#[derive(Clone, Copy)]
pub enum Kind {
    OneOf(&'static [&'static str]),
    /// Least and most; so with the next three.
    Number((u32, u32)),
    /// In seconds.
    Time((u32, u32)),
    /// In milliseconds.
    Moment((u32, u32)),
    /// In per cent.
    Percent((u32, u32)),
    /// From 1 to so much; 0 is by capacity.
    Weight(u32),
    Mask,
    /// 0 is learned.
    Rate,
    /// 0.0.0.0 is learned.
    Address,
    Device,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(u64),
    Text(String),
}

impl Setting {
    const fn new(kind: Kind, name: &'static str, attr: u16, default: u32) -> Self {
        Self {
            name,
            attr,
            reported: attr,
            kind,
            default,
            learned: None,
            is_numbering: false,
        }
    }

    /// What it is if nobody has set it; a device is always set.
    pub fn default(&self) -> Option<Value> {
        match self.kind {
            Kind::Device => None,
            _ => Some(Value::Number(self.default.into())),
        }
    }

    /// What the kernel reports; None if it does not know the setting.
    pub fn read(&self, attrs: &HashMap<u16, &[u8]>) -> Option<Value> {
        let auto = self.learned.is_some_and(|flag| attrs.contains_key(&flag));
        // A module that is older does not tell what was given from what was seen, but whether any of it was seen only.
        let is_seen = attrs.contains_key(&A_WAN_CAPACITY_LEARNED);
        let given = || attrs.get(&self.attr).filter(|_| !is_seen);
        let value = attrs.get(&self.reported).or_else(given);
        let value = value.filter(|_| !auto);
        let number = match (self.kind, value) {
            (Kind::Device, value) => return Some(Value::Text(message::read_string(value?))),
            (Kind::Address | Kind::Rate | Kind::Weight(_), None) => 0,
            (Kind::Address, Some(value)) => u32::from(message::read_ipv4(value)?).into(),
            (Kind::Rate, Some(value)) => message::read_u64(value)?,
            (_, value) => message::read_u32(value?)?.into(),
        };
        Some(Value::Number(number))
    }

    pub fn attr(&self, value: &Value) -> DefaultNla {
        match (self.kind, value) {
            (_, Value::Text(text)) => message::string(self.attr, text),
            (Kind::Rate, Value::Number(bps)) => message::u64(self.attr, *bps),
            (Kind::Address, Value::Number(_)) => message::ipv4(self.attr, address(value)),
            (_, Value::Number(number)) => message::u32(self.attr, *number as u32),
        }
    }

    /// Reads what a file has in quotes.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let number = match self.kind {
            Kind::Device => return device(text).map(|()| Value::Text(text.into())),
            Kind::OneOf(names) => match names.iter().position(|name| *name == text) {
                Some(at) => at as u64,
                None => return Err(format!("write one of {}", quoted(names))),
            },
            Kind::Rate | Kind::Address | Kind::Weight(_) if text == AUTO => 0,
            Kind::Rate => return self.number(rate::parse(text)?),
            Kind::Address => u32::from(address_of(text)?).into(),
            Kind::Time(_) => return self.number(time::parse(text)?.into()),
            Kind::Moment(_) => return self.number(time::parse_ms(text)?.into()),
            Kind::Percent(..) => return self.number(percent::parse(text)?.into()),
            Kind::Weight(_) => return Err("write a number, without quotes, or \"auto\"".into()),
            Kind::Mask => return Err("write a mask as 0xff000000, without quotes".into()),
            Kind::Number(..) => return Err("write a number, without quotes".into()),
        };
        Ok(Value::Number(number))
    }

    /// Takes what a file has as a number.
    pub fn number(&self, number: u64) -> Result<Value, String> {
        let is_beyond = |(min, max): (u32, u32)| number < min.into() || number > max.into();
        match self.kind {
            Kind::Number((min, max)) if is_beyond((min, max)) => {
                Err(format!("write a number from {min} to {max}"))
            }
            Kind::Time(limits) if is_beyond(limits) => {
                let (min, max) = (time::display(limits.0), time::display(limits.1));
                Err(format!("write a time from {min} to {max}"))
            }
            Kind::Moment(limits) if is_beyond(limits) => {
                let (min, max) = (time::display_ms(limits.0), time::display_ms(limits.1));
                Err(format!("write a time from {min} to {max}"))
            }
            Kind::Percent((min, max)) if is_beyond((min, max)) => {
                Err(format!("write a share from {min}% to {max}%"))
            }
            Kind::Weight(max) if !(1..=max.into()).contains(&number) => {
                Err(format!("write a number from 1 to {max}, or \"auto\""))
            }
            Kind::Mask if u32::try_from(number).ok().and_then(Marks::new).is_none() => {
                Err("a mask has three bits at least, and no gap, as 0xff000000".into())
            }
            Kind::Rate if number == 0 => {
                Err(r#"a line carries something; write "auto" to have it learned"#.into())
            }
            Kind::Rate if number > RATE_MAX => {
                Err(format!("the highest rate is {}", rate::exact(RATE_MAX)))
            }
            Kind::OneOf(names) => Err(format!("write one of {}", quoted(names))),
            Kind::Address => Err(r#"write an address as "192.0.2.1", or "auto""#.into()),
            Kind::Device => Err(r#"write the name of a device as "eth1""#.into()),
            _ => Ok(Value::Number(number)),
        }
    }

    /// As people read it.
    pub fn text(&self, value: &Value) -> String {
        match (self.kind, value) {
            (_, Value::Text(text)) => text.clone(),
            (Kind::Rate | Kind::Address | Kind::Weight(_), Value::Number(0)) => AUTO.into(),
            (Kind::Rate, Value::Number(bps)) => rate::exact(*bps),
            (Kind::Address, Value::Number(_)) => address(value).to_string(),
            (Kind::Time(_), Value::Number(seconds)) => time::display(*seconds as u32),
            (Kind::Moment(_), Value::Number(ms)) => time::display_ms(*ms as u32),
            (Kind::Percent(..), Value::Number(percent)) => format!("{percent}%"),
            (Kind::Mask, Value::Number(mask)) => format!("{mask:#010x}"),
            (Kind::OneOf(names), Value::Number(at)) => match names.get(*at as usize) {
                Some(name) => (*name).into(),
                // A newer kernel may know more of them.
                None => at.to_string(),
            },
            (Kind::Number(..) | Kind::Weight(_) | Kind::Device, Value::Number(number)) => {
                number.to_string()
            }
        }
    }

    /// As a file has it.
    pub fn toml(&self, value: &Value) -> String {
        match (self.kind, value) {
            (Kind::Weight(_), Value::Number(1..)) => self.text(value),
            (Kind::Number(..) | Kind::Mask, _) => self.text(value),
            _ => toml_string(&self.text(value)),
        }
    }
}

const fn one_of(name: &'static str, attr: u16, names: &'static [&'static str]) -> Setting {
    Setting::new(Kind::OneOf(names), name, attr, 0)
}

const fn time(name: &'static str, attr: u16, limits: (u32, u32), default_s: u32) -> Setting {
    Setting::new(Kind::Time(limits), name, attr, default_s)
}

const fn moment(name: &'static str, attr: u16, limits: (u32, u32), default_ms: u32) -> Setting {
    Setting::new(Kind::Moment(limits), name, attr, default_ms)
}

const fn share(name: &'static str, attr: u16, limits: (u32, u32), default: u32) -> Setting {
    Setting::new(Kind::Percent(limits), name, attr, default)
}

const fn numbering(kind: Kind, name: &'static str, attr: u16, default: u32) -> Setting {
    Setting {
        is_numbering: true,
        ..Setting::new(kind, name, attr, default)
    }
}

/// What a line can carry may be more than was said; that is told apart.
const fn capacity(name: &'static str, attr: u16, given: u16) -> Setting {
    Setting {
        reported: given,
        ..Setting::new(Kind::Rate, name, attr, 0)
    }
}

/// The address that a value is; not that of a text.
pub fn address(value: &Value) -> Ipv4Addr {
    match value {
        Value::Number(number) => Ipv4Addr::from(*number as u32),
        Value::Text(_) => Ipv4Addr::UNSPECIFIED,
    }
}

fn address_of(text: &str) -> Result<Ipv4Addr, String> {
    let addr: Ipv4Addr = text
        .parse()
        .map_err(|_| r#"write an address as "192.0.2.1", or "auto""#)?;
    match addr.is_multicast() || addr.is_broadcast() || addr.is_loopback() {
        true => Err("the gateway is not a unicast address".into()),
        false => Ok(addr),
    }
}

/// What the kernel takes for the name of a device that can be a WAN.
pub fn device(name: &str) -> Result<(), String> {
    let is_odd = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | ':' | '\0' | '\x0b');
    if matches!(name, "" | "." | "..") || name.len() > 15 || name.contains(is_odd) {
        return Err("no device can have this name".into());
    }
    match name {
        "lo" => Err("the loopback device is no WAN".into()),
        _ => Ok(()),
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

pub fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{attributes, emitted};
    use netlink_packet_core::Nla;

    fn by_name(name: &str) -> &'static Setting {
        static ALL: [&[Setting]; 2] = [&CONFIG, &WAN];
        let mut all = ALL.into_iter().flatten();
        all.find(|setting| setting.name == name).unwrap()
    }

    #[test]
    fn the_manual_has_all_of_them() {
        let manual = include_str!("../mwb.8");
        let (_, section) = manual.split_once(".SH CONFIGURATION FILE").unwrap();
        let (section, _) = section.split_once(".SH").unwrap();
        let (_, config) = section.split_once(".B [config]").unwrap();
        let (config, wan) = config.split_once(".BI [wan.").unwrap();
        for (settings, text) in [(&CONFIG[..], config), (&WAN[..], wan)] {
            for name in settings
                .iter()
                .map(|setting| setting.name.replace('-', "\\-"))
            {
                let mut words = text.split([' ', '\n', ',']);
                assert!(
                    words.any(|word| word.trim_end_matches("\\~") == name),
                    "{name}"
                );
            }
        }
    }

    /// What the kernel reports when it was told a value.
    fn reported(setting: &Setting, value: &Value) -> Option<Value> {
        let told = setting.attr(value);
        let mut bytes = vec![0; told.value_len()];
        told.emit_value(&mut bytes);
        let bytes = emitted(&[DefaultNla::new(setting.reported, bytes)]);
        setting.read(&attributes(&bytes).collect())
    }

    #[test]
    fn reads_what_it_writes() {
        for (name, written) in [
            ("granularity", "pair"),
            ("pair-timeout", "1h"),
            ("mode", "two-choices"),
            ("interval", "100ms"),
            ("interval", "2s"),
            ("average", "1m"),
            ("threshold", "90%"),
            ("credit-cap", "0%"),
            ("weight", "auto"),
            ("failback", "all"),
            ("dev", "eth0.7"),
            ("gateway", "192.0.2.1"),
            ("gateway", "auto"),
            ("up", "1500kbit"),
            ("down", "auto"),
            ("admin", "drain"),
        ] {
            let setting = by_name(name);
            let value = setting.parse(written).unwrap();
            assert_eq!(setting.text(&value), written);
            assert_eq!(setting.toml(&value), format!("{written:?}"));
            assert_eq!(reported(setting, &value), Some(value));
        }
        for (name, number, written) in [
            ("mark-mask", 0xff00, "0x0000ff00"),
            ("rule-pref", 100, "100"),
            ("table", 4_000_000_000, "4000000000"),
            ("tier", 16, "16"),
            ("weight", 1_000_000, "1000000"),
        ] {
            let setting = by_name(name);
            let value = setting.number(number).unwrap();
            assert_eq!(setting.toml(&value), written);
            assert_eq!(reported(setting, &value), Some(value));
        }
    }

    #[test]
    fn refuses_what_the_kernel_would() {
        for (name, text, words) in [
            ("granularity", "host", r#""connection", "pair""#),
            ("pair-timeout", "8d", "from 1s to 7d"),
            ("pair-timeout", "0s", "from 1s to 7d"),
            ("pair-timeout", "10min", "10m"),
            ("mark-mask", "0xff", "without quotes"),
            ("tier", "2", "without quotes"),
            ("weight", "2", "without quotes"),
            ("interval", "49ms", "from 50ms to 2s"),
            ("interval", "200", "200ms"),
            ("average", "61s", "from 50ms to 1m"),
            ("threshold", "0%", "from 1% to 100%"),
            ("exit", "101", "from 1% to 100%"),
            ("credit-cap", "1001%", "from 0% to 1000%"),
            ("exit", "8,5%", "85%"),
            ("dev", "a/b", "no device"),
            ("dev", "a device", "no device"),
            ("dev", "sixteen-letters!", "no device"),
            ("dev", "lo", "loopback"),
            ("gateway", "224.0.0.1", "unicast"),
            ("gateway", "127.0.0.1", "unicast"),
            ("gateway", "2001:db8::1", "192.0.2.1"),
            ("up", "20m", "20mbit"),
            ("up", "0", "auto"),
            ("up", "11tbit", "10tbit"),
        ] {
            let why = by_name(name).parse(text).unwrap_err();
            assert!(why.contains(words), "{name} {text}: {why}");
        }
        for (name, number, words) in [
            ("mark-mask", 0xff, None),
            ("mark-mask", 5, Some("no gap")),
            ("mark-mask", 0x1_ff00_0000, Some("no gap")),
            ("rule-pref", 0, Some("1 to 32000")),
            ("table", 255, Some("256 to 4000000000")),
            ("tier", 17, Some("1 to 16")),
            ("weight", 0, Some("auto")),
            ("weight", 1_000_001, Some("auto")),
            ("threshold", 90, None),
            ("up", 0, Some("auto")),
            ("up", 5_000_000, None),
            ("pair-timeout", 600, None),
            ("gateway", 1, Some("192.0.2.1")),
            ("dev", 1, Some("eth1")),
            ("admin", 1, Some("drain")),
        ] {
            let why = by_name(name).number(number).err();
            let as_expected = match (&why, words) {
                (Some(why), Some(words)) => why.contains(words),
                (why, words) => why.is_none() && words.is_none(),
            };
            assert!(as_expected, "{name} {number}: {why:?}");
        }
    }

    #[test]
    fn what_is_learned_is_not_set() {
        let gateway = by_name("gateway");
        let found = [
            message::ipv4(A_WAN_GATEWAY4, [192, 0, 2, 1].into()),
            message::flag(A_WAN_GATEWAY_LEARNED),
        ];
        for (attrs, text) in [
            (&found[..], "auto"),
            (&found[..1], "192.0.2.1"),
            (&[], "auto"),
        ] {
            let bytes = emitted(attrs);
            let value = gateway.read(&attributes(&bytes).collect()).unwrap();
            assert_eq!(gateway.text(&value), text);
        }
    }

    #[test]
    fn what_the_kernel_does_not_know_is_not_read() {
        let newer = [message::u32(A_CONFIG_GRANULARITY, 99)];
        let bytes = emitted(&newer);
        let attrs = attributes(&bytes).collect();
        let [granularity, timeout, ..] = &CONFIG;
        let value = granularity.read(&attrs).unwrap();
        assert_eq!(granularity.text(&value), "99");
        assert_eq!(timeout.read(&attrs), None);
    }

    #[test]
    fn options_are_called_alike() {
        use clap::Args;
        let set = crate::config_set::Args::augment_args(clap::Command::new("set"));
        let wan = crate::wan_set::Args::augment_args(clap::Command::new("set"));
        let names = |command: &clap::Command, but: &str| {
            let longs = command.get_arguments().filter_map(|arg| arg.get_long());
            let mut names: Vec<_> = longs
                .filter(|long| *long != but)
                .map(String::from)
                .collect();
            names.sort();
            names
        };
        let sorted = |settings: &[Setting]| {
            let mut names: Vec<_> = settings.iter().map(|s| s.name.to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&set, ""), sorted(&CONFIG));
        assert_eq!(names(&wan, "health"), sorted(&WAN));
    }
}
