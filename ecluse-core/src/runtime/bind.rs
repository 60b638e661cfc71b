//! The sugar of an adapter, once for all of them: waits with a bound by *its* clock.

/// Gives an adapter its waits with a bound: for a timer that is a unit value (`TokioTimer`) the
/// types `Deadline`, `SendDeadline` and `StallBound` with that timer filled in, and the extension
/// traits `WaitExt`, `SlotExt`, `AdmissionExt`, `ChannelExt` and `SendingExt`, public, in the module
/// where it is called.
///
/// The limits are `core::time::Duration`, unless the runtime has a type of its own that converts
/// into that.
///
/// ```
/// mod adapter {
///     # use core::{future::{Ready, ready}, time::Duration};
///     # use ecluse_core::runtime::{Clock, Timer};
///     /// A clock that stands, and a timer that is always over.
///     #[derive(Clone, Copy, Debug)]
///     pub struct Never;
///     # impl Clock for Never {
///     #     type Instant = u64;
///     #     fn now(&self) -> u64 { 0 }
///     #     fn after(&self, from: u64, _: Duration) -> u64 { from }
///     # }
///     # impl Timer for Never {
///     #     type Sleep = Ready<()>;
///     #     fn sleep_until(&self, _: u64) -> Ready<()> { ready(()) }
///     # }
///     // impl Clock for Never { … }
///     // impl Timer for Never { … }
///     ecluse_core::bind_timer!(Never, core::time::Duration);
/// }
///
/// use adapter::SlotExt;
/// use ecluse_core::{Handoff, Local, Slot, TimedOut};
/// # futures_executor::block_on(async {
/// let slot = Slot::<Handoff, Local>::new();
/// let held = slot.try_claim();
/// let late = slot.claim_timeout(core::time::Duration::from_secs(1)).await;
/// assert!(matches!(late, Err(TimedOut)));
/// # drop(held);
/// # });
/// ```
#[macro_export]
macro_rules! bind_timer {
    ($timer:ident, $duration:ty) => {
        /// A wait with a bound by this runtime's clock: [`WaitExt::within`], [`WaitExt::until`].
        pub type Deadline<T> = $crate::runtime::Deadline<T, $timer>;

        /// A claim that does not suffer a stalled grantee, by this runtime's clock:
        /// [`SlotExt::claim_with_stall_bound`].
        pub type StallBound<R> = $crate::runtime::StallBound<R, $timer>;

        /// Bounds for any wait, by this runtime's clock.
        pub trait WaitExt: Sized {
            /// What is waited for.
            type Target: $crate::wait::Target;

            /// Waits for `limit` at most, counted from now. What arrives at the last moment is
            /// returned, not lost; a limit of zero looks once.
            ///
            /// # Cancellation
            /// As the wait's.
            ///
            /// # Errors
            /// Gives [`TimedOut`]($crate::TimedOut) when the limit is over.
            fn within(self, limit: $duration) -> Deadline<Self::Target>;

            /// Waits until `at` at the latest. What arrives at the last moment is returned, not
            /// lost; a moment that has passed looks once.
            ///
            /// # Cancellation
            /// As the wait's.
            ///
            /// # Errors
            /// Gives [`TimedOut`]($crate::TimedOut) when the moment has come.
            fn until(
                self,
                at: <$timer as $crate::runtime::Clock>::Instant,
            ) -> Deadline<Self::Target>;
        }

        impl<T: $crate::wait::Target> WaitExt for $crate::Wait<T> {
            type Target = T;

            fn within(self, limit: $duration) -> Deadline<T> {
                self.timeout($timer, limit.into())
            }

            fn until(self, at: <$timer as $crate::runtime::Clock>::Instant) -> Deadline<T> {
                self.deadline($timer, at)
            }
        }

        /// A slot's waits with a bound, by this runtime's clock.
        pub trait SlotExt<P, L, O>
        where
            P: $crate::claim::Policy,
            L: $crate::Lock,
            O: $crate::observe::Observer,
        {
            /// [`Slot::claim`]($crate::Slot::claim) for `limit` at most.
            ///
            /// # Cancellation
            /// As [`Slot::claim`]($crate::Slot::claim).
            ///
            /// # Errors
            /// Gives [`TimedOut`]($crate::TimedOut) when the limit is over; inside,
            /// [`Closed`]($crate::Closed) if the slot is closed.
            fn claim_timeout(
                &self,
                limit: $duration,
            ) -> Deadline<$crate::claim::ToClaim<&$crate::Slot<P, L, O>>>;

            /// [`Slot::released`]($crate::Slot::released) for `limit` at most.
            ///
            /// # Cancellation
            /// As [`Slot::released`]($crate::Slot::released).
            ///
            /// # Errors
            /// Gives [`TimedOut`]($crate::TimedOut) when the limit is over.
            fn released_timeout(
                &self,
                limit: $duration,
            ) -> Deadline<$crate::claim::ToRelease<&$crate::Slot<P, L, O>>>;

            /// [`Slot::claim_stall_bound`]($crate::Slot::claim_stall_bound): a grant that stays
            /// unobserved for `bound` while this waits is taken back and given to the next in the
            /// queue.
            ///
            /// # Cancellation
            /// As [`Slot::claim`]($crate::Slot::claim).
            ///
            /// # Errors
            /// Gives [`Closed`]($crate::Closed) if the slot is closed.
            fn claim_with_stall_bound(
                &self,
                bound: $duration,
            ) -> StallBound<&$crate::Slot<P, L, O>>
            where
                P: $crate::claim::Revoking;
        }

        impl<P, L, O> SlotExt<P, L, O> for $crate::Slot<P, L, O>
        where
            P: $crate::claim::Policy,
            L: $crate::Lock,
            O: $crate::observe::Observer,
        {
            fn claim_timeout(&self, limit: $duration) -> Deadline<$crate::claim::ToClaim<&Self>> {
                self.claim().within(limit)
            }

            fn released_timeout(
                &self,
                limit: $duration,
            ) -> Deadline<$crate::claim::ToRelease<&Self>> {
                self.released().within(limit)
            }

            fn claim_with_stall_bound(&self, bound: $duration) -> StallBound<&Self>
            where
                P: $crate::claim::Revoking,
            {
                self.claim_stall_bound($timer, bound.into())
            }
        }

        /// An admission's wait with a budget, by this runtime's clock.
        pub trait AdmissionExt<P, L, O>
        where
            P: $crate::admission::Policy,
            L: $crate::Lock,
            O: $crate::observe::Observer,
        {
            /// [`Admission::acquire`]($crate::Admission::acquire) for `limit` at most.
            ///
            /// # Cancellation
            /// As [`Admission::acquire`]($crate::Admission::acquire).
            ///
            /// # Errors
            /// Gives [`TimedOut`]($crate::TimedOut) when the limit is over, its place in the
            /// waiting room given back; inside, [`NotAdmitted`]($crate::NotAdmitted).
            fn acquire_timeout(
                &self,
                weight: usize,
                limit: $duration,
            ) -> Deadline<$crate::admission::ToPermit<&$crate::Admission<P, L, O>>>;
        }

        impl<P, L, O> AdmissionExt<P, L, O> for $crate::Admission<P, L, O>
        where
            P: $crate::admission::Policy,
            L: $crate::Lock,
            O: $crate::observe::Observer,
        {
            fn acquire_timeout(
                &self,
                weight: usize,
                limit: $duration,
            ) -> Deadline<$crate::admission::ToPermit<&Self>> {
                self.acquire(weight).within(limit)
            }
        }

        /// A send with a bound by this runtime's clock: [`SendingExt`].
        pub type SendDeadline<R, P = Option<<R as $crate::channel::ChannelRef>::Item>> =
            $crate::channel::SendDeadline<R, $timer, P>;

        /// Bounds for a send, by this runtime's clock: of a channel, or of an end of one.
        pub trait SendingExt: Sized {
            /// The channel.
            type Channel: $crate::channel::ChannelRef;
            /// Where the item is.
            type Place: $crate::channel::Place<
                <Self::Channel as $crate::channel::ChannelRef>::Item,
            >;

            /// Sends for `limit` at most, counted from now. A limit of zero tries once.
            ///
            /// # Cancellation
            /// As [`Channel::send`]($crate::Channel::send).
            ///
            /// # Errors
            /// Gives the item back as
            /// [`SendError::TimedOut`]($crate::channel::SendError::TimedOut) when the limit is
            /// over.
            fn within(self, limit: $duration) -> SendDeadline<Self::Channel, Self::Place>;

            /// Sends until `at` at the latest. A moment that has passed tries once.
            ///
            /// # Cancellation
            /// As [`Channel::send`]($crate::Channel::send).
            ///
            /// # Errors
            /// Gives the item back as
            /// [`SendError::TimedOut`]($crate::channel::SendError::TimedOut) when the moment has
            /// come.
            fn until(
                self,
                at: <$timer as $crate::runtime::Clock>::Instant,
            ) -> SendDeadline<Self::Channel, Self::Place>;
        }

        impl<R, P> SendingExt for $crate::channel::Sending<R, P>
        where
            R: $crate::channel::ChannelRef,
            P: $crate::channel::Place<R::Item>,
        {
            type Channel = R;
            type Place = P;

            fn within(self, limit: $duration) -> SendDeadline<R, P> {
                self.timeout($timer, limit.into())
            }

            fn until(
                self,
                at: <$timer as $crate::runtime::Clock>::Instant,
            ) -> SendDeadline<R, P> {
                self.deadline($timer, at)
            }
        }

        /// A channel's waits with a bound, by this runtime's clock.
        pub trait ChannelExt<T, const N: usize, L: $crate::Lock> {
            /// [`Channel::send`]($crate::Channel::send) for `limit` at most.
            ///
            /// # Cancellation
            /// As [`Channel::send`]($crate::Channel::send).
            ///
            /// # Errors
            /// Gives the item back as
            /// [`SendError::TimedOut`]($crate::channel::SendError::TimedOut) when the limit is
            /// over, or as [`SendError::Closed`]($crate::channel::SendError::Closed).
            fn send_timeout(
                &self,
                item: T,
                limit: $duration,
            ) -> SendDeadline<&$crate::Channel<T, N, L>>;

            /// [`Channel::receive`]($crate::Channel::receive) for `limit` at most.
            ///
            /// # Cancellation
            /// As [`Channel::receive`]($crate::Channel::receive).
            ///
            /// # Errors
            /// Gives [`TimedOut`]($crate::TimedOut) when the limit is over; inside,
            /// [`Ended`]($crate::channel::Ended).
            fn receive_timeout(
                &self,
                limit: $duration,
            ) -> Deadline<$crate::channel::ToItem<&$crate::Channel<T, N, L>>>;

            /// [`Channel::reserve`]($crate::Channel::reserve) for `limit` at most.
            ///
            /// # Cancellation
            /// As [`Channel::reserve`]($crate::Channel::reserve).
            ///
            /// # Errors
            /// Gives [`TimedOut`]($crate::TimedOut) when the limit is over; inside,
            /// [`Closed`]($crate::Closed).
            fn reserve_timeout(
                &self,
                limit: $duration,
            ) -> Deadline<$crate::channel::ToRoom<&$crate::Channel<T, N, L>>>;
        }

        impl<T, const N: usize, L: $crate::Lock> ChannelExt<T, N, L> for $crate::Channel<T, N, L> {
            fn send_timeout(&self, item: T, limit: $duration) -> SendDeadline<&Self> {
                self.send(item).within(limit)
            }

            fn receive_timeout(
                &self,
                limit: $duration,
            ) -> Deadline<$crate::channel::ToItem<&Self>> {
                self.receive().within(limit)
            }

            fn reserve_timeout(
                &self,
                limit: $duration,
            ) -> Deadline<$crate::channel::ToRoom<&Self>> {
                self.reserve().within(limit)
            }
        }
    };
}
