//! `cargo xtask ninep`: a Linux kernel in QEMU as the client of ecluse-smol's example `ninep`; see `docs/ninep.md`.
//!
//! No part of `cargo xtask test`: it fetches a kernel.

use crate::{process::Exit, step::Run, workspace};
use anyhow::{Result, ensure};
use core::time::Duration;
use std::process::Command;

/// For fetching, building, booting and all that the guest does.
const LIMIT: Duration = Duration::from_secs(1500);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A package of Debian's with another kernel than the system's own, such as linux-image-6.1.0-9-amd64.
    #[arg(long)]
    kernel: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut run = Run::alone("ninep", LIMIT)?;
    let mut script = Command::new("sh");
    script.arg(workspace::root().join("tests/v9fs/run.sh"));
    if let Some(kernel) = &args.kernel {
        script.env("KERNEL", kernel);
    }
    let (exit, stdout, stderr) = run.run_apart(&mut script)?;
    print!("{stdout}");
    ensure!(exit == Exit::Success, "{exit}\n{}", stderr.trim_end());
    Ok(true)
}
