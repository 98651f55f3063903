// SPDX-License-Identifier: GPL-2.0

//! The module, and the instance of each network namespace: what is set up in which order, and torn down in
//! the reverse one. An instance costs nothing until it has a WAN.
//!
//! Lock order: `Instance::router`, then those of [`crate::mwb_sync`].

#![forbid(unsafe_code)]

use crate::{
    module_parameters,
    mwb_entry::Entries,
    mwb_genl,
    mwb_nf::{
        Path,
        Stats, //
    },
    mwb_sync::{
        self,
        Sync,
        Written, //
    },
    mwb_wan::{
        Setting,
        Wans, //
    },
    rust::{
        conntrack::Tracking,
        genetlink,
        netfilter,
        netns::{
            self,
            Net,
            Owner, //
        },
        rtnetlink::Listener,
        work::Work, //
    },
    uapi, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

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
                module,
            ),
        })
    }
}

/// What balances the connections of one network namespace.
#[pin_data]
pub(crate) struct Instance {
    net: Owner,
    stats: Arc<Stats>,
    /// While there are WANs.
    #[pin]
    router: Mutex<Option<Router>>,
}

impl netns::Instance for Instance {
    fn id() -> &'static netns::Id {
        static ID: netns::Id = netns::Id::new();
        &ID
    }

    fn init(net: Owner) -> Result<Arc<Self>> {
        let stats = Arc::new(Stats::new()?, GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Self {
                net,
                stats,
                router <- kernel::new_mutex!(None),
            }),
            GFP_KERNEL,
        )
    }

    fn exit(&self) {
        let router = self.router.lock().take();
        drop(router);
    }
}

impl Instance {
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(crate) fn with_router<T>(&self, f: impl FnOnce(Option<&Router>) -> T) -> T {
        f(self.router.lock().as_ref())
    }

    pub(crate) fn with_wans<T>(&self, f: impl FnOnce(&Wans) -> T) -> Option<T> {
        self.with_router(|router| router.map(|r| f(&r.path.wans)))
    }

    /// Adds a WAN; with the first one, the instance begins to work. EEXIST for its name, EBUSY for its
    /// device, ENOSPC when there are too many.
    pub(crate) fn add(&self, new: Setting) -> Result {
        let mut guard = self.router.lock();
        if let Some(router) = &*guard {
            return router.add(new);
        }
        let router = Router::start(self.net, self.stats.clone())?;
        router.add(new)?;
        *guard = Some(router);
        Ok(())
    }

    /// Removes a WAN; with the last one, nothing of the instance is left in the namespace. ENOENT.
    pub(crate) fn remove(&self, name: &CStr) -> Result {
        let mut guard = self.router.lock();
        if guard.as_ref().ok_or(ENOENT)?.remove(name)? {
            *guard = None;
        }
        Ok(())
    }
}

/// The working parts of an instance that has WANs. Fields go in this order: first nothing more is placed,
/// then nothing more is written, then what was written is taken back.
pub(crate) struct Router {
    _hook: Pin<KBox<netfilter::Registration<Path>>>,
    _tend: Pin<KBox<Work<Path>>>,
    _sampler: Pin<KBox<Work<Wans>>>,
    listener: Listener<Sync>,
    written: Written,
    path: Arc<Path>,
    _tracking: Tracking,
}

impl Router {
    fn start(net: Owner, stats: Arc<Stats>) -> Result<Self> {
        let tracking = Tracking::new(net)?;
        let wans = Wans::new(net)?;
        let entries = Entries::new(net, module_parameters::labels.value())?;
        let path = Arc::new(
            Path {
                wans: wans.clone(),
                entries,
                stats,
            },
            GFP_KERNEL,
        )?;
        let sync = Sync::new(net, wans.clone())?;
        let listener = Listener::new(net, mwb_sync::GROUPS, Work::new(sync.clone())?)?;
        let sampler = Work::new(wans)?;
        let tend = Work::new(path.clone())?;
        let hook = netfilter::Registration::new(net, netfilter::PRI_AFTER_NAT_DST, path.clone())?;
        sampler.schedule(0);
        tend.schedule(0);
        Ok(Self {
            _hook: hook,
            _tend: tend,
            _sampler: sampler,
            listener,
            written: Written::by(sync),
            path,
            _tracking: tracking,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn sync(&self) -> &Sync {
        &self.written
    }

    fn add(&self, new: Setting) -> Result {
        let wans = &self.path.wans;
        {
            let mut settings = wans.settings();
            if settings.position(&new.name).is_some() {
                return Err(EEXIST);
            }
            // A device has several names, and with each incarnation another index.
            let is_same = |w: &Setting| w.ifindex == new.ifindex || *w.dev == *new.dev;
            if settings.wans.iter().any(is_same) {
                return Err(EBUSY);
            }
            wans.insert(&mut settings, new)?;
        }
        self.bring_in_line();
        Ok(())
    }

    /// Returns whether that was the last one.
    fn remove(&self, name: &CStr) -> Result<bool> {
        let wans = &self.path.wans;
        let (id, was_last) = {
            let mut settings = wans.settings();
            let at = settings.position(name).ok_or(ENOENT)?;
            let id = wans.remove(&mut settings, at)?;
            (id, settings.wans.is_empty())
        };
        self.bring_in_line();
        self.path.forget(id);
        Ok(was_last)
    }

    /// Before a request is answered, rules and routes are what it asked for; if they cannot be yet, soon.
    fn bring_in_line(&self) {
        if self.written.pass().is_err() {
            self.listener.work().schedule(0);
        }
    }
}
