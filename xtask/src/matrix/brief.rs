//! The matrix in brief, for the README: a row a subject, a column a place.
//!
//! Invariant: each module of the suite belongs to one subject, and each column to one place or to [`APART`]; a run that
//! meets another one says so instead of leaving it out.

use super::{Matrix, split, verdict_of};
use crate::{
    firmware::CHIPS,
    protocol::{Report, Verdict},
};
use anyhow::{Result, ensure};
use core::fmt::Write as _;

/// What the modules are about: a module is named here, or has a word of its name here (`hostile_refresh`: `refresh`).
const SUBJECTS: &[(&str, &[&str])] = &[
    (
        "`Slot`, `Line`",
        &[
            "blocking",
            "bounds",
            "broadcast",
            "claim",
            "election",
            "ending",
            "forgotten",
            "guard",
            "hostile",
            "line",
            "orphan",
            "panics",
            "revoke",
            "wait",
        ],
    ),
    (
        "`Flight`, `Group`, `Once`, `Relay`",
        &[
            "detached",
            "flight",
            "group",
            "hostile_values",
            "once",
            "relay",
        ],
    ),
    ("`Refresher`", &["refresh"]),
    ("`Admission`", &["admission"]),
    (
        "`Scope`, joins, spawned tasks",
        &["join", "scope", "spawned"],
    ),
    ("`Channel`", &["channel"]),
    ("`FlushTable`", &["flush"]),
    (
        "from interrupts, across priorities",
        &["interrupt", "priority"],
    ),
    (
        "load, bad input, histories, traces, the suite itself",
        &["harness", "histories", "input", "load", "trace"],
    ),
];

/// The subject of a module: the one that names it, or else the one of a word of its name.
fn subject(module: &str) -> Option<&'static str> {
    let of = |wanted: &str| {
        let found = SUBJECTS.iter().find(|(_, of)| of.contains(&wanted));
        found.map(|(subject, _)| *subject)
    };
    let words = module.split('_').filter(|word| *word != "hostile");
    // The first word says more: `flight_bounds` is about flights.
    of(module).or_else(|| words.into_iter().find_map(of))
}

/// Where they work. The chips, all of them, are one more place.
const PLACES: &[(&str, &[&str])] = &[
    ("tokio", &["tokio-ct", "tokio-mt"]),
    ("smol", &["smol"]),
    ("async-std", &["async-std"]),
    ("embassy", &["embassy"]),
    ("no runtime", &["block-on"]),
];

/// Columns that are no place to work in: they test the suite, and the schedule.
const APART: &[&str] = &["sim", "reference"];

impl Matrix<'_> {
    /// How many of each subject's cases hold in each place.
    pub(crate) fn brief(&self) -> Result<String> {
        let chips: Vec<&str> = CHIPS.iter().map(|chip| chip.name).collect();
        let chips_name = format!("{} chips", chips.len());
        let mut places = PLACES.to_vec();
        places.push((&chips_name, &chips));
        for report in self.reports {
            let name = report.runtime.as_str();
            ensure!(
                APART.contains(&name) || places.iter().any(|(_, columns)| columns.contains(&name)),
                "xtask/src/matrix/brief.rs has no place for the column `{name}`"
            );
        }
        let modules = self.modules();
        for module in modules.keys() {
            ensure!(
                subject(module).is_some(),
                "xtask/src/matrix/brief.rs has no subject for the module `{module}`"
            );
        }
        let heads: Vec<_> = places.iter().map(|(place, _)| *place).collect();
        let mut out = format!(
            "| | cases | {} |\n|---|---|{}\n",
            heads.join(" | "),
            "---|".repeat(heads.len())
        );
        for (head, _) in SUBJECTS {
            let names: Vec<&str> = self
                .names
                .iter()
                .copied()
                .filter(|name| subject(split(name).0) == Some(head))
                .collect();
            let cells = places.iter().map(|(_, columns)| {
                let reports = self.reports.iter();
                let there = reports.filter(|report| columns.contains(&report.runtime.as_str()));
                cell(there, &names)
            });
            let cells: Vec<_> = cells.collect();
            let _ = writeln!(out, "| {head} | {} | {} |", names.len(), cells.join(" | "));
        }
        Ok(out)
    }
}

/// How many of the cases hold on these runtimes: the fewest and the most of them.
fn cell<'r>(reports: impl Iterator<Item = &'r Report> + Clone, names: &[&str]) -> String {
    let count = |report: &Report, wanted| {
        let verdicts = names.iter().map(|name| verdict_of(report, name));
        verdicts.filter(|verdict| *verdict == Some(wanted)).count()
    };
    let passed = reports.clone().map(|report| count(report, Verdict::Pass));
    let failed: usize = reports.map(|report| count(report, Verdict::Fail)).sum();
    let held = match (passed.clone().min(), passed.max()) {
        (None, _) | (_, None) => "not run".into(),
        (Some(0), Some(0)) => "–".into(),
        (Some(fewest), Some(most)) if fewest < most => format!("{fewest}–{most}"),
        (Some(all), _) => all.to_string(),
    };
    match failed {
        0 => held,
        failed => format!("{held}, {failed} FAIL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::parse, test::columns, workspace};
    use std::fs;

    #[test]
    fn every_column_has_one_place() {
        for column in columns() {
            let chips = CHIPS.iter().filter(|chip| chip.name == column).count();
            let apart = APART.iter().filter(|apart| **apart == column).count();
            let places = PLACES.iter().flat_map(|(_, columns)| *columns);
            let places = places.filter(|place| **place == column).count();
            assert_eq!(chips + apart + places, 1, "{column}");
        }
    }

    /// The suite's modules, read from its sources: `cases! { NAME: …` or `cases! { engine NAME: …`.
    fn modules() -> Vec<String> {
        let suite = workspace::root().join("tests/conformance/src");
        let rooms = ["cases", "cases_engine"].map(|room| suite.join(room));
        let files = rooms.iter().flat_map(|room| fs::read_dir(room).unwrap());
        let texts = files
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .map(|path| fs::read_to_string(path).unwrap());
        let heads = texts.filter_map(|text| {
            let (_, list) = text.split_once("\ncases! {")?;
            let (head, _) = list.split_once(':')?;
            Some(head.trim().trim_start_matches("engine ").to_owned())
        });
        heads.collect()
    }

    #[test]
    fn every_module_has_a_subject() {
        let modules = modules();
        assert!(modules.len() > 40, "{modules:?}");
        for module in modules {
            assert!(subject(&module).is_some(), "{module}");
        }
        assert_eq!(subject("hostile_refresh"), Some("`Refresher`"));
        assert_eq!(subject("scope_guard"), subject("scope"));
        assert_eq!(subject("flight_bounds"), subject("flight"));
        assert_eq!(subject("hostile_unheard_of"), None);
    }

    #[test]
    fn a_place_of_several_columns_shows_the_fewest_and_the_most() {
        let one = "scale\ttokio-ct\t1\ncase\ttokio-ct\tline::l01\tpass\t1\t\n\
            case\ttokio-ct\tclaim::c01\tn/a\t1\tno\nend\ttokio-ct\t1\t0\t1\n";
        let other = "scale\ttokio-mt\t1\ncase\ttokio-mt\tline::l01\tpass\t1\t\n\
            case\ttokio-mt\tclaim::c01\tpass\t1\t\nend\ttokio-mt\t2\t0\t0\n";
        let smol = "scale\tsmol\t1\ncase\tsmol\tline::l01\tFAIL\t1\toops\n\
            case\tsmol\tclaim::c01\tpass\t1\t\nend\tsmol\t1\t1\t0\n";
        let reports = [
            parse("tokio-ct", one),
            parse("tokio-mt", other),
            parse("smol", smol),
        ];
        let table = Matrix::new(&reports).brief().unwrap();
        let row = "| `Slot`, `Line` | 2 | 1–2 | 1, 1 FAIL | not run |";
        assert!(table.contains(row), "{table}");
    }

    #[test]
    fn what_has_no_row_is_not_left_out_silently() {
        let odd = "scale\tsmol\t1\ncase\tsmol\tnew::n01\tpass\t1\t\nend\tsmol\t1\t0\t0\n";
        let error = Matrix::new(&[parse("smol", odd)]).brief().unwrap_err();
        assert!(error.to_string().contains("`new`"), "{error}");
    }
}
