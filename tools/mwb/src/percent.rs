// SPDX-License-Identifier: GPL-2.0

//! Shares, in per cent.

/// A share with or without its sign. One that is too high is the kernel's to refuse.
pub fn parse(text: &str) -> Result<u32, String> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    match digits.parse() {
        Ok(percent) if !digits.starts_with('+') => Ok(percent),
        _ => Err("write a share as 85%".into()),
    }
}

/// A share of 1, if it is known.
pub fn display(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.0}%", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_shares() {
        for (text, value) in [("85%", 85), ("85", 85), ("0", 0), ("100%", 100)] {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
        for text in ["", "%", "+1%", "-1", "8.5%", "85 %", "85%%"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn displays_shares() {
        for (share, text) in [
            (None, "-"),
            (Some(0.0), "0%"),
            (Some(0.846), "85%"),
            (Some(1.6), "160%"),
        ] {
            assert_eq!(display(share), text);
        }
    }
}
