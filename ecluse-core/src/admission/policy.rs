//! Who is served while the head of the queue is too heavy: a choice by type.
//!
//! | policy | while the head does not fit | costs |
//! |---|---|---|
//! | [`Fifo`] | nobody is served: permits are saved up for it | – |
//! | [`Bypass<K>`] | of the `K` waiters behind it those that fit may be, `K` times in all | two words, and `K` looks a lock hold |

use super::Answer;
use crate::wait::Ring;

/// How an [`Admission`](super::Admission) chooses whom to admit. Sealed: [`Fifo`], [`Bypass`].
pub trait Policy: choice::Choice {}

mod choice {
    /// What a policy decides.
    pub trait Choice {
        /// How many may overtake a head.
        const PAST: usize;
        /// What remembers how many did.
        type Passed: super::Passed;
    }
}
pub(super) use choice::Choice;

/// Strictly first come, first served: nobody overtakes a heavy head, however small.
#[derive(Debug)]
pub struct Fifo(());

/// A head that does not fit may be overtaken, `K` times at most, by smaller requests that do: by
/// the waiters that stand within `K` places behind it, in their order, and by a newcomer that would.
///
/// It keeps small work going while permits are saved up for a large one. Each head has its own
/// count, so a waiter that is overtaken before it is the head is overtaken more than `K` times; but
/// never without end: the heads before it are finite, and so are those that pass each.
///
/// ```
/// use ecluse_core::admission::{Admission, Bypass};
/// use ecluse_core::Local;
///
/// let admission = Admission::<Bypass<1>, Local>::new(4, 10);
/// let busy = admission.try_acquire(2).unwrap();
/// let mut heavy = std::pin::pin!(admission.acquire(4));
/// # assert!(futures_executor::block_on(std::future::poll_fn(|cx| {
/// #     std::task::Poll::Ready(heavy.as_mut().poll(cx).is_pending())
/// # })));
/// // … which is polled, and waits. One that fits may pass:
/// let one = admission.try_acquire(1).unwrap();
/// // and no second one.
/// assert!(admission.try_acquire(1).is_err());
/// # drop((one, busy));
/// ```
#[derive(Debug)]
pub struct Bypass<const K: usize>(());

impl Policy for Fifo {}
impl Choice for Fifo {
    const PAST: usize = 0;
    type Passed = Nobody;
}

impl<const K: usize> Policy for Bypass<K> {}
impl<const K: usize> Choice for Bypass<K> {
    const PAST: usize = K;
    type Passed = Count;
}

/// How many overtook the present head. Reached under the lock.
pub trait Passed: Send {
    /// Nobody did.
    const NEW: Self;

    /// How many.
    fn count(&self) -> usize;
    /// One more, which is not the head of `ring`.
    fn one_more(&mut self, ring: &Ring<Answer>);
    /// Somebody left `ring`, or was taken out of it: a new head begins anew.
    fn look(&mut self, ring: &Ring<Answer>);
}

/// Nobody ever does.
pub struct Nobody;

impl Passed for Nobody {
    const NEW: Self = Self;

    #[inline(always)]
    fn count(&self) -> usize {
        0
    }

    #[inline(always)]
    fn one_more(&mut self, _: &Ring<Answer>) {}

    #[inline(always)]
    fn look(&mut self, _: &Ring<Answer>) {}
}

/// A count, and whom it is about: an address that is compared only, and only while its node is
/// queued, since whoever leaves or is served is followed by a [`look`](Passed::look).
pub struct Count {
    head: usize,
    count: usize,
}

fn address(ring: &Ring<Answer>) -> usize {
    ring.first().map_or(0, |head| head.as_ptr().addr())
}

impl Passed for Count {
    const NEW: Self = Self { head: 0, count: 0 };

    fn count(&self) -> usize {
        self.count
    }

    fn one_more(&mut self, ring: &Ring<Answer>) {
        self.head = address(ring);
        self.count += 1;
    }

    fn look(&mut self, ring: &Ring<Answer>) {
        if self.count != 0 && self.head != address(ring) {
            self.count = 0;
        }
    }
}
