//! Waits with a bound, by this clock. What they mean is the core's.

use crate::ThreadTimer;

ecluse_core::bind_timer!(ThreadTimer, core::time::Duration);
