//! Waits with a bound, by smol's time. What they mean is the core's.

use crate::SmolTimer;

ecluse_core::bind_timer!(SmolTimer, core::time::Duration);
