//! The types whose sizes `cargo xtask size` holds to a budget.
//!
//! On a host the program prints them. For a chip nothing can run, so the sizes are told by symbols: `ECLUSE_SIZE_SLOT`
//! is an array with as many bytes as a `Slot`, and xtask reads the symbol's size from the object.
#![no_std]

use core::time::Duration;

use ecluse_core::{
    Admission, Channel, Claim, CriticalSection, Flight, Group, Handoff, Line, Once, Permit,
    Refresher, Root, Scope, Slot, Token, Wait,
    admission::{Acquiring, Fifo},
    cancel::{CancelWait, Member, ScopePlace},
    channel::{Permit as Room, Receiving, Reserving, Sending},
    claim::Claiming,
    flight::{Promote, Relay, ToTurn},
    flush::{Flush, FlushTable, Reply, Request},
    line::HoldEnd,
    runtime::{Clock, Inline, Ticket},
};

type SlotOf<L> = Slot<Handoff, L>;
type LineOf<L> = Line<L>;
type ClaimOf<L> = Claim<&'static SlotOf<L>>;
type TokenOf<L> = Token<'static, L>;
type ClaimWaitOf<L> = Claiming<&'static SlotOf<L>>;
type HoldWaitOf<L> = HoldEnd<&'static LineOf<L>>;
type RootOf<L> = Root<L>;
type ScopeOf<L> = Scope<'static, L>;
type CancelWaitOf<L> = CancelWait<'static, L>;
type ScopePlaceOf<L> = ScopePlace<L>;
type ChildOf<L> = Ticket<(), Member<L>>;
type AdmissionOf<L> = Admission<Fifo, L>;
type PermitOf<L> = Permit<&'static AdmissionOf<L>>;
type PermitWaitOf<L> = Acquiring<&'static AdmissionOf<L>>;
type FlightOf<L> = Flight<usize, Promote, L>;
type FollowerOf<L> = Wait<ToTurn<&'static FlightOf<L>>>;
type GroupOf<L> = Group<usize, usize, Promote, L>;
type MemberOf<L> = Wait<ToTurn<&'static GroupOf<L>>>;
type OnceOf<L> = Once<usize, L>;
/// With room for a future of 64 bytes.
type RelayOf<L> = Relay<Inline<64, usize>, L>;
type ChannelOf<L> = Channel<usize, 8, L>;
/// One cell more.
type LongerChannelOf<L> = Channel<usize, 9, L>;
type RendezvousOf<L> = Channel<usize, 0, L>;
type RoomOf<L> = Room<&'static ChannelOf<L>>;
type SendOf<L> = Sending<&'static ChannelOf<L>>;
type ReceiveOf<L> = Receiving<&'static ChannelOf<L>>;
type ReserveOf<L> = Reserving<&'static ChannelOf<L>>;
type FlushTableOf<L> = FlushTable<u16, 8, L>;
type RequestOf<L> = Request<&'static FlushTableOf<L>>;
type ReplyOf<L> = Reply<&'static FlushTableOf<L>>;
type FlushOf<L> = Flush<&'static FlushTableOf<L>>;
type RefresherOf<L> = Refresher<usize, usize, Ticks, L>;

/// A clock of 64 bits.
pub struct Ticks;

impl Clock for Ticks {
    type Instant = u64;

    fn now(&self) -> u64 {
        0
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        from.saturating_add(by.as_secs())
    }
}

/// What a wait has beside its node: how it finds its owner.
type HandleOf<L> = &'static SlotOf<L>;

/// The list, once; `$use` says what is made of it.
macro_rules! each {
    ($use:ident) => {
        $use! {
            ECLUSE_SIZE_SLOT: SlotOf,
            ECLUSE_SIZE_LINE: LineOf,
            ECLUSE_SIZE_CLAIM: ClaimOf,
            ECLUSE_SIZE_TOKEN: TokenOf,
            ECLUSE_SIZE_CLAIM_WAIT: ClaimWaitOf,
            ECLUSE_SIZE_HOLD_WAIT: HoldWaitOf,
            ECLUSE_SIZE_HANDLE: HandleOf,
            ECLUSE_SIZE_ADMISSION: AdmissionOf,
            ECLUSE_SIZE_PERMIT: PermitOf,
            ECLUSE_SIZE_PERMIT_WAIT: PermitWaitOf,
            ECLUSE_SIZE_FLIGHT: FlightOf,
            ECLUSE_SIZE_FOLLOWER: FollowerOf,
            ECLUSE_SIZE_GROUP: GroupOf,
            ECLUSE_SIZE_MEMBER: MemberOf,
            ECLUSE_SIZE_ONCE: OnceOf,
            ECLUSE_SIZE_RELAY: RelayOf,
            ECLUSE_SIZE_REFRESHER: RefresherOf,
            ECLUSE_SIZE_CHANNEL: ChannelOf,
            ECLUSE_SIZE_LONGER_CHANNEL: LongerChannelOf,
            ECLUSE_SIZE_RENDEZVOUS: RendezvousOf,
            ECLUSE_SIZE_ROOM: RoomOf,
            ECLUSE_SIZE_SEND_WAIT: SendOf,
            ECLUSE_SIZE_RECEIVE_WAIT: ReceiveOf,
            ECLUSE_SIZE_RESERVE_WAIT: ReserveOf,
            ECLUSE_SIZE_FLUSH_TABLE: FlushTableOf,
            ECLUSE_SIZE_REQUEST: RequestOf,
            ECLUSE_SIZE_REPLY: ReplyOf,
            ECLUSE_SIZE_FLUSH: FlushOf,
            ECLUSE_SIZE_ROOT: RootOf,
            ECLUSE_SIZE_SCOPE: ScopeOf,
            ECLUSE_SIZE_CANCEL_WAIT: CancelWaitOf,
            ECLUSE_SIZE_SCOPE_PLACE: ScopePlaceOf,
            ECLUSE_SIZE_CHILD: ChildOf,
        }
    };
}

macro_rules! symbols {
    ($($name:ident: $of:ident,)*) => {
        $(
            /// As many bytes as the type of this name.
            // SAFETY: the prefix is this package's alone, so no other symbol has the name.
            #[unsafe(no_mangle)]
            pub static $name: [u8; size_of::<$of<CriticalSection>>()] = [0; size_of::<$of<CriticalSection>>()];
        )*
    };
}

macro_rules! table {
    ($($name:ident: $of:ident,)*) => {
        /// Name and size of each type with the lock `L`.
        #[cfg(feature = "host")]
        pub fn table<L: ecluse_core::Lock + 'static>() -> impl Iterator<Item = (&'static str, usize)> {
            [$((stringify!($name), size_of::<$of<L>>())),*].into_iter()
        }
    };
}

each!(symbols);
each!(table);
