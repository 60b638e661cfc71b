//! Cargo commands: which cargo, with which cfg, into which target directory, and what it built.

use crate::workspace::{self, Build};
use anyhow::{Context, Result, bail};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// `cargo` in the repository's root for the given build.
pub(crate) fn cargo(build: Build) -> Command {
    cargo_in(&workspace::root(), &workspace::target_base(), build)
}

/// `cargo` in `dir` with its target directories under `base`.
pub(crate) fn cargo_in(dir: &Path, base: &Path, build: Build) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.current_dir(dir);
    scrub(&mut cargo);
    cargo.env("CARGO_TARGET_DIR", build.target_dir(base));
    let user = env::var("RUSTFLAGS").unwrap_or_default();
    let flags = format!("{user} {}", build.rustflags());
    if !flags.trim().is_empty() {
        cargo.env("RUSTFLAGS", flags.trim());
        // Doc tests are compiled by rustdoc, which does not read RUSTFLAGS.
        cargo.env("RUSTDOCFLAGS", flags.trim());
    }
    cargo.env("CARGO_TERM_COLOR", "never");
    cargo
}

/// Removes what `cargo run` told *this* program about its own package.
///
/// A child that read it would take itself for a part of xtask.
pub(crate) fn scrub(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text == "CARGO_CRATE_NAME"
        {
            command.env_remove(name);
        }
    }
    // Points into xtask's own target directory and the compiler's libraries: another compiler must not see it.
    command.env_remove("LD_LIBRARY_PATH");
}

/// The files and programs named in cargo's JSON messages (`--message-format=json…`) for one target.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Built {
    /// The program, if the target is one.
    pub(crate) executable: Option<PathBuf>,
    /// All files.
    pub(crate) files: Vec<PathBuf>,
}

/// Finds the target `name` of kind `kind` (`bin`, `test`, `lib`) in cargo's JSON messages.
pub(crate) fn built(messages: &str, kind: &str, name: &str) -> Result<Built> {
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: serde_json::Value =
            serde_json::from_str(line).context("cargo wrote JSON that does not parse")?;
        let target = &message["target"];
        let of_kind = target["kind"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|k| k == kind));
        if message["reason"] != "compiler-artifact" || target["name"] != name || !of_kind {
            continue;
        }
        let path = |value: &serde_json::Value| value.as_str().map(PathBuf::from);
        let files = message["filenames"].as_array();
        return Ok(Built {
            executable: path(&message["executable"]),
            files: files
                .map(|all| all.iter().filter_map(path).collect())
                .unwrap_or_default(),
        });
    }
    bail!("cargo built no {kind} target named `{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = concat!(
        r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"loom"},"filenames":["a.rlib"],"executable":null}"#,
        "\n",
        r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"loom"},"filenames":["loom-1"],"executable":"loom-1"}"#,
        "\n",
        r#"{"reason":"build-finished","success":true}"#,
    );

    #[test]
    fn the_target_is_found_by_kind_and_name() {
        let built = built(MESSAGES, "test", "loom").unwrap();
        assert_eq!(built.executable, Some(PathBuf::from("loom-1")));
        assert_eq!(
            super::built(MESSAGES, "lib", "loom").unwrap().files,
            [PathBuf::from("a.rlib")]
        );
    }

    #[test]
    fn a_target_that_was_not_built_is_an_error() {
        assert!(
            built(MESSAGES, "bin", "loom")
                .unwrap_err()
                .to_string()
                .contains("`loom`")
        );
    }
}
