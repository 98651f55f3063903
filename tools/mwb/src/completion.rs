// SPDX-License-Identifier: GPL-2.0

//! `mwb completion`: what a shell needs to complete the tool's arguments.

use crate::output;
use clap::CommandFactory;
use clap_complete::Shell;

#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

pub fn run(args: Args) -> Result<(), String> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "mwb", &mut script);
    output::write(&script)
}
