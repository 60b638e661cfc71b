//! The time axis of the picture, and where it lies.

use std::time::Duration;

use super::Panel;
use crate::timeline::Span;

/// The axis ends so much after the shortest run at least, however long the longest goes on.
const AXIS: f64 = 1.35;

/// How wide a picture is, and for what.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// What the labels need.
    pub(super) left: f64,
    pub(super) width: f64,
    pub(super) right: f64,
    /// How many numbers the axis has, at most.
    pub(super) numbers: f64,
}

impl Layout {
    /// For a page.
    pub(crate) const WIDE: Self = Self {
        left: 130.0,
        width: 1050.0,
        right: 24.0,
        numbers: 12.0,
    };
    /// For a telephone.
    pub(crate) const NARROW: Self = Self {
        left: 124.0,
        width: 284.0,
        right: 4.0,
        numbers: 4.0,
    };

    pub(super) const fn end(self) -> f64 {
        self.left + self.width
    }

    pub(super) const fn whole(self) -> f64 {
        self.left + self.width + self.right
    }
}

/// Seconds to pixels.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub(super) layout: Layout,
    pub(super) from: f64,
    pub(super) seconds: f64,
}

impl Axis {
    /// The one of all panels of an act that are not close up.
    pub(super) fn of(panels: &[&Panel], layout: Layout) -> Self {
        let whole = panels.iter().filter(|panel| panel.close_up.is_none());
        let ends = || whole.clone().map(|panel| panel.end.as_secs_f64());
        let shortest = ends().fold(f64::INFINITY, f64::min).max(0.1);
        let longest = ends().fold(0.1, f64::max);
        Self {
            layout,
            from: 0.0,
            seconds: longest.min(shortest * AXIS),
        }
    }

    /// The one of `panel`: its own, if it is close up.
    pub(super) fn for_panel(self, panel: &Panel) -> Self {
        match panel.close_up {
            None => self,
            Some((from, to)) => Self {
                from: from.as_secs_f64(),
                seconds: to.saturating_sub(from).as_secs_f64().max(0.001),
                ..self
            },
        }
    }

    pub(super) fn x(self, at: Duration) -> f64 {
        let part = (at.as_secs_f64() - self.from) / self.seconds;
        self.layout.left + self.layout.width * part.clamp(0.0, 1.0)
    }

    pub(super) fn ends(self, at: Duration) -> bool {
        at.as_secs_f64() <= self.from + self.seconds
    }

    pub(super) fn shows(self, span: &Span) -> bool {
        span.to().as_secs_f64() >= self.from && self.ends(span.from())
    }

    /// The moments that are numbered.
    pub(super) fn numbers(self) -> impl Iterator<Item = f64> {
        let step = [
            0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0,
        ]
        .into_iter()
        .find(|step| self.seconds / step <= self.layout.numbers)
        .unwrap_or(120.0);
        let first = (self.from / step).ceil() as u32;
        let last = ((self.from + self.seconds) / step).floor() as u32;
        (first..=last).map(move |number| f64::from(number) * step)
    }
}
