// SPDX-License-Identifier: GPL-2.0

//! Where results go: JSON or text on stdout.

use serde::Serialize;
use std::io::{self, Write};

#[derive(Clone, Copy)]
pub struct Output {
    pub json: bool,
    pub pretty: bool,
    pub colour: bool,
}

impl Output {
    pub fn json(self, value: &impl Serialize) -> Result<(), String> {
        write(self.json_text(value)?.as_bytes())
    }

    pub fn json_text(self, value: &impl Serialize) -> Result<String, String> {
        let text = if self.pretty {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        let text = text.map_err(|why| format!("cannot write JSON: {why}"))?;
        Ok(text + "\n")
    }
}

/// Without line breaks.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes to stdout.
pub fn write(bytes: &[u8]) -> Result<(), String> {
    still_read(bytes).map(drop)
}

/// Writes to stdout. False if the reader has had enough (`mwb | head`), which is no error.
pub fn still_read(bytes: &[u8]) -> Result<bool, String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(why) => Err(format!("cannot write: {}", crate::extack::errno_text(why))),
    }
}
