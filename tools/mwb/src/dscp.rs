// SPDX-License-Identifier: GPL-2.0

//! DSCPs by the names that the RFCs give them, or by number.

const EXAMPLE: &str = "write a DSCP as ef, af41, cs5, va, le, or as a number from 0 to 63";

pub fn parse(text: &str) -> Result<u8, String> {
    let text = text.to_ascii_lowercase();
    let value = match text.strip_prefix("0x") {
        // Rust would take a sign as well.
        _ if text.contains('+') => None,
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => named(&text).or_else(|| text.parse().ok()),
    };
    value.filter(|value| *value < 64).ok_or(EXAMPLE.into())
}

fn named(name: &str) -> Option<u8> {
    Some(match name.as_bytes() {
        // RFC 8622, RFC 5865, RFC 3246
        b"le" => 1,
        b"va" => 44,
        b"ef" => 46,
        // RFC 2474, RFC 2597
        [b'c', b's', class @ b'0'..=b'7'] => (class - b'0') << 3,
        [b'a', b'f', class @ b'1'..=b'4', drop @ b'1'..=b'3'] => {
            ((class - b'0') << 3) | ((drop - b'0') << 1)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_numbers() {
        for (text, value) in [
            ("cs0", 0),
            ("cs1", 8),
            ("CS5", 40),
            ("cs7", 56),
            ("af11", 10),
            ("af13", 14),
            ("af41", 34),
            ("af43", 38),
            ("ef", 46),
            ("EF", 46),
            ("le", 1),
            ("va", 44),
            ("0", 0),
            ("46", 46),
            ("63", 63),
            ("0x2e", 46),
            ("0X2E", 46),
        ] {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_dscp() {
        for text in [
            "", "64", "256", "-1", "0x40", "0x", "0x+1", "+46", "cs8", "cs", "af14", "af10",
            "af51", "af1", "xx", "ef ",
        ] {
            assert_eq!(parse(text), Err(EXAMPLE.to_string()), "{text}");
        }
    }
}
