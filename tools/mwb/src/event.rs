// SPDX-License-Identifier: GPL-2.0

//! What is told of a WAN: one line of `mwb monitor`, as text and as JSON.

use crate::clock::Time;
use crate::message::{self, attributes};
use crate::rate;
use crate::table::{known, printable};
use crate::uapi::*;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::Ipv4Addr;

#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Add,
    Del,
    /// Of its state, its reason or its gateway.
    Change,
    /// Of what is asked of it.
    Set,
    /// Its upload went above the threshold, or is no longer.
    Overload,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Event {
    event: Kind,
    time: Time,
    name: String,
    id: u32,
    dev: String,
    ifindex: Option<u32>,
    gateway: Option<Ipv4Addr>,
    gateway_learned: bool,
    up_given_bps: Option<u64>,
    down_given_bps: Option<u64>,
    tier: Option<u32>,
    weight: Option<u32>,
    admin: Option<&'static str>,
    health: Option<&'static str>,
    state: Option<&'static str>,
    old_state: Option<&'static str>,
    reason: Option<&'static str>,
    up_overload: bool,
    /// The measured upload, with an overload.
    up_bps: Option<u64>,
    /// What is new of what is asked of it.
    #[serde(skip)]
    news: String,
}

impl Event {
    /// Reads what came in at `now`. None if it is what only a newer kernel tells.
    pub fn parse(command: u8, attrs: &[u8], now: Time) -> Option<Self> {
        let event = kind(command)?;
        let value = |wanted| {
            let mut attrs = attributes(attrs);
            attrs.find(|(kind, _)| *kind == wanted).map(|attr| attr.1)
        };
        let u64 = |kind| value(kind).and_then(message::read_u64);
        let read_u32 = |kind| value(kind).and_then(message::read_u32);
        let read_string = |kind| value(kind).map(message::read_string).unwrap_or_default();
        let read_enum = |kind, names| message::read_enum(names, value(kind)?);
        let state = read_enum(A_WAN_STATE, &WAN_STATE_NAMES);
        let old_state = read_enum(A_WAN_OLD_STATE, &WAN_STATE_NAMES);
        // The kernel keeps the time of what is a change of state, and of nothing else.
        let changed = u64(A_WAN_CHANGED_NS).filter(|_| event == Kind::Change && old_state != state);
        Some(Self {
            event,
            time: changed.and_then(Time::from_ns).unwrap_or(now),
            name: read_string(A_WAN_NAME),
            id: read_u32(A_WAN_ID).unwrap_or_default(),
            dev: read_string(A_WAN_DEV),
            ifindex: read_u32(A_WAN_IFINDEX),
            gateway: value(A_WAN_GATEWAY4).and_then(message::read_ipv4),
            gateway_learned: value(A_WAN_GATEWAY_LEARNED).is_some(),
            up_given_bps: u64(A_WAN_UP_GIVEN_BPS),
            down_given_bps: u64(A_WAN_DOWN_GIVEN_BPS),
            tier: read_u32(A_WAN_TIER),
            weight: value(A_WAN_WEIGHT).and_then(message::read_u32),
            admin: read_enum(A_WAN_ADMIN, &WAN_ADMIN_NAMES),
            health: read_enum(A_WAN_HEALTH, &WAN_HEALTH_NAMES),
            state,
            old_state,
            reason: read_enum(A_WAN_REASON, &WAN_REASON_NAMES),
            up_overload: value(A_WAN_UP_OVERLOAD).is_some(),
            up_bps: u64(A_WAN_UP_BPS).filter(|_| event == Kind::Overload),
            news: String::new(),
        })
    }

    /// What has become of the WANs between two looks at them, as the kernel would have told it one by one. Each
    /// of `new` was read at `now`, as a change.
    pub fn between(old: &[Self], new: &[Self], now: Time) -> Vec<Self> {
        let find = |among: &[Self], wan: &Self| among.iter().find(|other| wan.is(other)).cloned();
        let gone = old.iter().filter(|wan| find(new, wan).is_none());
        let gone = gone.map(|wan| wan.clone().told(Kind::Del, wan.state, now));
        let rest = new.iter().flat_map(|wan| match find(old, wan) {
            None => vec![wan.clone().told(Kind::Add, None, now)],
            Some(was) => wan.since(&was, now),
        });
        gone.chain(rest).collect()
    }

    /// What has become of it since it was as `was`.
    fn since(&self, was: &Self, now: Time) -> Vec<Self> {
        let is_set = self.asked() != was.asked();
        let is_overload = self.up_overload != was.up_overload;
        let found = |wan: &Self| (wan.state, wan.reason, wan.gateway, wan.ifindex);
        let changed = match self.state == was.state {
            true => now,
            false => self.time,
        };
        [
            is_set.then(|| self.clone().told(Kind::Set, None, now).after(was)),
            (found(self) != found(was))
                .then(|| self.clone().told(Kind::Change, was.state, changed)),
            is_overload.then(|| self.clone().told(Kind::Overload, None, now)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What is asked of it, as `mwb wan set` takes it, and a health check has reported.
    fn asked(&self) -> [(&'static str, String); 8] {
        let auto = |value: Option<String>| value.unwrap_or("auto".into());
        let name = |name: Option<&str>| name.unwrap_or("unknown").into();
        let gateway = self.gateway.filter(|_| !self.gateway_learned);
        [
            ("dev", printable(&self.dev)),
            ("gateway", auto(gateway.map(|addr| addr.to_string()))),
            ("up", auto(self.up_given_bps.map(rate::exact))),
            ("down", auto(self.down_given_bps.map(rate::exact))),
            ("tier", known(self.tier)),
            ("weight", auto(self.weight.map(|n| n.to_string()))),
            ("admin", name(self.admin)),
            ("health", name(self.health)),
        ]
    }

    /// The same, which says what is new of what is asked.
    fn after(self, was: &Self) -> Self {
        let rows = self.asked().into_iter().zip(was.asked());
        let news = rows.filter(|(new, old)| new != old);
        let news: Vec<_> = news.map(|((key, new), _)| format!("{key} {new}")).collect();
        Self {
            news: news.join(", "),
            ..self
        }
    }

    /// Has `wans` follow, and says what is new.
    pub fn following(self, wans: &mut Vec<Self>) -> Self {
        let was = wans.iter().find(|wan| self.is(wan)).cloned();
        self.apply(wans);
        match was {
            Some(was) if self.event == Kind::Set => self.after(&was),
            _ => self,
        }
    }

    fn told(self, event: Kind, old_state: Option<&'static str>, time: Time) -> Self {
        Self {
            event,
            time,
            old_state,
            ..self
        }
    }

    /// Whether both are about the same WAN; a number or a name alone may be that of a later one.
    fn is(&self, other: &Self) -> bool {
        (self.id, &self.name) == (other.id, &other.name)
    }

    /// Whether none of these, of which there are some, is up.
    pub fn none_up(wans: &[Self]) -> bool {
        !wans.is_empty() && wans.iter().all(|wan| wan.state != Some("up"))
    }

    /// Makes `wans` what they are after it.
    fn apply(&self, wans: &mut Vec<Self>) {
        wans.retain(|wan| !self.is(wan));
        match self.event {
            Kind::Del => {}
            _ => wans.push(self.clone()),
        }
    }

    /// The line, as `ip -ts monitor` begins it.
    pub fn text(&self, zone: TimeZone) -> String {
        let (time, name) = (self.time.text(zone), printable(&self.name));
        format!("[{time}] wan {name}{}\n", self.news())
    }

    fn news(&self) -> String {
        let [state, old_state, reason] =
            [self.state, self.old_state, self.reason].map(|name| name.unwrap_or("unknown"));
        match (self.event, self.gateway) {
            (Kind::Del, _) => " removed".into(),
            (Kind::Set, _) => format!(" set: {}", self.news),
            (Kind::Overload, _) => {
                let longer = if self.up_overload { "" } else { " no longer" };
                format!(": upload{longer} above the threshold{}", self.use_text())
            }
            (Kind::Add, _) => format!(" added: {state} ({reason})"),
            (Kind::Change, _) if old_state != state => {
                format!(": {old_state} -> {state} ({reason})")
            }
            (Kind::Change, Some(gateway)) => format!(": still {state} ({reason}) via {gateway}"),
            (Kind::Change, None) => format!(": still {state} ({reason})"),
        }
    }

    fn use_text(&self) -> String {
        let [up, of] = [self.up_bps, self.up_given_bps].map(|bps| bps.map(rate::display));
        match (up, of) {
            (Some(up), Some(of)) => format!(" ({up} of {of})"),
            _ => String::new(),
        }
    }
}

fn kind(command: u8) -> Option<Kind> {
    Some(match command {
        CMD_WAN_ADD_NTF => Kind::Add,
        CMD_WAN_DEL_NTF => Kind::Del,
        CMD_WAN_CHANGE_NTF => Kind::Change,
        CMD_WAN_SET_NTF => Kind::Set,
        CMD_WAN_OVERLOAD_NTF => Kind::Overload,
        _ => return None,
    })
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, flag, ipv4, string, u32, u64};
    use netlink_packet_core::DefaultNla;

    const NOW_NS: u64 = 1_795_359_900_000_000_000;
    const CHANGED_NS: u64 = 1_795_359_845_123_456_789;

    pub fn attrs() -> Vec<DefaultNla> {
        vec![
            string(A_WAN_NAME, "dsl"),
            u32(A_WAN_ID, 3),
            string(A_WAN_DEV, "eth1"),
            u32(A_WAN_IFINDEX, 7),
            ipv4(A_WAN_GATEWAY4, Ipv4Addr::new(192, 0, 2, 1)),
            u64(A_WAN_UP_GIVEN_BPS, 10_000_000),
            u64(A_WAN_DOWN_GIVEN_BPS, 50_000_000),
            u32(A_WAN_TIER, 2),
            u32(A_WAN_WEIGHT, 40),
            u32(A_WAN_ADMIN, WAN_ADMIN_ENABLED),
            u32(A_WAN_HEALTH, WAN_HEALTH_ALIVE),
            u32(A_WAN_STATE, WAN_STATE_NO_CARRIER),
            u32(A_WAN_REASON, WAN_REASON_CARRIER),
            u32(A_WAN_OLD_STATE, WAN_STATE_UP),
            u64(A_WAN_UP_BPS, 9_100_000),
            flag(A_WAN_UP_OVERLOAD),
            u64(A_WAN_CHANGED_NS, CHANGED_NS),
        ]
    }

    fn parsed(command: u8, attrs: &[u8]) -> Option<Event> {
        Event::parse(command, attrs, Time::from_ns(NOW_NS)?)
    }

    fn text(command: u8, attrs: &[DefaultNla]) -> String {
        let event = parsed(command, &emitted(attrs)).unwrap();
        event.text(TimeZone::UTC)
    }

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let event = parsed(CMD_WAN_CHANGE_NTF, attrs).unwrap();
        let json = serde_json::to_value(&event).unwrap();
        (json, event.text(TimeZone::UTC))
    }

    #[test]
    fn json_has_all() {
        let event = parsed(CMD_WAN_CHANGE_NTF, &emitted(&attrs())).unwrap();
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            concat!(
                r#"{"event":"change","time":1795359845.123456,"name":"dsl","id":3,"dev":"eth1","#,
                r#""ifindex":7,"gateway":"192.0.2.1","gateway_learned":false,"#,
                r#""up_given_bps":10000000,"down_given_bps":50000000,"tier":2,"weight":40,"#,
                r#""admin":"enabled","health":"alive","state":"no-carrier","old_state":"up","#,
                r#""reason":"carrier","up_overload":true,"up_bps":null}"#
            )
        );
    }

    #[test]
    fn state_changes_have_their_own_time() {
        assert_eq!(
            text(CMD_WAN_CHANGE_NTF, &attrs()),
            "[2026-11-22T15:04:05.123456] wan dsl: up -> no-carrier (carrier)\n"
        );
    }

    #[test]
    fn all_else_has_the_time_of_its_arrival() {
        let mut same = attrs();
        same.retain(|attr| *attr != u32(A_WAN_OLD_STATE, WAN_STATE_UP));
        same.push(u32(A_WAN_OLD_STATE, WAN_STATE_NO_CARRIER));
        for (command, attrs, news) in [
            (CMD_WAN_ADD_NTF, attrs(), " added: no-carrier (carrier)"),
            (CMD_WAN_DEL_NTF, attrs(), " removed"),
            (
                CMD_WAN_CHANGE_NTF,
                same,
                ": still no-carrier (carrier) via 192.0.2.1",
            ),
        ] {
            let line = format!("[2026-11-22T15:05:00.000000] wan dsl{news}\n");
            assert_eq!(text(command, &attrs), line);
        }
    }

    #[test]
    fn overload_has_the_measured_rate() {
        let mut attrs = attrs();
        assert_eq!(
            text(CMD_WAN_OVERLOAD_NTF, &attrs),
            "[2026-11-22T15:05:00.000000] wan dsl: upload above the threshold (9.1Mbit of 10Mbit)\n"
        );
        let event = parsed(CMD_WAN_OVERLOAD_NTF, &emitted(&attrs)).unwrap();
        let json = serde_json::to_string(&event).unwrap();
        assert!(
            json.contains(r#""up_overload":true,"up_bps":9100000"#),
            "{json}"
        );
        attrs.retain(|attr| *attr != flag(A_WAN_UP_OVERLOAD));
        assert_eq!(
            text(CMD_WAN_OVERLOAD_NTF, &attrs),
            "[2026-11-22T15:05:00.000000] wan dsl: upload no longer above the threshold (9.1Mbit of 10Mbit)\n"
        );
    }

    #[test]
    fn of_what_is_asked_only_what_is_new() {
        let mut wans = vec![];
        let set = |attrs: &[DefaultNla]| parsed(CMD_WAN_SET_NTF, &emitted(attrs)).unwrap();
        set(&attrs()).following(&mut wans);
        let mut new = attrs();
        new.retain(|attr| *attr != u64(A_WAN_UP_GIVEN_BPS, 10_000_000));
        new.push(flag(A_WAN_GATEWAY_LEARNED));
        let event = set(&new).following(&mut wans);
        assert_eq!(
            event.text(TimeZone::UTC),
            "[2026-11-22T15:05:00.000000] wan dsl set: gateway auto, up auto\n"
        );
        assert_eq!(wans.len(), 1);
        assert_eq!(wans[0].up_given_bps, None);
    }

    #[test]
    fn what_was_missed_is_the_difference() {
        let wan = |id, state, changed_ns| {
            let attrs = [
                string(A_WAN_NAME, &format!("wan{id}")),
                u32(A_WAN_ID, id),
                u32(A_WAN_STATE, state),
                u64(A_WAN_CHANGED_NS, changed_ns),
            ];
            parsed(CMD_WAN_CHANGE_NTF, &emitted(&attrs)).unwrap()
        };
        let gateway = |id| Event {
            gateway: Some([192, 0, 2, 1].into()),
            gateway_learned: true,
            ..wan(id, WAN_STATE_UP, 1)
        };
        let mut wans = vec![];
        for id in [1, 2, 3, 4, 6] {
            wan(id, WAN_STATE_UP, 1).apply(&mut wans);
        }
        let new = [
            wan(1, WAN_STATE_UP, 1),
            wan(2, WAN_STATE_DOWN, CHANGED_NS),
            gateway(3),
            wan(5, WAN_STATE_DEAD, CHANGED_NS),
            Event {
                tier: Some(7),
                up_overload: true,
                ..wan(6, WAN_STATE_UP, 1)
            },
        ];
        let now = Time::from_ns(NOW_NS).unwrap();
        let missed = Event::between(&wans, &new, now);
        let text: Vec<_> = missed.iter().map(|e| e.text(TimeZone::UTC)).collect();
        assert_eq!(
            text.concat(),
            "\
[2026-11-22T15:05:00.000000] wan wan4 removed
[2026-11-22T15:04:05.123456] wan wan2: up -> down (unknown)
[2026-11-22T15:05:00.000000] wan wan3: still up (unknown) via 192.0.2.1
[2026-11-22T15:05:00.000000] wan wan5 added: dead (unknown)
[2026-11-22T15:05:00.000000] wan wan6 set: tier 7
[2026-11-22T15:05:00.000000] wan wan6: upload above the threshold
"
        );
        for event in &missed {
            event.apply(&mut wans);
        }
        assert_eq!(Event::between(&wans, &new, now), []);
    }

    #[test]
    fn tolerates_what_is_missing_or_unknown() {
        assert_eq!(parsed(CMD_WAN_GET, &emitted(&attrs())), None);
        let name = [
            string(A_WAN_NAME, "\x1b[2J"),
            u32(A_WAN_STATE, u32::MAX),
            u32(A_WAN_MAX + 1, 7),
        ];
        assert_eq!(
            text(CMD_WAN_CHANGE_NTF, &name),
            "[2026-11-22T15:05:00.000000] wan ?[2J: still unknown (unknown)\n"
        );
        let event = parsed(CMD_WAN_DEL_NTF, &emitted(&name)).unwrap();
        let json = serde_json::to_value(&event).unwrap();
        for key in ["gateway", "admin", "health", "state", "old_state", "reason"] {
            assert!(json[key].is_null(), "{key}");
        }
    }

    #[test]
    fn takes_no_value_that_is_cut_off_or_misshapen() {
        let whole = emitted(&attrs());
        for length in 0..whole.len() {
            let event = parsed(CMD_WAN_CHANGE_NTF, &whole[..length]).unwrap();
            assert!(["", "dsl"].contains(&&*event.name));
            assert_eq!(Some(event.time), Time::from_ns(NOW_NS));
        }
        for bytes in misshapen(&attrs()) {
            let event = parsed(CMD_WAN_CHANGE_NTF, &bytes).unwrap();
            assert_eq!((event.id, event.gateway, event.state), (0, None, None));
        }
    }
}
