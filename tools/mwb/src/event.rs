// SPDX-License-Identifier: GPL-2.0

//! An event as the kernel tells it: one line of `mwb monitor`, as text and as JSON.

use crate::clock::Time;
use crate::message::{self, attributes};
use crate::table::printable;
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
    Change,
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
    tier: Option<u32>,
    admin: Option<&'static str>,
    health: Option<&'static str>,
    state: Option<&'static str>,
    old_state: Option<&'static str>,
    reason: Option<&'static str>,
}

impl Event {
    /// Reads what came in at `now`. None if it is what only a newer kernel tells.
    pub fn parse(command: u8, attrs: &[u8], now: Time) -> Option<Self> {
        let event = kind(command)?;
        let value = |wanted| {
            let mut attrs = attributes(attrs);
            attrs.find(|(kind, _)| *kind == wanted).map(|attr| attr.1)
        };
        let read_u32 = |kind| value(kind).and_then(message::read_u32);
        let read_string = |kind| value(kind).map(message::read_string).unwrap_or_default();
        let read_enum = |kind, names| message::read_enum(names, value(kind)?);
        let state = read_enum(A_WAN_STATE, &WAN_STATE_NAMES);
        let old_state = read_enum(A_WAN_OLD_STATE, &WAN_STATE_NAMES);
        // The kernel keeps the time of what is a change of state, and of nothing else.
        let changed = value(A_WAN_CHANGED_NS)
            .filter(|_| event == Kind::Change && old_state != state)
            .and_then(message::read_u64);
        Some(Self {
            event,
            time: changed.and_then(Time::from_ns).unwrap_or(now),
            name: read_string(A_WAN_NAME),
            id: read_u32(A_WAN_ID).unwrap_or_default(),
            dev: read_string(A_WAN_DEV),
            ifindex: read_u32(A_WAN_IFINDEX),
            gateway: value(A_WAN_GATEWAY4).and_then(message::read_ipv4),
            tier: read_u32(A_WAN_TIER),
            admin: read_enum(A_WAN_ADMIN, &WAN_ADMIN_NAMES),
            health: read_enum(A_WAN_HEALTH, &WAN_HEALTH_NAMES),
            state,
            old_state,
            reason: read_enum(A_WAN_REASON, &WAN_REASON_NAMES),
        })
    }

    /// What has become of the WANs between two looks at them, as the kernel would have told it one by one. Each
    /// of `new` was read at `now`, as a change.
    pub fn between(old: &[Self], new: &[Self], now: Time) -> Vec<Self> {
        let find = |among: &[Self], wan: &Self| among.iter().find(|other| wan.is(other)).cloned();
        let gone = old.iter().filter(|wan| find(new, wan).is_none());
        let gone = gone.map(|wan| wan.clone().told(Kind::Del, wan.state, now));
        let rest = new.iter().filter_map(|wan| match find(old, wan) {
            None => Some(wan.clone().told(Kind::Add, None, now)),
            Some(was) if was.clone().told(wan.event, wan.old_state, wan.time) == *wan => None,
            Some(was) if was.state == wan.state => {
                Some(wan.clone().told(Kind::Change, was.state, now))
            }
            Some(was) => Some(wan.clone().told(Kind::Change, was.state, wan.time)),
        });
        gone.chain(rest).collect()
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

    /// Makes `wans` what they are after it.
    pub fn apply(&self, wans: &mut Vec<Self>) {
        wans.retain(|wan| !self.is(wan));
        match self.event {
            Kind::Add | Kind::Change => wans.push(self.clone()),
            Kind::Del => {}
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
            (Kind::Add, _) => format!(" added: {state} ({reason})"),
            (Kind::Change, _) if old_state != state => {
                format!(": {old_state} -> {state} ({reason})")
            }
            (Kind::Change, Some(gateway)) => format!(": still {state} ({reason}) via {gateway}"),
            (Kind::Change, None) => format!(": still {state} ({reason})"),
        }
    }
}

fn kind(command: u8) -> Option<Kind> {
    Some(match command {
        CMD_WAN_ADD_NTF => Kind::Add,
        CMD_WAN_DEL_NTF => Kind::Del,
        CMD_WAN_CHANGE_NTF => Kind::Change,
        _ => return None,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, ipv4, string, u32, u64};
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
            u32(A_WAN_TIER, 2),
            u32(A_WAN_ADMIN, WAN_ADMIN_ENABLED),
            u32(A_WAN_HEALTH, WAN_HEALTH_ALIVE),
            u32(A_WAN_STATE, WAN_STATE_NO_CARRIER),
            u32(A_WAN_REASON, WAN_REASON_CARRIER),
            u32(A_WAN_OLD_STATE, WAN_STATE_UP),
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
                r#""ifindex":7,"gateway":"192.0.2.1","tier":2,"admin":"enabled","health":"alive","#,
                r#""state":"no-carrier","old_state":"up","reason":"carrier"}"#
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
            ..wan(id, WAN_STATE_UP, 1)
        };
        let mut wans = vec![];
        for id in 1..=4 {
            wan(id, WAN_STATE_UP, 1).apply(&mut wans);
        }
        let new = [
            wan(1, WAN_STATE_UP, 1),
            wan(2, WAN_STATE_DOWN, CHANGED_NS),
            gateway(3),
            wan(5, WAN_STATE_DEAD, CHANGED_NS),
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
