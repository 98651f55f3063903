// SPDX-License-Identifier: GPL-2.0

//! Where results go: JSON or text on stdout. And complaints: to stderr.

use crate::table::printable;
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

/// Says something on stderr, if there is anybody to hear it.
pub fn complain(sentences: &str) {
    let lines = sentences.lines().map(|line| format!("mwb: {line}\n"));
    complain_as_is(&lines.collect::<String>());
}

/// As `complain`, without saying who complains.
pub fn complain_as_is(text: &str) {
    let _ = io::stderr().write_all(harmless(text).as_bytes());
}

/// What a terminal would obey may be in the name of a file, or of something in it.
fn harmless(text: &str) -> String {
    text.split('\n')
        .map(printable)
        .collect::<Vec<_>>()
        .join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_reach_the_terminal() {
        assert_eq!(harmless("a\n\x1b[2J\r\u{9b}b\n\nc"), "a\n?[2J??b\n\nc");
        assert_eq!(harmless(""), "");
    }
}
