// SPDX-License-Identifier: GPL-2.0

//! What reads that which others have written, for the fuzzer (tests/fuzz/tool): none of it may panic, and what was
//! read is the same when it is written and read again. The tests take the corpora through it that are kept.

use crate::answer::Answer;
use crate::apply_file::File;
use crate::clock::Time;
use crate::compat::{readers, Reader};
use crate::conntrack::Connection;
use crate::dump::{Dumped, Raw};
use crate::event::Event;
use crate::marks::Marks;
use crate::nft::Nft;
use crate::plan::plan;
use crate::policy_file::{by_clap, options, plain, split};
use crate::ports::Ports;
use crate::prefix::Prefix;
use crate::prometheus::{sample, text, Family, Type};
use crate::proto::Proto;
use crate::rtnetlink::{of_addr, of_route, of_rule, Link, Links};
use crate::setting::{self, Setting, Value};
use crate::state::{State, Wan};
use crate::uapi::RATE_MAX;
use crate::{config_set, connections, dscp, group_show, http, nft, prometheus};
use crate::{output, percent, policy_file, rate, save, table, time};
use clap::Command;
use netlink_packet_route::RouteNetlinkMessage;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Debug;
use std::str::from_utf8;
use toml::Spanned;

/// What is written is read as the same.
fn again<T: Debug + PartialEq>(read: fn(&str) -> Result<T, String>, written: &str, value: T) {
    assert_eq!(read(written), Ok(value), "{written}");
}

/// What options have for values.
pub fn values(data: &[u8]) {
    let Ok(text) = from_utf8(data) else {
        return;
    };
    if let Ok(bps) = rate::parse(text) {
        if bps <= RATE_MAX {
            again(rate::parse, &rate::exact(bps), bps);
        }
        rate::parse(&rate::display(bps)).unwrap();
    }
    if let Ok(seconds) = time::parse(text) {
        again(time::parse, &time::display(seconds), seconds);
    }
    if let Ok(ms) = time::parse_ms(text) {
        again(time::parse_ms, &time::display_ms(ms), ms);
    }
    if let Ok(share) = percent::parse(text) {
        again(percent::parse, &format!("{share}%"), share);
    }
    if let Ok(prefix) = Prefix::parse(text) {
        again(Prefix::parse, &prefix.to_string(), prefix);
        assert_eq!(
            Prefix::read(&prefix.octets(), Some(prefix.len())),
            Some(prefix)
        );
    }
    if let Ok(proto) = Proto::parse(text) {
        again(Proto::parse, &proto.to_string(), proto);
    }
    if let Ok(ports) = Ports::parse(text) {
        again(Ports::parse, &ports.to_string(), ports);
    }
    if let Ok(dscp) = dscp::parse(text) {
        again(dscp::parse, &dscp.to_string(), dscp);
    }
    if let Ok(mask) = config_set::mask(text) {
        again(config_set::mask, &format!("{mask:#010x}"), mask);
        if let Some(marks) = Marks::new(mask) {
            for id in 1..=marks.max_id() {
                assert_eq!(marks.id(marks.of(id)), id);
            }
        }
    }
    for setting in setting::CONFIG.iter().chain(&setting::WAN) {
        if let Ok(value) = setting.parse(text) {
            assert_eq!(
                setting.parse(&setting.text(&value)),
                Ok(value),
                "{setting:?}"
            );
        }
    }
    // No number has a sign; but a rate is what tc takes for one.
    if text.starts_with(['+', '-']) {
        assert!(time::parse(text).is_err() && percent::parse(text).is_err());
        assert!(Proto::parse(text).is_err() && Ports::parse(text).is_err());
        assert!(dscp::parse(text).is_err() && config_set::mask(text).is_err());
    }
}

/// The file of `mwb policy replace`.
pub fn policies(data: &[u8]) {
    if let Ok(lines) = policy_file::parse(data) {
        let policies: Vec<_> = lines.into_iter().map(|line| line.policy).collect();
        let written: Vec<_> = policies
            .iter()
            .map(|policy| format!("{policy}\n"))
            .collect();
        let lines = policy_file::parse(written.concat().as_bytes()).unwrap_or_default();
        let read: Vec<_> = lines.into_iter().map(|line| line.policy).collect();
        assert_eq!(read, policies);
    }
    thread_local!(static OPTIONS: RefCell<Command> = options().into());
    let words = from_utf8(data).map_or(vec![], |line| split(line).unwrap_or_default());
    if let Some(policy) = plain(&words) {
        let by_clap = OPTIONS.with_borrow_mut(|options| by_clap(&words, options));
        assert_eq!(by_clap, Ok(policy));
    }
}

/// The file of `mwb apply`.
pub fn config(data: &[u8]) {
    let Ok(text) = from_utf8(data) else {
        return;
    };
    let file = match File::parse("f".into(), text.into()) {
        Ok(file) => file,
        // A line for each fault, and one for those that are not shown.
        Err(why) => return assert!((1..=21).contains(&why.lines().count()), "{why}"),
    };
    let Some(state) = applied(&file) else {
        return;
    };
    for all in [false, true] {
        let written = save::toml(&state, all);
        let file = File::parse("f".into(), written.clone()).expect(&written);
        let changes = plan(&state, &file).ok().unwrap().changes;
        assert!(changes.is_empty(), "{}{written}", changes[0]);
    }
}

/// What the kernel has when a file was applied to nothing. None if it leaves numbers to choose.
fn applied(file: &File) -> Option<State> {
    let fresh = State {
        config: setting::CONFIG.iter().map(Setting::default).collect(),
        ..State::default()
    };
    plan(&fresh, file).ok()?;
    let values = |settings: &[Setting], values: &[Option<Spanned<Value>>]| {
        let value = |(setting, value): (&Setting, &Option<Spanned<Value>>)| match value {
            Some(value) => Some(value.get_ref().clone()),
            None => setting.default(),
        };
        settings.iter().zip(values).map(value).collect()
    };
    let wans = file.wans.iter().map(|wan| {
        Some(Wan {
            name: wan.name.get_ref().clone(),
            id: *wan.id.as_ref()?.get_ref(),
            values: values(&setting::WAN, &wan.values),
        })
    });
    let groups = file.groups.iter().map(|group| group_show::Group {
        name: group.name.get_ref().clone(),
        wans: group.wans.iter().map(|wan| wan.get_ref().clone()).collect(),
    });
    let mut policies: Vec<_> = file.policies.iter().map(|e| e.policy.clone()).collect();
    policies.sort_by_key(|policy| policy.selectors.rank());
    Some(State {
        config: values(&setting::CONFIG, &file.config),
        wans: wans.collect::<Option<_>>()?,
        groups: groups.collect(),
        policies,
    })
}

thread_local!(static READERS: Vec<Reader> = readers());

/// A datagram of the module's family.
pub fn answer(data: &[u8]) {
    const SEQUENCE: u32 = 7;
    let mut answer = Answer::to(data.to_vec());
    let _ = answer.take(data, SEQUENCE);
    let replies: Vec<_> = answer.replies().collect();
    let now = Time::now();
    for reply in replies {
        READERS.with(|readers| {
            for reader in readers {
                (reader.shown)(&reply.0);
            }
        });
        crate::family::Family::parse(&reply.0);
        for command in 0..=u8::MAX {
            Event::parse(command, &reply.0, now);
        }
    }
    if let Err(refusal) = answer.result() {
        assert!(!refusal.sentence.is_empty());
    }
}

/// The attributes of one reply; the first byte says who reads them.
pub fn attributes(data: &[u8]) {
    let Some((which, attrs)) = data.split_first() else {
        return;
    };
    READERS.with(|readers| {
        let reader = &readers[usize::from(*which) % readers.len()];
        let (json, _) = (reader.shown)(attrs);
        // Only the least digit of a fraction may be read as another.
        assert!(serde_json::from_str::<serde_json::Value>(&json.to_string()).is_ok());
    });
}

/// A datagram of ctnetlink.
pub fn conntrack(data: &[u8]) {
    let _ = Dumped::default().take(data, &mut |raw: Raw| {
        if let Some(connection) = Connection::parse(&raw.bytes) {
            connections::tests::shown(&connection);
        }
        Ok(true)
    });
}

/// A datagram of rtnetlink.
pub fn rtnetlink(data: &[u8]) {
    let mut links = Links::default();
    let mut addrs = Vec::new();
    let mut names = HashSet::new();
    let _ = Dumped::default().take(data, &mut |message: RouteNetlinkMessage| {
        match message {
            RouteNetlinkMessage::NewLink(link) => links.all.push(Link::from(link)),
            RouteNetlinkMessage::NewAddress(addr) => addrs.extend(of_addr(addr)),
            RouteNetlinkMessage::NewRule(rule) => drop(of_rule(rule)),
            RouteNetlinkMessage::NewRoute(route) => drop(of_route(route)),
            _ => {}
        }
        Ok(true)
    });
    for link in &mut links.all {
        let own = addrs.iter().filter(|(index, _)| *index == link.index);
        link.addrs = own.map(|(_, addr)| *addr).collect();
        names.insert(link.name.clone());
    }
    for name in &names {
        assert!(links.below(name).len() < links.all.len());
        for (_, addr) in &addrs {
            links.is_off(name, addr.peer);
        }
    }
}

/// A name, as the kernel or a user has it, in all that is printed.
pub fn names(data: &[u8]) {
    let name = crate::message::read_string(data);
    let samples = [sample([("wan", &name)], 1.0)];
    let family = Family::of(Type::Gauge, "mwb_wan_info", "What is known.", samples);
    let read = prometheus::tests::check(&text(&[family]));
    assert_eq!((read.len(), &read[0].1["wan"]), (1, &name));
    let json = serde_json::to_string(&name).unwrap();
    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), name);
    assert!(!output::one_line(&name).contains('\n'));
    assert!(!table::printable(&name).contains(char::is_control));
    let toml: toml::Table = format!("x = {}", setting::toml_string(&name))
        .parse()
        .unwrap();
    assert_eq!(toml["x"].as_str(), Some(&*name));
    let nft = Nft::default().masquerade(&name);
    assert_eq!(
        shlex::split(&nft).map(|words| words.len()),
        Some(2),
        "{nft}"
    );
}

/// What `nft -j list ruleset` prints.
pub fn ruleset(data: &[u8]) {
    let Ok(nft) = Nft::parse(&String::from_utf8_lossy(data)) else {
        return;
    };
    for dev in ["eth1", ""] {
        nft.cover(dev);
    }
    nft.has_nat();
    nft.mark_writers(0xff00_0000, |bits| bits == 0x0200_0000);
    let rules = nft.unknown_mark_writers().chain(nft.label_users());
    for rule in rules.collect::<Vec<_>>() {
        rule.delete();
        rule.place();
    }
    for (flowtable, dev) in nft.flowtables() {
        nft::is_named("eth1", dev);
        flowtable.delete(dev);
        flowtable.place();
    }
}

/// The head of a request to `mwb metrics --listen`.
pub fn request(data: &[u8]) {
    let Ok(head) = from_utf8(data) else {
        return;
    };
    let response = http::respond(head, || Ok("mwb_x 1\n".into()));
    let response = from_utf8(&response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 ") && body.len() < 100);
    // Nothing that the client sends comes back to it.
    assert!(head.lines().count() <= 5);
}

#[cfg(test)]
mod tests {
    /// Each file that the fuzzer has kept for one of them.
    fn corpus(name: &str, target: fn(&[u8])) {
        let dir = format!("{}/../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<_> = std::fs::read_dir(&dir).unwrap().collect();
        assert!(files.len() > 10, "{dir} has no corpus");
        for file in files {
            let path = file.unwrap().path();
            // Of a failure the name is shown.
            println!("{}", path.display());
            target(&std::fs::read(path).unwrap());
        }
    }

    macro_rules! corpora {
        ($($target:ident)*) => {$(
            #[test]
            fn $target() {
                corpus(stringify!($target), super::$target);
            }
        )*};
    }

    corpora!(values policies config answer attributes conntrack rtnetlink names ruleset request);
}
