// SPDX-License-Identifier: GPL-2.0

//! What a caller of the tool sees without the module's help: exit codes, and who speaks on which stream.
//! `cargo test` in tools/ runs it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
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
        ("wan add dsl --dev eth1 --id 0", "1..=250"),
        ("wan add dsl --dev eth1 --id 251", "1..=250"),
        ("wan add dsl --dev eth1 --gateway Auto", "or auto"),
        ("wan add dsl --dev eth1 --tier 0", "1..=16"),
        ("wan add dsl --dev eth1 --tier 17", "1..=16"),
        ("wan add dsl --dev eth1 --weight 0", "1 to 1000000"),
        ("wan set dsl --weight 1000001", "1 to 1000000"),
        ("config set --mode random", "two-choices"),
        ("config set --interval 200", "200ms"),
        ("config set --average 1.5s", "200ms"),
        ("config set --threshold 8.5", "85%"),
        ("config set --exit 8,5%", "85%"),
        ("config set --credit-cap much", "85%"),
        (
            "wan add dsl --dev eth1 --admin off",
            "enabled, drain, disabled",
        ),
        ("wan add dsl --dev eth1 --health dead", "--health"),
        ("wan set", "<NAME>"),
        ("wan set --tier 2", "<NAME>"),
        ("wan set dsl", "one more of the options"),
        ("wan set dsl --tier 17", "1..=16"),
        ("wan set dsl --health ill", "alive, dead"),
        ("wan set dsl --id 2", "--id"),
        ("wan set dsl --up automatic", "20mbit"),
        ("wan del", "<NAME>"),
        ("wan del a b", "'b'"),
        ("group bogus", "bogus"),
        ("group show x", "'x'"),
        ("group set", "<NAME>"),
        ("group set fast", "<WAN>"),
        ("group del", "<NAME>"),
        ("group del a b", "'b'"),
        ("policy bogus", "bogus"),
        ("policy show x", "'x'"),
        ("policy save x", "'x'"),
        ("policy flush x", "'x'"),
        ("policy add", "--to"),
        ("policy add --src 10.0.0.0/8", "--to"),
        ("policy add --to dsl --to cable", "--to"),
        ("policy add dsl", "'dsl'"),
        (
            "policy add --to dsl --src 10.0.0.1/8",
            "10.0.0.0/8 would be right",
        ),
        ("policy add --to dsl --dst 10.0.0.0/33", "at most 32"),
        (
            "policy add --to dsl --dst 2001:db8::/32",
            "IPv4 only so far",
        ),
        ("policy add --to dsl --src net", "10.0.0.0/8"),
        ("policy add --to dsl --proto xyz", "icmp"),
        ("policy add --to dsl --proto 256", "0 to 255"),
        (
            "policy add --to dsl --dport 80",
            "--dport 80 needs a --proto",
        ),
        (
            "policy add --to dsl --dport 80 --proto icmp",
            "icmp has no ports",
        ),
        ("policy add --to dsl --dport 65536 --proto tcp", "8000-8999"),
        ("policy add --to dsl --dport 443-80 --proto tcp", "80-443"),
        ("policy add --to dsl --dscp 64", "0 to 63"),
        ("policy add --to dsl --dscp af14", "af41"),
        ("policy add --to dsl --pref 4294967296", "4294967296"),
        ("policy del", "one more of the options"),
        ("policy del --strict", "one more of the options"),
        ("policy del --src 10.0.0.1/8", "10.0.0.0/8 would be right"),
        ("policy replace", "<FILE>"),
        ("policy replace a b", "'b'"),
        ("config bogus", "bogus"),
        ("config show x", "'x'"),
        ("config set", "one more of the options"),
        ("config set --granularity host", "connection, pair"),
        ("config set --last-resort none", "main, unreachable"),
        ("config set --on-down drop", "reset, hold"),
        ("config set --failback none", "new, pairs, all"),
        ("config set --pair-timeout 10min", "10m"),
        ("config set --mark-mask ff", "0xff000000"),
        ("config set --rule-pref -1", "-1"),
        ("config set --table x", "x"),
        ("monitor x", "'x'"),
        ("--color blue", "auto, always, never"),
        ("top x", "'x'"),
        ("top -d 0", "0.1 to 3600"),
        ("top --delay 1s", "0.1 to 3600"),
        ("metrics x", "'x'"),
        ("metrics --listen 9797", "9797"),
        ("metrics --listen localhost:9797", "localhost"),
        ("schema completion", "metrics"),
        ("-j save", "no JSON"),
        ("policy save --json", "no JSON"),
        ("-j top", "mwb -j show"),
        ("-j metrics --listen 127.0.0.1:0", "JSON"),
        ("-j completion bash", "JSON"),
        ("save x", "'x'"),
        ("apply", "<FILE>"),
        ("apply a b", "'b'"),
        ("apply --dry", "--dry-run"),
        ("doctor x", "'x'"),
        ("connections x", "'x'"),
        ("connections --wan", "--wan"),
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
        "wan set -h",
        "wan del -h",
        "group -h",
        "group set -h",
        "policy -h",
        "policy add -h",
        "policy replace -h",
        "config set -h",
        "show -h",
        "monitor -h",
        "top -h",
        "metrics -h",
        "schema -h",
        "save -h",
        "apply -h",
        "doctor -h",
        "connections -h",
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
        "group",
        "group show",
        "policy",
        "policy show",
        "policy save",
        "config",
        "config show",
        "-j policy",
        "-j show",
        "-p -j stats",
        "show -j",
        "show -d --color always",
        "metrics",
        "-j metrics",
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
        for line in [
            "wan del dsl",
            "wan add dsl --dev eth1 --id 7",
            "wan add dsl --dev eth1 --gateway auto --up auto --down auto --tier 16 --weight 30 --admin disabled",
            "wan set dsl --dev ppp1 --gateway 192.0.2.1 --up 5mbit --down auto --tier 2 --weight auto --admin drain",
            "wan set dsl --gateway auto",
            "wan set dsl --health dead",
            "monitor",
            "-j monitor",
            "top",
            "top -d 0.5 --ascii",
            "group set fast dsl cable",
            "group del fast",
            "policy add --to main",
            "policy add --pref 9 --src 10.0.0.0/8 --dst 192.0.2.1 --iif lo --proto tcp --dport 80-443 \
             --dscp 0x2e --to dsl --strict",
            "policy del --src 10.0.0.0/8",
            "policy del --dport 80",
            "policy del --pref 9 --strict",
            "policy replace -",
            "policy flush",
            "save",
            "save --all",
            "apply example.toml",
            "apply --dry-run example.toml",
            "-j apply example.toml",
            "connections",
            "-j connections --wan dsl",
            "config set --granularity pair --pair-timeout 10m --last-resort unreachable",
            "config set --on-down hold --failback pairs",
            "config set --mark-mask 0xff00 --rule-pref 100 --table 500",
        ] {
            fails(line, 2, "modprobe");
        }
    }
}

#[test]
fn file_that_is_wrong_exits_2() {
    fails("policy replace /mwb-absent", 2, "cannot read /mwb-absent");
    fails("policy replace /", 2, "cannot read /: ");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("policies");
    for (text, words) in [
        (
            "# all\n--to dsl\nadd --to\n",
            "policies:3: a value is required",
        ),
        ("--to dsl\n\n--src 10.0.0.1/8 --to dsl", "policies:3: "),
        (
            "--dport 80 --to dsl",
            "policies:1: --dport 80 needs a --proto",
        ),
        (
            "--to dsl\n--to 'a b",
            "policies:2: there is no second quote",
        ),
        ("--src 10.0.0.0/8", "policies:1: there is no --to\n"),
    ] {
        fs::write(&file, text).unwrap();
        fails(&format!("policy replace {}", file.display()), 2, words);
    }
}

#[test]
fn configuration_that_is_wrong_exits_2() {
    fails("apply /mwb-absent", 2, "cannot read /mwb-absent");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mwb.toml");
    for (text, words) in [
        (
            &b"[wan.dsl]\ndev = \"ppp0\"\nup = \"fast\"\n"[..],
            "mwb.toml:3:6: up: ",
        ),
        (
            b"[wan.dsl]\n\n[[policy]]\nto = \"cable\"\n",
            "mwb.toml:1:6: wan dsl has no dev\nmwb: ",
        ),
        (b"# \n\xff", "mwb.toml:2: the line is not UTF-8\n"),
    ] {
        fs::write(&file, text).unwrap();
        // Without the kernel as well.
        for how in ["", "--dry-run "] {
            fails(&format!("apply {how}{}", file.display()), 2, words);
        }
    }
}

/// Whatever it finds here; without the module, that is an error.
#[test]
fn doctor_exits_1_when_something_is_wrong() {
    let run = mwb("doctor");
    let findings = text(&run.stdout);
    if !Path::new("/sys/module/mwb").exists() {
        let first = "error: the kernel has no mwb: modprobe mwb\n";
        assert!(findings.starts_with(first), "{findings}");
    }
    let is_wrong = findings.lines().any(|line| line.starts_with("error: "));
    assert_eq!(run.status.code(), Some(i32::from(is_wrong)), "{findings}");
    let json = mwb("-j doctor");
    assert_eq!(json.status.code(), run.status.code());
    let rows: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), findings.lines().count());
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
        for word in [
            "gateway",
            "stats",
            "netns",
            "del",
            "replace",
            "dport",
            "unreachable",
            "monitor",
            "health",
            "disabled",
            "failback",
            "listen",
            "ascii",
            "schema",
            "color",
            "dry-run",
            "doctor",
            "connections",
        ] {
            assert!(text(&run.stdout).contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn schemas_need_no_kernel() {
    let all = mwb("schema");
    assert_eq!(all.status.code(), Some(0));
    for command in [
        "show",
        "group",
        "policy",
        "config",
        "stats",
        "explain",
        "monitor",
        "metrics",
        "connections",
        "doctor",
        "apply",
    ] {
        assert!(
            text(&all.stdout).contains(&format!("  \"{command}\": {{\n")),
            "{command}"
        );
        let one = mwb(&format!("schema {command}"));
        assert_eq!(one.status.code(), Some(0), "{command}");
        assert!(text(&one.stdout).contains("json-schema.org"), "{command}");
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

/// What cannot be said is no reason to fail in another way.
#[test]
fn stderr_may_be_full() {
    for (line, code) in [
        ("bogus", 1),
        ("-n mwb-absent show", 2),
        ("apply /mwb-absent", 2),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mwb"));
        command.args(line.split_whitespace());
        command.stderr(File::create("/dev/full").unwrap());
        let status = command.status().unwrap();
        assert_eq!(status.code(), Some(code), "mwb {line}");
    }
}

#[test]
fn stdout_may_be_full() {
    for line in ["--help", "-V", "wan add -h", "schema", "completion bash"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mwb"));
        command.args(line.split_whitespace());
        command.stdout(File::create("/dev/full").unwrap());
        let run = command.output().unwrap();
        let stderr = text(&run.stderr);
        assert_eq!(
            (run.status.code(), stderr),
            (Some(2), "mwb: cannot write: No space left on device\n"),
            "mwb {line}"
        );
    }
}

/// Names are somebody else's words, and a terminal obeys some of them.
#[test]
fn names_do_not_reach_the_terminal() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("odd.toml");
    let text_of = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mwb"));
        let run = command.args(args).output().unwrap();
        assert!(!run.status.success(), "{args:?}");
        text(&run.stderr).to_string()
    };
    let odd = "\x1b]0;mine\x07\u{9b}2J";
    for table in [
        "[wan.\"a\\e[2J\\nmwb: b\"]",
        "[group.\"\\u009b2J\\r\"]",
        "[wan.a]\ndev = \"a\\eb\"\n[wan.\"\\e[2J\"]\ndev = \"a\\eb\"",
    ] {
        fs::write(&file, table).unwrap();
        let stderr = text_of(&["apply", file.to_str().unwrap()]);
        assert!(stderr.contains("odd.toml:"), "{stderr:?}");
        for line in stderr.lines() {
            assert!(line.contains("odd.toml:"), "{stderr:?}");
            assert!(!line.contains(char::is_control), "{stderr:?}");
        }
    }
    for args in [&[odd][..], &["apply", odd], &["-n", odd, "show"]] {
        let stderr = text_of(args);
        assert!(stderr.contains("mine"), "{stderr:?}");
        assert!(
            !stderr.replace('\n', "").contains(char::is_control),
            "{stderr:?}"
        );
    }
}

/// It may be loaded later, or again.
#[test]
fn metrics_are_served_without_the_module() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mwb"));
    command.args(["metrics", "--listen", "127.0.0.1:0"]);
    let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(server.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    let addr = line.strip_prefix("mwb: serving http://");
    let addr = addr.and_then(|line| line.strip_suffix("/metrics\n"));
    let mut client = TcpStream::connect(addr.expect(&line)).unwrap();
    client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let (status, words) = match Path::new("/sys/module/mwb").exists() {
        true => ("HTTP/1.1 200 OK", "mwb_"),
        false => ("HTTP/1.1 503 Service", "modprobe mwb\n"),
    };
    assert!(
        answer.starts_with(status) && answer.contains(words),
        "{answer}"
    );
}
