//! `cargo xtask tsan`: the core's unit tests, then the soak, under ThreadSanitizer.
//!
//! The standard library has to be instrumented as well, or its locks look like races: it is built from its source, by a
//! compiler that has it. The sanitizer's runtime comes with rustup's compilers, not with Debian's; of another compiler it
//! will do if both are of the same LLVM. With the runtime comes the linker: the system's finds what glibc warns of
//! (`tmpnam`) in no library, if an archive that is linked whole asks for it.

use crate::{
    soak::{self, SOAK},
    toolchain::{
        self, PACKAGES,
        hosts::{self, Host},
    },
};
use anyhow::{Context, Result};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The library's source, as rustup calls it.
const SOURCE: &str = "rust-src";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    soak: soak::Args,
    /// The soak without the unit tests.
    #[arg(long)]
    only_soak: bool,
}

/// A compiler that has the library's source, and the runtime that is linked.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    host: Host,
    /// Another compiler's, if it has none.
    runtime: Option<PathBuf>,
}

/// The first that has all it needs; else the first with the source for which another's runtime will do.
fn choose(hosts: &[(Host, Option<PathBuf>)]) -> Option<Plan> {
    let sources = || hosts.iter().filter(|(host, _)| host.has_source);
    let own = sources().find(|(_, runtime)| runtime.is_some());
    if let Some((host, _)) = own {
        return Some(Plan {
            host: host.clone(),
            runtime: None,
        });
    }
    sources().find_map(|(host, _)| {
        let alike = |other: &&(Host, Option<PathBuf>)| {
            other.0.llvm == host.llvm && other.0.triple == host.triple && other.1.is_some()
        };
        let (_, runtime) = hosts.iter().find(alike)?;
        Some(Plan {
            host: host.clone(),
            runtime: runtime.clone(),
        })
    })
}

fn find() -> Option<Plan> {
    let hosts: Vec<_> = hosts::all()
        .into_iter()
        .map(|host| {
            let runtime = host.sanitizer("tsan");
            (host, runtime)
        })
        .collect();
    choose(&hosts)
}

/// Finds a compiler, and gets it the library's source if that is what it lacks.
fn plan() -> Result<Plan> {
    if let Some(plan) = find() {
        return Ok(plan);
    }
    let rustup =
        format!("`rustup toolchain install stable --profile minimal --component {SOURCE}`");
    let with_runtime = hosts::all()
        .into_iter()
        .find(|host| host.name.is_some() && host.sanitizer("tsan").is_some());
    if let Some(name) = with_runtime.and_then(|host| host.name) {
        eprintln!("no compiler has the library's source: adding {SOURCE} to {name}");
        let added = hosts::rustup(["component", "add", "--toolchain", &name, SOURCE]);
        if let Err(error) = added {
            eprintln!("{error:#}");
            toolchain::install_if_we_may(PACKAGES)?;
        }
    }
    find().with_context(|| {
        format!(
            "no compiler here has the library's source and, itself or by another of its LLVM, the sanitizer's runtime: run \
             {rustup}"
        )
    })
}

/// Where the compiler that brings this runtime has a linker for `cc`.
fn linker_beside(runtime: &Path) -> Option<PathBuf> {
    let dir = runtime.parent()?.parent()?.join("bin/gcc-ld");
    dir.join("ld.lld").is_file().then_some(dir)
}

impl Plan {
    fn rustflags(&self) -> String {
        let mut flags = vec!["-Zsanitizer=thread".to_owned()];
        if let Some(runtime) = &self.runtime {
            flags.push("-Zexternal-clangrt".into());
            flags.push("-Clink-arg=-Wl,--whole-archive".into());
            flags.push(format!("-Clink-arg={}", runtime.display()));
            flags.push("-Clink-arg=-Wl,--no-whole-archive".into());
            if let Some(linker) = linker_beside(runtime) {
                flags.push("-Clink-arg=-fuse-ld=lld".into());
                flags.push(format!("-Clink-arg=-B{}", linker.display()));
            }
        }
        flags.join("\u{1f}")
    }

    fn cargo(&self, subcommand: &str, target: &str) -> Command {
        let mut cargo = self.host.cargo("tsan");
        cargo.arg(subcommand);
        cargo.args(["--release", "-Zbuild-std", "--target", target]);
        // Unstable flags, whatever the compiler.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        cargo.env_remove("RUSTFLAGS");
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.rustflags());
        // The first race ends it, and fails it.
        cargo.env("TSAN_OPTIONS", "halt_on_error=1");
        cargo
    }
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let target = hosts::sanitized()?;
    let plan = plan()?;
    let whose = plan
        .runtime
        .as_ref()
        .map(|path| format!(", {}", path.display()));
    eprintln!("{}{}", plan.host.describe(), whose.unwrap_or_default());
    if !args.only_soak {
        let mut tests = plan.cargo("test", target);
        tests.args(["-p", "ecluse-core", "--features", "std,critical-section"]);
        tests.args(["--test", "unit", "--", "--quiet"]);
        if !tests.status().context("cannot run cargo")?.success() {
            return Ok(false);
        }
    }
    let mut soak = plan.cargo("run", target);
    soak.args(["--quiet", "-p", SOAK]);
    args.soak.run(soak)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, llvm: u32, has_source: bool, has_runtime: bool) -> (Host, Option<PathBuf>) {
        let host = Host::for_tests(name, llvm, has_source);
        (host, has_runtime.then(|| format!("{name}.a").into()))
    }

    fn chosen(hosts: &[(Host, Option<PathBuf>)]) -> Option<(String, Option<PathBuf>)> {
        choose(hosts).map(|plan| (plan.host.name.unwrap_or_default(), plan.runtime))
    }

    #[test]
    fn a_compiler_with_all_it_needs_comes_first() {
        let hosts = [
            host("no-source", 22, false, true),
            host("debian", 22, true, false),
            host("both", 22, true, true),
        ];
        assert_eq!(chosen(&hosts), Some(("both".into(), None)));
    }

    #[test]
    fn anothers_runtime_is_of_the_same_llvm() {
        let mut hosts = vec![
            host("old", 21, false, true),
            host("debian", 22, true, false),
        ];
        assert_eq!(chosen(&hosts), None);
        hosts.push(host("new", 22, false, true));
        assert_eq!(
            chosen(&hosts),
            Some(("debian".into(), Some("new.a".into())))
        );
    }

    #[test]
    fn anothers_runtime_is_linked_whole() {
        let mut plan = choose(&[host("both", 22, true, true)]).unwrap();
        assert_eq!(plan.rustflags(), "-Zsanitizer=thread");
        plan.runtime = Some("x.a".into());
        assert!(plan.rustflags().contains("-Zexternal-clangrt"));
        assert!(plan.rustflags().contains("-Clink-arg=x.a\u{1f}"));
        // No linker beside it: the system's.
        assert!(!plan.rustflags().contains("lld"));
    }
}
