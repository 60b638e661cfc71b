//! `cargo xtask demo`: ecluse on a real HTTP service under load, beside what is written by hand. Each
//! act is run by hand and with ecluse; one report: a table, a picture, a verdict.
//!
//! | room | holds |
//! |---|---|
//! | `acts` | what is shown, an act each: `renewal`, a token that ends while it is in use; `coalescing`, a proxy before a slow upstream; `shutdown`, a server that is stopped |
//! | `load` | the clients of a run and their cut-offs |
//! | `watch` | the bounded wait for the clients' end, and who hangs |
//! | `timeline` | what everybody did when |
//! | `http` | server and client by hyper, on any runtime |
//! | `runtime` | tokio, smol, async-std: tasks and time by ecluse's adapters, TCP by the runtime |
//! | `report` | the table, the picture |
//! | `args`, `memory` | the command line; the heap, counted |
//!
//! Nothing is staged: all clients are alike, the load is the same for every run, and what is cut off is
//! drawn by lot. The exit code is 0 if ecluse kept its promises in every act.

#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]
#![allow(
    clippy::alloc_instead_of_core,
    reason = "a program of the host: it has std"
)]

mod acts;
mod args;
mod http;
mod load;
mod memory;
mod report;
mod runtime;
mod timeline;
mod watch;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

use crate::{args::Args, report::picture};

fn main() -> ExitCode {
    let mut args = Args::parse();
    args.fit_into_descriptors();
    println!(
        "{} clients on {} for {} s a run, {:.0} % of their requests to be cut off; seed {}",
        args.clients,
        args.runtime.name(),
        args.seconds,
        args.cut * 100.0,
        args.seed,
    );
    let (mut parts, mut kept) = (Vec::new(), true);
    let wanted = |act: &&&dyn acts::Act| args.act.as_deref().is_none_or(|name| name == act.name());
    for act in acts::ALL.iter().filter(wanted) {
        println!("\n{}", act.title());
        let scene = act.perform(&args);
        println!("\n{}", scene.table);
        for note in &scene.notes {
            println!("note: {note}");
        }
        println!("{}", scene.verdict.summary);
        for broken in &scene.verdict.broken {
            println!("BROKEN: {broken}");
        }
        kept &= scene.verdict.broken.is_empty();
        parts.push(picture::Part {
            title: act.title(),
            words: scene.words,
            panels: scene.panels,
        });
    }
    match draw(&args, &parts) {
        Ok(path) => println!("timeline: {}", path.display()),
        Err(error) => println!("timeline: not written ({error})"),
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Writes the picture: where it is wanted, or to `ecluse/demo.svg` of the target directory.
fn draw(args: &Args, parts: &[picture::Part]) -> io::Result<PathBuf> {
    let path = args.svg.clone().unwrap_or_else(|| {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
            PathBuf::from,
        );
        target.join("ecluse/demo.svg")
    });
    if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    fs::write(&path, picture::draw(parts))?;
    path.canonicalize()
}
