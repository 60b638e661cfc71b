//! What sending and receiving refuse, and what they give back.

use core::fmt;

use crate::Closed;

/// The end of a channel: it was closed, and every item was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed and empty")
    }
}

impl core::error::Error for Ended {}

/// Why nothing was received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TryReceiveError {
    /// There is no item at the moment.
    Empty,
    /// The channel was closed, and every item was received.
    Ended,
}

impl fmt::Display for TryReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the channel is empty",
            Self::Ended => "the channel is closed and empty",
        })
    }
}

impl core::error::Error for TryReceiveError {}

impl From<Ended> for TryReceiveError {
    fn from(_: Ended) -> Self {
        Self::Ended
    }
}

/// Why no room was reserved at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TryReserveError {
    /// There is no room at the moment.
    Full,
    /// The channel was closed.
    Closed,
}

impl fmt::Display for TryReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the channel is full",
            Self::Closed => "the channel is closed",
        })
    }
}

impl core::error::Error for TryReserveError {}

impl From<Closed> for TryReserveError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// An error that gives the item back. (Its text says nothing of the item, which need not be
/// `Debug`.)
macro_rules! item_error {
    ($(#[$meta:meta])* $name:ident { $($(#[$case_meta:meta])* $case:ident: $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum $name<T> {
            $($(#[$case_meta])* $case(T),)*
        }

        impl<T> $name<T> {
            /// The item, which was not sent.
            pub fn into_inner(self) -> T {
                match self {
                    $(Self::$case(item) => item,)*
                }
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$case(_) => concat!(stringify!($case), "(..)"),)*
                })
            }
        }

        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$case(_) => $text,)*
                })
            }
        }

        impl<T> core::error::Error for $name<T> {}
    };
}

item_error! {
    /// Why an item was not sent at once; it is in here.
    TrySendError {
        /// There is no room at the moment; of a channel without room, nobody waits for an item.
        Full: "the channel is full",
        /// The channel was closed.
        Closed: "the channel is closed",
    }
}

item_error! {
    /// Why an item was not sent after all; it is in here. (After
    /// [`send_from`](super::Channel::send_from) it is where it came from.)
    SendError {
        /// The channel was closed.
        Closed: "the channel is closed",
        /// The send was ended by its owner: by a scope that was cancelled, or by
        /// [`Sending::try_abandon`](super::Sending::try_abandon).
        Cancelled: "the send was cancelled",
        /// The send was not over in time.
        TimedOut: "the send timed out",
    }
}
