//! `cargo xtask demo`: ecluse on a real HTTP service under load, beside what is written by hand. Each
//! act is run by hand and with ecluse; one report of tables, pictures and verdicts: on the terminal, and as a page.
//!
//! | room | holds |
//! |---|---|
//! | `acts` | what is shown, an act each: `renewal`, a token that ends while it is in use; `coalescing`, a proxy before a slow upstream; `shutdown`, a server that is stopped |
//! | `load` | the clients of a run and their cut-offs |
//! | `watch` | the bounded wait for the clients' end, and who hangs |
//! | `timeline` | what everybody did when |
//! | `http` | server and client by hyper, on any runtime |
//! | `runtime` | tokio, smol, async-std: tasks and time by ecluse's adapters, TCP by the runtime |
//! | `report` | tables, pictures, verdicts; the page |
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

use crate::{
    args::Args,
    report::{Played, Setting, picture},
};

fn main() -> ExitCode {
    let mut args = Args::parse();
    args.fit_into_descriptors();
    let setting = Setting::of(&args);
    println!("{setting}");
    let mut acts = Vec::new();
    let wanted = |act: &&&dyn acts::Act| args.act.as_deref().is_none_or(|name| name == act.name());
    for act in acts::ALL.iter().filter(wanted) {
        println!("\nAct {}: {}", act.number(), act.title());
        let played = act.play(&args);
        println!("\n{}", played.scene);
        acts.push(played);
    }
    let kept = acts.iter().all(|act| act.scene.verdict.kept());
    match write(&args, &setting, &acts) {
        Ok(page) => println!("pictures and tables: {}", page.display()),
        Err(error) => {
            eprintln!("error: the page cannot be written: {error}");
            return ExitCode::FAILURE;
        }
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Writes the page, where it is wanted, or to `ecluse/demo.html` of the target directory; and the pictures alone, if
/// they are wanted.
fn write(args: &Args, setting: &Setting, acts: &[Played]) -> io::Result<PathBuf> {
    if let Some(directory) = &args.pictures {
        fs::create_dir_all(directory)?;
        for act in acts {
            let picture = directory.join(act.name).with_extension("svg");
            fs::write(picture, picture::whole(&act.part()))?;
        }
    }
    let path = args.html.clone().unwrap_or_else(|| {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
            PathBuf::from,
        );
        target.join("ecluse/demo.html")
    });
    if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    fs::write(&path, report::page(setting, acts))?;
    path.canonicalize()
}
