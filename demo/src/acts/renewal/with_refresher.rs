//! The renewal by a `Refresher`. Nothing here knows the runtime.

use std::{
    pin::pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ecluse_tokio::{
    DefaultLock, Refresher, TokioTimer,
    refresh::{Hear, Minted, NoValue, Policy, Step, Version},
};
use futures_lite::future::poll_once;

use super::{
    call::{Call, Renew},
    ledger::{Grant, SIGNED_OUT},
};
use crate::{
    load::Failed,
    report::Way,
    runtime::Runtime,
    timeline::{Doing, Open},
};

/// One request renews, early if it can be, and the others go on with the token that there is, or wait.
/// If the one is cut off, exactly one of those who wait takes over; a late refusal of an old token
/// renews nothing; and a token endpoint that is down is asked now and then.
#[derive(Debug)]
pub(crate) struct ByRefresher {
    token: Refresher<Grant, Failed, DefaultLock, Journal>,
    /// The last grant, for its refresh token.
    last: AtomicU64,
    /// The clients start with `last`.
    begun: AtomicBool,
}

/// What happened to the refresher.
#[derive(Debug)]
pub(crate) struct Journal {
    start: Instant,
    steps: Mutex<Vec<(Duration, Step)>>,
}

impl Hear for Journal {
    fn hear(&self, step: Step) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push((self.start.elapsed(), step));
    }
}

impl Renew for ByRefresher {
    const WAY: Way = Way {
        name: "ecluse Refresher",
        met: "ecluse's Refresher: early, at half of a token's life, while the others go on; at once when the token was \
              revoked; a breaker before an endpoint that is down",
        fails: "an outage that outlasts the token, or a token revoked in it: there is none to be had",
    };
    type Seen = Version;

    fn new(first: Grant, life: Duration) -> Self {
        // As early as may be, which is at half of a token's life.
        let policy = Policy::new()
            .early(life)
            .back_off(life / 50, life / 10)
            .breaker(3, life / 10);
        let journal = Journal {
            start: Instant::now(),
            steps: Mutex::default(),
        };
        Self {
            token: Refresher::with_observer(TokioTimer, policy, journal),
            last: AtomicU64::new(first),
            begun: AtomicBool::new(false),
        }
    }

    async fn token<R: Runtime>(&self, call: &Call<R>) -> Result<(Grant, Version), Failed> {
        // For the timeline only: since when this request waits, and whether it renews.
        let waiting: Mutex<Option<Open>> = Mutex::new(None);
        let waited = || {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.take().map(Open::end).is_some()
        };
        let renews = AtomicBool::new(false);
        let mint = || async {
            renews.store(true, Ordering::Relaxed);
            let last = self.last.load(Ordering::Acquire);
            let doing = if waited() {
                Doing::TakingOver
            } else {
                Doing::Holding
            };
            let grant = if self.begun.swap(true, Ordering::Relaxed) {
                call.mint(doing, last).await
            } else {
                Ok(last)
            };
            match grant {
                Ok(grant) => self.last.store(grant, Ordering::Release),
                Err(Failed::SignedOut) => self.last.store(SIGNED_OUT, Ordering::Release),
                Err(_) => {}
            }
            Ok(Minted::expires_in(grant?, call.route.life))
        };
        let mut token = pin!(self.token.get(mint));
        let token = match poll_once(token.as_mut()).await {
            Some(token) => token,
            None => {
                if !renews.load(Ordering::Relaxed) {
                    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    *waiting = Some(call.begin(Doing::Waiting));
                }
                token.await
            }
        };
        waited();
        match token {
            Ok(token) => Ok((token.value, token.version)),
            Err(NoValue::Failed(why)) => Err(why),
            Err(NoValue::Open) => Err(Failed::Down),
            Err(_) => Err(Failed::Refused),
        }
    }

    async fn renew<R: Runtime>(&self, _: &Call<R>, _: Grant, seen: Version) -> Result<(), Failed> {
        self.token.invalidate(seen);
        Ok(())
    }

    fn opened(&self) -> Option<Vec<(Duration, Duration)>> {
        let steps = self.token.observer().steps.lock();
        let steps = steps.unwrap_or_else(PoisonError::into_inner);
        let (mut open, mut since) = (Vec::new(), None);
        for (at, step) in &*steps {
            match step {
                Step::Opened => since = since.or(Some(*at)),
                Step::Closed => open.extend(since.take().map(|from| (from, *at))),
                _ => {}
            }
        }
        Some(open)
    }
}
