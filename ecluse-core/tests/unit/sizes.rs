//! Sizes that are promised: in words, with a lock of no size, so that they hold on every target.

use core::mem::size_of;

use ecluse_core::{
    Admission, Channel, Claim, Cx, Flight, FlushTable, Handoff, Line, Local, Once, Outcome, Permit,
    Revocable, Root, Scope, Slot, Token,
    admission::{Acquiring, Bypass, Fifo},
    channel::{Receiving, Sending},
    claim::{Claiming, Released},
    flight::Promote,
    flush::{Flush, Reply, Request},
    line::HoldEnd,
};

const WORD: usize = size_of::<usize>();

type Bare = Slot<Handoff, Local>;
type BareLine = Line<Local>;
type BareFlight = Flight<usize, Promote, Local>;

// The word and two rings; the word and one.
const _: () = assert!(size_of::<Bare>() == 3 * WORD);
const _: () = assert!(size_of::<BareLine>() == 2 * WORD);
// The grantee and a count more.
const _: () = assert!(size_of::<Slot<Revocable, Local>>() == 5 * WORD);

// The word, the goal, the room; the ring, its length, the capacity.
type BareAdmission = Admission<Fifo, Local>;
const _: () = assert!(size_of::<BareAdmission>() == 6 * WORD);
// Whom a count is about, and the count, more.
const _: () = assert!(size_of::<Admission<Bypass<4>, Local>>() == 8 * WORD);

// Links, waker, grant and state; and what it waits for.
const _: () = assert!(size_of::<Claiming<&'static Bare>>() == 6 * WORD);
const _: () = assert!(size_of::<Released<&'static Bare>>() == 6 * WORD);
const _: () = assert!(size_of::<HoldEnd<&'static BareLine>>() == 7 * WORD);
// Its weight more.
const _: () = assert!(size_of::<Acquiring<&'static BareAdmission>>() == 8 * WORD);
const _: () = assert!(size_of::<Permit<&'static BareAdmission>>() == 2 * WORD);

// Two links, the word, three lists and the cursor; and the parent: a scope. A name is two more, where
// there is one. Its root: the work list, the carriers, the walkers and two counts instead. A handle is
// two pointers.
const _: () = assert!(size_of::<Scope<'static, Local>>() == 11 * WORD);
const _: () = assert!(size_of::<Scope<'static, Local, &'static str>>() == 13 * WORD);
const _: () = assert!(size_of::<Root<Local>>() <= 17 * WORD);
const _: () = assert!(size_of::<Cx<'static, Local>>() == 2 * WORD);

// A place in a table of requests: an entry, and the root of a tree. What is in hand of a request and of
// an answer: a handle and a place; a flush has its node more.
type BareRequests<const N: usize> = FlushTable<u16, N, Local>;
const PLACE: usize = size_of::<BareRequests<2>>() - size_of::<BareRequests<1>>();
const _: () = assert!(PLACE <= size_of::<Root<Local>>() + 32 + 5 * WORD);
const _: () = assert!(size_of::<Request<&'static BareRequests<1>>>() == 2 * WORD);
const _: () = assert!(size_of::<Reply<&'static BareRequests<1>>>() <= 3 * WORD);
const _: () = assert!(size_of::<Flush<&'static BareRequests<1>>>() <= 10 * WORD);

// A flight and a relay without a run are a pointer (and the place); a follower is its node, the
// flight's, and, where it has one, its key.
const _: () = assert!(size_of::<BareFlight>() == WORD);
const _: () = assert!(size_of::<Once<usize, Local>>() <= 7 * WORD);
#[cfg(all(feature = "std", target_pointer_width = "64"))]
const _: () =
    assert!(size_of::<ecluse_core::Wait<ecluse_core::flight::ToTurn<&'static BareFlight>>>() <= 80);

// A channel: three rings, whom a rendezvous was offered to, and 40 bytes of counts; and a cell an
// item, of two counts more. A send is its wait and its item.
type BareChannel<const N: usize> = Channel<[usize; 4], N, Local>;
const CELL: usize = 4 * WORD + 8;
const _: () = assert!(size_of::<BareChannel<1>>() <= 5 * WORD + 40 + CELL);
const _: () = assert!(size_of::<BareChannel<0>>() == size_of::<BareChannel<1>>());
const _: () = assert!(size_of::<BareChannel<9>>() == size_of::<BareChannel<1>>() + 8 * CELL);
const _: () = assert!(size_of::<Receiving<&'static BareChannel<1>>>() <= 7 * WORD);
const _: () = assert!(size_of::<Sending<&'static BareChannel<1>>>() <= 8 * WORD + 8 + 6 * WORD);

// A handle, and how it began and ended.
const _: () = assert!(size_of::<Claim<&'static Bare>>() <= 2 * WORD);
const _: () = assert!(size_of::<Token<'static, Local>>() <= 3 * WORD);
const _: () = assert!(size_of::<Outcome>() == 1);

/// A lock of no size adds nothing; the mutex of `std` a word where words have 64 bits.
#[cfg(all(feature = "critical-section", not(feature = "std")))]
const _: () = assert!(size_of::<Slot>() == size_of::<Bare>());
#[cfg(all(feature = "std", target_os = "linux", target_pointer_width = "64"))]
const _: () = assert!(size_of::<Slot>() == 4 * WORD && size_of::<Line>() == 3 * WORD);

/// An observer that hears nothing costs nothing; one that does, a counter.
#[test]
fn a_numbered_observer_costs_a_counter() {
    use ecluse_core::observe::{Event, Numbered, Observer};
    struct Heard;
    impl Observer for Heard {
        type Numbers = Numbered;
        fn event(&self, _: Event) {}
    }
    assert!(size_of::<Slot<Handoff, Local, Heard>>() <= size_of::<Bare>() + WORD);
}
