//! operation-queue's `Line`: acquire, or wait for the line to be free.

use std::future::Future;

use operation_queue::line_token::{AcquireOutcome, Line, Token};

use super::{GiveBack, Signal};
use crate::crowd::now;

pub struct OperationLine(Line);

impl GiveBack for Token<'_> {}

impl OperationLine {
    /// Only for a line that is free.
    #[inline(always)]
    pub fn try_lock(&self) -> Option<impl GiveBack> {
        match now(self.0.try_acquire_token()) {
            AcquireOutcome::Success(token) => Some(token),
            AcquireOutcome::Failure(_) => None,
        }
    }
}

impl Signal for OperationLine {
    const NAME: &'static str = "operation-queue Line";

    fn new() -> Self {
        Self(Line::new())
    }

    fn hold(&self) -> impl GiveBack {
        self.try_lock().expect("free")
    }

    #[inline(always)]
    fn wait(&self) -> impl Future {
        match now(self.0.try_acquire_token()) {
            AcquireOutcome::Failure(wait) => wait,
            AcquireOutcome::Success(_) => unreachable!("held"),
        }
    }
}
