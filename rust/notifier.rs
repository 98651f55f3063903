// SPDX-License-Identifier: GPL-2.0

//! What is said of devices and addresses while it happens, before others act on it.
//!
//! C header: [`include/linux/notifier.h`](srctree/include/linux/notifier.h)

use super::{
    bindings,
    netdev::Device,
    netns::Owner, //
};
use core::{
    net::Ipv4Addr,
    sync::atomic::{
        AtomicBool,
        Ordering::Relaxed, //
    }, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// Calls `f` while nobody is told, for it has RTNL.
pub(crate) fn between<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: May be called where one may sleep.
    unsafe { bindings::rtnl_lock() };
    let outcome = f();
    // SAFETY: It was taken above.
    unsafe { bindings::rtnl_unlock() };
    outcome
}

/// Who is told, with RTNL held: locks under which somebody may wait for that are not to be taken. May sleep.
pub(crate) trait Watch: Send + Sync + 'static {
    /// A device is about to be set down, or to go.
    fn device_down(&self, dev: &Device);

    /// A device has lost an address.
    fn address_lost(&self, dev: &Device, addr: Ipv4Addr);
}

/// Somebody is told of the devices and the addresses of a namespace, until this is dropped.
///
/// # Invariants
///
/// Both blocks are registered while `is_on`; their functions are those of `Watcher<T>`.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub(crate) struct Watcher<T: Watch> {
    #[pin]
    devices: Opaque<bindings::notifier_block>,
    #[pin]
    addresses: Opaque<bindings::notifier_block>,
    net: Owner,
    watch: Arc<T>,
    is_on: AtomicBool,
}

// SAFETY: There is nothing to do with it but to drop it, which may be done anywhere.
unsafe impl<T: Watch> Send for Watcher<T> {}
// SAFETY: As above.
unsafe impl<T: Watch> Sync for Watcher<T> {}

impl<T: Watch> Watcher<T> {
    /// Takes RTNL.
    pub(crate) fn new(net: Owner, watch: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let block = |call| {
            // SAFETY: All bytes 0 is a valid `notifier_block`.
            let mut raw: bindings::notifier_block = unsafe { core::mem::zeroed() };
            raw.notifier_call = Some(call);
            // Before masquerade, which ends connections without telling anybody.
            raw.priority = c_int::MAX;
            Opaque::new(raw)
        };
        let this = KBox::pin_init(
            pin_init!(Self {
                devices: block(Self::device),
                addresses: block(Self::address),
                net,
                watch,
                is_on: AtomicBool::new(false),
            }),
            GFP_KERNEL,
        )?;
        let (devices, addresses) = (this.devices.get(), this.addresses.get());
        // SAFETY: The blocks are pinned, and `drop` unregisters them before they go.
        to_result(unsafe { bindings::register_netdevice_notifier_net(net.as_ptr(), devices) })?;
        // SAFETY: As above.
        let registered = to_result(unsafe { bindings::register_inetaddr_notifier(addresses) });
        if let Err(e) = registered {
            // SAFETY: It was registered above.
            unsafe { bindings::unregister_netdevice_notifier_net(net.as_ptr(), devices) };
            return Err(e);
        }
        this.is_on.store(true, Relaxed);
        Ok(this)
    }

    unsafe extern "C" fn device(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        const { assert!(core::mem::offset_of!(Self, devices) == 0) };
        // SAFETY: The kernel calls with the block that was registered, the first member of `Self`.
        let this = unsafe { &*block.cast::<Self>() };
        let is_down = event == bindings::netdev_cmd_NETDEV_GOING_DOWN as c_ulong;
        // When a block is unregistered, it is told of the end of every device.
        if is_down && this.is_on.load(Relaxed) {
            // SAFETY: That is what this chain is called with; the device is valid during the call.
            let dev = unsafe { Device::from_ptr(bindings::mwb_helper_notifier_dev(info)) };
            this.watch.device_down(dev);
        }
        0 // NOTIFY_DONE
    }

    unsafe extern "C" fn address(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        // SAFETY: The kernel calls with the block that was registered, a member of `Self`.
        let this = unsafe {
            &*block
                .byte_sub(core::mem::offset_of!(Self, addresses))
                .cast::<Self>()
        };
        if event == bindings::netdev_cmd_NETDEV_DOWN as c_ulong && this.is_on.load(Relaxed) {
            // SAFETY: That is what this chain is called with; address and device are valid during the call.
            let (dev, addr) = unsafe {
                let ifa = info.cast::<bindings::in_ifaddr>();
                let dev = Device::from_ptr(bindings::mwb_helper_ifa_dev(ifa));
                (dev, u32::from_be((*ifa).ifa_local))
            };
            if dev.is_in(&this.net) {
                this.watch.address_lost(dev, addr.into());
            }
        }
        0 // NOTIFY_DONE
    }
}

#[pinned_drop]
impl<T: Watch> PinnedDrop for Watcher<T> {
    fn drop(self: Pin<&mut Self>) {
        // Not registered, if `new` has failed.
        if !self.is_on.swap(false, Relaxed) {
            return;
        }
        // SAFETY: By the type invariant. The kernel waits for whoever is in one of them.
        unsafe {
            bindings::unregister_inetaddr_notifier(self.addresses.get());
            bindings::unregister_netdevice_notifier_net(self.net.as_ptr(), self.devices.get());
        }
    }
}
