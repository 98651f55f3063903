// SPDX-License-Identifier: GPL-2.0

//! Network namespaces by the names that `ip netns` gives them.

use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// Enters the one that is named, if one is.
pub fn enter(name: Option<&OsStr>) -> Result<(), String> {
    name.map_or(Ok(()), enter_named)
}

fn enter_named(name: &OsStr) -> Result<(), String> {
    let failed = |why: io::Error| {
        let why = match why.kind() {
            io::ErrorKind::NotFound => "there is none of this name (see: ip netns)".into(),
            io::ErrorKind::PermissionDenied => "needs CAP_SYS_ADMIN: run as root".into(),
            _ => crate::extack::errno_text(why),
        };
        format!(
            "cannot enter network namespace {}: {why}",
            name.to_string_lossy()
        )
    };
    let namespace = File::open(Path::new("/run/netns").join(name)).map_err(failed)?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|errno| failed(errno.into()))
}
