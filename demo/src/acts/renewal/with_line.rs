//! The renewal under a `Line`. Nothing here knows the runtime.

use std::sync::atomic::{AtomicU64, Ordering};

use ecluse_tokio::{AcquireIf, Generation, Line};

use super::{
    call::{Call, Renew},
    ledger::{Grant, SIGNED_OUT},
};
use crate::{load::Failed, runtime::Runtime, timeline::Doing};

/// One client renews, the others wait for that. If the one is cut off, the line is free again, and
/// exactly one of the others takes over; a late refusal of an old token renews nothing.
#[derive(Debug)]
pub(crate) struct UnderLine {
    grant: AtomicU64,
    renewal: Line,
}

impl Renew for UnderLine {
    const NAME: &str = "ecluse Line";
    type Seen = Generation;

    fn new(first: Grant) -> Self {
        Self {
            grant: AtomicU64::new(first),
            renewal: Line::new(),
        }
    }

    fn current(&self) -> (Grant, Generation) {
        // The generation first: it is never newer than the grant that goes with it.
        let seen = self.renewal.generation();
        (self.grant.load(Ordering::Acquire), seen)
    }

    async fn renew<R: Runtime>(
        &self,
        call: &Call<R>,
        _: Grant,
        mut seen: Generation,
    ) -> Result<(), Failed> {
        let mut doing = Doing::Holding;
        loop {
            match self.renewal.acquire_if(seen) {
                AcquireIf::Outdated => return Ok(()),
                AcquireIf::Success(token) => {
                    let (current, _) = self.current();
                    let minted = call.mint(doing, current).await;
                    if minted == Err(Failed::SignedOut) {
                        self.grant.store(SIGNED_OUT, Ordering::Release);
                    }
                    self.grant.store(minted?, Ordering::Release);
                    token.release();
                    return Ok(());
                }
                AcquireIf::Failure(wait) => {
                    let hold = wait.generation();
                    let open = call.begin(Doing::Waiting);
                    let outcome = wait.await;
                    open.end();
                    if !outcome.is_abandoned() {
                        return Ok(());
                    }
                    // Re-election: one of those who waited for that hold takes over.
                    (seen, doing) = (hold, Doing::TakingOver);
                }
            }
        }
    }
}
