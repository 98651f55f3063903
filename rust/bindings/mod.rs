// SPDX-License-Identifier: GPL-2.0

//! The kernel's C API, as bindgen sees it through `bindings.h`.

#![expect(
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_op_in_unsafe_fn,
    reason = "generated"
)]
#![allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    improper_ctypes,
    missing_docs,
    unnameable_test_items,
    unreachable_pub,
    reason = "generated"
)]

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

include!(env!("MWB_BINDINGS"));
