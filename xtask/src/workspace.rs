//! Where things are: the repository's root, the target directories, the logs.
//!
//! Invariant: two builds that differ in compiler or cfg never share a target directory.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};
use walkdir::WalkDir;

/// The root of the repository.
///
/// Cargo names this package's directory when it runs us; without cargo the directory we were compiled from counts.
pub(crate) fn root() -> PathBuf {
    let package =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package)
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The directory under which all target directories are: `CARGO_TARGET_DIR` if the user set one, else `target`.
pub(crate) fn target_base() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Our own results: logs, the matrix, the mutants' tree.
pub(crate) fn results() -> PathBuf {
    target_base().join("ecluse")
}

/// The directory for logs, made if it was not there.
pub(crate) fn logs() -> io::Result<PathBuf> {
    let dir = results().join("logs");
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// The files below a directory, by their names from there, with `/` on every host.
pub(crate) fn files(dir: &Path) -> io::Result<Vec<String>> {
    let entries = WalkDir::new(dir).into_iter();
    let files =
        entries.filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir()));
    let name = |entry: walkdir::Result<walkdir::DirEntry>| {
        let entry = entry?;
        let name = entry.path().strip_prefix(dir).unwrap_or(entry.path());
        Ok(name.to_string_lossy().replace('\\', "/"))
    };
    files.map(name).collect()
}

/// A name as a file name.
pub(crate) fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '-'
        }
    };
    name.chars().map(plain).collect()
}

/// A cfg under which the workspace is built, with its flags and its target directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As a user builds it on a host.
    Plain,
    /// The word of targets without compare-and-swap, on a host.
    NoCas,
    /// Under loom.
    Loom,
    /// Under loom with the word of targets without compare-and-swap.
    LoomNoCas,
}

impl Build {
    /// The cfgs, as `RUSTFLAGS` has them.
    pub(crate) fn rustflags(self) -> &'static str {
        match self {
            Build::Plain => "",
            Build::NoCas => "--cfg ecluse_no_cas",
            Build::Loom => "--cfg ecluse_loom",
            Build::LoomNoCas => "--cfg ecluse_loom --cfg ecluse_no_cas",
        }
    }

    /// The target directory under `base`.
    pub(crate) fn target_dir(self, base: &Path) -> PathBuf {
        match self {
            Build::Plain => base.to_path_buf(),
            Build::NoCas => base.join("no-cas"),
            Build::Loom => base.join("loom"),
            Build::LoomNoCas => base.join("loom-no-cas"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_build_has_its_own_target_dir() {
        let all = [Build::Plain, Build::NoCas, Build::Loom, Build::LoomNoCas];
        let base = Path::new("t");
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(a.target_dir(base), b.target_dir(base));
                assert_ne!(a.rustflags(), b.rustflags());
            }
        }
    }

    #[test]
    fn step_names_become_file_names() {
        assert_eq!(file_name("conformance tokio-ct"), "conformance-tokio-ct");
        assert_eq!(file_name("../a::b"), "---a--b");
    }
}
