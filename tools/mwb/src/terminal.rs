// SPDX-License-Identifier: GPL-2.0

//! What stdout can show: how wide it is, whether in colours, and which characters.

use rustix::termios::tcgetwinsize;
use std::env;
use std::io::{self, IsTerminal};

#[derive(Clone, Copy, Debug, Default, PartialEq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal that has them, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    pub fn wanted(self) -> bool {
        match self {
            Self::Auto => {
                io::stdout().is_terminal() && !given("NO_COLOR") && has_colours(&variable("TERM"))
            }
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Columns and rows of a terminal. A serial line does not know them; it tells 0, or what was set.
pub fn size() -> Option<(u16, u16)> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let told = tcgetwinsize(io::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let or = |told, name, usual| match told {
        0 => number(&variable(name)).unwrap_or(usual),
        told => told,
    };
    Some((or(told.0, "COLUMNS", 80), or(told.1, "LINES", 24)))
}

/// What a line of text may take; for as much as it likes, None. `watch` passes it on.
pub fn width() -> Option<usize> {
    let columns = size().map(|(columns, _)| columns);
    columns.or(number(&variable("COLUMNS"))).map(usize::from)
}

/// Whether the locale can write more than ASCII.
pub fn unicode() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable);
    is_unicode(names.iter().find(|name| !name.is_empty()))
}

fn is_unicode(locale: Option<&String>) -> bool {
    let locale = locale.map(|name| name.to_ascii_lowercase().replace('-', ""));
    locale.is_some_and(|name| name.contains("utf8"))
}

/// The terminals of old, and those that pretend to be one, have none.
fn has_colours(term: &str) -> bool {
    !(term.is_empty() || term == "dumb" || term == "unknown" || term.starts_with("vt"))
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number| *number != 0)
}

fn given(name: &str) -> bool {
    !variable(name).is_empty()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_locales() {
        for (locale, unicode) in [
            ("C.UTF-8", true),
            ("de_DE.utf8", true),
            ("en_US.ISO-8859-1", false),
            ("C", false),
            ("POSIX", false),
        ] {
            assert_eq!(is_unicode(Some(&locale.into())), unicode, "{locale}");
        }
        assert!(!is_unicode(None));
    }

    #[test]
    fn knows_terminals() {
        for (term, colours) in [
            ("xterm-256color", true),
            ("linux", true),
            ("screen", true),
            ("vt100", false),
            ("vt220", false),
            ("dumb", false),
            ("", false),
        ] {
            assert_eq!(has_colours(term), colours, "{term}");
        }
    }

    #[test]
    fn is_asked_for_colours() {
        assert!(Colour::Always.wanted());
        assert!(!Colour::Never.wanted());
    }

    #[test]
    fn size_is_no_zero() {
        assert_eq!(number("0"), None);
        assert_eq!(number("132"), Some(132));
        assert_eq!(number("wide"), None);
    }
}
