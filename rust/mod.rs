// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the kernel's C API: the only place with `unsafe`.
//!
//! Nothing here knows what mwb is; one file per C concept, and a registration is a value that
//! unregisters when it is dropped.
//!
//! Atomics are those of `core`: a relaxed load of the `kernel` crate's is a call of a C helper, and the path
//! of a packet has a dozen of them. What is asked of either, C's `READ_ONCE()` and `smp_load_acquire()`, is the
//! same.

mod bindings;

mod atomic;
pub(crate) mod conntrack;
pub(crate) mod counters;
pub(crate) mod dst;
pub(crate) mod fib;
pub(crate) mod genetlink;
pub(crate) mod hash;
pub(crate) mod lock;
pub(crate) mod netdev;
pub(crate) mod netfilter;
pub(crate) mod netns;
pub(crate) mod notifier;
pub(crate) mod rcu;
pub(crate) mod rtnetlink;
pub(crate) mod skb;
mod slot;
pub(crate) mod sort;
pub(crate) mod tcp;
pub(crate) mod time;
pub(crate) mod work;
