// SPDX-License-Identifier: GPL-2.0

//! `mwb monitor`: a line for each event, until it is interrupted.

use crate::clock::Time;
use crate::event::Event;
use crate::events::Heard;
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::uapi::MCGRP_EVENTS;
use jiff::tz::TimeZone;

pub fn run(client: &mut Client, output: Output) -> Result<(), String> {
    client.join(MCGRP_EVENTS)?;
    loop {
        let events = match client.listen()? {
            Heard::Events(events) => events,
            Heard::Lost => {
                eprintln!("mwb: events were lost, for there were too many at once");
                continue;
            }
        };
        let now = Time::now();
        let events = events
            .iter()
            .filter_map(|(command, attrs)| Event::parse(*command, &attrs.0, now));
        for event in events {
            let line = match output.json {
                true => output.json_text(&event)?,
                false => event.text(TimeZone::system()),
            };
            if !output::still_read(line.as_bytes())? {
                return Ok(());
            }
        }
    }
}
