//! What is uploaded, and whether it is enough: the crates are packaged, unpacked into a workspace of their own, and built
//! and doc-tested there, the adapters against the packaged core.

use super::{crates::Crate, place, quiet};
use crate::{
    cargo::cargo,
    step::Run,
    workspace::{self, Build},
};
use anyhow::{Context, Result, ensure};
use std::{fmt::Write as _, fs, process::Command};

/// What each of them has to hold.
const REQUIRED: &[&str] = &[
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "src/lib.rs",
];

/// What cargo adds.
const ADDED: &[&str] = &[".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml.orig"];

/// What may be in these directories.
const DIRECTORIES: &[&str] = &["src/", "tests/", "examples/"];

pub(super) fn run(run: &mut Run, crates: &[Crate]) -> Result<String> {
    let mut package = quiet("package");
    package.args(["--no-verify", "--allow-dirty"]);
    package.args(crates.iter().flat_map(|one| ["-p", &one.name]));
    run.run(&mut package)
        .context("several packages at once need cargo 1.90 or newer")?;

    let dir = workspace::results().join("packages");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    let mut told = Vec::new();
    for one in crates {
        let packed = place().join("package").join(format!("{}.crate", one.id()));
        run.run(
            Command::new("tar")
                .arg("xzf")
                .arg(&packed)
                .current_dir(&dir),
        )?;
        let files = workspace::files(&dir.join(one.id()))?;
        let wrong = judge(&files);
        ensure!(wrong.is_empty(), "{}: {}", one.name, wrong.join("; "));
        let kib = fs::metadata(&packed)?.len().div_ceil(1024);
        told.push(format!("{} {} files, {kib} KiB", one.name, files.len()));
    }

    fs::write(dir.join("Cargo.toml"), manifest(crates))?;
    fs::copy(workspace::root().join("Cargo.lock"), dir.join("Cargo.lock"))?;
    for one in crates {
        let of = |subcommand: &str| -> Command {
            let mut cargo = cargo(Build::Plain);
            cargo.current_dir(&dir).env("CARGO_TARGET_DIR", place());
            cargo.args([
                subcommand,
                "--quiet",
                "-p",
                &one.name,
                "--features",
                &one.linkable(),
            ]);
            cargo
        };
        run.run(of("check").arg("--all-targets"))?;
        run.run(of("test").arg("--doc"))?;
    }
    Ok(told.join(" · "))
}

/// A workspace of what was unpacked, in which nothing comes from the repository.
fn manifest(crates: &[Crate]) -> String {
    let members: Vec<String> = crates
        .iter()
        .map(|one| format!("\"{}\"", one.id()))
        .collect();
    let mut text = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[patch.crates-io]\n",
        members.join(", ")
    );
    for one in crates {
        let _ = writeln!(text, "{} = {{ path = \"{}\" }}", one.name, one.id());
    }
    text
}

/// What is missing, and what does not belong there.
fn judge(files: &[String]) -> Vec<String> {
    let has = |name: &str| files.iter().any(|file| file == name);
    let missing = REQUIRED.iter().filter(|name| !has(name));
    let missing = missing.map(|name| format!("{name} is missing"));
    let belongs = |file: &str| {
        REQUIRED.contains(&file)
            || ADDED.contains(&file)
            || DIRECTORIES.iter().any(|dir| file.starts_with(dir))
                && [".rs", ".md"].iter().any(|end| file.ends_with(end))
    };
    let stray = files.iter().filter(|file| !belongs(file));
    missing
        .chain(stray.map(|file| format!("{file} does not belong there")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_stray_is_named() {
        let mut files: Vec<String> = REQUIRED
            .iter()
            .chain(ADDED)
            .map(|&name| name.into())
            .collect();
        files.push("src/a/b.rs".into());
        assert!(judge(&files).is_empty());
        files.retain(|file| file != "README.md");
        files.push("src/a/b.rs.orig".into());
        files.push("notes.txt".into());
        assert_eq!(
            judge(&files),
            [
                "README.md is missing",
                "src/a/b.rs.orig does not belong there",
                "notes.txt does not belong there"
            ]
        );
    }
}
