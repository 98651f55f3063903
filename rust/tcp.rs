// SPDX-License-Identifier: GPL-2.0

//! TCP resets, for ends of connections whose other end cannot be reached any more.

use super::{
    bindings,
    netns::Net, //
};

/// A reset for one end of a connection, in the name of the other one.
pub(crate) struct Reset(pub(super) bindings::mwb_reset);

impl Reset {
    /// Sends it. May sleep.
    pub(crate) fn send(&self, net: &Net) {
        // SAFETY: Both are valid.
        unsafe { bindings::mwb_helper_reset_send(net.as_ptr(), &self.0) };
    }
}
