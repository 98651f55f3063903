// SPDX-License-Identifier: GPL-2.0

//! Spans of time.

const EXAMPLE: &str = "write a time as 600s, 10m, 1h or 1d";

/// A time in seconds. One that is too short or too long is the kernel's to refuse.
pub fn parse(text: &str) -> Result<u32, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(EXAMPLE.into()),
    };
    match number.parse::<u32>() {
        Ok(value) if !number.starts_with('+') => Ok(value.saturating_mul(unit)),
        _ => Err(EXAMPLE.into()),
    }
}

/// A time in milliseconds, which needs a unit.
pub fn parse_ms(text: &str) -> Result<u32, String> {
    let number = match (text.strip_suffix("ms"), text.ends_with(char::is_alphabetic)) {
        (Some(number), _) => number,
        (None, true) if parse(text).is_ok() => return Ok(parse(text)?.saturating_mul(1000)),
        _ => "",
    };
    match number.parse() {
        Ok(value) if !number.starts_with('+') => Ok(value),
        _ => Err("write a time as 200ms or 1s".into()),
    }
}

/// The time in milliseconds, or as [`display`] has it where that needs no fraction.
pub fn display_ms(ms: u32) -> String {
    match ms % 1000 {
        0 => display(ms / 1000),
        _ => format!("{ms}ms"),
    }
}

/// The time in the largest unit that needs no fraction.
pub fn display(seconds: u32) -> String {
    let units = [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60)];
    let mut units = units.into_iter();
    match units.find(|(_, factor)| seconds != 0 && seconds % factor == 0) {
        Some((unit, factor)) => format!("{}{unit}", seconds / factor),
        None => format!("{seconds}s"),
    }
}

/// The time in whole units of the largest that fits: for people.
pub fn rough(seconds: u32) -> String {
    let units = [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60), ("s", 1)];
    let fitting = units.into_iter().find(|(_, factor)| seconds >= *factor);
    fitting.map_or("0s".into(), |(unit, factor)| {
        format!("{}{unit}", seconds / factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (seconds, text) in [
            (0, "0s"),
            (90, "90s"),
            (600, "10m"),
            (3600, "1h"),
            (604_800, "7d"),
        ] {
            assert_eq!(display(seconds), text);
            assert_eq!(parse(text), Ok(seconds));
        }
    }

    #[test]
    fn rough_is_short() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (119, "1m"), (431_999, "4d")] {
            assert_eq!(rough(seconds), text);
        }
    }

    #[test]
    fn reads_units() {
        for (text, seconds) in [
            ("600", 600),
            ("600s", 600),
            ("10m", 600),
            ("1h", 3600),
            ("7d", 604_800),
            ("0", 0),
            ("99999999d", u32::MAX),
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn reads_milliseconds() {
        for (text, ms) in [
            ("200ms", 200),
            ("2s", 2000),
            ("1m", 60_000),
            ("0ms", 0),
            ("9999999s", u32::MAX),
        ] {
            assert_eq!(parse_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "ms", "200", "1.5s", "+1ms", "-1ms", "200 ms", "s"] {
            assert!(parse_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "s",
            "10 m",
            "1.5h",
            "-1s",
            "+1s",
            "10min",
            "1h30m",
            "10M",
            "99999999999",
            "1\u{e9}",
        ] {
            assert_eq!(parse(text), Err(EXAMPLE.to_string()), "{text}");
        }
    }
}
