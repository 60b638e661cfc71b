//! moka: `get_with` of its `future::Cache`, which keeps the value.

use std::future::Future;

use moka::future::Cache;

use super::{Answer, Filled, SingleFlight};
use crate::crowd::{VALUE, now};

pub struct Moka(Cache<u64, u64>);

impl SingleFlight for Moka {
    const NAME: &'static str = "moka";

    fn new(_: usize) -> Self {
        Self(Cache::new(1000))
    }

    #[inline(always)]
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.0.get_with(flight as u64, work)
    }

    fn forget(&mut self, _: usize) {
        self.0 = Cache::new(1000);
    }
}

impl Filled for Moka {
    const NAME: &'static str = "moka";

    fn filled() -> Self {
        let cache = Cache::new(1000);
        futures_lite::future::block_on(cache.insert(1, VALUE));
        Self(cache)
    }

    #[inline(always)]
    fn get(&self) -> Option<impl Answer> {
        now(self.0.get(&1))
    }

    #[inline(always)]
    fn get_or_make(&self) -> impl Future<Output = impl Answer> {
        self.0.get_with(1, std::future::pending::<u64>())
    }
}
