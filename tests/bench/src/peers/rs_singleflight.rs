//! rs-singleflight: `Group::do_call`, by its default policy.

use std::{convert::Infallible, future::Future};

use rs_singleflight::Group;

use super::{Answer, SingleFlight};

pub struct RsSingleflight(Group<u64, u64, Infallible>);

impl SingleFlight for RsSingleflight {
    const NAME: &'static str = "rs-singleflight";

    fn new(_: usize) -> Self {
        Self(Group::new())
    }

    #[inline(always)]
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.0
            .do_call(flight as u64, move || async move { Ok(work.await) })
    }
}
