//! The suite against `ecluse-core`.

use crate::registry::{Case, Suite, Verdict};
use crate::runtime::Runtime;

/// What the cases name: the core, with the lock that its features choose.
pub(crate) mod subject {
    pub(crate) use ecluse_core::DefaultLock as ListLock;
    pub(crate) use ecluse_core::*;
}

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
