// SPDX-License-Identifier: GPL-2.0

//! `mwb show`: the WANs and their use.

use crate::bar::bar;
use crate::clock::Time;
use crate::live;
use crate::marks::Marks;
use crate::message::{self, Request};
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::percent;
use crate::rate;
use crate::stats::Stats;
use crate::table::{known, printable, Cell, Column, Paint, Table};
use crate::terminal;
use crate::uapi::*;
use crate::wan::Wan;
use What::*;

#[derive(clap::Args, Default)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Show only this WAN
    name: Option<String>,
    /// Also count the connections that there are now, which takes a second for a million of them
    #[arg(short, long)]
    live: bool,
    /// Also show marks, routing tables and tiers
    #[arg(short, long)]
    details: bool,
}

const EXAMPLES: &str = "\
Examples:
  mwb                        what the lines do at the moment
  mwb show dsl --live        one of them, with the connections that it has
  mwb -j show | jq -r '.[] | select(.state != \"up\").name'";

pub fn run(args: Args, client: &mut Client, output: Output) -> Result<(), String> {
    let mut wans = read(args.name.as_deref(), client)?;
    if args.live {
        count(&mut wans, client)?;
    }
    if output.json {
        return output.json(&wans);
    }
    let view = View {
        live: args.live,
        details: args.details,
        unicode: terminal::unicode(),
        colour: output.colour,
    };
    // Beneath the bare heads of the table it says how to begin.
    let begin = match wans.is_empty() {
        true => "no WAN yet: mwb wan add NAME --dev DEV\n",
        false => "",
    };
    let text = view.fitting(&wans, terminal::width()).to_string()
        + begin
        + &reasons(&wans, Time::now())
        + &rates(&wans)
        + &cache(Stats::read(client)?.cache);
    output::write(text.as_bytes())
}

/// Reads one WAN, or all of them.
pub fn read(name: Option<&str>, client: &mut Client) -> Result<Vec<Wan>, String> {
    let replies = match name {
        Some(name) => client.call(Request::new(
            CMD_WAN_GET,
            vec![message::string(A_WAN_NAME, name)],
        )),
        None => client.dump(CMD_WAN_GET),
    }?;
    Ok(replies.iter().map(|reply| Wan::parse(&reply.0)).collect())
}

/// Looks up how many connections each one has.
fn count(wans: &mut [Wan], client: &mut Client) -> Result<(), String> {
    let counts = live::count(Marks::read(client)?);
    let counts = counts.map_err(|why| format!("cannot count connections: {why}"))?;
    let Some(counts) = counts else {
        output::complain("there are too many connections to count");
        return Ok(());
    };
    for wan in wans {
        wan.live = Some(counts.get(&wan.id).copied().unwrap_or_default());
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Name,
    State,
    Dev,
    Tier,
    Gateway,
    Up,
    Down,
    Connections,
    Live,
    Share,
    Mark,
    Number,
}

/// What a narrow terminal does without, first to last, once there are no bars.
const DISPENSABLE: [What; 7] = [Number, Mark, Share, Tier, Gateway, Dev, Connections];
const BARS: [usize; 5] = [10, 8, 6, 4, 0];

impl What {
    fn column(self) -> Column {
        match self {
            Name => Column::Left("NAME"),
            State => Column::Left("STATE"),
            Dev => Column::Left("DEV"),
            Tier => Column::Right("TIER"),
            Gateway => Column::Left("GATEWAY"),
            Up => Column::Left("UP"),
            Down => Column::Left("DOWN"),
            Connections => Column::Right("PLACED"),
            Live => Column::Right("LIVE"),
            Share => Column::Right("SHARE"),
            Mark => Column::Right("MARK"),
            Number => Column::Right("TABLE"),
        }
    }
}

struct View {
    live: bool,
    details: bool,
    unicode: bool,
    colour: bool,
}

impl View {
    /// The first one that is narrow enough: bars shrink and go, then columns.
    fn fitting(&self, wans: &[Wan], width: Option<usize>) -> Table {
        let fits = |table: &Table| width.is_none_or(|width| table.width() <= width);
        let mut columns = self.columns(wans);
        let mut table = self.table(wans, &columns, BARS[0]);
        for bar in &BARS[1..] {
            if fits(&table) {
                return table;
            }
            table = self.table(wans, &columns, *bar);
        }
        for what in DISPENSABLE {
            if fits(&table) {
                return table;
            }
            columns.retain(|column| *column != what);
            table = self.table(wans, &columns, 0);
        }
        table
    }

    fn columns(&self, wans: &[Wan]) -> Vec<What> {
        let tiers = wans.iter().any(|wan| wan.tier != wans[0].tier);
        let all = [
            (Name, true),
            (State, true),
            (Dev, true),
            (Tier, tiers || self.details),
            (Gateway, true),
            (Up, true),
            (Down, true),
            (Connections, true),
            (Live, self.live),
            (Share, wans.len() > 1),
            (Mark, self.details),
            (Number, self.details),
        ];
        let shown = all.into_iter().filter(|(_, shown)| *shown);
        shown.map(|(what, _)| what).collect()
    }

    fn table(&self, wans: &[Wan], columns: &[What], bar: usize) -> Table {
        let placed = wans.iter().filter_map(|wan| wan.connections);
        let placed = placed.fold(0, u64::saturating_add);
        let row = |wan| {
            columns
                .iter()
                .map(move |what| self.cell(wan, *what, bar, placed))
        };
        let heads = columns.iter().map(|what| what.column());
        Table::new(heads, wans.iter().map(row))
    }

    fn cell(&self, wan: &Wan, what: What, bar: usize, placed: u64) -> Cell {
        let text = match what {
            Name => wan.name.clone(),
            State => return self.painted(wan.state.unwrap_or("unknown").into(), wan_paint(wan)),
            Dev => wan.dev.clone(),
            Tier => known(wan.tier),
            Gateway => gateway(wan),
            Up => return self.used(wan.up_bps, wan.up_share(), bar),
            Down => return self.used(wan.down_bps, wan.down_share(), bar),
            Connections => known(wan.connections),
            Live => known(wan.live),
            Share => percent::display(share(wan, placed)),
            Mark => known(wan.mark.map(|mark| format!("{mark:#010x}"))),
            Number => known(wan.table),
        };
        text.into()
    }

    /// A rate and its share of the capacity, also as a bar.
    fn used(&self, bps: Option<u64>, share: Option<f64>, width: usize) -> Cell {
        let rate = known(bps.map(rate::display));
        let mut text = format!("{rate:>8} {:>4}", percent::display(share));
        if width != 0 {
            text = text + " " + &bar(share.unwrap_or_default(), width, self.unicode);
        }
        self.painted(text, share_paint(share))
    }

    fn painted(&self, text: String, paint: Paint) -> Cell {
        Cell::painted(text, self.colour.then_some(paint))
    }
}

/// Its part of all connections that were placed.
fn share(wan: &Wan, placed: u64) -> Option<f64> {
    (placed != 0).then_some(wan.connections? as f64 / placed as f64)
}

/// Whether all is well with it.
pub fn wan_paint(wan: &Wan) -> Paint {
    match wan.state {
        Some("up") => Paint::Green,
        Some("drain" | "disabled") => Paint::Yellow,
        _ => Paint::Red,
    }
}

/// Red from where a line has no room for uploads, if nobody has configured another threshold.
pub fn share_paint(share: Option<f64>) -> Paint {
    match share.unwrap_or_default() {
        0.85.. => Paint::Red,
        0.6.. => Paint::Yellow,
        _ => Paint::Green,
    }
}

/// The address, and whether the WAN was told to learn it.
fn gateway(wan: &Wan) -> String {
    match (wan.gateway, wan.gateway_learned) {
        (Some(addr), true) => format!("{addr} auto"),
        (Some(addr), false) => addr.to_string(),
        (None, _) => "-".into(),
    }
}

/// The lines beneath the table: why WANs are not up, and since when.
fn reasons(wans: &[Wan], now: Time) -> String {
    let up = WAN_STATE_NAMES[WAN_STATE_UP as usize];
    let down = wans
        .iter()
        .filter_map(|wan| Some((wan, wan.state.filter(|state| *state != up)?)));
    let lines: Vec<_> = down
        .map(|(wan, state)| {
            let age = wan.changed.and_then(|time| time.age(now));
            let age = age.map_or(String::new(), |age| format!(" for {age}"));
            let why = why(state, wan.reason);
            format!("{} {state}{age}: {why}\n", printable(&wan.name))
        })
        .collect();
    lines.concat()
}

/// The lines after that: WANs whose rates are not just theirs, and what to do.
fn rates(wans: &[Wan]) -> String {
    let lines = wans.iter().flat_map(|wan| {
        let name = printable(&wan.name);
        let partial = wan.rates_partial.then(|| {
            format!(
                "{name} is not counted in full: a flowtable forwards part of it on a device below {}, which others \
                 use as well. Take that device out of the flowtable.\n",
                printable(&wan.dev)
            )
        });
        let mixed = wan.rates_mixed.then(|| {
            format!(
                "{name} is counted with what others carry: {} counts the packets of the devices above it, too. \
                 Give the WAN a device of its own.\n",
                printable(&wan.dev)
            )
        });
        partial.into_iter().chain(mixed)
    });
    lines.collect()
}

/// The reason in words; if it is news to this tool, what the state means.
fn why(state: &str, reason: Option<&str>) -> String {
    let mut reasons = WAN_REASON_NAMES.into_iter().zip(WAN_REASON_DOCS);
    let mut states = WAN_STATE_NAMES.into_iter().zip(WAN_STATE_DOCS);
    let why = reasons
        .find(|(name, _)| Some(*name) == reason)
        .or_else(|| states.find(|(name, _)| *name == state));
    why.map_or(String::new(), |(_, why)| output::one_line(why))
}

/// The last line: whether connections keep their routes, and why not.
fn cache(state: Option<&str>) -> String {
    let mut reasons = CACHE_NAMES.into_iter().zip(CACHE_DOCS);
    let (idle, active) = (
        CACHE_NAMES[CACHE_IDLE as usize],
        CACHE_NAMES[CACHE_ACTIVE as usize],
    );
    match reasons.find(|(name, _)| Some(*name) == state) {
        Some((name, _)) if name == idle => String::new(),
        Some((name, _)) if name == active => {
            format!("dst cache: {name}, connections keep their routes\n")
        }
        Some((name, why)) => format!(
            "dst cache: {name}, every packet is looked up. {}\n",
            output::one_line(why)
        ),
        None => String::new(),
    }
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::emitted;

    fn wans() -> [Wan; 3] {
        let dsl = Wan::parse(&emitted(&crate::wan::tests::attrs()));
        let unnamed = Wan {
            dev: "\x1b[2J".into(),
            up_bps: Some(999),
            up_capacity_bps: Some(0),
            gateway: Some([192, 0, 2, 1].into()),
            connections: Some(22),
            live: Some(7),
            ..Wan::default()
        };
        [dsl, unnamed, Wan::default()]
    }

    const ALL: View = View {
        live: true,
        details: true,
        unicode: false,
        colour: false,
    };
    const USUAL: View = View {
        live: false,
        details: false,
        unicode: true,
        colour: false,
    };

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let wans = [Wan::parse(attrs)];
        let now = Time::from_ns(1_795_359_900_000_000_000).unwrap();
        let table = ALL.fitting(&wans, None).to_string();
        let text = table + &reasons(&wans, now) + &rates(&wans);
        (serde_json::to_value(&wans[0]).unwrap(), text)
    }

    #[test]
    fn table_is_aligned() {
        let expected = "\
NAME  STATE       DEV   TIER  GATEWAY         UP                        DOWN                      PLACED  LIVE  SHARE        MARK  TABLE
dsl   no-carrier  eth1     2  192.0.2.1 auto   4.2Mbit  84% ########..  18.7Mbit  94% #########.      53     -    71%  0x03000000   7003
      unknown     ?[2J     -  192.0.2.1         999bit    - ..........         -    - ..........      22     7    29%           -      -
      unknown              -  -                      -    - ..........         -    - ..........       -     -      -           -      -
";
        assert_eq!(ALL.fitting(&wans(), None).to_string(), expected);
    }

    #[test]
    fn fits_into_a_terminal() {
        let expected = "\
NAME  STATE       DEV   GATEWAY         UP             DOWN           PLACED
dsl   no-carrier  eth1  192.0.2.1 auto   4.2Mbit  84%  18.7Mbit  94%      53
      unknown     ?[2J  192.0.2.1         999bit    -         -    -      22
      unknown           -                      -    -         -    -       -
";
        let table = USUAL.fitting(&wans(), Some(80));
        assert_eq!(table.to_string(), expected);
        // What all WANs have in common says nothing.
        let two = &wans()[1..];
        let text = USUAL.fitting(two, Some(85)).to_string();
        assert!(text.contains("SHARE") && !text.contains("TIER"), "{text}");
        assert!(text.contains("    - ····  "), "{text}");
        for width in 55..200 {
            for view in [&ALL, &USUAL] {
                let table = view.fitting(&wans(), Some(width));
                assert!(table.width() <= width, "{table}");
            }
        }
        // The lines, their states and what they carry.
        let least = USUAL.fitting(&wans(), Some(1)).to_string();
        assert!(
            least.starts_with("NAME  STATE       UP             DOWN\n"),
            "{least}"
        );
    }

    #[test]
    fn paints_what_needs_attention() {
        let view = View {
            colour: true,
            ..USUAL
        };
        let text = view.fitting(&wans(), Some(80)).to_string();
        assert!(text.contains("\x1b[31mno-carrier\x1b[0m"), "{text}");
        assert!(text.contains("\x1b[33m 4.2Mbit  84%\x1b[0m"), "{text}");
        assert!(text.contains("\x1b[31m18.7Mbit  94%\x1b[0m"), "{text}");
        assert_eq!(share_paint(Some(0.5)), Paint::Green);
        assert_eq!(share_paint(None), Paint::Green);
    }

    #[test]
    fn says_what_the_cache_does() {
        assert_eq!(cache(Some("idle")), "");
        assert_eq!(cache(None), "");
        assert_eq!(
            cache(Some("active")),
            "dst cache: active, connections keep their routes\n"
        );
        let off = cache(Some("off"));
        assert!(off.contains("off") && off.contains("labels=0"), "{off}");
        assert!(cache(Some("labels-in-use")).contains("Somebody else"));
    }

    #[test]
    fn says_whose_rates_are_not_right() {
        let wan = |rates_partial, rates_mixed| Wan {
            name: "dsl".into(),
            dev: "eth0.7".into(),
            rates_partial,
            rates_mixed,
            ..Wan::default()
        };
        assert_eq!(rates(&[wan(false, false)]), "");
        let text = rates(&[wan(true, false), wan(false, true), wan(true, true)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        for (line, is_partial) in lines.iter().zip([true, false, true, false]) {
            assert!(
                line.starts_with("dsl is ") && line.contains("eth0.7"),
                "{line}"
            );
            assert_eq!(line.contains("flowtable"), is_partial, "{line}");
        }
    }

    #[test]
    fn says_why_a_wan_is_not_up() {
        let wan = |name: &str, state: u32, reason: u32, changed_s: u64| Wan {
            name: name.into(),
            state: WAN_STATE_NAMES.get(state as usize).copied(),
            reason: WAN_REASON_NAMES.get(reason as usize).copied(),
            changed: Time::from_ns(changed_s * 1_000_000_000),
            ..Wan::default()
        };
        let wans = [
            wan("a", WAN_STATE_UP, WAN_REASON_READY, 1000),
            wan("b", WAN_STATE_NO_CARRIER, WAN_REASON_CARRIER, 1000),
            wan("c", WAN_STATE_FILTERED, u32::MAX, 2000),
            wan("d", u32::MAX, WAN_REASON_READY, 1000),
        ];
        let now = Time::from_ns(1_125_000_000_000).unwrap();
        let expected = format!(
            "b no-carrier for 2m 5s: The device has lost its carrier.\nc filtered: {}\n",
            WAN_STATE_DOCS[WAN_STATE_FILTERED as usize]
                .trim_end()
                .replace('\n', " ")
        );
        assert_eq!(reasons(&wans, now), expected);
        assert_eq!(reasons(&wans[..1], now), "");
    }
}
