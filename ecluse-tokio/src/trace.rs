//! What happens to a slot or line, as events of `tracing`.

use ecluse_core::observe::{Event, Numbered, Observer};

/// Emits each step as an event of level `TRACE` with the target `ecluse` and the fields `object`
/// (the name given here), `number` (its place in the object's history) and `step`.
///
/// ```
/// use ecluse_tokio::{DefaultLock, Line, TracingObserver};
///
/// static LOGIN: Line<DefaultLock, TracingObserver> =
///     Line::with_observer(TracingObserver::new("login"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TracingObserver {
    object: &'static str,
}

impl TracingObserver {
    /// An observer of the slot or line called `object`.
    #[must_use]
    pub const fn new(object: &'static str) -> Self {
        Self { object }
    }
}

impl Observer for TracingObserver {
    type Numbers = Numbered;

    fn event(&self, event: Event) {
        tracing::trace!(
            target: "ecluse",
            object = self.object,
            number = event.number,
            step = ?event.kind,
        );
    }
}
