// SPDX-License-Identifier: GPL-2.0

//! `mwb doctor`: what is wrong, and the commands that mend it.

use crate::checks;
use crate::facts::Facts;
use crate::finding::{Finding, Level};
use crate::netlink::{self, Client};
use crate::netns;
use crate::output::{self, Output};
use crate::uapi::FAMILY_NAME;
use std::ffi::OsStr;

#[derive(clap::Args)]
#[command(after_help = "\
A line per finding: how bad it is, what it is, and the command that mends it.
  error   something does not work; the exit code is 1 then
  advice  it could work better, or is away for now
  note    something could not be checked
Nothing is printed when nothing is found. It needs root to see all.

Examples:
  mwb doctor
  mwb -j doctor | jq -r '.[].command // empty'")]
pub struct Args {}

/// False if something is wrong.
pub fn run(netns: Option<&OsStr>, output: Output) -> Result<bool, String> {
    netns::enter(netns)?;
    let name = netns.map(|name| name.to_string_lossy().into_owned());
    let mut client = match Client::open() {
        Ok(client) => Some(client),
        Err(why) if why == netlink::absent(FAMILY_NAME) => None,
        Err(why) => return Err(why),
    };
    let findings = findings(&Facts::gather(name, client.as_mut())?);
    match output.json {
        true => output.json(&findings)?,
        false => {
            let lines: Vec<_> = findings
                .iter()
                .map(|finding| format!("{finding}\n"))
                .collect();
            output::write(lines.concat().as_bytes())?;
        }
    }
    Ok(findings.iter().all(|finding| finding.level != Level::Error))
}

/// The worst ones first.
fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<_> = checks::ALL.iter().flat_map(|check| check(facts)).collect();
    let unseen = facts.unseen.iter();
    findings.extend(unseen.map(|why| Finding::new(Level::Note, "unseen", why)));
    findings.sort_by_key(|finding| finding.level);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_all() {
        let finding = Finding::new(Level::Error, "nat", "nothing \x1b translates");
        assert_eq!(finding.to_string(), "error: nothing ? translates");
        let finding = finding.of("dsl").mend("nft add rule");
        assert_eq!(
            finding.to_string(),
            "error: dsl: nothing ? translates: nft add rule"
        );
        assert_eq!(
            serde_json::to_string(&finding).unwrap(),
            concat!(
                r#"{"level":"error","check":"nat","wan":"dsl","text":"nothing \u001b translates","#,
                r#""command":"nft add rule"}"#
            )
        );
    }

    #[test]
    fn the_worst_comes_first() {
        let facts = Facts {
            unseen: vec!["nothing was seen".into()],
            ..Facts::default()
        };
        let findings = findings(&facts);
        let levels: Vec<_> = findings.iter().map(|finding| finding.level).collect();
        // The module, forwarding.
        assert_eq!(levels, [Level::Error, Level::Error, Level::Note]);
    }

    /// On any machine it says something, or that all is well.
    #[test]
    fn this_machine_can_be_looked_at() {
        let facts = Facts::gather(None, None).unwrap();
        assert_eq!(findings(&facts)[0].command.as_deref(), Some("modprobe mwb"));
    }
}
