//! Whether the promises were kept: ecluse's, of which the exit code is made, and, by the same judge, those that
//! the ways by hand would have made.

use std::fmt;

use super::{
    scene::Way,
    table::{Cell, Table},
};

/// A promise of ecluse's, by which every run of an act is judged.
pub(crate) struct Promise<R> {
    /// In a few words.
    pub(crate) what: &'static str,
    /// How a run broke it, if it did.
    pub(crate) broken: fn(&R) -> Option<String>,
}

/// Whether the promises of an act were kept. The last run is the one with ecluse.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What ecluse did, in one line.
    summary: String,
    ways: Vec<&'static str>,
    /// For each promise how each run broke it, if it did.
    judged: Vec<(&'static str, Vec<Option<String>>)>,
}

impl Verdict {
    pub(crate) fn new<R>(
        summary: String,
        promises: &[Promise<R>],
        runs: &[R],
        way: impl Fn(&R) -> Way,
    ) -> Self {
        let judge = |promise: &Promise<R>| {
            let answers = runs.iter().map(promise.broken).collect();
            (promise.what, answers)
        };
        Self {
            summary,
            ways: runs.iter().map(|run| way(run).name).collect(),
            judged: promises.iter().map(judge).collect(),
        }
    }

    pub(crate) fn summary(&self) -> &str {
        &self.summary
    }

    /// The promises that ecluse broke, and how.
    pub(crate) fn broken(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.judged.iter().filter_map(|(what, answers)| {
            let how = answers.last()?.as_deref()?;
            Some((*what, how))
        })
    }

    /// Whether ecluse broke none.
    pub(crate) fn kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// How many promises ecluse kept, or broke if it did, in words.
    pub(crate) fn count(&self) -> String {
        let (all, broken) = (self.judged.len(), self.broken().count());
        if broken > 0 {
            format!("{broken} of {all} promises")
        } else {
            format!("all {all} promises")
        }
    }

    /// A row for each promise, a column for each run.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new(self.ways.iter().copied());
        table.caption("The promises of ecluse, and which runs would have kept them".to_owned());
        for (what, answers) in &self.judged {
            table.row(
                what,
                answers.iter().map(|broken| Cell::judged(broken.as_deref())),
            );
        }
        table
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kept() {
            return writeln!(f, "KEPT {} {}", self.count(), self.summary);
        }
        for (what, how) in self.broken() {
            writeln!(f, "BROKEN: {what}: {how}")?;
        }
        writeln!(f, "BROKEN {} {}", self.count(), self.summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMISES: &[Promise<u32>] = &[
        Promise {
            what: "it is even",
            broken: |run| (run % 2 == 1).then(|| format!("it was {run}")),
        },
        Promise {
            what: "it is small",
            broken: |run| (*run > 9).then(|| "it was not".to_owned()),
        },
    ];

    fn verdict(runs: &[u32]) -> Verdict {
        let way = |_: &u32| Way {
            name: "way",
            met: "",
            fails: "",
        };
        Verdict::new("with ecluse".to_owned(), PROMISES, runs, way)
    }

    #[test]
    fn only_the_last_run_is_held_to_the_promises() {
        let kept = verdict(&[11, 4]);
        assert!(kept.kept());
        assert_eq!(kept.to_string(), "KEPT all 2 promises with ecluse\n");
        let broken = verdict(&[2, 13]);
        assert!(!broken.kept());
        let how: Vec<_> = broken.broken().collect();
        assert_eq!(
            how,
            [("it is even", "it was 13"), ("it is small", "it was not")]
        );
        assert!(
            broken
                .to_string()
                .starts_with("BROKEN: it is even: it was 13\n")
        );
    }

    #[test]
    fn every_run_is_judged_in_the_table() {
        let table = verdict(&[3, 4]).table().to_string();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            ["it is even   it was 3  kept", "it is small      kept  kept"]
        );
    }
}
