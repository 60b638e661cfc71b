//! Waits with a bound, by tokio's time. What they mean is the core's.

use crate::TokioTimer;

ecluse_core::bind_timer!(TokioTimer, core::time::Duration);
