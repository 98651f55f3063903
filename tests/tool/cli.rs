// SPDX-License-Identifier: GPL-2.0

//! What a caller of the tool sees without the module's help: exit codes, and who speaks on which stream.
//! `cargo test` in tools/ runs it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn mwb(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mwb"));
    command.args(line.split_whitespace()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Asserts that `line` fails with `code`, in one paragraph on stderr that contains `words`.
fn fails(line: &str, code: i32, words: &str) {
    let run = mwb(line);
    let stderr = text(&run.stderr);
    assert_eq!(run.status.code(), Some(code), "mwb {line}: {stderr}");
    assert!(
        stderr.starts_with("mwb: ") && stderr.contains(words),
        "mwb {line}: {stderr}"
    );
    assert_eq!(text(&run.stdout), "", "mwb {line}");
}

#[test]
fn wrong_usage_exits_1() {
    for (line, words) in [
        ("bogus", "bogus"),
        ("--bogus", "--bogus"),
        ("show a b", "'b'"),
        ("stats x", "'x'"),
        ("wan bogus", "bogus"),
        ("wan add", "<NAME>"),
        ("wan add dsl", "--dev"),
        ("wan add --dev eth1", "<NAME>"),
        ("wan add dsl --dev", "--dev"),
        ("wan add dsl --dev eth1 --dev eth2", "--dev"),
        ("wan add dsl --dev eth1 --up 20m", "20mbit"),
        ("wan add dsl --dev eth1 --up -1mbit", "-1"),
        ("wan add dsl --dev eth1 --down fast", "20mbit"),
        ("wan add dsl --dev eth1 --gateway 192.0.2", "192.0.2"),
        (
            "wan add dsl --dev eth1 --gateway 2001:db8::1",
            "2001:db8::1",
        ),
        ("wan del", "<NAME>"),
        ("wan del a b", "'b'"),
        ("-n", "--netns"),
        ("completion", "SHELL"),
        ("completion sh", "bash"),
    ] {
        fails(line, 1, words);
    }
}

#[test]
fn help_exits_0() {
    for line in [
        "-h",
        "--help",
        "help",
        "wan -h",
        "wan add -h",
        "wan del -h",
        "show -h",
        "-V",
    ] {
        let run = mwb(line);
        assert_eq!(run.status.code(), Some(0), "mwb {line}");
        assert!(
            text(&run.stdout).contains("mwb") && run.stderr.is_empty(),
            "mwb {line}"
        );
    }
}

#[test]
fn kernel_without_mwb_exits_2() {
    let loaded = Path::new("/sys/module/mwb").exists();
    for line in [
        "",
        "show",
        "wan",
        "wan show",
        "stats",
        "-j show",
        "-p -j stats",
        "show -j",
    ] {
        if loaded {
            assert_eq!(mwb(line).status.code(), Some(0), "mwb {line}");
        } else {
            fails(line, 2, "the kernel has no mwb: modprobe mwb\n");
        }
    }
    if !loaded {
        fails(
            "wan add dsl --dev eth1 --gateway 192.0.2.1 --up 5mbit --down 2.5MBps",
            2,
            "modprobe",
        );
        fails("wan del dsl", 2, "modprobe");
    }
}

#[test]
fn unknown_namespace_exits_2() {
    fails(
        "-n mwb-absent show",
        2,
        "mwb-absent: there is none of this name",
    );
    fails(
        "show -n /dev/null",
        2,
        "cannot enter network namespace /dev/null",
    );
}

#[test]
fn completions_know_the_options() {
    for shell in ["bash", "zsh", "fish"] {
        let run = mwb(&format!("completion {shell}"));
        assert_eq!(run.status.code(), Some(0), "{shell}");
        for word in ["gateway", "stats", "netns", "del"] {
            assert!(text(&run.stdout).contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn a_reader_may_leave() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mwb"));
    let mut child = command
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = child.wait_with_output().unwrap();
    assert_eq!((run.status.code(), text(&run.stderr)), (Some(0), ""));
}
