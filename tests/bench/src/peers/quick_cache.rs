//! quick_cache: `get_or_insert_async` of its `sync::Cache`, which keeps the value; and its guard, let
//! go, so that nothing is kept.

use std::{convert::Infallible, future::Future};

use quick_cache::sync::Cache;

use super::{Answer, Filled, SingleFlight};
use crate::crowd::{VALUE, now};

pub struct QuickCache(Cache<u64, u64>);

impl QuickCache {
    pub const GUARD: &'static str = "quick_cache guard";

    /// One claim of a key, given back without a value.
    #[inline(always)]
    pub fn claim_and_let_go(&self, key: u64) {
        drop(now(self.0.get_value_or_guard_async(&key)));
    }
}

impl SingleFlight for QuickCache {
    const NAME: &'static str = "quick_cache";

    fn new(_: usize) -> Self {
        Self(Cache::new(1000))
    }

    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        let key = flight as u64;
        // (It borrows the key for as long as it waits.)
        async move {
            self.0
                .get_or_insert_async(&key, async { Ok::<_, Infallible>(work.await) })
                .await
        }
    }

    fn forget(&mut self, _: usize) {
        self.0.clear();
    }
}

impl Filled for QuickCache {
    const NAME: &'static str = "quick_cache";

    fn filled() -> Self {
        let cache = Cache::new(1000);
        cache.insert(1, VALUE);
        Self(cache)
    }

    #[inline(always)]
    fn get(&self) -> Option<impl Answer> {
        self.0.get(&1)
    }

    #[inline(always)]
    fn get_or_make(&self) -> impl Future<Output = impl Answer> {
        self.0
            .get_or_insert_async(&1, std::future::pending::<Result<u64, Infallible>>())
    }
}
