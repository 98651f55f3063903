// SPDX-License-Identifier: GPL-2.0

//! What would become of a connection, and why: the choice as a dry run, with all that counts in it.

#![forbid(unsafe_code)]

use crate::{
    mwb_attrs as attrs,
    mwb_choice::{
        Choice,
        Run, //
    },
    mwb_genl_policy::write_policy,
    mwb_instance::Instance,
    mwb_nf::Path,
    mwb_pick::Mode,
    mwb_policy::{
        New,
        Policy, //
    },
    rust::{
        conntrack::Flow,
        genetlink::{
            self,
            Answer,
            Do,
            Request, //
        },
        netdev::{
            self,
            Held,
            Probe, //
        },
        netns::Net, //
    },
    uapi, //
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::Arc, //
};

pub(crate) struct Explain;

/// A connection that there could be.
struct Case {
    flow: Flow,
    /// None for one of the router's own.
    iif: Option<Held>,
    dscp: u8,
}

/// What would become of it.
struct Verdict {
    outcome: u32,
    why: u32,
    /// 0 if no WAN gets it.
    id: u8,
    policy: Option<Arc<Policy>>,
}

impl Verdict {
    fn new(outcome: u32, why: u32) -> Self {
        Self {
            outcome,
            why,
            id: 0,
            policy: None,
        }
    }
}

impl Do for Explain {
    type Instance = Instance;
    const POLICY: &'static [genetlink::Policy] = &attrs::EXPLAIN;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        use uapi::*;
        let net = instance.net();
        let case = Case::of(net, request)?;
        let oif = case.probe(0).oif(net);
        let iif_name = case.iif.as_ref().map(|dev| dev.name());
        let oif = oif.and_then(|ifindex| Held::by_index(net, ifindex));
        instance.with_router(|router| {
            let path = router.map(|router| router.path());
            let verdict = match (path, &oif) {
                (Some(path), Some(oif)) => path.explain(net, &case, oif.ifindex(), instance),
                _ => Verdict::new(OUTCOME_OTHER, WHY_ROUTE),
            };
            // As much as the names, numbers and headers of a WAN take, and of a policy.
            const ROOM: usize = 1024;
            const PER_WAN: usize = 96;
            let wans = path.map_or(0, |path| path.wans.settings().wans.len());
            let room = ROOM.saturating_add(wans.saturating_mul(PER_WAN));
            request.reply_of(room, |answer| {
                let name = iif_name.as_ref().map_or(c"lo", |name| name.as_c_str());
                answer.string(A_EXPLAIN_IIF, name)?;
                if let Some(oif) = &oif {
                    answer.string(A_EXPLAIN_OIF, oif.name().as_c_str())?;
                }
                answer.u32(A_EXPLAIN_OUTCOME, verdict.outcome)?;
                answer.u32(A_EXPLAIN_WHY, verdict.why)?;
                if let Some(policy) = &verdict.policy {
                    answer.nest(A_EXPLAIN_POLICY, |answer| write_policy(policy, answer))?;
                }
                match path {
                    Some(path) => path.write_candidates(instance, &verdict, answer),
                    None => Ok(()),
                }
            })
        })
    }
}

impl Case {
    fn of(net: &Net, request: &Request<'_>) -> Result<Self> {
        use uapi::*;
        let addr = |id| {
            let bytes = request.payload(id);
            let bytes = bytes.ok_or_else(|| request.missing(id, c"both addresses are required"))?;
            let v4 = <[u8; 4]>::try_from(bytes);
            v4.map(Ipv4Addr::from)
                .map_err(|_| request.fail(EINVAL, id, c"not an IPv4 address"))
        };
        let (saddr, daddr) = (addr(A_EXPLAIN_SRC)?, addr(A_EXPLAIN_DST)?);
        let iif = match request.string(A_EXPLAIN_IIF) {
            Some(name) if name == c"lo" => None,
            Some(name) => {
                let dev = Held::by_name(net, name);
                let why = c"no device has this name";
                Some(dev.ok_or_else(|| request.fail(ENODEV, A_EXPLAIN_IIF, why))?)
            }
            None if netdev::by_addr(net, saddr).is_some() => None,
            None => {
                let dev = netdev::oif(net, saddr, 0).and_then(|i| Held::by_index(net, i));
                let why = c"no route leads to the source: name the device that it comes in through";
                Some(dev.ok_or_else(|| request.fail(ENETUNREACH, A_EXPLAIN_SRC, why))?)
            }
        };
        let number = |id| request.u32(id).map(u16::try_from).transpose();
        Ok(Self {
            flow: Flow {
                saddr,
                daddr,
                called: daddr,
                answered: saddr,
                zone: 0,
                protocol: u8::try_from(request.u32(A_EXPLAIN_PROTO).unwrap_or(IPPROTO_TCP))?,
                dport: number(A_EXPLAIN_DPORT)?,
            },
            iif,
            dscp: u8::try_from(request.u32(A_EXPLAIN_DSCP).unwrap_or(0))?,
        })
    }

    /// Its first packet, with this mark.
    fn probe(&self, mark: u32) -> Probe {
        const LOOPBACK: u32 = 1;
        Probe {
            saddr: self.flow.saddr,
            daddr: self.flow.daddr,
            iif: self.iif.as_ref().map_or(LOOPBACK, |dev| dev.ifindex()),
            mark,
            dscp: self.dscp,
        }
    }
}

const IPPROTO_TCP: u32 = 6;

impl Path {
    /// What would become of a connection whose route leaves through the device `oif`.
    fn explain(&self, net: &Net, case: &Case, oif: u32, instance: &Instance) -> Verdict {
        use uapi::*;
        if self.wans.by_ifindex(oif).is_none() {
            // What comes in through a WAN is answered through it.
            let from = case.iif.as_ref().map(|dev| dev.ifindex());
            return match from.and_then(|ifindex| self.wans.by_ifindex(ifindex)) {
                Some(id) => Verdict {
                    id,
                    ..Verdict::new(OUTCOME_WAN, WHY_ROUTE)
                },
                None => Verdict::new(OUTCOME_OTHER, WHY_ROUTE),
            };
        }
        let new = New {
            flow: &case.flow,
            iif: case.iif.as_deref(),
            dscp: case.dscp,
        };
        let policy = instance.with_policies(|policies| policies.find(&new).cloned());
        let choice = self.chooser.choose(net, &self.wans, &new, false, Run::Dry);
        let is_strict = policy.as_ref().is_some_and(|p| p.is_strict);
        let mut verdict = match choice {
            Choice::Wan(mark) => Verdict {
                id: self.marks.id(mark),
                ..Verdict::new(OUTCOME_WAN, self.why(net, &new, mark, instance))
            },
            Choice::Main => Verdict::new(OUTCOME_MAIN, WHY_POLICY),
            Choice::LastResort => Verdict::new(OUTCOME_LAST_RESORT, WHY_NONE),
            Choice::Nowhere if is_strict => Verdict::new(OUTCOME_UNREACHABLE, WHY_POLICY),
            Choice::Nowhere => Verdict::new(OUTCOME_UNREACHABLE, WHY_NONE),
        };
        // A route that is more specific than a default has the last word; what must go nowhere finds no other.
        let specific = case.probe(self.marks.nowhere()).oif(net);
        let specific = specific.and_then(|oif| self.wans.by_ifindex(oif));
        match (choice, specific) {
            (Choice::Wan(_), Some(id)) => (verdict.id, verdict.why) = (id, WHY_ROUTE),
            (Choice::Nowhere, Some(_)) => verdict = Verdict::new(OUTCOME_OTHER, WHY_ROUTE),
            _ => {}
        }
        verdict.policy = policy;
        verdict
    }

    /// What decided that a connection gets the WAN with this mark.
    fn why(&self, net: &Net, new: &New<'_>, mark: u32, instance: &Instance) -> u32 {
        use uapi::*;
        let config = self.config();
        let id = self.marks.id(mark);
        let is_by_policy = mark == self.marks.of_policy(id);
        let is_wanted = |id| !is_by_policy || instance.with_policies(|p| p.is_wanted(new, id));
        let of_pair = self
            .chooser
            .of_pair(net, &self.wans, &config, new, &is_wanted);
        if of_pair == Some(id) {
            return WHY_PAIR;
        }
        let tier = self.wans.tier(id);
        let mut others = self
            .wans
            .candidates()
            .filter(|c| c.id != id && c.tier == tier);
        if !others.any(|c| is_wanted(c.id) && self.wans.is_usable(net, c.id)) {
            return if is_by_policy { WHY_POLICY } else { WHY_ONLY };
        }
        match config.choice.mode {
            Mode::TwoChoices => WHY_TWO_CHOICES,
            Mode::Weighted => WHY_TURN,
            Mode::Rate if self.wans.outlook().is_upload => WHY_UPLOAD,
            Mode::Rate if self.wans.outlook().is_idle => WHY_CHANCE,
            Mode::Rate => WHY_DOWNLOAD,
        }
    }

    fn write_candidates(
        &self,
        instance: &Instance,
        verdict: &Verdict,
        answer: &mut Answer,
    ) -> Result {
        use uapi::*;
        let net = instance.net();
        let outlook = self.wans.outlook();
        let settings = self.wans.settings();
        for wan in &settings.wans {
            if wan.id == verdict.id {
                answer.string(A_EXPLAIN_WAN, &wan.name)?;
            }
            let Some(candidate) = self.wans.candidate(wan.id) else {
                continue;
            };
            let is_wanted = verdict.policy.as_ref().is_none_or(|policy| {
                instance.with_policies(|p| p.wanted(policy).is_some_and(|w| w.contains(wan.id)))
            });
            let [up, down] = candidate.uses(&outlook);
            let share = |used: u64| u32::try_from(used).unwrap_or(u32::MAX);
            answer.nest(A_EXPLAIN_CANDIDATE, |answer| {
                answer.string(A_CANDIDATE_WAN, &wan.name)?;
                answer.u32(A_CANDIDATE_STATE, wan.status.state)?;
                answer.u32(A_CANDIDATE_TIER, wan.tier)?;
                if is_wanted {
                    answer.flag(A_CANDIDATE_WANTED)?;
                }
                if self.wans.is_usable(net, wan.id) {
                    answer.flag(A_CANDIDATE_USABLE)?;
                }
                answer.u32(A_CANDIDATE_UP_USE, share(up))?;
                answer.u32(A_CANDIDATE_DOWN_USE, share(down))
            })?;
        }
        Ok(())
    }
}
