// SPDX-License-Identifier: GPL-2.0

//! Configures and shows the balancing of connections over several WANs.

#![forbid(unsafe_code)]
// The fuzzer needs some of what the tests have.
#![cfg_attr(fuzzing, allow(unused))]

mod answer;
mod apply;
mod apply_check;
mod apply_file;
mod bar;
mod change;
mod checks;
mod clock;
mod command;
#[cfg(any(test, fuzzing))]
mod compat;
mod completion;
mod config;
mod config_set;
mod connections;
mod conntrack;
mod devices;
mod difference;
mod doctor;
mod dscp;
mod dump;
mod event;
mod events;
mod explain;
mod extack;
mod facts;
mod family;
mod finding;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod group_del;
mod group_set;
mod group_show;
mod history;
mod http;
mod keys;
mod live;
mod marks;
mod message;
mod metrics;
mod monitor;
mod netlink;
mod netns;
mod nft;
mod one_of;
mod output;
mod percent;
mod plan;
mod policy;
mod policy_add;
mod policy_del;
mod policy_file;
mod policy_replace;
mod policy_show;
mod ports;
mod prefix;
mod prometheus;
mod proto;
mod rate;
mod rtnetlink;
mod save;
mod schema;
mod screen;
mod selectors;
mod setting;
mod show;
mod state;
mod stats;
mod table;
mod terminal;
mod time;
mod top;
mod top_view;
mod wan;
mod wan_add;
mod wan_del;
mod wan_set;
mod wan_settings;

#[path = "../../../uapi/mwb_uapi.rs"]
#[expect(dead_code, reason = "the module uses the rest")]
mod uapi;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand};
use netlink::Client;
use output::Output;
use policy_file::File;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use terminal::Colour;

const SUCCESS: ExitCode = ExitCode::SUCCESS;

/// Spreads connections over several WANs.
#[derive(Parser)]
#[command(name = "mwb", version, max_term_width = 100)]
struct Cli {
    /// Print JSON
    #[arg(short, long, global = true, display_order = 100)]
    json: bool,
    /// Indent the JSON
    #[arg(short, long, global = true, display_order = 100)]
    pretty: bool,
    /// Work in this network namespace, as `ip -n` does
    #[arg(short, long, global = true, display_order = 100, value_name = "NAME")]
    netns: Option<OsString>,
    /// When to use colours
    #[arg(
        long,
        global = true,
        display_order = 100,
        value_name = "WHEN",
        default_value = "auto"
    )]
    #[arg(
        hide_possible_values = true,
        help = "When to use colours: auto, always or never"
    )]
    color: Colour,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Add, change, remove or show WANs
    Wan {
        #[command(subcommand)]
        verb: Option<Wan>,
    },
    /// Make, remove or show groups of WANs
    Group {
        #[command(subcommand)]
        verb: Option<Group>,
    },
    /// Add, remove, replace or show policies
    Policy {
        #[command(subcommand)]
        verb: Option<Policy>,
    },
    /// Change or show how the namespace works
    Config {
        #[command(subcommand)]
        verb: Option<Config>,
    },
    /// Print the configuration as a file
    Save(save::Args),
    /// Change the configuration to that of a file
    Apply(apply::Args),
    /// Show the live connections of the WANs
    Connections(connections::Args),
    /// Find what is wrong, and say what mends it
    Doctor(doctor::Args),
    /// Show the WANs and their use (the default)
    Show(show::Args),
    /// Show the counters of the namespace
    Stats,
    /// Say what would become of a connection that came now, and why
    Explain(explain::Args),
    /// Print a line for each event, until interrupted
    #[command(after_help = monitor::EXAMPLES)]
    Monitor,
    /// Watch the WANs on the whole screen
    Top(top::Args),
    /// Print the figures for Prometheus, or serve them
    Metrics(metrics::Args),
    /// Print the schema of a command's JSON
    Schema(schema::Args),
    /// Print the completions for a shell
    Completion(completion::Args),
}

#[derive(Subcommand)]
enum Wan {
    /// Add a WAN
    Add(wan_add::Args),
    /// Change what is given, or report what a health check has found
    Set(wan_set::Args),
    /// Remove a WAN
    Del(wan_del::Args),
    /// Show the WANs and their use
    Show(show::Args),
}

#[derive(Subcommand)]
enum Group {
    /// Make a group of WANs, or give it other WANs
    Set(group_set::Args),
    /// Remove a group
    Del(group_del::Args),
    /// Show the groups
    Show,
}

#[derive(Subcommand)]
enum Policy {
    /// Add a policy
    Add(policy_add::Args),
    /// Remove the one policy that has all of these
    Del(policy_del::Args),
    /// Replace all policies at once by those of a file
    Replace(policy_replace::Args),
    /// Remove all policies
    Flush,
    /// Show the policies and their use
    Show,
    /// Print the policies as `replace` reads them
    Save,
}

#[derive(Subcommand)]
enum Config {
    /// Change what is given
    Set(config_set::Args),
    /// Show all of it
    Show,
}

/// What takes several options to see that it is wrong.
fn checked(cli: Cli) -> Result<Cli, clap::Error> {
    if let Some(Command::Policy {
        verb: Some(Policy::Add(args)),
    }) = &cli.command
    {
        let mut add = policy_add::Args::augment_args(clap::Command::new("add"));
        let wrong = |why| add.error(ErrorKind::ValueValidation, why);
        args.policy.selectors.check().map_err(wrong)?;
    }
    match cli.command.as_ref().and_then(Command::without_json) {
        Some(why) if cli.json => Err(Cli::command().error(ErrorKind::ArgumentConflict, why)),
        _ => Ok(cli),
    }
}

impl Command {
    /// Why there is no JSON of it. Those that print nothing have nothing against it.
    fn without_json(&self) -> Option<&'static str> {
        Some(match self {
            Self::Policy {
                verb: Some(Policy::Save),
            } => "policy save prints what policy replace reads, and that is no JSON",
            Self::Save(_) => "save prints what apply reads, and that is no JSON",
            Self::Top(_) => "top draws a screen; mwb -j show and mwb -j stats have the figures",
            Self::Metrics(args) if args.is_served() => "Prometheus does not read JSON",
            Self::Completion(_) => "a shell does not read JSON",
            _ => return None,
        })
    }
}

/// Clap names all options of a group of which one is needed, in one line.
fn one_is_needed(mut usage: clap::Error) -> clap::Error {
    if let Some(ContextValue::Strings(missing)) = usage.get(ContextKind::InvalidArg) {
        if missing.iter().any(|arg| arg.starts_with("<--")) {
            let what = vec!["one more of the options, at least".into()];
            usage.insert(ContextKind::InvalidArg, ContextValue::Strings(what));
        }
    }
    usage
}

/// Connects to the kernel, in a network namespace if one is named.
fn connect(netns: Option<&OsStr>) -> Result<Client, String> {
    netns::enter(netns)?;
    Client::open()
}

fn run(cli: Cli) -> Result<ExitCode, String> {
    let netns = cli.netns.as_deref();
    let output = Output {
        json: cli.json,
        pretty: cli.pretty,
        colour: cli.color.wanted(),
    };
    match cli.command {
        Some(Command::Schema(args)) => return schema::run(args).map(|()| SUCCESS),
        Some(Command::Completion(args)) => return completion::run(args).map(|()| SUCCESS),
        Some(Command::Apply(args)) => return apply::run(args, netns, output).map(|()| SUCCESS),
        Some(Command::Doctor(_)) => {
            let is_well = doctor::run(netns, output)?;
            return Ok(if is_well { SUCCESS } else { ExitCode::from(1) });
        }
        Some(Command::Monitor) => return monitor::run(netns, output).map(|()| SUCCESS),
        Some(Command::Top(args)) => return top::run(args, netns, output).map(|()| SUCCESS),
        Some(Command::Metrics(args)) => return metrics::run(args, netns, output).map(|()| SUCCESS),
        _ => {}
    }
    // A file that is wrong is wrong without the kernel.
    let file = match &cli.command {
        Some(Command::Policy {
            verb: Some(Policy::Replace(args)),
        }) => File::read(&args.file)?,
        _ => File::default(),
    };
    let client = &mut connect(netns)?;
    match cli.command {
        Some(Command::Wan { verb: Some(verb) }) => match verb {
            Wan::Add(args) => wan_add::run(args, client),
            Wan::Set(args) => wan_set::run(args, client),
            Wan::Del(args) => wan_del::run(args, client),
            Wan::Show(args) => show::run(args, client, output),
        },
        Some(Command::Group { verb }) => match verb {
            Some(Group::Set(args)) => group_set::run(args, client),
            Some(Group::Del(args)) => group_del::run(args, client),
            Some(Group::Show) | None => group_show::run(client, output),
        },
        Some(Command::Policy { verb }) => match verb {
            Some(Policy::Add(args)) => policy_add::run(args, client),
            Some(Policy::Del(args)) => policy_del::run(args, client),
            // To flush is to replace by nothing.
            Some(Policy::Replace(_) | Policy::Flush) => {
                let lines = file.lines.iter().map(|line| (line.number, &line.policy));
                policy_replace::run(&file.name, &lines.collect::<Vec<_>>(), true, client)
            }
            Some(Policy::Save) => policy_show::save(client),
            Some(Policy::Show) | None => policy_show::run(client, output),
        },
        Some(Command::Config { verb }) => match verb {
            Some(Config::Set(args)) => config_set::run(args, client),
            Some(Config::Show) | None => config::run(client, output),
        },
        Some(Command::Save(args)) => save::run(args, client),
        Some(Command::Connections(args)) => connections::run(args, client, output),
        Some(Command::Show(args)) => show::run(args, client, output),
        Some(Command::Stats) => stats::run(client, output),
        Some(Command::Explain(args)) => explain::run(args, client, output),
        _ => show::run(show::Args::default(), client, output),
    }
    .map(|()| SUCCESS)
}

pub fn main() -> ExitCode {
    let cli = match Cli::try_parse().and_then(checked) {
        Ok(cli) => cli,
        Err(usage) if usage.use_stderr() => {
            let text = one_is_needed(usage).to_string();
            output::complain_as_is(&text.replacen("error:", "mwb:", 1));
            return ExitCode::from(1);
        }
        Err(help) => {
            let written = output::write(help.to_string().as_bytes());
            return exit_code(written.map(|()| SUCCESS));
        }
    };
    exit_code(run(cli))
}

fn exit_code(result: Result<ExitCode, String>) -> ExitCode {
    result.unwrap_or_else(|sentences| {
        output::complain(&sentences);
        ExitCode::from(2)
    })
}
