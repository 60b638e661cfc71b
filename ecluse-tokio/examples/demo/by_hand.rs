//! The renewal as it is written by hand, in the two ways that one meets most. Both are written with
//! care, and both work as long as nobody is cut off.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

use crate::{
    call::{Call, Failed, Renewal},
    ledger::Token,
    timeline::Doing,
};

/// A flag says that somebody is refreshing, the others wait to be notified: the interceptor with
/// `isRefreshing` and its queue, as known from HTTP clients of browsers.
///
/// It looks whether the token was renewed meanwhile, it registers with the `Notify` before it lets
/// go of the state, and it clears the flag on failure, too. What it does not survive: that the one
/// who refreshes is cut off at its `await`, where no code of its own runs any more.
#[derive(Debug, Default)]
pub(crate) struct FlagAndNotify {
    state: Mutex<State>,
    refreshed: Notify,
}

#[derive(Debug, Default)]
struct State {
    token: Token,
    refreshing: bool,
}

impl FlagAndNotify {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Renewal for FlagAndNotify {
    const NAME: &str = "flag + Notify";
    type Seen = ();

    fn current(&self) -> (Token, ()) {
        (self.with(|state| state.token), ())
    }

    async fn renew(&self, call: &Call, refused: Token, (): ()) -> Result<(), Failed> {
        let mut refreshed = std::pin::pin!(self.refreshed.notified());
        let ours = self.with(|state| {
            if state.token != refused {
                return None;
            }
            if state.refreshing {
                refreshed.as_mut().enable();
                return Some(false);
            }
            state.refreshing = true;
            Some(true)
        });
        match ours {
            // Renewed meanwhile.
            None => Ok(()),
            Some(false) => {
                let open = call.begin(Doing::Waiting);
                refreshed.await;
                open.end();
                Ok(())
            }
            Some(true) => {
                let minted = call.mint(Doing::Minting, refused).await;
                self.with(|state| {
                    state.refreshing = false;
                    if let Ok(token) = minted {
                        state.token = token;
                    }
                });
                self.refreshed.notify_waiters();
                minted.map(drop)
            }
        }
    }
}

/// An async mutex round the refresh, so that there is one at a time. A cut-off is no harm to it;
/// but whoever had to wait for the mutex refreshes once more, since nothing tells it that the token
/// it was refused is no longer the present one.
#[derive(Debug, Default)]
pub(crate) struct LockAndMint {
    token: AtomicU64,
    refreshing: tokio::sync::Mutex<()>,
}

impl Renewal for LockAndMint {
    const NAME: &str = "Mutex, no re-check";
    type Seen = ();

    fn current(&self) -> (Token, ()) {
        (self.token.load(Ordering::Acquire), ())
    }

    async fn renew(&self, call: &Call, _: Token, (): ()) -> Result<(), Failed> {
        let held = match self.refreshing.try_lock() {
            Ok(held) => held,
            Err(_) => {
                let open = call.begin(Doing::Waiting);
                let held = self.refreshing.lock().await;
                open.end();
                held
            }
        };
        let (current, ()) = self.current();
        let token = call.mint(Doing::Minting, current).await?;
        self.token.store(token, Ordering::Release);
        drop(held);
        Ok(())
    }
}
