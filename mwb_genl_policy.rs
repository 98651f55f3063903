// SPDX-License-Identifier: GPL-2.0

//! The part of the generic-netlink family that is about policies and groups.

#![forbid(unsafe_code)]

use crate::{
    mwb_attrs as attrs,
    mwb_event,
    mwb_genl::{
        name,
        WanGet, //
    },
    mwb_instance::{
        Instance,
        Read,
        Unfit, //
    },
    mwb_policy::{
        Name,
        Prefix,
        Selector, //
    },
    rust::genetlink::{
        self,
        Answer,
        Attrs,
        Do,
        Dump,
        Request, //
    },
    uapi, //
};
use core::net::IpAddr;
use kernel::{
    error::code::*,
    prelude::*, //
};

pub(crate) struct GroupSet;

impl Do for GroupSet {
    type Instance = Instance;
    const POLICY: &'static [genetlink::Policy] = &attrs::GROUP_SET;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let name = name(request, uapi::A_GROUP_NAME)?;
        let name = Name::new(name).ok_or(EINVAL)?;
        if !request.flag(uapi::A_GROUP_WAN) {
            return Err(request.missing(uapi::A_GROUP_WAN, c"a group has one WAN at least"));
        }
        let wans = request.strings(uapi::A_GROUP_WAN);
        let is_staged = request.flag(uapi::A_GROUP_STAGED);
        let portid = is_staged.then(|| request.portid());
        instance.set_group(portid, name, wans).map_err(|e| match e {
            ENOENT => request.fail(e, uapi::A_GROUP_WAN, c"one of these is no WAN"),
            EEXIST => request.fail(e, uapi::A_GROUP_NAME, c"a WAN has this name"),
            ENOSPC => request.fail(e, uapi::A_GROUP_NAME, c"there are 64 groups already"),
            ECANCELED => request.fail(e, uapi::A_GROUP_STAGED, NOT_BEGUN),
            e => e,
        })
    }
}

const NOT_BEGUN: &CStr = c"not begun, or another replacement began meanwhile";

pub(crate) struct GroupDel;

impl Do for GroupDel {
    type Instance = Instance;
    const POLICY: &'static [genetlink::Policy] = &attrs::GROUP_DEL;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let name = name(request, uapi::A_GROUP_NAME)?;
        let name = Name::new(name).ok_or(EINVAL)?;
        instance.remove_group(&name).map_err(|e| match e {
            ENOENT => request.fail(e, uapi::A_GROUP_NAME, c"no group has this name"),
            EBUSY => request.fail(e, uapi::A_GROUP_NAME, c"a policy leads to this group"),
            e => e,
        })
    }
}

pub(crate) struct GroupGet;

impl Dump for GroupGet {
    type Instance = Instance;
    type Held = Read;

    fn hold(instance: &Instance, is_admin: bool) -> Result<Read> {
        instance.read_policies(is_admin)
    }

    /// The groups hold the numbers of the WANs, not their names.
    fn generation(instance: &Instance) -> u32 {
        WanGet::generation(instance)
    }

    fn next(
        instance: &Instance,
        held: &Read,
        after: u32,
        answer: &mut Answer,
    ) -> Result<Option<u32>> {
        let mut groups = held.groups();
        let Some((place, group)) = groups.find(|(place, _)| *place >= after as usize) else {
            return Ok(None);
        };
        let written = instance.with_wans(|wans| {
            let settings = wans.settings();
            mwb_event::write_group(
                answer,
                &group.name,
                settings.names(|id| group.wans.contains(id)),
            )
        });
        // Without WANs it has none.
        let empty = core::iter::empty();
        written.unwrap_or_else(|| mwb_event::write_group(answer, &group.name, empty))?;
        Ok(Some(u32::try_from(place)?.saturating_add(1)))
    }
}

fn prefix(attrs: &Attrs<'_>, addr: u16, len: u16) -> Result<Option<Prefix>> {
    let (bytes, bits) = match (attrs.payload(addr), attrs.u32(len)) {
        (None, None) => return Ok(None),
        (Some(bytes), Some(bits)) => (bytes, bits),
        (Some(_), None) => return Err(attrs.missing(len, c"a prefix has a length")),
        (None, Some(_)) => return Err(attrs.missing(addr, c"a prefix has an address")),
    };
    let Ok(v4) = <[u8; 4]>::try_from(bytes) else {
        return Err(attrs.fail(EINVAL, addr, c"not an IPv4 address"));
    };
    let prefix = Prefix::new(IpAddr::from(v4), bits);
    prefix.map(Some).ok_or_else(|| {
        let why = c"longer than an address, or the address has bits beyond this length";
        attrs.fail(EINVAL, len, why)
    })
}

fn dports(attrs: &Attrs<'_>, protocol: Option<u8>) -> Result<Option<(u16, u16)>> {
    /// TCP, UDP, DCCP, SCTP, UDP-Lite.
    const HAVE_PORTS: [u8; 5] = [6, 17, 33, 132, 136];
    let (min, max) = (
        attrs.u32(uapi::A_POLICY_DPORT_MIN),
        attrs.u32(uapi::A_POLICY_DPORT_MAX),
    );
    let Some(min) = min else {
        return match max {
            Some(_) => Err(attrs.missing(uapi::A_POLICY_DPORT_MIN, c"a range of ports begins")),
            None => Ok(None),
        };
    };
    let max = max.unwrap_or(min);
    if max < min {
        return Err(attrs.fail(
            EINVAL,
            uapi::A_POLICY_DPORT_MAX,
            c"the range of ports ends before it begins",
        ));
    }
    if !protocol.is_some_and(|p| HAVE_PORTS.contains(&p)) {
        return Err(attrs.fail(
            EINVAL,
            uapi::A_POLICY_DPORT_MIN,
            c"a port needs a protocol that has ports, such as tcp",
        ));
    }
    Ok(Some((u16::try_from(min)?, u16::try_from(max)?)))
}

fn iif(attrs: &Attrs<'_>) -> Result<Option<Name>> {
    let name = attrs.string(uapi::A_POLICY_IIF).and_then(Name::new);
    match name.filter(|name| name.as_c_str().is_empty()) {
        Some(_) => Err(attrs.fail(
            EINVAL,
            uapi::A_POLICY_IIF,
            c"the name of the device is empty",
        )),
        None => Ok(name),
    }
}

fn small(attrs: &Attrs<'_>, id: u16) -> Result<Option<u8>> {
    Ok(attrs.u32(id).map(u8::try_from).transpose()?)
}

fn selector(attrs: &Attrs<'_>) -> Result<Selector> {
    let protocol = small(attrs, uapi::A_POLICY_PROTO)?;
    Ok(Selector {
        pref: attrs.u32(uapi::A_POLICY_PREF).unwrap_or(uapi::POLICY_PREF),
        src: prefix(attrs, uapi::A_POLICY_SRC, uapi::A_POLICY_SRC_LEN)?,
        dst: prefix(attrs, uapi::A_POLICY_DST, uapi::A_POLICY_DST_LEN)?,
        iif: iif(attrs)?,
        protocol,
        dports: dports(attrs, protocol)?,
        dscp: small(attrs, uapi::A_POLICY_DSCP)?,
    })
}

/// Selector, target, strictness.
fn policy(attrs: &Attrs<'_>) -> Result<(Selector, Name, bool)> {
    let to = attrs.string(uapi::A_POLICY_TO).and_then(Name::new);
    let to = to.ok_or_else(|| attrs.missing(uapi::A_POLICY_TO, c"where to is required"))?;
    let is_strict = attrs.flag(uapi::A_POLICY_STRICT);
    if is_strict && to.as_c_str() == c"main" {
        let why = c"main is never down, strict says nothing of it";
        return Err(attrs.fail(EINVAL, uapi::A_POLICY_STRICT, why));
    }
    Ok((selector(attrs)?, to, is_strict))
}

fn explain(attrs: &Attrs<'_>, why: Unfit) -> Error {
    match why {
        Unfit::Unknown => attrs.fail(ENOENT, uapi::A_POLICY_TO, c"no WAN or group has this name"),
        Unfit::Other(ENOSPC) => attrs.fail(
            ENOSPC,
            uapi::A_POLICY_TO,
            c"there are 262144 policies already",
        ),
        Unfit::Other(e) => e,
    }
}

pub(crate) struct PolicyAdd;

impl Do for PolicyAdd {
    type Instance = Instance;
    const POLICY: &'static [genetlink::Policy] = &attrs::POLICY_ADD;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let (selector, to, is_strict) = policy(request)?;
        let added = instance.add_policy(selector, to, is_strict);
        added.map_err(|why| match why {
            Unfit::Other(EEXIST) => {
                let why = c"there is a policy for the same already";
                request.fail(EEXIST, uapi::A_POLICY_TO, why)
            }
            why => explain(request, why),
        })
    }
}

pub(crate) struct PolicyDel;

impl Do for PolicyDel {
    type Instance = Instance;
    const POLICY: &'static [genetlink::Policy] = &attrs::POLICY_DEL;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let wanted = selector(request)?;
        let has_pref = request.flag(uapi::A_POLICY_PREF);
        let to = request.string(uapi::A_POLICY_TO).and_then(Name::new);
        let is_strict = request.flag(uapi::A_POLICY_STRICT);
        let removed = instance.remove_policy(&wanted, |policy| {
            let has = &policy.selector;
            (!has_pref || wanted.pref == has.pref)
                && (wanted.src.is_none() || wanted.src == has.src)
                && (wanted.dst.is_none() || wanted.dst == has.dst)
                && (wanted.iif.is_none() || wanted.iif == has.iif)
                && (wanted.protocol.is_none() || wanted.protocol == has.protocol)
                && (wanted.dports.is_none() || wanted.dports == has.dports)
                && (wanted.dscp.is_none() || wanted.dscp == has.dscp)
                && to.is_none_or(|to| to == policy.to_name)
                && (!is_strict || policy.is_strict)
        });
        removed.map_err(|e| match e {
            ENOENT => request.fail(e, uapi::A_POLICY_PREF, c"no policy has all of these"),
            ENOTUNIQ => request.fail(
                e,
                uapi::A_POLICY_PREF,
                c"several policies have all of these",
            ),
            e => e,
        })
    }
}

pub(crate) struct PolicyGet;

impl Dump for PolicyGet {
    type Instance = Instance;
    type Held = Read;

    fn hold(instance: &Instance, is_admin: bool) -> Result<Read> {
        instance.read_policies(is_admin)
    }

    fn next(
        _instance: &Instance,
        held: &Read,
        after: u32,
        answer: &mut Answer,
    ) -> Result<Option<u32>> {
        let next = held.get(after as usize);
        next.map(|policy| {
            mwb_event::write_policy(answer, policy)?;
            Ok(after.saturating_add(1))
        })
        .transpose()
    }
}

pub(crate) struct PolicyReplace;

impl Do for PolicyReplace {
    type Instance = Instance;
    const POLICY: &'static [genetlink::Policy] = &attrs::POLICY_REPLACE;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let portid = request.portid();
        let begun = if request.flag(uapi::A_POLICIES_BEGIN) {
            instance.begin_policies(portid)
        } else {
            Ok(())
        };
        let stage = |attrs: &Attrs<'_>| {
            let (selector, to, is_strict) = policy(attrs)?;
            let staged = instance.stage_policy(portid, selector, to, is_strict);
            staged.map_err(|why| explain(attrs, why))
        };
        let staged =
            begun.and_then(|()| request.nests(uapi::A_POLICIES_POLICY, &attrs::POLICY_ADD, stage));
        // After its policies, for another thread may send by the same socket: what counts is in the set.
        let count = request.u32(uapi::A_POLICIES_MESSAGES);
        let done = staged.and_then(|()| {
            if request.flag(uapi::A_POLICIES_MORE) {
                instance.count_message(portid, count)
            } else {
                instance.commit_policies(portid, count)
            }
        });
        done.inspect_err(|_| instance.abort_policies(portid))
            .map_err(|e| match e {
                ECANCELED => request.fail(e, uapi::A_POLICIES_BEGIN, NOT_BEGUN),
                EBADMSG => request.fail(
                    e,
                    uapi::A_POLICIES_MESSAGES,
                    c"messages of this set are missing",
                ),
                EEXIST => request.fail(
                    e,
                    uapi::A_POLICIES_POLICY,
                    c"two of these policies are for the same",
                ),
                ESTALE => request.fail(
                    e,
                    uapi::A_POLICIES_POLICY,
                    c"the groups, or a WAN that these lead to, have changed meanwhile",
                ),
                e => e,
            })
    }
}
