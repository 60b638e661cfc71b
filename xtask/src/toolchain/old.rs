//! An old compiler, for the check that the oldest one we promise will do: rustup's, or Debian's packages unpacked under the
//! target directory, where they are in nobody's way.

use super::hosts;
use crate::{cargo::scrub, workspace};
use anyhow::{Context, Result, ensure};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Debian's packages of a compiler, of one version; `{}` is the compiler's.
const OF_ONE_VERSION: [&str; 3] = ["rustc-web", "libstd-rust-web-{}", "libstd-rust-web-dev"];

/// Its LLVM.
const LLVM: &str = "libllvm19";

/// A command that runs cargo with the compiler `version` (`1.85`), and what it is called.
pub(crate) fn cargo(version: &str, place: &str) -> Result<(Command, String)> {
    if let Some(found) = by_rustup(version, place) {
        return Ok(found);
    }
    let command = format!("rustup toolchain install {version} --profile minimal");
    let by_rustup_again = || -> Result<Option<(Command, String)>> {
        hosts::rustup(command.split(' ').skip(1))?;
        Ok(by_rustup(version, place))
    };
    match by_rustup_again() {
        Ok(Some(found)) => Ok(found),
        Ok(None) => by_debian(version, place),
        Err(error) => by_debian(version, place)
            .with_context(|| format!("{error:#}; nor is there a package of it: run `{command}`")),
    }
}

fn by_rustup(version: &str, place: &str) -> Option<(Command, String)> {
    let start = format!("{version}.");
    let old = |host: &hosts::Host| host.version.starts_with(&start);
    let host = hosts::all().into_iter().find(old)?;
    Some((host.cargo(place), host.describe()))
}

fn by_debian(version: &str, place: &str) -> Result<(Command, String)> {
    let dir = workspace::results().join(format!("rust-{version}"));
    let root = dir.join("usr");
    let rustc = dir.join("rustc");
    if !rustc.is_file() {
        unpack(version, &dir)?;
        let libraries = root.join("lib/x86_64-linux-gnu");
        let wrapper = format!(
            "#!/bin/sh\nexport LD_LIBRARY_PATH='{}:{}/lib'\nexec '{1}/bin/rustc' --sysroot '{1}' \"$@\"\n",
            libraries.display(),
            root.display()
        );
        fs::write(&rustc, wrapper)?;
        let status = Command::new("chmod").arg("+x").arg(&rustc).status()?;
        ensure!(status.success(), "cannot make {} run", rustc.display());
    }
    let mut check = Command::new(&rustc);
    let output = check.arg("--version").output()?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(
        name.contains(version),
        "the unpacked compiler does not run: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(program);
    scrub(&mut cargo);
    cargo
        .current_dir(workspace::root())
        .env("RUSTC", &rustc)
        .env("CARGO_TARGET_DIR", workspace::target_base().join(place))
        .env("CARGO_TERM_COLOR", "never")
        .env_remove("RUSTC_WRAPPER");
    Ok((cargo, format!("{name}, unpacked")))
}

fn unpack(version: &str, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    let known = output("apt-cache", &["madison", "rustc-web"], dir)?;
    let exact = of_version(&known, version)
        .with_context(|| format!("the system has no package rustc-web of {version}"))?;
    for package in OF_ONE_VERSION {
        let wanted = format!("{}={exact}", package.replace("{}", version));
        output("apt-get", &["download", &wanted], dir)?;
    }
    output("apt-get", &["download", LLVM], dir)?;
    let packages = fs::read_dir(dir)?.flatten().map(|file| file.path());
    let is_package = |path: &PathBuf| path.extension().is_some_and(|end| end == "deb");
    for package in packages.filter(is_package) {
        output("dpkg", &["-x", &package.to_string_lossy(), "."], dir)?;
        fs::remove_file(package)?;
    }
    Ok(())
}

/// The package's version that is of the compiler's, in what `apt-cache madison` lists.
fn of_version<'l>(listed: &'l str, version: &str) -> Option<&'l str> {
    let start = format!("{version}.");
    let versions = listed.lines().filter_map(|line| line.split('|').nth(1));
    versions
        .map(str::trim)
        .find(|found| found.starts_with(&start))
}

fn output(program: &str, args: &[&str], dir: &Path) -> Result<String> {
    let output = Command::new(program).args(args).current_dir(dir).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_by_the_compilers_version() {
        let listed = " rustc-web | 1.96.0+dfsg1-1 | http://x main amd64 Packages\n \
                      rustc-web | 1.85.0+dfsg3-1 | http://x main amd64 Packages\n";
        assert_eq!(of_version(listed, "1.85"), Some("1.85.0+dfsg3-1"));
        assert_eq!(of_version(listed, "1.8"), None);
    }
}
