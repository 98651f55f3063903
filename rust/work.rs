// SPDX-License-Identifier: GPL-2.0

//! Work that runs later, in process context.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::bindings;
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// What a work item does.
pub(crate) trait Task: Send + Sync + 'static {
    /// Runs once; `Some(delay_ms)` asks for another run.
    fn run(&self) -> Option<u32>;
}

/// A work item that is cancelled, and waited for, when it is dropped.
///
/// # Invariants
///
/// `raw` is initialised, and its function is `Work::<T>::run`.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub(crate) struct Work<T: Task> {
    #[pin]
    raw: Opaque<bindings::delayed_work>,
    task: Arc<T>,
}

// SAFETY: A work item may be scheduled and cancelled from any thread, and `T` is `Send` and `Sync`.
unsafe impl<T: Task> Send for Work<T> {}
// SAFETY: As above.
unsafe impl<T: Task> Sync for Work<T> {}

impl<T: Task> Work<T> {
    pub(crate) fn new(task: Arc<T>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                raw <- Opaque::ffi_init(|slot| {
                    // SAFETY: `slot` is valid for writes, and pinned until `drop` has cancelled it.
                    unsafe { bindings::mwb_helper_init_delayed_work(slot, Some(Self::run)) }
                }),
                task,
            }),
            GFP_KERNEL,
        )
    }

    /// Runs it `delay_ms` milliseconds from now, unless it is due earlier.
    pub(crate) fn schedule(&self, delay_ms: u32) {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_schedule(self.raw.get(), delay_ms) };
    }

    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        // A `work_struct` is the first member of a `delayed_work`, and that of `Self`.
        const { assert!(core::mem::offset_of!(bindings::delayed_work, work) == 0) };
        // SAFETY: The workqueue calls with the item that was scheduled, which `drop` waits for.
        let this = unsafe { &*work.cast::<Self>() };
        if let Some(delay_ms) = this.task.run() {
            this.schedule(delay_ms);
        }
    }
}

#[pinned_drop]
impl<T: Task> PinnedDrop for Work<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant. From here on, scheduling it does nothing.
        unsafe { bindings::disable_delayed_work_sync(self.raw.get()) };
    }
}
