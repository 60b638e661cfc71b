//! `Refresher`: one mint at a time, by a clock that jumps; in its callers, and in the background.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ecluse_core::{
    Refresher,
    refresh::{Minted, Policy},
    runtime::{Clock, Tally},
};

use super::queue::Queue;
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

type Token = Refresher<Box<u64>, (), &'static Ticks>;

/// All rounds have one clock, as it has to outlive its refresher.
static CLOCK: Ticks = Ticks(AtomicU64::new(0));

/// The clock goes on, now and then by a lot.
fn tick(dice: &mut Dice) {
    let mut by = dice.below(4);
    if dice.once_in(16) {
        by += dice.below(100);
    }
    CLOCK.0.fetch_add(by as u64, Ordering::SeqCst);
}

fn token() -> Token {
    let ms = Duration::from_millis;
    let policy = Policy::new()
        .early(ms(10))
        .back_off(ms(2), ms(20))
        .breaker(3, ms(20));
    Refresher::new(&CLOCK, policy)
}

/// Mints, of which there is one at a time.
#[derive(Default)]
struct Mints {
    minting: Inside,
    faults: Faults,
}

impl Mints {
    async fn mint(&self, work: Work, fails: bool) -> Result<Minted<Box<u64>>, ()> {
        let _stay = self.minting.enter(1, 1, &self.faults);
        work.done().await;
        if fails {
            return Err(());
        }
        let life = Duration::from_millis(50);
        Ok(Minted::expires_in(Box::new(CLOCK.now()), life))
    }

    fn check(&self) {
        self.faults.note_if(!self.minting.is_empty(), "a mint left");
    }
}

pub(super) struct Refreshers {
    token: Token,
    mints: Mints,
}

impl Subject for Refreshers {
    fn new() -> Self {
        Self {
            token: token(),
            mints: Mints::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        tick(dice);
        let (work, fails, refused) = (dice.work(), dice.once_in(4), dice.once_in(8));
        Box::pin(async move {
            if let Ok(token) = self.token.get(|| self.mints.mint(work, fails)).await {
                if refused {
                    self.token.invalidate(token.version);
                }
            }
        })
    }

    fn check(&mut self) {
        self.mints.check();
    }

    fn faults(&self) -> &Faults {
        &self.mints.faults
    }
}

/// Mints are tasks.
pub(super) struct Background {
    token: Arc<Token>,
    tally: Arc<Tally>,
    queue: Queue,
    mints: Arc<Mints>,
}

impl Subject for Background {
    fn new() -> Self {
        Self {
            token: Arc::new(token()),
            tally: Arc::new(Tally::new()),
            queue: Queue::default(),
            mints: Arc::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        if let Some(task) = self.queue.take(dice) {
            return task;
        }
        tick(dice);
        let (work, fails, refused) = (dice.work(), dice.once_in(4), dice.once_in(8));
        Box::pin(async move {
            let mints = Arc::clone(&self.mints);
            let mint = move || async move { mints.mint(work, fails).await };
            let (queue, tally) = (self.queue.clone(), Arc::clone(&self.tally));
            let get = Refresher::get_in_background(&self.token, queue, tally, mint);
            if let Ok(token) = get.await {
                if refused {
                    self.token.invalidate(token.version);
                }
            }
        })
    }

    fn finish(&self) {
        self.queue.shut_down();
    }

    fn check(&mut self) {
        self.mints.check();
        let left = self.tally.live() > 0;
        self.mints.faults.note_if(left, "a task left");
    }

    fn faults(&self) -> &Faults {
        &self.mints.faults
    }
}
