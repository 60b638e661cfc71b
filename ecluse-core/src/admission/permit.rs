//! `Permit`: so much of the capacity, from its admission to its one return.
//!
//! Invariants:
//! - **H1** The weights of all permits, and of grants on their way to a waiter, add up to the
//!   occupancy.
//! - **H2** A permit's drop is its return. There is no other way out, but forgetting it.

use core::{fmt, mem, ptr};

use super::AdmissionRef;

/// A weighted permit of an [`Admission`](super::Admission). Dropping it gives it back, and admits
/// whoever fits then. It never blocks or awaits: it is a bounded number of list operations a lock
/// hold.
///
/// `R` is how it holds on to its admission: `&Admission`, `Arc<Admission>`, `Rc<Admission>`.
///
/// Forgetting a permit is memory-safe; its weight stays occupied.
///
/// A permit does not outlive its admission:
/// ```compile_fail,E0597
/// use ecluse_core::{Local, admission::{Admission, Fifo}};
/// let permit = {
///     let admission = Admission::<Fifo, Local>::new(1, 0);
///     admission.try_acquire(1).unwrap()
/// };
/// ```
#[must_use = "a permit that is dropped at once admits nothing"]
pub struct Permit<R: AdmissionRef> {
    admission: R,
    weight: usize,
}

impl<R: AdmissionRef> Permit<R> {
    /// `weight` was just taken for this (H1).
    #[inline(always)]
    pub(super) fn new(admission: R, weight: usize) -> Self {
        Self { admission, weight }
    }

    /// How much of the capacity this is.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The admission.
    #[must_use]
    pub fn admission(&self) -> &R {
        &self.admission
    }

    /// Gives the permit back, as its drop does. O(1) if nobody waits.
    #[inline(always)]
    pub fn release(self) {}

    /// Takes `weight` out of this permit into one of its own; `None`, and nothing changes, if that
    /// would leave nothing on either side.
    ///
    /// ```
    /// use ecluse_core::{Local, admission::{Admission, Fifo}};
    /// let admission = Admission::<Fifo, Local>::new(5, 0);
    /// let mut batch = admission.try_acquire(5).unwrap();
    /// let half = batch.split(2).unwrap();
    /// drop(batch);
    /// assert_eq!((half.weight(), admission.available()), (2, 3));
    /// ```
    pub fn split(&mut self, weight: usize) -> Option<Self> {
        if weight == 0 || weight >= self.weight {
            return None;
        }
        let part = Self::new(self.admission.clone(), weight);
        self.weight -= weight;
        Some(part)
    }

    /// Makes one permit of two.
    ///
    /// # Errors
    /// Gives `other` back, and changes nothing, if it is a permit of another admission.
    pub fn merge(&mut self, mut other: Self) -> Result<(), Self> {
        if !ptr::eq(self.admission.admission(), other.admission.admission()) {
            return Err(other);
        }
        self.weight += mem::take(&mut other.weight);
        Ok(())
    }
}

impl<R: AdmissionRef> Drop for Permit<R> {
    #[inline(always)]
    fn drop(&mut self) {
        // 0: merged into another.
        if self.weight != 0 {
            self.admission.admission().put_back(self.weight);
        }
    }
}

impl<R: AdmissionRef> fmt::Debug for Permit<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}
