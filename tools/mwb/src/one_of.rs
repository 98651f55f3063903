// SPDX-License-Identifier: GPL-2.0

//! Options that take the name of an enum's entry.

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Reads a name as its number.
pub fn one_of(names: &'static [&'static str]) -> impl TypedValueParser<Value = u32> {
    let number = |name: String| names.iter().position(|known| *known == name);
    PossibleValuesParser::new(names).try_map(move |name| {
        number(name)
            .and_then(|at| u32::try_from(at).ok())
            .ok_or("no such entry")
    })
}
