//! The documentation as docs.rs builds it: its features, its cfg, its targets, nightly flags; a warning is an error.

use super::{crates::Crate, quiet};
use crate::{step::Run, toolchain, workspace};
use anyhow::Result;
use std::process::Command;

pub(super) fn run(run: &mut Run, crates: &[Crate]) -> Result<String> {
    let mut pages = 0;
    for one in crates {
        let mut builds = vec![quiet("doc")];
        if !one.docs.targets.is_empty() {
            builds.clear();
        }
        for target in &one.docs.targets {
            let toolchain = toolchain::for_target(target)?;
            let mut doc = toolchain.cargo("doc", &workspace::root());
            doc.arg("--quiet");
            builds.push(doc);
        }
        for mut doc in builds {
            flags(&mut doc, one);
            run.run(&mut doc)?;
            pages += 1;
        }
    }
    Ok(format!("{} crates, {pages} builds", crates.len()))
}

fn flags(doc: &mut Command, one: &Crate) {
    doc.args(["--no-deps", "--lib", "-p", &one.name]);
    match &one.docs.features {
        None => {
            doc.arg("--all-features");
        }
        Some(features) => {
            doc.args(["--features", &features.join(",")]);
        }
    }
    // docs.rs sets the cfg whether the manifest asks for it or not.
    let mut args = vec!["--cfg", "docsrs", "-Dwarnings"];
    let more = one.docs.args.iter().map(String::as_str);
    args.extend(more.filter(|arg| !["--cfg", "docsrs"].contains(arg)));
    doc.env("RUSTDOCFLAGS", args.join(" "));
    doc.env("RUSTC_BOOTSTRAP", "1");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependents::crates::Docs;

    #[test]
    fn the_cfg_of_docs_rs_is_set_once() {
        let mut one = Crate::for_tests("a");
        one.docs = Docs {
            features: None,
            args: ["--cfg", "docsrs", "--x"].map(str::to_owned).to_vec(),
            targets: Vec::new(),
        };
        let mut doc = Command::new("cargo");
        flags(&mut doc, &one);
        let env = |name: &str| {
            let found = doc.get_envs().find(|(key, _)| *key == name);
            found.and_then(|(_, value)| value?.to_str())
        };
        assert_eq!(env("RUSTDOCFLAGS"), Some("--cfg docsrs -Dwarnings --x"));
        assert!(doc.get_args().any(|arg| arg == "--all-features"));
    }
}
