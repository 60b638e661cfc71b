//! The list of mutants, `xtask/mutants.toml`.
//!
//! ```toml
//! [[mutant]]
//! name = "release-store-relaxed"         # unique; `--only` looks in it
//! file = "ecluse-core/src/wait/node.rs"  # from the repository's root
//! find = '''state.store(GRANTED, Release)'''   # must occur exactly once, or the entry is stale and the run fails
//! replace = '''state.store(GRANTED, Relaxed)'''
//! killed_by = "loom"     # which tests must notice: "loom", "unit" (ecluse-core's), or "either"
//! words = ["cas"]        # under which claim words; both if not given. It must be noticed under each
//! models = ["claim_handoff"]  # optional: loom models to try first
//! bound = 3              # optional: loom's preemption bound, 2 if not given
//! expect = "killed"      # or "survives", then `why` must say why nobody can notice
//! why = "…"              # optional where killed: what the change would break
//! ```

use crate::loom::Word;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    mutant: Vec<Mutant>,
}

/// One listed change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) file: String,
    find: String,
    replace: String,
    pub(super) killed_by: Tests,
    #[serde(default = "both_words")]
    pub(super) words: Vec<Word>,
    #[serde(default)]
    pub(super) models: Vec<String>,
    #[serde(default = "bound")]
    pub(super) bound: u32,
    #[serde(default)]
    pub(super) expect: Expect,
    pub(super) why: Option<String>,
}

/// Tests that must notice a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tests {
    Loom,
    Unit,
    Either,
}

/// What is expected of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expect {
    #[default]
    Killed,
    Survives,
}

fn both_words() -> Vec<Word> {
    vec![Word::Cas, Word::Plain]
}

fn bound() -> u32 {
    2
}

impl Mutant {
    /// The file's text with the change in it.
    pub(super) fn mutated(&self, original: &str) -> Result<String> {
        let Mutant {
            name, file, find, ..
        } = self;
        let count = original.match_indices(find.as_str()).count();
        ensure!(
            count == 1,
            "mutant `{name}` is stale: in {file} its text occurs {count} times, not once:\n{find}"
        );
        Ok(original.replacen(find.as_str(), &self.replace, 1))
    }
}

/// Reads the list.
pub(super) fn parse(text: &str) -> Result<Vec<Mutant>> {
    let list: List = toml::from_str(text).context("xtask/mutants.toml is not well-formed")?;
    let mut names = BTreeSet::new();
    for mutant in &list.mutant {
        let Mutant {
            name,
            find,
            replace,
            words,
            expect,
            why,
            ..
        } = mutant;
        ensure!(names.insert(name), "two mutants are named `{name}`");
        ensure!(!find.is_empty(), "mutant `{name}` replaces nothing");
        ensure!(find != replace, "mutant `{name}` changes nothing");
        ensure!(!words.is_empty(), "mutant `{name}` is for no word");
        let explained = why.as_ref().is_some_and(|why| !why.trim().is_empty());
        ensure!(
            *expect == Expect::Killed || explained,
            "mutant `{name}` may survive, but `why` does not say why"
        );
    }
    Ok(list.mutant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "[[mutant]]\nname = 'weak'\nfile = 'a.rs'\nfind = 'Release'\nreplace = 'Relaxed'\n\
        killed_by = 'loom'\n";

    #[test]
    fn an_entry_has_defaults() {
        let list = parse(ENTRY).unwrap();
        assert_eq!(list[0].words, [Word::Cas, Word::Plain]);
        assert_eq!(
            (list[0].bound, list[0].expect, list[0].killed_by),
            (2, Expect::Killed, Tests::Loom)
        );
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn the_text_must_occur_exactly_once() {
        let mutant = &parse(ENTRY).unwrap()[0];
        assert_eq!(
            mutant.mutated("x.store(1, Release);").unwrap(),
            "x.store(1, Relaxed);"
        );
        assert!(
            mutant
                .mutated("x.store(1, SeqCst);")
                .unwrap_err()
                .to_string()
                .contains("0 times")
        );
        assert!(
            mutant
                .mutated("Release, Release")
                .unwrap_err()
                .to_string()
                .contains("2 times")
        );
    }

    #[test]
    fn entries_that_mean_nothing_are_refused() {
        let with = |extra: &str| parse(&format!("{ENTRY}{extra}")).map(drop);
        assert!(with(ENTRY).unwrap_err().to_string().contains("two mutants"));
        assert!(
            with("expect = 'survives'\n")
                .unwrap_err()
                .to_string()
                .contains("`why`")
        );
        assert!(with("expect = 'survives'\nwhy = 'same code'\n").is_ok());
        assert!(
            with("words = []\n")
                .unwrap_err()
                .to_string()
                .contains("no word")
        );
        assert!(with("wordz = []\n").is_err());
        assert!(
            parse(&ENTRY.replace("Relaxed", "Release"))
                .unwrap_err()
                .to_string()
                .contains("changes nothing")
        );
    }
}
