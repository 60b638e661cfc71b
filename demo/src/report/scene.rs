//! What an act adds to the report, and how the terminal shows it.

use std::fmt;

use super::{
    picture::{Panel, Part, Words},
    table::Table,
    verdict::Verdict,
};

/// One of the ways that an act compares: by hand, or with ecluse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// Where one meets it.
    pub(crate) met: &'static str,
    /// What it does not survive.
    pub(crate) fails: &'static str,
}

/// The pictures of a run: the whole of it, then stretches of it close up.
pub(crate) struct Shown {
    pub(crate) way: Way,
    pub(crate) panels: Vec<Panel>,
}

/// What an act adds to the report; the last run is the one with ecluse.
pub(crate) struct Scene {
    pub(crate) table: Table,
    /// What is said in its picture.
    pub(crate) words: &'static Words,
    pub(crate) runs: Vec<Shown>,
    /// Remarks on the numbers: what the machine did to them.
    pub(crate) notes: Vec<String>,
    pub(crate) verdict: Verdict,
}

/// An act that is over.
pub(crate) struct Played {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// `one`, `two`, …
    pub(crate) number: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) scene: Scene,
}

impl Played {
    /// Its picture.
    pub(crate) fn part(&self) -> Part<'_> {
        Part {
            title: self.title,
            words: self.scene.words,
            panels: self.scene.runs.iter().flat_map(|run| &run.panels).collect(),
        }
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table)?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        self.verdict.fmt(f)
    }
}
