//! A call of a flight: the caller joins, or runs the work for everybody who does.
//!
//! Invariants:
//! - **U1** The exit of a leader is: body dropped, hooks, out of the table, followers told. Each step
//!   is done even if an earlier one panicked.
//! - **U2** A run that is dropped drops its body before its node: its successor never overlaps it.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{
    Answer, NoAnswer, Part, Verdict,
    hooks::{Judge, Publish},
    policy::Stamp,
    table::{Key, Landing, Table},
    transitions,
    turn::{TableRef, ToTurn, Turn},
};
use crate::{
    Outcome,
    runtime::{Timer, poll_sleep},
    wait::{UserCode, Wait, polled_again},
};

pin_project! {
    /// A call of a flight: gives the [`Answer`], or why there is [none](NoAnswer).
    ///
    /// It allocates nothing and is in no table before its first poll.
    ///
    /// # Cancellation
    /// Dropping it is always safe and costs O(1):
    /// - before the first poll: nothing had begun;
    /// - while it waits for another's run: it leaves, the others are not affected;
    /// - while it runs: its work is dropped, then exactly one of the others leads (or, by the policy
    ///   [`Fail`](super::Fail), all are told);
    /// - granted but not polled since: its clone of the result is dropped, its turn to lead goes on.
    ///
    /// A run that is alive and never polled keeps its followers waiting; give those a
    /// [`timeout`](Run::timeout), or use a [`Relay`](super::Relay).
    ///
    /// # Panics
    /// A panic of the work, of a hook or of a clone goes on in the leader. Polling it after `Ready`
    /// panics.
    #[must_use = "a flight does nothing unless it is awaited"]
    pub struct Run<R, M, F, J = (), U = ()>
    where
        R: TableRef,
    {
        // Before the wait: U2.
        #[pin]
        body: Option<F>,
        #[pin]
        wait: Wait<ToTurn<R>>,
        make: Option<M>,
        judge: Option<J>,
        publish: Option<U>,
        oldest: Option<Duration>,
        stage: Stage,
    }
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Waiting,
    Running(Part),
    Finished,
}

impl<R, M, F> Run<R, M, F>
where
    R: TableRef,
    M: FnOnce() -> F,
    F: Future<Output = <R::Target as Table>::Value>,
{
    #[inline(always)]
    pub(super) fn new(wait: Wait<ToTurn<R>>, make: M) -> Self {
        Self {
            body: None,
            wait,
            make: Some(make),
            judge: Some(()),
            publish: Some(()),
            oldest: None,
            stage: Stage::Idle,
        }
    }
}

impl<R: TableRef, M, F, J, U> Run<R, M, F, J, U> {
    /// Decides what becomes of the result, if this caller leads: share it, let the next one retry,
    /// refuse it to the others, or let all go alone. Everything is shared unless said.
    ///
    /// It runs in the leader, outside every lock, while the flight can still be joined.
    pub fn judge<H>(self, judge: H) -> Run<R, M, F, H, U>
    where
        H: FnOnce(&<R::Target as Table>::Value) -> Verdict,
    {
        Run {
            body: self.body,
            wait: self.wait,
            make: self.make,
            judge: Some(judge),
            publish: self.publish,
            oldest: self.oldest,
            stage: self.stage,
        }
    }

    /// Shows the result to `publish` before the flight disappears, if this caller leads and the
    /// result is shared: for the cache in front, which so has no gap.
    ///
    /// It runs in the leader, outside every lock, while the flight can still be joined: a newcomer
    /// finds the flight or, after it, what was published.
    pub fn publish<H>(self, publish: H) -> Run<R, M, F, J, H>
    where
        H: FnOnce(&<R::Target as Table>::Value),
    {
        Run {
            body: self.body,
            wait: self.wait,
            make: self.make,
            judge: self.judge,
            publish: Some(publish),
            oldest: self.oldest,
            stage: self.stage,
        }
    }

    /// Does not join a flight that was begun longer than `oldest` ago: supersedes it. It goes on for
    /// those who joined it; this call runs beside it. Looked at when the call is first polled.
    ///
    /// Without effect on a table without a clock.
    pub fn max_age(mut self, oldest: Duration) -> Self {
        self.oldest = Some(oldest);
        self
    }

    /// Waits for another's run for `limit` at most, counted from the first poll. (A run of its own
    /// is not bounded by it.)
    pub fn timeout<T: Timer>(self, timer: T, limit: Duration) -> Patient<R, M, F, J, U, T> {
        Patient {
            run: self,
            sleep: None,
            until: None,
            timer,
            limit,
        }
    }

    /// Whether this call runs the work, for others or alone.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running(_))
    }
}

/// Stands by while user code of a leader runs. If that unwinds, the exit happens at once (U1).
struct Exit<'a, R: TableRef, F> {
    body: Pin<&'a mut Option<F>>,
    wait: Pin<&'a Wait<ToTurn<R>>>,
    stage: &'a mut Stage,
}

impl<R: TableRef, F> Drop for Exit<'_, R, F> {
    fn drop(&mut self) {
        let led = matches!(*self.stage, Stage::Running(Part::Led { .. }));
        *self.stage = Stage::Finished;
        let mut user = UserCode::new();
        user.call(|| self.body.set(None));
        if led {
            user.call(|| transitions::lose(self.wait.at(), self.wait.seat(), true));
        }
        user.rethrow();
    }
}

impl<R, M, F, J, U> Run<R, M, F, J, U>
where
    R: TableRef<Target: Table<Value: Clone>>,
    M: FnOnce() -> F,
    F: Future<Output = <R::Target as Table>::Value>,
    J: Judge<<R::Target as Table>::Value>,
    U: Publish<<R::Target as Table>::Value>,
{
    /// Waits for one's turn.
    fn poll_turn(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Turn<<R::Target as Table>::Value>>> {
        let mut this = self.project();
        let fresh = *this.stage == Stage::Idle;
        if fresh {
            let wait = this.wait.as_ref().get_ref();
            if wait.table().goes_alone(wait.key()) {
                *this.stage = Stage::Running(Part::Alone);
                return Poll::Ready(None);
            }
            *this.stage = Stage::Waiting;
            if let Some(oldest) = *this.oldest {
                supersede(this.wait.as_ref().get_ref(), oldest);
            }
        }
        if *this.stage != Stage::Waiting {
            return Poll::Ready(None);
        }
        let turn = ready!(this.wait.as_mut().poll(cx));
        let inherits = !fresh;
        Poll::Ready(match turn {
            Turn::Lead => {
                *this.stage = Stage::Running(lead(this.wait.as_ref().get_ref(), inherits));
                None
            }
            turn => Some(turn),
        })
    }

    /// What another's run came to.
    fn land(
        self: Pin<&mut Self>,
        landing: Landing<<R::Target as Table>::Value>,
    ) -> Option<Result<Answer<<R::Target as Table>::Value>, NoAnswer>> {
        let stage = self.project().stage;
        *stage = Stage::Finished;
        if let Landing::Alone = landing {
            *stage = Stage::Running(Part::Alone);
            return None;
        }
        Some(landing.into_answer())
    }

    /// Runs the work.
    fn poll_body(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Answer<<R::Target as Table>::Value>, NoAnswer>> {
        let mut this = self.project();
        let Stage::Running(part) = *this.stage else {
            return polled_again("a `Run`");
        };
        let mut exit = Exit {
            body: this.body.as_mut(),
            wait: this.wait.as_ref(),
            stage: this.stage,
        };
        let polled = {
            let _here = here(exit.wait, part, cx);
            if let Some(make) = this.make.take() {
                exit.body.set(Some(make()));
            }
            // (Where there is no body any more, it unwound.)
            match exit.body.as_mut().as_pin_mut() {
                Some(body) => body.poll(cx),
                None => polled_again("a `Run`"),
            }
        };
        let Poll::Ready(value) = polled else {
            core::mem::forget(exit);
            return Poll::Pending;
        };
        // Still guarded: a destructor or a hook that panics is a panic of the work.
        exit.body.set(None);
        let verdict = match part {
            Part::Alone => None,
            _ => {
                let judge = this.judge.take();
                let verdict = judge.map_or(Verdict::Share, |judge| judge.judge(&value));
                if let (Verdict::Share, Some(publish)) = (verdict, this.publish.take()) {
                    publish.publish(&value);
                }
                if verdict == Verdict::GoAlone {
                    // Remembered before it is told, so that nobody comes between and waits.
                    let wait = exit.wait.get_ref();
                    wait.table().went_alone(wait.key());
                }
                Some(verdict)
            }
        };
        let wait = exit.wait;
        *exit.stage = Stage::Finished;
        core::mem::forget(exit);
        let joined = verdict.map_or(0, |verdict| finish(wait.get_ref(), &value, verdict));
        Poll::Ready(Ok(Answer {
            value,
            part,
            joined,
        }))
    }
}

/// Where a leader's body is being polled, so that it cannot join itself.
fn here<'a, R: TableRef>(
    wait: Pin<&'a Wait<ToTurn<R>>>,
    part: Part,
    cx: &Context<'_>,
) -> Option<super::context::Here<'a>> {
    (part != Part::Alone).then(|| {
        let node = wait.get_ref().seat();
        node.extra().data().polled.enter(cx.waker())
    })
}

/// A caller comes to lead. How its leader before ended is asked for only where there was one.
fn lead<R: TableRef>(wait: &Wait<ToTurn<R>>, inherits: bool) -> Part {
    let timed = <<R::Target as Table>::Stamp as Stamp>::TIMED;
    let inherited: Option<Outcome> = if inherits || timed {
        transitions::begin(wait.at(), wait.seat())
    } else {
        None
    };
    Part::Led { inherited }
}

/// Forgets a flight that is too old to be joined: that one, not a newer one at its key.
fn supersede<R: TableRef>(wait: &Wait<ToTurn<R>>, oldest: Duration) {
    let stamp = wait.table().stamp();
    let is = |key: &<R::Target as Table>::Key| wait.key().is(key);
    if let Some(begun) = transitions::begun(wait.at(), is) {
        if stamp.is_older(begun, oldest) {
            transitions::forget(wait.at(), is, |found| found == begun);
        }
    }
}

/// The leader's result is there.
#[inline]
fn finish<R>(wait: &Wait<ToTurn<R>>, value: &<R::Target as Table>::Value, verdict: Verdict) -> u32
where
    R: TableRef<Target: Table<Value: Clone>>,
{
    let (at, seat) = (wait.at(), wait.seat());
    match verdict {
        Verdict::Share => transitions::land(at, seat, value),
        Verdict::Retry => {
            transitions::hand_on(at, seat, false);
            0
        }
        Verdict::Refuse => transitions::tell_all(at, seat, || {
            Landing::Failed(NoAnswer::Abandoned { by_panic: false })
        }),
        Verdict::GoAlone => transitions::tell_all(at, seat, || Landing::Alone),
    }
}

impl<R, M, F, J, U> Future for Run<R, M, F, J, U>
where
    R: TableRef<Target: Table<Value: Clone>>,
    M: FnOnce() -> F,
    F: Future<Output = <R::Target as Table>::Value>,
    J: Judge<<R::Target as Table>::Value>,
    U: Publish<<R::Target as Table>::Value>,
{
    type Output = Result<Answer<<R::Target as Table>::Value>, NoAnswer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(Turn::Landed(landing)) = ready!(self.as_mut().poll_turn(cx)) {
            if let Some(answer) = self.as_mut().land(landing) {
                return Poll::Ready(answer);
            }
        }
        self.poll_body(cx)
    }
}

impl<R, M, F, J, U> FusedFuture for Run<R, M, F, J, U>
where
    R: TableRef<Target: Table<Value: Clone>>,
    M: FnOnce() -> F,
    F: Future<Output = <R::Target as Table>::Value>,
    J: Judge<<R::Target as Table>::Value>,
    U: Publish<<R::Target as Table>::Value>,
{
    fn is_terminated(&self) -> bool {
        self.stage == Stage::Finished
    }
}

impl<R: TableRef, M, F, J, U> fmt::Debug for Run<R, M, F, J, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A [`Run`] that waits for another's run with a bound: [`Run::timeout`].
    ///
    /// # Cancellation
    /// As the run's.
    #[must_use = "a flight does nothing unless it is awaited"]
    pub struct Patient<R, M, F, J, U, T>
    where
        R: TableRef,
        T: Timer,
    {
        #[pin]
        run: Run<R, M, F, J, U>,
        #[pin]
        sleep: Option<T::Sleep>,
        until: Option<T::Instant>,
        timer: T,
        limit: Duration,
    }
}

impl<R, M, F, J, U, T> Future for Patient<R, M, F, J, U, T>
where
    R: TableRef<Target: Table<Value: Clone>>,
    M: FnOnce() -> F,
    F: Future<Output = <R::Target as Table>::Value>,
    J: Judge<<R::Target as Table>::Value>,
    U: Publish<<R::Target as Table>::Value>,
    T: Timer,
{
    type Output = Result<Answer<<R::Target as Table>::Value>, NoAnswer>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let until = *this
            .until
            .get_or_insert_with(|| this.timer.after(this.timer.now(), *this.limit));
        if let Poll::Ready(answer) = this.run.as_mut().poll(cx) {
            this.sleep.set(None);
            return Poll::Ready(answer);
        }
        if this.run.is_running() {
            this.sleep.set(None);
            return Poll::Pending;
        }
        ready!(poll_sleep(this.sleep.as_mut(), this.timer, until, cx));
        this.sleep.set(None);
        // Found at the last moment: taken, as by every bounded wait.
        match this.run.as_mut().project().wait.try_abandon() {
            None => {
                *this.run.as_mut().project().stage = Stage::Finished;
                Poll::Ready(Err(NoAnswer::TimedOut))
            }
            Some(Turn::Lead) => {
                let run = this.run.as_mut().project();
                *run.stage = Stage::Running(lead(run.wait.as_ref().get_ref(), true));
                this.run.poll(cx)
            }
            Some(Turn::Landed(landing)) => match this.run.as_mut().land(landing) {
                Some(answer) => Poll::Ready(answer),
                None => this.run.poll(cx),
            },
        }
    }
}

impl<R, M, F, J, U, T> FusedFuture for Patient<R, M, F, J, U, T>
where
    R: TableRef<Target: Table<Value: Clone>>,
    M: FnOnce() -> F,
    F: Future<Output = <R::Target as Table>::Value>,
    J: Judge<<R::Target as Table>::Value>,
    U: Publish<<R::Target as Table>::Value>,
    T: Timer,
{
    fn is_terminated(&self) -> bool {
        self.run.is_terminated()
    }
}

impl<R: TableRef, M, F, J, U, T: Timer> fmt::Debug for Patient<R, M, F, J, U, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patient")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
