// SPDX-License-Identifier: GPL-2.0

//! A port, or all ports from one to another.

use std::fmt;

const EXAMPLE: &str = "write a port as 443, or ports as 8000-8999";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    pub min: u16,
    pub max: u16,
}

impl Ports {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        // Rust would take a sign as well.
        let (Ok(min), Ok(max), false) = (min.parse(), max.parse(), text.contains('+')) else {
            return Err(EXAMPLE.into());
        };
        match min <= max {
            true => Ok(Self { min, max }),
            false => Err(format!("the lower port comes first: {max}-{min}")),
        }
    }

    /// What the kernel reports.
    pub fn read(min: Option<u32>, max: Option<u32>) -> Option<Self> {
        let min = min?;
        Some(Self {
            min: min.try_into().ok()?,
            max: max.unwrap_or(min).try_into().ok()?,
        })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.min == self.max {
            true => write!(f, "{}", self.min),
            false => write!(f, "{}-{}", self.min, self.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_or_a_range() {
        for (text, min, max, written) in [
            ("443", 443, 443, "443"),
            ("0", 0, 0, "0"),
            ("65535", 65535, 65535, "65535"),
            ("80-443", 80, 443, "80-443"),
            ("80-80", 80, 80, "80"),
            ("0-65535", 0, 65535, "0-65535"),
        ] {
            let ports = Ports::parse(text).unwrap();
            assert_eq!(ports, Ports { min, max });
            assert_eq!(ports.to_string(), written);
        }
    }

    #[test]
    fn refuses_what_is_no_port() {
        for text in [
            "", "-", "80-", "-80", "65536", "80-65536", "http", "1-2-3", "80 - 81", "80:81", "+80",
            "80-+81",
        ] {
            assert_eq!(Ports::parse(text), Err(EXAMPLE.to_string()), "{text}");
        }
        assert!(Ports::parse("443-80").unwrap_err().contains("80-443"));
    }

    #[test]
    fn reads_what_the_kernel_reports() {
        assert_eq!(
            Ports::read(Some(80), None),
            Some(Ports { min: 80, max: 80 })
        );
        assert_eq!(
            Ports::read(Some(80), Some(90)),
            Some(Ports { min: 80, max: 90 })
        );
        for (min, max) in [
            (None, None),
            (None, Some(1)),
            (Some(65536), None),
            (Some(1), Some(65536)),
        ] {
            assert_eq!(Ports::read(min, max), None);
        }
    }
}
