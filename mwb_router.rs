// SPDX-License-Identifier: GPL-2.0

//! What works while an instance has WANs: what is set up in which order, and torn down in the reverse one.

#![forbid(unsafe_code)]

use crate::{
    module_parameters,
    mwb_choice::Chooser,
    mwb_config::Config,
    mwb_entry::Entries,
    mwb_event,
    mwb_handover::Haste,
    mwb_nf::{
        Path,
        Stats, //
    },
    mwb_policy::{
        self,
        Wans as Ids, //
    },
    mwb_shortcut::Shortcut,
    mwb_sync::{
        Sync,
        Written, //
    },
    mwb_wan::{
        Setting,
        Settings,
        Wans, //
    },
    rust::{
        conntrack::Tracking,
        netfilter,
        netns::{
            Net,
            Owner, //
        },
        notifier::Watcher,
        rcu::Shared,
        rtnetlink::Listener,
        work::{
            Task,
            Work, //
        }, //
    },
    uapi, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::Arc, //
};

/// The working parts of an instance that has WANs. Fields go in this order: nothing more is written, what was
/// written is taken back, and only then packets go without their marks. The other way round, connections
/// would leave by the first default route for a moment, and lose their addresses.
pub(crate) struct Router {
    _watcher: Pin<KBox<Watcher<Path>>>,
    listener: Listener<Sync>,
    written: Written,
    _hooks: [Pin<KBox<netfilter::Registration<Path>>>; 2],
    _tend: Pin<KBox<Work<Path>>>,
    sampler: Pin<KBox<Work<Wans>>>,
    path: Arc<Path>,
    _tracking: Tracking,
}

impl Router {
    pub(crate) fn start(
        net: Owner,
        config: &Arc<Shared<Config>>,
        policies: &Arc<Shared<mwb_policy::Set>>,
        stats: &Arc<Stats>,
    ) -> Result<Self> {
        let tracking = Tracking::new(net)?;
        let wans = Wans::new(net, config.clone())?;
        let path = Arc::new(
            Path {
                marks: config.with(|config| config.marks),
                wans: wans.clone(),
                entries: Entries::new(net, module_parameters::labels.value())?,
                shortcut: Shortcut::new(config.with(|config| *config))?,
                chooser: Chooser::new(config.clone(), policies.clone())?,
                stats: stats.clone(),
                haste: Haste::new(),
            },
            GFP_KERNEL,
        )?;
        let sync = Sync::new(net, path.clone())?;
        // From here on there may be passes, also when what follows fails.
        let written = Written::by(sync.clone());
        let work = Work::new(sync.clone())?;
        let listener = Listener::new(sync, work)?;
        let sampler = Work::new(wans)?;
        let tend = Work::new(path.clone())?;
        let priority = netfilter::PRI_AFTER_NAT_DST;
        let hooks = [
            netfilter::Registration::prerouting(net, priority, path.clone())?,
            netfilter::Registration::local_out(net, priority, path.clone())?,
        ];
        let watcher = Watcher::new(net, path.clone())?;
        sampler.schedule(0);
        tend.schedule(0);
        Ok(Self {
            _watcher: watcher,
            listener,
            written,
            _hooks: hooks,
            _tend: tend,
            sampler,
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

    /// The id of the WAN with this name.
    pub(crate) fn id_of(&self, name: &CStr) -> Option<u8> {
        let settings = self.path.wans.settings();
        let at = settings.position(name)?;
        settings.wans.get(at).map(|w| w.id)
    }

    /// EEXIST for its name, EALREADY for its id, EBUSY for its device, ENOSPC when there are too many.
    pub(crate) fn add(&self, net: &Net, new: Setting, config: &Config) -> Result {
        let wans = &self.path.wans;
        {
            let mut settings = wans.settings();
            if settings.position(&new.name).is_some() {
                return Err(EEXIST);
            }
            if settings.has_dev(&new.dev, None) {
                return Err(EBUSY);
            }
            wans.insert(&mut settings, new, config.marks.max_id(), |wan| {
                mwb_event::added(net, wan)
            })?;
        }
        self.bring_in_line();
        Ok(())
    }

    /// Changes a WAN. ENOENT; EBUSY when another one has its new device.
    pub(crate) fn change(
        &self,
        net: &Net,
        name: &CStr,
        dev: Option<&CStr>,
        change: impl FnOnce(&mut Setting),
    ) -> Result {
        let wans = &self.path.wans;
        let find = |settings: &Settings| {
            let at = settings.position(name).ok_or(ENOENT)?;
            if dev.is_some_and(|dev| settings.has_dev(dev, Some(name))) {
                return Err(EBUSY);
            }
            Ok(at)
        };
        let dev = dev.map(CString::try_from).transpose()?;
        let (id, is_same_dev) = {
            let settings = wans.settings();
            let setting = settings.wans.get(find(&settings)?).ok_or(ENOENT)?;
            (
                setting.id,
                dev.as_deref().is_none_or(|dev| *dev == *setting.dev),
            )
        };
        if !is_same_dev {
            // While it still has the addresses that they are translated to.
            wans.close(id);
            self.path.evacuate(&Ids::one(id));
        }
        let tier = wans.tier(id);
        {
            let mut settings = wans.settings();
            let at = find(&settings)?;
            let mut is_changed = !is_same_dev;
            wans.change(&mut settings, at, |setting| {
                let was = setting.asked();
                if let Some(dev) = dev {
                    setting.dev = dev;
                }
                change(setting);
                is_changed |= was != setting.asked();
            })?;
            if let Some(wan) = settings.wans.get(at).filter(|_| is_changed) {
                mwb_event::set(net, wan);
            }
        }
        self.bring_in_line();
        if tier != wans.tier(id) && self.path.config().failback == uapi::FAILBACK_ALL {
            self.path.fail_back();
        }
        Ok(())
    }

    /// Returns whether that was the last one.
    pub(crate) fn remove(&self, net: &Net, name: &CStr) -> Result<bool> {
        let wans = &self.path.wans;
        let (id, was_last) = {
            let mut settings = wans.settings();
            let at = settings.position(name).ok_or(ENOENT)?;
            let old = wans.remove(&mut settings, at)?;
            mwb_event::removed(net, &old);
            (old.id, settings.wans.is_empty())
        };
        self.path.forget(id);
        self.bring_in_line();
        Ok(was_last)
    }

    /// The time between two samples may be another one.
    pub(crate) fn sample(&self) {
        self.sampler.schedule(0);
    }

    /// Before a request is answered, rules and routes are what it asked for; if they cannot be yet, soon.
    pub(crate) fn bring_in_line(&self) {
        let pass = self.written.pass();
        let next_ms = pass.map_or(0, |()| self.written.repeat_ms());
        self.listener.work().schedule(next_ms);
    }
}

impl Task for Wans {
    fn run(&self) -> Option<u32> {
        Some(self.sample(mwb_event::overload))
    }
}
