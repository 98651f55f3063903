// SPDX-License-Identifier: GPL-2.0

//! The reconciler: brings rules and routes to what [`crate::mwb_route`] wants, and the WANs to the state
//! that follows. The only code that writes routes.
//!
//! Lock order: `Sync::client`, then the settings of the WANs.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    mwb_nf::Path,
    mwb_nlmsg::{
        Answer,
        Answers,
        Message, //
    },
    mwb_route::{
        self,
        Inputs,
        Object,
        Objects,
        Op,
        Rule,
        Uplink, //
    },
    mwb_wan::{
        Link,
        Setting, //
    },
    rust::{
        netdev::Device,
        netns::Owner,
        rtnetlink::{
            number::*,
            Socket, //
        },
        work::Task, //
    },
    uapi, //
};
use core::{
    net::IpAddr,
    sync::atomic::{
        AtomicU64,
        Ordering::Relaxed, //
    }, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// Groups whose messages may mean that a pass is due.
pub(crate) const GROUPS: &[u32] = &[
    RTNLGRP_LINK,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV4_RULE,
    // When rp_filter changes.
    RTNLGRP_IPV4_NETCONF,
];

/// As much as the kernel puts into one datagram of a dump.
const BUFFER_LEN: usize = 32 << 10;

/// When a pass failed, or met a dump that changed under it.
const RETRY_MS: u32 = 500;

/// When a pass found all in order: should a message be lost, nothing is wrong for longer than this.
const REPEAT_MS: u32 = 30_000;

/// Datagrams that one unread answer can consist of.
const MAX_LEFT: u32 = 10_000;

/// What a pass found of a WAN.
#[derive(Clone, Copy)]
struct State {
    id: u8,
    ifindex: u32,
    is_tunnel: bool,
    /// `uapi::WAN_STATE_*`
    state: u32,
}

/// When states are published: WANs go down before their routes do, and come up after them.
enum Phase<'a> {
    Before,
    /// `failed` are the tables that lack a route.
    After {
        failed: &'a [u32],
    },
}

/// Who asks the kernel.
struct Client {
    socket: Socket,
    buffer: KVVec<u8>,
}

impl Client {
    fn new(net: Owner) -> Result<Self> {
        Ok(Self {
            socket: Socket::client(net)?,
            buffer: KVVec::from_elem(0u8, BUFFER_LEN, GFP_KERNEL_ACCOUNT)?,
        })
    }

    fn request(&mut self, message: Message) -> Result {
        self.dump(message, |_, _| Ok(()))
    }

    /// Sends a request, and calls `f` for each object of the answer.
    fn dump(&mut self, mut request: Message, mut f: impl FnMut(u16, &[u8]) -> Result) -> Result {
        // An answer that was not read to its end is none of this request's.
        for _ in 0..MAX_LEFT {
            if self
                .socket
                .recv(&mut self.buffer)
                .is_err_and(|e| e == EAGAIN)
            {
                break;
            }
        }
        self.socket.send(request.finish()?)?;
        let mut outcome = Ok(());
        loop {
            // Read to the end also after an error, or the next answer would begin with the rest.
            for answer in Answers(self.socket.recv(&mut self.buffer)?) {
                match answer {
                    Answer::Object(kind, body) => outcome = outcome.and_then(|()| f(kind, body)),
                    Answer::Interrupted => outcome = Err(EAGAIN),
                    Answer::End(end) => return outcome.and(end),
                }
            }
        }
    }
}

/// The reconciler of an instance.
#[pin_data]
pub(crate) struct Sync {
    net: Owner,
    path: Arc<Path>,
    #[pin]
    client: Mutex<Client>,
    /// Passes so far.
    pub(crate) passes: AtomicU64,
    /// Rules and routes added or removed so far.
    pub(crate) changes: AtomicU64,
}

impl Sync {
    pub(crate) fn new(net: Owner, path: Arc<Path>) -> Result<Arc<Self>> {
        let client = Client::new(net)?;
        Arc::pin_init(
            pin_init!(Self {
                net,
                path,
                client <- kernel::new_mutex!(client),
                passes: AtomicU64::new(0),
                changes: AtomicU64::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// One pass. EAGAIN when something changed meanwhile.
    pub(crate) fn pass(&self) -> Result {
        let mut client = self.client.lock();
        self.passes.fetch_add(1, Relaxed);
        let config = self.path.config();
        let (uplinks, states) = self.assess()?;
        // Nothing is placed on a WAN from here on whose routes are about to go.
        for id in self.publish(&config, &states, Phase::Before)? {
            self.path.release(id);
        }

        let mut connected = KVVec::new();
        let dumped = client.dump(mwb_route::dump_connected()?, |kind, body| {
            if let Some(route) = mwb_route::parse_connected(kind, body) {
                connected.push(route, GFP_KERNEL)?;
            }
            Ok(())
        });
        match dumped {
            // There is no main table before it has a route.
            Err(ENOENT) => {}
            other => other?,
        }
        let desired = mwb_route::desired(&Inputs {
            config: &config,
            uplinks: &uplinks,
            connected: &connected,
        })?;
        let failed = self.apply(&mut client, &desired)?;
        for id in self.publish(&config, &states, Phase::After { failed: &failed })? {
            self.path.adopt(id);
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(EAGAIN)
        }
    }

    /// Takes away every rule and route of ours. Nothing is placed from here on.
    fn clear(&self) {
        self.path.wans.take_down();
        let mut client = self.client.lock();
        // Dumps are interrupted by others' changes, and those end.
        for _ in 0..10 {
            if self.apply(&mut client, &Objects::new()).is_ok() {
                return;
            }
        }
        pr_warn!(
            "rules or routes of protocol {} may be left\n",
            mwb_route::PROTOCOL
        );
    }

    /// The state that each WAN could have with the routes that are wanted for it, and those of them that
    /// can carry traffic.
    fn assess(&self) -> Result<(KVec<Uplink>, KVec<State>)> {
        let settings = self.path.wans.settings();
        let mut uplinks = KVec::with_capacity(settings.wans.len(), GFP_KERNEL)?;
        let mut states = KVec::with_capacity(settings.wans.len(), GFP_KERNEL)?;
        for setting in settings.wans.iter() {
            let state = self.state_of(setting, uplinks.is_empty());
            states.push(state, GFP_KERNEL)?;
            if state.state == uapi::WAN_STATE_UP {
                let uplink = Uplink {
                    id: setting.id,
                    ifindex: state.ifindex,
                    gateway: setting.gateway,
                };
                uplinks.push(uplink, GFP_KERNEL)?;
            }
        }
        Ok((uplinks, states))
    }

    /// `is_first` says that no WAN before it can carry traffic.
    fn state_of(&self, setting: &Setting, is_first: bool) -> State {
        let Some(dev) = setting.device(&self.net) else {
            return State {
                id: setting.id,
                ifindex: 0,
                is_tunnel: false,
                state: uapi::WAN_STATE_DOWN,
            };
        };
        let state = if !dev.is_up() {
            uapi::WAN_STATE_DOWN
        } else if !dev.is_running() {
            uapi::WAN_STATE_NO_CARRIER
        } else if !dev.has_ipv4_address() {
            uapi::WAN_STATE_NO_ADDRESS
        } else if !has_gateway(&dev, setting.gateway) {
            uapi::WAN_STATE_NO_GATEWAY
        } else if dev.is_strict() && !dev.checks_mark() && !is_first {
            uapi::WAN_STATE_FILTERED
        } else {
            uapi::WAN_STATE_UP
        };
        State {
            id: setting.id,
            ifindex: dev.ifindex(),
            is_tunnel: dev.is_tunnel(),
            state,
        }
    }

    /// Tells the WANs their states; those that could be up are up only with their routes in place. Returns
    /// those that went down, or came up, by what is assessed of them.
    fn publish(&self, config: &Config, states: &[State], phase: Phase<'_>) -> Result<KVec<u8>> {
        let mut changed = KVec::with_capacity(states.len(), GFP_KERNEL)?;
        let mut settings = self.path.wans.settings();
        for new in states {
            // It may have been removed meanwhile.
            let Some(setting) = settings.wans.iter_mut().find(|w| w.id == new.id) else {
                continue;
            };
            let state = match (new.state, &phase) {
                (uapi::WAN_STATE_UP, Phase::Before) => continue,
                (uapi::WAN_STATE_UP, Phase::After { failed })
                    if failed.contains(&config.table(new.id)) =>
                {
                    uapi::WAN_STATE_NO_GATEWAY
                }
                (state, _) => state,
            };
            let is_up = state == uapi::WAN_STATE_UP;
            let could_be_up = new.state == uapi::WAN_STATE_UP;
            if (setting.state == uapi::WAN_STATE_UP) != is_up && could_be_up == is_up {
                changed.push(new.id, GFP_KERNEL)?;
            }
            setting.ifindex = new.ifindex;
            setting.state = state;
            self.path.wans.set_link(
                new.id,
                Link {
                    ifindex: new.ifindex,
                    is_tunnel: new.is_tunnel,
                    is_up,
                },
            );
        }
        Ok(changed)
    }

    /// Brings what is to `desired`. Returns the tables that lack a route.
    fn apply(&self, client: &mut Client, desired: &Objects) -> Result<KVec<u32>> {
        let mut actual = Objects::new();
        for request in [mwb_route::dump_rules()?, mwb_route::dump_ours()?] {
            client.dump(request, |kind, body| {
                if let Some(object) = Object::parse(kind, body) {
                    actual.try_create_and_insert(object, (), GFP_KERNEL)?;
                }
                Ok(())
            })?;
        }
        let mut failed = KVec::new();
        for (op, object) in mwb_route::difference(&actual, desired) {
            let outcome = client.request(object.request(op)?);
            match (outcome, op, object) {
                (Ok(()), ..) => _ = self.changes.fetch_add(1, Relaxed),
                // A dump is no snapshot: it was there all the time.
                (Err(EEXIST), Op::Add, _) => {}
                // It went by itself, with its device or address.
                (Err(ESRCH | ENOENT | ENODEV), Op::Remove, _) => {}
                (Err(e), Op::Remove, _) => return Err(e),
                (Err(_), Op::Add, Object::Route(route)) => {
                    // Without a default route a WAN carries nothing. Without a copy of a connected one it is
                    // none the worse: the rule in front of all finds that in main.
                    let table = if route.is_default() {
                        route.table
                    } else {
                        RT_TABLE_MAIN
                    };
                    failed.push(table, GFP_KERNEL)?
                }
                (Err(e), Op::Add, Object::Rule(_)) => return Err(e),
            }
        }
        Ok(failed)
    }
}

fn has_gateway(dev: &Device, gateway: Option<IpAddr>) -> bool {
    match gateway {
        Some(IpAddr::V4(gateway)) => dev.is_onlink(gateway),
        Some(IpAddr::V6(_)) => false,
        None => dev.is_point_to_point(),
    }
}

/// Who else uses one of the numbers that are to be ours, in a sentence. `net` must be in use.
pub(crate) fn find_user(net: Owner, config: &Config) -> Result<Option<CString>> {
    let mut client = Client::new(net)?;
    let mut user = None;
    client.dump(mwb_route::dump_rules()?, |kind, body| {
        if let (None, Some((protocol, rule))) = (&user, mwb_route::parse_foreign_rule(kind, body)) {
            user = used_by(config, &rule, Protocol(protocol))?;
        }
        Ok(())
    })?;
    for id in 1..=config.marks.max_id() {
        if user.is_some() {
            break;
        }
        let table = config.table_base.saturating_add(id);
        let dumped = client.dump(mwb_route::dump_table(table)?, |kind, body| {
            if let (None, Some(protocol)) = (&user, mwb_route::parse_foreign_route(kind, body)) {
                let by = Protocol(protocol);
                user = sentence(fmt!("table {table} has a route already{by}"))?;
            }
            Ok(())
        });
        match dumped {
            Ok(()) | Err(ENOENT) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(user)
}

fn sentence(text: kernel::fmt::Arguments<'_>) -> Result<Option<CString>> {
    Ok(Some(CString::try_from_fmt(text)?))
}

/// Whether somebody else's rule uses one of our numbers.
fn used_by(config: &Config, rule: &Rule, by: Protocol) -> Result<Option<CString>> {
    let (pref, table, ours) = (rule.preference, rule.table, config.marks.mask());
    // A mark without a mask is for what has no mark of ours, unless it is one itself.
    let is_plain = rule.mask == u32::MAX && rule.mark & ours == 0;
    if rule.mask & ours != 0 && !is_plain {
        let (mark, mask) = (rule.mark, rule.mask);
        return sentence(fmt!(
            "rule {pref}{by} uses bits of the mark: fwmark {mark:#x}/{mask:#x}"
        ));
    }
    if (config.rule_pref..=config.preference_last_resort()).contains(&pref) {
        return sentence(fmt!("preference {pref} is that of a rule already{by}"));
    }
    let last = config.table_base.saturating_add(config.marks.max_id());
    if table > config.table_base && table <= last {
        return sentence(fmt!("table {table} is that of rule {pref} already{by}"));
    }
    Ok(None)
}

/// Who has made a rule or a route, in brackets, if he says so (`rtm_protocol`).
#[derive(Clone, Copy)]
struct Protocol(u8);

impl kernel::fmt::Display for Protocol {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        let name = match self.0 {
            0 => return Ok(()),
            RTPROT_KERNEL => "kernel",
            RTPROT_BOOT => "boot",
            RTPROT_STATIC => "static",
            RTPROT_DHCP => "dhcp",
            RTPROT_BGP => "bgp",
            RTPROT_OSPF => "ospf",
            other => return f.write_fmt(fmt!(" ({other})")),
        };
        f.write_fmt(fmt!(" ({name})"))
    }
}

/// What the reconciler has written stays for as long as this does.
pub(crate) struct Written(Arc<Sync>);

impl Written {
    pub(crate) fn by(sync: Arc<Sync>) -> Self {
        Self(sync)
    }
}

impl core::ops::Deref for Written {
    type Target = Sync;

    fn deref(&self) -> &Sync {
        &self.0
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // What is in a namespace that ends goes with it.
        if self.net.is_alive() {
            self.clear();
        }
    }
}

impl Task for Sync {
    fn run(&self) -> Option<u32> {
        Some(self.pass().map_or(RETRY_MS, |()| REPEAT_MS))
    }
}
