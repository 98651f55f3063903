// SPDX-License-Identifier: GPL-2.0

//! Rates, read and written as tc does.

const EXAMPLE: &str = "write a rate as 20mbit, 1.5gbit or 500kbit";

/// A rate in bits per second. One beyond all measure, which saturates, is the kernel's to refuse.
pub fn parse(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = unit(&text[number.len()..].to_ascii_lowercase()).ok_or(EXAMPLE)?;
    match number.parse::<f64>() {
        Ok(value) if value >= 0.0 => Ok((value * factor).round() as u64),
        _ => Err(EXAMPLE.into()),
    }
}

/// Bits per second in a unit of tc's: those in `bit` count bits, those in `bps` bytes.
fn unit(name: &str) -> Option<f64> {
    let (prefix, bits) = match (name.strip_suffix("bit"), name.strip_suffix("bps")) {
        (Some(prefix), _) => (prefix, 1.0),
        (_, Some(prefix)) => (prefix, 8.0),
        _ if name.is_empty() => ("", 1.0),
        _ => return None,
    };
    let (base, power) = match prefix {
        "" => (1.0, 0),
        "k" => (1e3, 1),
        "m" => (1e3, 2),
        "g" => (1e3, 3),
        "t" => (1e3, 4),
        "ki" => (1024f64, 1),
        "mi" => (1024.0, 2),
        "gi" => (1024.0, 3),
        "ti" => (1024.0, 4),
        _ => return None,
    };
    Some(bits * base.powi(power))
}

/// The rate as it is, in the largest unit that needs no fraction.
pub fn exact(bps: u64) -> String {
    let units = [("tbit", 12), ("gbit", 9), ("mbit", 6), ("kbit", 3)];
    let mut units = units
        .map(|(unit, power)| (unit, 10u64.pow(power)))
        .into_iter();
    match units.find(|(_, factor)| bps != 0 && bps % factor == 0) {
        Some((unit, factor)) => format!("{}{unit}", bps / factor),
        None => format!("{bps}bit"),
    }
}

/// The rate in at most three digits, or more from 1000 Tbit/s on.
pub fn display(bps: u64) -> String {
    short(bps, ["", "K", "M", "G", "T"]) + "bit"
}

/// A number of bytes in at most three digits, or more from 1000 TB on.
pub fn bytes(bytes: u64) -> String {
    short(bytes, ["", "k", "M", "G", "T"]) + "B"
}

fn short(number: u64, units: [&str; 5]) -> String {
    let mut value = number as f64;
    let mut units = units.into_iter();
    let mut unit = units.next();
    for larger in units {
        if value < 999.5 {
            break;
        }
        value /= 1e3;
        unit = Some(larger);
    }
    let digits = format!("{value:.*}", usize::from(value < 99.95));
    let digits = digits.strip_suffix(".0").unwrap_or(&digits);
    format!("{digits}{}", unit.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_tc_reads() {
        for (text, bps) in [
            ("1", 1),
            ("8000", 8000),
            ("20mbit", 20_000_000),
            ("20Mbit", 20_000_000),
            ("20MBIT", 20_000_000),
            ("1.5gbit", 1_500_000_000),
            (".5kbit", 500),
            ("5.kbit", 5000),
            ("1e3kbit", 1_000_000),
            ("7bit", 7),
            ("1tbit", 1_000_000_000_000),
            ("1kibit", 1024),
            ("1mibit", 1 << 20),
            ("1gibit", 1 << 30),
            ("1tibit", 1 << 40),
            ("1bps", 8),
            ("1kbps", 8000),
            ("2MBps", 16_000_000),
            ("1gbps", 8_000_000_000),
            ("1tbps", 8_000_000_000_000),
            ("1KiBps", 8192),
            ("1mibps", 8 << 20),
            ("1gibps", 8 << 30),
            ("1tibps", 8 << 40),
            ("0", 0),
            ("0.4", 0),
            ("1e40tbit", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(bps), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_rate() {
        for text in [
            "",
            "mbit",
            "20 mbit",
            " 20mbit",
            "20mbit ",
            "20m",
            "20k",
            "20mb",
            "20bits",
            "20mmbit",
            "20ibit",
            "20%",
            "1,5mbit",
            "0x10",
            "-1mbit",
            "inf",
            "nan",
            "infinity",
            "1e",
            "1.2.3",
            "20mbit\u{e9}",
            "\u{660}mbit",
            "20µbit",
        ] {
            assert_eq!(parse(text), Err(EXAMPLE.to_string()), "{text}");
        }
    }

    #[test]
    fn exact_is_read_back() {
        for (bps, text) in [
            (0, "0bit"),
            (1, "1bit"),
            (1_500_000, "1500kbit"),
            (20_000_000, "20mbit"),
            (1_000_000_000, "1gbit"),
            (10_000_000_000_000, "10tbit"),
            (4_999_999, "4999999bit"),
        ] {
            assert_eq!(exact(bps), text);
            assert_eq!(parse(text), Ok(bps));
        }
    }

    #[test]
    fn writes_three_digits() {
        for (bps, text) in [
            (0, "0bit"),
            (999, "999bit"),
            (1000, "1Kbit"),
            (4_200_000, "4.2Mbit"),
            (20_000_000, "20Mbit"),
            (99_949_999, "99.9Mbit"),
            (99_950_000, "100Mbit"),
            (999_499_999, "999Mbit"),
            (999_500_000, "1Gbit"),
            (10_000_000_000_000, "10Tbit"),
            (u64::MAX, "18446744Tbit"),
        ] {
            assert_eq!(display(bps), text);
        }
        for (number, text) in [
            (0, "0B"),
            (1234, "1.2kB"),
            (56_789, "56.8kB"),
            (5 << 30, "5.4GB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }
}
