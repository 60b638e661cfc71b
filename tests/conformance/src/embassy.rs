//! The suite against `ecluse-embassy`: the core under a critical section, by the names that its users have. On a chip [`ours`](crate::ours) is
//! the same.

use crate::registry::{Case, Part, Verdict};
use crate::runtime::Runtime;

/// What the cases name.
pub(crate) mod subject {
    pub(crate) use ecluse_core::CriticalSection as ListLock;
    pub(crate) use ecluse_embassy::*;
}

// Compiled again on purpose: the same source, another subject.
#[allow(clippy::duplicate_mod)]
#[path = "cases/mod.rs"]
pub(crate) mod cases;
#[allow(clippy::duplicate_mod)]
#[path = "cases_engine/mod.rs"]
pub(crate) mod engine;

/// Runs one case.
///
/// # Panics
/// If an expectation of the case fails, or the case is not in [`list`](crate::ours::list).
pub async fn run<R: Runtime>(rt: R, case: &'static Case) -> Verdict {
    let verdict = if case.engine_only {
        engine::Room::run(rt, case).await
    } else {
        cases::Room::run(rt, case).await
    };
    verdict.expect("a case that is listed can be run")
}
