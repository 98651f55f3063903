// SPDX-License-Identifier: GPL-2.0

//! `mwb top`: the WANs on the whole screen, as they change.

use crate::history::History;
use crate::monitor::{Line, Monitor};
use crate::netlink::Client;
use crate::netns;
use crate::output::Output;
use crate::screen::{Key, Screen};
use crate::show;
use crate::stats::Stats;
use crate::terminal;
use crate::top_view::{Style, View};
use jiff::tz::TimeZone;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Time between two looks, 0.1 to 3600
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = delay)]
    delay: Duration,
    /// Draw with ASCII characters; the default where the locale is not UTF-8
    #[arg(short, long)]
    ascii: bool,
}

const EXAMPLES: &str = "\
Keys:
  q, Esc, Ctrl-C                end
  Up, Down, Page Up, Page Down  see other WANs, where there are more than fit
  Ctrl-L                        draw all of it anew

Examples:
  mwb top -d 0.5
  mwb -n router top --ascii";

/// How long an event or a change of the size may wait, at most.
const PATIENCE: Duration = Duration::from_millis(100);
const EVENTS_MAX: usize = 100;

fn delay(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().unwrap_or_default();
    match (0.1..=3600.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err("write a number of seconds, 0.1 to 3600".into()),
    }
}

/// What the kernel has to tell. It may go away, and come back.
struct Source {
    client: Client,
    monitor: Monitor,
}

impl Source {
    fn open() -> Result<Self, String> {
        Ok(Self {
            client: Client::open()?,
            monitor: Monitor::open()?,
        })
    }

    fn read(&mut self, history: &mut History, passed: Duration) -> Result<(), String> {
        let wans = show::read(None, &mut self.client)?;
        let stats = Stats::read(&mut self.client)?;
        history.take(wans, stats, passed);
        Ok(())
    }
}

/// What the screen is made of.
#[derive(Default)]
struct Top {
    source: Option<Source>,
    history: History,
    events: VecDeque<String>,
    /// Why there is nothing to see.
    trouble: Option<String>,
    read: Option<Instant>,
}

impl Top {
    fn look(&mut self) {
        let now = Instant::now();
        let passed = self.read.map_or(Duration::ZERO, |then| now - then);
        if let Err(why) = self.try_look(passed) {
            self.lose(why);
        } else {
            self.trouble = None;
            self.read = Some(now);
        }
    }

    fn try_look(&mut self, passed: Duration) -> Result<(), String> {
        let source = match &mut self.source {
            Some(source) => source,
            none => none.insert(Source::open()?),
        };
        source.read(&mut self.history, passed)
    }

    fn listen(&mut self) {
        let Some(source) = &mut self.source else {
            return;
        };
        match source.monitor.ready() {
            Ok(lines) => lines.iter().for_each(|line| self.note(line)),
            Err(why) => self.lose(why),
        }
    }

    fn note(&mut self, line: &Line) {
        self.events.push_front(line.text(TimeZone::system()));
        self.events.truncate(EVENTS_MAX);
    }

    /// All that was known of the kernel is void.
    fn lose(&mut self, why: String) {
        *self = Self {
            events: std::mem::take(&mut self.events),
            trouble: Some(why),
            ..Self::default()
        };
    }
}

pub fn run(args: Args, netns: Option<&OsStr>, output: Output) -> Result<(), String> {
    netns::enter(netns)?;
    let style = Style {
        unicode: terminal::unicode() && !args.ascii,
        colour: output.colour,
    };
    // Without the module there is nothing to wait for, as long as it has not been there.
    let mut top = Top {
        source: Some(Source::open()?),
        ..Top::default()
    };
    let mut screen = Screen::open()?;
    let mut first = 0;
    let mut next = Instant::now();
    loop {
        top.listen();
        if Instant::now() >= next {
            top.look();
            next = Instant::now() + args.delay;
        }
        let view = View {
            history: &top.history,
            events: &top.events,
            trouble: top.trouble.as_deref(),
            style,
        };
        let mut page = 0;
        screen.draw(|frame| (first, page) = view.draw(frame, first))?;
        let time = next.saturating_duration_since(Instant::now());
        match screen.key(time.min(PATIENCE))? {
            Some(Key::Quit) => return Ok(()),
            Some(Key::Redraw) => screen.redraw()?,
            Some(Key::Scroll(lines)) => first = first.saturating_add_signed(lines),
            Some(Key::Page(pages)) => first = first.saturating_add_signed(pages * page as isize),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_delays() {
        assert_eq!(delay("1"), Ok(Duration::from_secs(1)));
        assert_eq!(delay("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(delay("3600"), Ok(Duration::from_secs(3600)));
        for text in ["", "0", "-1", "0.09", "3601", "1s", "inf", "nan", "1e99"] {
            assert!(delay(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keeps_the_events_of_what_is_gone() {
        let mut top = Top {
            events: ["removed".to_string()].into(),
            read: Some(Instant::now()),
            ..Top::default()
        };
        top.lose("the module was removed".into());
        assert_eq!(top.events, ["removed"]);
        assert_eq!(top.trouble.as_deref(), Some("the module was removed"));
        assert!(top.read.is_none() && top.history.wans.is_empty());
    }
}
