//! Ours.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::{Context, Poll},
};

use ecluse_core::{
    AcquireOutcome, Admission, Answer as Answered, Barging, Channel, Claim, CriticalSection,
    Flight, Group, Handoff, Line, Local, Once, Revocable, Slot, StdMutex, Token,
    admission::{Bypass, Fifo},
    claim::SlotRef,
    flight::Relay,
};

use super::{Answer, Filled, GiveBack, Lock, Permits, SharedLock, Signal, SingleFlight, pipe};
use crate::crowd::VALUE;

impl<R: SlotRef> GiveBack for Claim<R> {
    #[inline(always)]
    fn give_back(self) {
        self.release();
    }
}

impl GiveBack for Token<'_, StdMutex> {
    #[inline(always)]
    fn give_back(self) {
        self.release();
    }
}

macro_rules! slot {
    ($name:ident, $slot:ty, $text:literal) => {
        pub struct $name($slot);

        impl Lock for $name {
            const NAME: &'static str = $text;

            fn new() -> Self {
                Self(Slot::new())
            }

            #[inline(always)]
            fn try_lock(&self) -> Option<impl GiveBack> {
                self.0.try_claim().ok()
            }

            #[inline(always)]
            fn lock(&self) -> impl Future<Output = impl GiveBack> {
                self.0.claim()
            }
        }
    };
}

slot!(SlotLock, Slot<Handoff, StdMutex>, "ecluse Slot");
slot!(SlotBarging, Slot<Barging, StdMutex>, "ecluse Slot, barging");
slot!(SlotRevocable, Slot<Revocable, StdMutex>, "ecluse Slot, revocable");
slot!(CriticalSlot, Slot<Handoff, CriticalSection>, "ecluse Slot, critical section");
slot!(BareSlot, Slot<Handoff, Local>, "ecluse Slot, local");

impl SharedLock for SlotBarging {
    fn lock_shared(&self) -> impl Future<Output = impl GiveBack + Send> + Send {
        self.0.claim()
    }
}

impl SharedLock for SlotLock {
    fn lock_shared(&self) -> impl Future<Output = impl GiveBack + Send> + Send {
        self.0.claim()
    }
}

/// A line is acquired, or waited for and then tried again: it is taken by try only.
pub struct LineLock(Line<StdMutex>);

impl LineLock {
    pub fn new() -> Self {
        Self(Line::new())
    }

    #[inline(always)]
    pub fn try_lock(&self) -> Option<impl GiveBack> {
        self.0.try_acquire_token().success()
    }
}

impl Signal for LineLock {
    const NAME: &'static str = "ecluse Line";

    fn new() -> Self {
        Self::new()
    }

    fn hold(&self) -> impl GiveBack {
        self.0.try_acquire_token().success().expect("free")
    }

    #[inline(always)]
    fn wait(&self) -> impl Future {
        match self.0.try_acquire_token() {
            AcquireOutcome::Failure(wait) => wait,
            AcquireOutcome::Success(_) => unreachable!("held"),
        }
    }
}

pub struct Released(Slot<Handoff, StdMutex>);

impl Signal for Released {
    const NAME: &'static str = "ecluse Slot::released";

    fn new() -> Self {
        Self(Slot::new())
    }

    fn hold(&self) -> impl GiveBack {
        self.0.try_claim().expect("free")
    }

    #[inline(always)]
    fn wait(&self) -> impl Future {
        self.0.released()
    }
}

impl Answer for Answered<u64> {
    #[inline(always)]
    fn is(&self, value: u64) -> bool {
        self.value == value
    }
}

/// One flight, over and over.
pub struct Flights(Flight<u64, ecluse_core::flight::Promote, StdMutex>);

impl SingleFlight for Flights {
    const NAME: &'static str = "ecluse Flight";

    fn new(_: usize) -> Self {
        Self(Flight::new())
    }

    #[inline(always)]
    fn run<F>(&self, _: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.0.run(move || work)
    }
}

/// A table of flights.
pub struct Groups(Group<u64, u64>);

impl SingleFlight for Groups {
    const NAME: &'static str = "ecluse Group";

    fn new(_: usize) -> Self {
        Self(Group::new())
    }

    #[inline(always)]
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.0.run(flight as u64, move || work)
    }
}

/// A run with a name, which every caller can drive: over when it is told so.
pub struct Steps(&'static AtomicBool);

impl Future for Steps {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        if self.0.load(Relaxed) {
            Poll::Ready(VALUE)
        } else {
            Poll::Pending
        }
    }
}

/// A relay. Its future's type is its own, so the work it is given elsewhere is not for it.
pub struct Relays {
    pub relay: Relay<Steps, StdMutex>,
    pub over: &'static AtomicBool,
}

impl Relays {
    pub const NAME: &'static str = "ecluse Relay";

    pub fn new() -> Self {
        Self {
            relay: Relay::new(),
            over: Box::leak(Box::new(AtomicBool::new(false))),
        }
    }

    #[inline(always)]
    pub fn run(&self) -> impl Future<Output = impl Answer> {
        let over = self.over;
        self.relay.run(move || Steps(over))
    }
}

/// A cell a flight.
pub struct OnceCell(Vec<Once<u64, StdMutex>>);

impl SingleFlight for OnceCell {
    const NAME: &'static str = "ecluse Once";

    fn new(flights: usize) -> Self {
        Self((0..flights).map(|_| Once::new()).collect())
    }

    #[inline(always)]
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.0[flight].get_or_init(move || work)
    }

    fn forget(&mut self, _: usize) {
        for cell in &mut self.0 {
            *cell = Once::new();
        }
    }
}

impl Filled for Once<u64, StdMutex> {
    const NAME: &'static str = "ecluse Once";

    fn filled() -> Self {
        Self::from(VALUE)
    }

    #[inline(always)]
    fn get(&self) -> Option<impl Answer> {
        self.get()
    }

    #[inline(always)]
    fn get_or_make(&self) -> impl Future<Output = impl Answer> {
        self.get_or_init(std::future::pending::<u64>)
    }
}

macro_rules! admission {
    ($name:ident, $order:ty, $text:literal) => {
        pub struct $name(Admission<$order, StdMutex>);

        impl Permits for $name {
            const NAME: &'static str = $text;

            fn new(permits: usize) -> Self {
                Self(Admission::new(permits, usize::MAX >> 8))
            }

            #[inline(always)]
            fn try_acquire(&self, permits: usize) -> Option<impl Sized> {
                self.0.try_acquire(permits).ok()
            }

            #[inline(always)]
            fn acquire(&self, permits: usize) -> impl Future<Output = impl Sized> {
                self.0.acquire(permits)
            }
        }
    };
}

admission!(Admit, Fifo, "ecluse Admission");
admission!(AdmitBypass, Bypass<4>, "ecluse Admission, bypass");

macro_rules! channel {
    ($name:ident, $lock:ty, $text:literal) => {
        pub struct $name<T, const N: usize>(Channel<T, N, $lock>);

        pipe! { $name<T, N>, $text, |_| Self(Channel::new());
            0.send gives sent if sent.is_ok();
            0.receive gives item as item.expect("one was sent");
            try_receive gives item as item.expect("one was sent")
        }
    };
}

channel!(StdChannel, StdMutex, "ecluse Channel");
channel!(
    CriticalChannel,
    CriticalSection,
    "ecluse Channel, critical section"
);
channel!(BareChannel, Local, "ecluse Channel, local");
