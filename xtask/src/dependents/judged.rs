//! What other people's programs say: `cargo semver-checks` on the interface, `cargo deny` on what we depend on.

use super::crates::Crate;
use crate::{process::Exit, step::Run, toolchain::tools, workspace};
use anyhow::{Result, bail};
use std::process::Command;

/// The interface breaks nothing that the last release promised.
pub(super) fn semver(run: &mut Run, crates: &[Crate]) -> Result<String> {
    let mut tags = Command::new("git");
    tags.args(["tag", "--list", "v*", "--sort=-version:refname"]);
    let tags = run.run(tags.current_dir(workspace::root()))?;
    let Some(last) = tags.lines().next() else {
        return Ok("nothing to compare with: there is no release yet (no tag `v*`)".into());
    };
    let mut check = Command::new(tools::built("cargo-semver-checks")?);
    check.current_dir(workspace::root());
    check.args(["semver-checks", "--baseline-rev", last]);
    check.args(crates.iter().flat_map(|one| ["-p", &one.name]));
    run.run(&mut check)?;
    Ok(format!("{} crates beside {last}", crates.len()))
}

/// What was said where the database could not be fetched.
const OUT_OF_REACH: [&str; 2] = [
    "failed to fetch advisory database",
    "failed to acquire advisory database",
];

/// Licences, bans and sources of all that we depend on, by `deny.toml`; and advisories.
pub(super) fn deny(run: &mut Run, _: &[Crate]) -> Result<String> {
    let program = tools::built("cargo-deny")?;
    let mut check = |what: &[&str]| {
        let mut deny = Command::new(&program);
        deny.current_dir(workspace::root());
        deny.args(["--color", "never", "check", "--hide-inclusion-graph"]);
        run.try_run(deny.args(what))
    };
    let (exit, _) = check(&["licenses", "bans", "sources"])?;
    if exit != Exit::Success {
        bail!("licences, bans or sources: {exit}");
    }
    let (exit, said) = check(&["advisories"])?;
    Ok(match exit {
        Exit::Success => "licences, bans, sources, advisories".into(),
        _ if is_out_of_reach(&said) => {
            "licences, bans, sources; advisories NOT CHECKED: their database is out of reach".into()
        }
        _ => bail!("advisories: {exit}"),
    })
}

fn is_out_of_reach(said: &str) -> bool {
    OUT_OF_REACH.iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_out_of_reach_is_told_from_an_advisory() {
        assert!(is_out_of_reach(
            "[ERROR] failed to fetch advisory database https://…"
        ));
        assert!(!is_out_of_reach(
            "error[unmaintained]: async-std is discontinued"
        ));
    }
}
