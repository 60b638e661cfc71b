//! One place to wait for both: a wait of ecluse and an `event_listener::Event`.
//!
//! Invariant: each of the two is ended by its own owner's decision, so nothing is lost. The wait
//! ends by [`Wait::try_abandon`]; a listener that is dropped passes an unseen notification on.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ecluse_core::{Wait, wait::Target};
use event_listener::EventListener;
use futures_core::FusedFuture;
use pin_project_lite::pin_project;

/// Waits for whichever comes first: what `wait` waits for, or a notification of `listener`.
///
/// ```
/// use ecluse_smol::{First, Slot, or_event};
/// use event_listener::Event;
///
/// smol::block_on(async {
///     static SLOT: Slot = Slot::new();
///     let shutdown = Event::new();
///     let held = SLOT.try_claim().unwrap();
///
///     let work = or_event(SLOT.claim(), shutdown.listen());
///     shutdown.notify(usize::MAX);
///     assert!(matches!(work.await, First::Event));
///
///     let work = or_event(SLOT.claim(), shutdown.listen());
///     held.release();
///     let First::Wait(claim) = work.await else { panic!() };
///     claim.unwrap().release();
/// });
/// ```
///
/// # Cancellation
/// Both are dropped: a grant that the wait had not seen is passed on, and so is a notification.
pub fn or_event<T: Target>(wait: Wait<T>, listener: EventListener) -> OrEvent<T> {
    OrEvent {
        wait,
        listener: Some(listener),
    }
}

/// What came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First<T> {
    /// The wait. The notification, had there been one, went to another listener.
    Wait(T),
    /// The notification. The wait has left; whatever comes next goes to another waiter.
    Event,
    /// Both, before either was looked at.
    Both(T),
}

impl<T> First<T> {
    /// What was waited for, if it came.
    pub fn waited(self) -> Option<T> {
        match self {
            Self::Wait(output) | Self::Both(output) => Some(output),
            Self::Event => None,
        }
    }

    /// Whether the notification came.
    pub const fn is_notified(&self) -> bool {
        matches!(self, Self::Event | Self::Both(_))
    }
}

pin_project! {
    /// A wait or a notification: [`or_event`].
    #[derive(Debug)]
    #[must_use = "a wait does nothing unless it is awaited"]
    pub struct OrEvent<T: Target> {
        #[pin]
        wait: Wait<T>,
        listener: Option<EventListener>,
    }
}

impl<T: Target> Future for OrEvent<T> {
    type Output = First<T::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.wait.as_mut().poll(cx) {
            *this.listener = None;
            return Poll::Ready(First::Wait(output));
        }
        if let Some(listener) = this.listener {
            ready!(Pin::new(listener).poll(cx));
            *this.listener = None;
        }
        Poll::Ready(match this.wait.try_abandon() {
            Some(output) => First::Both(output),
            None => First::Event,
        })
    }
}

impl<T: Target> FusedFuture for OrEvent<T> {
    fn is_terminated(&self) -> bool {
        self.wait.is_terminated()
    }
}
