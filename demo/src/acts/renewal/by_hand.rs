//! The renewal as it is written by hand, in the three ways that one meets most, and a careful fourth.
//! All are written with care, and all work as long as nobody is in a hurry and nobody is cut off.
//!
//! `tokio::sync` needs no runtime of tokio's, so the same code runs on smol and async-std.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    call::{Call, Renew},
    ledger::{Grant, SIGNED_OUT},
};
use crate::{load::Failed, report::Way, runtime::Runtime, timeline::Doing};

/// "401 → refresh → retry": the retry middleware round an HTTP client, which knows its own request
/// only. The lock round the token is not held over the refresh, since a lock of the standard library
/// cannot be held over an `await`.
///
/// It looks whether the token was renewed meanwhile, before and after. What it does not survive: that
/// two look at the same time.
#[derive(Debug)]
pub(crate) struct EachForItself(Mutex<Grant>);

impl EachForItself {
    fn with<T>(&self, change: impl FnOnce(&mut Grant) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Renew for EachForItself {
    const WAY: Way = Way {
        name: "401, refresh, retry",
        met: "retry middleware round an HTTP client; the lock round the token is not held over the refresh",
        fails: "two look at the same moment: a refresh token is used twice, the endpoint takes it for stolen and signs \
                everybody out",
    };
    type Seen = ();

    fn new(first: Grant, _: Duration) -> Self {
        Self(Mutex::new(first))
    }

    async fn token<R: Runtime>(&self, _: &Call<R>) -> Result<(Grant, ()), Failed> {
        Ok((self.with(|grant| *grant), ()))
    }

    async fn renew<R: Runtime>(
        &self,
        call: &Call<R>,
        refused: Grant,
        (): (),
    ) -> Result<(), Failed> {
        if self.with(|grant| *grant) != refused {
            return Ok(());
        }
        let minted = call.mint(Doing::Holding, refused).await;
        self.with(|grant| {
            if *grant == refused {
                *grant = or_signed_out(minted, refused);
            }
        });
        minted.map(drop)
    }
}

/// A flag says that somebody is refreshing, the others wait to be notified: the interceptor with
/// `isRefreshing` and its queue, as known from HTTP clients of browsers.
///
/// It looks whether the token was renewed meanwhile, it registers with the `Notify` before it lets
/// go of the state, and it clears the flag on failure, too. What it does not survive: that the one
/// who refreshes is cut off at its `await`, where no code of its own runs any more.
#[derive(Debug)]
pub(crate) struct FlagAndNotify {
    state: Mutex<State>,
    refreshed: Notify,
}

#[derive(Debug)]
struct State {
    grant: Grant,
    refreshing: bool,
}

impl FlagAndNotify {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Renew for FlagAndNotify {
    const WAY: Way = Way {
        name: "flag + Notify",
        met: "the interceptor with isRefreshing and a queue of requests, as in HTTP clients of browsers and apps",
        fails: "whoever refreshes is cut off at its await: the flag stays set, all others wait for ever",
    };
    type Seen = ();

    fn new(grant: Grant, _: Duration) -> Self {
        Self {
            state: Mutex::new(State {
                grant,
                refreshing: false,
            }),
            refreshed: Notify::new(),
        }
    }

    async fn token<R: Runtime>(&self, _: &Call<R>) -> Result<(Grant, ()), Failed> {
        Ok((self.with(|state| state.grant), ()))
    }

    async fn renew<R: Runtime>(
        &self,
        call: &Call<R>,
        refused: Grant,
        (): (),
    ) -> Result<(), Failed> {
        let mut refreshed = std::pin::pin!(self.refreshed.notified());
        let ours = self.with(|state| {
            if state.grant != refused {
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
                let minted = call.mint(Doing::Holding, refused).await;
                self.with(|state| {
                    state.refreshing = false;
                    state.grant = or_signed_out(minted, refused);
                });
                self.refreshed.notify_waiters();
                minted.map(drop)
            }
        }
    }
}

/// An async mutex round the refresh, so that there is one at a time: the guard that "fixes the race".
/// A cut-off is no harm to it; but whoever had to wait for the mutex refreshes once more, unless it
/// looks again (`CHECK`) whether the token that it was refused is still the present one.
#[derive(Debug)]
pub(crate) struct UnderMutex<const CHECK: bool> {
    grant: AtomicU64,
    refreshing: tokio::sync::Mutex<()>,
}

impl<const CHECK: bool> Renew for UnderMutex<CHECK> {
    const WAY: Way = if CHECK {
        Way {
            name: "Mutex + re-check",
            met: "the same after some accidents: whoever has waited for the mutex looks again at the token",
            fails: "the token ends while the endpoint is down: all ask it, one after another",
        }
    } else {
        Way {
            name: "Mutex, no re-check",
            met: "the async mutex that is put round the refresh after the first race",
            fails: "everybody who had to wait for the mutex refreshes once more, one after another",
        }
    };
    type Seen = ();

    fn new(first: Grant, _: Duration) -> Self {
        Self {
            grant: AtomicU64::new(first),
            refreshing: tokio::sync::Mutex::default(),
        }
    }

    async fn token<R: Runtime>(&self, _: &Call<R>) -> Result<(Grant, ()), Failed> {
        Ok((self.grant.load(Ordering::Acquire), ()))
    }

    async fn renew<R: Runtime>(
        &self,
        call: &Call<R>,
        refused: Grant,
        (): (),
    ) -> Result<(), Failed> {
        let held = match self.refreshing.try_lock() {
            Ok(held) => held,
            Err(_) => {
                let open = call.begin(Doing::Waiting);
                let held = self.refreshing.lock().await;
                open.end();
                held
            }
        };
        let current = self.grant.load(Ordering::Acquire);
        if !CHECK || current == refused {
            let minted = call.mint(Doing::Holding, current).await;
            self.grant
                .store(or_signed_out(minted, current), Ordering::Release);
            minted?;
        }
        drop(held);
        Ok(())
    }
}

/// The grant that there is after a mint: an `invalid_grant` signs out, another failure changes nothing.
fn or_signed_out(minted: Result<Grant, Failed>, before: Grant) -> Grant {
    match minted {
        Ok(grant) => grant,
        Err(Failed::SignedOut) => SIGNED_OUT,
        Err(_) => before,
    }
}
