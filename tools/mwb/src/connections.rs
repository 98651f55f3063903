// SPDX-License-Identifier: GPL-2.0

//! `mwb connections`: the live connections of the WANs.

use crate::clock::Time;
use crate::conntrack::{self, Connection};
use crate::marks::Marks;
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::proto::Proto;
use crate::rate;
use crate::stats::Stats;
use crate::table::{Column, Column::*, Growing};
use crate::time;
use crate::uapi::*;
use crate::wan::Wan;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

#[derive(clap::Args)]
#[command(after_help = "\
Bytes are there while net.netfilter.nf_conntrack_acct is 1, ages of what began while
net.netfilter.nf_conntrack_timestamp was 1.

Examples:
  mwb connections --wan dsl
  mwb -j connections | jq 'group_by(.wan) | map({(.[0].wan): length}) | add'")]
pub struct Args {
    /// Only those of this WAN
    #[arg(long)]
    wan: Option<String>,
}

#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub struct Row {
    wan: String,
    /// What has placed it: balance or policy.
    by: &'static str,
    proto: String,
    src: IpAddr,
    sport: Option<u16>,
    dst: IpAddr,
    dport: Option<u16>,
    reply_src: IpAddr,
    reply_sport: Option<u16>,
    reply_dst: IpAddr,
    reply_dport: Option<u16>,
    state: &'static str,
    age_s: Option<u64>,
    timeout_s: Option<u32>,
    bytes_orig: Option<u64>,
    bytes_reply: Option<u64>,
    /// Directions whose route is kept: 0 to 2. None while routes are not kept at all.
    kept: Option<usize>,
}

/// What says how a connection is to be read.
struct Reader {
    marks: Marks,
    wans: Vec<Wan>,
    is_cached: bool,
    now_ns: u64,
}

pub fn run(args: Args, client: &mut Client, output: Output) -> Result<(), String> {
    let wans = client.dump(CMD_WAN_GET)?;
    let wans: Vec<Wan> = wans.iter().map(|reply| Wan::parse(&reply.0)).collect();
    let active = CACHE_NAMES[CACHE_ACTIVE as usize];
    let reader = Reader {
        marks: Marks::read(client)?,
        is_cached: Stats::read(client)?.cache == Some(active),
        now_ns: Time::now().ns(),
        wans,
    };
    let (mark, mask) = match &args.wan {
        None => (0, 0),
        Some(name) => {
            let wan = reader.wans.iter().find(|wan| wan.name == *name);
            let wan = wan.ok_or(format!("no WAN is called {name}"))?;
            (reader.marks.of(wan.id), reader.marks.id_mask())
        }
    };
    let mut sink = Sink::new(output);
    conntrack::connections(mark, mask, |connection| match reader.row(&connection) {
        Some(row) => sink.take(row),
        None => Ok(true),
    })?;
    sink.end()
}

impl Reader {
    /// None if it is of no WAN.
    fn row(&self, connection: &Connection) -> Option<Row> {
        let id = self.marks.id(connection.mark);
        let wan = self.wans.iter().find(|wan| wan.id == id)?;
        let Connection { orig, reply, .. } = connection;
        Some(Row {
            wan: wan.name.clone(),
            by: match self.marks.by_policy(connection.mark) {
                true => "policy",
                false => "balance",
            },
            proto: Proto(orig.proto).to_string(),
            src: orig.src,
            sport: orig.sport,
            dst: orig.dst,
            dport: orig.dport,
            reply_src: reply.src,
            reply_sport: reply.sport,
            reply_dst: reply.dst,
            reply_dport: reply.dport,
            state: connection.state(),
            age_s: connection
                .started_ns
                .filter(|started_ns| *started_ns != 0)
                .map(|started_ns| self.now_ns.saturating_sub(started_ns) / 1_000_000_000),
            timeout_s: connection.timeout_s,
            bytes_orig: connection.bytes_orig,
            bytes_reply: connection.bytes_reply,
            kept: self.is_cached.then_some(connection.labels),
        })
    }
}

const COLUMNS: [Column; 11] = [
    Left("WAN"),
    Left("BY"),
    Left("PROTO"),
    Left("FROM"),
    Left("TO"),
    Left("AS"),
    Left("STATE"),
    Right("AGE"),
    Right("TIMEOUT"),
    Right("SENT"),
    Right("RECEIVED"),
];

impl Row {
    fn cells(&self) -> [String; COLUMNS.len()] {
        let end = |addr: IpAddr, port: Option<u16>| match (addr, port) {
            (addr, None) => addr.to_string(),
            (IpAddr::V6(addr), Some(port)) => format!("[{addr}]:{port}"),
            (addr, Some(port)) => format!("{addr}:{port}"),
        };
        let span = |seconds: Option<u32>| seconds.map_or("-".into(), time::rough);
        let bytes = |bytes: Option<u64>| bytes.map_or("-".into(), rate::bytes);
        // What the other end sees, if that is not the one who sends.
        let is_same = (self.src, self.sport) == (self.reply_dst, self.reply_dport);
        [
            self.wan.clone(),
            self.by.into(),
            self.proto.clone(),
            end(self.src, self.sport),
            end(self.dst, self.dport),
            match is_same {
                true => "-".into(),
                false => end(self.reply_dst, self.reply_dport),
            },
            self.state.into(),
            span(
                self.age_s
                    .map(|age_s| u32::try_from(age_s).unwrap_or(u32::MAX)),
            ),
            span(self.timeout_s),
            bytes(self.bytes_orig),
            bytes(self.bytes_reply),
        ]
    }
}

/// Where rows go as they come: of millions of them, none is kept for long.
struct Sink {
    output: Output,
    table: Growing<{ COLUMNS.len() }>,
    /// JSON that is not yet written.
    text: String,
    is_first: bool,
}

impl Sink {
    const ROOM: usize = 64 << 10;

    fn new(output: Output) -> Self {
        Self {
            output,
            table: Growing::new(COLUMNS),
            text: String::new(),
            is_first: true,
        }
    }

    /// False if the reader has had enough.
    fn take(&mut self, row: Row) -> Result<bool, String> {
        if self.output.json {
            self.text += if self.is_first { "[" } else { "," };
            self.is_first = false;
            self.text += self.output.json_text(&row)?.trim_end();
            return match self.text.len() > Self::ROOM {
                true => output::still_read(std::mem::take(&mut self.text).as_bytes()),
                false => Ok(true),
            };
        }
        self.table.push(row.cells());
        match self.table.is_full() {
            true => output::still_read(self.table.take().as_bytes()),
            false => Ok(true),
        }
    }

    fn end(mut self) -> Result<(), String> {
        if self.output.json {
            self.text += if self.is_first { "[]\n" } else { "]\n" };
            return output::write(self.text.as_bytes());
        }
        output::write(self.table.take().as_bytes())
    }
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::conntrack::{tests::connection, Tuple};

    /// What becomes of a connection: as JSON and as text.
    pub fn shown(connection: &Connection) -> Option<crate::compat::Shown> {
        let row = reader().row(connection)?;
        Some((serde_json::to_value(&row).unwrap(), row.cells().join(" ")))
    }

    fn reader() -> Reader {
        let wan = Wan {
            name: "dsl".into(),
            id: 3,
            ..Wan::default()
        };
        Reader {
            marks: Marks::new(MARK_MASK).unwrap(),
            wans: vec![wan],
            is_cached: true,
            now_ns: 125_000_000_007,
        }
    }

    #[test]
    fn a_connection_is_a_row() {
        let row = reader().row(&connection()).unwrap();
        assert_eq!(
            row.cells(),
            [
                "dsl",
                "policy",
                "tcp",
                "10.0.0.11:4711",
                "198.51.100.1:80",
                "192.0.2.7:4711",
                "established",
                "2m",
                "4d",
                "1.2kB",
                "56.8kB"
            ]
        );
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            concat!(
                r#"{"wan":"dsl","by":"policy","proto":"tcp","src":"10.0.0.11","sport":4711,"#,
                r#""dst":"198.51.100.1","dport":80,"reply_src":"198.51.100.1","reply_sport":80,"#,
                r#""reply_dst":"192.0.2.7","reply_dport":4711,"state":"established","age_s":125,"#,
                r#""timeout_s":431999,"bytes_orig":1234,"bytes_reply":56789,"kept":1}"#
            )
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut connection = connection();
        connection.mark = 0x0300_0000;
        connection.reply = Tuple {
            dst: connection.orig.src,
            ..connection.reply
        };
        connection.started_ns = Some(0);
        connection.bytes_orig = None;
        let uncached = Reader {
            is_cached: false,
            ..reader()
        };
        let row = uncached.row(&connection).unwrap();
        assert_eq!((row.by, row.age_s, row.kept), ("balance", None, None));
        let cells = row.cells();
        assert_eq!([&cells[5], &cells[7], &cells[9]], ["-", "-", "-"]);
    }

    #[test]
    fn what_is_of_no_wan_is_no_row() {
        for mark in [0, 0x0200_0000, 0x7f00_0000, 0x8000_0000, 3] {
            let mut connection = connection();
            connection.mark = mark;
            assert_eq!(reader().row(&connection), None, "{mark:#x}");
        }
    }

    #[test]
    fn ports_and_addresses_are_told_apart() {
        let mut row = reader().row(&connection()).unwrap();
        row.src = "2001:db8::1".parse().unwrap();
        row.dport = None;
        let cells = row.cells();
        assert_eq!(cells[3..5], ["[2001:db8::1]:4711", "198.51.100.1"]);
    }
}
