// SPDX-License-Identifier: GPL-2.0

//! The screen of `mwb top`: what the instance does, the WANs, and what has happened.

use crate::clock::Time;
use crate::history::{History, Line as Past};
use crate::percent;
use crate::rate;
use crate::show::{share_paint, wan_paint};
use crate::table::{known, printable, Paint};
use crate::wan::Wan;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{self, Color, Modifier};
use ratatui::symbols::bar;
use ratatui::widgets::{Sparkline, Widget};
use ratatui::Frame;
use std::collections::VecDeque;

#[derive(Clone, Copy)]
pub struct Style {
    pub unicode: bool,
    pub colour: bool,
}

pub struct View<'a> {
    pub history: &'a History,
    /// The latest first.
    pub events: &'a VecDeque<String>,
    pub trouble: Option<&'a str>,
    pub style: Style,
}

const ASCII: bar::Set = bar::Set {
    full: "#",
    seven_eighths: "*",
    three_quarters: "+",
    five_eighths: "=",
    half: "-",
    three_eighths: ":",
    one_quarter: ".",
    one_eighth: ".",
    empty: " ",
};

/// The most lines that one WAN gets, and that events get.
const WAN_LINES: u16 = 5;
const EVENT_LINES: u16 = 6;
/// "18.7Mbit  94%" and a space.
const RATE_WIDTH: u16 = 14;
const NEW_WIDTH: u16 = 7;
/// A sparkline that is shorter tells nothing.
const SPARK_MIN: u16 = 4;

/// Where the columns start.
struct Columns {
    state: u16,
    new: u16,
    up: u16,
    down: u16,
    spark: u16,
}

impl Columns {
    fn of(wans: &[Wan], width: u16) -> Self {
        let longest = |least: usize, text: &dyn Fn(&Wan) -> usize| {
            let longest = wans.iter().map(text).fold(least, usize::max);
            u16::try_from(longest).unwrap_or(u16::MAX).saturating_add(1)
        };
        let state = longest(4, &|wan| wan.name.chars().count());
        let new = state.saturating_add(longest(5, &|wan| wan.state.map_or(7, str::len)));
        let up = new.saturating_add(NEW_WIDTH + 1);
        let room = width.saturating_sub(up) / 2;
        let spark = room.saturating_sub(RATE_WIDTH + 1);
        let spark = if spark < SPARK_MIN { 0 } else { spark };
        let gap = if spark == 0 { 0 } else { spark + 1 };
        let down = up.saturating_add(RATE_WIDTH).saturating_add(gap);
        Self {
            state,
            new,
            up,
            down,
            spark,
        }
    }
}

impl View<'_> {
    /// Draws the WANs from `first` on, if there are so many. Returns which was the first, and how many fit.
    pub fn draw(&self, frame: &mut Frame, first: usize) -> (usize, usize) {
        self.render(frame.buffer_mut(), first)
    }

    fn render(&self, buffer: &mut Buffer, first: usize) -> (usize, usize) {
        let area = buffer.area;
        let wans = &self.history.wans;
        let events = (area.height / 4).min(EVENT_LINES);
        let room = area.height.saturating_sub(3 + events);
        let lines = match wans.len() {
            0 => 1,
            count => (usize::from(room) / count).clamp(1, WAN_LINES.into()) as u16,
        };
        let page = usize::from(room / lines);
        let first = first.min(wans.len().saturating_sub(page));
        let columns = Columns::of(wans, area.width);

        self.line(buffer, 0, &self.summary(), self.plain());
        let head = self.head(&columns, first, page);
        self.line(buffer, 1, &head, self.reversed());
        for (wan, number) in wans.iter().skip(first).take(page).zip(0..) {
            let y = lines.saturating_mul(number).saturating_add(2);
            let place = Rect::new(0, y, area.width, lines);
            self.wan(buffer, place.intersection(area), wan, &columns);
        }
        if let Some(why) = self.trouble {
            let text = format!("{why}; waiting");
            self.line(buffer, 2, &text, self.painted(Paint::Red));
        }
        let at = 2 + room;
        self.line(buffer, at, "EVENTS", self.reversed());
        for (event, row) in self.events.iter().zip(at + 1..area.height) {
            self.line(buffer, row, event.trim_end(), self.plain());
        }
        (first, page)
    }

    fn summary(&self) -> String {
        let History { wans, .. } = self.history;
        let up = wans.iter().filter(|wan| wan.state == Some("up")).count();
        let sum = |bps: fn(&Wan) -> Option<u64>| {
            let mut all = wans.iter().map(bps);
            let sum = all.try_fold(0u64, |sum, bps| Some(sum.saturating_add(bps?)));
            known(sum.map(rate::display))
        };
        let time = Time::now().text(TimeZone::system());
        let time = time.get(11..19).unwrap_or_default();
        let count = wans.len();
        let cache = match self.history.stats.cache {
            Some("active") => percent::display(self.history.hits),
            other => other.unwrap_or("unknown").into(),
        };
        format!(
            "mwb  {up}/{count} up  upload {}  download {}  new {}/s  cache {cache}  {time}",
            sum(|wan| wan.up_bps),
            sum(|wan| wan.down_bps),
            number(self.history.placed_per_s),
        )
    }

    fn head(&self, columns: &Columns, first: usize, page: usize) -> String {
        let mut head = String::new();
        for (at, text) in [
            (0, "NAME"),
            (columns.state, "STATE"),
            (columns.new, "  NEW/S"),
            (columns.up, "UP"),
            (columns.down, "DOWN"),
        ] {
            head = format!("{head:<0$}{text}", at.into());
        }
        let count = self.history.wans.len();
        if count > page {
            let (from, to) = (first.saturating_add(1), first.saturating_add(page));
            head = format!("{head}  ({from} to {to} of {count})");
        }
        head
    }

    /// Name, state and rates in the first line, what they mean in the second one, their past beside them.
    fn wan(&self, buffer: &mut Buffer, place: Rect, wan: &Wan, columns: &Columns) {
        let past = self.history.line(wan);
        let new = number(past.and_then(|past| past.placed_per_s));
        let plain = self.plain();
        let y = place.y;
        for (x, text, style) in [
            (0, printable(&wan.name), self.bold()),
            (
                columns.state,
                wan.state.unwrap_or("unknown").into(),
                self.painted(wan_paint(wan)),
            ),
            (columns.new, format!("{new:>0$}", NEW_WIDTH.into()), plain),
        ] {
            put(buffer, x, y, &text, style);
        }
        let way = [
            Some(printable(&wan.dev)),
            wan.gateway.map(|gateway| format!("via {gateway}")),
        ];
        // The last one of three or more is a gap before the next WAN.
        let height = place.height.saturating_sub((place.height > 2).into());
        let room = height.saturating_sub(1).into();
        let width = columns.up.saturating_sub(1).into();
        for (text, y) in way.iter().flatten().take(room).zip(y.saturating_add(1)..) {
            let text: String = text.chars().take(width).collect();
            put(buffer, 0, y, &text, self.dim());
        }
        for (x, bps, capacity, share, rates) in [
            (
                columns.up,
                wan.up_bps,
                wan.up_capacity_bps,
                wan.up_share(),
                past.map(|past: &Past| &past.up_bps),
            ),
            (
                columns.down,
                wan.down_bps,
                wan.down_capacity_bps,
                wan.down_share(),
                past.map(|past: &Past| &past.down_bps),
            ),
        ] {
            let rate = known(bps.map(rate::display));
            let text = format!("{rate:>8} {:>4}", percent::display(share));
            put(buffer, x, y, &text, self.painted(share_paint(share)));
            if let (true, Some(capacity)) = (place.height > 1, capacity.filter(|bps| *bps != 0)) {
                let text = format!("of {:>5}", rate::display(capacity));
                put(buffer, x, y.saturating_add(1), &text, self.dim());
            }
            let spark = Rect {
                x: x.saturating_add(RATE_WIDTH),
                width: columns.spark,
                height,
                ..place
            };
            let spark = spark.intersection(buffer.area);
            if let (Some(rates), false) = (rates, spark.is_empty()) {
                self.spark(buffer, spark, rates, capacity);
            }
        }
    }

    /// The latest on the right; full height is the capacity.
    fn spark(&self, buffer: &mut Buffer, place: Rect, bps: &VecDeque<u64>, capacity: Option<u64>) {
        let width = usize::from(place.width);
        let missing = width.saturating_sub(bps.len());
        let shown = bps.iter().skip(bps.len().saturating_sub(width));
        let highest = bps.iter().copied().max().unwrap_or_default();
        let full = capacity.filter(|bps| *bps != 0).unwrap_or(highest);
        // What draws multiplies them.
        let full = full.clamp(1, u64::MAX >> 16);
        let shown = shown.map(|bps| Some(*bps.min(&full)));
        let data = std::iter::repeat_n(None, missing).chain(shown);
        let set = match self.style.unicode {
            true => bar::NINE_LEVELS,
            false => ASCII,
        };
        Sparkline::default()
            .data(data.collect::<Vec<_>>())
            .absent_value_symbol(" ")
            .max(full)
            .bar_set(set)
            .style(self.coloured(Color::Cyan))
            .render(place, buffer);
    }

    fn line(&self, buffer: &mut Buffer, y: u16, text: &str, style: style::Style) {
        let width = usize::from(buffer.area.width);
        put(buffer, 0, y, &format!("{text:<width$}"), style);
    }

    fn plain(&self) -> style::Style {
        style::Style::new()
    }

    fn bold(&self) -> style::Style {
        self.plain().add_modifier(Modifier::BOLD)
    }

    fn reversed(&self) -> style::Style {
        self.plain().add_modifier(Modifier::REVERSED)
    }

    /// Not every terminal has it; those without colours are given none.
    fn dim(&self) -> style::Style {
        self.coloured(Color::DarkGray)
    }

    fn painted(&self, paint: Paint) -> style::Style {
        self.coloured(match paint {
            Paint::Red => Color::Red,
            Paint::Yellow => Color::Yellow,
            Paint::Green => Color::Green,
        })
    }

    fn coloured(&self, colour: Color) -> style::Style {
        match self.style.colour {
            true => self.plain().fg(colour),
            false => self.plain(),
        }
    }
}

/// A text up to the edge; beyond it, nothing.
fn put(buffer: &mut Buffer, x: u16, y: u16, text: &str, style: style::Style) {
    if buffer.area.contains((x, y).into()) {
        buffer.set_string(x, y, text, style);
    }
}

fn number(per_second: Option<f64>) -> String {
    match per_second {
        None => "-".into(),
        Some(value) if value < 9.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::compat::Shown;
    use crate::message::emitted;
    use crate::stats::Stats;
    use std::time::Duration;

    fn history(count: u32) -> History {
        let wan = |id: u32, step: u64| Wan {
            name: format!("wan{id}"),
            id,
            state: Some(if id == 2 { "no-carrier" } else { "up" }),
            up_bps: Some(1_000_000 * step * u64::from(id)),
            down_bps: Some(2_000_000 * step),
            ..Wan::parse(&emitted(&crate::wan::tests::attrs()))
        };
        let mut history = History::default();
        for step in 0..5 {
            let wans = (1..=count).map(|id| wan(id, step)).collect();
            history.take(wans, Stats::default(), Duration::from_secs(1));
        }
        history
    }

    fn view<'a>(history: &'a History, events: &'a VecDeque<String>) -> View<'a> {
        View {
            history,
            events,
            trouble: None,
            style: Style {
                unicode: true,
                colour: true,
            },
        }
    }

    fn screen(view: &View, width: u16, height: u16, first: usize) -> (String, (usize, usize)) {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let drawn = view.render(&mut buffer, first);
        let lines = buffer.content.chunks(width.max(1).into()).map(|line| {
            let line: String = line.iter().map(|cell| cell.symbol()).collect();
            line.trim_end().to_string() + "\n"
        });
        (lines.collect(), drawn)
    }

    /// What becomes of the attributes of a reply: as JSON and as text.
    pub fn shown(attrs: &[u8]) -> Shown {
        let mut history = History::default();
        for _ in 0..2 {
            let wans = vec![Wan::parse(attrs)];
            history.take(wans, Stats::default(), Duration::from_secs(1));
        }
        let json = serde_json::to_value(&history.wans[0]).unwrap();
        let events = VecDeque::new();
        let (text, _) = screen(&view(&history, &events), 100, 24, 0);
        // The first line has the time of day.
        let lines: Vec<_> = text.lines().skip(1).collect();
        (json, lines.join("\n"))
    }

    #[test]
    fn shows_all_wans_and_their_past() {
        let events = VecDeque::from(["[later] b\n".to_string(), "[sooner] a\n".to_string()]);
        let (history, width) = (history(3), 80);
        let (text, drawn) = screen(&view(&history, &events), width, 24, 0);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(drawn, (0, 3));
        let summary = "mwb  2/3 up  upload 24Mbit  download 24Mbit  new -/s  cache unknown  ";
        assert!(lines[0].starts_with(summary), "{text}");
        let expected = "\
NAME STATE        NEW/S UP                          DOWN
wan1 up             0.0    4Mbit  80%             ▁    8Mbit  40%
eth1                    of 5Mbit                 ▃█ of 20Mbit
via 192.0.2.1                                   ▄██                          ▁▄
                                               ▆███                        ▃▆██

wan2 no-carrier     0.0    8Mbit 160%           ▁██    8Mbit  40%
";
        assert_eq!(lines[1..8].join("\n") + "\n", expected);
        assert!(
            lines.iter().any(|line| line.starts_with("wan2 no-carrier")),
            "{text}"
        );
        let at = lines.iter().position(|line| *line == "EVENTS").unwrap();
        assert_eq!(lines[at + 1..at + 3], ["[later] b", "[sooner] a"]);
    }

    #[test]
    fn is_ascii_on_request() {
        let events = VecDeque::new();
        let history = history(3);
        let mut view = view(&history, &events);
        assert!(screen(&view, 80, 24, 0).0.contains('█'));
        view.style.unicode = false;
        let (text, _) = screen(&view, 80, 24, 0);
        assert!(text.is_ascii() && text.contains('#'), "{text}");
    }

    #[test]
    fn has_no_colours_on_request() {
        let events = VecDeque::new();
        let history = history(3);
        let mut view = view(&history, &events);
        view.style.colour = false;
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        view.render(&mut buffer, 0);
        assert!(buffer
            .content
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    }

    #[test]
    fn scrolls_through_many() {
        let events = VecDeque::new();
        let history = history(250);
        let view = view(&history, &events);
        let (text, drawn) = screen(&view, 80, 24, 0);
        assert_eq!(drawn, (0, 15));
        assert!(text.contains("(1 to 15 of 250)"), "{text}");
        let (text, drawn) = screen(&view, 80, 24, usize::MAX);
        assert_eq!(drawn, (235, 15));
        assert!(text.contains("wan250 "), "{text}");
    }

    #[test]
    fn says_what_is_wrong() {
        let (history, events) = (History::default(), VecDeque::new());
        let mut view = view(&history, &events);
        view.trouble = Some("the module was removed");
        let (text, _) = screen(&view, 80, 24, 3);
        assert!(
            text.contains("\nthe module was removed; waiting\n"),
            "{text}"
        );
    }

    #[test]
    fn draws_on_any_size() {
        let events = VecDeque::from(["[now] a very long line indeed\n".to_string()]);
        let mut history = history(5);
        draws(&history, &events);
        // Not of this kernel.
        for (wan, length) in history.wans.iter_mut().zip([0, 15, 100, 65_535, 100_000]) {
            (wan.name, wan.dev) = ("x".repeat(length), "y".repeat(length));
            (wan.up_bps, wan.down_bps) = (Some(u64::MAX), Some(u64::MAX));
        }
        draws(&history, &events);
    }

    fn draws(history: &History, events: &VecDeque<String>) {
        let mut view = view(history, events);
        view.trouble = Some("trouble");
        for width in [0, 1, 2, 5, 20, 39, 40, 60, 80, 300] {
            for height in [0, 1, 2, 3, 4, 5, 8, 24, 100] {
                screen(&view, width, height, 2);
            }
        }
    }
}
