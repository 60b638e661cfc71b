//! What the contenders can do, and each of them in a file of its own, used as its documents say. The
//! groups know these traits only, so that all are measured by the same code.
//!
//! Methods are `#[inline(always)]` and give the peer's own future, not one around it, wherever that
//! can be: nobody pays for this bench's wrapping.

mod async_channel;
mod async_lock;
mod async_once_cell;
mod async_singleflight;
mod cached;
mod ecluse;
mod embassy;
mod event_listener;
mod futures_intrusive;
mod maitake;
mod moka;
mod operation_queue;
mod quick_cache;
mod rs_singleflight;
mod singleflight_async;
mod standard;
mod tokio;
mod tokio_util;

use std::future::Future;

pub use self::{
    async_channel::AsyncChannel,
    async_lock::{AsyncMutex, AsyncOnce, AsyncSemaphore},
    async_once_cell::AsyncOnceCell,
    async_singleflight::AsyncSingleflight,
    cached::Claims,
    ecluse::{
        Admit, AdmitBypass, BareChannel, BareSlot, CriticalChannel, CriticalSlot,
        Flights as OurFlight, Groups, LineLock, OnceCell, Relays, Released, SlotBarging, SlotLock,
        SlotRevocable, StdChannel,
    },
    embassy::{
        BareChannel as EmbassyBareChannel, BareMutex as EmbassyBareMutex,
        CriticalChannel as EmbassyCriticalChannel, CriticalMutex as EmbassyCriticalMutex,
        Fair as EmbassyFair, Greedy as EmbassyGreedy,
    },
    event_listener::Listeners,
    futures_intrusive::{
        IntrusiveChannel, IntrusiveEvent, IntrusiveLocalChannel, IntrusiveLocalMutex,
        IntrusiveMutex, IntrusiveSemaphore,
    },
    maitake::{MaitakeMutex, MaitakeQueue, MaitakeSemaphore},
    moka::Moka,
    operation_queue::OperationLine,
    quick_cache::QuickCache,
    rs_singleflight::RsSingleflight,
    singleflight_async::SingleflightAsync,
    standard::{MapOfKeys, StdMutex},
    tokio::{Mpsc, TokioMutex, TokioNotify, TokioOnce, TokioSemaphore, TokioWatch},
    tokio_util::Token,
};

/// What one has who has a lock. Dropping it gives the lock back, unless there is a better way.
pub trait GiveBack: Sized {
    #[inline(always)]
    fn give_back(self) {
        drop(self);
    }
}

/// Something that one at a time has.
pub trait Lock: 'static {
    const NAME: &'static str;

    fn new() -> Self;
    fn try_lock(&self) -> Option<impl GiveBack>;
    fn lock(&self) -> impl Future<Output = impl GiveBack>;
}

/// One that tasks on several threads share.
pub trait SharedLock: Lock + Send + Sync + 'static {
    fn lock_shared(&self) -> impl Future<Output = impl GiveBack + Send> + Send;
}

/// Something that many wait for and one tells.
pub trait Signal: 'static {
    const NAME: &'static str;

    fn new() -> Self;
    /// What the one has who is going to tell; giving it back tells all.
    fn hold(&self) -> impl GiveBack;
    /// Waits until they are told.
    fn wait(&self) -> impl Future;
}

/// What a flight gives.
pub trait Answer {
    fn is(&self, value: u64) -> bool;
}

impl Answer for u64 {
    #[inline(always)]
    fn is(&self, value: u64) -> bool {
        *self == value
    }
}

impl<A: Answer> Answer for &A {
    #[inline(always)]
    fn is(&self, value: u64) -> bool {
        (**self).is(value)
    }
}

impl<A: Answer, E> Answer for Result<A, E> {
    #[inline(always)]
    fn is(&self, value: u64) -> bool {
        self.as_ref().is_ok_and(|answer| answer.is(value))
    }
}

impl<C: GiveBack, E> GiveBack for Result<C, E> {
    #[inline(always)]
    fn give_back(self) {
        if let Ok(held) = self {
            held.give_back();
        }
    }
}

/// Work that one caller does for all who ask for it meanwhile.
pub trait SingleFlight: Send + Sync + 'static {
    const NAME: &'static str;

    /// Room for flights numbered from zero: keys of one table, or cells side by side. All are free.
    fn new(flights: usize) -> Self;
    /// Joins the flight, or leads it by doing `work`.
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send;
    /// Makes all flights free again, where results are kept.
    fn forget(&mut self, flights: usize) {
        let _ = flights;
    }
}

/// A value that is there, in what waits for it if it is not.
pub trait Filled: 'static {
    const NAME: &'static str;

    fn filled() -> Self;
    fn get(&self) -> Option<impl Answer>;
    /// Asked as one asks who does not know that it is there.
    fn get_or_make(&self) -> impl Future<Output = impl Answer>;
}

/// Permits, of which one takes some.
pub trait Permits: Send + Sync + 'static {
    const NAME: &'static str;

    fn new(permits: usize) -> Self;
    fn try_acquire(&self, permits: usize) -> Option<impl Sized>;
    fn acquire(&self, permits: usize) -> impl Future<Output = impl Sized>;
}

/// A channel of one kind and one capacity.
pub trait Pipe<T> {
    const NAME: &'static str;

    fn with_room(capacity: usize) -> Self;
    /// `send().await`, with room.
    fn send(&mut self, item: T);
    /// `receive().await`, with an item.
    fn receive(&mut self) -> T;
    fn try_send(&mut self, item: T);
    fn try_receive(&mut self) -> T;
    /// A receiver waits, an item comes, it is woken and polled again.
    fn meet(&mut self, item: T) -> T;
}

/// How a kind of channel is used: which of its fields send and receive, by which calls, and what they
/// give.
macro_rules! pipe {
    (
        $kind:ident<T $(, $n:ident)?> $(where [$($where:tt)*])?, $name:literal, $new:expr;
        $sender:tt.send gives $sent:ident if $is_sent:expr;
        $receiver:tt.$receive:ident gives $item:ident as $got:expr;
        $try_receive:ident gives $tried:ident as $try_got:expr
    ) => {
        impl<T: Send + 'static $(, const $n: usize)?> $crate::peers::Pipe<T> for $kind<T $(, $n)?>
        $(where $($where)*)?
        {
            const NAME: &'static str = $name;

            fn with_room(capacity: usize) -> Self {
                ($new)(capacity)
            }

            #[inline(always)]
            fn send(&mut self, item: T) {
                let $sent = $crate::crowd::now(self.$sender.send(item));
                assert!($is_sent);
            }

            #[inline(always)]
            fn receive(&mut self) -> T {
                let $item = $crate::crowd::now(self.$receiver.$receive());
                $got
            }

            #[inline(always)]
            fn try_send(&mut self, item: T) {
                assert!(self.$sender.try_send(item).is_ok());
            }

            #[inline(always)]
            fn try_receive(&mut self) -> T {
                let $tried = self.$receiver.$try_receive();
                $try_got
            }

            #[inline(always)]
            fn meet(&mut self, item: T) -> T {
                let mut receive = std::pin::pin!(self.$receiver.$receive());
                assert!($crate::crowd::poll(receive.as_mut()).is_pending());
                let $sent = $crate::crowd::now(self.$sender.send(item));
                assert!($is_sent);
                let $item = $crate::crowd::now(receive);
                $got
            }
        }
    };
}
use pipe;
