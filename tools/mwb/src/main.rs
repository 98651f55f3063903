// SPDX-License-Identifier: GPL-2.0

use std::process::ExitCode;

fn main() -> ExitCode {
    mwb::main()
}
