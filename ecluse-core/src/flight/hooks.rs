//! What a caller may have to say about a result it led to: a closure, or nothing.

use super::Verdict;

/// Decides what becomes of a result: a closure, or `()`, which shares all.
pub trait Judge<T> {
    /// Called once, in the leader, outside every lock.
    fn judge(self, value: &T) -> Verdict;
}

/// Is shown a result before its flight disappears: a closure, or `()`, which looks away.
pub trait Publish<T> {
    /// Called once, in the leader, outside every lock.
    fn publish(self, value: &T);
}

impl<T> Judge<T> for () {
    #[inline(always)]
    fn judge(self, _: &T) -> Verdict {
        Verdict::Share
    }
}

impl<T, H: FnOnce(&T) -> Verdict> Judge<T> for H {
    fn judge(self, value: &T) -> Verdict {
        self(value)
    }
}

impl<T> Publish<T> for () {
    #[inline(always)]
    fn publish(self, _: &T) {}
}

impl<T, H: FnOnce(&T)> Publish<T> for H {
    fn publish(self, value: &T) {
        self(value);
    }
}
