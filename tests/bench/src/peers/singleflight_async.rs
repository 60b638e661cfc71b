//! singleflight-async: `SingleFlight::work`. A call joins when it is made, not when it is polled.

use std::future::Future;

use singleflight_async::SingleFlight as Theirs;

use super::{Answer, SingleFlight};

pub struct SingleflightAsync(Theirs<u64, u64>);

impl SingleFlight for SingleflightAsync {
    const NAME: &'static str = "singleflight-async";

    fn new(_: usize) -> Self {
        Self(Theirs::new())
    }

    #[inline(always)]
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.0.work(flight as u64, move || work)
    }
}
