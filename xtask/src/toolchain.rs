//! Finds a compiler for a chip's target.
//!
//! In this order: the active toolchain, if the target's core is installed for it; a toolchain that has the library's
//! source, with which cargo builds core itself (the active one, or the system's); the system's packages, installed if we
//! may. Compiler and source must be of one version, so both always come from the same toolchain.

pub(crate) mod hosts;
pub(crate) mod old;
pub(crate) mod tools;

use crate::{cargo::scrub, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Debian's compiler, its cargo, and the library's source that belongs to it.
pub(crate) const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// The linter that belongs to it: by its path, since cargo would find another toolchain's first.
const CLIPPY: (&str, &str) = ("/usr/bin/cargo-clippy", "rust-web-clippy");

/// What embassy's crates compile with, at least; ours are content with less.
const OLDEST: (u32, u32) = (1, 87);

/// A compiler that can build for one bare target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    cargo: OsString,
    /// Set where cargo must be told which compiler, since it is not its own.
    rustc: Option<PathBuf>,
    target: String,
    builds_std: bool,
}

impl Toolchain {
    /// What it is, for a person.
    pub(crate) fn describe(&self) -> String {
        let compiler = self
            .rustc
            .as_ref()
            .map_or("the active toolchain".into(), |rustc| {
                rustc.display().to_string()
            });
        let core = if self.builds_std {
            "core built from source"
        } else {
            "core installed"
        };
        format!("{compiler}, {core}")
    }

    /// The compiler's version: `rustc 1.96.0`.
    pub(crate) fn version(&self) -> Result<String> {
        let mut rustc = Command::new(self.rustc());
        scrub(&mut rustc);
        let output = rustc
            .arg("--version")
            .output()
            .context("cannot run rustc")?;
        let text = String::from_utf8(output.stdout)?;
        let words: Vec<&str> = text.split_whitespace().take(2).collect();
        Ok(words.join(" "))
    }

    /// Sees that the compiler is new enough.
    pub(crate) fn see_to_age(&self) -> Result<()> {
        let version = self.version()?;
        let (major, minor) = OLDEST;
        ensure!(
            !is_too_old(&version),
            "{version} is too old for {}: embassy's crates want {major}.{minor}. Run `rustup target add {0}` with a \
             newer one, or have the system's packages of today (of Debian 12: with its security updates)",
            self.target
        );
        Ok(())
    }

    fn rustc(&self) -> PathBuf {
        match &self.rustc {
            Some(rustc) => rustc.clone(),
            None => env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from),
        }
    }

    /// Whether the compiler brings its own linker for chips, as rustup's do. If not, `ld.lld` is to be found.
    pub(crate) fn has_linker(&self) -> bool {
        let Some(Ok(hosts)) =
            sysroot(&self.rustc()).map(|root| fs::read_dir(root.join("lib/rustlib")))
        else {
            return false;
        };
        hosts
            .flatten()
            .any(|host| host.path().join("bin/rust-lld").is_file())
    }

    /// `cargo SUBCOMMAND` for the target, in `dir`, into a target directory that no other compiler uses.
    pub(crate) fn cargo(&self, subcommand: &str, dir: &Path) -> Command {
        self.cargo_with(subcommand, dir, "core")
    }

    /// `cargo`, with these of the standard library's crates (`core,alloc`) where they are built.
    pub(crate) fn cargo_with(&self, subcommand: &str, dir: &Path, library: &str) -> Command {
        self.through(&self.cargo, subcommand, dir, library)
    }

    /// Sees that the linter is there, installing it if we may.
    pub(crate) fn see_to_clippy(&self) -> Result<()> {
        let (program, package) = CLIPPY;
        match self.rustc {
            Some(_) => tool(program, package),
            None => Ok(()),
        }
    }

    /// `cargo clippy` for the target, as `cargo`.
    pub(crate) fn clippy(&self, dir: &Path) -> Result<Command> {
        self.see_to_clippy()?;
        if self.rustc.is_none() {
            return Ok(self.cargo("clippy", dir));
        }
        let program = OsStr::new(CLIPPY.0);
        let mut clippy = self.through(program, "clippy", dir, "core");
        clippy.env("CARGO", &self.cargo);
        Ok(clippy)
    }

    /// Whether `other` is the same compiler, with core from the same source.
    pub(crate) fn is_that_of(&self, other: &Self) -> bool {
        (&self.cargo, &self.rustc, self.builds_std)
            == (&other.cargo, &other.rustc, other.builds_std)
    }

    /// Has `cargo`, which is of the same compiler, build for this target as well.
    pub(crate) fn add_target(&self, cargo: &mut Command) {
        let target = &self.target;
        cargo.args(["--target", target]);
        if !self.has_linker() {
            cargo
                .arg("--config")
                .arg(format!("target.{target}.linker='ld.lld'"));
            let flags = format!("target.{target}.rustflags=['-Clinker-flavor=ld.lld']");
            cargo.arg("--config").arg(flags);
        }
    }

    /// What `cargo` says, of cargo itself or a program that stands before it.
    fn through(&self, program: &OsStr, subcommand: &str, dir: &Path, library: &str) -> Command {
        let mut cargo = Command::new(program);
        scrub(&mut cargo);
        cargo.current_dir(dir).arg(subcommand);
        self.add_target(&mut cargo);
        let place = if self.rustc.is_some() {
            "chips-system"
        } else {
            "chips"
        };
        cargo.env("CARGO_TARGET_DIR", workspace::target_base().join(place));
        if let Some(rustc) = &self.rustc {
            // Of two compilers on the path rustdoc must be this one's: it reads what this one has built.
            cargo
                .env("RUSTC", rustc)
                .env("RUSTDOC", rustc.with_file_name("rustdoc"))
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("RUSTC_WRAPPER");
        }
        if self.builds_std {
            let library = format!("-Zbuild-std={library}");
            cargo.arg(library).env("RUSTC_BOOTSTRAP", "1");
        }
        cargo
    }
}

/// What to do about a target that nothing here compiles for and that we may not install anything for.
pub(crate) fn lacking(target: &str) -> Option<String> {
    let lacks = find(target).is_none() && !may_install();
    lacks.then(|| {
        format!(
            "nothing here compiles for {target}: run {}",
            commands(target)
        )
    })
}

/// What to do about a program that is missing and that we may not install.
pub(crate) fn lacking_tool(program: &str, package: &str) -> Option<String> {
    let lacks = !runs(program) && !may_install();
    lacks.then(|| format!("{program} is missing: run {}", install_command(&[package])))
}

/// Sees that a program is there, installing its package if we may.
pub(crate) fn tool(program: &str, package: &str) -> Result<()> {
    if runs(program) {
        return Ok(());
    }
    let command = install_command(&[package]);
    if !may_install() {
        bail!("{program} is missing: run {command}");
    }
    eprintln!("{program} is missing: installing {package}");
    install(&[package]).with_context(|| format!("run {command}"))?;
    if !runs(program) {
        bail!("{package} is installed, but {program} does not run: run {command}");
    }
    Ok(())
}

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    command.output().is_ok_and(|output| output.status.success())
}

fn install_command(packages: &[&str]) -> String {
    format!(
        "`apt-get update && apt-get install --no-install-recommends {}`",
        packages.join(" ")
    )
}

fn commands(target: &str) -> String {
    format!(
        "either `rustup target add {target}` or {}",
        install_command(PACKAGES)
    )
}

/// Finds a toolchain for `target`, installing the system's packages if nothing else is there and we may.
pub(crate) fn for_target(target: &str) -> Result<Toolchain> {
    if let Some(found) = find(target) {
        return Ok(found);
    }
    let commands = commands(target);
    if !may_install() {
        bail!("nothing here compiles for {target}: run {commands}");
    }
    eprintln!(
        "nothing here compiles for {target}: installing {}",
        PACKAGES.join(", ")
    );
    install(PACKAGES).with_context(|| format!("run {commands}"))?;
    find(target).with_context(|| {
        format!("the packages are installed, but do not compile for {target}: run {commands}")
    })
}

/// Whether what `rustc --version` says is too old for a chip.
fn is_too_old(version: &str) -> bool {
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split('.').map_while(|part| part.parse().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => (major, minor) < OLDEST,
        _ => false,
    }
}

fn find(target: &str) -> Option<Toolchain> {
    let active_cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let active_rustc = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let active = |builds_std| Toolchain {
        cargo: active_cargo.clone(),
        rustc: None,
        target: target.into(),
        builds_std,
    };
    let active_root = sysroot(&active_rustc);
    if active_root
        .as_deref()
        .is_some_and(|root| has_core(root, target))
    {
        return Some(active(false));
    }
    if active_root.as_deref().is_some_and(has_source) {
        return Some(active(true));
    }
    let (rustc, cargo) = (
        PathBuf::from("/usr/bin/rustc"),
        PathBuf::from("/usr/bin/cargo"),
    );
    let root = sysroot(&rustc).filter(|_| cargo.is_file())?;
    let builds_std = !has_core(&root, target);
    let there = !builds_std || has_source(&root);
    there.then(|| Toolchain {
        cargo: cargo.into(),
        rustc: Some(rustc),
        target: target.into(),
        builds_std,
    })
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let mut command = Command::new(rustc);
    scrub(&mut command);
    let output = command
        .args(["--print", "sysroot"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

fn has_core(sysroot: &Path, target: &str) -> bool {
    let Ok(files) = fs::read_dir(sysroot.join("lib/rustlib").join(target).join("lib")) else {
        return false;
    };
    files
        .flatten()
        .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

/// Whether the library's source is where cargo looks for it.
fn has_source(sysroot: &Path) -> bool {
    sysroot
        .join("lib/rustlib/src/rust/library/core/Cargo.toml")
        .is_file()
}

fn may_install() -> bool {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    root && Path::new("/usr/bin/apt-get").is_file()
}

/// Installs system packages, or says with which command one does.
pub(crate) fn install_if_we_may(packages: &[&str]) -> Result<()> {
    let command = install_command(packages);
    if !may_install() {
        bail!("packages are missing: run {command}");
    }
    eprintln!("installing {}", packages.join(", "));
    install(packages).with_context(|| format!("run {command}"))
}

/// Installs system packages; also for what the chips' runs need beside the compiler.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    for args in [
        &["update", "-qq"][..],
        &["install", "-y", "-qq", "--no-install-recommends"],
    ] {
        let mut apt = Command::new("apt-get");
        apt.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        if args[0] == "install" {
            apt.args(packages);
        }
        let output = apt.output().context("cannot run apt-get")?;
        if !output.status.success() {
            bail!(
                "apt-get {}: {}",
                args[0],
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_needs_no_other_toolchain() {
        let rustc = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
        let root = sysroot(&rustc).unwrap();
        let host = fs::read_dir(root.join("lib/rustlib")).unwrap().flatten();
        let hosts = host
            .filter(|dir| has_core(&root, &dir.file_name().to_string_lossy()))
            .count();
        assert!(hosts >= 1);
        assert!(!has_core(&root, "no-such-target"));
    }

    #[test]
    fn an_old_compiler_is_told_by_its_version() {
        assert!(is_too_old("rustc 1.85.0"));
        assert!(is_too_old("rustc 1.86.1"));
        assert!(!is_too_old("rustc 1.87.0"));
        assert!(!is_too_old("rustc 1.100.0-nightly"));
        assert!(!is_too_old("rustc 2.0.0"));
    }

    /// Rustup's rustc, unless another one is named.
    fn toolchain(rustc: Option<&str>) -> Toolchain {
        Toolchain {
            cargo: "cargo".into(),
            rustc: rustc.map(PathBuf::from),
            target: "t".into(),
            builds_std: rustc.is_some(),
        }
    }

    fn variable(command: &Command, wanted: &str) -> Option<PathBuf> {
        let mut all = command.get_envs();
        let (_, value) = all.find(|(name, _)| *name == wanted)?;
        value.map(PathBuf::from)
    }

    #[test]
    fn two_compilers_never_share_a_target_dir() {
        let dir = |rustc| {
            let command = toolchain(rustc).cargo("build", Path::new("."));
            variable(&command, "CARGO_TARGET_DIR").unwrap()
        };
        assert_ne!(dir(None), dir(Some("/usr/bin/rustc")));
    }

    #[test]
    fn docs_were_made_by_another_compilers_rustdoc() {
        let doc = toolchain(Some("/usr/bin/rustc")).cargo("doc", Path::new("."));
        assert_eq!(variable(&doc, "RUSTDOC"), Some("/usr/bin/rustdoc".into()));
    }
}
