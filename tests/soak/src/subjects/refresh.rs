//! `Refresher`: one mint at a time, by a clock that jumps.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ecluse_core::{
    Refresher,
    refresh::{Minted, Policy},
    runtime::Clock,
};

use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

/// Milliseconds, by the dice.
#[derive(Debug, Default)]
struct Ticks(AtomicU64);

impl Clock for Ticks {
    type Instant = u64;

    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        from.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX))
    }
}

pub(super) struct Refreshers {
    token: Refresher<Box<u64>, (), &'static Ticks>,
    clock: &'static Ticks,
    minting: Inside,
    faults: Faults,
}

/// All rounds have one clock, as it has to outlive its refresher.
static CLOCK: Ticks = Ticks(AtomicU64::new(0));

impl Refreshers {
    async fn mint(&self, work: Work, fails: bool) -> Result<Minted<Box<u64>>, ()> {
        let _stay = self.minting.enter(1, 1, &self.faults);
        work.done().await;
        if fails {
            return Err(());
        }
        let life = Duration::from_millis(50);
        Ok(Minted::expires_in(Box::new(self.clock.now()), life))
    }
}

impl Subject for Refreshers {
    fn new() -> Self {
        let ms = Duration::from_millis;
        let policy = Policy::new()
            .early(ms(10))
            .back_off(ms(2), ms(20))
            .breaker(3, ms(20));
        Self {
            token: Refresher::new(&CLOCK, policy),
            clock: &CLOCK,
            minting: Inside::default(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        self.clock
            .0
            .fetch_add(dice.below(4) as u64, Ordering::SeqCst);
        if dice.once_in(16) {
            self.clock
                .0
                .fetch_add(dice.below(100) as u64, Ordering::SeqCst);
        }
        let (work, fails, refused) = (dice.work(), dice.once_in(4), dice.once_in(8));
        Box::pin(async move {
            if let Ok(token) = self.token.get(|| self.mint(work, fails)).await {
                if refused {
                    self.token.invalidate(token.version);
                }
            }
        })
    }

    fn check(&mut self) {
        self.faults.note_if(!self.minting.is_empty(), "a mint left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
