//! Targets without a standard library, each with the sets of features that make sense there.

use super::{crates::Crate, place};
use crate::{firmware::CHIPS, step::Run, toolchain, workspace};
use anyhow::Result;
use std::collections::BTreeSet;

/// A browser's.
const WASM: &str = "wasm32-unknown-unknown";

/// Without compare-and-swap: `alloc`'s `Arc` is not there, portable-atomic's is.
const NO_CAS: &str = "thumbv6m-none-eabi";

/// A crate, its features, and whether they need `alloc`.
type Set = (&'static str, &'static str, bool);

const SETS: &[Set] = &[
    ("ecluse-core", "", false),
    ("ecluse-core", "critical-section", false),
    ("ecluse-core", "critical-section,defmt", false),
    ("ecluse-core", "alloc", true),
    ("ecluse-core", "alloc,critical-section", true),
    ("ecluse-embassy", "", false),
    ("ecluse-embassy", "executor", false),
    ("ecluse-embassy", "executor,defmt", false),
    ("ecluse-embassy", "alloc,executor", true),
];

/// What is there for targets without compare-and-swap.
const SETS_NO_CAS: &[Set] = &[(
    "ecluse-core",
    "critical-section,portable-atomic,portable-atomic/critical-section",
    true,
)];

fn sets(target: &str) -> Vec<Set> {
    let mut sets = SETS.to_vec();
    if target == NO_CAS {
        sets.extend(SETS_NO_CAS);
    } else {
        sets.push(("ecluse-core", "critical-section,portable-atomic", true));
    }
    sets
}

fn targets() -> BTreeSet<&'static str> {
    CHIPS.iter().map(|chip| chip.target).chain([WASM]).collect()
}

pub(super) fn run(run: &mut Run, _: &[Crate]) -> Result<String> {
    let targets = targets();
    let mut builds = 0;
    for target in &targets {
        let toolchain = toolchain::for_target(target)?;
        for (package, features, allocates) in sets(target) {
            let library = if allocates { "core,alloc" } else { "core" };
            let mut check = toolchain.cargo_with("check", &workspace::root(), library);
            check.env("CARGO_TARGET_DIR", place().join("bare"));
            check.env("RUSTFLAGS", "-Dwarnings");
            check.args(["--quiet", "--lib", "-p", package, "--features", features]);
            run.run(&mut check)?;
            builds += 1;
        }
    }
    Ok(format!("{} targets, {builds} builds", targets.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_without_compare_and_swap_is_among_them() {
        assert!(targets().contains(NO_CAS) && targets().contains(WASM));
        assert!(sets(NO_CAS).len() == sets(WASM).len());
    }
}
