//! The crates that are published, as their manifests say.

use crate::{cargo::cargo, step::Run, workspace::Build};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A crate that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    /// `1.85`.
    pub(super) rust: String,
    pub(super) docs: Docs,
    /// Each with what it turns on in the same crate.
    features: BTreeMap<String, Vec<String>>,
}

/// What docs.rs is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Docs {
    /// `None`: all.
    pub(super) features: Option<Vec<String>>,
    pub(super) args: Vec<String>,
    /// Empty: the host.
    pub(super) targets: Vec<String>,
}

impl Crate {
    #[cfg(test)]
    pub(super) fn for_tests(name: &str) -> Self {
        Self {
            name: name.into(),
            version: "0.1.0".into(),
            rust: "1.85".into(),
            docs: Docs {
                features: Some(Vec::new()),
                args: Vec::new(),
                targets: Vec::new(),
            },
            features: BTreeMap::new(),
        }
    }

    /// `ecluse-core-0.1.0`.
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// All features that a program of the host can link: `defmt` wants a logger from the binary.
    pub(super) fn linkable(&self) -> String {
        let names: Vec<&str> = self
            .features
            .keys()
            .map(String::as_str)
            .filter(|name| !["default", "defmt"].contains(name))
            .collect();
        names.join(",")
    }

    /// All sets of features that differ in what is on, the smaller ones first.
    pub(super) fn feature_sets(&self) -> Vec<String> {
        let names: Vec<&str> = self
            .features
            .keys()
            .map(String::as_str)
            .filter(|name| *name != "default")
            .collect();
        let mut seen = BTreeSet::new();
        let mut sets = Vec::new();
        for bits in 0..1_usize << names.len() {
            let chosen = |at: &usize| bits >> at & 1 == 1;
            let set: Vec<&str> = (0..names.len())
                .filter(chosen)
                .map(|at| names[at])
                .collect();
            if seen.insert(self.closure(&set)) {
                sets.push(set);
            }
        }
        sets.sort_by_key(Vec::len);
        sets.into_iter().map(|set| set.join(",")).collect()
    }

    /// What is on if these are.
    fn closure(&self, set: &[&str]) -> BTreeSet<String> {
        let mut on = BTreeSet::new();
        let mut open: Vec<&str> = set.to_vec();
        while let Some(name) = open.pop() {
            if on.insert(name.to_owned()) {
                let more = self.features.get(name).into_iter().flatten();
                open.extend(more.map(String::as_str));
            }
        }
        on
    }
}

/// All of them, the core first: the others depend on it.
pub(super) fn all(run: &mut Run) -> Result<Vec<Crate>> {
    let mut metadata = cargo(Build::Plain);
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
    let (exit, out, err) = run.run_apart(&mut metadata)?;
    ensure!(
        exit == crate::process::Exit::Success,
        "cargo metadata: {exit}\n{err}"
    );
    parse(&out)
}

fn parse(metadata: &str) -> Result<Vec<Crate>> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo's metadata")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    // Of one that is not published the list of registries is there, and empty.
    let published = packages.iter().filter(|package| {
        package["publish"]
            .as_array()
            .is_none_or(|to| !to.is_empty())
    });
    let mut crates = published.map(one).collect::<Result<Vec<_>>>()?;
    crates.sort_by_key(|one| (one.name != "ecluse-core", one.name.clone()));
    if crates.is_empty() {
        bail!("no package of the workspace is published");
    }
    Ok(crates)
}

fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn one(package: &Value) -> Result<Crate> {
    let text = |key: &str| -> Result<String> {
        let value = package[key].as_str();
        Ok(value
            .with_context(|| format!("a package without {key}"))?
            .into())
    };
    let features = package["features"].as_object().context("no features")?;
    let docs = &package["metadata"]["docs"]["rs"];
    let all = docs["all-features"].as_bool() == Some(true);
    Ok(Crate {
        name: text("name")?,
        version: text("version")?,
        rust: text("rust_version")?,
        docs: Docs {
            features: (!all).then(|| strings(&docs["features"])),
            args: strings(&docs["rustdoc-args"]),
            targets: strings(&docs["targets"]),
        },
        features: features
            .iter()
            .map(|(name, on)| (name.clone(), strings(on)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{"packages":[
        {"name":"tool","version":"0.0.0","publish":[],"rust_version":"1.85","features":{}},
        {"name":"a","version":"0.1.0","publish":null,"rust_version":"1.85",
         "features":{"default":[],"alloc":[],"std":["alloc"],"defmt":["dep:defmt"]},
         "metadata":{"docs":{"rs":{"features":["std"],"rustdoc-args":["--cfg","docsrs"]}}}},
        {"name":"ecluse-core","version":"0.1.0","publish":null,"rust_version":"1.85","features":{},
         "metadata":{"docs":{"rs":{"all-features":true,"targets":["t"]}}}}]}"#;

    #[test]
    fn what_is_published_is_found_core_first() {
        let crates = parse(METADATA).unwrap();
        let names: Vec<_> = crates.iter().map(Crate::id).collect();
        assert_eq!(names, ["ecluse-core-0.1.0", "a-0.1.0"]);
        assert_eq!(crates[0].docs.features, None);
        assert_eq!(crates[0].docs.targets, ["t"]);
        assert_eq!(crates[1].docs.features, Some(vec!["std".to_owned()]));
        assert_eq!(crates[1].docs.args, ["--cfg", "docsrs"]);
    }

    #[test]
    fn sets_that_turn_on_the_same_are_one() {
        let a = &parse(METADATA).unwrap()[1];
        // `alloc,std` is `std`: whichever comes first stands for both.
        let sets = a.feature_sets();
        assert_eq!(
            sets,
            ["", "alloc", "defmt", "std", "alloc,defmt", "defmt,std"]
        );
        assert_eq!(a.linkable(), "alloc,std");
    }
}
