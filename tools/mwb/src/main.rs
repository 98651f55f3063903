// SPDX-License-Identifier: GPL-2.0

//! Configures and shows the balancing of connections over several WANs.

#![forbid(unsafe_code)]

mod completion;
mod extack;
mod message;
mod netlink;
mod netns;
mod output;
mod rate;
mod show;
mod stats;
mod wan;
mod wan_add;
mod wan_del;

#[path = "../../../uapi/mwb_uapi.rs"]
#[expect(dead_code, reason = "the module uses the rest")]
mod uapi;

use clap::{Parser, Subcommand};
use netlink::Client;
use output::Output;
use std::ffi::OsString;
use std::process::ExitCode;

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
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Add, remove or show WANs
    Wan {
        #[command(subcommand)]
        verb: Option<Wan>,
    },
    /// Show the WANs and their use (the default)
    Show(show::Args),
    /// Show the counters of the namespace
    Stats,
    /// Print the completions for a shell
    Completion(completion::Args),
}

#[derive(Subcommand)]
enum Wan {
    /// Add a WAN
    Add(wan_add::Args),
    /// Remove a WAN
    Del(wan_del::Args),
    /// Show the WANs and their use
    Show(show::Args),
}

fn run(cli: Cli) -> Result<(), String> {
    if let Some(Command::Completion(args)) = cli.command {
        return completion::run(args);
    }
    if let Some(name) = &cli.netns {
        netns::enter(name)?;
    }
    let output = Output {
        json: cli.json,
        pretty: cli.pretty,
    };
    let mut client = Client::open()?;
    match cli.command {
        Some(Command::Wan { verb: Some(verb) }) => match verb {
            Wan::Add(args) => wan_add::run(args, &mut client),
            Wan::Del(args) => wan_del::run(args, &mut client),
            Wan::Show(args) => show::run(args, &mut client, output),
        },
        Some(Command::Show(args)) => show::run(args, &mut client, output),
        Some(Command::Stats) => stats::run(&mut client, output),
        _ => show::run(show::Args::default(), &mut client, output),
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) if usage.use_stderr() => {
            eprint!("{}", usage.to_string().replacen("error:", "mwb:", 1));
            return ExitCode::from(1);
        }
        Err(help) => {
            let _ = output::write(help.to_string().as_bytes());
            return ExitCode::SUCCESS;
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("mwb: {sentence}");
            ExitCode::from(2)
        }
    }
}
