//! `Joining`: the future that polls the children, and ends them.
//!
//! A poll goes in rounds. In a round each child that is not over is polled once, in order. A child
//! that ends may end the others, by the rule: those that have not begun never do; cooperative ones
//! are told, and get another round at once; droppable ones that have not had their poll in this
//! round get it, since a value that is ready wins, and then are dropped. When nothing is left to be
//! said, the future waits for the children's wakers, and for the outer scope.
//!
//! Invariants:
//! - **N1** Every child is over, its future dropped and its scope off the tree, before the outcome
//!   of the whole is given, or a panic goes on (j01, j03, j05).
//! - **N2** A child is polled only while it runs: not after its end, not after a panic, and not at
//!   all if it had not begun when it was cancelled (j02).
//! - **N3** The outer scope is waited for only while a child runs that an outer cancel would end.

use core::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{
    child::At,
    error::{BySource, ErrorSink, Tell},
    parts::Parts,
    rule::{Combine, End, Judge, Race, Rule},
};
use crate::{
    cancel::{CancelWait, Cancelled, Cx, ForceWait, Kind, Reason},
    sync::Lock,
    wait::{UserCode, polled_again},
};

pin_project! {
    /// Children that run together: [`Cx::concurrently`], [`all`](Cx::all), [`race`](Cx::race),
    /// [`first`](Cx::first), [`settle`](Cx::settle).
    ///
    /// `P` are the children's places, `R` is the rule, `S` where errors after the first go, `K` how
    /// a cancellation is told from another error.
    ///
    /// # Cancellation
    /// Dropping it drops the children at once, in order, whether they have cleaned up or not; it
    /// leaves nothing in the tree. Clean-ups that must be waited for are asked for by a cancel of
    /// the scope.
    ///
    /// # Panics
    /// If a child panics, with its panic, when all the others are over. Polling it after `Ready`
    /// panics, as with every wait.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Joining<'s, P, R, S, K, L>
    where
        P: Parts,
        L: Lock,
    {
        // First: dropped before the wait for the outer scope.
        #[pin]
        places: Places<P>,
        #[pin]
        watch: Watch<'s, L>,
        cx: Cx<'s, L>,
        end: End<S>,
        tell: K,
        over: bool,
        rule: PhantomData<fn() -> R>,
    }
}

pin_project! {
    /// The children, and the panics of what they call.
    struct Places<P: Parts> {
        #[pin]
        parts: P,
        panics: Panics,
    }

    impl<P: Parts> PinnedDrop for Places<P> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let panics = this.panics;
            cut_all(&mut this.parts, panics);
            panics.user.rethrow();
        }
    }
}

pin_project! {
    /// The wait for the outer scope: for its cancel first, then for force.
    #[project = WatchProj]
    enum Watch<'s, L: Lock> {
        Off,
        Cancel { #[pin] wait: CancelWait<'s, L> },
        Force { #[pin] wait: ForceWait<'s, L> },
    }
}

impl<'s, L: Lock> Watch<'s, L> {
    /// Ready when the outer scope is cancelled, or forced if it was cancelled already.
    fn poll(mut self: Pin<&mut Self>, outer: Cx<'s, L>, cx: &mut Context<'_>) -> Poll<()> {
        match (&*self, outer.is_cancelled()) {
            (Self::Off, false) => self.set(Self::Cancel {
                wait: outer.cancelled(),
            }),
            (Self::Off | Self::Cancel { .. }, true) => self.set(Self::Force {
                wait: outer.forced(),
            }),
            _ => {}
        }
        match self.project() {
            WatchProj::Off => Poll::Pending,
            WatchProj::Cancel { wait } => wait.poll(cx).map(drop),
            WatchProj::Force { wait } => wait.poll(cx).map(drop),
        }
    }
}

/// Calls of user code, with the panics counted.
struct Panics {
    user: UserCode,
    count: usize,
    /// How many of them have been answered.
    heeded: usize,
}

impl Panics {
    fn call<T>(&mut self, call: impl FnOnce() -> T) -> Option<T> {
        let value = self.user.call(call);
        self.count += usize::from(value.is_none());
        value
    }
}

/// Drops what is left of the children, in order (N1).
fn cut_all<P: Parts>(parts: &mut Pin<&mut P>, panics: &mut Panics) {
    let mut index = 0;
    while let Some(part) = parts.as_mut().at(index) {
        panics.call(|| part.cut());
        index += 1;
    }
}

/// Without `std` a panic of a child unwinds at once: the others are dropped, in order (j05).
struct Siblings<'p, P: Parts>(Pin<&'p mut P>);

impl<P: Parts> Drop for Siblings<'_, P> {
    fn drop(&mut self) {
        let mut index = 0;
        while let Some(part) = self.0.as_mut().at(index) {
            part.cut();
            index += 1;
        }
    }
}

impl<'s, P: Parts, R, S, L: Lock> Joining<'s, P, R, S, BySource, L> {
    pub(super) fn new(cx: Cx<'s, L>, parts: P, sink: S) -> Self {
        Self {
            places: Places {
                parts,
                panics: Panics {
                    user: UserCode::new(),
                    count: 0,
                    heeded: 0,
                },
            },
            watch: Watch::Off,
            cx,
            end: End::new(sink),
            tell: BySource,
            over: false,
            rule: PhantomData,
        }
    }
}

impl<'s, P: Parts, R, S, K, L: Lock> Joining<'s, P, R, S, K, L> {
    /// Collects the errors after the first one in `sink`: a `Vec`, an array `[None; N]`, a function.
    /// It comes back in [`Failed::others`](super::Failed::others); a `&mut` to it stays with you.
    ///
    /// ```
    /// use core::fmt::Error;
    /// use ecluse_core::{Cx, Root, join::JoinError};
    ///
    /// # futures_executor::block_on(async {
    /// let root = <Root>::new();
    /// let both = root.cx().concurrently(
    ///     async |cx: Cx<'_>| {
    ///         cx.cancelled().await;
    ///         Err::<(), _>(Error) // its clean-up fails, too
    ///     },
    ///     async |_: Cx<'_>| Err::<(), _>(Error),
    /// );
    /// let Err(JoinError::Failed(failed)) = both.collecting([None; 1]).await else {
    ///     unreachable!()
    /// };
    /// assert_eq!((failed.first, failed.later, failed.others), (Error, 1, [Some(Error)]));
    /// # });
    /// ```
    pub fn collecting<T: ErrorSink<P::Error>>(self, sink: T) -> Joining<'s, P, R, T, K, L> {
        Joining {
            places: self.places,
            watch: self.watch,
            cx: self.cx,
            end: End::new(sink),
            tell: self.tell,
            over: self.over,
            rule: PhantomData,
        }
    }

    /// Tells a cancellation from another error by `tell`: for error types that cannot say it
    /// themselves ([`AsCancelled`](super::AsCancelled)).
    pub fn cancelled_by<F>(self, tell: F) -> Joining<'s, P, R, S, F, L>
    where
        F: Fn(&P::Error) -> Option<Cancelled>,
    {
        Joining {
            places: self.places,
            watch: self.watch,
            cx: self.cx,
            end: self.end,
            tell,
            over: self.over,
            rule: PhantomData,
        }
    }

    /// How many children have panicked so far. The first panic goes on when all are over; the
    /// others are counted here, and told to the sink ([`ErrorSink::panicked`]).
    pub fn panics(&self) -> usize {
        self.places.panics.count
    }
}

impl<'s, P: Parts, S, K, L: Lock> Joining<'s, P, Race, S, K, L> {
    /// The race with the outcomes of all: a loser that finished in spite of the cancel is not lost,
    /// nor is its error. The values may be of different types.
    pub fn combine(self) -> Joining<'s, P, Combine, S, K, L> {
        Joining {
            places: self.places,
            watch: self.watch,
            cx: self.cx,
            end: self.end,
            tell: self.tell,
            over: self.over,
            rule: PhantomData,
        }
    }
}

/// One round over the children, and what they lead to.
struct Round<'a, 's, P, R, S, K, L> {
    parts: Pin<&'a mut P>,
    outer: Cx<'s, L>,
    end: &'a mut End<S>,
    tell: &'a K,
    panics: &'a mut Panics,
    /// Whose poll it is: those before had theirs.
    turn: usize,
    /// Children before this one were told after their polls in this round.
    again: usize,
    rule: PhantomData<R>,
}

impl<P, R, S, K, L> Round<'_, '_, P, R, S, K, L>
where
    P: Parts,
    R: Judge,
    S: ErrorSink<P::Error>,
    K: Tell<P::Error>,
    L: Lock,
{
    /// Polls the children that run, up to one. True if any still does.
    fn go(&mut self, limit: usize, cx: &mut Context<'_>) -> bool {
        // Seen before the polls, so that each child has one in which it can see it.
        let forced = limit == usize::MAX && self.outer.is_forced();
        let mut index = 0;
        while let Some(part) = self.parts.as_mut().at(index).filter(|_| index < limit) {
            let at = part.at();
            if at == At::Fresh && self.is_cancelled() {
                // N2.
                self.cut(index);
            } else if at != At::Over {
                let part = self.parts.as_mut().at(index);
                match self.panics.call(|| part.map(|part| part.advance(cx))) {
                    Some(Some(Poll::Ready(()))) => self.ended(index),
                    Some(_) => {}
                    None => self.cut(index),
                }
            }
            self.heed();
            index += 1;
            self.turn = index;
        }
        self.sweep(forced)
    }

    /// Drops what is not polled on. True if another child runs.
    fn sweep(&mut self, forced: bool) -> bool {
        let cancelled = self.is_cancelled();
        let (mut running, mut index) = (false, 0);
        while let Some(part) = self.parts.as_mut().at(index) {
            if part.at() != At::Over {
                if forced || cancelled && part.is_droppable() {
                    self.cut(index);
                } else {
                    running = true;
                }
            }
            index += 1;
        }
        let ours = self.end.ours;
        self.heed();
        if running && ours != self.end.ours {
            // Ended by the drop of a child: droppable ones are left.
            self.again = usize::MAX;
        }
        running
    }

    fn is_cancelled(&self) -> bool {
        self.end.ours.is_some() || self.outer.is_cancelled()
    }

    /// Drops a child.
    fn cut(&mut self, index: usize) {
        let part = self.parts.as_mut().at(index);
        self.panics.call(|| part.map(|part| part.cut()));
    }

    /// Answers the panics since the last look.
    fn heed(&mut self) {
        while self.panics.heeded < self.panics.count {
            self.panics.heeded += 1;
            if let (true, Some(sink)) = (self.panics.heeded > 1, &mut self.end.sink) {
                // A panic of its own is not counted: it would never end.
                self.panics.user.call(|| sink.panicked());
            }
            if R::PANIC_ENDS {
                self.stop(Kind::Panic);
            }
        }
    }

    /// Ends the others.
    fn stop(&mut self, kind: Kind) {
        if self.end.ours.is_some() {
            return;
        }
        let reason = Reason::new(kind);
        self.end.ours = Some(reason);
        let mut index = 0;
        while let Some(part) = self.parts.as_mut().at(index) {
            // A panic of a waker: the child was told.
            let told = self.panics.call(|| part.tell(reason)).unwrap_or(true);
            if told && index < self.turn {
                self.again = self.turn;
            }
            index += 1;
        }
    }

    /// A child has ended by itself.
    fn ended(&mut self, index: usize) {
        let outer = self.outer.reason();
        let Some(part) = self.parts.as_mut().at(index) else {
            return;
        };
        let told = part.told();
        match part.outcome() {
            // In a race an error may have won.
            Some(Ok(())) if R::VALUE_WINS && !(R::ERROR_ENDS && self.end.first.is_some()) => {
                self.end.winner.get_or_insert(index);
                self.stop(Kind::Sibling);
            }
            None | Some(Ok(())) => {}
            Some(Err(error)) => {
                let tell = self.tell;
                let cancelled = self.panics.call(|| tell.tell(error)).flatten();
                let explained = cancelled.is_some_and(|cancelled| {
                    let same = |reason: Reason| reason.is_same(cancelled.reason());
                    outer.is_some_and(same) || told.is_some_and(same)
                });
                if explained {
                    self.cut(index);
                } else {
                    self.failed(index);
                }
            }
        }
    }

    /// A child has ended with an error that is its own.
    fn failed(&mut self, index: usize) {
        if R::KEEPS {
            if R::ERROR_ENDS {
                self.end.winner.get_or_insert(index);
            }
        } else if self.end.first.is_none() && self.end.winner.is_none() {
            self.end.first = Some(index);
        } else {
            self.end.later += 1;
            self.collect(index);
        }
        if R::ERROR_ENDS {
            self.stop(Kind::Sibling);
        }
    }

    /// Puts a child's error into the sink.
    fn collect(&mut self, index: usize) {
        let part = self.parts.as_mut().at(index);
        let error = part.and_then(|part| part.take_error());
        if let (Some(error), Some(sink)) = (error, &mut self.end.sink) {
            self.panics.call(|| sink.put(error));
        }
    }
}

impl<P, R, S, K, L> Future for Joining<'_, P, R, S, K, L>
where
    P: Parts,
    R: Rule<P, S>,
    S: ErrorSink<P::Error>,
    K: Tell<P::Error>,
    L: Lock,
{
    type Output = R::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R::Output> {
        let mut this = self.project();
        // It is over unless it says that it is not: a panic that unwinds at once ends it, too.
        if core::mem::replace(this.over, true) {
            return polled_again("joined children");
        }
        let places = this.places.project();
        let panics = places.panics;
        let mut siblings = Siblings(places.parts);
        let mut limit = usize::MAX;
        loop {
            let mut round = Round::<_, R, _, _, _> {
                parts: siblings.0.as_mut(),
                outer: *this.cx,
                end: this.end,
                tell: this.tell,
                panics,
                turn: 0,
                again: 0,
                rule: PhantomData,
            };
            let running = round.go(limit, cx);
            limit = round.again;
            if limit > 0 {
                continue;
            }
            limit = usize::MAX;
            if !running {
                this.end.outer = this.cx.reason();
                let output = match panics.count {
                    0 => R::finish(siblings.0.as_mut(), this.end),
                    _ => None,
                };
                if output.is_some() {
                    // Values that lost. And the waker goes, which may panic: while the outcome is held.
                    cut_all(&mut siblings.0, panics);
                    panics.call(|| this.watch.set(Watch::Off));
                }
                match output {
                    Some(output) if panics.count == 0 => return Poll::Ready(output),
                    output if panics.count > 0 => {
                        panics.call(|| drop(output));
                        break;
                    }
                    _ => {}
                }
            }
            if this.watch.as_mut().poll(*this.cx, cx).is_pending() {
                *this.over = false;
                core::mem::forget(siblings);
                return Poll::Pending;
            }
        }
        panics.call(|| this.watch.set(Watch::Off));
        cut_all(&mut siblings.0, panics);
        panics.user.rethrow();
        goes_on()
    }
}

/// After a panic that cannot go on, since its thread is unwinding already.
#[cold]
fn goes_on<T>() -> Poll<T> {
    if cfg!(feature = "std") {
        panic!("a joined child panicked, while its thread was unwinding already");
    }
    Poll::Pending
}

impl<P, R, S, K, L> FusedFuture for Joining<'_, P, R, S, K, L>
where
    P: Parts,
    R: Rule<P, S>,
    S: ErrorSink<P::Error>,
    K: Tell<P::Error>,
    L: Lock,
{
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<P: Parts, R, S, K, L: Lock> fmt::Debug for Joining<'_, P, R, S, K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining")
            .field("cx", &self.cx)
            .field("ending", &self.end.ours)
            .field("panics", &self.places.panics.count)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
