// SPDX-License-Identifier: GPL-2.0

//! Hashes for tables that others fill, or learn the places of.
//!
//! C header: [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use super::{
    bindings,
    time, //
};

/// What a table's hash depends on: without it, a place says nothing of what is hashed to it, nor what shares it.
pub(crate) struct Secret(bindings::hsiphash_key_t);

impl Secret {
    pub(crate) fn new() -> Self {
        let word = || {
            let word = u64::from(time::random_u32()) << 32 | u64::from(time::random_u32());
            word as usize
        };
        Self(bindings::hsiphash_key_t {
            key: [word(), word()],
        })
    }

    pub(crate) fn hash(&self, [a, b, c, d]: [u32; 4]) -> u32 {
        // SAFETY: The key is valid; may be called from any context.
        unsafe { bindings::hsiphash_4u32(a, b, c, d, &self.0) }
    }
}
