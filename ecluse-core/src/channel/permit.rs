//! `Permit`: room for one item, from its reservation to the send.

use core::{fmt, mem::ManuallyDrop, ptr};

use super::{ChannelRef, cells::Index};

/// Room for one item, reserved: [`send`](Permit::send) neither waits nor fails. Dropping it gives the
/// room to the next sender.
///
/// `R` is how it holds on to its channel: `&Channel`, `Arc<Channel>`, `Rc<Channel>`.
///
/// A channel that is closed meanwhile takes the item all the same, and does not end before it was
/// received, or the permit was dropped. Forgetting a permit is memory-safe: its place is lost, and
/// receivers that wait for the end do so for ever.
#[must_use = "a permit that is dropped at once reserves nothing"]
pub struct Permit<R: ChannelRef> {
    channel: R,
    index: Index,
}

impl<R: ChannelRef> Permit<R> {
    /// # Safety
    /// The cell becomes the permit's, and is empty.
    #[inline(always)]
    pub(super) unsafe fn new(channel: R, index: Index) -> Self {
        Self { channel, index }
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &R {
        &self.channel
    }

    /// Sends `item`. O(1); waits for nobody, also where the channel has no room of its own: then the
    /// item lies there until it is received.
    ///
    /// ```
    /// use ecluse_core::{Channel, Local};
    /// # futures_executor::block_on(async {
    /// let channel = Channel::<u8, 1, Local>::new();
    /// let permit = channel.reserve().await.unwrap();
    /// assert!(channel.try_send(2).is_err());
    /// permit.send(1);
    /// assert_eq!(channel.receive().await, Ok(1));
    /// # });
    /// ```
    #[inline(always)]
    pub fn send(self, item: R::Item) {
        self.put(&mut Some(item));
    }

    /// Sends the item in `place`, which has one; gives its cell and its number.
    #[inline(always)]
    pub(super) fn put(self, place: &mut Option<R::Item>) -> (Index, u32) {
        let (channel, index) = self.into_parts();
        // SAFETY: Validity: empty (`new`). Aliasing: the permit's, which is gone.
        (index, unsafe { channel.core().send_in(index, place) })
    }

    #[inline(always)]
    fn into_parts(self) -> (R, Index) {
        let this = ManuallyDrop::new(self);
        // SAFETY: Validity: read once, as nobody drops `this`. Aliasing: owned.
        (unsafe { ptr::read(&this.channel) }, this.index)
    }
}

impl<R: ChannelRef> Drop for Permit<R> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: Validity: empty (`new`). Aliasing: the permit's, and this is its end.
        unsafe { self.channel.core().release(self.index) };
    }
}

impl<R: ChannelRef> fmt::Debug for Permit<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
