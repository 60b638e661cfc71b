//! What a driver of a relay does under the lock, and what those who watch it do.

use core::task::Waker;

use super::{
    table::{ARMED, At, BUSY, Caller, Key, Table},
    transitions::{find, hand_on, hand_on_locked, leave_waker, relist},
};
use crate::{
    Outcome,
    sync::{AtomicUsize, Ordering},
    wait::UserCode,
};

/// The key of a relay's only flight at a time: how often its driver was polled.
pub struct Pulse(AtomicUsize);

impl Pulse {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn count(&self) -> usize {
        // Relaxed: under the lock.
        self.0.load(Ordering::Relaxed)
    }

    fn beat(&self) {
        // Relaxed, both: under the lock.
        self.0
            .store(self.count().wrapping_add(1), Ordering::Relaxed);
    }
}

impl Key for Pulse {
    fn is(&self, _: &Self) -> bool {
        true
    }
}

/// A driver as a look found it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    driver: usize,
    polls: usize,
}

impl Seen {
    fn of<T: Table<Key = Pulse>>(node: &Caller<T>) -> Self {
        Self {
            driver: core::ptr::from_ref(node).addr(),
            polls: node.extra().data().key.count(),
        }
    }
}

/// The driver begins a poll. `None`: it was replaced, and queues. Gives how the driver before ended.
pub(super) fn take_up<T: Table<Key = Pulse>>(
    at: At<'_, T>,
    node: &Caller<T>,
) -> Option<Option<Outcome>> {
    at.bucket().with(|_| {
        if !node.is_leading() {
            return None;
        }
        node.extra().data().key.beat();
        // SAFETY: Validity and Aliasing: the lock is held.
        unsafe {
            let mark = node.extra().mark();
            node.extra().set_mark(mark.with(BUSY));
            Some(mark.inherited())
        }
    })
}

/// The driver ends a poll: from here on it may be replaced, and is then woken by `waker`.
pub(super) fn put_down<T: Table<Key = Pulse>>(at: At<'_, T>, node: &Caller<T>, waker: Waker) {
    // SAFETY: Validity: it drives. Aliasing: the owner, with the lock.
    let spare = at
        .bucket()
        .with(|_| unsafe { leave_waker::<T>(node, waker, |mark| mark.without(BUSY)) });
    drop(spare);
}

/// The driver goes: the next drives on; if there is none, what is half-done is dropped first, by
/// `clear`. False if it was replaced, and queues.
pub(super) fn resign<T: Table<Key = Pulse>>(
    at: At<'_, T>,
    node: &Caller<T>,
    clear: impl FnOnce(),
) -> bool {
    enum Left {
        Replaced,
        Handed(Waker),
        Alone,
    }
    let (left, armed) = at.bucket().with(|held| {
        if !node.is_leading() {
            return (Left::Replaced, None);
        }
        // SAFETY: Validity: it drives, and is armed if its mark says so. Aliasing: the lock is held.
        unsafe {
            let mark = node.extra().mark();
            let armed = mark.has(ARMED).then(|| node.disarm());
            node.extra().set_mark(mark.with(BUSY).without(ARMED));
            let left = match node.heir() {
                // (A driver that others can replace was busy until here, or is idle: the place is
                // the next one's as it is.)
                Some(heir) => {
                    Left::Handed(hand_on_locked(at, held, node, heir, false, mark.begun()))
                }
                None => Left::Alone,
            };
            (left, armed)
        }
    });
    let mut user = UserCode::new();
    let resigned = match left {
        Left::Replaced => false,
        Left::Handed(waker) => {
            user.call(|| waker.wake());
            true
        }
        Left::Alone => {
            user.call(clear);
            // Whoever came meanwhile starts afresh.
            user.call(|| hand_on(at, node, false));
            true
        }
    };
    user.call(|| drop(armed));
    user.rethrow();
    resigned
}

/// The driver as it is now, if it is not `me`: nobody replaces itself.
pub(super) fn look<T: Table<Key = Pulse>>(at: At<'_, T>, me: &Caller<T>) -> Option<Seen> {
    at.bucket().with(|held| {
        find(at, held, |_| true)
            .filter(|driver| !core::ptr::eq(*driver, me))
            .map(Seen::of::<T>)
    })
}

/// Replaces a driver that was not polled since the look that saw it. It queues as the last; if it was
/// never polled as a driver, it is in no queue until it is polled again.
pub(super) fn replace<T: Table<Key = Pulse>>(at: At<'_, T>, seen: Seen) -> bool {
    let heir = at.bucket().with(|held| {
        let driver = find(at, held, |_| true).map(core::ptr::NonNull::from)?;
        // SAFETY: Validity: a leader is live while the lock is held; the heir is just found behind
        // it; armed, its waker cell is full. Aliasing: the lock is held.
        unsafe {
            let node = driver.as_ref();
            let mark = node.extra().mark();
            if Seen::of::<T>(node) != seen || mark.has(BUSY) {
                return None;
            }
            let heir = node.heir()?;
            relist(at, held, node, heir.as_ref());
            // One that has not been polled since it came to drive has left no waker to queue with.
            Some(if mark.has(ARMED) {
                node.demote(heir)
            } else {
                node.depose(heir)
            })
        }
    });
    let replaced = heir.is_some();
    if let Some(waker) = heir {
        waker.wake();
    }
    replaced
}
