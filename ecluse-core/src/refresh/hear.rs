//! What happens to a refresher, and who is told.

use super::Version;

/// What happens to a refresher, for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Step {
    /// A mint begins; early: while there is a valid value.
    Minting {
        /// There is a valid value meanwhile.
        early: bool,
    },
    /// A mint gave this value.
    Minted(Version),
    /// A mint failed, the so-manieth in a row.
    Failed {
        /// How many in a row.
        in_a_row: u32,
    },
    /// The breaker opened.
    Opened,
    /// The breaker closed.
    Closed,
    /// This value was refused, and is not served any more.
    Invalidated(Version),
}

/// Hears what happens to a refresher. `()` hears nothing; a function or closure may do anything
/// but panic: it runs outside every lock, in the task that did the step.
pub trait Hear {
    /// Called after each step.
    fn hear(&self, step: Step);
}

impl Hear for () {
    #[inline(always)]
    fn hear(&self, _: Step) {}
}

impl<F: Fn(Step)> Hear for F {
    fn hear(&self, step: Step) {
        self(step);
    }
}
