//! Waits with a bound, by smol's time. What they mean is the core's.

use ecluse_core::DefaultLock;

use crate::SmolTimer;

ecluse_core::bind_timer!(SmolTimer, core::time::Duration);

/// [`ecluse_core::Refresher`] by smol's clock: `Refresher::new(SmolTimer, Policy::new())`.
pub type Refresher<T, E, L = DefaultLock, O = ()> = ecluse_core::Refresher<T, E, SmolTimer, L, O>;
