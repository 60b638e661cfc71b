//! The suite against `ecluse-core`.

use crate::registry::{Case, Suite, Verdict};
use crate::runtime::Runtime;

use ecluse_core as subject;

#[path = "cases/mod.rs"]
pub(crate) mod cases;
#[path = "cases_engine/mod.rs"]
pub(crate) mod engine;

/// Every case, the core's own included, in a fixed order.
pub fn list() -> impl Iterator<Item = &'static Case> {
    cases::Room::MODULES
        .iter()
        .chain(engine::Room::MODULES)
        .copied()
        .flatten()
}

/// Runs one case.
///
/// # Panics
/// If an expectation of the case fails, or the case is not in [`list`].
pub async fn run<R: Runtime>(rt: R, case: &'static Case) -> Verdict {
    let verdict = if case.engine_only {
        engine::Room::run(rt, case).await
    } else {
        cases::Room::run(rt, case).await
    };
    verdict.expect("a case that is listed can be run")
}
