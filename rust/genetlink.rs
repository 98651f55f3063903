// SPDX-License-Identifier: GPL-2.0

//! Generic netlink: a family, its requests and its answers.
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

use super::{
    bindings,
    netns::{
        self,
        Net, //
    }, //
};
use core::{
    net::Ipv4Addr,
    ptr::NonNull,
    sync::atomic::{
        AtomicPtr,
        Ordering::{
            Acquire,
            Release, //
        }, //
    }, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// How an attribute is validated (`struct nla_policy`).
#[repr(transparent)]
pub(crate) struct Policy(bindings::nla_policy);

// SAFETY: Read only; what it points to is static.
unsafe impl Sync for Policy {}

/// Bounds of an integer, both inclusive (`struct netlink_range_validation`).
#[repr(C)]
pub(crate) struct Range {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

const _: () = assert!(size_of::<Range>() == size_of::<bindings::netlink_range_validation>());

impl Policy {
    /// Not allowed in this request.
    pub(crate) const REJECT: Self = Self::plain(bindings::NLA_REJECT, 0);

    const fn plain(kind: c_uint, len: u16) -> Self {
        Self::checked(kind, bindings::nla_policy_validation_NLA_VALIDATE_NONE, len)
    }

    const fn checked(kind: c_uint, validation: c_uint, len: u16) -> Self {
        // SAFETY: All bytes 0 is a valid `nla_policy`.
        let mut raw: bindings::nla_policy = unsafe { core::mem::zeroed() };
        raw.type_ = kind as u8;
        raw.validation_type = validation as u8;
        raw.len = len;
        Self(raw)
    }

    /// A string that ends in a NUL, of at most `max_len` bytes before it.
    pub(crate) const fn nul_string(max_len: u16) -> Self {
        Self::plain(bindings::NLA_NUL_STRING, max_len)
    }

    /// At most `max_len` bytes.
    pub(crate) const fn binary(max_len: u16) -> Self {
        Self::plain(bindings::NLA_BINARY, max_len)
    }

    pub(crate) const fn flag() -> Self {
        Self::plain(bindings::NLA_FLAG, 0)
    }

    pub(crate) const fn u32() -> Self {
        Self::plain(bindings::NLA_U32, 0)
    }

    pub(crate) const fn be32() -> Self {
        Self::plain(bindings::NLA_BE32, 0)
    }

    const fn range(kind: c_uint, range: &'static Range) -> Self {
        let validation = bindings::nla_policy_validation_NLA_VALIDATE_RANGE_PTR;
        let mut policy = Self::checked(kind, validation, 0);
        policy.0.__bindgen_anon_1.range = core::ptr::from_ref(range).cast();
        policy
    }

    pub(crate) const fn u32_range(range: &'static Range) -> Self {
        Self::range(bindings::NLA_U32, range)
    }

    pub(crate) const fn u64_range(range: &'static Range) -> Self {
        Self::range(bindings::NLA_U64, range)
    }

    /// At most `max`.
    pub(crate) const fn u32_max(max: i16) -> Self {
        let validation = bindings::nla_policy_validation_NLA_VALIDATE_MAX;
        let mut policy = Self::checked(bindings::NLA_U32, validation, 0);
        policy.0.__bindgen_anon_1.__bindgen_anon_1.max = max;
        policy
    }

    /// Attributes that `nested` is for.
    pub(crate) const fn nested(nested: &'static [Self]) -> Self {
        let mut policy = Self::plain(bindings::NLA_NESTED, nested.len() as u16 - 1);
        policy.0.__bindgen_anon_1.nested_policy = nested.as_ptr().cast();
        policy
    }
}

/// An operation of a family: a request, or a dump.
#[repr(transparent)]
pub(crate) struct Op(bindings::genl_split_ops);

// SAFETY: Read only; what it points to is static.
unsafe impl Sync for Op {}

/// What answers a request.
pub(crate) trait Do {
    type Instance: netns::Instance;

    /// What a request may have.
    const POLICY: &'static [Policy];

    /// Checks the request whole, then does it. An error should carry a sentence: [`Request::fail`].
    fn handle(instance: &Self::Instance, request: &Request<'_>) -> Result;
}

/// What answers a dump.
pub(crate) trait Dump {
    type Instance: netns::Instance;

    /// What a dump holds from its first message to its last.
    type Held: Send;

    /// Why that may be EBUSY.
    const BUSY: &'static CStr = c"too many read at the moment";

    /// Takes hold of it, for a reader who may or may not administer the namespace.
    fn hold(instance: &Self::Instance, is_admin: bool) -> Result<Self::Held>;

    /// Changes whenever dumped objects do that are not held; the reader is told, and asks again.
    fn generation(_instance: &Self::Instance) -> u32 {
        0
    }

    /// Writes the object with the lowest number above `after`, and returns that number.
    fn next(
        instance: &Self::Instance,
        held: &Self::Held,
        after: u32,
        answer: &mut Answer,
    ) -> Result<Option<u32>>;
}

/// How far a dump has come.
struct Progress<H> {
    after: u32,
    held: H,
}

/// # Safety
///
/// `cb` must be valid, and that of a dump of this type.
unsafe fn progress<D: Dump>(cb: *mut bindings::netlink_callback) -> *mut Progress<D::Held> {
    const {
        type Room = bindings::netlink_callback__bindgen_ty_1;
        assert!(size_of::<Progress<D::Held>>() <= size_of::<Room>());
        assert!(align_of::<Progress<D::Held>>() <= align_of::<Room>());
    }
    // SAFETY: By the caller's promise.
    unsafe { (&raw mut (*cb).__bindgen_anon_1.ctx).cast() }
}

impl Op {
    const fn raw(cmd: u8, flags: c_uint, policy: &'static [Policy]) -> bindings::genl_split_ops {
        // SAFETY: All bytes 0 is a valid `genl_split_ops`.
        let mut op: bindings::genl_split_ops = unsafe { core::mem::zeroed() };
        op.cmd = cmd;
        op.flags = flags as u8;
        op.policy = policy.as_ptr().cast();
        op.maxattr = policy.len() as c_uint - 1;
        op
    }

    const fn request<D: Do>(cmd: u8, flags: c_uint) -> Self {
        let mut op = Self::raw(cmd, flags | bindings::GENL_CMD_CAP_DO, D::POLICY);
        op.__bindgen_anon_1.__bindgen_anon_1.doit = Some(doit::<D>);
        Self(op)
    }

    /// A request that everybody may make.
    pub(crate) const fn read<D: Do>(cmd: u8) -> Self {
        Self::request::<D>(cmd, 0)
    }

    /// A request of those who may configure the namespace's network.
    pub(crate) const fn admin<D: Do>(cmd: u8) -> Self {
        Self::request::<D>(cmd, bindings::GENL_UNS_ADMIN_PERM)
    }

    /// A dump that everybody may ask for; it follows the request with the same `cmd`, if there is one.
    pub(crate) const fn dump<D: Dump>(cmd: u8, policy: &'static [Policy]) -> Self {
        let mut op = Self::raw(cmd, bindings::GENL_CMD_CAP_DUMP, policy);
        op.__bindgen_anon_1.__bindgen_anon_2.start = Some(start::<D>);
        op.__bindgen_anon_1.__bindgen_anon_2.dumpit = Some(dumpit::<D>);
        op.__bindgen_anon_1.__bindgen_anon_2.done = Some(done::<D>);
        Self(op)
    }
}

unsafe extern "C" fn start<D: Dump>(cb: *mut bindings::netlink_callback) -> c_int {
    /// There is room for the largest object, whatever the reader's buffer.
    const LARGEST: u32 = 16 << 10;
    // SAFETY: The kernel calls with a valid callback; the rest as in `doit`.
    let (instance, is_admin) = unsafe {
        let skb = (*cb).skb;
        let net = Net::from_ptr(bindings::mwb_helper_skb_net(skb));
        let is_admin = bindings::mwb_helper_is_admin(skb, net.as_ptr());
        (netns::instance(net), is_admin)
    };
    // What changes from here on, also before the first message, is told.
    let seq = D::generation(instance).wrapping_add(1);
    match D::hold(instance, is_admin) {
        // SAFETY: `cb` is valid. What is written is dropped by `done`, which is not called after an error.
        Ok(held) => unsafe {
            (*cb).min_dump_alloc = LARGEST;
            (*cb).prev_seq = seq;
            progress::<D>(cb).write(Progress { after: 0, held });
            0
        },
        Err(e) => {
            if e == EBUSY {
                let (why, none) = (D::BUSY.as_char_ptr(), core::ptr::null());
                // SAFETY: `cb` is valid, its extended ack is NULL or valid, and the sentence is static.
                unsafe { bindings::mwb_helper_set_err((*cb).extack, why, none) };
            }
            e.to_errno()
        }
    }
}

/// Called once for each `start`, also when the reader leaves early.
unsafe extern "C" fn done<D: Dump>(cb: *mut bindings::netlink_callback) -> c_int {
    // SAFETY: `start` has written it, and nobody uses it any more.
    unsafe { progress::<D>(cb).drop_in_place() };
    0
}

unsafe extern "C" fn doit<D: Do>(
    skb: *mut bindings::sk_buff,
    info: *mut bindings::genl_info,
) -> c_int {
    // SAFETY: The kernel calls with a valid request, of a namespace that the sender's socket keeps in
    // use; families are registered after instances and unregistered before them.
    let (instance, request) = unsafe {
        let net = Net::from_ptr(bindings::mwb_helper_genl_info_net(info));
        (
            netns::instance(net),
            Request::from_ptr(skb, info, D::POLICY.len()),
        )
    };
    match D::handle(instance, &request) {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}

unsafe extern "C" fn dumpit<D: Dump>(
    skb: *mut bindings::sk_buff,
    cb: *mut bindings::netlink_callback,
) -> c_int {
    // SAFETY: As in `start`, which has written the progress.
    let (instance, progress) = unsafe {
        let net = Net::from_ptr(bindings::mwb_helper_skb_net((*cb).skb));
        (netns::instance(net), &mut *progress::<D>(cb))
    };
    let note_generation = || {
        let seq = D::generation(instance).wrapping_add(1);
        // SAFETY: `cb` is valid.
        unsafe { (*cb).seq = seq };
    };
    note_generation();
    let mut written = false;
    loop {
        // SAFETY: `skb` is the buffer of the dump, `cb` its callback.
        let hdr = unsafe { bindings::mwb_helper_genlmsg_put_dump(skb, cb) };
        let Some(hdr) = NonNull::new(hdr) else {
            break; // full
        };
        let mut answer = Answer { skb, hdr };
        match D::next(instance, &progress.held, progress.after, &mut answer) {
            Ok(Some(at)) => {
                // SAFETY: `cb` is valid, and the header is in the buffer.
                unsafe { bindings::mwb_helper_genl_dump_check(cb, answer.hdr.as_ptr()) };
                answer.end();
                progress.after = at;
                written = true;
            }
            Ok(None) => {
                answer.cancel();
                break;
            }
            Err(e) => {
                answer.cancel();
                if e == EMSGSIZE && written {
                    break;
                }
                return e.to_errno();
            }
        }
    }
    // What changed meanwhile is told with the next message, which is the last one at the latest.
    note_generation();
    if !written {
        return 0; // the end of the dump
    }
    // SAFETY: `skb` is valid.
    unsafe { bindings::mwb_helper_skb_len(skb) }
}

/// Attributes that a policy has validated: each at its number, the last one where there are several.
///
/// # Invariants
///
/// What `table` holds is NULL, or valid for `'a`. `extack` is NULL or valid.
pub(crate) struct Attrs<'a> {
    table: &'a [*const bindings::nlattr],
    extack: *mut bindings::netlink_ext_ack,
}

impl Attrs<'_> {
    /// NULL if it is not there.
    fn attr(&self, id: u16) -> *const bindings::nlattr {
        let attr = self.table.get(usize::from(id));
        attr.copied().unwrap_or(core::ptr::null())
    }

    /// The payload of an attribute.
    pub(crate) fn payload(&self, id: u16) -> Option<&[u8]> {
        let attr = NonNull::new(self.attr(id).cast_mut())?;
        // SAFETY: By the type invariant.
        Some(unsafe { payload(attr) })
    }

    fn array<const N: usize>(&self, id: u16) -> Option<[u8; N]> {
        self.payload(id)?.first_chunk().copied()
    }

    pub(crate) fn flag(&self, id: u16) -> bool {
        !self.attr(id).is_null()
    }

    pub(crate) fn u32(&self, id: u16) -> Option<u32> {
        self.array(id).map(u32::from_ne_bytes)
    }

    pub(crate) fn u64(&self, id: u16) -> Option<u64> {
        self.array(id).map(u64::from_ne_bytes)
    }

    pub(crate) fn ipv4(&self, id: u16) -> Option<Ipv4Addr> {
        self.array::<4>(id).map(Ipv4Addr::from)
    }

    pub(crate) fn string(&self, id: u16) -> Option<&CStr> {
        CStr::from_bytes_until_nul(self.payload(id)?).ok()
    }

    /// The error `e`, explained by a sentence, and by the attribute that it is about.
    pub(crate) fn fail(&self, e: Error, id: u16, why: &'static CStr) -> Error {
        // SAFETY: By the type invariant; the sentence is static.
        unsafe { bindings::mwb_helper_set_err(self.extack, why.as_char_ptr(), self.attr(id)) };
        e
    }

    /// The same with a sentence that is made for the occasion; 79 bytes of it are told.
    pub(crate) fn fail_with(&self, e: Error, id: u16, why: &CStr) -> Error {
        // SAFETY: By the type invariant; the sentence is copied.
        unsafe { bindings::mwb_helper_set_err_text(self.extack, why.as_char_ptr(), self.attr(id)) };
        e
    }

    /// EINVAL for an attribute that is missing.
    pub(crate) fn missing(&self, id: u16, why: &'static CStr) -> Error {
        // SAFETY: As in `fail`.
        unsafe {
            bindings::mwb_helper_set_missing(self.extack, why.as_char_ptr(), c_int::from(id))
        };
        EINVAL
    }
}

/// The payload of an attribute.
///
/// # Safety
///
/// `attr` must be valid for `'a`.
unsafe fn payload<'a>(attr: NonNull<bindings::nlattr>) -> &'a [u8] {
    // SAFETY: The caller's promise.
    unsafe {
        core::slice::from_raw_parts(
            bindings::mwb_helper_nla_data(attr.as_ptr()).cast(),
            bindings::mwb_helper_nla_len(attr.as_ptr()) as usize,
        )
    }
}

/// A request, with attributes that the policy of its operation has validated.
///
/// # Invariants
///
/// `skb` and `info` are valid for `'a`.
pub(crate) struct Request<'a> {
    skb: NonNull<bindings::sk_buff>,
    info: NonNull<bindings::genl_info>,
    attrs: Attrs<'a>,
}

impl<'a> core::ops::Deref for Request<'a> {
    type Target = Attrs<'a>;

    fn deref(&self) -> &Attrs<'a> {
        &self.attrs
    }
}

impl Request<'_> {
    /// # Safety
    ///
    /// `skb` and `info` must be what a doit callback was called with whose operation has a policy of
    /// `policy_len` entries, and the value not outlive that call.
    unsafe fn from_ptr(
        skb: *mut bindings::sk_buff,
        info: *mut bindings::genl_info,
        policy_len: usize,
    ) -> Self {
        // SAFETY: Valid by the caller's promise; the table has an entry for each of the policy.
        unsafe {
            Self {
                skb: NonNull::new_unchecked(skb),
                info: NonNull::new_unchecked(info),
                attrs: Attrs {
                    table: core::slice::from_raw_parts((*info).attrs.cast(), policy_len),
                    extack: (*info).extack,
                },
            }
        }
    }

    /// Whether it is from one who may change things in this namespace.
    pub(crate) fn is_of_admin(&self, net: &Net) -> bool {
        // SAFETY: By the type invariant; the namespace is valid.
        unsafe { bindings::mwb_helper_is_admin(self.skb.as_ptr(), net.as_ptr()) }
    }

    /// The number of the socket that it came from.
    pub(crate) fn portid(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_genl_portid(self.info.as_ptr()) }
    }

    /// Every attribute `id`, in their order.
    fn each(&self, id: u16) -> impl Iterator<Item = NonNull<bindings::nlattr>> + '_ {
        let mut last = core::ptr::null();
        let all = core::iter::from_fn(move || {
            // SAFETY: By the type invariant; `last` is NULL, or was returned by this function.
            last = unsafe { bindings::mwb_helper_genl_next_attr(self.info.as_ptr(), last) };
            NonNull::new(last.cast_mut())
        });
        all.filter(move |attr| {
            // SAFETY: It is an attribute of the request.
            let kind = unsafe { bindings::mwb_helper_nla_type(attr.as_ptr()) };
            kind == c_int::from(id)
        })
    }

    /// Every attribute `id` that is a string, in their order.
    pub(crate) fn strings(&self, id: u16) -> impl Iterator<Item = &CStr> {
        self.each(id).filter_map(|attr| {
            // SAFETY: As in `each`.
            let bytes = unsafe { payload(attr) };
            CStr::from_bytes_until_nul(bytes).ok()
        })
    }

    /// Calls `f` for every attribute `id`, in their order; each holds attributes that `policy` is for. Ends
    /// with the first error.
    pub(crate) fn nests(
        &self,
        id: u16,
        policy: &'static [Policy],
        mut f: impl FnMut(&Attrs<'_>) -> Result,
    ) -> Result {
        const ROOM: usize = 32;
        for attr in self.each(id) {
            let mut table = [core::ptr::null::<bindings::nlattr>(); ROOM];
            let table = table.get_mut(..policy.len()).ok_or(EINVAL)?;
            let extack = self.attrs.extack;
            // SAFETY: The attribute is part of the request, and the table large enough.
            to_result(unsafe {
                bindings::mwb_helper_nla_parse_nested(
                    table.as_mut_ptr().cast(),
                    policy.len() as c_int - 1,
                    attr.as_ptr(),
                    policy.as_ptr().cast(),
                    extack,
                )
            })?;
            f(&Attrs { table, extack })?;
        }
        Ok(())
    }

    /// Answers with one message, which `fill` writes.
    pub(crate) fn reply(&self, fill: impl FnOnce(&mut Answer) -> Result) -> Result {
        self.reply_of(1024, fill)
    }

    /// The same, with room for so many bytes.
    pub(crate) fn reply_of(&self, room: usize, fill: impl FnOnce(&mut Answer) -> Result) -> Result {
        // SAFETY: May sleep here.
        let skb = unsafe { bindings::mwb_helper_genlmsg_new(room) };
        if skb.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: Both are valid.
        let hdr = unsafe { bindings::mwb_helper_genlmsg_put_reply(skb, self.info.as_ptr()) };
        let filled = NonNull::new(hdr).ok_or(EMSGSIZE).and_then(|hdr| {
            let mut answer = Answer { skb, hdr };
            fill(&mut answer)?;
            answer.end();
            Ok(())
        });
        if let Err(e) = filled {
            // SAFETY: It is still ours.
            unsafe { bindings::mwb_helper_nlmsg_free(skb) };
            return Err(e);
        }
        // SAFETY: The kernel takes the finished message.
        to_result(unsafe { bindings::mwb_helper_genlmsg_reply(skb, self.info.as_ptr()) })
    }
}

/// A message that is being written.
///
/// # Invariants
///
/// `skb` is valid, and `hdr` the message's header in it.
pub(crate) struct Answer {
    skb: *mut bindings::sk_buff,
    hdr: NonNull<c_void>,
}

impl Answer {
    fn put<T: ?Sized>(&mut self, id: u16, value: &T) -> Result {
        // SAFETY: By the type invariant; the value is as long as it says.
        to_result(unsafe {
            bindings::nla_put(
                self.skb,
                c_int::from(id),
                size_of_val(value) as c_int,
                core::ptr::from_ref(value).cast(),
            )
        })
    }

    pub(crate) fn u32(&mut self, id: u16, value: u32) -> Result {
        self.put(id, &value)
    }

    /// `pad` is the set's attribute for padding.
    pub(crate) fn u64(&mut self, id: u16, value: u64, pad: u16) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe {
            bindings::mwb_helper_nla_put_u64(self.skb, c_int::from(id), value, c_int::from(pad))
        })
    }

    pub(crate) fn ipv4(&mut self, id: u16, value: Ipv4Addr) -> Result {
        self.put(id, &value.octets())
    }

    pub(crate) fn bytes(&mut self, id: u16, value: &[u8]) -> Result {
        self.put(id, value)
    }

    pub(crate) fn string(&mut self, id: u16, value: &CStr) -> Result {
        self.put(id, value.to_bytes_with_nul())
    }

    pub(crate) fn flag(&mut self, id: u16) -> Result {
        self.put(id, &[0u8; 0])
    }

    /// An attribute of attributes, which `fill` writes.
    pub(crate) fn nest(&mut self, id: u16, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: By the type invariant.
        let nest = unsafe { bindings::mwb_helper_nla_nest_start(self.skb, c_int::from(id)) };
        if nest.is_null() {
            return Err(EMSGSIZE);
        }
        fill(self)?;
        // SAFETY: It was begun in this message.
        unsafe { bindings::mwb_helper_nla_nest_end(self.skb, nest) };
        Ok(())
    }

    fn end(self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_genlmsg_end(self.skb, self.hdr.as_ptr()) };
    }

    fn cancel(self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_genlmsg_cancel(self.skb, self.hdr.as_ptr()) };
    }
}

/// The family that notices are of, while it is registered.
static FAMILY: AtomicPtr<bindings::genl_family> = AtomicPtr::new(core::ptr::null_mut());

/// Sends a message, which `fill` writes, to whoever listens to a group of the family, given by its number.
/// Without memory they learn that something was lost. May sleep.
pub(crate) fn notify(net: &Net, group: usize, cmd: u8, fill: impl FnOnce(&mut Answer) -> Result) {
    notify_of(net, group, cmd, 512, fill);
}

/// The same, with room for so many bytes.
pub(crate) fn notify_of(
    net: &Net,
    group: usize,
    cmd: u8,
    room: usize,
    fill: impl FnOnce(&mut Answer) -> Result,
) {
    let family = FAMILY.load(Acquire);
    if family.is_null() {
        return;
    }
    let group = group as c_uint;
    // SAFETY: The family is registered, or was: its memory is the module's, and outlives every instance.
    unsafe {
        if !bindings::mwb_helper_genl_has_listeners(family, net.as_ptr(), group) {
            return;
        }
        let skb = bindings::mwb_helper_genlmsg_new(room);
        let hdr = bindings::mwb_helper_genl_notice_put(skb, family, cmd);
        let filled = NonNull::new(hdr).is_some_and(|hdr| {
            let mut answer = Answer { skb, hdr };
            let filled = fill(&mut answer).is_ok();
            answer.end();
            filled
        });
        if filled {
            bindings::mwb_helper_genl_notice_send(family, net.as_ptr(), skb, group);
        } else {
            bindings::mwb_helper_nlmsg_free(skb);
            bindings::mwb_helper_genl_notice_lost(family, net.as_ptr(), group);
        }
    }
}

/// A multicast group of a family.
#[repr(transparent)]
pub(crate) struct Group(bindings::genl_multicast_group);

// SAFETY: Read only.
unsafe impl Sync for Group {}

impl Group {
    /// At most fifteen bytes of the name are used.
    pub(crate) const fn new(name: &str) -> Self {
        // SAFETY: All bytes 0 is a valid `genl_multicast_group`.
        let mut raw: bindings::genl_multicast_group = unsafe { core::mem::zeroed() };
        let bytes = name.as_bytes();
        let mut at = 0;
        while at < bytes.len() && at < raw.name.len() - 1 {
            raw.name[at] = bytes[at];
            at += 1;
        }
        Self(raw)
    }
}

/// A family that is registered until this is dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct Family {
    #[pin]
    raw: Opaque<bindings::genl_family>,
}

// SAFETY: There is nothing to do with it but to drop it, which may be done anywhere.
unsafe impl Send for Family {}
// SAFETY: As above.
unsafe impl Sync for Family {}

impl Family {
    /// Registers the family. Drop it before the instances that its operations work on.
    pub(crate) fn new(
        name: &'static str,
        version: u8,
        ops: &'static [Op],
        groups: &'static [Group],
        module: &'static ThisModule,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            raw <- Opaque::try_ffi_init(move |slot: *mut bindings::genl_family| {
                // SAFETY: All bytes 0 is a valid `genl_family`.
                let mut raw: bindings::genl_family = unsafe { core::mem::zeroed() };
                for (to, from) in raw.name.iter_mut().zip(name.bytes().take(15)) {
                    *to = from;
                }
                raw.version = c_uint::from(version);
                raw.set_netnsok(1);
                // Instances have locks of their own; that of all families is not for ours to hold.
                raw.set_parallel_ops(1);
                raw.n_split_ops = ops.len() as u8;
                raw.split_ops = ops.as_ptr().cast();
                raw.n_mcgrps = groups.len() as u8;
                raw.mcgrps = groups.as_ptr().cast();
                // Also the reserved fields of the header.
                raw.resv_start_op = 1;
                raw.module = module.as_ptr().cast();
                // SAFETY: `slot` is valid for writes and pinned until `drop` has unregistered it.
                to_result(unsafe {
                    slot.write(raw);
                    bindings::genl_register_family(slot)
                })?;
                FAMILY.store(slot, Release);
                Ok::<(), Error>(())
            }),
        } )
    }
}

#[pinned_drop]
impl PinnedDrop for Family {
    fn drop(self: Pin<&mut Self>) {
        FAMILY.store(core::ptr::null_mut(), Release);
        // SAFETY: It is registered while it exists.
        unsafe { bindings::genl_unregister_family(self.raw.get()) };
    }
}
