//! The work of a refresh: from a look, over the mint, to what is published or counted as a failure.

use core::future::Future;

use super::{
    Hear, Held, Look, Mint, Minted, NoValue, Refresher, Step, Version, health::Health, next,
    shelf::Shut, side,
};
use crate::{
    runtime::Clock,
    sync::{Lock, Ordering},
};

impl<T, E, C, L, O> Refresher<T, E, C, L, O>
where
    T: Clone,
    E: Clone,
    C: Clock,
    L: Lock,
    O: Hear,
{
    /// The work of a flight (X1). `seen` is the valid value that its leader wants replaced.
    pub(super) async fn mint<M, F>(
        &self,
        make: Option<M>,
        seen: Option<usize>,
    ) -> Mint<T, E, C::Instant>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<T>, E>>,
    {
        match self.look() {
            Look::Fresh(held) => return Ok(held),
            // Another was quicker, or has failed meanwhile.
            Look::Due(held) if seen != Some(held.version) || self.is_paused() => return Ok(held),
            Look::Nothing if self.is_open() => return Err(NoValue::Open),
            Look::Due(_) | Look::Nothing => {}
        }
        let Some(make) = make else {
            // (A caller leads once.)
            return Err(NoValue::Expired);
        };
        let began = self.clock.now();
        self.observer.hear(Step::Minting {
            early: seen.is_some(),
        });
        match make().await {
            Ok(minted) => {
                // Relaxed: but for its low bit, which is no matter here, only this flight changes it.
                let version = next(self.version.load(Ordering::Relaxed));
                // The last wait (X4). What is not at hand across it takes no room in the future.
                match self.shelf.clear(side(version)).await {
                    Some(place) => self.publish(minted, began, version, place),
                    // (X1: nobody else is writing.)
                    None => Err(NoValue::Expired),
                }
            }
            Err(error) => {
                self.fail();
                Err(NoValue::Failed(error))
            }
        }
    }

    /// Puts a new value on the shelf.
    fn publish(
        &self,
        minted: Minted<T>,
        began: C::Instant,
        version: usize,
        place: Shut<'_, Held<T, C::Instant>, L>,
    ) -> Mint<T, E, C::Instant> {
        let now = self.clock.now();
        // (The clock may have gone back meanwhile: on the safe side.)
        let began = began.min(now);
        let expires = minted
            .lifetime
            .map(|lifetime| self.clock.after(began, lifetime));
        if expires.is_some_and(|expires| expires <= now) {
            self.fail();
            return Err(NoValue::Expired);
        }
        let random = self.random();
        let refreshes = minted.lifetime.map(|lifetime| {
            let after = self.policy.refresh_after(lifetime, random);
            self.clock.after(began, after)
        });
        let held = Held {
            value: minted.value,
            version,
            minted: began,
            expires,
            refreshes,
        };
        let spare = place.set(Some(held.clone()));
        let closes = self.health.with(|health| {
            let closes = self.policy.opens(health.in_a_row);
            **health = Health {
                last: version,
                minted: Some(began),
                expires,
                refreshes,
                successes: health.successes.wrapping_add(1),
                in_a_row: 0,
                failed: None,
                paused: None,
                open: None,
                ..**health
            };
            // Relaxed: X3.
            self.version.store(version, Ordering::Relaxed);
            closes
        });
        self.observer.hear(Step::Minted(Version(version)));
        if closes {
            self.observer.hear(Step::Closed);
        }
        // What it replaces is dropped last: should that panic, all is done.
        let before = self.shelf.take(!side(version));
        drop(spare);
        drop(before);
        Ok(held)
    }

    pub(super) fn fail(&self) {
        let now = self.clock.now();
        let random = self.random();
        let in_a_row = self.health.with(|health| health.in_a_row).saturating_add(1);
        let opens = self.policy.opens(in_a_row);
        let paused = self.clock.after(now, self.policy.pause(in_a_row, random));
        let open = opens.then(|| self.clock.after(now, self.policy.cool_down()));
        self.health.with(|health| {
            health.failures = health.failures.wrapping_add(1);
            health.in_a_row = in_a_row;
            health.failed = Some(now);
            health.paused = Some(paused);
            health.open = open;
        });
        self.observer.hear(Step::Failed { in_a_row });
        if opens {
            self.observer.hear(Step::Opened);
        }
    }

    pub(super) fn random(&self) -> u64 {
        let mut state = self.health.with(|health| health.random);
        let salt = core::ptr::from_ref(self).addr() as u64;
        let random = self.policy.random(&mut state, salt);
        self.health.with(|health| health.random = state);
        random
    }
}
