//! What the cases of flights are built of: work that ends when the case says so, and callers that are polled by hand.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use portable_atomic::{AtomicUsize, Ordering};

use super::super::subject::flight::{Answer, Fail, NoAnswer, NoClock, Part, Promote, Run, Table};
use super::super::subject::{ListLock, Outcome};
use crate::Runtime;
use crate::kit::{Callback, Foreign, Parked, TestWaker};

/// A flight under the subject's lock.
pub(crate) type Flight<T = u32, P = Promote, C = NoClock> = ecluse_core::Flight<T, P, ListLock, C>;

/// A flight whose followers fail with their leader.
pub(crate) type Failing = Flight<u32, Fail>;

/// Work that is over once it is opened. Counts its runs.
pub(crate) struct Gate {
    /// One more than the value; 0 while it is shut.
    open: AtomicUsize,
    begun: AtomicUsize,
    gone: AtomicUsize,
}

impl Gate {
    pub(crate) const fn new() -> Self {
        Self {
            open: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
        }
    }

    pub(crate) fn open(&self, value: u32) {
        self.open.store(value as usize + 1, Ordering::SeqCst);
    }

    pub(crate) fn shut(&self) {
        self.open.store(0, Ordering::SeqCst);
    }

    /// How often its work was begun.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// How much of its work is gone: over or dropped.
    pub(crate) fn gone(&self) -> usize {
        self.gone.load(Ordering::SeqCst)
    }

    /// The work.
    pub(crate) fn pass(&'static self) -> Passed {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Passed(self)
    }
}

/// One run of a gate's work.
pub(crate) struct Passed(&'static Gate);

impl Future for Passed {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        match self.0.open.load(Ordering::SeqCst) {
            0 => Poll::Pending,
            open => Poll::Ready(open as u32 - 1),
        }
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Ordering::SeqCst);
    }
}

/// A gate's work that is foreign code throughout, and comes to what `gives` makes of the gate's value.
pub(crate) struct Work<O> {
    passed: Passed,
    of: &'static Foreign,
    gives: fn(u32, &'static Foreign) -> O,
}

impl<O> Work<O> {
    pub(crate) fn new(
        gate: &'static Gate,
        of: &'static Foreign,
        gives: fn(u32, &'static Foreign) -> O,
    ) -> Self {
        of.called(Callback::Make);
        of.born();
        Self {
            passed: gate.pass(),
            of,
            gives,
        }
    }
}

impl<O> Future for Work<O> {
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        let (of, gives) = (self.of, self.gives);
        of.called(Callback::Poll);
        Pin::new(&mut self.passed)
            .poll(cx)
            .map(|number| gives(number, of))
    }
}

impl<O> Drop for Work<O> {
    fn drop(&mut self) {
        self.of.gone();
        self.of.called(Callback::DropFuture);
    }
}

/// What begins a caller's own work.
pub(crate) type Make = &'static (dyn Fn() -> Passed + Send + Sync);

/// A caller's call.
pub(crate) type Call<T> = Run<&'static T, Make, Passed>;

/// One who asks, with work of its own, polled by hand.
pub(crate) struct Caller<T: Table + 'static> {
    pub(crate) call: Parked<Call<T>>,
    pub(crate) gate: Gate,
    pub(crate) waker: TestWaker,
}

impl<T: Table<Value = u32> + Send + Sync + 'static> Caller<T>
where
    Call<T>: Future<Output = Result<Answer<u32>, NoAnswer>> + Send,
{
    pub(crate) const fn new() -> Self {
        Self {
            call: Parked::new(),
            gate: Gate::new(),
            waker: TestWaker::new(),
        }
    }

    /// Makes the call: `caller.asks(rt, |make| flight.run(make))`. It must not be over at once.
    #[track_caller]
    pub(crate) fn asks<R: Runtime>(&'static self, rt: R, call: impl FnOnce(Make) -> Call<T>) {
        self.call.park(call(rt.put(|| self.gate.pass())));
        self.waits();
    }

    /// Polls again; it must go on.
    #[track_caller]
    pub(crate) fn waits(&'static self) {
        self.call.pending(&self.waker.waker());
    }

    /// Whether it runs its work.
    #[track_caller]
    pub(crate) fn runs(&'static self) -> bool {
        self.call.with_pin(|call| call.is_running())
    }

    /// Polls again; it must be over.
    #[track_caller]
    pub(crate) fn told(&'static self) -> Result<Answer<u32>, NoAnswer> {
        let told = self.call.ready();
        self.call.leave();
        told
    }

    /// Polls again; it must be over, with an answer.
    #[track_caller]
    pub(crate) fn answered(&'static self) -> Answer<u32> {
        match self.told() {
            Ok(answer) => answer,
            Err(why) => panic!("no answer: {why}"),
        }
    }

    /// Polls again; it must have been given `value`, of another's run.
    #[track_caller]
    pub(crate) fn joined(&'static self, value: u32) {
        let answer = self.answered();
        assert_eq!((answer.value, answer.part), (value, Part::Joined));
        assert_eq!(self.gate.begun(), 0, "who joined has not run");
    }

    /// Its work comes to `value`; polls again. It must have led.
    #[track_caller]
    pub(crate) fn lands(&'static self, value: u32) -> Answer<u32> {
        self.gate.open(value);
        let answer = self.answered();
        assert!(answer.led());
        assert_eq!(
            (answer.value, self.gate.begun(), self.gate.gone()),
            (value, 1, 1)
        );
        answer
    }

    /// Goes away, however far it is.
    #[track_caller]
    pub(crate) fn leave(&self) {
        self.call.leave();
    }

    pub(crate) fn wakes(&self) -> usize {
        self.waker.wakes()
    }
}

/// All the callers of a case, in an array.
pub(crate) fn callers<R: Runtime, T, const N: usize>(rt: R) -> &'static [Caller<T>; N]
where
    T: Table<Value = u32> + Send + Sync + 'static,
    Call<T>: Future<Output = Result<Answer<u32>, NoAnswer>> + Send,
{
    rt.put([const { Caller::new() }; N])
}

/// How often each of them was woken.
pub(crate) fn wakes<T, const N: usize>(callers: &'static [Caller<T>]) -> [usize; N]
where
    T: Table<Value = u32> + Send + Sync + 'static,
    Call<T>: Future<Output = Result<Answer<u32>, NoAnswer>> + Send,
{
    core::array::from_fn(|i| callers[i].wakes())
}

/// Led from the beginning.
pub(crate) const LED: Part = Part::Led { inherited: None };

/// Led after another leader was lost.
pub(crate) const fn inherited(by_panic: bool) -> Part {
    Part::Led {
        inherited: Some(Outcome::Abandoned { by_panic }),
    }
}

/// What followers are told of a leader that is lost.
pub(crate) const fn abandoned(by_panic: bool) -> NoAnswer {
    NoAnswer::Abandoned { by_panic }
}
