//! Waits with a bound, by embassy's time. What they mean is the core's.
//!
//! Limits are `embassy_time::Duration`, which firmware computes with.

use crate::EmbassyTimer;

ecluse_core::bind_timer!(EmbassyTimer, embassy_time::Duration);
