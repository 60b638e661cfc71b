//! Waits with a bound, by tokio's time. What they mean is the core's.

use ecluse_core::DefaultLock;

use crate::TokioTimer;

ecluse_core::bind_timer!(TokioTimer, core::time::Duration);

/// [`ecluse_core::Refresher`] by tokio's clock: `Refresher::new(TokioTimer, Policy::new())`.
pub type Refresher<T, E, L = DefaultLock, O = ()> = ecluse_core::Refresher<T, E, TokioTimer, L, O>;
