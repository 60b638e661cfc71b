//! A waiter: a cell for its grant, an event to wake it by, and the future that waits for both.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};

/// Locks; a panic under one of our mutexes is a bug of ours, and does not make the data worse.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place in a queue, shared by the queue and the waiting future.
pub(crate) struct Place<G> {
    grant: Mutex<Option<G>>,
    event: Event,
}

impl<G> Place<G> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            grant: Mutex::new(None),
            event: Event::new(),
        })
    }

    fn take(&self) -> Option<G> {
        lock(&self.grant).take()
    }

    /// Takes the grant back, if it is there and the one that is meant. Its waiter begins again, at the front.
    pub(crate) fn take_if(&self, meant: impl FnOnce(&G) -> bool) -> Option<G> {
        lock(&self.grant).take_if(|grant| meant(grant))
    }

    /// Whether the grant is there that is meant.
    pub(crate) fn has(&self, meant: impl FnOnce(&G) -> bool) -> bool {
        lock(&self.grant).as_ref().is_some_and(meant)
    }
}

/// Waiters in the order in which they came.
pub struct Queue<G>(VecDeque<Arc<Place<G>>>);

impl<G> Queue<G> {
    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the first waiter its grant; it is to be woken when the object's mutex is free again. Gives the grant back if nobody waits.
    pub(crate) fn grant_first(&mut self, grant: G) -> Result<Arc<Place<G>>, G> {
        match self.0.pop_front() {
            Some(place) => {
                *lock(&place.grant) = Some(grant);
                Ok(place)
            }
            None => Err(grant),
        }
    }

    /// Gives every waiter the same grant.
    pub(crate) fn grant_all(&mut self, grant: G) -> Vec<Arc<Place<G>>>
    where
        G: Copy,
    {
        let mut granted = Vec::new();
        while let Ok(place) = self.grant_first(grant) {
            granted.push(place);
        }
        granted
    }
}

/// Wakes those who were granted something, all of them also if a waker panics; the first panic goes on.
pub(crate) fn wake<G>(granted: impl IntoIterator<Item = Arc<Place<G>>>) {
    let mut first = None;
    for place in granted {
        let woken = catch_unwind(AssertUnwindSafe(|| place.event.notify(usize::MAX)));
        if let (Err(payload), None) = (woken, &first) {
            first = Some(payload);
        }
    }
    if let Some(payload) = first {
        if !std::thread::panicking() {
            resume_unwind(payload);
        }
    }
}

/// What a wait waits for.
pub trait Target {
    /// What the object puts into a waiter's place.
    type Grant;
    /// What the wait gives.
    type Output;

    /// Under the object's mutex: the grant if it can be had at once, else `enlist` is called with the queue to stand in.
    fn begin(&self, enlist: impl FnOnce(&mut Queue<Self::Grant>)) -> Option<Self::Grant>;

    /// Under the object's mutex: the queue to leave.
    fn leave(&self, leave: impl FnOnce(&mut Queue<Self::Grant>));

    /// What an owner who gives up is told besides a grant: the end of a hold that is over.
    fn over(&self) -> Option<Self::Grant>;

    /// Turns the grant into the output.
    fn observe(&self, grant: Self::Grant) -> Self::Output;

    /// Nobody will observe this grant.
    fn pass_on(&self, grant: Self::Grant);
}

enum State<G> {
    Idle,
    Queued(Arc<Place<G>>, Pin<Box<EventListener>>),
    Finished,
}

/// The one waiting future.
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Wait<T: Target> {
    pub(crate) target: T,
    state: State<T::Grant>,
}

// Nothing in it is pinned in place: the listener is boxed.
impl<T: Target> Unpin for Wait<T> {}

impl<T: Target> Wait<T> {
    pub(crate) fn new(target: T) -> Self {
        Self {
            target,
            state: State::Idle,
        }
    }

    /// Ends the wait: `Some` if the grant had arrived, `None` if the wait has left.
    pub fn try_abandon(mut self: Pin<&mut Self>) -> Option<T::Output> {
        let grant = match std::mem::replace(&mut self.state, State::Finished) {
            State::Idle => self.target.over(),
            State::Queued(place, _) => self.leave(&place).or_else(|| self.target.over()),
            State::Finished => None,
        };
        grant.map(|grant| self.target.observe(grant))
    }

    /// Leaves the queue, or takes the grant that has arrived.
    fn leave(&self, place: &Arc<Place<T::Grant>>) -> Option<T::Grant> {
        let mut grant = None;
        self.target.leave(|queue| {
            queue.0.retain(|other| !Arc::ptr_eq(other, place));
            grant = place.take();
        });
        grant
    }
}

impl<T: Target> Future for Wait<T> {
    type Output = T::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        loop {
            let front = match &mut self.state {
                State::Idle => false,
                State::Queued(place, listener) => {
                    // The listener is asked first: a grant that comes after this question wakes it.
                    let woken = listener.as_mut().poll(cx);
                    if let Some(grant) = place.take() {
                        self.state = State::Finished;
                        return Poll::Ready(self.target.observe(grant));
                    }
                    if woken.is_pending() {
                        return Poll::Pending;
                    }
                    // What it was granted was taken back; it had its turn.
                    true
                }
                State::Finished => panic!("a wait was polled after it had ended"),
            };
            let place = Place::new();
            let listener = place.event.listen();
            let begun = self.target.begin(|queue| {
                if front {
                    queue.0.push_front(Arc::clone(&place));
                } else {
                    queue.0.push_back(Arc::clone(&place));
                }
            });
            if let Some(grant) = begun {
                self.state = State::Finished;
                return Poll::Ready(self.target.observe(grant));
            }
            self.state = State::Queued(place, Box::pin(listener));
        }
    }
}

impl<T: Target> Drop for Wait<T> {
    fn drop(&mut self) {
        if let State::Queued(place, listener) = std::mem::replace(&mut self.state, State::Finished)
        {
            let grant = self.leave(&place);
            if let Some(grant) = grant {
                self.target.pass_on(grant);
            }
            drop(listener);
        }
    }
}

impl<T: Target> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}
