//! What every client did when: spans that end with whatever ends the client's future.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What a client was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// A request with the token it has.
    Requesting,
    /// Waiting for somebody else's renewal.
    Waiting,
    /// Renewing.
    Minting,
    /// Renewing in the place of one that was cut off.
    TakingOver,
}

/// One stretch of a client's time, from the beginning of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) client: u32,
    pub(crate) doing: Doing,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    /// It did not end by itself.
    pub(crate) cut_off: bool,
}

/// More than this is not kept: enough for the longest picture that is of any use.
const MOST: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Timeline {
    start: Instant,
    spans: Mutex<Vec<Span>>,
}

impl Timeline {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            spans: Mutex::default(),
        }
    }

    /// `client` begins to do this.
    pub(crate) fn begin(self: &Arc<Self>, client: u32, doing: Doing) -> Open {
        Open {
            timeline: Arc::clone(self),
            client,
            doing,
            from: self.start.elapsed(),
            cut_off: true,
        }
    }

    /// All spans so far.
    pub(crate) fn take(&self) -> Vec<Span> {
        std::mem::take(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A span that goes on. Dropped without [`end`](Open::end), it was cut off.
pub(crate) struct Open {
    timeline: Arc<Timeline>,
    client: u32,
    doing: Doing,
    from: Duration,
    cut_off: bool,
}

impl Open {
    pub(crate) fn end(mut self) {
        self.cut_off = false;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let span = Span {
            client: self.client,
            doing: self.doing,
            from: self.from,
            to: self.timeline.start.elapsed(),
            cut_off: self.cut_off,
        };
        let spans = &self.timeline.spans;
        let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() < MOST {
            spans.push(span);
        }
    }
}
