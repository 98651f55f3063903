// SPDX-License-Identifier: GPL-2.0

//! The instance of a network namespace: what requests change. It costs nothing until it has a WAN.
//!
//! Lock order: `Instance::router`, then `Stage::staged`, then those of [`crate::mwb_sync`].

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    mwb_event,
    mwb_nf::Stats,
    mwb_policy::{
        self,
        Group,
        Name,
        Policy,
        Selector,
        Set,
        Target, //
    },
    mwb_router::Router,
    mwb_sync,
    mwb_wan::{
        Setting,
        Wans, //
    },
    rust::{
        netns::{
            self,
            Net,
            Owner, //
        },
        rcu::Shared,
        work::{
            Task,
            Work, //
        }, //
    },
    uapi, //
};
use core::{
    ops::Deref,
    sync::atomic::{
        AtomicU32,
        Ordering::Relaxed, //
    }, //
};
use kernel::{
    error::code::*,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// What balances the connections of one network namespace.
#[pin_data]
pub(crate) struct Instance {
    net: Owner,
    stats: Arc<Stats>,
    config: Arc<Shared<Config>>,
    policies: Arc<Shared<Set>>,
    /// While there are WANs. Whoever changes anything holds it.
    #[pin]
    router: Mutex<Option<Router>>,
    stage: Arc<Stage>,
    stage_work: Pin<KBox<Work<Stage>>>,
    readers: Arc<AtomicU32>,
}

/// A set that somebody reads, as it is for as long as that takes.
pub(crate) struct Read {
    set: Arc<Set>,
    _reader: Option<Reader>,
}

impl Deref for Read {
    type Target = Set;

    fn deref(&self) -> &Set {
        &self.set
    }
}

/// Somebody who need not be an administrator. Each one that does not read on keeps a set that may have been replaced,
/// so there are few of them.
struct Reader(Arc<AtomicU32>);

impl Reader {
    const MAX: u32 = 32;

    fn new(readers: &Arc<AtomicU32>) -> Result<Self> {
        let more = |n: u32| (n < Self::MAX).then_some(n.saturating_add(1));
        match readers.fetch_update(Relaxed, Relaxed, more) {
            Ok(_) => Ok(Self(readers.clone())),
            Err(_) => Err(EBUSY),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// How long one may take between two messages of a set.
const STAGED_MS: u32 = 10_000;

/// Policies that are to replace the present ones, as soon as the last of them has arrived.
struct Staged {
    /// The socket that they come from.
    portid: u32,
    policies: KVVec<Arc<Policy>>,
    /// What there was when they were begun.
    old: Arc<Set>,
    /// Its groups, and those that are to come with the policies.
    groups: KVec<Option<Group>>,
    has_groups: bool,
    /// WANs have come or gone since: the groups hold numbers of WANs, and names that no WAN had.
    has_other_wans: bool,
    /// How many messages have come, this socket's groups among them.
    messages: u32,
    /// A message has come since this was looked at last.
    is_fresh: bool,
}

impl Staged {
    /// What this socket has begun, and goes on with. ECANCELED if another one began meanwhile.
    fn of(staged: &mut Option<Self>, portid: u32) -> Result<&mut Self> {
        let staged = staged.as_mut().filter(|s| s.portid == portid);
        let staged = staged.ok_or(ECANCELED)?;
        staged.is_fresh = true;
        Ok(staged)
    }

    /// Counts a message. EBADMSG if it is not the one that is `expected`.
    fn count(&mut self, expected: Option<u32>) -> Result {
        self.messages = self.messages.saturating_add(1);
        if expected.is_some_and(|n| n != self.messages) {
            return Err(EBADMSG);
        }
        Ok(())
    }
}

/// Where a set of policies is gathered.
#[pin_data]
struct Stage {
    #[pin]
    staged: Mutex<Option<Staged>>,
}

impl Task for Stage {
    /// Gives up the set of a sender who is gone.
    fn run(&self) -> Option<u32> {
        let mut staged = self.staged.lock();
        staged.take_if(|s| !s.is_fresh);
        let staged = (*staged).as_mut()?;
        staged.is_fresh = false;
        Some(STAGED_MS)
    }
}

impl netns::Instance for Instance {
    fn id() -> &'static netns::Id {
        static ID: netns::Id = netns::Id::new();
        &ID
    }

    fn init(net: Owner) -> Result<Arc<Self>> {
        let stats = Arc::new(Stats::new()?, GFP_KERNEL)?;
        let config = Arc::new(Shared::new(Config::DEFAULT)?, GFP_KERNEL)?;
        let policies = Arc::new(Shared::new(Set::empty())?, GFP_KERNEL)?;
        let stage = Arc::pin_init(
            pin_init!(Stage {
                staged <- kernel::new_mutex!(None),
            }),
            GFP_KERNEL,
        )?;
        let stage_work = Work::new(stage.clone())?;
        let readers = Arc::new(AtomicU32::new(0), GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Self {
                net,
                stats,
                config,
                policies,
                router <- kernel::new_mutex!(None),
                stage,
                stage_work,
                readers,
            }),
            GFP_KERNEL,
        )
    }

    fn exit(&self) {
        let router = self.router.lock().take();
        drop(router);
    }
}

/// Why a policy cannot be.
pub(crate) enum Unfit {
    /// Neither a WAN nor a group has this name.
    Unknown,
    Other(Error),
}

impl From<Error> for Unfit {
    fn from(e: Error) -> Self {
        Self::Other(e)
    }
}

impl Instance {
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(crate) fn config(&self) -> Config {
        self.config.with(|config| *config)
    }

    /// Calls `f`, which must not sleep, with the policies and groups.
    pub(crate) fn with_policies<T>(&self, f: impl FnOnce(&Set) -> T) -> T {
        self.policies.with(f)
    }

    /// The present policies and groups, which outlive their replacement for as long as this is held. EBUSY while
    /// too many who are no administrators read.
    pub(crate) fn read_policies(&self, is_admin: bool) -> Result<Read> {
        let reader = (!is_admin)
            .then(|| Reader::new(&self.readers))
            .transpose()?;
        Ok(Read {
            set: self.policies.get(),
            _reader: reader,
        })
    }

    pub(crate) fn with_router<T>(&self, f: impl FnOnce(Option<&Router>) -> T) -> T {
        f((*self.router.lock()).as_ref())
    }

    pub(crate) fn with_wans<T>(&self, f: impl FnOnce(&Wans) -> T) -> Option<T> {
        self.with_router(|router| router.map(|r| f(&r.path().wans)))
    }

    /// Adds a WAN; with the first one, the instance begins to work. EEXIST for its name, EALREADY for its id,
    /// EBUSY for its device, ENOSPC when there are too many. The first one fails with EADDRINUSE, and calls
    /// `tell` with a sentence, when somebody else uses a number that is to be ours.
    pub(crate) fn add(&self, new: Setting, tell: impl FnOnce(&CStr)) -> Result {
        let mut guard = self.router.lock();
        let config = self.config();
        if let Some(name) = Name::new(&new.name) {
            if self.with_policies(|p| p.group(&name).is_some()) {
                return Err(EEXIST);
            }
        }
        if let Some(router) = &*guard {
            router.add(&self.net, new, &config)?;
        } else {
            self.check_numbers(&config, tell)?;
            let router = Router::start(self.net, &self.config, &self.policies, &self.stats)?;
            router.add(&self.net, new, &config)?;
            *guard = Some(router);
        }
        self.outdate_stage();
        Ok(())
    }

    /// Changes a WAN. ENOENT; EBUSY when another one has its new device.
    pub(crate) fn change(
        &self,
        name: &CStr,
        dev: Option<&CStr>,
        change: impl FnOnce(&mut Setting),
    ) -> Result {
        let guard = self.router.lock();
        let router = (*guard).as_ref().ok_or(ENOENT)?;
        router.change(&self.net, name, dev, change)
    }

    /// Removes a WAN; with the last one, nothing of the instance is left in the namespace. ENOENT; EBUSY
    /// while a policy leads to it.
    pub(crate) fn remove(&self, name: &CStr) -> Result {
        let mut guard = self.router.lock();
        let router = (*guard).as_ref().ok_or(ENOENT)?;
        let id = router.id_of(name).ok_or(ENOENT)?;
        let groups = self.with_policies(|policies| {
            if policies.to(Target::Wan(id)).is_some() {
                return Err(EBUSY);
            }
            Ok(policies.groups().any(|(_, group)| group.wans.contains(id)))
        })?;
        if groups {
            self.change_groups(|groups| {
                mwb_policy::forget(groups, id);
                Ok(())
            })?;
        }
        if router.remove(&self.net, name)? {
            *guard = None;
        }
        self.outdate_stage();
        Ok(())
    }

    fn outdate_stage(&self) {
        if let Some(staged) = &mut *self.stage.staged.lock() {
            staged.has_other_wans = true;
        }
    }

    /// Changes the configuration. EBUSY when numbers are to change while there are WANs; EADDRINUSE, after
    /// `tell` was called with a sentence, when somebody else uses one of them; EDOM when the exit is above the
    /// threshold.
    pub(crate) fn configure(
        &self,
        change: impl FnOnce(&mut Config),
        tell: impl FnOnce(&CStr),
    ) -> Result {
        let guard = self.router.lock();
        let old = self.config();
        let mut new = old;
        change(&mut new);
        if new.choice.exit_percent > new.choice.enter_percent {
            return Err(EDOM);
        }
        if !new.has_numbers_of(&old) {
            if guard.is_some() {
                return Err(EBUSY);
            }
            self.check_numbers(&new, tell)?;
        }
        let router = (*guard).as_ref();
        let prepared = router.map(|router| router.path().chooser.prepare(&new));
        let prepared = prepared.transpose()?;
        self.config.replace(new)?;
        if let (Some(router), Some(prepared)) = (router, prepared) {
            router.path().chooser.follow(prepared);
        }
        if new != old {
            mwb_event::configured(&self.net, &new);
        }
        let Some(router) = router else {
            return Ok(());
        };
        router.bring_in_line();
        router.sample();
        if new.failback == uapi::FAILBACK_ALL && old.failback != new.failback {
            router.path().fail_back();
        }
        Ok(())
    }

    fn check_numbers(&self, config: &Config, tell: impl FnOnce(&CStr)) -> Result {
        // A dump that was overtaken by a change says nothing.
        const TRIES: u32 = 10;
        let mut user = Err(EAGAIN);
        for _ in 0..TRIES {
            user = mwb_sync::find_user(self.net, config);
            if user.as_ref().err() != Some(&EAGAIN) {
                break;
            }
        }
        match user? {
            Some(sentence) => {
                tell(&sentence);
                Err(EADDRINUSE)
            }
            None => Ok(()),
        }
    }

    /// Where a policy to this name leads.
    fn target(
        router: Option<&Router>,
        groups: &[Option<Group>],
        name: &Name,
    ) -> Result<Target, Unfit> {
        if name.as_c_str() == c"main" {
            return Ok(Target::Main);
        }
        if let Some(id) = router.and_then(|r| r.id_of(name.as_c_str())) {
            return Ok(Target::Wan(id));
        }
        let place = mwb_policy::group(groups, name);
        place.map(Target::Group).ok_or(Unfit::Unknown)
    }

    fn new_policy(
        &self,
        router: Option<&Router>,
        groups: &[Option<Group>],
        selector: Selector,
        to: Name,
        is_strict: bool,
    ) -> Result<Arc<Policy>, Unfit> {
        let target = Self::target(router, groups, &to)?;
        let new = Policy::new(selector, target, to, is_strict);
        // The same policy goes on counting.
        match self.with_policies(|policies| policies.same_as(&new).cloned()) {
            Some(same) => Ok(same),
            None => Ok(Arc::new(new, GFP_KERNEL_ACCOUNT).map_err(Error::from)?),
        }
    }

    /// Adds a policy. EEXIST if there is one with the same selector.
    pub(crate) fn add_policy(
        &self,
        selector: Selector,
        to: Name,
        is_strict: bool,
    ) -> Result<(), Unfit> {
        let guard = self.router.lock();
        let old = self.policies.get();
        let groups = old.copy_groups()?;
        let new = self.new_policy((*guard).as_ref(), &groups, selector, to, is_strict)?;
        let mut policies = old.copy_policies(1)?;
        if policies.len() >= uapi::POLICY_MAX as usize {
            return Err(ENOSPC.into());
        }
        policies
            .push(new.clone(), GFP_KERNEL_ACCOUNT)
            .map_err(Error::from)?;
        self.set_policies(policies)?;
        mwb_event::policy_added(&self.net, &new);
        Ok(())
    }

    /// Removes the policy that has this selector, else the only one that `is_it`. ENOENT if there is none,
    /// ENOTUNIQ if there are several.
    pub(crate) fn remove_policy(
        &self,
        selector: &Selector,
        is_it: impl Fn(&Policy) -> bool,
    ) -> Result {
        let _guard = self.router.lock();
        let mut policies = self.policies.get().copy_policies(0)?;
        let is_exact = |p: &Policy| p.selector == *selector && is_it(p);
        let only = |is_it: &dyn Fn(&Policy) -> bool| {
            let mut found = policies.iter().filter(|p| is_it(p));
            let first = found.next().ok_or(ENOENT)?;
            match found.next() {
                None => Ok(first.clone()),
                Some(_) => Err(ENOTUNIQ),
            }
        };
        let old = only(&is_exact).or_else(|_| only(&is_it))?;
        policies.retain(|p| !Arc::ptr_eq(p, &old));
        self.set_policies(policies)?;
        mwb_event::policy_removed(&self.net, &old);
        Ok(())
    }

    /// Begins a set of policies that is to replace the present one.
    pub(crate) fn begin_policies(&self, portid: u32) -> Result {
        let old = self.policies.get();
        let groups = old.copy_groups()?;
        *self.stage.staged.lock() = Some(Staged {
            portid,
            policies: KVVec::new(),
            old,
            groups,
            has_groups: false,
            has_other_wans: false,
            messages: 0,
            is_fresh: true,
        });
        self.stage_work.schedule(STAGED_MS);
        Ok(())
    }

    /// Another message of the set that this socket has begun: `expected` is how many there have been, this one
    /// included, or `None` if the sender does not say. EBADMSG if one is missing: what generic netlink itself
    /// refuses does not come to us. ECANCELED if another set began meanwhile.
    pub(crate) fn count_message(&self, portid: u32, expected: Option<u32>) -> Result {
        let mut staged = self.stage.staged.lock();
        Staged::of(&mut staged, portid)?.count(expected)
    }

    /// Adds a policy to the set that this socket has begun. ECANCELED if another one began meanwhile.
    pub(crate) fn stage_policy(
        &self,
        portid: u32,
        selector: Selector,
        to: Name,
        is_strict: bool,
    ) -> Result<(), Unfit> {
        let guard = self.router.lock();
        let mut staged = self.stage.staged.lock();
        let staged = Staged::of(&mut staged, portid)?;
        let new = self.new_policy((*guard).as_ref(), &staged.groups, selector, to, is_strict)?;
        if staged.policies.len() >= uapi::POLICY_MAX as usize {
            return Err(ENOSPC.into());
        }
        staged
            .policies
            .push(new, GFP_KERNEL_ACCOUNT)
            .map_err(Error::from)?;
        Ok(())
    }

    /// Gives up the set that this socket has begun.
    pub(crate) fn abort_policies(&self, portid: u32) {
        let mut staged = self.stage.staged.lock();
        staged.take_if(|s| s.portid == portid);
    }

    /// Counts the last message of the set that this socket has begun, and puts the set into effect. EEXIST if two
    /// of its policies have the same selector; ESTALE if one leads to what no longer exists, or groups are with it
    /// and others have changed.
    pub(crate) fn commit_policies(&self, portid: u32, expected: Option<u32>) -> Result {
        let guard = self.router.lock();
        let mut staged = self.stage.staged.lock();
        let staged = staged.take_if(|s| s.portid == portid);
        let mut staged = staged.ok_or(ECANCELED)?;
        staged.count(expected)?;
        let present = self.policies.get();
        let groups = if staged.has_groups {
            if staged.has_other_wans || !present.has_groups_of(&staged.old) {
                return Err(ESTALE);
            }
            staged.groups
        } else {
            present.copy_groups()?
        };
        for policy in &staged.policies {
            let target = Self::target((*guard).as_ref(), &groups, &policy.to_name);
            if target.ok() != Some(policy.to) {
                return Err(ESTALE);
            }
        }
        let old = self.policies.get();
        self.set(staged.policies, groups)?;
        self.tell_groups((*guard).as_ref(), &old);
        let new = self.policies.get();
        if !new.has_policies_of(&old) {
            mwb_event::policies_replaced(&self.net, new.len());
        }
        Ok(())
    }

    fn set(&self, policies: KVVec<Arc<Policy>>, groups: KVec<Option<Group>>) -> Result {
        self.policies.replace(Set::new(policies, groups)?)
    }

    fn set_policies(&self, new: KVVec<Arc<Policy>>) -> Result {
        self.set(new, self.policies.get().copy_groups()?)
    }

    fn change_groups(&self, change: impl FnOnce(&mut KVec<Option<Group>>) -> Result) -> Result {
        let old = self.policies.get();
        let mut groups = old.copy_groups()?;
        change(&mut groups)?;
        self.policies.replace(old.with_groups(groups)?)
    }

    /// Makes a group, or gives it other members; if there is a socket, together with the policies that this one
    /// has begun to replace. ENOENT if one of `wans` does not exist, EEXIST if a WAN has the name, ENOSPC when
    /// there are too many; ECANCELED if nothing was begun, or another one began meanwhile.
    pub(crate) fn set_group<'a>(
        &self,
        portid: Option<u32>,
        name: Name,
        wans: impl Iterator<Item = &'a CStr>,
    ) -> Result {
        let guard = self.router.lock();
        let router = (*guard).as_ref();
        let id_of = |name: &CStr| router.and_then(|r| r.id_of(name));
        if id_of(name.as_c_str()).is_some() {
            return Err(EEXIST);
        }
        let mut members = mwb_policy::Wans::default();
        for wan in wans {
            members.insert(id_of(wan).ok_or(ENOENT)?);
        }
        let new = Group {
            name,
            wans: members,
        };
        let Some(portid) = portid else {
            let old = self.policies.get();
            self.change_groups(|groups| mwb_policy::set_group(groups, new))?;
            self.tell_groups(router, &old);
            return Ok(());
        };
        let mut staged = self.stage.staged.lock();
        let staged = Staged::of(&mut staged, portid)?;
        mwb_policy::set_group(&mut staged.groups, new)?;
        staged.has_groups = true;
        staged.messages = staged.messages.saturating_add(1);
        Ok(())
    }

    /// Tells of the groups that are there since, or have other WANs.
    fn tell_groups(&self, router: Option<&Router>, old: &Set) {
        let Some(router) = router else {
            return;
        };
        let settings = router.path().wans.settings();
        let new = self.policies.get();
        let is_new = |group: &&Group| old.members(&group.name) != Some(group.wans);
        for group in new.groups().map(|(_, group)| group).filter(is_new) {
            let names = settings.names(|id| group.wans.contains(id));
            mwb_event::group_set(&self.net, &group.name, names);
        }
    }

    /// Removes a group. ENOENT; EBUSY while a policy leads to it.
    pub(crate) fn remove_group(&self, name: &Name) -> Result {
        let _guard = self.router.lock();
        let policies = self.policies.get();
        let place = policies.group(name).ok_or(ENOENT)?;
        if policies.to(Target::Group(place)).is_some() {
            return Err(EBUSY);
        }
        self.change_groups(|groups| {
            if let Some(group) = groups.get_mut(place) {
                *group = None;
            }
            Ok(())
        })?;
        mwb_event::group_removed(&self.net, name);
        Ok(())
    }
}
