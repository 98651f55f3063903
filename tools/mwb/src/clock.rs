// SPDX-License-Identifier: GPL-2.0

//! Points in time, as the clock of the system has them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit, ZonedDifference};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Time(Timestamp);

impl Time {
    pub fn now() -> Self {
        Self(Timestamp::now())
    }

    /// From nanoseconds since 1970.
    pub fn from_ns(ns: u64) -> Option<Self> {
        Timestamp::from_nanosecond(ns.into()).ok().map(Self)
    }

    /// Seconds since 1970, to the microsecond.
    pub fn seconds(self) -> f64 {
        self.0.as_microsecond() as f64 / 1e6
    }

    /// Nanoseconds since 1970; 0 before.
    pub fn ns(self) -> u64 {
        u64::try_from(self.0.as_nanosecond()).unwrap_or(0)
    }

    /// As `ip -ts monitor` prints it.
    pub fn text(self, zone: TimeZone) -> String {
        let zoned = self.0.to_zoned(zone);
        zoned.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }

    /// How long ago it was, as 2h 5m 9s. None if the clock was set back since then.
    pub fn age(self, now: Self) -> Option<String> {
        let [then, now] = [self, now].map(|time| time.0.to_zoned(TimeZone::UTC));
        let wanted = ZonedDifference::new(&now)
            .largest(Unit::Day)
            .smallest(Unit::Second);
        let span = then.until(wanted).ok()?;
        (!span.is_negative()).then(|| format!("{span:#}"))
    }
}

/// Seconds since 1970, with six decimals.
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.seconds())
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "number", "description": "Seconds since 1970" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz;

    const TIME_NS: u64 = 1_795_359_845_123_456_789;

    fn time(ns: u64) -> Time {
        Time::from_ns(ns).unwrap()
    }

    #[test]
    fn is_written_in_its_zone() {
        let text = |zone| time(TIME_NS).text(zone);
        assert_eq!(text(TimeZone::UTC), "2026-11-22T15:04:05.123456");
        let east = TimeZone::fixed(tz::offset(9));
        assert_eq!(text(east), "2026-11-23T00:04:05.123456");
        assert_eq!(time(0).text(TimeZone::UTC), "1970-01-01T00:00:00.000000");
    }

    #[test]
    fn any_number_is_a_time() {
        assert!(time(u64::MAX).text(TimeZone::UTC).starts_with("2554-"));
    }

    #[test]
    fn json_has_microseconds() {
        for (ns, json) in [
            (TIME_NS, "1795359845.123456"),
            (1_795_359_845_000_001_000, "1795359845.000001"),
            (1_795_359_845_999_999_999, "1795359845.999999"),
            (1_795_359_845_000_000_000, "1795359845.0"),
        ] {
            assert_eq!(serde_json::to_string(&time(ns)).unwrap(), json);
        }
    }

    #[test]
    fn age_is_in_units() {
        let age = |seconds: u64| time(TIME_NS).age(time(TIME_NS + seconds * 1_000_000_000 + 500));
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (125, "2m 5s"),
            (7200, "2h"),
            (90061, "1d 1h 1m 1s"),
            (40 * 86400, "40d"),
        ] {
            assert_eq!(age(seconds).as_deref(), Some(text));
        }
        assert_eq!(time(TIME_NS).age(time(TIME_NS - 2_000_000_000)), None);
    }
}
