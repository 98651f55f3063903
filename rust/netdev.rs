// SPDX-License-Identifier: GPL-2.0

//! Network devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    bindings,
    netns::Net, //
};
use core::{
    mem::MaybeUninit,
    net::Ipv4Addr,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// A network device (`struct net_device`).
///
/// # Invariants
///
/// Valid for as long as the reference lives: somebody holds it, or RCU does.
#[repr(transparent)]
pub(crate) struct Device(Opaque<bindings::net_device>);

impl Device {
    /// # Safety
    ///
    /// `ptr` must be a device that stays valid for `'a`.
    #[inline]
    pub(super) unsafe fn from_ptr<'a>(ptr: *mut bindings::net_device) -> &'a Self {
        // SAFETY: `Device` is transparent; the rest is the caller's promise.
        unsafe { &*ptr.cast() }
    }

    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    #[inline]
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: `ifindex` is an `int` of the valid device; never negative.
        unsafe {
            *self
                .as_ptr()
                .byte_add(bindings::MWB_OFFSET_DEV_IFINDEX)
                .cast()
        }
    }

    /// Whether it is a VRF or the like, or belongs to one.
    #[inline]
    pub(crate) fn is_l3mdev(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_is_l3mdev(self.as_ptr()) }
    }

    pub(crate) fn name(&self) -> Name {
        let mut raw = [0; bindings::IFNAMSIZ as usize];
        // SAFETY: By the type invariant; the room is what a name takes.
        unsafe { bindings::mwb_helper_dev_name(self.as_ptr(), raw.as_mut_ptr().cast()) };
        Name(raw)
    }

    pub(crate) fn is_in(&self, net: &Net) -> bool {
        // SAFETY: Both are valid.
        unsafe { bindings::mwb_helper_dev_is_in(self.as_ptr(), net.as_ptr()) }
    }

    /// `name` must fit a device, or it is nobody's.
    pub(crate) fn has_name(&self, name: &CStr) -> bool {
        // SAFETY: By the type invariant; the name ends in a NUL.
        unsafe { bindings::mwb_helper_dev_has_name(self.as_ptr(), name.as_char_ptr()) }
    }

    /// What it sends goes out once more, in a packet of the router's own.
    pub(crate) fn is_tunnel(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_is_tunnel(self.as_ptr()) }
    }

    /// Packets from where the kernel would not send to through this device are dropped (rp_filter 1).
    pub(crate) fn is_strict(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_is_strict(self.as_ptr()) }
    }

    /// That question is asked with the mark of the packet (src_valid_mark).
    pub(crate) fn checks_mark(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_checks_mark(self.as_ptr()) }
    }

    fn flags(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_flags(self.as_ptr()) }
    }

    /// Administratively up.
    pub(crate) fn is_up(&self) -> bool {
        self.flags() & bindings::net_device_flags_IFF_UP != 0
    }

    /// It has one neighbour at most, so that a route needs no gateway.
    pub(crate) fn is_point_to_point(&self) -> bool {
        const NO_NEIGHBOURS: u32 =
            bindings::net_device_flags_IFF_POINTOPOINT | bindings::net_device_flags_IFF_NOARP;
        self.flags() & NO_NEIGHBOURS != 0
    }

    /// Up, with a carrier.
    pub(crate) fn is_running(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_running(self.as_ptr()) }
    }

    pub(crate) fn has_ipv4_address(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_has_addr4(self.as_ptr()) }
    }

    /// Whether `addr` is another host on a network that the device has an address in.
    pub(crate) fn is_onlink(&self, addr: Ipv4Addr) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_onlink4(self.as_ptr(), u32::from(addr).to_be()) }
    }
}

/// The name of a device.
pub(crate) struct Name([u8; bindings::IFNAMSIZ as usize]);

impl Name {
    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// A device that is held: it cannot go before this is dropped, so drop it soon.
///
/// # Invariants
///
/// The pointer is valid, and one reference to the device is ours.
pub(crate) struct Held(NonNull<bindings::net_device>);

impl Held {
    pub(crate) fn by_name(net: &Net, name: &CStr) -> Option<Self> {
        // SAFETY: Both are valid.
        NonNull::new(unsafe { bindings::mwb_helper_dev_hold(net.as_ptr(), name.as_char_ptr()) })
            .map(Self)
    }

    pub(crate) fn by_index(net: &Net, ifindex: u32) -> Option<Self> {
        let ifindex = ifindex as c_int;
        // SAFETY: The namespace is valid.
        NonNull::new(unsafe { bindings::mwb_helper_dev_hold_index(net.as_ptr(), ifindex) })
            .map(Self)
    }
}

impl core::ops::Deref for Held {
    type Target = Device;

    fn deref(&self) -> &Device {
        // SAFETY: By the type invariant.
        unsafe { Device::from_ptr(self.0.as_ptr()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dev_put(self.0.as_ptr()) };
    }
}

/// Whether a device can have this name.
pub(crate) fn is_valid_name(name: &CStr) -> bool {
    // SAFETY: The name ends in a NUL.
    unsafe { bindings::dev_valid_name(name.as_char_ptr()) }
}

/// Whether the device with this index exists, is up and has a carrier, at this very moment.
#[inline]
pub(crate) fn is_running(net: &Net, ifindex: u32) -> bool {
    // SAFETY: The namespace is valid.
    unsafe { bindings::mwb_helper_dev_running_now(net.as_ptr(), ifindex as c_int) }
}

/// The index of the device that has this address.
pub(crate) fn by_addr(net: &Net, addr: Ipv4Addr) -> Option<u32> {
    // SAFETY: The namespace is valid.
    let ifindex =
        unsafe { bindings::mwb_helper_addr_ifindex(net.as_ptr(), u32::from(addr).to_be()) };
    (ifindex != 0).then_some(ifindex as u32)
}

/// Whether the device with this index has this address.
pub(crate) fn has_addr(net: &Net, ifindex: u32, addr: Ipv4Addr) -> bool {
    let addr = u32::from(addr).to_be();
    // SAFETY: The namespace is valid.
    unsafe { bindings::mwb_helper_dev_has_this_addr4(net.as_ptr(), ifindex as c_int, addr) }
}

/// The index of the device that the kernel would send to this address through, with this mark.
pub(crate) fn oif(net: &Net, addr: Ipv4Addr, mark: u32) -> Option<u32> {
    // SAFETY: The namespace is valid.
    let oif = unsafe { bindings::mwb_helper_oif(net.as_ptr(), u32::from(addr).to_be(), mark) };
    (oif != 0).then_some(oif as u32)
}

/// Index of the loopback device in every namespace. To rules, what the router itself sends comes in through it.
pub(crate) const LOOPBACK: u32 = 1;

/// A packet that there could be.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    pub(crate) saddr: Ipv4Addr,
    pub(crate) daddr: Ipv4Addr,
    /// Index of the device that it comes in through.
    pub(crate) iif: u32,
    pub(crate) mark: u32,
    pub(crate) protocol: u8,
    pub(crate) dport: Option<u16>,
    /// In the lower six bits.
    pub(crate) dscp: u8,
}

/// Where a packet is led to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Led {
    /// To the device with this index.
    Out(u32),
    /// To the router itself.
    Local,
    Nowhere,
}

impl Probe {
    fn answer(&self, net: &Net, via: u32) -> bindings::mwb_probe {
        let mut raw = bindings::mwb_probe {
            saddr: u32::from(self.saddr).to_be(),
            daddr: u32::from(self.daddr).to_be(),
            mark: self.mark,
            iif: self.iif as c_int,
            dport: self.dport.unwrap_or(0).to_be(),
            protocol: self.protocol,
            dscp: self.dscp,
            type_: 0,
            oif: 0,
            via: via as c_int,
            metric: 0,
        };
        // SAFETY: Both are valid.
        unsafe { bindings::mwb_helper_probe(net.as_ptr(), &mut raw) };
        raw
    }

    /// The metric of the default route of main that leads it through the device with this index; 0 if none does.
    pub(crate) fn default_metric(&self, net: &Net, via: u32) -> u32 {
        self.answer(net, via).metric
    }

    /// Where rules and tables lead it.
    pub(crate) fn led(&self, net: &Net) -> Led {
        let raw = self.answer(net, 0);
        match u32::from(raw.type_) {
            bindings::RTN_LOCAL => Led::Local,
            _ if raw.oif != 0 => Led::Out(raw.oif as u32),
            _ => Led::Nowhere,
        }
    }
}

/// What a device has carried so far, and what is under its VLAN and PPPoE headers. Devices by their index, or 0;
/// bytes as transmitted and received.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) dev: u32,
    pub(crate) bytes: [u64; 2],
    /// The device right below.
    pub(crate) below: u32,
    /// The lowest one, if it counts what bypasses the others and nothing else is known to use it.
    pub(crate) line: u32,
    pub(crate) line_bytes: [u64; 2],
    /// Other devices are above it, whose packets it counts too.
    pub(crate) is_mixed: bool,
    /// What a flowtable forwards goes by the lowest one alone.
    pub(crate) is_bypassed: bool,
}

impl Traffic {
    /// That of the device with this name.
    pub(crate) fn of(net: &Net, name: &CStr) -> Option<Self> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: The namespace and the name are valid, and all of `raw` is written if this is true.
        let raw: bindings::mwb_traffic = unsafe {
            let name = name.as_char_ptr();
            if !bindings::mwb_helper_dev_traffic(net.as_ptr(), name, raw.as_mut_ptr()) {
                return None;
            }
            raw.assume_init()
        };
        Some(Self {
            dev: raw.dev,
            bytes: [raw.tx, raw.rx],
            below: raw.below,
            line: raw.line,
            line_bytes: [raw.line_tx, raw.line_rx],
            is_mixed: raw.mixed,
            is_bypassed: raw.bypassed,
        })
    }
}
