// SPDX-License-Identifier: GPL-2.0

//! What would become of a connection, and why: the choice as a dry run, with all that counts in it.

#![forbid(unsafe_code)]

use crate::{
    mwb_attrs as attrs,
    mwb_choice::{
        Choice,
        Run, //
    },
    mwb_event::write_policy,
    mwb_instance::Instance,
    mwb_nf::Path,
    mwb_pick::{
        Candidate,
        Mode, //
    },
    mwb_policy::{
        New,
        Policy,
        Wans as Ids, //
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
            Led,
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
    /// The device that it comes in through; None for one of the router's own.
    iif: Option<Found>,
    dscp: u8,
    /// Where it goes without a mark.
    led: Led,
    /// Who asks may know of the connections of others.
    is_of_admin: bool,
}

/// A device that there was a moment ago.
struct Found {
    ifindex: u32,
    name: netdev::Name,
}

impl From<Held> for Found {
    fn from(dev: Held) -> Self {
        Self {
            ifindex: dev.ifindex(),
            name: dev.name(),
        }
    }
}

/// What would become of it.
struct Verdict {
    outcome: u32,
    why: u32,
    /// 0 if no WAN gets it.
    id: u8,
    policy: Option<Arc<Policy>>,
    /// The WANs that the policy wants.
    wanted: Option<Ids>,
}

impl Verdict {
    fn new(outcome: u32, why: u32) -> Self {
        Self {
            outcome,
            why,
            id: 0,
            policy: None,
            wanted: None,
        }
    }

    /// Its route decides on a WAN.
    fn by_route(id: u8) -> Self {
        Self {
            id,
            ..Self::new(uapi::OUTCOME_WAN, uapi::WHY_ROUTE)
        }
    }

    fn is_wanted(&self, id: u8) -> bool {
        self.policy.is_none() || self.wanted.is_some_and(|wans| wans.contains(id))
    }
}

impl Do for Explain {
    type Instance = Instance;
    const POLICY: &'static [genetlink::Policy] = &attrs::EXPLAIN;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        use uapi::*;
        let net = instance.net();
        let case = Case::of(net, request)?;
        let oif = match case.led {
            Led::Out(ifindex) => Held::by_index(net, ifindex).map(Found::from),
            _ => None,
        };
        instance.with_router(|router| {
            let path = router.map(|router| router.path());
            let verdict = match path {
                Some(path) => path.explain(net, &case, instance),
                None => Verdict::new(OUTCOME_OTHER, WHY_ROUTE),
            };
            // As much as the names, numbers and headers of a WAN take, and of a policy.
            const ROOM: usize = 1024;
            const PER_WAN: usize = 96;
            let wans = path.map_or(0, |path| path.wans.settings().wans.len());
            let room = ROOM.saturating_add(wans.saturating_mul(PER_WAN));
            request.reply_of(room, |answer| {
                let iif = case.iif.as_ref().map_or(c"lo", |dev| dev.name.as_c_str());
                answer.string(A_EXPLAIN_IIF, iif)?;
                if let Some(oif) = &oif {
                    answer.string(A_EXPLAIN_OIF, oif.name.as_c_str())?;
                }
                answer.u32(A_EXPLAIN_OUTCOME, verdict.outcome)?;
                answer.u32(A_EXPLAIN_WHY, verdict.why)?;
                if let Some(policy) = &verdict.policy {
                    answer.nest(A_EXPLAIN_POLICY, |answer| write_policy(answer, policy))?;
                }
                match path {
                    Some(path) => path.write_candidates(net, &verdict, answer),
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
        let mut case = Self {
            flow: Flow {
                saddr,
                daddr,
                called: daddr,
                answered: saddr,
                zone: 0,
                protocol: u8::try_from(request.u32(A_EXPLAIN_PROTO).unwrap_or(IPPROTO_TCP))?,
                dport: number(A_EXPLAIN_DPORT)?,
            },
            iif: iif.map(Found::from),
            dscp: u8::try_from(request.u32(A_EXPLAIN_DSCP).unwrap_or(0))?,
            led: Led::Nowhere,
            is_of_admin: request.is_of_admin(net),
        };
        case.led = case.probe(0).led(net);
        Ok(case)
    }

    /// Its first packet, with this mark.
    fn probe(&self, mark: u32) -> Probe {
        Probe {
            saddr: self.flow.saddr,
            daddr: self.flow.daddr,
            iif: self
                .iif
                .as_ref()
                .map_or(netdev::LOOPBACK, |dev| dev.ifindex),
            mark,
            protocol: self.flow.protocol,
            dport: self.flow.dport,
            dscp: self.dscp,
        }
    }
}

const IPPROTO_TCP: u32 = 6;

impl Path {
    /// The WAN that a packet with this mark is led to.
    fn led_to(&self, net: &Net, case: &Case, mark: u32) -> Option<u8> {
        match case.probe(mark).led(net) {
            Led::Out(oif) => self.wans.by_ifindex(oif),
            _ => None,
        }
    }

    /// The same steps as those of a packet, see [`crate::mwb_nf`].
    fn explain(&self, net: &Net, case: &Case, instance: &Instance) -> Verdict {
        use uapi::*;
        let config = self.config();
        let at = match case.led {
            Led::Out(oif) => self.wans.by_ifindex(oif),
            _ => None,
        };
        let is_any_routed = self.wans.candidates().any(|c| self.wans.is_routed(c.id));
        let from = case.iif.as_ref().map(|dev| dev.ifindex);
        let from = from.and_then(|ifindex| self.wans.by_ifindex(ifindex));
        match (at, from, case.led) {
            (Some(at), ..) if case.iif.is_none() => {
                // What has the address of a WAN stays there.
                let owner = netdev::by_addr(net, case.flow.saddr);
                let owner = owner.and_then(|ifindex| self.wans.by_ifindex(ifindex));
                let owner = owner.filter(|_| !self.wans.has_addr(net, at, case.flow.saddr));
                if let Some(id) = owner {
                    return Verdict::by_route(id);
                }
            }
            (Some(_), ..) => {}
            (None, None, Led::Nowhere) if is_any_routed => {
                return Verdict::new(OUTCOME_OTHER, WHY_ROUTE)
            }
            // The default routes have gone with the WANs.
            (None, None, Led::Nowhere) if config.is_unreachable_without_wan() => {
                return Verdict::new(OUTCOME_UNREACHABLE, WHY_NONE)
            }
            (None, None, Led::Nowhere) => return Verdict::new(OUTCOME_LAST_RESORT, WHY_NONE),
            (None, Some(_), Led::Nowhere) => return Verdict::new(OUTCOME_OTHER, WHY_ROUTE),
            // What comes in through a WAN is answered through it.
            (None, Some(id), _) => return Verdict::by_route(id),
            // Somebody else's default route, for want of a WAN.
            (None, None, Led::Out(oif)) if self.is_by_last_resort(net, &case.probe(0), oif) => {}
            (None, None, _) => return Verdict::new(OUTCOME_OTHER, WHY_ROUTE),
        }
        let iif = case
            .iif
            .as_ref()
            .map(|dev| Held::by_index(net, dev.ifindex));
        let iif = match &iif {
            Some(Some(dev)) => Some(&**dev),
            // It has gone meanwhile.
            Some(None) => return Verdict::new(OUTCOME_OTHER, WHY_ROUTE),
            None => None,
        };
        let new = New {
            flow: &case.flow,
            iif,
            dscp: case.dscp,
        };
        let (policy, wanted) = instance.with_policies(|policies| {
            let policy = policies.find(&new);
            let wanted = policy.and_then(|policy| policies.wanted(policy));
            (policy.cloned(), wanted)
        });
        let is_strict = policy.as_ref().is_some_and(|p| p.is_strict);
        let knows_pairs = case.is_of_admin;
        let run = Run::Dry { knows_pairs };
        let choice = self.chooser.choose(net, &self.wans, &new, false, run);
        let mut verdict = match choice {
            Choice::Wan(mark) => Verdict {
                id: self.marks.id(mark),
                ..Verdict::new(OUTCOME_WAN, WHY_ONLY)
            },
            Choice::Main => Verdict::new(OUTCOME_MAIN, WHY_POLICY),
            Choice::LastResort => Verdict::new(OUTCOME_LAST_RESORT, WHY_NONE),
            Choice::Nowhere if is_strict => Verdict::new(OUTCOME_UNREACHABLE, WHY_POLICY),
            Choice::Nowhere => Verdict::new(OUTCOME_UNREACHABLE, WHY_NONE),
        };
        verdict.policy = policy;
        verdict.wanted = wanted;
        if let Choice::Wan(mark) = choice {
            verdict.why = self.why(net, &new, mark, &verdict, knows_pairs);
        }
        // A route that is more specific than a default has the last word; what must go nowhere finds no other.
        match (choice, self.led_to(net, case, self.marks.nowhere())) {
            (Choice::Wan(_), Some(id)) => (verdict.id, verdict.why) = (id, WHY_ROUTE),
            (Choice::Nowhere, Some(_)) => verdict = Verdict::new(OUTCOME_OTHER, WHY_ROUTE),
            _ => {}
        }
        verdict
    }

    /// What decided that a connection gets the WAN with this mark.
    fn why(
        &self,
        net: &Net,
        new: &New<'_>,
        mark: u32,
        verdict: &Verdict,
        knows_pairs: bool,
    ) -> u32 {
        use uapi::*;
        let id = self.marks.id(mark);
        let is_by_policy = mark == self.marks.of_policy(id);
        if knows_pairs && self.chooser.has_pair_on(new, id) {
            return WHY_PAIR;
        }
        let is_fit = |id| !is_by_policy || verdict.is_wanted(id);
        let tier = self.wans.tier(id);
        let mut others = self.wans.candidates();
        let is_other = |c: &Candidate| c.id != id && c.tier == tier && is_fit(c.id);
        if !others.any(|c| is_other(&c) && self.wans.is_usable(net, c.id)) {
            return if is_by_policy { WHY_POLICY } else { WHY_ONLY };
        }
        let outlook = self.wans.outlook();
        match self.config().choice.mode {
            Mode::TwoChoices => WHY_TWO_CHOICES,
            Mode::Weighted => WHY_TURN,
            Mode::Rate if outlook.is_upload => WHY_UPLOAD,
            Mode::Rate if outlook.is_idle => WHY_CHANCE,
            Mode::Rate => WHY_DOWNLOAD,
        }
    }

    fn write_candidates(&self, net: &Net, verdict: &Verdict, answer: &mut Answer) -> Result {
        use uapi::*;
        let outlook = self.wans.outlook();
        let settings = self.wans.settings();
        for wan in &settings.wans {
            if wan.id == verdict.id {
                answer.string(A_EXPLAIN_WAN, &wan.name)?;
            }
            let Some(candidate) = self.wans.candidate(wan.id) else {
                continue;
            };
            let [up, down] = candidate.uses(&outlook);
            let share = |used: u64| u32::try_from(used).unwrap_or(u32::MAX);
            answer.nest(A_EXPLAIN_CANDIDATE, |answer| {
                answer.string(A_CANDIDATE_WAN, &wan.name)?;
                answer.u32(A_CANDIDATE_STATE, wan.status.state)?;
                answer.u32(A_CANDIDATE_TIER, wan.tier)?;
                if verdict.is_wanted(wan.id) {
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
