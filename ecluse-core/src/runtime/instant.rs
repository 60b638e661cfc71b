//! Sums on the standard library's clock that cannot overflow, neither here nor in a runtime's
//! timer.

use core::time::Duration;
use std::time::Instant;

/// Room for the rounding of a timer driver: some round a deadline up to their next millisecond.
const ROUNDING: Duration = Duration::from_secs(1);

/// The moment `by` after `from`; at the latest the clock's last one, less a second of room for a
/// runtime that rounds deadlines up. What [`Clock::after`](super::Clock::after) needs on a host.
///
/// ```
/// use std::time::{Duration, Instant};
/// use ecluse_core::runtime::instant_after;
///
/// let now = Instant::now();
/// assert_eq!(instant_after(now, Duration::from_millis(5)), now + Duration::from_millis(5));
/// let last = instant_after(now, Duration::MAX);
/// assert_eq!(instant_after(last, Duration::from_secs(1)), last);
/// ```
#[must_use]
pub fn instant_after(from: Instant, by: Duration) -> Instant {
    by.checked_add(ROUNDING)
        .and_then(|with_room| from.checked_add(with_room))
        .map_or_else(|| last(from), |_| from + by)
}

/// The clock's last moment, found from `from`: the standard library names none.
#[cold]
fn last(from: Instant) -> Instant {
    let mut last = from;
    let steps = (0..u64::BITS)
        .map(|bit| Duration::from_secs(1 << bit))
        .rev()
        .chain((0..30).map(|bit| Duration::from_nanos(1 << bit)).rev());
    for step in steps {
        last = last.checked_add(step).unwrap_or(last);
    }
    last.checked_sub(ROUNDING).unwrap_or(from)
}
