// SPDX-License-Identifier: GPL-2.0

//! `mwb schema`: what the JSON of a command looks like, as JSON schema, from the types that it is made of.

use crate::config::Config;
use crate::connections;
use crate::difference::Change;
use crate::explain::Explanation;
use crate::finding::Finding;
use crate::group_show::Group;
use crate::monitor::Line;
use crate::output;
use crate::policy::Row;
use crate::prometheus::Family;
use crate::stats::Stats;
use crate::wan::Wan;
use clap::ValueEnum;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use std::collections::BTreeMap;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The command, all of them by their names if not given; that of monitor is of one line
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  mwb schema show >show.schema.json
  mwb -j show | python3 -m jsonschema --instance /dev/stdin show.schema.json";

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub enum Command {
    Show,
    Group,
    Policy,
    Config,
    Stats,
    Explain,
    Monitor,
    Metrics,
    Connections,
    Doctor,
    Apply,
}

impl Command {
    fn schema(self) -> Schema {
        match self {
            Self::Show => of::<Vec<Wan>>("WANs"),
            Self::Group => of::<Vec<Group>>("groups"),
            Self::Policy => of::<Vec<Row>>("policies"),
            Self::Config => of::<Config>("configuration"),
            Self::Stats => of::<Stats>("counters"),
            Self::Explain => of::<Explanation>("explanation"),
            Self::Monitor => of::<Line>("line of events"),
            Self::Metrics => of::<Vec<Family>>("metrics"),
            Self::Connections => of::<Vec<connections::Row>>("connections"),
            Self::Doctor => of::<Vec<Finding>>("findings"),
            Self::Apply => of::<Vec<Change>>("changes"),
        }
    }

    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or(String::new(), |value| value.get_name().into())
    }
}

/// The keys that are always there are required; a newer tool may have more.
fn of<T: JsonSchema>(title: &str) -> Schema {
    let generator = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = generator.into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), format!("mwb {title}").into());
    schema
}

pub fn run(args: Args) -> Result<(), String> {
    let text = match args.command {
        Some(command) => serde_json::to_string_pretty(&command.schema()),
        None => {
            let all = Command::value_variants().iter();
            let all: BTreeMap<_, _> = all.map(|of| (of.name(), of.schema())).collect();
            serde_json::to_string_pretty(&all)
        }
    };
    let text = text.map_err(|why| format!("cannot write JSON: {why}"))?;
    output::write((text + "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, Value};

    fn schema(command: Command) -> Value {
        command.schema().to_value()
    }

    /// The keys of a schema of an object, and those that are always there.
    fn keys(schema: &Value) -> (Vec<String>, Vec<String>) {
        let mut all: Vec<_> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let required = schema["required"].as_array().unwrap().iter();
        let mut required: Vec<_> = required
            .map(|key| key.as_str().unwrap().to_string())
            .collect();
        all.sort();
        required.sort();
        (all, required)
    }

    fn keys_of(value: Value) -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn has_the_keys_that_are_written() {
        for (schema, value) in [
            (&schema(Command::Stats), json!(Stats::default())),
            (&schema(Command::Config), json!(Config::default())),
            (
                &schema(Command::Show)["$defs"]["Wan"],
                json!(Wan::default()),
            ),
            (
                &schema(Command::Policy)["$defs"]["Row"],
                json!(Row::default()),
            ),
            (
                &schema(Command::Group)["$defs"]["Group"],
                json!(Group::default()),
            ),
        ] {
            let (all, required) = keys(schema);
            let mut written = keys_of(value);
            written.sort();
            assert_eq!(all, written);
            assert_eq!(required, written);
        }
    }

    #[test]
    fn knows_what_may_be_null() {
        let wans = schema(Command::Show);
        let wan = &wans["$defs"]["Wan"]["properties"];
        assert_eq!(wans["type"], "array");
        assert_eq!(wan["name"]["type"], "string");
        assert_eq!(wan["state"]["type"], json!(["string", "null"]));
        assert_eq!(wan["id"]["type"], "integer");
        assert_eq!(wan["up_bps"]["type"], json!(["integer", "null"]));
        let finding = &schema(Command::Doctor)["$defs"]["Finding"]["properties"];
        assert_eq!(finding["command"]["type"], json!(["string", "null"]));
        let row = &schema(Command::Connections)["$defs"]["Row"]["properties"];
        assert_eq!(row["sport"]["type"], json!(["integer", "null"]));
        assert_eq!(row["wan"]["type"], "string");
        let policy = &schema(Command::Policy)["$defs"]["Row"]["properties"];
        assert_eq!(policy["src"]["type"], json!(["string", "null"]));
    }

    #[test]
    fn every_command_has_one() {
        for command in Command::value_variants() {
            let schema = schema(*command);
            assert!(schema["$schema"].as_str().unwrap().contains("2020-12"));
            assert!(schema["title"].as_str().unwrap().starts_with("mwb "));
        }
    }
}
