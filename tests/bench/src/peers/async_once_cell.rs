//! async-once-cell: `get_or_init` of a cell, with the work's future.

use std::future::Future;

use async_once_cell::OnceCell;

use super::{Answer, Filled, SingleFlight};
use crate::crowd::VALUE;

/// Nothing is forgotten in a cell, so there is a new one for each flight.
pub struct AsyncOnceCell(Vec<OnceCell<u64>>);

impl SingleFlight for AsyncOnceCell {
    const NAME: &'static str = "async-once-cell";

    fn new(flights: usize) -> Self {
        Self((0..flights).map(|_| OnceCell::new()).collect())
    }

    #[inline(always)]
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.0[flight].get_or_init(work)
    }

    fn forget(&mut self, _: usize) {
        for cell in &mut self.0 {
            *cell = OnceCell::new();
        }
    }
}

impl Filled for OnceCell<u64> {
    const NAME: &'static str = "async-once-cell";

    fn filled() -> Self {
        Self::new_with(VALUE)
    }

    #[inline(always)]
    fn get(&self) -> Option<impl Answer> {
        self.get()
    }

    #[inline(always)]
    fn get_or_make(&self) -> impl Future<Output = impl Answer> {
        self.get_or_init(std::future::pending::<u64>())
    }
}
