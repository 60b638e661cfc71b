//! Compilers for this host: those of rustup, whichever there are, and the system's.

use super::{has_source, sysroot};
use crate::{cargo::scrub, workspace};
use anyhow::{Context, Result, ensure};
use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The host for which a compiler is known to come with the runtimes of the sanitizers.
pub(crate) const SANITIZED: &str = "x86_64-unknown-linux-gnu";

/// What to build for with a sanitizer: this host, if it is the one that can.
pub(crate) fn sanitized() -> Result<&'static str> {
    ensure!(
        cfg!(all(target_arch = "x86_64", target_os = "linux")),
        "the sanitizers' runtimes come with the compiler for {SANITIZED} only"
    );
    Ok(SANITIZED)
}

/// A compiler with what lies beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    root: PathBuf,
    /// Its name, if it is one of rustup's.
    pub(crate) name: Option<String>,
    /// `1.95.0`.
    pub(crate) version: String,
    /// The major version of its LLVM.
    pub(crate) llvm: u32,
    /// The host that it compiles for.
    pub(crate) triple: String,
    pub(crate) has_source: bool,
}

impl Host {
    fn at(root: PathBuf, name: Option<String>) -> Option<Self> {
        let mut rustc = Command::new(root.join("bin/rustc"));
        scrub(&mut rustc);
        let output = rustc.arg("-vV").stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let llvm = field(&text, "LLVM version")?.split('.').next()?;
        Some(Self {
            version: field(&text, "release")?.into(),
            llvm: llvm.parse().ok()?,
            triple: field(&text, "host")?.into(),
            has_source: has_source(&root),
            name,
            root,
        })
    }

    #[cfg(test)]
    pub(crate) fn for_tests(name: &str, llvm: u32, has_source: bool) -> Self {
        Self {
            root: PathBuf::from(name),
            name: Some(name.into()),
            version: "1.0.0".into(),
            llvm,
            triple: "t".into(),
            has_source,
        }
    }

    /// For a person.
    pub(crate) fn describe(&self) -> String {
        let name = self.name.as_deref().unwrap_or("the system's");
        format!("rustc {} ({name})", self.version)
    }

    pub(crate) fn has(&self, program: &str) -> bool {
        self.root.join("bin").join(program).is_file()
    }

    /// The runtime of a sanitizer: `tsan`.
    pub(crate) fn sanitizer(&self, name: &str) -> Option<PathBuf> {
        let dir = self.root.join("lib/rustlib").join(&self.triple).join("lib");
        let end = format!("_rt.{name}.a");
        fs::read_dir(dir)
            .ok()?
            .flatten()
            .map(|file| file.path())
            .find(|path| path.to_string_lossy().ends_with(&end))
    }

    /// This compiler's cargo, in the repository's root, with its target directory at `place`.
    pub(crate) fn cargo(&self, place: &str) -> Command {
        let bin = self.root.join("bin");
        let mut cargo = Command::new(bin.join("cargo"));
        scrub(&mut cargo);
        // Programs that cargo starts (`cargo miri`) look for a compiler in the path.
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(core::iter::once(bin.clone()).chain(env::split_paths(&path)));
        if let Ok(path) = path {
            cargo.env("PATH", path);
        }
        cargo
            .current_dir(workspace::root())
            .env("RUSTC", bin.join("rustc"))
            .env("RUSTDOC", bin.join("rustdoc"))
            .env("CARGO_TARGET_DIR", workspace::target_base().join(place))
            .env("CARGO_TERM_COLOR", "never")
            .env_remove("CARGO")
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("RUSTC_WRAPPER");
        cargo
    }
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// All of them: the active one first, the system's last.
pub(crate) fn all() -> Vec<Host> {
    let active = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let active = sysroot(&active);
    let named = rustup(["toolchain", "list"]).unwrap_or_default();
    let named = named.lines().filter_map(|line| line.split(' ').next());
    let named = named.filter_map(|name| {
        let rustc = rustup(["which", "--toolchain", name, "rustc"]).ok()?;
        let root = Path::new(rustc.trim()).parent()?.parent()?;
        Some((root.canonicalize().ok()?, Some(name.to_owned())))
    });
    let mut roots: Vec<(PathBuf, Option<String>)> = named.collect();
    roots.push((PathBuf::from("/usr"), None));
    if let Some(active) = active.and_then(|root| root.canonicalize().ok()) {
        if !roots.iter().any(|(root, _)| *root == active) {
            roots.insert(0, (active.clone(), None));
        }
        roots.sort_by_key(|(root, _)| *root != active);
    }
    roots.dedup_by(|one, other| one.0 == other.0);
    let hosts = roots
        .into_iter()
        .filter_map(|(root, name)| Host::at(root, name));
    hosts.collect()
}

/// What rustup says.
pub(crate) fn rustup<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<String> {
    let mut rustup = Command::new("rustup");
    scrub(&mut rustup);
    rustup.args(args).stdin(Stdio::null());
    let output = rustup.output().context("cannot run rustup")?;
    ensure!(
        output.status.success(),
        "rustup: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_compiler_is_the_first() {
        let all = all();
        let active = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
        let root = sysroot(&active).unwrap().canonicalize().unwrap();
        assert_eq!(all[0].root, root);
        assert!(all[0].has("rustc") && !all[0].has("no-such-program"));
        assert_eq!(all[0].sanitizer("no-such-sanitizer"), None);
    }

    #[test]
    fn fields_are_found_by_their_names() {
        let text = "rustc 1.95.0 (abc)\nhost: x86\nLLVM version: 22.1.2\n";
        assert_eq!(field(text, "LLVM version"), Some("22.1.2"));
        assert_eq!(field(text, "release"), None);
    }
}
