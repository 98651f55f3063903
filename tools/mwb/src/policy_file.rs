// SPDX-License-Identifier: GPL-2.0

//! Files of policies: a line has the options of `mwb policy add`.

use crate::dscp;
use crate::extack::errno_text;
use crate::policy::Policy;
use crate::ports::Ports;
use crate::prefix::Prefix;
use crate::proto::Proto;
use clap::error::ErrorKind;
use clap::{Args, Command, FromArgMatches};
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// What a file has, or nothing at all.
#[derive(Default)]
pub struct File {
    pub name: String,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub number: usize,
    pub policy: Policy,
}

impl File {
    /// Reads and checks all of a file; `-` is standard input.
    pub fn read(path: &Path) -> Result<Self, String> {
        let (name, bytes) = contents(path)?;
        let lines = parse(&bytes).map_err(|(number, why)| format!("{name}:{number}: {why}"))?;
        Ok(Self { name, lines })
    }
}

/// The name of a file, and all that it has; `-` is standard input.
pub fn contents(path: &Path) -> Result<(String, Vec<u8>), String> {
    let (name, bytes) = match path.to_str() {
        Some("-") => ("stdin".into(), stdin()),
        _ => (path.display().to_string(), fs::read(path)),
    };
    match bytes {
        Ok(bytes) => Ok((name, bytes)),
        Err(why) => Err(format!("cannot read {name}: {}", errno_text(why))),
    }
}

fn stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn options() -> Command {
    Policy::augment_args(Command::new("add").no_binary_name(true))
        .disable_help_flag(true)
        .disable_version_flag(true)
}

/// The policies, or the number of a line and what is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Vec<Line>, (usize, String)> {
    // Building the command costs more than its use, so all lines share one.
    let mut options = options();
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let policy = parse_line(line, &mut options).map_err(|why| (number, why))?;
        lines.extend(policy.map(|policy| Line { number, policy }));
    }
    Ok(lines)
}

/// The policy of a line, if there is one.
fn parse_line(line: &[u8], options: &mut Command) -> Result<Option<Policy>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8")?;
    let words = split(line)?;
    let words = match words.split_first() {
        None => return Ok(None),
        Some((first, rest)) if first == "add" => rest,
        Some(_) => &words,
    };
    let policy = match plain(words) {
        Some(policy) => policy,
        None => by_clap(words, options)?,
    };
    policy.selectors.check()?;
    Ok(Some(policy))
}

/// The words of a line as a shell would have them, up to a comment.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    // It would end a name where the kernel reads it.
    if line.contains('\0') {
        return Err("there is a NUL byte".into());
    }
    shlex::split(line.strip_suffix('\r').unwrap_or(line))
        .ok_or("there is no second quote, or nothing follows the backslash".into())
}

pub fn by_clap(words: &[String], options: &mut Command) -> Result<Policy, String> {
    let matches = options.try_get_matches_from_mut(words).map_err(one_line)?;
    Policy::from_arg_matches(&matches).map_err(one_line)
}

/// As clap reads it, in a tenth of the time. Whatever is not as plain as this, or wrong, is left to clap.
pub fn plain(words: &[String]) -> Option<Policy> {
    let mut policy = Policy::default();
    let (mut to, mut strict) = (None, None);
    let mut words = words.iter();
    while let Some(option) = words.next() {
        if option == "--strict" {
            once(&mut strict, Some(true))?;
            continue;
        }
        let value = words.next().filter(|value| !value.starts_with('-'))?;
        let given = &mut policy.selectors;
        match option.as_str() {
            "--pref" => once(&mut given.pref, value.parse().ok()),
            "--src" => once(&mut given.src, Prefix::parse(value).ok()),
            "--dst" => once(&mut given.dst, Prefix::parse(value).ok()),
            "--iif" => once(&mut given.iif, Some(value.clone())),
            "--proto" => once(&mut given.proto, Proto::parse(value).ok()),
            "--dport" => once(&mut given.dport, Ports::parse(value).ok()),
            "--dscp" => once(&mut given.dscp, dscp::parse(value).ok()),
            "--to" => once(&mut to, Some(value.clone())),
            _ => None,
        }?;
    }
    policy.to = to?;
    policy.strict = strict.is_some();
    Some(policy)
}

fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    match slot {
        None => *slot = Some(value?),
        Some(_) => return None,
    }
    Some(())
}

/// What is wrong, without the advice to call for help that follows it.
fn one_line(error: clap::Error) -> String {
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return "there is no --to".into();
    }
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let lines: Vec<_> = paragraph.lines().map(str::trim).collect();
    lines.join(" ").replacen("error: ", "", 1)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::policy::tests::policy;
    use crate::policy_show::lines;
    use crate::selectors::Selectors;

    pub fn policies(text: &str) -> Vec<Policy> {
        let lines = parse(text.as_bytes()).unwrap();
        lines.into_iter().map(|line| line.policy).collect()
    }

    #[test]
    fn reads_lines() {
        let text = "\
# The guests
--src 10.9.0.0/16 --to dsl --strict # over one line

add --to 'a b'\r
\t add --pref=900 --src 10.0.0.0/8 --dst 192.0.2.1 --iif lan0 --proto tcp --dport 80-443 \\
--dscp ef --to dsl --strict"
            .replace("\\\n", "");
        let lines = parse(text.as_bytes()).unwrap();
        let numbers: Vec<_> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [2, 4, 5]);
        assert_eq!(
            lines[0].policy.selectors.src,
            Prefix::parse("10.9.0.0/16").ok()
        );
        assert!(lines[0].policy.strict && !lines[1].policy.strict);
        assert_eq!(lines[1].policy.to, "a b");
        assert_eq!(lines[2].policy, policy());
    }

    #[test]
    fn reads_nothing() {
        for text in ["", "\n", "# --to dsl", " \n\n\t\n"] {
            assert_eq!(policies(text), []);
        }
    }

    #[test]
    fn says_what_is_wrong_where() {
        for (line, words) in [
            ("--src 10.0.0.0/8", "there is no --to"),
            ("add", "there is no --to"),
            ("add add --to dsl", "unexpected argument 'add'"),
            ("del --to dsl", "unexpected argument 'del'"),
            ("--to dsl --to dsl", "cannot be used multiple times"),
            ("--to", "a value is required"),
            ("--bogus --to dsl", "unexpected argument '--bogus'"),
            ("-h", "unexpected argument '-h'"),
            ("--help", "unexpected argument '--help'"),
            ("--json --to dsl", "unexpected argument '--json'"),
            ("--src 10.0.0.1/8 --to dsl", "10.0.0.0/8 would be right"),
            ("--src ::/0 --to dsl", "IPv4 only"),
            ("--dport 80 --to dsl", "needs a --proto"),
            ("--dport 80 --proto icmp --to dsl", "icmp has no ports"),
            ("--pref 4294967296 --to dsl", "4294967296"),
            ("--to 'dsl", "no second quote"),
            ("--to \"dsl", "no second quote"),
            ("--to dsl\\", "nothing follows the backslash"),
            ("--to dsl\0", "NUL"),
        ] {
            let text = format!("--to dsl\n#\n{line}\n--bogus");
            let (number, why) = parse(text.as_bytes()).err().unwrap();
            assert_eq!(number, 3, "{line}: {why}");
            assert!(why.contains(words) && !why.contains('\n'), "{line}: {why}");
            assert!(!why.starts_with("error"), "{line}: {why}");
        }
        let (number, why) = parse(b"--to dsl\n--to \xff").err().unwrap();
        assert_eq!((number, why.as_str()), (2, "the line is not UTF-8"));
    }

    #[test]
    fn reads_what_save_writes() {
        let named = |to: &str| Policy {
            selectors: Selectors {
                iif: Some(to.into()),
                ..Selectors::default()
            },
            to: to.into(),
            strict: false,
        };
        let names = [
            "main", "", "#", "a#b", "a b", "-x", "--strict", "it's", "''", "a\\b", "\"", "$x", "~",
            "*", "\u{e9}", "\u{a0}", "=", "add", "\x1b",
        ];
        let mut all: Vec<_> = names.map(named).into();
        all.push(policy());
        assert_eq!(policies(&lines(all.iter())), all);
    }

    #[test]
    fn plain_is_as_clap() {
        let values = [
            ("--pref", "7", "x"),
            ("--src", "10.0.0.0/8", "10.0.0.1/8"),
            ("--dst", "192.0.2.1", "2001:db8::1"),
            ("--iif", "lan0", "-x"),
            ("--proto", "udp", "256"),
            ("--dport", "80-443", "443-80"),
            ("--dscp", "ef", "64"),
            ("--to", "dsl", "-"),
        ];
        let mut options = options();
        let all = |line: &str, options: &mut Command| {
            let words = split(line).unwrap();
            (plain(&words), by_clap(&words, options))
        };
        for (option, good, bad) in values {
            let rest = if option == "--to" { "" } else { "--to wan1" };
            let good = format!("{option} {good} --strict {rest}");
            let (plain, clap) = all(&good, &mut options);
            assert_eq!(plain.unwrap(), clap.unwrap(), "{good}");
            for left in [
                format!("{option} {bad} {rest}"),
                format!("{good} {good}"),
                format!("{option} {rest}"),
                format!("{rest} {option}"),
                format!("{good} --strict"),
                format!("{good} -x"),
                good.replacen(' ', "=", 1),
                good.replacen(option, "--bogus", 1),
            ] {
                assert_eq!(all(&left, &mut options).0, None, "{left}");
            }
        }
    }
}
