//! The acts of the demo. Each shows one thing that is hard to get right by hand, and gives its part
//! of the one report: a table, panels of the picture, a verdict.
//!
//! An act takes clients from `load`, HTTP from `http`, and tells what happened to a `Timeline`.
//! To add one: implement [`Act`], name it in [`ALL`].

mod coalescing;
mod renewal;
mod shutdown;

use crate::{
    args::Args,
    report::{
        picture::{Panel, Words},
        table::Table,
    },
};

/// All acts, in the order in which they are shown.
pub(crate) const ALL: &[&dyn Act] = &[
    &renewal::Renewal,
    &coalescing::Coalescing,
    &shutdown::Shutdown,
];

pub(crate) trait Act {
    /// What it is about, in one line.
    fn title(&self) -> &'static str;

    /// What it is called on the command line.
    fn name(&self) -> &'static str;

    /// Runs it, showing how it goes.
    fn perform(&self, args: &Args) -> Scene;
}

/// What an act adds to the report.
pub(crate) struct Scene {
    pub(crate) table: Table,
    /// What is said in its part of the picture.
    pub(crate) words: &'static Words,
    pub(crate) panels: Vec<Panel>,
    /// Remarks on the numbers: what the machine did to them.
    pub(crate) notes: Vec<String>,
    pub(crate) verdict: Verdict,
}

/// Whether ecluse kept its promises in an act.
pub(crate) struct Verdict {
    /// In one line.
    pub(crate) summary: String,
    /// The promises that were broken.
    pub(crate) broken: Vec<String>,
}
