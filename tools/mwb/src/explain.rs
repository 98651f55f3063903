// SPDX-License-Identifier: GPL-2.0

//! `mwb explain`: what would become of a connection that came now, and why.

use crate::dscp;
use crate::message::{self, attributes, Request};
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::policy::{Policy, Row};
use crate::proto::Proto;
use crate::table::{known, printable, table, Column, Column::*};
use crate::uapi::*;
use netlink_packet_core::DefaultNla;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::Ipv4Addr;

#[derive(clap::Args)]
pub struct Args {
    /// Source address
    src: Ipv4Addr,
    /// Destination address, after DNAT
    dst: Ipv4Addr,
    /// Device that it comes in through; lo for one of the router itself [default: the one that leads to SRC]
    #[arg(long, value_name = "DEV")]
    iif: Option<String>,
    /// Transport protocol, by name or number [default: tcp]
    #[arg(long, value_name = "PROTO", value_parser = Proto::parse)]
    proto: Option<Proto>,
    /// Destination port
    #[arg(long, value_name = "N")]
    dport: Option<u16>,
    /// DSCP of the first packet, by name or number
    #[arg(long, value_name = "DSCP", value_parser = dscp::parse)]
    dscp: Option<u8>,
}

/// What the kernel says of it.
#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Explanation {
    iif: Option<String>,
    oif: Option<String>,
    outcome: Option<&'static str>,
    wan: Option<String>,
    why: Option<&'static str>,
    policy: Option<Policy>,
    wans: Vec<Candidate>,
}

/// A WAN, and what counts of it. Uses are in per cent of capacity, with the connection.
#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
struct Candidate {
    name: String,
    state: Option<&'static str>,
    tier: Option<u32>,
    wanted: bool,
    usable: bool,
    up_use_percent: Option<f64>,
    down_use_percent: Option<f64>,
}

impl Candidate {
    fn parse(attrs: &[u8]) -> Self {
        let mut candidate = Self::default();
        for (kind, value) in attributes(attrs) {
            let percent = || Some(f64::from(message::read_u32(value)?) / 100.0);
            match kind {
                A_CANDIDATE_WAN => candidate.name = message::read_string(value),
                A_CANDIDATE_STATE => candidate.state = message::read_enum(&WAN_STATE_NAMES, value),
                A_CANDIDATE_TIER => candidate.tier = message::read_u32(value),
                A_CANDIDATE_WANTED => candidate.wanted = true,
                A_CANDIDATE_USABLE => candidate.usable = true,
                A_CANDIDATE_UP_USE => candidate.up_use_percent = percent(),
                A_CANDIDATE_DOWN_USE => candidate.down_use_percent = percent(),
                _ => {}
            }
        }
        candidate
    }
}

impl Explanation {
    fn parse(attrs: &[u8]) -> Self {
        let mut this = Self::default();
        for (kind, value) in attributes(attrs) {
            let string = || Some(message::read_string(value));
            match kind {
                A_EXPLAIN_IIF => this.iif = string(),
                A_EXPLAIN_OIF => this.oif = string(),
                A_EXPLAIN_OUTCOME => this.outcome = message::read_enum(&OUTCOME_NAMES, value),
                A_EXPLAIN_WAN => this.wan = string(),
                A_EXPLAIN_WHY => this.why = message::read_enum(&WHY_NAMES, value),
                A_EXPLAIN_POLICY => this.policy = Some(Row::parse(value).policy),
                A_EXPLAIN_CANDIDATE => this.wans.push(Candidate::parse(value)),
                _ => {}
            }
        }
        this
    }

    /// One sentence a line, then the WANs; the one that gets it has a mark.
    fn text(&self) -> String {
        let oif = self.oif.as_deref().map_or("nothing".into(), printable);
        let policy = match &self.policy {
            Some(policy) => policy.to_string(),
            None => "none matches".into(),
        };
        let doc = |name: Option<&str>, names: &[&str], docs: &[&str]| {
            let at = names.iter().position(|n| Some(*n) == name);
            let doc = at.and_then(|at| docs.get(at)).copied();
            output::one_line(doc.unwrap_or("unknown to this tool"))
        };
        let outcome = doc(self.outcome, &OUTCOME_NAMES, &OUTCOME_DOCS);
        let outcome = match &self.wan {
            Some(wan) => printable(wan),
            None => outcome,
        };
        // That it is its route has been said then.
        let by_route = self.outcome == Some(OUTCOME_NAMES[OUTCOME_OTHER as usize]);
        let because = (!by_route).then(|| ("because", doc(self.why, &WHY_NAMES, &WHY_DOCS)));
        [
            (
                "comes in through",
                known(self.iif.as_deref().map(printable)),
            ),
            ("main leads to", oif),
            ("policy", policy),
            (
                if self.wan.is_some() {
                    "goes to"
                } else {
                    "outcome"
                },
                outcome,
            ),
        ]
        .into_iter()
        .chain(because)
        .map(|(what, text)| format!("{what:<18}{text}\n"))
        .collect::<Vec<_>>()
        .concat()
            + &table(COLUMNS, self.wans.iter().map(|wan| self.row(wan)))
    }

    fn row(&self, wan: &Candidate) -> [String; COLUMNS.len()] {
        let is_it = self.wan.as_ref() == Some(&wan.name);
        let share = |percent: Option<f64>| known(percent.map(|percent| format!("{percent:.1}%")));
        let verdict = match (wan.usable, wan.wanted) {
            (false, _) => "cannot be used",
            (_, false) => "is not wanted",
            _ => "",
        };
        [
            if is_it { "*" } else { "" }.into(),
            wan.name.clone(),
            wan.state.unwrap_or("unknown").into(),
            known(wan.tier),
            share(wan.up_use_percent),
            share(wan.down_use_percent),
            verdict.into(),
        ]
    }
}

const COLUMNS: [Column; 7] = [
    Left(""),
    Left("WAN"),
    Left("STATE"),
    Right("TIER"),
    Right("UP"),
    Right("DOWN"),
    Left(""),
];

pub fn run(args: Args, client: &mut Client, output: Output) -> Result<(), String> {
    let without_ports = args.proto.filter(|proto| !proto.has_ports());
    if let (Some(_), Some(proto)) = (args.dport, without_ports) {
        return Err(format!("--proto {proto} has no ports"));
    }
    let replies = client.call(request(&args))?;
    let explanation = Explanation::parse(replies.first().map_or(&[], |reply| &reply.0));
    match output.json {
        true => output.json(&explanation),
        false => output::write(explanation.text().as_bytes()),
    }
}

fn request(args: &Args) -> Request {
    let u32 = message::u32;
    let mut attrs = vec![
        DefaultNla::new(A_EXPLAIN_SRC, args.src.octets().into()),
        DefaultNla::new(A_EXPLAIN_DST, args.dst.octets().into()),
    ];
    attrs.extend(args.proto.map(|proto| u32(A_EXPLAIN_PROTO, proto.0.into())));
    let iif = args.iif.iter();
    attrs.extend(iif.map(|iif| message::string(A_EXPLAIN_IIF, iif)));
    attrs.extend(args.dport.map(|port| u32(A_EXPLAIN_DPORT, port.into())));
    attrs.extend(args.dscp.map(|dscp| u32(A_EXPLAIN_DSCP, dscp.into())));
    Request::new(CMD_EXPLAIN, attrs)
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::tests::misshapen;
    use crate::message::{emitted, flag, string, u32};

    fn candidate(name: &str, is_usable: bool, up: u32, down: u32) -> DefaultNla {
        let mut attrs = vec![
            string(A_CANDIDATE_WAN, name),
            u32(A_CANDIDATE_STATE, WAN_STATE_UP),
            u32(A_CANDIDATE_TIER, 1),
            flag(A_CANDIDATE_WANTED),
            u32(A_CANDIDATE_UP_USE, up),
            u32(A_CANDIDATE_DOWN_USE, down),
        ];
        attrs.extend(is_usable.then(|| flag(A_CANDIDATE_USABLE)));
        DefaultNla::new(A_EXPLAIN_CANDIDATE, emitted(&attrs))
    }

    pub fn attrs() -> Vec<DefaultNla> {
        let policy = vec![u32(A_POLICY_PREF, 900), string(A_POLICY_TO, "fast")];
        vec![
            string(A_EXPLAIN_IIF, "lan0"),
            string(A_EXPLAIN_OIF, "eth1"),
            u32(A_EXPLAIN_OUTCOME, OUTCOME_WAN),
            u32(A_EXPLAIN_WHY, WHY_DOWNLOAD),
            DefaultNla::new(A_EXPLAIN_POLICY, emitted(&policy)),
            candidate("dsl", true, 1234, 5000),
            string(A_EXPLAIN_WAN, "cable"),
            candidate("cable", true, 50, 0),
            candidate("lte", false, 12_000, 10_000),
        ]
    }

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let explanation = Explanation::parse(attrs);
        let json = serde_json::to_value(&explanation).unwrap();
        (json, explanation.text())
    }

    #[test]
    fn sends_what_was_given_and_no_more() {
        use clap::{Args as _, Command, FromArgMatches};
        let sent = |line: &str| {
            let words = ["explain"].into_iter().chain(line.split(' '));
            let command = Args::augment_args(Command::new("explain"));
            let matches = command.try_get_matches_from(words).unwrap();
            let args = Args::from_arg_matches(&matches).unwrap();
            crate::message::tests::sent(&request(&args))
        };
        let mut expected = vec![
            DefaultNla::new(A_EXPLAIN_SRC, vec![10, 0, 0, 1]),
            DefaultNla::new(A_EXPLAIN_DST, vec![192, 0, 2, 1]),
        ];
        assert_eq!(sent("10.0.0.1 192.0.2.1"), emitted(&expected));
        expected.extend([
            u32(A_EXPLAIN_PROTO, 17),
            string(A_EXPLAIN_IIF, "lan0"),
            u32(A_EXPLAIN_DPORT, 53),
            u32(A_EXPLAIN_DSCP, 46),
        ]);
        let line = "10.0.0.1 192.0.2.1 --proto udp --iif lan0 --dport 53 --dscp ef";
        assert_eq!(sent(line), emitted(&expected));
    }

    #[test]
    fn says_all_of_it() {
        let explanation = Explanation::parse(&emitted(&attrs()));
        assert_eq!(
            explanation.text(),
            "\
comes in through  lan0
main leads to     eth1
policy            --pref 900 --to fast
goes to           cable
because           The WAN has the least download use, this connection included.
   WAN    STATE  TIER      UP    DOWN
   dsl    up        1   12.3%   50.0%
*  cable  up        1    0.5%    0.0%
   lte    up        1  120.0%  100.0%  cannot be used
"
        );
        let json = serde_json::to_value(&explanation).unwrap();
        assert_eq!(json["wans"][0]["up_use_percent"], 12.34);
        assert_eq!(json["policy"]["to"], "fast");
        assert_eq!(json["outcome"], "wan");
    }

    #[test]
    fn tolerates_what_is_missing_or_unknown() {
        assert_eq!(Explanation::parse(&[]), Explanation::default());
        let newer = [
            u32(A_EXPLAIN_OUTCOME, OUTCOME_NAMES.len() as u32),
            u32(A_EXPLAIN_MAX + 1, 7),
        ];
        let explanation = Explanation::parse(&emitted(&newer));
        assert_eq!(explanation, Explanation::default());
        assert!(explanation.text().contains("unknown to this tool"));
    }

    #[test]
    fn takes_no_value_that_is_cut_off_or_misshapen() {
        let whole = emitted(&attrs());
        for length in 0..whole.len() {
            Explanation::parse(&whole[..length]).text();
        }
        for bytes in misshapen(&attrs()) {
            let explanation = Explanation::parse(&bytes);
            assert_eq!((explanation.outcome, explanation.why), (None, None));
            explanation.text();
        }
    }
}
