// SPDX-License-Identifier: GPL-2.0

//! `mwb apply`: makes the kernel have what a file has, and changes nothing else.

use crate::apply_file::{Fault, File};
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::plan::{plan, Action, Step};
use crate::policy_replace;
use crate::rtnetlink::Links;
use crate::save;
use crate::setting::{self, address, Kind};
use crate::state::{dev, State};
use std::ffi::OsStr;
use std::path::PathBuf;
use toml::Spanned;

#[derive(clap::Args)]
#[command(after_help = "\
The file is all of the configuration: what it does not name goes, or gets its default.
What it says is checked first. Connections stay, but for those of WANs that go or get another device.

Examples:
  mwb save >new.toml                 begin with what there is
  mwb apply --dry-run new.toml       what would change:
    ~ wan dsl: down 50mbit -> 60mbit
    + policy --src 10.0.7.0/24 --to cable --strict
  mwb apply new.toml
  ssh router mwb save | mwb apply -  the same as another router")]
pub struct Args {
    /// File as `mwb save` prints it; - is standard input
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Print what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: Args, netns: Option<&OsStr>, output: Output) -> Result<(), String> {
    // A file that is wrong is wrong without the kernel.
    let file = &File::read(&args.file)?;
    let client = &mut crate::connect(netns)?;
    let state = State::read(client)?;
    let explain = |faults| file.explain(faults);
    let plan = plan(&state, file).map_err(explain)?;
    let faults = off_link(file, &state, &Links::read()?);
    if !faults.is_empty() {
        return Err(explain(faults));
    }
    if !args.dry_run {
        carry_out(&plan.steps, file, client)
            .map_err(|failure| failure.taken_back(&plan.steps, &state, client))?;
        return match output.json {
            true => output
                .json(&plan.changes)
                .map_err(|why| format!("{why}\nall of it was done")),
            false => Ok(()),
        };
    }
    match output.json {
        true => output.json(&plan.changes),
        false => {
            let lines = plan.changes.iter().map(|change| format!("{change}\n"));
            output::write(lines.collect::<String>().as_bytes())
        }
    }
}

/// The gateways that the kernel would refuse, because they are in none of the device's networks.
fn off_link(file: &File, state: &State, links: &Links) -> Vec<Fault> {
    let mut faults = Vec::new();
    for wan in &file.wans {
        let is = wan.values.iter().flatten();
        let device = dev(is.map(Spanned::get_ref));
        let gateway = setting::WAN.iter().zip(&wan.values).enumerate();
        let gateway = gateway.filter(|(_, (setting, _))| matches!(setting.kind, Kind::Address));
        for (at, (_, value)) in gateway {
            let (Some(value), Some(device)) = (value, device) else {
                continue;
            };
            // The kernel looks at what is changed.
            let old = state
                .wan(wan.name.get_ref())
                .and_then(|old| old.values.get(at)?.as_ref());
            let addr = address(value.get_ref());
            if old != Some(value.get_ref()) && !addr.is_unspecified() && links.is_off(device, addr)
            {
                let why = "the gateway is in none of the device's networks";
                faults.push(Fault::new(value.span().start, why));
            }
        }
    }
    faults
}

/// Why a step was refused, and how many were done before.
struct Failure {
    why: String,
    done: usize,
}

fn carry_out(steps: &[Step], file: &File, client: &mut Client) -> Result<(), Failure> {
    for (done, step) in steps.iter().enumerate() {
        let failure = |why| Failure { why, done };
        step.run(file, client).map_err(failure)?;
    }
    Ok(())
}

impl Failure {
    /// What went wrong, after everything is as it was before; and what is not, if that was refused, too.
    fn taken_back(self, steps: &[Step], state: &State, client: &mut Client) -> String {
        if self.done == 0 {
            return format!("{}\nnothing was changed", self.why);
        }
        match restore(state, client) {
            Ok(()) => format!("{}\nwhat had been changed is as it was before", self.why),
            Err(back) => format!("{}\n{}", self.told(steps), back),
        }
    }

    /// What went wrong, what was done before, and what was not.
    fn told(&self, steps: &[Step]) -> String {
        let (done, left) = steps.split_at(self.done.min(steps.len()));
        let lines = |steps: &[Step]| {
            let lines = steps.iter().flat_map(|step| &step.lines);
            let lines: Vec<_> = lines.map(|line| format!("\n  {line}")).collect();
            lines.concat()
        };
        let (done, left) = (lines(done), lines(left));
        format!(
            "{}\nthis was done before:{done}\nthis was not:{left}",
            self.why
        )
    }
}

/// Makes the kernel have what it had.
fn restore(state: &State, client: &mut Client) -> Result<(), String> {
    let file = &File::parse("what was there".into(), save::toml(state, true))?;
    let now = State::read(client)?;
    let plan = plan(&now, file).map_err(|faults| file.explain(faults))?;
    let refused = |failure: Failure| format!("it cannot be taken back: {}", failure.why);
    carry_out(&plan.steps, file, client).map_err(refused)
}

impl Step<'_> {
    fn run(&self, file: &File, client: &mut Client) -> Result<(), String> {
        let (request, places) = match &self.action {
            Action::Call(request, places) => (request.clone(), places),
            Action::Policies(groups, lines) => {
                if !groups.is_empty() {
                    client.call(policy_replace::begin())?;
                }
                for group in groups {
                    group.run(file, client)?;
                }
                return policy_replace::run(&file.name, lines, groups.is_empty(), client);
            }
        };
        client.try_call(request).map(drop).map_err(|refusal| {
            let place = refusal
                .attribute
                .and_then(|number| places.get(number).copied()?);
            match place {
                Some(at) => file.explain(vec![Fault::new(at, refusal.sentence)]),
                None => format!("{}: {}", self.lines.concat(), refusal.sentence),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply_file::tests::parsed;
    use crate::message::Request;
    use crate::rtnetlink::tests::links;
    use crate::state::tests::wan;

    #[test]
    fn a_gateway_is_on_the_link() {
        let links = links("eth1", "192.0.2.2/24");
        let at = |gateway: &str, device: &str| {
            let text = format!("[wan.a]\ndev = {device:?}\ngateway = {gateway:?}\n");
            let file = parsed(&text);
            file.explain(off_link(&file, &State::default(), &links))
        };
        let why = "f:3:11: the gateway is in none of the device's networks";
        assert_eq!(at("192.0.3.1", "eth1"), why);
        // The router itself.
        assert_eq!(at("192.0.2.2", "eth1"), why);
        for (gateway, device) in [
            ("192.0.2.1", "eth1"),
            ("auto", "eth1"),
            // It may come, and get any address.
            ("192.0.3.1", "eth2"),
        ] {
            assert_eq!(at(gateway, device), "", "{gateway}");
        }
        // What is so already is none of our business.
        let mut old = wan("a", 1, "eth1");
        old.values[1] = setting::WAN[1].parse("192.0.3.1").ok();
        let state = State {
            wans: vec![old],
            ..State::default()
        };
        let file = parsed("[wan.a]\ndev = \"eth1\"\ngateway = \"192.0.3.1\"\n");
        assert_eq!(off_link(&file, &state, &links), []);
    }

    #[test]
    fn says_what_was_done() {
        let step = |line: &str| Step {
            lines: vec![line.into()],
            action: Action::Call(Request::new(0, vec![]), vec![]),
        };
        let steps = ["+ wan a", "+ wan b", "- wan c"].map(step);
        let failure = Failure {
            why: "no".into(),
            done: 1,
        };
        assert_eq!(
            failure.told(&steps),
            "no\nthis was done before:\n  + wan a\nthis was not:\n  + wan b\n  - wan c"
        );
    }
}
