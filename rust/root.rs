// SPDX-License-Identifier: GPL-2.0

//! mwb: spreads the connections of a router over several WANs, by what they really carry.
//!
//! The crate root. It is here, beside the abstractions, because what `module!` expands to is unsafe.

use kernel::prelude::*;

use mwb_main::Mwb;

#[path = "../uapi/mwb_attrs.rs"]
mod mwb_attrs;
#[path = "../mwb_choice.rs"]
mod mwb_choice;
#[path = "../mwb_config.rs"]
mod mwb_config;
#[path = "../mwb_entry.rs"]
mod mwb_entry;
#[path = "../mwb_event.rs"]
mod mwb_event;
#[path = "../mwb_explain.rs"]
mod mwb_explain;
#[path = "../mwb_genl.rs"]
mod mwb_genl;
#[path = "../mwb_genl_policy.rs"]
mod mwb_genl_policy;
#[path = "../mwb_handover.rs"]
mod mwb_handover;
#[path = "../mwb_instance.rs"]
mod mwb_instance;
#[path = "../mwb_main.rs"]
mod mwb_main;
#[path = "../mwb_nf.rs"]
mod mwb_nf;
#[path = "../mwb_nlmsg.rs"]
mod mwb_nlmsg;
#[path = "../mwb_pair.rs"]
mod mwb_pair;
#[path = "../mwb_pick.rs"]
mod mwb_pick;
#[path = "../mwb_policy.rs"]
mod mwb_policy;
#[path = "../mwb_ranking.rs"]
mod mwb_ranking;
#[path = "../mwb_rate.rs"]
mod mwb_rate;
#[path = "../mwb_route.rs"]
mod mwb_route;
#[path = "../mwb_router.rs"]
mod mwb_router;
#[path = "../mwb_rtnl.rs"]
mod mwb_rtnl;
#[path = "../mwb_shortcut.rs"]
mod mwb_shortcut;
#[path = "../mwb_sync.rs"]
mod mwb_sync;
#[path = "../mwb_wan.rs"]
mod mwb_wan;
#[path = "mod.rs"]
mod rust;
#[expect(dead_code, unreachable_pub, reason = "shared with the tool, whole")]
#[path = "../uapi/mwb_uapi.rs"]
mod uapi;

module! {
    type: Mwb,
    name: "mwb",
    authors: ["The mwb developers"],
    description: "Multi-WAN balance",
    license: "GPL",
    // The first request of the tool loads the module.
    alias: ["net-pf-16-proto-16-family-mwb"],
    params: {
        labels: bool {
            default: true,
            description: "Keep routes in the labels of connections (default: 1)",
        },
    },
}
