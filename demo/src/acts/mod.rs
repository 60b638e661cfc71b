//! The acts of the demo. Each shows one thing that is hard to get right by hand, and gives its part
//! of the one report: a table, panels of the picture, a verdict.
//!
//! An act takes clients from `load`, HTTP from `http`, and tells what happened to a `Timeline`.
//! To add one: implement [`Act`], name it in [`ALL`].

mod coalescing;
mod record;
mod renewal;
mod shutdown;

use crate::{
    args::Args,
    report::{Played, Scene},
};

/// All acts, in the order in which they are shown.
pub(crate) const ALL: &[&dyn Act] = &[
    &renewal::Renewal,
    &coalescing::Coalescing,
    &shutdown::Shutdown,
];

pub(crate) trait Act {
    /// What it is called on the command line.
    fn name(&self) -> &'static str;

    /// Which one it is: `one`, …
    fn number(&self) -> &'static str;

    /// What it is about, in one line …
    fn title(&self) -> &'static str;

    /// … and in some.
    fn about(&self) -> &'static str;

    /// Runs it, showing how it goes.
    fn perform(&self, args: &Args) -> Scene;

    /// What came of it, had there been one run by hand and one with ecluse, in which so many hung.
    #[cfg(test)]
    fn sample(&self, hung: usize) -> Scene;
}

impl dyn Act + '_ {
    /// Runs it, showing how it goes.
    pub(crate) fn play(&self, args: &Args) -> Played {
        self.played(self.perform(args))
    }

    /// That this came of it.
    fn played(&self, scene: Scene) -> Played {
        Played {
            name: self.name(),
            number: self.number(),
            title: self.title(),
            about: self.about(),
            scene,
        }
    }
}

/// All acts as if they had been played.
#[cfg(test)]
pub(crate) fn samples(hung: usize) -> Vec<Played> {
    let sample = |act: &&dyn Act| act.played(act.sample(hung));
    ALL.iter().map(sample).collect()
}
