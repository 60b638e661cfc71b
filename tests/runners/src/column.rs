//! The columns of the matrix: a runtime, and which implementation it runs.

use ecluse_conformance::{Caps, Case, Runtime, Verdict, Why, embassy, ours, reference};

use crate::runtimes;

/// Which implementation a column tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Ours,
    /// Under a critical section, by the names of `ecluse-embassy`.
    Embassy,
    Reference,
}

/// One column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) caps: Caps,
    pub(crate) scale: usize,
    pub(crate) suite: Suite,
    /// Runs one case on a runtime of its own, to the end. A failure panics.
    pub(crate) run: fn(Suite, &'static Case) -> Verdict,
}

impl Column {
    const fn of<R: Runtime>(run: fn(Suite, &'static Case) -> Verdict) -> Self {
        Self {
            name: R::NAME,
            caps: R::CAPS,
            scale: R::SCALE,
            suite: Suite::Ours,
            run,
        }
    }

    /// Why a case does not apply in this column; `None`: it does.
    pub(crate) fn not_applicable(&self, case: &Case) -> Option<Why> {
        match self.suite {
            Suite::Ours | Suite::Embassy => case.not_applicable(self.caps),
            Suite::Reference => case.not_applicable_to_reference(self.caps),
        }
    }
}

/// Every column that a host can run, in the order of the matrix.
pub(crate) const COLUMNS: &[Column] = &[
    Column::of::<runtimes::tokio::CurrentThread>(runtimes::tokio::run_on_current_thread),
    Column::of::<runtimes::tokio::MultiThread>(runtimes::tokio::run_on_threads),
    Column::of::<runtimes::smol::Smol>(runtimes::smol::run),
    Column::of::<runtimes::async_std::AsyncStd>(runtimes::async_std::run),
    Column {
        suite: Suite::Embassy,
        ..Column::of::<runtimes::embassy::Embassy>(runtimes::embassy::run)
    },
    Column::of::<runtimes::block_on::BlockOn>(runtimes::block_on::run),
    Column::of::<runtimes::sim::SimRuntime>(runtimes::sim::run),
    Column {
        name: "reference",
        suite: Suite::Reference,
        ..Column::of::<runtimes::tokio::MultiThread>(runtimes::tokio::run_on_threads)
    },
];

/// The case's future against the column's implementation.
pub(crate) async fn case<R: Runtime>(rt: R, suite: Suite, case: &'static Case) -> Verdict {
    match suite {
        Suite::Ours => ours::run(rt, case).await,
        Suite::Embassy => embassy::run(rt, case).await,
        Suite::Reference => reference::run(rt, case).await,
    }
}
