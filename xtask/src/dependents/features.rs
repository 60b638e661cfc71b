//! Every set of features compiles, without a warning, and without what only our tests depend on.

use super::{crates::Crate, quiet};
use crate::step::Run;
use anyhow::Result;

pub(super) fn run(run: &mut Run, crates: &[Crate]) -> Result<String> {
    let mut told = Vec::new();
    for one in crates {
        let sets = one.feature_sets();
        for set in &sets {
            let mut check = quiet("check");
            check.env("RUSTFLAGS", "-Dwarnings");
            check.args(["-p", &one.name, "--lib", "--no-default-features"]);
            check.args(["--features", set]);
            run.run(&mut check)?;
        }
        told.push(format!("{} {}", one.name, sets.len()));
    }
    Ok(format!("sets: {}", told.join(" · ")))
}

/// The oldest compiler that the manifests promise, with all features, and the versions of the lock file.
pub(super) fn oldest(run: &mut Run, crates: &[Crate]) -> Result<String> {
    let mut compilers = Vec::new();
    for one in crates {
        let place = "dependents-oldest";
        let (mut check, compiler) = crate::toolchain::old::cargo(&one.rust, place)?;
        check.args(["check", "--quiet", "--locked", "--lib", "--all-features"]);
        check.args(["-p", &one.name]);
        check.env_remove("RUSTFLAGS");
        run.run(&mut check)?;
        compilers.push(compiler);
    }
    compilers.dedup();
    Ok(format!(
        "{} crates, all features: {}",
        crates.len(),
        compilers.join(", ")
    ))
}
