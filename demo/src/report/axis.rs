//! The time axis of the picture.

use std::time::Duration;

use super::picture::{LEFT, Panel, WIDTH};
use crate::timeline::Span;

/// The axis ends so much after the shortest run at least, however long the longest goes on.
const AXIS: f64 = 1.35;

/// Seconds to pixels.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub(super) from: f64,
    pub(super) seconds: f64,
}

impl Axis {
    pub(super) fn of(panels: &[Panel]) -> Self {
        let whole = panels.iter().filter(|panel| panel.close_up.is_none());
        let ends = || whole.clone().map(|panel| panel.end.as_secs_f64());
        let shortest = ends().fold(f64::INFINITY, f64::min).max(0.1);
        let longest = ends().fold(0.1, f64::max);
        Self {
            from: 0.0,
            seconds: longest.min(shortest * AXIS),
        }
    }

    pub(super) fn close_up((from, to): (Duration, Duration)) -> Self {
        Self {
            from: from.as_secs_f64(),
            seconds: to.saturating_sub(from).as_secs_f64().max(0.001),
        }
    }

    pub(super) fn x(self, at: Duration) -> f64 {
        LEFT + WIDTH * ((at.as_secs_f64() - self.from) / self.seconds).clamp(0.0, 1.0)
    }

    pub(super) fn ends(self, at: Duration) -> bool {
        at.as_secs_f64() <= self.from + self.seconds
    }

    pub(super) fn shows(self, span: &Span) -> bool {
        span.to().as_secs_f64() >= self.from && self.ends(span.from())
    }
}
