//! The renewal under a `Line`.

use std::sync::atomic::{AtomicU64, Ordering};

use ecluse_tokio::{AcquireIf, Generation, Line};

use crate::{
    call::{Call, Failed, Renewal},
    ledger::Token,
    timeline::Doing,
};

/// One client renews, the others wait for that. If the one is cut off, the line is free again, and
/// exactly one of the others takes over; a late refusal of an old token renews nothing.
#[derive(Debug, Default)]
pub(crate) struct UnderLine {
    token: AtomicU64,
    renewal: Line,
}

impl Renewal for UnderLine {
    const NAME: &str = "ecluse Line";
    type Seen = Generation;

    fn current(&self) -> (Token, Generation) {
        // The generation first: it is never newer than the token that goes with it.
        let seen = self.renewal.generation();
        (self.token.load(Ordering::Acquire), seen)
    }

    async fn renew(&self, call: &Call, _: Token, mut seen: Generation) -> Result<(), Failed> {
        let mut doing = Doing::Minting;
        loop {
            match self.renewal.acquire_if(seen) {
                AcquireIf::Outdated => return Ok(()),
                AcquireIf::Success(token) => {
                    let (current, _) = self.current();
                    let fresh = call.mint(doing, current).await?;
                    self.token.store(fresh, Ordering::Release);
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
