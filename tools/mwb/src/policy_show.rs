// SPDX-License-Identifier: GPL-2.0

//! `mwb policy show` and `mwb policy save`

use crate::netlink::Client;
use crate::output::{self, Output};
use crate::policy::{Policy, Row};
use crate::selectors::Selectors;
use crate::table::{known, table, Column, Column::*};
use crate::uapi::*;

pub fn run(client: &mut Client, output: Output) -> Result<(), String> {
    let rows = read(client)?;
    match output.json {
        true => output.json(&rows),
        false => output::write(table(COLUMNS, rows.iter().map(row)).as_bytes()),
    }
}

pub fn save(client: &mut Client) -> Result<(), String> {
    output::write(lines(read(client)?.iter().map(|row| &row.policy)).as_bytes())
}

fn read(client: &mut Client) -> Result<Vec<Row>, String> {
    client.dump_as(CMD_POLICY_GET, |reply| Row::parse(&reply.0))
}

pub fn lines<'a>(policies: impl Iterator<Item = &'a Policy>) -> String {
    policies.fold(String::new(), |lines, policy| {
        lines + &format!("{policy}\n")
    })
}

const COLUMNS: [Column; 5] = [
    Left("PREF"),
    Left("MATCH"),
    Left("TO"),
    Right("CONNECTIONS"),
    Right("MISSED"),
];

fn row(row: &Row) -> [String; COLUMNS.len()] {
    let policy = &row.policy;
    let strict = if policy.strict { " strict" } else { "" };
    [
        format!("{}:", known(policy.selectors.pref)),
        matching(&policy.selectors),
        format!("-> {}{strict}", policy.to),
        known(row.connections),
        known(row.missed),
    ]
}

/// As `ip rule` has it: a source always, the rest if it is given.
fn matching(selectors: &Selectors) -> String {
    let mut words: Vec<_> = selectors
        .given()
        .map(|(word, _, value)| format!("{word} {value}"))
        .collect();
    if selectors.src.is_none() {
        words.insert(0, "from all".into());
    }
    words.join(" ")
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::emitted;
    use crate::policy::tests::attrs;

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let one = Row::parse(attrs);
        let text = table(COLUMNS, [row(&one)].into_iter());
        let line = lines([&one.policy].into_iter());
        (serde_json::to_value(&one).unwrap(), text + &line)
    }

    #[test]
    fn table_is_aligned() {
        let all = Row::parse(&emitted(&attrs()));
        let few = Row {
            policy: Policy {
                selectors: Selectors {
                    pref: Some(1000),
                    iif: Some("\x1b[2J".into()),
                    ..Selectors::default()
                },
                to: "main".into(),
                strict: false,
            },
            connections: Some(0),
            missed: Some(0),
        };
        let expected = "\
PREF   MATCH                                                                    TO             CONNECTIONS  MISSED
900:   from 10.0.0.0/8 to 192.0.2.1/32 iif lan0 proto tcp dport 80-443 dscp 46  -> dsl strict           53       2
1000:  from all iif ?[2J                                                        -> main                  0       0
";
        assert_eq!(table(COLUMNS, [all, few].iter().map(row)), expected);
    }
}
