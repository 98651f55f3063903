// SPDX-License-Identifier: GPL-2.0

//! `mwb monitor`: a line for each event, until it is interrupted.

use crate::change::Change;
use crate::clock::Time;
use crate::config::Config;
use crate::event::Event;
use crate::events::Heard;
use crate::netlink::{self, Client};
use crate::netns;
use crate::output::{self, Output};
use crate::uapi::*;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsStr;
use std::thread;
use std::time::Duration;

pub const EXAMPLES: &str = "\
Examples:
  mwb monitor >>/var/log/mwb.log
  mwb -j monitor | jq --unbuffered -r 'select(.event == \"change\" and .state == \"up\").name'";

/// Time between two tries to see how things are.
const CALM: Duration = Duration::from_millis(100);

/// A line of the output.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Line {
    Event(Event),
    Change(Change),
    Lost(Lost),
}

/// There were more events than could be read. What follows is what they have made of the WANs and the configuration.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub struct Lost {
    event: What,
    time: Time,
}

#[derive(Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Lost,
}

impl Line {
    fn lost(time: Time) -> Self {
        let event = What::Lost;
        Self::Lost(Lost { event, time })
    }

    pub fn text(&self, zone: TimeZone) -> String {
        match self {
            Self::Event(event) => event.text(zone),
            Self::Change(change) => change.text(zone),
            Self::Lost(lost) => {
                let time = lost.time.text(zone);
                format!("[{time}] events were lost, there were too many at once\n")
            }
        }
    }
}

/// What is told of the WANs, in order and without a gap that goes unsaid.
pub struct Monitor {
    listener: Client,
    /// Asks while the other one listens.
    client: Client,
    /// The WANs after all that was told.
    wans: Vec<Event>,
    config: Config,
    lost: bool,
}

impl Monitor {
    pub fn open() -> Result<Self, String> {
        let mut monitor = Self {
            listener: Client::open()?,
            client: Client::open()?,
            wans: Vec::new(),
            config: Config::default(),
            lost: false,
        };
        monitor.listener.join(MCGRP_EVENTS)?;
        monitor.wans = monitor.read()?;
        monitor.config = Config::read(&mut monitor.client)?;
        Ok(monitor)
    }

    /// Waits for the next lines.
    pub fn wait(&mut self) -> Result<Vec<Line>, String> {
        // What had been told before the loss comes first.
        if self.lost {
            if let Some(heard) = self.listener.heard()? {
                return Ok(self.lines(heard));
            }
            let lines = self.resync()?;
            if self.lost {
                thread::sleep(CALM);
            }
            return Ok(lines);
        }
        let heard = self.listener.listen()?;
        Ok(self.lines(heard))
    }

    /// The lines that need no waiting for.
    pub fn ready(&mut self) -> Result<Vec<Line>, String> {
        let mut lines = Vec::new();
        while let Some(heard) = self.listener.heard()? {
            lines.extend(self.lines(heard));
        }
        if self.lost {
            lines.extend(self.resync()?);
        }
        Ok(lines)
    }

    fn lines(&mut self, heard: Heard) -> Vec<Line> {
        let Heard::Events(events) = heard else {
            self.lost = true;
            return Vec::new();
        };
        let now = Time::now();
        let events = events.iter();
        let lines = events.map(
            |(command, attrs)| match Event::parse(*command, &attrs.0, now) {
                Some(event) => Line::Event(event.following(&mut self.wans)),
                None => Line::Change(Change::parse(*command, &attrs.0, now, &mut self.config)),
            },
        );
        lines.collect()
    }

    /// Looks how things are, and tells what has not been told. What happens meanwhile may be told twice. While
    /// too much happens to see how they are, that is still to be done.
    fn resync(&mut self) -> Result<Vec<Line>, String> {
        let Some(new) = if_calm(self.read())? else {
            return Ok(Vec::new());
        };
        let config = Config::read(&mut self.client)?;
        self.lost = false;
        let now = Time::now();
        let mut lines = vec![Line::lost(now)];
        if config != self.config {
            let change = Change::config_set(&self.config, &config, now);
            lines.push(Line::Change(change));
        }
        let missed = Event::between(&self.wans, &new, now);
        lines.extend(missed.into_iter().map(Line::Event));
        let active = Event::none_up(&new);
        if active != Event::none_up(&self.wans) {
            let change = Change::last_resort(active, &config, now);
            lines.push(Line::Change(change));
        }
        (self.wans, self.config) = (new, config);
        Ok(lines)
    }

    fn read(&mut self) -> Result<Vec<Event>, String> {
        let replies = self.client.dump(CMD_WAN_GET)?;
        let now = Time::now();
        // Events have the same attributes.
        let wans = replies
            .iter()
            .filter_map(|wan| Event::parse(CMD_WAN_CHANGE_NTF, &wan.0, now));
        Ok(wans.collect())
    }
}

/// What was read, unless too much happened meanwhile.
fn if_calm<T>(read: Result<T, String>) -> Result<Option<T>, String> {
    match read {
        Err(why) if why == netlink::OVERTAKEN => Ok(None),
        read => read.map(Some),
    }
}

pub fn run(netns: Option<&OsStr>, output: Output) -> Result<(), String> {
    netns::enter(netns)?;
    // A line for each event, whoever reads them.
    let output = Output {
        pretty: false,
        ..output
    };
    let mut monitor = Monitor::open()?;
    loop {
        for line in monitor.wait()? {
            let text = match output.json {
                true => output.json_text(&line)?,
                false => line.text(TimeZone::system()),
            };
            if !output::still_read(text.as_bytes())? {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_waited_for() {
        assert_eq!(if_calm(Ok(7)), Ok(Some(7)));
        assert_eq!(if_calm::<()>(Err(netlink::OVERTAKEN.into())), Ok(None));
        let gone = "the module was removed".to_string();
        assert_eq!(if_calm::<()>(Err(gone.clone())), Err(gone));
    }

    #[test]
    fn says_that_something_was_lost() {
        let line = Line::lost(Time::from_ns(1_795_359_845_123_456_789).unwrap());
        assert_eq!(
            line.text(TimeZone::UTC),
            "[2026-11-22T15:04:05.123456] events were lost, there were too many at once\n"
        );
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"event":"lost","time":1795359845.123456}"#
        );
    }
}
