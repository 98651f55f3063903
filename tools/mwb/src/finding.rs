// SPDX-License-Identifier: GPL-2.0

//! Something that `mwb doctor` has found, with the command that mends it.

use crate::table::printable;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something does not work, or not as it was meant.
    Error,
    /// It works, but could work better, or something is away for now.
    Advice,
    /// Something could not be checked.
    Note,
}

#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// What was checked; one word.
    pub check: &'static str,
    pub wan: Option<String>,
    pub text: String,
    pub command: Option<String>,
}

impl Finding {
    pub fn new(level: Level, check: &'static str, text: impl Into<String>) -> Self {
        Self {
            level,
            check,
            wan: None,
            text: text.into(),
            command: None,
        }
    }

    pub fn of(self, wan: &str) -> Self {
        Self {
            wan: Some(wan.into()),
            ..self
        }
    }

    pub fn mend(self, command: impl Into<String>) -> Self {
        Self {
            command: Some(command.into()),
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Advice => "advice",
            Level::Note => "note",
        };
        write!(f, "{level}: ")?;
        if let Some(wan) = &self.wan {
            write!(f, "{}: ", printable(wan))?;
        }
        write!(f, "{}", printable(&self.text))?;
        match &self.command {
            Some(command) => write!(f, ": {}", printable(command)),
            None => Ok(()),
        }
    }
}
