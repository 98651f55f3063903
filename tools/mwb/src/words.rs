// SPDX-License-Identifier: GPL-2.0

//! Lines of words, quoted as for a shell: a name of a WAN or device may hold a quote, a hash, a backslash.

use std::iter::Peekable;
use std::str::Chars;

/// The words of a line, up to a comment.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    // It would end a name where the kernel reads it.
    if line.contains('\0') {
        return Err("there is a NUL byte".into());
    }
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        match rest.peek() {
            None | Some('#') => return Ok(words),
            Some(_) => words.push(word(&mut rest)?),
        }
    }
}

fn word(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut word = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_ascii_whitespace()) {
        match c {
            '\'' | '"' => quotation(c, rest, &mut word)?,
            '\\' => word.push(rest.next().ok_or("nothing follows the backslash")?),
            c => word.push(c),
        }
    }
    Ok(word)
}

/// What stands between two quotes, the first of which has been read.
fn quotation(quote: char, rest: &mut Peekable<Chars<'_>>, word: &mut String) -> Result<(), String> {
    loop {
        match rest.next() {
            Some(c) if c == quote => return Ok(()),
            Some('\\') if quote == '"' => {
                // Others than these keep their backslash, as in a shell.
                if !matches!(rest.peek(), Some('"' | '\\' | '$' | '`')) {
                    word.push('\\');
                }
                word.extend(rest.next());
            }
            Some(c) => word.push(c),
            None => return Err(format!("there is no second {quote}")),
        }
    }
}

/// The word as `split` and a shell take it for one.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell_does() {
        for (line, words) in [
            ("", &[][..]),
            (" \t\r", &[]),
            ("# nothing", &[]),
            ("a", &["a"]),
            ("  a\tb  c\r", &["a", "b", "c"]),
            ("a # b", &["a"]),
            ("a#b c", &["a#b", "c"]),
            ("a '#' b", &["a", "#", "b"]),
            ("'a b' \"c d\"", &["a b", "c d"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("''", &[""]),
            (r"a\ b \# \\", &["a b", "#", r"\"]),
            (r"'a\b'", &[r"a\b"]),
            (r#""a\"b\\c\$d\`e\f""#, &[r#"a"b\c$d`e\f"#]),
            ("\u{e9}\u{a0}", &["\u{e9}\u{a0}"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn refuses_what_is_not_closed() {
        for line in ["'", "a 'b", "\"", "\"a\\\"", "\"a\\", "a \\", "a\0", "'\0'"] {
            assert!(split(line).is_err(), "{line}");
        }
    }

    #[test]
    fn reads_back_what_is_quoted() {
        for word in [
            "", "dsl", "a b", "#", "it's", "''", "\\", "\"", "$x", "a;b", "~", "*", "\u{e9}",
            "\x1b",
        ] {
            assert_eq!(split(&quoted(word)).unwrap(), [word]);
        }
        assert_eq!(quoted("10.0.0.0/8"), "10.0.0.0/8");
    }
}
