// SPDX-License-Identifier: GPL-2.0

//! `mwb save`: the configuration, as `mwb apply` reads it.

use crate::netlink::Client;
use crate::output;
use crate::policy::Policy;
use crate::setting::{self, toml_string, Setting, Value};
use crate::state::State;
use crate::uapi::POLICY_PREF;
use std::fmt::Write;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mwb save >/etc/mwb.new && mv /etc/mwb.new /etc/mwb.toml
                                keep it for the next boot
  mwb save | mwb -n b apply -   the same in another network namespace")]
pub struct Args {
    /// Print also what nobody has changed
    #[arg(short, long)]
    all: bool,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    output::write(toml(&State::read(client)?, args.all).as_bytes())
}

/// As a file. A table begins with an empty line, but for the first one.
pub fn toml(state: &State, all: bool) -> String {
    // Always there: what has no table at all is refused, for something went wrong on its way.
    let config = lines(&setting::CONFIG, &state.config, all);
    let mut tables = vec![format!("[config]\n{config}")];
    for wan in &state.wans {
        let (name, id) = (key(&wan.name), wan.id);
        let values = lines(&setting::WAN, &wan.values, all);
        tables.push(format!("[wan.{name}]\nid = {id}\n{values}"));
    }
    for group in &state.groups {
        let wans: Vec<_> = group.wans.iter().map(|wan| toml_string(wan)).collect();
        let (name, wans) = (key(&group.name), wans.join(", "));
        tables.push(format!("[group.{name}]\nwans = [{wans}]\n"));
    }
    tables.extend(state.policies.iter().map(|p| policy(p, all)));
    tables.join("\n")
}

fn lines(settings: &[Setting], values: &[Option<Value>], all: bool) -> String {
    let values = settings.iter().zip(values);
    let lines = values.filter_map(|(setting, value)| {
        let value = value.as_ref()?;
        let is_wanted = all || setting.default().as_ref() != Some(value);
        is_wanted.then(|| format!("{} = {}\n", setting.name, setting.toml(value)))
    });
    lines.collect()
}

fn policy(policy: &Policy, all: bool) -> String {
    let mut table = String::from("[[policy]]\n");
    let pref = policy.selectors.pref.unwrap_or(POLICY_PREF);
    if all || pref != POLICY_PREF {
        let _ = writeln!(table, "pref = {pref}");
    }
    for (_, option, value) in policy.selectors.given() {
        let name = option.trim_start_matches('-');
        // A port, a protocol or a DSCP that is a number.
        let value = match name != "iif" && value.bytes().all(|byte| byte.is_ascii_digit()) {
            true => value,
            false => toml_string(&value),
        };
        let _ = writeln!(table, "{name} = {value}");
    }
    let _ = writeln!(table, "to = {}", toml_string(&policy.to));
    if all || policy.strict {
        let _ = writeln!(table, "strict = {}", policy.strict);
    }
    table
}

/// The name of a table.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.into(),
        false => toml_string(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply_file::tests::parsed;
    use crate::group_show::Group;
    use crate::plan::tests::changes;
    use crate::policy::tests::policy;
    use crate::selectors::Selectors;
    use crate::state::tests::{at, defaults, wan};

    fn named(name: &str) -> Policy {
        Policy {
            selectors: Selectors {
                pref: Some(POLICY_PREF),
                iif: Some(name.into()),
                ..Selectors::default()
            },
            to: name.into(),
            strict: false,
        }
    }

    fn state() -> State {
        let mut config = defaults();
        config[at("pair-timeout")] = Some(Value::Number(3600));
        config[at("mark-mask")] = Some(Value::Number(0xff00));
        let mut dsl = wan("dsl", 3, "eth1");
        dsl.values[1] = Some(Value::Number(0xc000_0201));
        dsl.values[2] = Some(Value::Number(1_500_000));
        let mut policies = vec![policy(), named("dsl")];
        policies[1].selectors.dscp = None;
        State {
            config,
            wans: vec![dsl, wan("a.b", 7, "it's")],
            groups: vec![Group {
                name: "7".into(),
                wans: vec!["dsl".into(), "a.b".into()],
            }],
            policies,
        }
    }

    #[test]
    fn prints_what_was_changed() {
        let expected = r#"[config]
pair-timeout = "1h"
mark-mask = 0x0000ff00

[wan.dsl]
id = 3
dev = "eth1"
gateway = "192.0.2.1"
up = "1500kbit"

[wan."a.b"]
id = 7
dev = "it's"

[group.7]
wans = ["dsl", "a.b"]

[[policy]]
pref = 900
src = "10.0.0.0/8"
dst = "192.0.2.1/32"
iif = "lan0"
proto = "tcp"
dport = "80-443"
dscp = 46
to = "dsl"
strict = true

[[policy]]
iif = "dsl"
to = "dsl"
"#;
        assert_eq!(toml(&state(), false), expected);
        assert_eq!(toml(&State::default(), false), "[config]\n");
    }

    #[test]
    fn is_read_back() {
        for all in [false, true] {
            let state = state();
            let file = parsed(&toml(&state, all));
            assert_eq!(changes(&state, &file), [""; 0], "{all}");
        }
        let all = toml(&state(), true);
        for line in [
            "granularity = \"connection\"",
            "down = \"auto\"",
            "strict = false",
        ] {
            assert!(all.contains(line), "{line}");
        }
    }

    #[test]
    fn any_name_is_read_back() {
        for name in [
            "#", "a#b", "it's", "''", "\"", "a\\b", "$x", "\u{e9}", "=", "[x]", "0x7",
        ] {
            let state = State {
                config: defaults(),
                wans: vec![wan(name, 1, name)],
                groups: vec![],
                policies: vec![named(name)],
            };
            let file = parsed(&toml(&state, false));
            assert_eq!(changes(&state, &file), [""; 0], "{name}");
        }
    }
}
