// SPDX-License-Identifier: GPL-2.0

//! Where results go: JSON or text on stdout.

use serde::Serialize;
use std::io::{self, Write};

#[derive(Clone, Copy)]
pub struct Output {
    pub json: bool,
    pub pretty: bool,
}

impl Output {
    pub fn json(self, value: &impl Serialize) -> Result<(), String> {
        let text = if self.pretty {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        let text = text.map_err(|why| format!("cannot write JSON: {why}"))?;
        write(format!("{text}\n").as_bytes())
    }
}

/// Writes to stdout. A reader that has had enough (`mwb | head`) is no error.
pub fn write(bytes: &[u8]) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write: {}", crate::extack::errno_text(why)))
        }
        _ => Ok(()),
    }
}
