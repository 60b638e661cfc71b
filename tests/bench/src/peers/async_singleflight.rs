//! async_singleflight: `UnaryGroup::work`, for work that cannot fail.

use std::future::Future;

use async_singleflight::UnaryGroup;

use super::{Answer, SingleFlight};

pub struct AsyncSingleflight {
    group: UnaryGroup<u64, u64>,
    keys: Vec<u64>,
}

impl SingleFlight for AsyncSingleflight {
    const NAME: &'static str = "async_singleflight";

    fn new(flights: usize) -> Self {
        Self {
            group: UnaryGroup::new(),
            keys: (0..flights as u64).collect(),
        }
    }

    #[inline(always)]
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.group.work(&self.keys[flight], work)
    }
}
