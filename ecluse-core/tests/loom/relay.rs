//! Relays: the half-done run is touched by one at a time, in order, whoever drives it; drivers that
//! are lost, replaced, or the last to leave.
//!
//! Each thread polls with a waker of its own: two that share one would be one task.

use core::{
    future::{Future, Ready, ready as over},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::sync::Arc;

use ecluse_core::{
    Answer, NoAnswer,
    flight::{Part, Relay},
    runtime::{Clock, Timer},
};

use crate::kit::{Data, Wakes, models, poll_with, ready, spawn};

models!(
    heir_drives_on_after_the_lost,
    lost_driver_meets_joining_caller,
    lost_driver_meets_leaving_heir,
    last_who_leaves_meets_newcomer,
    replaced_driver_is_polled_meanwhile,
    replaced_driver_is_dropped_meanwhile,
    two_replace_one_driver,
    deposed_heir_is_dropped_meanwhile,
);

/// Some steps, one a poll. Loom sees that they are done one after another, and the end after them.
struct Walk {
    data: Arc<Data>,
    left: usize,
}

impl Future for Walk {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
        self.data.add();
        self.left -= 1;
        if self.left == 0 {
            Poll::Ready(self.data.get())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.data.add();
    }
}

type Walks = Relay<Walk>;
type Answered = Result<Answer<usize>, NoAnswer>;
type Call = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// A relay, and the data that its runs touch.
#[derive(Clone)]
struct Shared(Arc<Walks>, Arc<Data>);

impl Shared {
    fn new() -> Self {
        Self(Arc::new(Relay::new()), Arc::new(Data::new()))
    }

    fn make(&self, steps: usize) -> impl FnMut() -> Walk + Send + use<> {
        let data = self.1.clone();
        move || Walk {
            data: data.clone(),
            left: steps,
        }
    }

    fn call(&self, steps: usize) -> Caller {
        Caller::new(Box::pin(Walks::run_owned(&self.0, self.make(steps))))
    }

    /// One whose patience is over at once.
    fn impatient(&self, steps: usize) -> Caller {
        let run = Walks::run_owned(&self.0, self.make(steps));
        Caller::new(Box::pin(run.stall_bound(Over, Duration::from_nanos(1))))
    }
}

/// A timer that is always over.
struct Over;

impl Clock for Over {
    type Instant = u64;

    fn now(&self) -> u64 {
        0
    }

    fn after(&self, from: u64, _: Duration) -> u64 {
        from
    }
}

impl Timer for Over {
    type Sleep = Ready<()>;

    fn sleep_until(&self, _: u64) -> Ready<()> {
        over(())
    }
}

/// A caller that is polled by hand, with its waker.
struct Caller(Call, Waker);

impl Caller {
    fn new(call: Call) -> Self {
        Self(call, Wakes::new().1)
    }

    fn poll(&mut self) -> Poll<Answered> {
        poll_with(self.0.as_mut(), &self.1)
    }

    fn pending(mut self) -> Self {
        assert!(self.poll().is_pending());
        self
    }

    /// So many polls, or an answer.
    fn polls(&mut self, times: usize) -> Option<Answer<usize>> {
        (0..times).find_map(|_| match self.poll() {
            Poll::Ready(answer) => Some(answer.unwrap()),
            Poll::Pending => None,
        })
    }

    #[track_caller]
    fn answer(&mut self) -> Answer<usize> {
        ready(self.poll()).unwrap()
    }
}

fn heir_drives_on_after_the_lost() {
    let shared = Shared::new();
    let driver = shared.call(2).pending();
    let mut heir = shared.call(2).pending();
    let thread = spawn(move || heir.polls(2));
    drop(driver);
    if let Some(answer) = thread.join().unwrap() {
        assert_eq!(answer.value, 2);
        assert!(answer.led());
    }
    assert!(!shared.0.is_running());
}

fn lost_driver_meets_joining_caller() {
    let shared = Shared::new();
    let driver = shared.call(2).pending();
    let mut caller = shared.call(2);
    let thread = spawn(move || {
        let answer = caller.polls(3);
        (caller, answer)
    });
    drop(driver);
    let (mut caller, answer) = thread.join().unwrap();
    let answer = answer.or_else(|| caller.polls(2)).unwrap();
    // It went on with the half-done run, or came when that was dropped (a step and an end before).
    assert!(matches!(answer.value, 2 | 4));
}

fn lost_driver_meets_leaving_heir() {
    let shared = Shared::new();
    let driver = shared.call(3).pending();
    let heir = shared.call(3).pending();
    let mut last = shared.call(3).pending();
    let leaver = spawn(move || drop(heir));
    drop(driver);
    leaver.join().unwrap();
    assert!(last.poll().is_pending());
    assert_eq!(last.answer().value, 3);
}

fn last_who_leaves_meets_newcomer() {
    let shared = Shared::new();
    let driver = shared.call(2).pending();
    let newcomer = spawn({
        let mut caller = shared.call(1);
        move || {
            let answer = caller.polls(3);
            (caller, answer)
        }
    });
    drop(driver);
    let (mut caller, answer) = newcomer.join().unwrap();
    let answer = answer.unwrap_or_else(|| caller.answer());
    // Taken over: the second step. Afresh: after a step and an end.
    assert!(matches!(answer.value, 2 | 3), "{answer:?}");
    assert!(!shared.0.is_running());
}

fn replaced_driver_is_polled_meanwhile() {
    let shared = Shared::new();
    let mut driver = shared.call(3).pending();
    let mut other = shared.impatient(3);
    let thread = spawn(move || {
        let answer = other.polls(2);
        (other, answer)
    });
    let first = driver.polls(1);
    let (mut other, second) = thread.join().unwrap();
    let first = first.or_else(|| driver.polls(4));
    let second = second.or_else(|| other.polls(4));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.value, second.value), (3, 3));
    assert_ne!(first.part == Part::Joined, second.part == Part::Joined);
}

fn replaced_driver_is_dropped_meanwhile() {
    let shared = Shared::new();
    let driver = shared.call(2).pending();
    let mut other = shared.impatient(2);
    let thread = spawn(move || {
        let answer = other.polls(2);
        (other, answer)
    });
    drop(driver);
    let (mut other, answer) = thread.join().unwrap();
    let answer = answer.or_else(|| other.polls(3)).unwrap();
    assert!(matches!(answer.value, 2 | 4), "{answer:?}");
    assert!(!shared.0.is_running());
}

fn two_replace_one_driver() {
    let shared = Shared::new();
    let driver = shared.call(3).pending();
    let threads = [(); 2].map(|()| {
        let mut other = shared.impatient(3);
        spawn(move || {
            let answer = other.polls(1);
            (other, answer)
        })
    });
    let others = threads.map(|thread| thread.join().unwrap());
    let answers = others.map(|(mut other, answer)| answer.or_else(|| other.polls(5)));
    for answer in answers {
        // One that was replaced before its first poll as a driver may come when the run is over: then
        // it runs afresh, after three steps and an end.
        assert!(matches!(answer.unwrap().value, 3 | 7));
    }
    drop(driver);
    assert!(!shared.0.is_running());
}

/// It was never polled as a driver: replaced, it is in no queue.
fn deposed_heir_is_dropped_meanwhile() {
    let shared = Shared::new();
    let driver = shared.call(2).pending();
    let heir = shared.call(2).pending();
    let mut other = shared.impatient(2);
    drop(driver);
    let leaver = spawn(move || drop(heir));
    let answer = other.polls(2);
    leaver.join().unwrap();
    let answer = answer.or_else(|| other.polls(3)).unwrap();
    // It drove on, or came when that was dropped (a step and an end before).
    assert!(matches!(answer.value, 2 | 4), "{answer:?}");
    assert!(!shared.0.is_running());
}
