//! The suite against the naive second implementation.

use crate::registry::{Case, Part, Verdict};
use crate::runtime::Runtime;

use ecluse_reference as subject;

// Compiled twice on purpose: the same source, another subject.
#[allow(clippy::duplicate_mod)]
#[path = "cases/mod.rs"]
pub(crate) mod cases;

/// Runs one case that is not `engine_only`.
///
/// # Panics
/// If an expectation of the case fails, or the case is not one of the shared ones.
pub async fn run<R: Runtime>(rt: R, case: &'static Case) -> Verdict {
    cases::Room::run(rt, case)
        .await
        .expect("a shared case can be run against the reference")
}
