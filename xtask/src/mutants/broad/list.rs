//! `xtask/mutants-broad.toml`: which changes are not tried, and which may survive.
//!
//! ```toml
//! [[skipped]]
//! contains = "fmt::Debug for"  # in the name that `cargo mutants --list` prints; if it is in none, the entry is stale
//! why = "…"
//!
//! [[explained]]
//! where = ["ecluse-core/src/wait/list.rs: replace List::len -> usize with 0"]  # that name without line and column;
//! why = "…"                          # where a file has several of one name: ` #1`, ` #2`, … in the order of the list
//! ```

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    #[serde(default)]
    skipped: Vec<Skipped>,
    #[serde(default)]
    explained: Vec<Explained>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Skipped {
    contains: String,
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Explained {
    #[serde(rename = "where")]
    places: Vec<String>,
    why: String,
}

/// One change that cargo-mutants knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// As it is printed.
    pub(super) full: String,
    /// Without line and column, so that it holds when something is added above.
    pub(super) name: String,
}

impl List {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let list: Self =
            toml::from_str(text).context("xtask/mutants-broad.toml is not well-formed")?;
        let skipped = list.skipped.iter().map(|one| (&one.contains, &one.why));
        let explained = list.places();
        for one in &list.explained {
            ensure!(
                !one.places.is_empty(),
                "`{}` is a reason for nothing",
                one.why
            );
        }
        let mut seen = BTreeSet::new();
        for (what, why) in skipped.chain(explained) {
            ensure!(!what.is_empty(), "an entry is about nothing");
            ensure!(!why.trim().is_empty(), "`{what}` is there without a reason");
            ensure!(seen.insert(what), "`{what}` is there twice");
        }
        Ok(list)
    }

    /// Each place of which something is explained, and what.
    fn places(&self) -> impl Iterator<Item = (&String, &String)> {
        let explained = self.explained.iter();
        explained.flat_map(|one| one.places.iter().map(move |place| (place, &one.why)))
    }

    /// How many survivors are explained.
    pub(super) fn explained(&self) -> usize {
        self.places().count()
    }

    /// What tells cargo-mutants to skip.
    pub(super) fn exclusions(&self) -> Vec<String> {
        self.skipped
            .iter()
            .flat_map(|one| ["--exclude-re".into(), literally(&one.contains)])
            .collect()
    }

    /// Of what `cargo mutants --list` prints, what is not skipped. A pattern that skips nothing is an error.
    pub(super) fn numbered(&self, printed: &str) -> Result<Vec<Mutant>> {
        for Skipped { contains, .. } in &self.skipped {
            ensure!(
                printed.contains(contains.as_str()),
                "xtask/mutants-broad.toml skips `{contains}`, which is in no mutant's name"
            );
        }
        let tried = |full: &&str| {
            !self
                .skipped
                .iter()
                .any(|one| full.contains(one.contains.as_str()))
        };
        let all: Vec<_> = printed
            .lines()
            .filter(tried)
            .map(|full| (full, without_line(full)))
            .collect();
        let mut counts = BTreeMap::<_, (usize, usize)>::new();
        for (_, name) in &all {
            counts.entry(name.clone()).or_default().0 += 1;
        }
        let number = |(full, name): (&str, String)| {
            let (of, seen) = counts.get_mut(&name).expect("counted above");
            *seen += 1;
            let name = if *of == 1 {
                name
            } else {
                format!("{name} #{seen}")
            };
            let full = full.into();
            Mutant { full, name }
        };
        Ok(all.into_iter().map(number).collect())
    }

    /// Why this one of `all` may survive, if that is said.
    pub(super) fn explanation(&self, all: &[Mutant], full: &str) -> Option<&str> {
        let mutant = all.iter().find(|mutant| mutant.full == full)?;
        let (_, why) = self.places().find(|(place, _)| **place == mutant.name)?;
        Some(why)
    }

    /// Explanations that fit no mutant.
    pub(super) fn stale(&self, all: &[Mutant]) -> Vec<String> {
        self.places()
            .map(|(place, _)| place)
            .filter(|place| !all.iter().any(|mutant| mutant.name == **place))
            .cloned()
            .collect()
    }
}

/// `file:12:5: what` as `file: what`.
fn without_line(full: &str) -> String {
    let parts = full
        .split_once(": ")
        .and_then(|(place, what)| Some((place.split(':').next()?, what)));
    parts.map_or_else(|| full.into(), |(file, what)| format!("{file}: {what}"))
}

/// A regular expression for this text.
pub(super) fn literally(text: &str) -> String {
    let mut expression = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$#&-~".contains(c) {
            expression.push('\\');
        }
        expression.push(c);
    }
    expression
}

/// What tells cargo-mutants to try just these. (Version 27.1 adds all fields of struct expressions, whatever `--re` says.)
pub(super) fn exactly(full: &[&String]) -> Vec<String> {
    full.iter()
        .flat_map(|name| ["--re".into(), format!("^{}$", literally(name))])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "a.rs:1:2: replace f -> u8 with 0\na.rs:3:4: replace == with != in g\n\
        a.rs:5:6: replace == with != in g\na.rs:7:8: replace <impl fmt::Debug for A>::fmt -> fmt::Result with Ok(())\n";

    fn list(text: &str) -> Result<List> {
        List::parse(text)
    }

    #[test]
    fn a_name_has_no_line_but_a_number_where_there_are_several() {
        let all = list("").unwrap().numbered(PRINTED).unwrap();
        let names: Vec<_> = all.iter().map(|mutant| mutant.name.as_str()).collect();
        assert_eq!(
            names[..3],
            [
                "a.rs: replace f -> u8 with 0",
                "a.rs: replace == with != in g #1",
                "a.rs: replace == with != in g #2"
            ]
        );
        assert_eq!(all[2].full, "a.rs:5:6: replace == with != in g");
    }

    #[test]
    fn what_is_skipped_is_not_tried_and_must_be_there() {
        let skips = list("[[skipped]]\ncontains = 'fmt::Debug for'\nwhy = 'for people'\n").unwrap();
        assert_eq!(skips.numbered(PRINTED).unwrap().len(), 3);
        assert_eq!(skips.exclusions(), ["--exclude-re", "fmt::Debug for"]);
        let error = skips
            .numbered("a.rs:1:2: replace f")
            .unwrap_err()
            .to_string();
        assert!(error.contains("in no mutant's name"), "{error}");
    }

    #[test]
    fn an_explanation_that_fits_nothing_is_stale() {
        let list = list(
            "[[explained]]\nwhere = ['a.rs: replace == with != in g #2', 'a.rs: replace f -> u8 with 0']\nwhy = 'same'\n\
             [[explained]]\nwhere = ['a.rs: replace == with != in g']\nwhy = 'which?'\n",
        )
        .unwrap();
        assert_eq!(list.explained(), 3);
        let all = list.numbered(PRINTED).unwrap();
        assert_eq!(list.stale(&all), ["a.rs: replace == with != in g"]);
        let why = |full| list.explanation(&all, full);
        assert_eq!(why("a.rs:5:6: replace == with != in g"), Some("same"));
        assert_eq!(why("a.rs:1:2: replace f -> u8 with 0"), Some("same"));
        assert_eq!(why("a.rs:3:4: replace == with != in g"), None);
    }

    #[test]
    fn entries_without_a_reason_and_twofold_ones_are_refused() {
        let entry = "[[explained]]\nwhere = ['a']\nwhy = 'b'\n";
        assert!(list(entry).is_ok());
        assert!(list(&entry.replace("'a'", "'a', 'a'")).is_err());
        assert!(list(&entry.replace("'a'", "")).is_err());
        assert!(list(&entry.repeat(2)).is_err());
        assert!(list(&entry.replace('b', " ")).is_err());
        assert!(list(&entry.replace("why", "reason")).is_err());
    }

    #[test]
    fn a_text_is_taken_as_it_is() {
        assert_eq!(literally("a(b)|c"), "a\\(b\\)\\|c");
        assert_eq!(
            exactly(&[&"f:1:2: x + y".into()]),
            ["--re", "^f:1:2: x \\+ y$"]
        );
    }

    #[test]
    fn the_kept_file_is_well_formed() {
        list(include_str!("../../../mutants-broad.toml")).unwrap();
    }
}
