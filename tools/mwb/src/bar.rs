// SPDX-License-Identifier: GPL-2.0

//! A share of a whole as a bar of text.

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// `width` characters, of which as many are full as the share says; what is more than the whole looks like it.
pub fn bar(share: f64, width: usize, unicode: bool) -> String {
    let share = share.clamp(0.0, 1.0);
    let (full, part, rest) = match unicode {
        true => {
            let eighths = (share * 8.0 * width as f64).round() as usize;
            let part = EIGHTHS.get(eighths % 8).copied();
            ("█".repeat(eighths / 8), part.unwrap_or_default(), "·")
        }
        false => {
            let full = (share * width as f64).round() as usize;
            ("#".repeat(full), "", ".")
        }
    };
    let missing = width.saturating_sub(full.chars().count() + part.chars().count());
    full + part + &rest.repeat(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_full_as_the_share() {
        for (share, ascii, unicode) in [
            (0.0, "....", "····"),
            (0.03, "....", "▏···"),
            (0.5, "##..", "██··"),
            (0.65, "###.", "██▋·"),
            (0.999, "####", "████"),
            (1.0, "####", "████"),
            (7.0, "####", "████"),
            (-1.0, "....", "····"),
            (f64::NAN, "....", "····"),
        ] {
            assert_eq!(bar(share, 4, false), ascii, "{share}");
            assert_eq!(bar(share, 4, true), unicode, "{share}");
        }
        assert_eq!(bar(0.5, 0, true), "");
        for eighths in 0..=100 {
            let text = bar(f64::from(eighths) / 100.0, 7, true);
            assert_eq!(text.chars().count(), 7, "{text}");
        }
    }
}
