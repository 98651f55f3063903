// SPDX-License-Identifier: GPL-2.0

//! The module: what is set up in which order, and torn down in the reverse one.

#![forbid(unsafe_code)]

use crate::{
    mwb_event,
    mwb_genl,
    mwb_instance::Instance,
    rust::{
        genetlink,
        netns, //
    },
    uapi, //
};
use kernel::prelude::*;

/// The module. Fields go in this order: no request arrives while instances end.
#[pin_data]
pub(crate) struct Mwb {
    #[pin]
    family: genetlink::Family,
    #[pin]
    instances: netns::Registration<Instance>,
}

impl kernel::InPlaceModule for Mwb {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            instances <- netns::Registration::new(),
            family <- genetlink::Family::new(
                uapi::FAMILY_NAME,
                uapi::FAMILY_VERSION,
                &mwb_genl::OPS,
                &mwb_event::GROUPS,
                module,
            ),
        })
    }
}
